//! Journal entries to transactions: pure, one decoder per source, fed in journal order.
//!
//! A decoder knows the tables from the schema history as of its first entry and from the schema
//! frames it meets; it never asks a server.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::conditions;
use super::mysql::dialect::Dialect;
use super::mysql::{self, binlog::BinlogDecoder};
use super::postgres::pgoutput::PgoutputDecoder;
use crate::change::{Change, Table, Transaction};
use crate::config::SourceKind;
use crate::error::Result;

/// Tables by the number under which the log names them.
pub type Tables = HashMap<u64, Arc<Table>>;

/// Said of rows that could not be read, of a table of which columns or rows are left out.
pub(super) const NOT_KEPT: &str =
    "; its bytes are not kept, because `columns` or `rows` leaves some out";

/// Whether a transaction that has this entry among its parts may be conformed in slices: not if
/// something in the entry takes back what came before it, or leaves it open.
#[must_use]
pub fn is_divisible(kind: SourceKind, entry: &Bytes) -> bool {
    match kind {
        // Sent at their commit, without what was rolled back.
        SourceKind::Postgres => true,
        SourceKind::Mariadb | SourceKind::Mysql => mysql::binlog::is_divisible(entry),
    }
}

/// Reads what an earlier version could not ([`Unread`](crate::change::Unread)): its changes, among
/// which it is again if this one cannot either.
///
/// # Errors
/// [`ErrorKind::Decode`](crate::error::ErrorKind::Decode) if the frames are no such thing.
pub fn read_again(kind: SourceKind, frames: Bytes) -> Result<Vec<Change>> {
    let mut decoder = match kind {
        SourceKind::Postgres => Decoder::Pgoutput(PgoutputDecoder::within_a_transaction()),
        SourceKind::Mariadb | SourceKind::Mysql => {
            Decoder::Binlog(BinlogDecoder::within_a_transaction(Dialect::of(kind)))
        }
    };
    decoder.feed(frames)?;
    Ok(decoder.take_open().map(|open| open.changes).unwrap_or_default())
}

/// Decodes the log of one source.
#[derive(Debug)]
pub enum Decoder {
    /// PostgreSQL's pgoutput, protocol version 1.
    Pgoutput(PgoutputDecoder),
    /// MariaDB's binlog, or MySQL's.
    Binlog(BinlogDecoder),
}

impl Decoder {
    /// A decoder that starts with the tables the schema history knows.
    #[must_use]
    pub fn new(kind: SourceKind, tables: Tables) -> Self {
        match kind {
            SourceKind::Postgres => Decoder::Pgoutput(PgoutputDecoder::new(tables)),
            SourceKind::Mariadb | SourceKind::Mysql => {
                Decoder::Binlog(BinlogDecoder::new(tables, Dialect::of(kind)))
            }
        }
    }

    /// For whoever asks only which transactions there are, and in which order: one that was prepared before
    /// the first entry has no changes, and is no gap.
    #[must_use]
    pub fn of_order(self) -> Self {
        match self {
            Decoder::Binlog(decoder) => Decoder::Binlog(decoder.of_order()),
            other => other,
        }
    }

    /// Feeds the frames of one journal entry and returns the transactions that became whole.
    /// A transaction spread over entries comes out with its last one.
    ///
    /// # Errors
    /// [`ErrorKind::Decode`](crate::error::ErrorKind::Decode) if a frame is malformed or names
    /// a table the history does not know.
    pub fn feed(&mut self, entry: Bytes) -> Result<Vec<Transaction>> {
        let mut transactions = match self {
            Decoder::Pgoutput(decoder) => decoder.feed(entry),
            Decoder::Binlog(decoder) => decoder.feed(entry),
        }?;
        for transaction in &mut transactions {
            conditions::choose(&mut transaction.changes, self.is_there());
        }
        Ok(transactions)
    }

    /// Takes out the changes so far of the transaction whose end was not fed yet, as one of their
    /// own: of a large transaction that comes in slices. `None` if none is open.
    pub fn take_open(&mut self) -> Option<Transaction> {
        let mut open = match self {
            Decoder::Pgoutput(decoder) => decoder.take_open(),
            Decoder::Binlog(decoder) => decoder.take_open(),
        }?;
        conditions::choose(&mut open.changes, self.is_there());
        Some(open)
    }

    /// See [`conditions::choose`].
    fn is_there(&self) -> bool {
        matches!(self, Decoder::Pgoutput(_))
    }

    /// The XA transactions that were prepared in what was fed, and neither committed nor rolled
    /// back. (PostgreSQL sends a prepared transaction with its commit.)
    pub fn prepared(&self) -> Box<dyn Iterator<Item = &Bytes> + '_> {
        match self {
            Decoder::Pgoutput(_) => Box::new(std::iter::empty()),
            Decoder::Binlog(decoder) => Box::new(decoder.prepared()),
        }
    }

    /// Takes over a prepared XA transaction from a decoder that was fed with its rows. False if
    /// that has none of this identity.
    pub fn adopt(&mut self, other: &mut Decoder, xid: &Bytes) -> bool {
        match (self, other) {
            (Decoder::Binlog(decoder), Decoder::Binlog(other)) => decoder.adopt(other, xid),
            _ => false,
        }
    }
}
