//! The journal through crashes, large transactions and segment borders.

use std::sync::Arc;

use super::*;
use crate::change::{Column, Kind, Table, TableName};
use crate::ledger::copies::{CopyState, KeyRange};
use crate::ledger::segment::{Entry, EntryKind};

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
        left_out: Vec::new(),
        rows: None,
    })
}

fn whole<'a>(source: &'a str, reached: &'a Reached, bytes: &'a [u8]) -> NewEntry<'a> {
    NewEntry {
        source,
        kind: EntryKind::Log,
        first: None,
        ends: true,
        reached: Some(reached),
        is_anew: false,
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
        is_anew: false,
        schemas: &[],
        copies: &[],
        bytes,
    }
}

fn part(first: Option<u64>, bytes: &[u8]) -> NewEntry<'_> {
    NewEntry { first, ends: false, ..bare(EntryKind::Log, bytes) }
}

/// Whole transactions after the entry `after`.
fn read(reader: &mut Reader, after: u64, upto: u64, bytes_max: usize) -> Run {
    let portion = Portion { run: bytes_max, transaction: usize::MAX };
    reader.read(Border { seq: after, part: 0 }, upto, portion, |_| false).unwrap()
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
    let run = read(&mut reader, 0, u64::MAX, usize::MAX);
    assert_eq!(run.border.seq, 40);
    let firsts: Vec<u8> = run.transactions.iter().map(|parts| parts[0].bytes[0]).collect();
    assert_eq!(firsts, (1..=40).collect::<Vec<u8>>());
    let some = read(&mut reader, 10, 20, usize::MAX);
    assert_eq!((some.transactions.len(), some.border.seq), (10, 20));
    let bounded = read(&mut reader, 0, u64::MAX, 1_000);
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
    let run = read(&mut journal.reader(), 0, u64::MAX, usize::MAX);
    assert_eq!(run.transactions.len(), 5);
    let last = lsn(77);
    let end = NewEntry { first: Some(first), ..whole("erp", &last, b"c") };
    let seq = journal.append(&end).unwrap();
    // THEN it comes out at its end, all parts in order
    let run = read(&mut journal.reader(), seq - 1, u64::MAX, usize::MAX);
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
    let run = read(&mut journal.reader(), 0, u64::MAX, usize::MAX);
    let shapes: Vec<(&str, usize)> =
        run.transactions.iter().map(|parts| (parts[0].source.as_str(), parts.len())).collect();
    assert_eq!(shapes, vec![("erp", 4), ("hr", 1)]);
    assert_eq!(journal.position("erp").unwrap(), Some(lsn(10).position));
    let next = journal.append(&whole("erp", &lsn(11), b"again")).unwrap();
    assert!(next > run.border.seq, "a durable sequence is not used twice");
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
        let run = read(&mut reader, 0, u64::MAX, usize::MAX);
        assert_eq!((run.transactions.len(), run.border.seq), (1, seq));
        assert_eq!(journal.last_whole().unwrap(), seq);
        // and nothing more comes of the parts alone, however often they are looked at
        for _ in 0..2 {
            let more = read(&mut reader, run.border.seq, u64::MAX, usize::MAX);
            assert_eq!((more.transactions.len(), more.border.seq), (0, seq));
        }
        run.border.seq
    };
    // THEN its border is found again after a crash
    let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
    assert_eq!(journal.last_whole().unwrap(), border);
    let run = read(&mut journal.reader(), 0, border, usize::MAX);
    assert_eq!((run.transactions.len(), run.border.seq), (1, border));
}

#[test]
fn parts_that_were_looked_at_come_out_whole_with_their_end() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), TINY_SEGMENT, 0).unwrap();
    let mut reader = journal.reader();
    let first = journal.append(&part(None, b"a")).unwrap();
    assert!(read(&mut reader, 0, u64::MAX, usize::MAX).transactions.is_empty());
    journal.append(&part(Some(first), b"b")).unwrap();
    assert!(read(&mut reader, 0, u64::MAX, usize::MAX).transactions.is_empty());
    let last = lsn(9);
    journal.append(&NewEntry { first: Some(first), ..whole("erp", &last, b"c") }).unwrap();
    let run = read(&mut reader, 0, u64::MAX, usize::MAX);
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
    let run = read(&mut journal.reader(), 0, u64::MAX, usize::MAX);
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
            only: None,
            table: "public.t".to_owned(),
            state: CopyState::Copying,
            ranges: vec![KeyRange { after: Some(vec![1, 2]), upto: None }],
            row_count: 3,
            resync: true,
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
    let copies = journal.copies("erp").unwrap();
    assert_eq!((copies[0].ranges[0].after.as_deref(), copies[0].resync), (Some(&[1, 2][..]), true));
    assert_eq!(copies[0].state, CopyState::Copying);
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
    let run = read(&mut reader, 10, u64::MAX, usize::MAX);
    assert_eq!((run.transactions.len(), run.border.seq), (9, 19));
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
        let run = read(&mut reader, after, u64::MAX, usize::MAX);
        if run.transactions.is_empty() {
            break;
        }
        sizes.push(run.transactions.len());
        after = run.border.seq;
    }
    assert_eq!(sizes, vec![2, 1, 1]);
}

/// What was journaled by hand: transactions of two sources, some larger than one entry.
fn interleaved(folder: &Path) -> Journal {
    let journal = Journal::open(folder, TINY_SEGMENT, 0).unwrap();
    let body = [7; 300];
    journal.append(&whole("hr", &lsn(1), &body)).unwrap();
    let first = journal.append(&part(None, &body)).unwrap();
    for n in 2..12 {
        journal.append(&part(Some(first), &body)).unwrap();
        if n % 3 == 0 {
            journal.append(&whole("hr", &lsn(n), &body)).unwrap();
        }
    }
    let end = lsn(12);
    journal.append(&NewEntry { first: Some(first), ..whole("erp", &end, &body) }).unwrap();
    journal.append(&whole("hr", &lsn(13), &body)).unwrap();
    journal
}

#[test]
fn a_transaction_is_needed_from_its_first_part_on_until_its_end_is_conformed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = interleaved(folder.path());
    let whole = read(&mut journal.reader(), 0, u64::MAX, usize::MAX);
    let large = whole.transactions.iter().find(|parts| parts.len() > 1).unwrap();
    let (first, last) = (large[0].seq, large[large.len() - 1].seq);
    assert!(segment_paths(folder.path()).unwrap().len() > 3, "its parts lie in several segments");
    // GIVEN that everything is conformed but what it, and what comes after it, ends with
    journal.discard(last - 1, Duration::ZERO, u64::MAX).unwrap();
    // THEN none of its parts is gone
    let run = read(&mut journal.reader(), last - 1, u64::MAX, usize::MAX);
    assert_eq!(bytes_of(&run)[0], bytes_of(&Run { transactions: vec![large.clone()], ..run })[0]);
    // and with its end conformed they go
    assert!(journal.discard(last, Duration::ZERO, u64::MAX).unwrap() > 0);
    assert!(journal.first_seq().unwrap() > first);
}

#[test]
fn a_large_transaction_comes_in_slices_between_whole_ones() {
    let folder = tempfile::tempdir().unwrap();
    let journal = interleaved(folder.path());
    let mut reader = journal.reader();
    let expected = read(&mut reader, 0, u64::MAX, usize::MAX);
    let flat = |run: &Run| -> Vec<u64> {
        run.transactions.iter().flatten().map(|entry| entry.seq).collect()
    };
    for size in [1, 300, 700, 1_500, 3_000, 3_600, 10_000] {
        // WHEN the journal is read in portions
        let portion = Portion { run: size, transaction: size };
        let mut border = Border::default();
        let mut found = Vec::new();
        let mut slices = 0;
        loop {
            let run = reader.read(border, u64::MAX, portion, |_| false).unwrap();
            if run.border == border {
                break;
            }
            assert!(run.border > border, "{:?} after {border:?}", run.border);
            // THEN a slice comes alone, and no larger than it must be
            if run.border.part > 0 || border.part > 0 {
                assert_eq!(run.transactions.len(), 1);
                let most = size.div_ceil(300) + usize::from(run.border.part == 0);
                assert!(run.transactions[0].len() <= most, "{size}: {:?}", flat(&run));
                slices += 1;
            }
            // and what lies between the two borders is found again
            let again = journal.reader().between(border, run.border, |_| false).unwrap();
            assert_eq!((again.border, flat(&again)), (run.border, flat(&run)));
            found.extend(flat(&run));
            border = run.border;
        }
        // and all of them together are everything, in order
        assert_eq!(found, flat(&expected), "in portions of {size}");
        assert_eq!(slices > 0, size < 3_600, "in portions of {size}");
        assert_eq!(border, expected.border);
    }
}

#[test]
fn what_is_left_out_is_passed_over_also_in_its_middle() {
    let folder = tempfile::tempdir().unwrap();
    let journal = interleaved(folder.path());
    let mut reader = journal.reader();
    let portion = Portion { run: 700, transaction: 700 };
    let is_erp = |entry: &Entry| entry.source == "erp";
    let mut border = Border::default();
    while border.part == 0 {
        border = reader.read(border, u64::MAX, portion, |_| false).unwrap().border;
    }
    // GIVEN a source that stands from the middle of its transaction on
    let run = reader.read(border, u64::MAX, portion, is_erp).unwrap();
    let end = Border { seq: border.ends(), part: 0 };
    assert_eq!((run.transactions.len(), run.border), (0, end));
    let again = reader.between(border, end, is_erp).unwrap();
    assert_eq!((again.transactions.len(), again.border), (0, end));
    let run = reader.read(end, u64::MAX, portion, is_erp).unwrap();
    assert_eq!((run.transactions[0][0].source.as_str(), run.border.seq), ("hr", end.seq + 1));
}
