//! Journal entries of our own, and the rows in them.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};

use super::Input;
use crate::change::{Cell, Position, tuple as row};
use crate::source::Chunk;
use crate::source::entry::{Control, decode_chunk, encode_chunk};

/// Rows, one after the other.
pub fn tuple(data: &[u8]) -> bool {
    let mut input = Bytes::copy_from_slice(data);
    let mut written = BytesMut::new();
    while !input.is_empty() {
        let Some(cells) = row::read_row(&mut input) else { return false };
        row::write_row(&mut written, &cells);
        let read = data.len() - input.len();
        assert_eq!(written, data[..read], "a row is written as it was read");
        assert!(cells.iter().filter_map(Cell::bytes).map(<[u8]>::len).sum::<usize>() <= read);
    }
    true
}

/// A chunk of a copy as it lies there (0), or composed of head and rows (1); or a word of our own (2).
pub fn entry(data: &[u8]) -> bool {
    let mut input = Input(data);
    match input.byte() % 3 {
        0 => chunk(Bytes::copy_from_slice(input.0)),
        1 => {
            let head = input.piece();
            let mut bytes = BytesMut::new();
            bytes.put_u32(u32::try_from(head.len()).unwrap());
            bytes.put_slice(head);
            bytes.put_slice(input.0);
            chunk(bytes.freeze())
        }
        _ => {
            let Ok(word) = Control::decode(input.0) else { return false };
            assert_eq!(Control::decode(&word.encode()).unwrap(), word);
            true
        }
    }
}

fn chunk(bytes: Bytes) -> bool {
    let Ok((head, rows)) = decode_chunk(bytes) else { return false };
    let mut written = BytesMut::new();
    rows.iter().for_each(|cells| row::write_row(&mut written, cells));
    let again = Chunk {
        table: Arc::new(head.table.clone()),
        visibility: head.visibility.clone(),
        rows: written.freeze(),
        row_count: 0,
        admit_after: Position::Lsn(0),
        next_after: None,
        piece: head.piece.clone(),
    };
    let again = decode_chunk(Bytes::from(encode_chunk(&again, head.last))).unwrap();
    assert_eq!(again, (head, rows));
    true
}
