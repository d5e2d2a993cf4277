//! What must hold of every log, whoever wrote it: it does not matter how it is cut into entries.

use bytes::{Bytes, BytesMut};

use crate::change::{CellRef, Cells, Change, Row, Transaction};
use crate::config::SourceKind;
use crate::source::decode::{Decoder, Tables, is_divisible, read_again};
use crate::source::frame;

/// Feeds the frames of an entry whole and one by one, with and without taking out what is open; all of it
/// must come to the same. True if a transaction came out.
pub(crate) fn decodes_in_pieces(kind: SourceKind, entry: &Bytes) -> bool {
    let mut whole = Decoder::new(kind, Tables::new());
    let read = whole.feed(entry.clone());
    let mut frames = Vec::new();
    let mut rest = entry.clone();
    let mut is_cut = false;
    while let Some(next) = frame::next(&mut rest) {
        let Some(next) = next else {
            is_cut = true;
            break;
        };
        let mut one = BytesMut::new();
        frame::push(&mut one, &next);
        frames.push(one.freeze());
    }
    let mut pieces = Decoder::new(kind, Tables::new());
    let one_by_one: Result<Vec<_>, _> = frames.iter().map(|one| pieces.feed(one.clone())).collect();
    let Ok(read) = read else {
        // What is behind the last whole frame fails only as a whole.
        assert!(one_by_one.is_err() || is_cut, "it fails in pieces, too");
        return false;
    };
    assert_eq!(one_by_one.unwrap().concat(), read, "pieces give the same transactions");
    let prepared = |decoder: &Decoder| decoder.prepared().cloned().collect::<Vec<_>>().len();
    assert_eq!(prepared(&pieces), prepared(&whole));
    if is_divisible(kind, entry) {
        assert_eq!(in_slices(kind, &frames), counted(&read), "slices give the same changes");
    }
    for change in read.iter().flat_map(|one| &one.changes) {
        judge(kind, change);
    }
    !read.is_empty()
}

/// How many changes the transactions have together, taking them out as soon as they are there.
fn in_slices(kind: SourceKind, frames: &[Bytes]) -> Vec<usize> {
    let mut decoder = Decoder::new(kind, Tables::new());
    let (mut counts, mut taken) = (Vec::new(), 0);
    for one in frames {
        // What was open is a tail that the journal dropped.
        let is_begin = begins(one);
        taken = if is_begin { 0 } else { taken };
        for transaction in decoder.feed(one.clone()).unwrap() {
            counts.push(taken + transaction.changes.len());
            taken = 0;
        }
        taken += decoder.take_open().map_or(0, |open| open.changes.len());
    }
    counts
}

/// Whether a frame begins a transaction: a Begin, or an event with a GTID.
fn begins(one: &Bytes) -> bool {
    match one.get(4..) {
        Some([b'B', ..]) => true,
        Some([frame::BINLOG_EVENT, _, _, _, _, kind, ..]) => matches!(kind, 33 | 34 | 42 | 162),
        _ => false,
    }
}

fn counted(transactions: &[Transaction]) -> Vec<usize> {
    transactions.iter().map(|one| one.changes.len()).collect()
}

fn judge(kind: SourceKind, change: &Change) {
    match change {
        Change::Row(row) => {
            let rows = [&row.old, &row.new];
            assert!(rows.iter().any(|row| row.is_some()));
            for of in rows.into_iter().flatten() {
                assert_eq!(of.count(), row.table.columns.len());
            }
        }
        Change::Unread(unread) => {
            let again = read_again(kind, unread.frames.clone()).unwrap();
            assert_eq!(again, std::slice::from_ref(change), "it still cannot be read");
        }
        Change::Truncate(_) | Change::Doubted(_) | Change::Replaced(_) => {}
    }
}

/// Whether rows take no more room than the input can account for.
pub(crate) fn is_within(changes: &[Change], bytes_max: usize) -> bool {
    let of = |row: &Option<Row>| {
        row.iter().flat_map(Cells::cells).filter_map(CellRef::bytes).map(<[u8]>::len).sum::<usize>()
    };
    let bytes = changes.iter().map(|change| match change {
        Change::Row(row) => of(&row.old) + of(&row.new),
        _ => 0,
    });
    bytes.sum::<usize>() <= bytes_max
}
