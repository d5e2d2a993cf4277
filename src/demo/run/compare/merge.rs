//! Compares two streams of rows in key order. Neither is held in memory.
//!
//! It knows no database. Differences are named by key and column, never by value.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::error::{Error, ErrorKind, Result};

/// Separates the parts of a key; no key of the demo holds one.
pub(super) const KEY_SEPARATOR: char = '\u{1f}';
/// Differences that are named; the others are counted.
const NAMED_MAX: usize = 3;

/// A row as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Its key, the parts separated by [`KEY_SEPARATOR`].
    pub(super) key: String,
    /// Its cells in the order of the columns.
    pub(super) cells: Vec<Option<String>>,
}

/// Rows by ascending key, as bytes compare.
pub(super) type Rows = BoxStream<'static, Result<Row>>;

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// Rows on the left side.
    pub left_rows: u64,
    /// Rows on the right side.
    pub right_rows: u64,
    /// Keys that are on one side only or whose rows differ.
    pub differences: u64,
    /// The first of them, with the columns that differ.
    pub named: Vec<String>,
}

impl Compared {
    /// Adds another comparison; its differences are named with `prefix`.
    pub(super) fn add(&mut self, other: &Compared, prefix: &str) {
        self.left_rows += other.left_rows;
        self.right_rows += other.right_rows;
        self.differences += other.differences;
        let room = NAMED_MAX.saturating_sub(self.named.len());
        self.named.extend(other.named.iter().take(room).map(|named| format!("{prefix}{named}")));
    }

    /// A difference that is not one of rows.
    pub(super) fn note(&mut self, what: String) {
        self.differences += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(what);
        }
    }
}

/// Compares two sides row by row. `sides` names them, `columns` their cells.
pub(super) async fn compare(
    left: Rows,
    right: Rows,
    sides: [&str; 2],
    columns: &[String],
) -> Result<Compared> {
    let mut compared = Compared::default();
    let mut left = Side::new(left, sides[0]);
    let mut right = Side::new(right, sides[1]);
    let (mut l, mut r) = (left.next().await?, right.next().await?);
    loop {
        let order = match (&l, &r) {
            (None, None) => break,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(l), Some(r)) => l.key.cmp(&r.key),
        };
        if order.is_le() {
            compared.left_rows += 1;
        }
        if order.is_ge() {
            compared.right_rows += 1;
        }
        match (order, &l, &r) {
            (std::cmp::Ordering::Equal, Some(l), Some(r)) if l.cells != r.cells => {
                compared.note(format!("{} ({})", shown(&l.key), differing(l, r, columns)));
            }
            (std::cmp::Ordering::Less, Some(l), _) => {
                compared.note(format!("{} only in {}", shown(&l.key), sides[0]));
            }
            (std::cmp::Ordering::Greater, _, Some(r)) => {
                compared.note(format!("{} only in {}", shown(&r.key), sides[1]));
            }
            _ => {}
        }
        if order.is_le() {
            l = left.next().await?;
        }
        if order.is_ge() {
            r = right.next().await?;
        }
    }
    Ok(compared)
}

/// One side, which must come in order: a comparison of unordered rows would be wrong silently.
struct Side<'a> {
    rows: Rows,
    name: &'a str,
    last: Option<String>,
}

impl<'a> Side<'a> {
    fn new(rows: Rows, name: &'a str) -> Self {
        Self { rows, name, last: None }
    }

    async fn next(&mut self) -> Result<Option<Row>> {
        let Some(row) = self.rows.next().await.transpose()? else { return Ok(None) };
        if self.last.as_ref().is_some_and(|last| *last > row.key) {
            let what = format!("the rows of {} do not come in the order of their keys", self.name);
            return Err(Error::new(ErrorKind::Bug, what));
        }
        self.last = Some(row.key.clone());
        Ok(Some(row))
    }
}

fn shown(key: &str) -> String {
    key.replace(KEY_SEPARATOR, "/")
}

fn differing(left: &Row, right: &Row, columns: &[String]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (place, name) in columns.iter().enumerate() {
        if left.cells.get(place) != right.cells.get(place) {
            names.push(name);
        }
    }
    if names.is_empty() { "number of cells".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(list: &[(&str, [Option<&str>; 2])]) -> Rows {
        let row = |(key, cells): &(&str, [Option<&str>; 2])| {
            let cells = cells.iter().map(|cell| cell.map(ToOwned::to_owned)).collect();
            Ok(Row { key: (*key).to_owned(), cells })
        };
        futures_util::stream::iter(list.iter().map(row).collect::<Vec<_>>()).boxed()
    }

    async fn run(
        left: &[(&str, [Option<&str>; 2])],
        right: &[(&str, [Option<&str>; 2])],
    ) -> Result<Compared> {
        let columns = ["id".to_owned(), "name".to_owned()];
        compare(rows(left), rows(right), ["source", "store"], &columns).await
    }

    #[tokio::test]
    async fn equal_sides_have_no_difference() {
        let side = [("1", [Some("1"), None]), ("2", [Some("2"), Some("b")])];
        let compared = run(&side, &side).await.unwrap();
        assert_eq!((compared.left_rows, compared.right_rows, compared.differences), (2, 2, 0));
        assert_eq!(run(&[], &[]).await.unwrap(), Compared::default());
    }

    #[tokio::test]
    async fn every_kind_of_difference_is_counted_and_three_are_named() {
        let left = [
            ("1", [Some("1"), Some("a")]),
            ("3", [Some("3"), None]),
            ("4", [Some("4"), Some("d")]),
            ("5", [Some("5"), Some("e")]),
        ];
        let right = [
            ("2\u{1f}x", [Some("2"), Some("b")]),
            ("3", [Some("3"), Some("")]),
            ("4", [Some("4"), Some("d")]),
            ("5", [Some("5"), Some("E")]),
        ];
        let compared = run(&left, &right).await.unwrap();
        assert_eq!((compared.left_rows, compared.right_rows, compared.differences), (4, 4, 4));
        assert_eq!(compared.named, ["1 only in source", "2/x only in store", "3 (name)"]);
    }

    #[tokio::test]
    async fn a_row_twice_on_one_side_is_a_difference() {
        let once = [("1", [Some("1"), None])];
        let twice = [("1", [Some("1"), None]), ("1", [Some("1"), None])];
        assert_eq!(run(&twice, &once).await.unwrap().named, ["1 only in source"]);
        assert_eq!(run(&once, &twice).await.unwrap().named, ["1 only in store"]);
    }

    #[tokio::test]
    async fn rows_out_of_order_are_an_error() {
        let disordered = [("2", [None, None]), ("1", [None, None])];
        assert_eq!(run(&disordered, &disordered).await.unwrap_err().kind(), ErrorKind::Bug);
    }
}
