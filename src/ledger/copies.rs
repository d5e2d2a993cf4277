//! How far the copies of tables are journaled: plain data.

use bytes::{Buf, BufMut};

use crate::change::condition::Condition;

/// How far the copy of a table is journaled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyProgress {
    /// The table, `schema.name`.
    pub table: String,
    /// Where it stands.
    pub state: CopyState,
    /// What is still to be read while it is copied: parts of the table, in no order, that have no row in
    /// common.
    pub ranges: Vec<KeyRange>,
    /// Rows journaled so far, by all copies of the table.
    pub row_count: u64,
    /// The table was copied before: this copy mends what is there.
    pub resync: bool,
    /// The rows that it mends; `None`: all.
    pub only: Option<Condition>,
}

/// A part of a table that is still to be read. Keys are encoded as rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The key after which the next chunk begins; `None`: with the first row.
    pub after: Option<Vec<u8>>,
    /// The key with which the part ends; `None`: with the last row.
    pub upto: Option<Vec<u8>>,
}

impl CopyProgress {
    /// The first copy of a table, before anything of it was read.
    #[must_use]
    pub fn first(table: String) -> Self {
        let ranges = vec![KeyRange::default()];
        let state = CopyState::Copying;
        Self { table, state, ranges, row_count: 0, resync: false, only: None }
    }

    /// The table is copied from its first row on, as if nothing of it had been read.
    #[must_use]
    pub fn begun_again(self, resync: bool, only: Option<Condition>) -> Self {
        Self { row_count: self.row_count, resync, only, ..Self::first(self.table) }
    }

    /// A first copy, and not done: the table is not there yet.
    #[must_use]
    pub fn is_first_copy(&self) -> bool {
        self.state != CopyState::Done && !self.resync
    }

    /// Where it stands, as stored.
    pub(super) fn code(&self) -> i64 {
        self.state.code() + if self.resync { RESYNC } else { 0 }
    }

    /// Where it goes on, and with which rows, as stored.
    pub(super) fn place(&self) -> Option<Vec<u8>> {
        let place = ranges_place(&self.ranges);
        let Some(only) = &self.only else { return place };
        // Plain data: serialising it cannot fail.
        let only = serde_json::to_vec(only).unwrap_or_default();
        let mut bytes = Vec::new();
        bytes.put_u16(PARTIAL);
        put(&mut bytes, &only);
        bytes.put_u8(u8::from(place.is_some()));
        bytes.put_slice(place.as_deref().unwrap_or_default());
        Some(bytes)
    }

    /// From what is stored; `None` if that is damaged.
    pub(super) fn of_code(
        table: String,
        code: i64,
        place: Option<Vec<u8>>,
        row_count: u64,
    ) -> Option<Self> {
        let state = CopyState::from_code(code % RESYNC);
        let (only, place) = match place {
            Some(place) if place.starts_with(&PARTIAL.to_be_bytes()) => of_partial(&place)?,
            place => (None, place),
        };
        let ranges = if state == CopyState::Copying { of_place(place)? } else { Vec::new() };
        Some(Self { table, state, ranges, row_count, resync: code >= RESYNC, only })
    }
}

fn of_partial(place: &[u8]) -> Option<(Option<Condition>, Option<Vec<u8>>)> {
    let mut rest = place.get(2..)?;
    let only = serde_json::from_slice(take(&mut rest)?).ok()?;
    let has_begun = rest.try_get_u8().ok()? == 1;
    Some((Some(only), has_begun.then(|| rest.to_vec())))
}

/// One part that goes on to the last row is only the key after which it begins, as it was before there were
/// several.
fn ranges_place(ranges: &[KeyRange]) -> Option<Vec<u8>> {
    if let [KeyRange { after, upto: None }] = ranges {
        return after.clone();
    }
    if ranges.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    bytes.put_u16(RANGES);
    for KeyRange { after, upto } in ranges {
        bytes.put_u8(u8::from(after.is_some()) | u8::from(upto.is_some()) << 1);
        after.iter().chain(upto).for_each(|key| put(&mut bytes, key));
    }
    Some(bytes)
}

fn of_place(place: Option<Vec<u8>>) -> Option<Vec<KeyRange>> {
    let is_several = |place: &&Vec<u8>| place.starts_with(&RANGES.to_be_bytes());
    let Some(several) = place.as_ref().filter(is_several) else {
        return Some(vec![KeyRange { after: place, upto: None }]);
    };
    let mut rest = several.get(2..)?;
    let mut ranges = Vec::new();
    while !rest.is_empty() {
        let has = rest.try_get_u8().ok().filter(|has| *has < 4)?;
        let mut key = |is_there: bool| match is_there {
            true => take(&mut rest).map(|key| Some(key.to_vec())),
            false => Some(None),
        };
        ranges.push(KeyRange { after: key(has & 1 == 1)?, upto: key(has & 2 == 2)? });
    }
    Some(ranges)
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.put_u32(u32::try_from(part.len()).unwrap_or(u32::MAX));
    bytes.put_slice(part);
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = usize::try_from(rest.try_get_u32().ok()?).ok()?;
    let (part, left) = rest.split_at_checked(len)?;
    *rest = left;
    Some(part)
}

/// Before the condition of a copy that has one: no key has so many columns, which would stand here.
const PARTIAL: u16 = u16::MAX;

/// Before the parts of a copy that has several, likewise.
const RANGES: u16 = u16::MAX - 1;

/// Added to the code of the state of a resync.
const RESYNC: i64 = 4;

/// Where a table's copy stands. Set by capture, in the transaction of the entry that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyState {
    /// Chunks are missing.
    Copying,
    /// All chunks are in the journal; cells that no chunk carried may be missing.
    Swept,
    /// Nothing is missing.
    Done,
}

impl CopyState {
    fn code(self) -> i64 {
        match self {
            CopyState::Copying => 0,
            CopyState::Swept => 1,
            CopyState::Done => 2,
        }
    }

    fn from_code(code: i64) -> Self {
        match code {
            0 => CopyState::Copying,
            1 => CopyState::Swept,
            _ => CopyState::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(place: Option<Vec<u8>>) -> Option<CopyProgress> {
        CopyProgress::of_code("public.t".to_owned(), 4, place, 5)
    }

    #[test]
    fn what_is_stored_is_read_again() {
        let range = |after: Option<&[u8]>, upto: Option<&[u8]>| KeyRange {
            after: after.map(<[u8]>::to_vec),
            upto: upto.map(<[u8]>::to_vec),
        };
        let (one, other) = (&[0, 1, b't', 0, 0, 0, 1, b'7'][..], &[0, 1, b't', 0, 0, 0, 0][..]);
        let only = Condition::parse("id >= 100 AND id < 200").unwrap();
        for only in [None, Some(only)] {
            for ranges in [
                vec![range(None, None)],
                vec![range(Some(one), None)],
                vec![range(None, Some(one))],
                vec![range(Some(one), Some(other))],
                vec![
                    range(None, Some(one)),
                    range(Some(one), Some(other)),
                    range(Some(other), None),
                ],
            ] {
                let progress =
                    CopyProgress { ranges, ..CopyProgress::first("public.t".to_owned()) }
                        .with(5, only.clone());
                assert_eq!(progress.code(), 4);
                assert_eq!(read(progress.place()), Some(progress));
            }
        }
        for damaged in [
            &[255, 255][..],
            &[255, 255, 0, 0, 0, 9, 1],
            &[255, 255, 0, 0, 0, 1, 0, 0],
            &[255, 254, 1, 0, 0, 0, 1],
            &[255, 254, 4],
            &[255, 254, 3, 0, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(read(Some(damaged.to_vec())), None, "{damaged:?}");
        }
    }

    #[test]
    fn a_place_of_before_there_were_ranges_is_read() {
        let key = vec![0, 1, b't', 0, 0, 0, 1, b'7'];
        let goes_on_after = |place, after| {
            let read: CopyProgress = read(place).unwrap();
            assert_eq!(read.ranges, vec![KeyRange { after, upto: None }]);
            read.only.is_some()
        };
        assert!(!goes_on_after(None, None));
        assert!(!goes_on_after(Some(key.clone()), Some(key.clone())));
        // One part that goes on to the end is still stored so.
        let one = vec![KeyRange { after: Some(key.clone()), upto: None }];
        let stored = CopyProgress { ranges: one, ..CopyProgress::first("t".to_owned()) }.place();
        assert_eq!(stored, Some(key.clone()));
        // With a condition: its length, itself, whether a key follows, the key.
        let only = Condition::parse("id >= 100").unwrap();
        let only = serde_json::to_vec(&only).unwrap();
        let mut place = vec![255, 255, 0, 0, 0, u8::try_from(only.len()).unwrap()];
        place.extend(&only);
        let begun = [place.as_slice(), &[1], &key].concat();
        assert!(goes_on_after(Some(begun), Some(key)));
        assert!(goes_on_after(Some([place.as_slice(), &[0]].concat()), None));
        // One that is done has nothing to be read.
        let done = CopyProgress::of_code("t".to_owned(), 2, None, 5).unwrap();
        assert_eq!((done.state, done.ranges), (CopyState::Done, Vec::new()));
    }

    impl CopyProgress {
        fn with(self, row_count: u64, only: Option<Condition>) -> Self {
            Self { row_count, resync: true, only, ..self }
        }
    }
}
