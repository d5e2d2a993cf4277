//! The one lossless value type: a cell as canonical text, NULL, or not known.
//!
//! Copy and log of a source produce the same text for the same value, because both are the
//! server's own output under the session settings pinned by that source (PostgreSQL), or go
//! through one decoder (MariaDB). The store alone turns text into typed columns.
//!
//! Canonical text per [`Kind`](super::Kind): booleans `t`/`f`, bytes `\x` and lowercase hex,
//! dates `YYYY-MM-DD`, timestamps `YYYY-MM-DD HH:MM:SS[.ffffff]`, with `+00` when they carry a
//! zone, numbers as the server prints them, everything else the server's own text.

use bytes::Bytes;

use super::CellRef;

/// One cell of a row.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Cell {
    /// The log did not carry it (unchanged TOAST, partial row image): **not** NULL. Whoever
    /// writes a row fills it from what was there before.
    Missing,
    /// SQL NULL.
    Null,
    /// Canonical text. Bytes, because a source with no declared encoding may send any.
    Text(Bytes),
}

impl Cell {
    /// A text cell, mostly for tests and generated rows.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Cell::Text(Bytes::copy_from_slice(text.as_bytes()))
    }

    /// The cell, to be looked at.
    #[must_use]
    pub fn as_ref(&self) -> CellRef<'_> {
        match self {
            Cell::Missing => CellRef::Missing,
            Cell::Null => CellRef::Null,
            Cell::Text(bytes) => CellRef::Text(bytes),
        }
    }

    /// True if the log did not carry this cell.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Cell::Missing)
    }

    /// The text, `None` for NULL and missing.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Cell::Text(bytes) => Some(bytes),
            Cell::Null | Cell::Missing => None,
        }
    }
}

/// Shows the length only: row values never reach a log, not even through a debug print.
impl std::fmt::Debug for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Cell::Missing => f.write_str("missing"),
            Cell::Null => f.write_str("null"),
            Cell::Text(bytes) => write!(f, "text[{}]", bytes.len()),
        }
    }
}
