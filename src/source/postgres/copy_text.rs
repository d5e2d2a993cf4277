//! COPY's text format to cells. Pure.
//!
//! COPY is used because it prints values by their output functions, as pgoutput does; a cast to
//! text does not (`true` for `t`).

use bytes::{Bytes, BytesMut};

use crate::change::Cell;

/// Cuts a stream of COPY data, which may break anywhere, into rows.
#[derive(Debug, Default)]
pub(crate) struct CopyText {
    rest: BytesMut,
}

impl CopyText {
    /// Takes in a piece.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
    }

    /// The next whole row. Line breaks within values are escaped, so one ends a row.
    pub(crate) fn next_row(&mut self) -> Option<Vec<Cell>> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let line = self.rest.split_to(end + 1).freeze();
        Some(line.slice(..end).split(|byte| *byte == b'\t').map(cell).collect())
    }

    /// Whether the data ended in mid-row.
    pub(crate) fn is_cut_short(&self) -> bool {
        !self.rest.is_empty()
    }
}

fn cell(field: &[u8]) -> Cell {
    if field == b"\\N" {
        return Cell::Null;
    }
    let mut text = Vec::with_capacity(field.len());
    let mut bytes = field.iter().copied();
    while let Some(byte) = bytes.next() {
        text.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'b') => 0x08,
                Some(b'f') => 0x0c,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 0x0b,
                // The server escapes nothing else but the backslash itself.
                Some(other) => other,
                None => b'\\',
            },
            other => other,
        });
    }
    Cell::Text(Bytes::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_wherever_the_data_breaks() {
        // As documented under COPY, "Text Format".
        let data = b"1\t\\N\t\n\\\\N\ta\\tb\\nc\\\\\t\\b\\f\\v\\r\xe9\n";
        let expected = vec![
            vec![Cell::text("1"), Cell::Null, Cell::text("")],
            vec![
                Cell::text("\\N"),
                Cell::text("a\tb\nc\\"),
                Cell::Text(Bytes::from_static(b"\x08\x0c\x0b\r\xe9")),
            ],
        ];
        for size in 1..=data.len() {
            let mut text = CopyText::default();
            let mut rows = Vec::new();
            for piece in data.chunks(size) {
                text.push(piece);
                while let Some(row) = text.next_row() {
                    rows.push(row);
                }
            }
            assert_eq!(rows, expected, "pieces of {size}");
            assert!(!text.is_cut_short());
        }
    }
}
