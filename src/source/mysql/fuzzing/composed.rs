//! Journal entries of a log, composed of rows and statements of one table: what any bytes would hardly hit.

use bytes::{BufMut, Bytes, BytesMut};

use crate::change::{Table, TableName};
use crate::fuzzing::Input;
use crate::source::frame;
use crate::source::mysql::dialect::Dialect;
use crate::source::mysql::event::kind;
use crate::source::mysql::table_map;

const UUID: [u8; 16] = [0x3e; 16];

/// An entry as it lies there (0), or composed (1): the flags of its GTIDs, then rows that are written,
/// updated and deleted (0), statements (1), other events (2), ends (3), begins (4) and any frames (5). A group
/// is begun, and ended if it is not.
pub(super) fn entry(dialect: Dialect, data: &[u8]) -> Bytes {
    let mut input = Input(data);
    if input.byte() % 2 == 0 {
        return Bytes::copy_from_slice(input.0);
    }
    let flags = input.byte();
    let mut entry = Entry { dialect, flags, frames: BytesMut::new() };
    entry.begin();
    let mut is_open = true;
    while !input.is_empty() {
        match input.byte() % 6 {
            0 => entry.rows(input.byte() % 3, input.piece()),
            1 => entry.query(input.piece()),
            2 => entry.event(input.byte(), input.piece()),
            3 => {
                entry.end();
                is_open = false;
            }
            4 => {
                entry.begin();
                is_open = true;
            }
            _ => frame::push(&mut entry.frames, input.piece()),
        }
    }
    if is_open {
        entry.end();
    }
    entry.frames.freeze()
}

struct Entry {
    dialect: Dialect,
    flags: u8,
    frames: BytesMut,
}

impl Entry {
    fn event(&mut self, number: u8, body: &[u8]) {
        let mut event = vec![frame::BINLOG_EVENT, 1, 0, 0, 0, number, 1, 0, 0, 0];
        event.extend([0; 10]);
        event.extend(body);
        frame::push(&mut self.frames, &event);
    }

    fn begin(&mut self) {
        let mut body = Vec::new();
        let number = match self.dialect {
            Dialect::Mariadb => {
                body.put_u64_le(42);
                body.put_u32_le(7);
                body.put_u8(self.flags);
                if self.flags & 2 != 0 {
                    body.put_u64_le(1);
                }
                // The identity of an XA transaction, for those flags that announce one.
                body.put_slice(&[1, 0, 0, 0, 1, 1, b'g', b'b']);
                kind::GTID
            }
            Dialect::Mysql => {
                body.put_u8(self.flags);
                body.put_slice(&UUID);
                body.put_u64_le(42);
                kind::GTID_OF_MYSQL
            }
        };
        self.event(number, &body);
        let map = table_map();
        let log = table_map::parse(&map, self.dialect).unwrap();
        let name = TableName::new("hr", "t");
        let known = Table {
            id: 1,
            name,
            columns: Vec::new(),
            cascades: Vec::new(),
            left_out: Vec::new(),
            rows: None,
        };
        let schema = frame::schema(&table_map::merge(&log, &known).unwrap());
        frame::push(&mut self.frames, &schema);
        self.event(kind::TABLE_MAP, &map);
    }

    fn rows(&mut self, what: u8, images: &[u8]) {
        let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0];
        let first = match self.dialect {
            Dialect::Mariadb => 23,
            Dialect::Mysql => {
                // How much of a longer header follows: itself.
                body.put_slice(&[2, 0]);
                30
            }
        };
        body.put_u8(3);
        let is_update = what == 1;
        (0..=u8::from(is_update)).for_each(|_| body.put_u8(7));
        body.put_slice(images);
        self.event(first + what, &body);
    }

    fn query(&mut self, text: &[u8]) {
        let mut body = vec![0; 8];
        body.put_slice(&[2, 0, 0, 0, 0]);
        body.put_slice(b"hr\0");
        body.put_slice(text);
        self.event(kind::QUERY, &body);
    }

    fn end(&mut self) {
        let position = match self.dialect {
            Dialect::Mariadb => "gtid:7-1-42".to_owned(),
            Dialect::Mysql => format!("gtids:{}:1-42", uuid::Uuid::from_bytes(UUID)),
        };
        frame::push(&mut self.frames, &[&[frame::POSITION], position.as_bytes()].concat());
        self.event(kind::XID, &[0; 8]);
    }
}

/// `hr.t (id varchar(200), v varchar(200), b varchar(200), primary key (id))` with all names.
fn table_map() -> Vec<u8> {
    let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0, 2, b'h', b'r', 0, 1, b't', 0];
    body.extend([3, 15, 15, 15, 6, 200, 0, 200, 0, 200, 0, 6]);
    // utf8mb4_general_ci, names, key.
    body.extend([2, 1, 45, 4, 7, 2, b'i', b'd', 1, b'v', 1, b'b', 8, 1, 0]);
    body
}
