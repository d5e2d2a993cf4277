//! Rows as bytes: one compact encoding for copied rows in the journal and for keys in the store.
//!
//! A row is `count: u16`, then per cell `n` (NULL), `u` (missing) or `t` + `len: u32` + bytes,
//! all big-endian: the layout of pgoutput's `TupleData`, so that a PostgreSQL log row and a
//! copied row are read by the same function.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::rows::CellSpan;
use super::{Cell, CellRef};

/// Appends a row.
///
/// # Panics
/// Never: a source has fewer than 65,536 columns and cells below 4 GiB by its own limits; larger
/// ones saturate and fail to read back.
pub fn write_row(out: &mut BytesMut, cells: &[Cell]) {
    write_cells(out, cells.iter().map(Cell::as_ref));
}

/// The same of cells that lie elsewhere.
pub fn write_cells<'a>(out: &mut BytesMut, cells: impl ExactSizeIterator<Item = CellRef<'a>>) {
    out.put_u16(u16::try_from(cells.len()).unwrap_or(u16::MAX));
    for cell in cells {
        match cell {
            CellRef::Missing => out.put_u8(b'u'),
            CellRef::Null => out.put_u8(b'n'),
            CellRef::Text(bytes) => {
                out.put_u8(b't');
                out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                out.put_slice(bytes);
            }
        }
    }
}

/// Takes a row off the front of `input`; `None` if it is cut short or malformed.
pub fn read_row(input: &mut Bytes) -> Option<Vec<Cell>> {
    let count = input.try_get_u16().ok()?;
    // A cell takes a byte at least.
    let mut cells = Vec::with_capacity(usize::from(count).min(input.len()));
    for _ in 0..count {
        cells.push(match input.try_get_u8().ok()? {
            b'n' => Cell::Null,
            b'u' => Cell::Missing,
            b't' => {
                let len = usize::try_from(input.try_get_u32().ok()?).ok()?;
                if input.len() < len {
                    return None;
                }
                Cell::Text(input.split_to(len))
            }
            _ => return None,
        });
    }
    Some(cells)
}

/// Reads a row of `input` from `at` on, and moves `at` behind it: where its cells lie, added to `spans`.
/// `None` if it is cut short or malformed.
pub fn read_spans(input: &[u8], at: &mut usize, spans: &mut Vec<CellSpan>) -> Option<()> {
    let count = u16::from_be_bytes(take(input, at, 2)?.try_into().ok()?);
    for _ in 0..count {
        let span = match take(input, at, 1)? {
            b"n" => CellSpan::Null,
            b"u" => CellSpan::Missing,
            b"t" => {
                let len = u32::from_be_bytes(take(input, at, 4)?.try_into().ok()?);
                let begin = *at;
                take(input, at, usize::try_from(len).ok()?)?;
                CellSpan::Text(begin, *at)
            }
            _ => return None,
        };
        spans.push(span);
    }
    Some(())
}

fn take<'a>(input: &'a [u8], at: &mut usize, len: usize) -> Option<&'a [u8]> {
    let begin = *at;
    *at = begin.checked_add(len)?;
    input.get(begin..*at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn cell() -> impl Strategy<Value = Cell> {
        prop_oneof![
            Just(Cell::Null),
            Just(Cell::Missing),
            vec(any::<u8>(), 0..40).prop_map(|b| Cell::Text(b.into())),
        ]
    }

    proptest! {
        #[test]
        fn rows_survive(cells in proptest::collection::vec(cell(), 0..20)) {
            let mut out = BytesMut::new();
            write_row(&mut out, &cells);
            let mut input = out.freeze();
            let (mut at, mut spans) = (3, Vec::new());
            let shifted = [b"abc", &input[..]].concat();
            prop_assert_eq!(read_spans(&shifted, &mut at, &mut spans), Some(()));
            prop_assert_eq!(at, shifted.len());
            let read = spans.iter().map(|span| span.of(&shifted).unwrap().to_cell());
            prop_assert_eq!(read.collect::<Vec<_>>(), cells.clone());
            prop_assert_eq!(read_row(&mut input), Some(cells));
            prop_assert!(input.is_empty());
        }

        #[test]
        fn garbage_is_refused_without_a_panic(bytes in vec(any::<u8>(), 0..64)) {
            let (mut at, mut spans) = (0, Vec::new());
            let as_spans = read_spans(&bytes, &mut at, &mut spans);
            let as_cells = read_row(&mut Bytes::from(bytes));
            prop_assert_eq!(as_spans.is_some(), as_cells.is_some());
        }
    }
}
