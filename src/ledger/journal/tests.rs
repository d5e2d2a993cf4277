//! The journal through crashes, large transactions and segment borders.

use super::*;
use crate::change::{Column, Kind, TableName};
use crate::ledger::segment::{CopyState, EntryKind};

const TINY_SEGMENT: u64 = 2_000;

fn lsn(n: u64) -> Reached {
    Position::Lsn(n).into()
}

fn table(id: u64, columns: &[&str]) -> Arc<Table> {
    let column = |name: &&str| Column {
        name: (*name).to_owned(),
        source_type: "text".to_owned(),
        kind: Kind::Text,
        key: None,
    };
    Arc::new(Table {
        id,
        name: TableName::new("public", "t"),
        columns: columns.iter().map(column).collect(),
        cascades: Vec::new(),
    })
}

fn whole<'a>(source: &'a str, reached: &'a Reached, bytes: &'a [u8]) -> NewEntry<'a> {
    NewEntry {
        source,
        kind: EntryKind::Log,
        first: None,
        ends: true,
        reached: Some(reached),
        schemas: &[],
        copies: &[],
        bytes,
    }
}

fn bare<'a>(kind: EntryKind, bytes: &'a [u8]) -> NewEntry<'a> {
    NewEntry {
        source: "erp",
        kind,
        first: None,
        ends: true,
        reached: None,
        schemas: &[],
        copies: &[],
        bytes,
    }
}

fn part(first: Option<u64>, bytes: &[u8]) -> NewEntry<'_> {
    NewEntry { first, ends: false, ..bare(EntryKind::Log, bytes) }
}

fn bytes_of(run: &Run) -> Vec<Vec<Vec<u8>>> {
    run.transactions
        .iter()
        .map(|parts| parts.iter().map(|part| part.bytes.to_vec()).collect())
        .collect()
}

#[test]
fn entries_come_back_in_order_over_segments() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
    for n in 1..=40_u64 {
        let body = vec![u8::try_from(n).unwrap(); 200];
        assert_eq!(journal.append(&whole("erp", &lsn(n), &body)).unwrap(), n);
    }
    assert!(segment_paths(folder.path()).unwrap().len() > 3, "segments must have rolled");
    let mut reader = journal.reader();
    let run = reader.read(0, u64::MAX, usize::MAX).unwrap();
    assert_eq!(run.upto, 40);
    let firsts: Vec<u8> = run.transactions.iter().map(|parts| parts[0].bytes[0]).collect();
    assert_eq!(firsts, (1..=40).collect::<Vec<u8>>());
    let some = reader.read(10, 20, usize::MAX).unwrap();
    assert_eq!((some.transactions.len(), some.upto), (10, 20));
    let bounded = reader.read(0, u64::MAX, 1_000).unwrap();
    assert!(bounded.transactions.len() <= 6 && !bounded.transactions.is_empty());
}

#[test]
fn a_large_transaction_is_read_whole_even_with_others_between_and_over_segments() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
    let body = vec![b'x'; 900];
    let first = journal.append(&part(None, b"a")).unwrap();
    journal.append(&whole("hr", &lsn(5), &body)).unwrap();
    journal.append(&part(Some(first), b"b")).unwrap();
    for n in 6..10 {
        journal.append(&whole("hr", &lsn(n), &body)).unwrap();
    }
    // GIVEN a transaction that is not whole yet, readers pass it by
    let run = journal.reader().read(0, u64::MAX, usize::MAX).unwrap();
    assert_eq!(run.transactions.len(), 5);
    let last = lsn(77);
    let end = NewEntry { first: Some(first), ..whole("erp", &last, b"c") };
    let seq = journal.append(&end).unwrap();
    // THEN it comes out at its end, all parts in order
    let run = journal.reader().read(seq - 1, u64::MAX, usize::MAX).unwrap();
    assert_eq!(bytes_of(&run), vec![vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]]);
}

#[test]
fn a_transaction_without_an_end_is_dropped_after_a_crash_and_a_whole_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let body = vec![b'x'; 900];
    {
        let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
        // A whole transaction over several segments, then one without an end over several.
        let first = journal.append(&part(None, &body)).unwrap();
        journal.append(&part(Some(first), &body)).unwrap();
        journal.append(&part(Some(first), &body)).unwrap();
        let position = lsn(10);
        journal.append(&NewEntry { first: Some(first), ..whole("erp", &position, &body) }).unwrap();
        let brings = [table(1, &["new"])];
        let open = NewEntry { schemas: &brings, ..part(None, &body) };
        let tail = journal.append(&open).unwrap();
        journal.append(&part(Some(tail), &body)).unwrap();
        journal.append(&whole("hr", &lsn(3), &body)).unwrap();
        journal.append(&part(Some(tail), &body)).unwrap();
    }
    let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
    let run = journal.reader().read(0, u64::MAX, usize::MAX).unwrap();
    let shapes: Vec<(&str, usize)> =
        run.transactions.iter().map(|parts| (parts[0].source.as_str(), parts.len())).collect();
    assert_eq!(shapes, vec![("erp", 4), ("hr", 1)]);
    assert_eq!(journal.position("erp").unwrap(), Some(lsn(10).position));
    let next = journal.append(&whole("erp", &lsn(11), b"again")).unwrap();
    assert!(next > run.upto, "a durable sequence is not used twice");
    assert!(journal.reader().tables_before("erp", next).unwrap().is_empty());
}

#[test]
fn a_batch_never_ends_among_the_parts_of_a_transaction_that_a_crash_can_drop() {
    let folder = tempfile::tempdir().unwrap();
    let border = {
        // GIVEN a whole transaction, and the first parts of a large one
        let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
        let seq = journal.append(&whole("erp", &lsn(1), b"a")).unwrap();
        let first = journal.append(&part(None, b"b")).unwrap();
        journal.append(&part(Some(first), b"c")).unwrap();
        // WHEN a batch is made of what is there
        let mut reader = journal.reader();
        let run = reader.read(0, u64::MAX, usize::MAX).unwrap();
        assert_eq!((run.transactions.len(), run.upto), (1, seq));
        assert_eq!(journal.last_whole().unwrap(), seq);
        // and nothing more comes of the parts alone, however often they are looked at
        for _ in 0..2 {
            let more = reader.read(run.upto, u64::MAX, usize::MAX).unwrap();
            assert_eq!((more.transactions.len(), more.upto), (0, seq));
        }
        run.upto
    };
    // THEN its border is found again after a crash
    let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
    assert_eq!(journal.last_whole().unwrap(), border);
    let run = journal.reader().read(0, border, usize::MAX).unwrap();
    assert_eq!((run.transactions.len(), run.upto), (1, border));
}

#[test]
fn parts_that_were_looked_at_come_out_whole_with_their_end() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
    let mut reader = journal.reader();
    let first = journal.append(&part(None, b"a")).unwrap();
    assert!(reader.read(0, u64::MAX, usize::MAX).unwrap().transactions.is_empty());
    journal.append(&part(Some(first), b"b")).unwrap();
    assert!(reader.read(0, u64::MAX, usize::MAX).unwrap().transactions.is_empty());
    let last = lsn(9);
    journal.append(&NewEntry { first: Some(first), ..whole("erp", &last, b"c") }).unwrap();
    let run = reader.read(0, u64::MAX, usize::MAX).unwrap();
    assert_eq!(bytes_of(&run), vec![vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()]]);
}

#[test]
fn sequences_never_fall_below_the_name_of_the_segment_they_go_into() {
    let folder = tempfile::tempdir().unwrap();
    let body = vec![b'x'; 900];
    {
        let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
        let first = journal.append(&part(None, &body)).unwrap();
        for _ in 0..8 {
            journal.append(&part(Some(first), &body)).unwrap();
        }
    }
    // GIVEN a tail over several segments, dropped, and a second start without anything new
    drop(Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap());
    let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
    let first = journal.append(&part(None, &body)).unwrap();
    journal.append(&part(Some(first), &body)).unwrap();
    let position = lsn(10);
    let end = NewEntry { first: Some(first), ..whole("erp", &position, &body) };
    journal.append(&end).unwrap();
    // THEN the transaction that comes next is read whole
    let run = journal.reader().read(0, u64::MAX, usize::MAX).unwrap();
    assert_eq!(run.transactions.iter().map(Vec::len).collect::<Vec<_>>(), vec![3]);
}

#[test]
fn schemas_positions_and_copies_survive_segments_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let body = vec![b'x'; 900];
    {
        let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
        let one = [table(1, &["a"])];
        journal.append(&NewEntry { schemas: &one, ..whole("erp", &lsn(1), &body) }).unwrap();
        let two = [table(1, &["a", "b"])];
        journal.append(&NewEntry { schemas: &two, ..whole("erp", &lsn(2), &body) }).unwrap();
        let copy = [CopyProgress {
            table: "public.t".to_owned(),
            state: CopyState::Copying,
            next_after: Some(vec![1, 2]),
            row_count: 3,
        }];
        let chunk = NewEntry { copies: &copy, ..bare(EntryKind::Copy, b"rows") };
        journal.append(&chunk).unwrap();
        for n in 3..9 {
            journal.append(&whole("erp", &lsn(n), &body)).unwrap();
        }
        journal.record_position("erp", &lsn(99)).unwrap();
    }
    let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
    assert_eq!(journal.position("erp").unwrap(), Some(lsn(99).position));
    assert_eq!(journal.position("hr").unwrap(), None);
    assert_eq!(journal.copies("erp").unwrap()[0].next_after, Some(vec![1, 2]));
    let mut reader = journal.reader();
    let columns = |tables: Vec<Arc<Table>>| tables.last().map(|table| table.columns.len());
    assert_eq!(columns(reader.tables_before("erp", 1).unwrap()), None);
    assert_eq!(columns(reader.tables_before("erp", 2).unwrap()), Some(1));
    assert_eq!(columns(reader.tables_before("erp", 9).unwrap()), Some(2));
}

#[test]
fn old_segments_go_and_what_later_ones_need_stays() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
    let schema = [table(1, &["a"])];
    journal.append(&NewEntry { schemas: &schema, ..whole("erp", &lsn(1), &[0; 900]) }).unwrap();
    for n in 2..20 {
        journal.append(&whole("erp", &lsn(n), &[0; 900])).unwrap();
    }
    let hour = Duration::from_secs(3600);
    assert_eq!(journal.discard(10, hour, u64::MAX).unwrap(), 0, "younger than kept");
    let bytes = journal.bytes();
    assert_eq!(journal.discard(10, hour, bytes - 1).unwrap(), 1, "one is enough to make room");
    assert!(journal.bytes() < bytes);
    assert!(journal.discard(10, Duration::ZERO, u64::MAX).unwrap() > 0);
    let mut reader = journal.reader();
    let run = reader.read(10, u64::MAX, usize::MAX).unwrap();
    assert_eq!((run.transactions.len(), run.upto), (9, 19));
    assert_eq!(reader.tables_before("erp", 15).unwrap().len(), 1);
}

#[test]
fn copies_and_control_entries_come_alone() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), 1 << 20, 0).unwrap();
    journal.append(&whole("erp", &lsn(1), b"1")).unwrap();
    journal.append(&whole("erp", &lsn(2), b"2")).unwrap();
    let chunk = bare(EntryKind::Copy, b"rows");
    journal.append(&chunk).unwrap();
    journal.append(&whole("erp", &lsn(3), b"3")).unwrap();
    let mut reader = journal.reader();
    let mut after = 0;
    let mut sizes = Vec::new();
    loop {
        let run = reader.read(after, u64::MAX, usize::MAX).unwrap();
        if run.transactions.is_empty() {
            break;
        }
        sizes.push(run.transactions.len());
        after = run.upto;
    }
    assert_eq!(sizes, vec![2, 1, 1]);
}
