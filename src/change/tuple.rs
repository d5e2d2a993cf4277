//! Rows as bytes: one compact encoding for copied rows in the journal and for keys in the store.
//!
//! A row is `count: u16`, then per cell `n` (NULL), `u` (missing) or `t` + `len: u32` + bytes,
//! all big-endian: the layout of pgoutput's `TupleData`, so that a PostgreSQL log row and a
//! copied row are read by the same function.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::Cell;

/// Appends a row.
///
/// # Panics
/// Never: a source has fewer than 65,536 columns and cells below 4 GiB by its own limits; larger
/// ones saturate and fail to read back.
pub fn write_row(out: &mut BytesMut, cells: &[Cell]) {
    out.put_u16(u16::try_from(cells.len()).unwrap_or(u16::MAX));
    for cell in cells {
        match cell {
            Cell::Missing => out.put_u8(b'u'),
            Cell::Null => out.put_u8(b'n'),
            Cell::Text(bytes) => {
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
            prop_assert_eq!(read_row(&mut input), Some(cells));
            prop_assert!(input.is_empty());
        }

        #[test]
        fn garbage_is_refused_without_a_panic(bytes in vec(any::<u8>(), 0..64)) {
            let _ = read_row(&mut Bytes::from(bytes));
        }
    }
}
