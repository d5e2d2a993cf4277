//! The parts in which a table is read, and what of them the journal has: plain data.
//!
//! A part that is read by one session is divided by that session between two of its chunks, so that no chunk
//! in flight is ever cut. What is noted with a chunk are all parts as they were when it was sent: the journal
//! takes chunks in the order in which they are sent.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use crate::change::{Cell, Table, TableName, tuple};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::copies::{CopyProgress, CopyState, KeyRange};

/// Chunks of a table before it is parted: a small one never is.
const CHUNKS_BEFORE: u64 = 2;
/// Parts in succession that turned out to be no more than a chunk: then the table is divided no more.
const FUTILE_MAX: u32 = 3;

/// A key.
pub(super) type Key = Vec<Cell>;

/// How far a table is read.
#[derive(Debug)]
pub(super) struct Parts {
    name: TableName,
    progress: CopyProgress,
    parts: Vec<Part>,
    chunks: u64,
    futile: u32,
    /// At most so many at once; 1: it is not divided.
    count_max: usize,
    /// Somebody asks the source where.
    is_dividing: bool,
}

/// Names a part.
pub(super) type PartId = u64;

#[derive(Debug)]
struct Part {
    id: PartId,
    after: Option<Key>,
    upto: Option<Key>,
    /// A session reads it.
    is_read: bool,
    /// It was made by dividing, and nothing of it was read.
    is_new: bool,
}

impl Parts {
    pub(super) fn new(name: &TableName, progress: &CopyProgress, count_max: usize) -> Result<Self> {
        let key = |bytes: &Option<Vec<u8>>| match bytes {
            Some(bytes) => decoded(name, bytes).map(Some),
            None => Ok(None),
        };
        let part = |(id, range): (PartId, &KeyRange)| {
            let (after, upto) = (key(&range.after)?, key(&range.upto)?);
            Ok(Part { id, after, upto, is_read: false, is_new: false })
        };
        let parts = (0..).zip(&progress.ranges).map(part).collect::<Result<_>>()?;
        let (name, progress) = (name.clone(), progress.clone());
        Ok(Self { name, progress, parts, chunks: 0, futile: 0, count_max, is_dividing: false })
    }

    /// As the journal is to have it.
    pub(super) fn progress(&self) -> &CopyProgress {
        &self.progress
    }

    pub(super) fn is_done(&mut self) -> CopyProgress {
        self.progress.state = CopyState::Done;
        self.progress.clone()
    }

    /// A part that nobody reads: from here on, somebody does.
    pub(super) fn take(&mut self) -> Option<PartId> {
        let part = self.parts.iter_mut().find(|part| !part.is_read)?;
        part.is_read = true;
        Some(part.id)
    }

    /// Nobody reads it any more.
    pub(super) fn leave(&mut self, id: PartId) {
        if let Some(part) = self.parts.iter_mut().find(|part| part.id == id) {
            part.is_read = false;
        }
    }

    /// Between which keys a part lies.
    pub(super) fn keys(&self, id: PartId) -> Result<(Option<Key>, Option<Key>)> {
        let part = self.parts.iter().find(|part| part.id == id);
        let part = part.ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("a part of {} is read twice", self.name))
        })?;
        Ok((part.after.clone(), part.upto.clone()))
    }

    /// A chunk of a part was read: what the journal is to note with it, and whether that was the last one of
    /// the table. `next_after` as in [`crate::source::Chunk`].
    pub(super) fn moved(
        &mut self,
        id: PartId,
        rows: u64,
        next_after: Option<&Key>,
    ) -> (CopyProgress, bool) {
        self.chunks += 1;
        self.progress.row_count += rows;
        for part in self.parts.iter_mut().filter(|part| part.id == id) {
            if part.is_new {
                self.futile = if next_after.is_none() { self.futile + 1 } else { 0 };
            }
            part.is_new = false;
            part.after = next_after.cloned();
        }
        if next_after.is_none() {
            self.parts.retain(|part| part.id != id);
        }
        let range = |part: &Part| KeyRange {
            after: part.after.as_deref().map(encoded),
            upto: part.upto.as_deref().map(encoded),
        };
        self.progress.ranges = self.parts.iter().map(range).collect();
        let is_last = self.parts.is_empty();
        if is_last {
            self.progress.state = CopyState::Swept;
        }
        (self.progress.clone(), is_last)
    }

    /// Whether another session could read some of what is left. If so, [`Parts::divide`] is to follow; nobody
    /// else divides meanwhile, or there would be more parts than there may be.
    pub(super) fn begin_dividing(&mut self) -> bool {
        let may = !self.is_dividing
            && self.parts.len() < self.count_max
            && self.chunks >= CHUNKS_BEFORE
            && self.futile < FUTILE_MAX
            && self.parts.iter().all(|part| part.is_read);
        self.is_dividing |= may;
        may
    }

    /// Divides a part at a key, if one was found.
    pub(super) fn divide(&mut self, id: PartId, at: Option<Key>) {
        self.is_dividing = false;
        let next = self.parts.iter().map(|part| part.id + 1).max().unwrap_or(0);
        let part = self.parts.iter_mut().find(|part| part.id == id);
        let (Some(part), Some(at)) = (part, at) else {
            self.futile += 1;
            return;
        };
        let upto = part.upto.replace(at.clone());
        self.parts.push(Part { id: next, after: Some(at), upto, is_read: false, is_new: true });
    }
}

/// The table as the chunk that was sent last has it, and when that was read.
#[derive(Debug, Default)]
pub(super) struct Shape(Option<(Arc<Table>, Instant)>);

impl Shape {
    /// Whether a chunk may be sent. Of chunks that are read at the same time nobody knows which one saw the
    /// table first: if they differ in its columns, the mirror would follow the newer ones and then the older
    /// ones. One that was begun later has seen what was there before.
    pub(super) fn allows(&self, table: &Table, began: Instant) -> bool {
        let Some((last, ended)) = &self.0 else { return true };
        last.as_ref() == table || began >= *ended
    }

    pub(super) fn is(&mut self, table: &Arc<Table>, ended: Instant) {
        let ended = self.0.take().map_or(ended, |(_, before)| ended.max(before));
        self.0 = Some((Arc::clone(table), ended));
    }
}

fn encoded(key: &[Cell]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    tuple::write_row(&mut bytes, key);
    bytes.to_vec()
}

fn decoded(name: &TableName, bytes: &[u8]) -> Result<Key> {
    tuple::read_row(&mut Bytes::copy_from_slice(bytes)).ok_or_else(|| {
        Error::new(
            ErrorKind::Ledger,
            format!("the journal does not tell where {name} was copied to"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::Column;

    fn key(text: &str) -> Key {
        vec![Cell::text(text)]
    }

    fn begun(count_max: usize) -> Parts {
        let name = TableName::new("public", "t");
        Parts::new(&name, &CopyProgress::first(name.to_string()), count_max).unwrap()
    }

    /// What is left, as texts.
    fn left(progress: &CopyProgress) -> Vec<String> {
        let name = TableName::new("public", "t");
        let text = |bytes: &Option<Vec<u8>>| {
            let key = bytes.as_ref().map(|bytes| decoded(&name, bytes).unwrap());
            key.map_or(String::new(), |key| String::from_utf8_lossy(key[0].bytes().unwrap()).into())
        };
        let range = |range: &KeyRange| format!("{}..{}", text(&range.after), text(&range.upto));
        progress.ranges.iter().map(range).collect()
    }

    #[test]
    fn a_large_table_is_divided_between_two_chunks_and_each_part_goes_on_where_it_is() {
        let mut parts = begun(2);
        let one = parts.take().unwrap();
        assert_eq!(parts.take(), None);
        parts.moved(one, 10, Some(&key("1")));
        assert!(!parts.begin_dividing(), "a small table never is");
        let (progress, is_last) = parts.moved(one, 10, Some(&key("2")));
        assert_eq!((left(&progress), is_last), (vec!["2..".to_owned()], false));
        assert!(parts.begin_dividing());
        assert!(!parts.begin_dividing(), "by one at a time");
        parts.divide(one, Some(key("6")));
        assert!(!parts.begin_dividing(), "so many and no more");
        let other = parts.take().unwrap();
        assert_eq!(parts.keys(one).unwrap(), (Some(key("2")), Some(key("6"))));
        assert_eq!(parts.keys(other).unwrap(), (Some(key("6")), None));
        // THEN what is noted with a chunk is where both are
        let (progress, _) = parts.moved(other, 10, Some(&key("8")));
        assert_eq!(left(&progress), ["2..6", "8.."]);
        let (progress, is_last) = parts.moved(one, 3, None);
        assert_eq!((left(&progress), is_last), (vec!["8..".to_owned()], false));
        // and who is started again has the same parts, whatever he is allowed to make
        let name = TableName::new("public", "t");
        let mut again = Parts::new(&name, &progress, 1).unwrap();
        let part = again.take().unwrap();
        assert_eq!(again.keys(part).unwrap(), (Some(key("8")), None));
        let (progress, is_last) = again.moved(part, 2, None);
        assert_eq!((progress.state, progress.row_count, is_last), (CopyState::Swept, 35, true));
        assert_eq!(left(&progress), Vec::<String>::new());
    }

    #[test]
    fn the_last_chunk_is_that_of_the_part_that_ends_last() {
        let mut parts = begun(3);
        let one = parts.take().unwrap();
        parts.moved(one, 1, Some(&key("1")));
        parts.moved(one, 1, Some(&key("2")));
        parts.divide(one, Some(key("6")));
        let other = parts.take().unwrap();
        // The one that began first ends first.
        assert!(!parts.moved(one, 1, None).1);
        let (progress, is_last) = parts.moved(other, 1, Some(&key("7")));
        assert_eq!((progress.state, is_last), (CopyState::Copying, false));
        assert!(parts.moved(other, 1, None).1);
    }

    #[test]
    fn a_table_that_yields_no_parts_is_not_divided_for_ever() {
        let mut parts = begun(2);
        let one = parts.take().unwrap();
        parts.moved(one, 1, Some(&key("1")));
        parts.moved(one, 1, Some(&key("2")));
        for _ in 0..FUTILE_MAX - 1 {
            assert!(parts.begin_dividing());
            parts.divide(one, None);
        }
        // One that is worth it counts for all.
        parts.divide(one, Some(key("5")));
        let much = parts.take().unwrap();
        parts.moved(much, 1, Some(&key("8")));
        parts.moved(much, 1, None);
        for nth in 0..FUTILE_MAX {
            assert!(parts.begin_dividing(), "{nth}");
            parts.divide(one, Some(key("9")));
            let tiny = parts.take().unwrap();
            parts.moved(tiny, 1, None);
        }
        assert!(!parts.begin_dividing());
    }

    #[test]
    fn an_older_shape_of_a_table_never_comes_after_a_newer_one() {
        let column = |name: &str| Column {
            name: name.to_owned(),
            source_type: "text".to_owned(),
            kind: crate::change::Kind::Text,
            key: None,
        };
        let table = |names: &[&str]| {
            Arc::new(Table {
                id: 1,
                name: TableName::new("public", "t"),
                columns: names.iter().map(|name| column(name)).collect(),
                cascades: Vec::new(),
                left_out: Vec::new(),
                rows: None,
            })
        };
        let (old, new) = (table(&["a"]), table(&["a", "b"]));
        let begun = Instant::now();
        let at = |secs| begun + std::time::Duration::from_secs(secs);
        let mut shape = Shape::default();
        assert!(shape.allows(&old, at(0)));
        shape.is(&old, at(1));
        // One with other columns that was read at the same time may be older or newer: it is read again.
        assert!(!shape.allows(&new, at(0)));
        assert!(shape.allows(&new, at(2)));
        shape.is(&new, at(5));
        assert!(!shape.allows(&old, at(3)), "begun before the newer one was read");
        assert!(shape.allows(&new, at(3)));
        shape.is(&new, at(4));
        assert!(!shape.allows(&old, at(4)), "the one that was read last counts");
        assert!(shape.allows(&old, at(6)), "changed back");
    }
}
