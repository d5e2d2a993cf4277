//! What the journal holds besides frames of a log: chunks of a copy, and words of our own.
//!
//! Written by capture, read by conform; nothing here does I/O.

use std::collections::{BTreeMap, HashMap};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::Chunk;
use crate::change::condition::Condition;
use crate::change::keyless::Piece;
use crate::change::{Cell, Table, TableName, Visibility, tuple};
use crate::error::{Context, Error, ErrorKind, Result};

/// Told by conform: per source and table, the journal entry up to which it looked, and the keys
/// whose rows lacked cells then.
pub type Lacking = HashMap<(String, TableName), (u64, Vec<Vec<Cell>>)>;

/// Told by conform: tables that must be copied again, and are not yet.
#[derive(Debug, Clone, Default)]
pub struct Unproven {
    /// The journal entry up to which it looked.
    pub upto: u64,
    /// By source, tables (as text) of which cells are what nobody has shown: a copy under the mirror shows
    /// them. True for those that must be copied as if for the first time.
    pub tables: BTreeMap<String, BTreeMap<String, bool>>,
}

/// The head of a copy entry; the rows follow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyHeader {
    /// The table as the chunk read it.
    pub table: Table,
    /// What the chunk's snapshot could see.
    pub visibility: Visibility,
    /// True for the last chunk of a table, and for re-reads after it: conform then says which
    /// keys still lack cells.
    pub last: bool,
    /// See [`Chunk::piece`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub piece: Option<Piece>,
}

/// A word of our own in the journal, so that it has its place in the order and is replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// Copies of these tables begin: from here on the log is followed for them.
    CopyBegin {
        /// The tables, with the names of their mirrors.
        tables: Vec<(String, Table)>,
    },
    /// The log of the source begins anew here, at another place: what was between may be lost, and every
    /// table is copied again, with its mirror as it is.
    Anew {
        /// The tables that were being mirrored, as they are now, with the names of their mirrors.
        tables: Vec<(String, Table)>,
    },
    /// This table, which was copied before, is copied again.
    Resync {
        /// The table.
        table: TableName,
        /// Its rows that are; `None`: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        only: Option<Condition>,
    },
    /// The copy of this table, which was copied before, ends here.
    ResyncStop {
        /// The table.
        table: TableName,
    },
    /// The copy of this table has every row and every cell.
    CopyDone {
        /// The table.
        table: TableName,
        /// Its rows that were copied; `None`: all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        only: Option<Condition>,
    },
    /// This table is mirrored no more. The log may still carry changes of it.
    Leave {
        /// The table, as text.
        table: String,
    },
    /// Time passed: what is due at or before this is evaluated again.
    Tick {
        /// Microseconds since 1970-01-01 UTC.
        micros: i64,
    },
    /// From here on another set of mappings is in force.
    Mappings {
        /// Its hash.
        hash: String,
    },
}

impl Control {
    /// As the entry's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Plain data: serialising it cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// From an entry's bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] if the journal is damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes)
            .context(ErrorKind::Ledger, || "a control entry of the journal is damaged".to_owned())
    }
}

/// A chunk as an entry's bytes.
#[must_use]
pub fn encode_chunk(chunk: &Chunk, last: bool) -> Vec<u8> {
    let header = CopyHeader {
        table: chunk.table.as_ref().clone(),
        visibility: chunk.visibility.clone(),
        last,
        piece: chunk.piece.clone(),
    };
    // Plain data: serialising it cannot fail.
    let header = serde_json::to_vec(&header).unwrap_or_default();
    let mut bytes = BytesMut::with_capacity(header.len() + chunk.rows.len() + 4);
    bytes.put_u32(u32::try_from(header.len()).unwrap_or(u32::MAX));
    bytes.put_slice(&header);
    bytes.put_slice(&chunk.rows);
    bytes.to_vec()
}

/// A chunk from an entry's bytes: its head and its rows in the table's column order.
///
/// # Errors
/// [`ErrorKind::Ledger`] if the journal is damaged.
pub fn decode_chunk(mut bytes: Bytes) -> Result<(CopyHeader, Vec<Vec<Cell>>)> {
    let damaged = || Error::new(ErrorKind::Ledger, "a copy entry of the journal is damaged");
    let len = bytes.try_get_u32().map_err(|_| damaged())?;
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if bytes.len() < len {
        return Err(damaged());
    }
    let header: CopyHeader =
        serde_json::from_slice(&bytes.split_to(len)).map_err(|error| damaged().caused_by(error))?;
    let mut rows = Vec::new();
    while !bytes.is_empty() {
        rows.push(tuple::read_row(&mut bytes).ok_or_else(damaged)?);
    }
    Ok((header, rows))
}
