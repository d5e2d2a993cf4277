//! How frames lie in a journal entry: `len: u32` big-endian, then the frame's bytes, repeated.
//!
//! The first byte of a frame says what it is; capture never looks at it.
//!
//! | first byte | source | the rest |
//! |---|---|---|
//! | `B` `C` `I` `U` `D` `T` `R` `Y` `O` `M` | PostgreSQL | a pgoutput message, byte for byte |
//! | `x` | PostgreSQL | the 64-bit transaction id of the Begin before it, big-endian |
//! | `s` | any | a [`Table`](crate::change::Table) as JSON: the schema from here on |
//! | `e` | MariaDB | a binlog event, as the server sent it, its checksum verified and left out |
//! | `p` | MariaDB | the position after the group in flight, as text, before its last event |
//! | `b` | MySQL without GTIDs | where the group begins, as a position's text, before its first event |
//!
//! (A binlog event names only its own replication domain: hence `p`. It does not name its file: hence `b`.)

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::change::Table;

/// First byte of a schema frame.
pub const SCHEMA: u8 = b's';
/// First byte of the frame that widens a PostgreSQL transaction id.
pub const WIDE_XID: u8 = b'x';
/// First byte of a binlog event frame.
pub const BINLOG_EVENT: u8 = b'e';
/// First byte of the frame that says which position the group in flight will end at.
pub const POSITION: u8 = b'p';
/// First byte of the frame that says where a group begins that has no number.
pub const BEGINNING: u8 = b'b';

/// Appends a frame to an entry.
pub fn push(entry: &mut BytesMut, frame: &[u8]) {
    entry.put_u32(u32::try_from(frame.len()).unwrap_or(u32::MAX));
    entry.put_slice(frame);
}

/// Takes the next frame off an entry; `None` at its end, `Some(None)` if it is cut short.
pub fn next(entry: &mut Bytes) -> Option<Option<Bytes>> {
    if entry.is_empty() {
        return None;
    }
    let Ok(len) = entry.try_get_u32() else { return Some(None) };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    if entry.len() < len {
        return Some(None);
    }
    Some(Some(entry.split_to(len)))
}

/// The frame that carries a schema.
#[must_use]
pub fn schema(table: &Table) -> Bytes {
    let mut frame = vec![SCHEMA];
    // A table is plain data: serialising it cannot fail.
    serde_json::to_writer(&mut frame, table).unwrap_or_default();
    Bytes::from(frame)
}
