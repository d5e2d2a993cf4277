//! The row-change model every source is brought to: pure data, no I/O, no clock.
//!
//! A *change* is a row event of a source. A *transaction* is the unit of everything: it is
//! journaled whole, confirmed whole and, unless it is larger than a batch, conformed whole.

pub mod binlog_place;
pub mod condition;
pub mod gtid_set;
pub mod keyless;
pub mod position;
pub mod rows;
pub mod schema;
pub mod tuple;
pub mod value;
pub mod visibility;

use std::sync::Arc;

use bytes::Bytes;

pub use binlog_place::BinlogPlace;
pub use gtid_set::GtidSet;
pub use position::{Position, Reached, TransactionId};
pub use rows::{CellRef, Cells, Row};
pub use schema::{Column, Kind, Table, TableName};
pub use value::Cell;
pub use visibility::Visibility;

/// A committed transaction of one source, with the changes to mirrored tables in log order.
#[derive(Debug, Clone, PartialEq)]
pub struct Transaction {
    /// Who wrote it, as the source numbers transactions.
    pub id: TransactionId,
    /// Where the log continues after it.
    pub position: Position,
    /// The source's commit time, microseconds since 1970-01-01 UTC.
    pub committed_at_micros: i64,
    /// The changes in log order; empty when it touched nothing that is mirrored.
    pub changes: Vec<Change>,
}

/// One change of one transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A row was written or removed.
    Row(RowChange),
    /// All rows of these tables were removed at once.
    Truncate(Vec<Arc<Table>>),
    /// Values of this table's rows changed in a way that the log does not tell.
    Doubted(Arc<Table>),
    /// What this table is from here on the log does not tell: it has other rows, keys or foreign keys.
    Replaced(Arc<Table>),
    /// Rows changed in a way that the log tells and this version cannot read.
    Unread(Unread),
}

/// What could not be read, as the log has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Unread {
    /// The table as it was at this place in the log.
    pub table: Arc<Table>,
    /// Why, in words; no row values.
    pub why: String,
    /// All that a decoder needs to read it, as frames of a journal entry.
    pub frames: Bytes,
}

/// A row written or removed. Cells stand in the order of `table.columns`.
#[derive(Debug, Clone, PartialEq)]
pub struct RowChange {
    /// The table as it was at this place in the log.
    pub table: Arc<Table>,
    /// What happened.
    pub op: Op,
    /// What the log tells of the row before: `None` when it tells nothing (an insert, or an
    /// update that left the key alone); otherwise cells it does not tell are
    /// [`Cell::Missing`].
    pub old: Option<Row>,
    /// The row afterwards, [`Cell::Missing`] where the log does not carry a cell (unchanged
    /// TOAST, partial row images). `None` for a delete.
    pub new: Option<Row>,
    /// Whether foreign keys may have changed other rows because of it, unseen in the log. False
    /// where the log tells of those rows itself, or where foreign keys were switched off.
    pub cascades: bool,
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// The row is new.
    Insert,
    /// The row was there before, perhaps under another key.
    Update,
    /// The row is gone.
    Delete,
}

impl Op {
    /// One lowercase word, as stored in `changes`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Op::Insert => "insert",
            Op::Update => "update",
            Op::Delete => "delete",
        }
    }
}
