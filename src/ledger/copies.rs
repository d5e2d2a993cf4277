//! How far the copies of tables are journaled: plain data.

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

    pub(super) fn of_code(
        table: String,
        code: i64,
        next_after: Option<Vec<u8>>,
        row_count: u64,
    ) -> Self {
        let state = CopyState::from_code(code % RESYNC);
        Self { table, state, next_after, row_count, resync: code >= RESYNC }
    }
}

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
