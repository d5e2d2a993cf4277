//! From buckets that differ to rows, and from rows to what is the matter with them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::ledger::drift::{Class, Drift};

/// Canonical texts of the compared columns, key first.
pub(super) type Cells = Vec<Option<String>>;

/// A row as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    /// The key for people.
    pub(super) key: String,
    pub(super) cells: Cells,
}

/// The buckets whose digests differ.
pub(super) fn differing(
    ours: &BTreeMap<String, Digest>,
    theirs: &BTreeMap<String, Digest>,
) -> Vec<String> {
    let all: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    all.into_iter().filter(|bucket| ours.get(*bucket) != theirs.get(*bucket)).cloned().collect()
}

/// The rows of a key.
pub(super) fn rows_of<'a>(found: &'a BTreeMap<String, Vec<Cells>>, key: &str) -> &'a [Cells] {
    found.get(key).map(Vec::as_slice).unwrap_or_default()
}

/// What two rows of one key have to say to each other.
pub(super) struct Judge<'a> {
    /// Names of the compared columns, key first.
    pub(super) columns: &'a [String],
    /// How many of them are the key.
    pub(super) key_count: usize,
    /// Rows that are there and unknown to us are none of our business.
    pub(super) is_shared: bool,
}

impl Judge<'_> {
    /// How a row differs; `None` if it does not. `found`: the rows of its key.
    pub(super) fn judge(
        &self,
        expected: Option<&Expected>,
        found: &[Cells],
        was: impl FnOnce(&Expected) -> Vec<Cells>,
    ) -> Option<Drift> {
        let (key, class, columns) = match (expected, found) {
            (None, []) => return None,
            (Some(row), []) => (row.key.clone(), Class::Missing, Vec::new()),
            (None, _) if self.is_shared => return None,
            (None, [cells, ..]) => (self.key_of(cells), Class::Extra, Vec::new()),
            (Some(row), [cells]) if row.cells == *cells => return None,
            (Some(row), [cells]) => {
                let is_stale = was(row).contains(cells);
                let class = if is_stale { Class::Stale } else { Class::Diverged };
                (row.key.clone(), class, self.different(&row.cells, cells))
            }
            (Some(row), [_, _, ..]) => (row.key.clone(), Class::Duplicate, Vec::new()),
        };
        Some(Drift {
            key,
            class,
            columns,
            expected: expected.map(|row| self.object(&row.cells)),
            // Of several, one that is not as it must be, if there is one.
            found: found
                .iter()
                .find(|cells| expected.is_none_or(|row| row.cells != **cells))
                .or(found.first())
                .map(|cells| self.object(cells)),
            source_rows: None,
        })
    }

    fn key_of(&self, cells: &Cells) -> String {
        let key = cells.iter().take(self.key_count);
        key.map(|cell| cell.as_deref().unwrap_or_default()).collect::<Vec<_>>().join("|")
    }

    fn different(&self, expected: &Cells, found: &Cells) -> Vec<String> {
        let pairs = self.columns.iter().zip(expected.iter().zip(found));
        pairs.filter(|(_, (a, b))| a != b).map(|(name, _)| name.clone()).collect()
    }

    fn object(&self, cells: &Cells) -> Value {
        let value = |cell: &Option<String>| cell.clone().map_or(Value::Null, Value::String);
        let pairs = self.columns.iter().zip(cells).map(|(name, cell)| (name.clone(), value(cell)));
        Value::Object(pairs.collect::<Map<_, _>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(texts: &[&str]) -> Cells {
        texts.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect()
    }

    fn drift(expected: Option<&[&str]>, found: &[&[&str]], was: &[&[&str]]) -> Option<Drift> {
        let columns = ["no", "name", "hours"].map(str::to_owned);
        let judge = Judge { columns: &columns, key_count: 1, is_shared: false };
        let expected = expected.map(|e| Expected { key: e[0].to_owned(), cells: cells(e) });
        let was: Vec<Cells> = was.iter().map(|old| cells(old)).collect();
        let found: Vec<Cells> = found.iter().map(|row| cells(row)).collect();
        judge.judge(expected.as_ref(), &found, |_| was)
    }

    #[test]
    fn every_class_is_told_from_the_others() {
        let row: &[&str] = &["1", "a", "8"];
        assert_eq!(drift(Some(row), &[row], &[]), None);
        fn class(expected: Option<&[&str]>, found: &[&[&str]], was: &[&[&str]]) -> Class {
            drift(expected, found, was).unwrap().class
        }
        assert_eq!(class(Some(row), &[], &[]), Class::Missing);
        assert_eq!(class(None, &[row], &[]), Class::Extra);
        assert_eq!(class(Some(row), &[row, row], &[]), Class::Duplicate);
        let other: &[&str] = &["1", "", "9"];
        assert_eq!(class(Some(row), &[other], &[&["1", "a", "7"]]), Class::Diverged);
        assert_eq!(class(Some(row), &[other], &[&["1", "a", "7"], other]), Class::Stale);
        let found = drift(Some(row), &[other], &[]).unwrap();
        assert_eq!(found.columns, ["name", "hours"]);
        let json = serde_json::json!({"no": "1", "name": null, "hours": "9"});
        assert_eq!((found.key.as_str(), found.found), ("1", Some(json)));
    }

    #[test]
    fn rows_of_others_in_a_shared_table_are_no_drift() {
        let columns = ["no".to_owned()];
        let judge = Judge { columns: &columns, key_count: 1, is_shared: true };
        assert_eq!(judge.judge(None, &[cells(&["9"])], |_| Vec::new()), None);
        let mine = Expected { key: "1".to_owned(), cells: cells(&["1"]) };
        assert!(judge.judge(Some(&mine), &[], |_| Vec::new()).is_some());
    }

    #[test]
    fn a_bucket_that_one_side_lacks_differs() {
        let one = Digest { count: 1, lanes: [7, 9] };
        let ours = BTreeMap::from([("a".to_owned(), one), ("b".to_owned(), one)]);
        let theirs = BTreeMap::from([
            ("b".to_owned(), Digest { lanes: [9, 7], ..one }),
            ("c".to_owned(), one),
        ]);
        assert_eq!(differing(&ours, &theirs), ["a", "b", "c"]);
        assert_eq!(differing(&ours, &ours), Vec::<String>::new());
    }
}
