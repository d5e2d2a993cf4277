//! Tables without a key: a row of one is known by what it holds, and by which of its equals it is.
//!
//! Two columns of ours are the key of such a table. No source sends them: decoders and copies leave their
//! cells missing, and the store, which alone knows how many equals there are, puts them in.

use std::fmt::Write;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::schema::{Column, Kind, Table};
use super::{Cell, Cells, tuple};

/// Names of the columns that are the key: a hash of what the row holds, and 1, 2, … among equals.
pub const OWN_NAMES: [&str; 2] = ["_row", "_nth"];
/// What stands in place of a source's type: no source spells one so.
const OWN_TYPE: &str = "trueup's own";

/// What a row holds: its cells, encoded as by [`tuple::write_row`].
pub type Content = Bytes;

/// Where a chunk stands in the copy of a table without a key. All of them come from one snapshot, and mean
/// nothing but together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Which reading of the table; each has a name of its own.
    pub scan: String,
    /// 0 is the first.
    pub number: u64,
}

impl Piece {
    /// What the one before it leaves as the place to go on at. No key looks so: a cell of it is NULL.
    #[must_use]
    pub fn place(number: u64) -> Vec<Cell> {
        vec![Cell::Null, Cell::text(&number.to_string())]
    }

    /// Whether a place to go on at is one between two pieces.
    #[must_use]
    pub fn is_place(after: &[Cell]) -> bool {
        matches!(after, [Cell::Null, _])
    }
}

impl Table {
    /// Whether rows are told apart by what they hold.
    #[must_use]
    pub fn is_keyless(&self) -> bool {
        self.columns.last().is_some_and(is_own)
    }

    /// How many of its columns the source sends.
    #[must_use]
    pub fn sent_count(&self) -> usize {
        self.columns.len() - self.columns.iter().filter(|column| is_own(column)).count()
    }

    /// The same table with a key of our own.
    #[must_use]
    pub fn with_own_key(mut self) -> Self {
        let kinds = [Kind::Uuid, Kind::Int { bytes: 8 }];
        for (rank, (name, kind)) in (0..).zip(OWN_NAMES.iter().zip(kinds)) {
            let (name, source_type) = ((*name).to_owned(), OWN_TYPE.to_owned());
            self.columns.push(Column { name, source_type, kind, key: Some(rank) });
        }
        self
    }
}

/// Whether a column is one that no source has.
#[must_use]
pub fn is_own(column: &Column) -> bool {
    column.source_type == OWN_TYPE && column.key.is_some()
}

/// A row as the source sent it, with our columns missing.
pub fn fill_up(table: &Table, row: &mut Vec<Cell>) {
    row.resize(row.len().max(table.columns.len()), Cell::Missing);
}

/// What a row of `table` holds; `None` if one of its cells is missing.
#[must_use]
pub fn content_of(table: &Table, row: &(impl Cells + ?Sized)) -> Option<Content> {
    let mut sent = Vec::with_capacity(table.sent_count());
    for place in 0..table.sent_count() {
        sent.push(row.cell(place).filter(|cell| !cell.is_missing())?);
    }
    let mut bytes = BytesMut::new();
    tuple::write_cells(&mut bytes, sent.into_iter());
    Some(bytes.freeze())
}

/// The row of this content that is the `nth` among its equals; `None` if the content does not decode.
#[must_use]
pub fn row_of(content: &Content, hash: &str, nth: u64) -> Option<Vec<Cell>> {
    let mut cells = tuple::read_row(&mut content.clone())?;
    cells.extend([Cell::text(hash), Cell::text(&nth.to_string())]);
    Some(cells)
}

/// The hash of a content, spelled as a UUID: half of a SHA-256, for which nobody can make two contents.
#[must_use]
pub fn hash_of(content: &Content) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in Sha256::digest(content).iter().take(16).enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a String cannot fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::TableName;

    #[test]
    fn a_content_has_one_name_and_null_is_not_the_empty_text() {
        let column = Column {
            name: "a".to_owned(),
            source_type: "text".to_owned(),
            kind: Kind::Text,
            key: None,
        };
        let name = TableName::new("public", "log");
        let (columns, cascades, left_out) = (vec![column], Vec::new(), Vec::new());
        let table = Table { id: 1, name, columns, cascades, left_out, rows: None }.with_own_key();
        assert!(table.is_keyless());
        assert_eq!(table.sent_count(), 1);
        assert_eq!(table.key().collect::<Vec<_>>(), [1, 2]);
        let content = |cell: Cell| {
            let mut row = vec![cell];
            fill_up(&table, &mut row);
            content_of(&table, &row)
        };
        // `printf '\0\1t\0\0\0\1x' | sha256sum`
        let hash = hash_of(&content(Cell::text("x")).unwrap());
        assert_eq!(hash, "8dbdd452-e25a-8187-00a3-5a092b936a91");
        let (null, empty) = (content(Cell::Null).unwrap(), content(Cell::text("")).unwrap());
        assert_ne!(hash_of(&null), hash_of(&empty));
        assert_eq!(content(Cell::Missing), None);
        let row = row_of(&empty, "h", 3).unwrap();
        assert_eq!(row, [Cell::text(""), Cell::text("h"), Cell::text("3")]);
    }
}
