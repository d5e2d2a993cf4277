//! The decoder on events made by hand, and on garbage.

use super::*;
use crate::config::SourceKind;
use crate::source::decode::read_again;
use bytes::BufMut;
use proptest::collection::vec;
use proptest::prelude::*;

fn event(number: u8, body: &[u8]) -> Vec<u8> {
    let mut event = vec![frame::BINLOG_EVENT, 0, 0, 0, 0, number, 1, 0, 0, 0];
    event.extend([0; 10]);
    event.extend(body);
    event
}

fn entry(frames: &[Vec<u8>]) -> Bytes {
    let mut entry = BytesMut::new();
    for each in frames {
        frame::push(&mut entry, each);
    }
    entry.freeze()
}

fn gtid(flags: u8, xid: &[u8]) -> Vec<u8> {
    let mut body = BytesMut::new();
    body.put_u64_le(42);
    body.put_u32_le(7);
    body.put_u8(flags);
    body.put_slice(xid);
    event(kind::GTID, &body)
}

/// A table map of `hr.t (id int, at datetime(6), n decimal(5,2))` with all names.
fn table_map() -> Vec<u8> {
    let mut body = vec![9, 0, 0, 0, 0, 0, 1, 0, 2, b'h', b'r', 0, 1, b't', 0, 3, 3, 18, 246];
    body.extend([3, 6, 5, 2, 6, 1, 1, 0, 4, 8, 2, b'i', b'd', 2, b'a', b't', 1, b'n']);
    body.extend([8, 1, 0]);
    body
}

fn schema() -> Vec<u8> {
    let log = table_map::parse(&table_map(), Dialect::Mariadb).unwrap();
    let name = TableName::new("hr", "t");
    let known = Table {
        id: 1,
        name,
        columns: Vec::new(),
        cascades: Vec::new(),
        left_out: Vec::new(),
        rows: None,
    };
    frame::schema(&table_map::merge(&log, &known).unwrap()).to_vec()
}

#[test]
fn a_group_without_an_end_is_dropped_when_the_next_begins() {
    let row = [9, 0, 0, 0, 0, 0, 1, 0, 3, 1, 0, 5, 0, 0, 0];
    let group = [gtid(0, &[]), schema(), event(kind::TABLE_MAP, &table_map()), event(23, &row)];
    let mut decoder = BinlogDecoder::new(Tables::new(), Dialect::Mariadb);
    assert_eq!(decoder.feed(entry(&group)).unwrap(), []);
    let position = [&b"p"[..], b"gtid:7-1-42"].concat();
    let end = [position, event(kind::XID, &[0; 8])];
    let whole = decoder.feed(entry(&[&group[..], &end].concat())).unwrap();
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0].changes.len(), 1);
    assert_eq!(whole[0].position.to_string(), "gtid:7-1-42");
    assert_eq!(whole[0].id.to_string(), "gtid:7-1-42");
}

fn query(text: &str) -> Vec<u8> {
    let head = [0; 13];
    event(kind::QUERY, &[&head[..], &[0], text.as_bytes()].concat())
}

#[test]
fn a_group_can_be_taken_in_slices() {
    let row = |id| event(23, &[9, 0, 0, 0, 0, 0, 1, 0, 3, 1, 0, id, 0, 0, 0]);
    let begin = [gtid(0, &[]), schema(), event(kind::TABLE_MAP, &table_map()), row(1)];
    let mut decoder = BinlogDecoder::new(Tables::new(), Dialect::Mariadb);
    assert!(decoder.take_open().is_none());
    assert_eq!(decoder.feed(entry(&begin)).unwrap(), []);
    let first = decoder.take_open().unwrap();
    decoder.feed(entry(&[row(2), row(3)])).unwrap();
    let second = decoder.take_open().unwrap();
    let rest = decoder.feed(entry(&[row(4), event(kind::XID, &[0; 8])])).unwrap();
    let slices = [&first, &second, &rest[0]];
    assert_eq!(slices.map(|slice| slice.changes.len()), [1, 2, 1]);
    assert!(slices.iter().all(|slice| slice.id == first.id));
    assert!(slices.iter().all(|slice| slice.committed_at_micros == 0));
}

#[test]
fn a_group_that_takes_something_back_is_not_sliced() {
    let xid = [1, 0, 0, 0, 1, 1, 1, 1];
    let judged = |frames: &[Vec<u8>]| is_divisible(&entry(frames));
    assert!(judged(&[gtid(0, &[]), schema(), query("SAVEPOINT `a`"), query("COMMIT")]));
    assert!(!judged(&[schema(), query("ROLLBACK TO `a`")]));
    assert!(!judged(&[query("ROLLBACK")]));
    assert!(!judged(&[gtid(64, &xid)]), "prepared");
    assert!(judged(&[gtid(128, &xid)]), "committed");
    assert!(judged(&[event(kind::QUERY, &[1]), vec![9], vec![]]), "unreadable");
}

#[test]
fn rows_without_their_table_are_an_error_that_names_the_place() {
    let row = [9, 0, 0, 0, 0, 0, 1, 0, 3, 1, 0, 5, 0, 0, 0];
    let mut decoder = BinlogDecoder::new(Tables::new(), Dialect::Mariadb);
    let error = decoder.feed(entry(&[gtid(0, &[]), event(23, &row)])).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Decode);
    assert!(error.chain().contains("gtid:7-1-42"), "{}", error.chain());
    let short = [schema(), gtid(0, &[]), event(kind::TABLE_MAP, &table_map())];
    let cut = event(23, row.get(..13).unwrap());
    let mut decoder = BinlogDecoder::new(Tables::new(), Dialect::Mariadb);
    decoder.feed(entry(&[&short[..], &[cut]].concat())).unwrap();
}

#[test]
fn rows_that_cannot_be_read_are_set_aside_and_the_others_are_read() {
    let row = |id| event(23, &[9, 0, 0, 0, 0, 0, 1, 0, 3, 1, 0, id, 0, 0, 0]);
    // The second of its rows is cut.
    let cut = event(23, &[9, 0, 0, 0, 0, 0, 1, 0, 3, 1, 0, 7, 0, 0, 0, 0, 8, 0]);
    let group = [
        gtid(0, &[]),
        schema(),
        event(kind::TABLE_MAP, &table_map()),
        row(1),
        cut.clone(),
        row(2),
        event(kind::XID, &[0; 8]),
    ];
    let whole = BinlogDecoder::new(Tables::new(), Dialect::Mariadb).feed(entry(&group)).unwrap();
    let [Change::Row(_), Change::Unread(unread), Change::Row(_)] = &whole[0].changes[..] else {
        panic!("{:?}", whole[0].changes)
    };
    assert_eq!(unread.table.name.name, "t");
    assert!(unread.frames.ends_with(&cut), "byte for byte");
    // A version that can read the frames reads them so; this one still cannot.
    let again = read_again(SourceKind::Mariadb, unread.frames.clone()).unwrap();
    assert_eq!(again, [Change::Unread(unread.clone())]);
    let good = [schema(), event(kind::TABLE_MAP, &table_map()), row(1)];
    let again = read_again(SourceKind::Mariadb, entry(&good)).unwrap();
    assert_eq!(again, whole[0].changes[..1]);
}

proptest! {
    #[test]
    fn garbage_is_refused_without_a_panic(
        frames in vec((any::<u8>(), vec(any::<u8>(), 0..80)), 1..6),
        flags in any::<u8>(),
    ) {
        let mut all = vec![gtid(flags, &[1, 0, 0, 0, 1, 1, 1, 1]), schema()];
        all.extend(frames.iter().map(|(number, body)| event(*number, body)));
        BinlogDecoder::new(Tables::new(), Dialect::Mariadb).feed(entry(&all)).ok();
    }

    #[test]
    fn damaged_tables_and_rows_are_refused_without_a_panic(
        place in 0_usize..60,
        byte in any::<u8>(),
        kinds in 23_u8..32,
        row in vec(any::<u8>(), 0..60),
    ) {
        let mut map = table_map();
        let length = map.len();
        map[place % length] = byte;
        let rows = [&[9, 0, 0, 0, 0, 0, 1, 0, 3, 7, 7][..], &row].concat();
        let all =
            [schema(), gtid(0, &[]), event(kind::TABLE_MAP, &map), event(kinds, &rows)];
        BinlogDecoder::new(Tables::new(), Dialect::Mariadb).feed(entry(&all)).ok();
    }
}
