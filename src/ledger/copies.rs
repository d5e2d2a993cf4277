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
    /// The key after which the next chunk begins, encoded as a row.
    pub next_after: Option<Vec<u8>>,
    /// Rows journaled so far, by all copies of the table.
    pub row_count: u64,
    /// The table was copied before: this copy mends what is there.
    pub resync: bool,
    /// The rows that it mends; `None`: all.
    pub only: Option<Condition>,
}

impl CopyProgress {
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
        let Some(only) = &self.only else { return self.next_after.clone() };
        // Plain data: serialising it cannot fail.
        let only = serde_json::to_vec(only).unwrap_or_default();
        let mut bytes = Vec::new();
        bytes.put_u16(PARTIAL);
        bytes.put_u32(u32::try_from(only.len()).unwrap_or(u32::MAX));
        bytes.put_slice(&only);
        bytes.put_u8(u8::from(self.next_after.is_some()));
        bytes.put_slice(self.next_after.as_deref().unwrap_or_default());
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
        let (only, next_after) = match place {
            Some(place) if place.starts_with(&PARTIAL.to_be_bytes()) => of_place(&place)?,
            place => (None, place),
        };
        Some(Self { table, state, next_after, row_count, resync: code >= RESYNC, only })
    }
}

fn of_place(place: &[u8]) -> Option<(Option<Condition>, Option<Vec<u8>>)> {
    let mut rest = place.get(2..)?;
    let len = usize::try_from(rest.try_get_u32().ok()?).ok()?;
    let only = serde_json::from_slice(rest.get(..len)?).ok()?;
    rest = rest.get(len..)?;
    let has_begun = rest.try_get_u8().ok()? == 1;
    Some((Some(only), has_begun.then(|| rest.to_vec())))
}

/// Before the condition of a copy that has one: no key has so many columns, which would stand here.
const PARTIAL: u16 = u16::MAX;

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

    #[test]
    fn what_is_stored_is_read_again() {
        let only = Condition::parse("id >= 100 AND id < 200").unwrap();
        for only in [None, Some(only)] {
            for next_after in [None, Some(Vec::new()), Some(vec![0, 1, b't', 0, 0, 0, 1, b'7'])] {
                let progress = CopyProgress {
                    table: "public.t".to_owned(),
                    state: CopyState::Swept,
                    next_after,
                    row_count: 5,
                    resync: true,
                    only: only.clone(),
                };
                let stored = (progress.code(), progress.place());
                let read = CopyProgress::of_code("public.t".to_owned(), stored.0, stored.1, 5);
                assert_eq!(read, Some(progress));
            }
        }
        for damaged in [&[255, 255][..], &[255, 255, 0, 0, 0, 9, 1], &[255, 255, 0, 0, 0, 1, 0, 0]]
        {
            let read = CopyProgress::of_code("t".to_owned(), 0, Some(damaged.to_vec()), 0);
            assert_eq!(read, None, "{damaged:?}");
        }
    }
}
