//! Doors of the fuzz targets to PostgreSQL's log and copies: see [`crate::fuzzing`].

use bytes::{BufMut, Bytes, BytesMut};

use super::copy_text::CopyText;
use super::relation::Relation;
use super::witness::Witness;
use crate::change::{Cell, Column, Kind, Table, TableName};
use crate::config::SourceKind;
use crate::fuzzing::{Input, decodes_in_pieces, same_again};
use crate::source::frame;

/// The table of composed entries.
const OID: u32 = 16_390;

/// A journal entry as it lies there (0), or one composed of row messages (1).
pub fn pgoutput(data: &[u8]) -> bool {
    let mut input = Input(data);
    let entry = match input.byte() % 2 {
        0 => Bytes::copy_from_slice(input.0),
        _ => composed(&mut input),
    };
    decodes_in_pieces(SourceKind::Postgres, &entry)
}

/// A transaction of inserts (0), updates (1), deletes (2), ends (3), begins (4) and other messages (5), each
/// with what follows the table's number; it is begun, and ended if it is not.
fn composed(input: &mut Input<'_>) -> Bytes {
    let mut entry = BytesMut::new();
    begin(&mut entry);
    let mut is_open = true;
    while !input.is_empty() {
        let tag = match input.byte() % 6 {
            0 => b'I',
            1 => b'U',
            2 => b'D',
            3 => {
                commit(&mut entry);
                is_open = false;
                continue;
            }
            4 => {
                begin(&mut entry);
                is_open = true;
                continue;
            }
            _ => {
                frame::push(&mut entry, input.piece());
                continue;
            }
        };
        let mut message = vec![tag];
        message.put_u32(OID);
        message.put_slice(input.piece());
        frame::push(&mut entry, &message);
    }
    if is_open {
        commit(&mut entry);
    }
    entry.freeze()
}

fn begin(entry: &mut BytesMut) {
    let mut message = vec![b'B'];
    message.put_u64(0x100);
    message.put_i64(1_000_000);
    message.put_u32(7);
    frame::push(entry, &message);
    let mut wide = vec![frame::WIDE_XID];
    wide.put_u64(1 << 32 | 7);
    frame::push(entry, &wide);
    let column = |name: &str, key| Column {
        name: name.to_owned(),
        source_type: "text".to_owned(),
        kind: Kind::Text,
        key,
    };
    let columns = vec![column("id", Some(0)), column("v", None), column("big", None)];
    let name = TableName::new("public", "t");
    let table = Table {
        id: u64::from(OID),
        name,
        columns,
        cascades: Vec::new(),
        left_out: Vec::new(),
        rows: None,
    };
    frame::push(entry, &frame::schema(&table));
}

fn commit(entry: &mut BytesMut) {
    let mut message = vec![b'C', 0];
    message.put_u64(0x100);
    message.put_u64(0x200);
    message.put_i64(1_000_000);
    frame::push(entry, &message);
}

/// The key that the catalog shows, names between zeros, and a message.
pub fn relation(data: &[u8]) -> bool {
    let mut input = Input(data);
    let key: Vec<String> = input
        .piece()
        .split(|byte| *byte == 0)
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    let message = Bytes::copy_from_slice(input.0);
    let Ok(relation) = Relation::parse(&message) else { return false };
    let names: usize = relation.columns.iter().map(|column| column.name.len()).sum();
    // (A byte that is no UTF-8 becomes one of three.)
    assert!(names + 8 * relation.columns.len() <= 3 * message.len());
    let typed: Vec<Column> = relation
        .columns
        .iter()
        .map(|column| Column {
            name: column.name.clone(),
            source_type: String::new(),
            kind: Kind::Text,
            key: None,
        })
        .collect();
    for key in [None, Some(key.as_slice())] {
        let table = relation.table(typed.clone(), key);
        assert_eq!(table.columns.len(), relation.columns.len());
        assert_eq!((table.id, &table.name), (u64::from(relation.oid), &relation.name));
        assert!(table.key().all(|place| place < table.columns.len()));
    }
    true
}

/// The size of the pieces, and the data.
pub fn copy_text(data: &[u8]) -> bool {
    let mut input = Input(data);
    let size = usize::from(input.byte()) + 1;
    let rows = cut(input.0, input.0.len().max(1));
    assert_eq!(cut(input.0, size), rows, "pieces of {size}");
    let again = cut(&written(&rows.0), size);
    assert_eq!(again.0, rows.0, "rows are read as they are written");
    !rows.0.is_empty()
}

fn cut(data: &[u8], size: usize) -> (Vec<Vec<Cell>>, bool) {
    let (mut text, mut rows) = (CopyText::default(), Vec::new());
    for piece in data.chunks(size) {
        text.push(piece);
        while let Some(row) = text.next_row() {
            rows.push(row);
        }
    }
    assert_eq!(text.is_cut_short(), data.last().is_some_and(|byte| *byte != b'\n'));
    (rows, text.is_cut_short())
}

/// As the server writes rows.
fn written(rows: &[Vec<Cell>]) -> Vec<u8> {
    let mut out = Vec::new();
    for row in rows {
        for (place, cell) in row.iter().enumerate() {
            if place > 0 {
                out.push(b'\t');
            }
            let Some(bytes) = cell.bytes() else {
                out.extend_from_slice(b"\\N");
                continue;
            };
            for byte in bytes {
                match byte {
                    b'\n' => out.extend_from_slice(b"\\n"),
                    b'\t' => out.extend_from_slice(b"\\t"),
                    b'\\' => out.extend_from_slice(b"\\\\"),
                    byte => out.push(*byte),
                }
            }
        }
        out.push(b'\n');
    }
    out
}

/// Whether a text is the witness of a position.
pub(crate) fn witness(text: &str) -> bool {
    same_again::<Witness>(text).is_some()
}
