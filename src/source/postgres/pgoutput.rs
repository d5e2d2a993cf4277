//! Decoding of pgoutput (protocol version 1, text values): journaled frames to transactions. Pure.
//!
//! Relation messages are not read here: the schema frame that follows each of them says the same
//! and what the catalog knew. It never panics, whatever the bytes are.

use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use crate::change::rows::{CellSpan, RowsWriter};
use crate::change::tuple::read_spans;
use crate::change::{Change, Op, Position, RowChange, Table, Transaction, TransactionId, Unread};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::source::decode::{self, Tables};
use crate::source::frame;

/// Microseconds from 1970-01-01, our epoch, to 2000-01-01, PostgreSQL's.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Decodes the log of one PostgreSQL source.
#[derive(Debug)]
pub struct PgoutputDecoder {
    tables: Tables,
    /// The transaction whose end has not been fed yet; survives from entry to entry.
    open: Option<Open>,
    rows: RowsWriter,
    /// The cells before and after a change, of the row that is read.
    spans: [Vec<CellSpan>; 2],
}

#[derive(Debug, Default)]
struct Open {
    /// Of the commit record: known from the beginning, unlike where the log continues.
    commit: u64,
    committed_at_micros: i64,
    /// Set by the frame that follows Begin.
    id: Option<TransactionId>,
    changes: Vec<Change>,
}

impl PgoutputDecoder {
    /// See [`crate::source::decode::Decoder::new`].
    #[must_use]
    pub fn new(tables: Tables) -> Self {
        Self { tables, open: None, rows: RowsWriter::default(), spans: Default::default() }
    }

    /// See [`crate::source::decode::Decoder::feed`].
    ///
    /// # Errors
    /// See there.
    pub fn feed(&mut self, entry: Bytes) -> Result<Vec<Transaction>> {
        let whole = self.frames(&entry);
        self.rows.close(entry)?;
        whole
    }

    /// See [`crate::source::decode::read_again`].
    pub(crate) fn within_a_transaction() -> Self {
        let open = Open { id: Some(TransactionId::Xid(0)), ..Open::default() };
        Self { open: Some(open), ..Self::new(Tables::new()) }
    }

    /// See [`crate::source::decode::Decoder::take_open`].
    pub fn take_open(&mut self) -> Option<Transaction> {
        let open = self.open.as_mut()?;
        Some(Transaction {
            id: open.id?,
            position: Position::Lsn(open.commit),
            committed_at_micros: open.committed_at_micros,
            changes: std::mem::take(&mut open.changes),
        })
    }

    fn frames(&mut self, entry: &Bytes) -> Result<Vec<Transaction>> {
        let mut rest = entry.clone();
        let mut whole = Vec::new();
        while let Some(next) = frame::next(&mut rest) {
            let frame = next.ok_or_else(|| malformed("a journal entry that is cut short"))?;
            let read = entry.get(..entry.len() - rest.len()).unwrap_or_default();
            whole.extend(self.frame(frame, read)?);
        }
        Ok(whole)
    }

    /// Takes in one frame, with which the entry was `read` so far; hands back the transaction it ends.
    fn frame(&mut self, mut frame: Bytes, read: &[u8]) -> Result<Option<Transaction>> {
        let message = frame.clone();
        let tag = frame.try_get_u8().map_err(|_| malformed("an empty frame"))?;
        match tag {
            b'B' => self.open = Some(begin(&mut frame).ok_or_else(|| malformed("a Begin"))?),
            frame::WIDE_XID => {
                let xid = frame.try_get_u64().map_err(|_| malformed("a transaction id"))?;
                self.open()?.id = Some(TransactionId::Xid(xid));
            }
            frame::SCHEMA => self.learn(&frame)?,
            b'I' | b'U' | b'D' => {
                let oid = frame.try_get_u32().map_err(|_| malformed("a row message"))?;
                let table = self.table(oid)?;
                let at = read.len() - frame.len();
                let change = match self.row_change(tag, &table, (read, at)) {
                    Some(row) => Change::Row(row),
                    None => unread(table, &message),
                };
                self.open()?.changes.push(change);
            }
            b'T' => {
                let change = self.truncate(&mut frame)?;
                self.open()?.changes.push(change);
            }
            b'C' => return self.commit(&mut frame).map(Some),
            // Relation and type: said by the schema frame. Origin and message: nobody asks.
            b'R' | b'Y' | b'O' | b'M' => {}
            other => return Err(malformed(&format!("a frame of unknown kind {other:#04x}"))),
        }
        Ok(None)
    }

    fn open(&mut self) -> Result<&mut Open> {
        self.open.as_mut().ok_or_else(|| malformed("a change outside of a transaction"))
    }

    fn learn(&mut self, body: &Bytes) -> Result<()> {
        let table: Table = serde_json::from_slice(body)
            .context(ErrorKind::Decode, || "could not read a schema frame".to_owned())?;
        self.tables.insert(table.id, Arc::new(table));
        Ok(())
    }

    fn table(&self, oid: u32) -> Result<Arc<Table>> {
        self.tables.get(&u64::from(oid)).cloned().ok_or_else(|| {
            let what = format!("the log names table oid {oid}, which the schema history does not");
            Error::new(ErrorKind::Decode, what)
        })
    }

    /// The rows of an Insert, Update or Delete, which begin at a place of the entry, behind the table's oid,
    /// and end with it; `None` if they cannot be read.
    fn row_change(
        &mut self,
        tag: u8,
        table: &Arc<Table>,
        (entry, mut at): (&[u8], usize),
    ) -> Option<RowChange> {
        let op = match tag {
            b'I' => Op::Insert,
            b'U' => Op::Update,
            _ => Op::Delete,
        };
        let [old, new] = &mut self.spans;
        let (mut has_old, mut has_new) = (false, false);
        while let Some(part) = entry.get(at) {
            at += 1;
            let (row, has_row) = match part {
                b'K' | b'O' => (&mut *old, &mut has_old),
                b'N' => (&mut *new, &mut has_new),
                _ => return None,
            };
            row.clear();
            read_spans(entry, &mut at, row)?;
            mirrored(table, row)?;
            if *part == b'K' {
                key_only(table, row);
            }
            *has_row = true;
        }
        let is_complete = match op {
            Op::Insert => !has_old && has_new,
            Op::Update => has_new,
            Op::Delete => has_old && !has_new,
        };
        if !is_complete {
            return None;
        }
        if has_old && has_new {
            fill_unchanged(new, old);
        }
        let mut push = |has_row: bool, row: &[CellSpan]| match has_row {
            true => self.rows.push(table, row, entry).map(Some),
            false => Some(None),
        };
        let (old, new) = (push(has_old, old)?, push(has_new, new)?);
        Some(RowChange { table: Arc::clone(table), op, old, new, cascades: false })
    }

    fn truncate(&self, body: &mut Bytes) -> Result<Change> {
        let bad = |_| malformed("a Truncate");
        let count = body.try_get_u32().map_err(bad)?;
        // CASCADE and RESTART IDENTITY: the tables it reached are all listed, and sequences are
        // not mirrored.
        body.try_get_u8().map_err(bad)?;
        let mut tables = Vec::new();
        for _ in 0..count {
            tables.push(self.table(body.try_get_u32().map_err(bad)?)?);
        }
        Ok(Change::Truncate(tables))
    }

    fn commit(&mut self, body: &mut Bytes) -> Result<Transaction> {
        let open = self.open.take().ok_or_else(|| malformed("a Commit without a Begin"))?;
        let id = open.id.ok_or_else(|| malformed("a transaction without its id"))?;
        let end = commit_end(body).ok_or_else(|| malformed("a Commit"))?;
        Ok(Transaction {
            id,
            position: Position::Lsn(end),
            committed_at_micros: open.committed_at_micros,
            changes: open.changes,
        })
    }
}

/// `B`: commit record's position, commit time, 32-bit transaction id.
fn begin(body: &mut Bytes) -> Option<Open> {
    let commit = body.try_get_u64().ok()?;
    let committed_at_micros = body.try_get_i64().ok()?.checked_add(POSTGRES_EPOCH_MICROS)?;
    body.try_get_u32().ok()?;
    Some(Open { commit, committed_at_micros, ..Open::default() })
}

/// `C`: flags, commit record's position, where the log continues, commit time.
fn commit_end(body: &mut Bytes) -> Option<u64> {
    body.try_get_u8().ok()?;
    body.try_get_u64().ok()?;
    body.try_get_u64().ok()
}

/// The cells of a row of the log that are mirrored; `None` if it is not one of the table.
fn mirrored(table: &Table, row: &mut Vec<CellSpan>) -> Option<()> {
    if row.len() != table.sent_count() + table.left_out.len() {
        return None;
    }
    if !table.left_out.is_empty() {
        let mut place = 0..;
        row.retain(|_| {
            let place = place.next();
            !table.left_out.iter().any(|left_out| Some(left_out.place) == place)
        });
    }
    // Columns of our own.
    row.resize(table.columns.len(), CellSpan::Missing);
    Some(())
}

/// The message with the schema that it was read by. Nothing is kept of what may hold columns or rows that
/// are left out.
fn unread(table: Arc<Table>, message: &Bytes) -> Change {
    let mut frames = BytesMut::new();
    let mut why = "the message is not one of rows with the table's columns".to_owned();
    if table.is_whole() {
        frame::push(&mut frames, &frame::schema(&table));
        frame::push(&mut frames, message);
    } else {
        why.push_str(decode::NOT_KEPT);
    }
    Change::Unread(Unread { table, why, frames: frames.freeze() })
}

/// An old key comes as a whole row in which everything but the key is NULL. Those are not NULL:
/// they were not sent.
fn key_only(table: &Table, row: &mut [CellSpan]) {
    let others = row.iter_mut().zip(&table.columns).filter(|(_, column)| column.key.is_none());
    others.for_each(|(span, _)| *span = CellSpan::Missing);
}

/// A value out of line that did not change is not sent again; under REPLICA IDENTITY FULL the
/// old row carries it. (Under an old key nothing can be filled: that cell is missing there too.)
fn fill_unchanged(new: &mut [CellSpan], old: &[CellSpan]) {
    let missing = new.iter_mut().zip(old).filter(|(new, _)| **new == CellSpan::Missing);
    missing.for_each(|(new, old)| *new = *old);
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::Decode, format!("the journal holds {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Cell, Column, Kind, Row, TableName};
    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    const OID: u32 = 16_390;

    fn table() -> Table {
        let column = |name: &str, key| Column {
            name: name.to_owned(),
            source_type: "text".to_owned(),
            kind: Kind::Text,
            key,
        };
        Table {
            id: u64::from(OID),
            name: TableName::new("public", "t"),
            columns: vec![column("id", Some(0)), column("v", None), column("big", None)],
            cascades: Vec::new(),
            left_out: Vec::new(),
            rows: None,
        }
    }

    /// A row as the protocol's documentation spells it: `n`, `u`, or `t` with length and text.
    fn row(kind: u8, cells: &[Option<&str>]) -> Vec<u8> {
        let mut out = vec![kind, 0, u8::try_from(cells.len()).unwrap()];
        for cell in cells {
            match cell {
                None => out.push(b'n'),
                Some("<unchanged>") => out.push(b'u'),
                Some(text) => {
                    out.push(b't');
                    out.put_u32(u32::try_from(text.len()).unwrap());
                    out.put_slice(text.as_bytes());
                }
            }
        }
        out
    }

    fn message(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
        let mut out = vec![tag];
        out.put_u32(OID);
        parts.iter().for_each(|part| out.put_slice(part));
        out
    }

    fn begin_frames(xid: u64) -> Vec<Vec<u8>> {
        let mut begin = vec![b'B'];
        begin.put_u64(0x100);
        begin.put_i64(1_000_000);
        begin.put_u32(7);
        let mut wide = vec![frame::WIDE_XID];
        wide.put_u64(xid);
        vec![begin, wide, frame::schema(&table()).to_vec()]
    }

    fn commit_frame(end: u64) -> Vec<u8> {
        let mut out = vec![b'C', 0];
        out.put_u64(0x100);
        out.put_u64(end);
        out.put_i64(1_000_000);
        out
    }

    fn entry(frames: &[Vec<u8>]) -> Bytes {
        let mut out = BytesMut::new();
        frames.iter().for_each(|one| frame::push(&mut out, one));
        out.freeze()
    }

    fn only_row(body: Vec<u8>) -> RowChange {
        let mut frames = begin_frames(1);
        frames.extend([body, commit_frame(0x200)]);
        let mut whole = PgoutputDecoder::new(Tables::new()).feed(entry(&frames)).unwrap();
        match whole.remove(0).changes.remove(0) {
            Change::Row(change) => change,
            _ => panic!("a row was expected"),
        }
    }

    fn row_of(cells: [Cell; 3]) -> Option<Row> {
        Some(cells.to_vec().into())
    }

    #[test]
    fn a_transaction_may_span_entries() {
        let mut decoder = PgoutputDecoder::new(Tables::new());
        let insert = message(b'I', &[row(b'N', &[Some("1"), None, Some("x")])]);
        let mut first = begin_frames(9_000_000_000);
        first.push(insert.clone());
        assert!(decoder.feed(entry(&first)).unwrap().is_empty());
        let rest = entry(&[insert, commit_frame(0x200)]);
        let whole = decoder.feed(rest).unwrap();
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].id, TransactionId::Xid(9_000_000_000));
        assert_eq!(whole[0].position, Position::Lsn(0x200));
        assert_eq!(whole[0].committed_at_micros, 946_684_801_000_000);
        assert_eq!(whole[0].changes.len(), 2);
    }

    #[test]
    fn null_unchanged_and_not_sent_are_three_things() {
        let plain = only_row(message(b'U', &[row(b'N', &[Some("1"), None, Some("<unchanged>")])]));
        assert_eq!(plain.old, None);
        assert_eq!(plain.new, row_of([Cell::text("1"), Cell::Null, Cell::Missing]));

        let moved = only_row(message(
            b'U',
            &[
                row(b'K', &[Some("1"), None, None]),
                row(b'N', &[Some("2"), None, Some("<unchanged>")]),
            ],
        ));
        assert_eq!(moved.old, row_of([Cell::text("1"), Cell::Missing, Cell::Missing]));
        assert_eq!(moved.new, row_of([Cell::text("2"), Cell::Null, Cell::Missing]));

        let full = only_row(message(
            b'U',
            &[
                row(b'O', &[Some("1"), None, Some("large")]),
                row(b'N', &[Some("1"), Some("b"), Some("<unchanged>")]),
            ],
        ));
        assert_eq!(full.old, row_of([Cell::text("1"), Cell::Null, Cell::text("large")]));
        assert_eq!(full.new, row_of([Cell::text("1"), Cell::text("b"), Cell::text("large")]));

        let gone = only_row(message(b'D', &[row(b'K', &[Some("1"), None, None])]));
        assert_eq!(gone.op, Op::Delete);
        assert_eq!(gone.old, row_of([Cell::text("1"), Cell::Missing, Cell::Missing]));
        assert_eq!(gone.new, None);
    }

    #[test]
    fn a_table_without_history_is_an_error_that_names_it() {
        let mut frames = begin_frames(1);
        frames.truncate(2);
        frames.push(message(b'I', &[row(b'N', &[Some("1"), None, None])]));
        let error = PgoutputDecoder::new(Tables::new()).feed(entry(&frames)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode);
        assert!(error.to_string().contains("16390"), "{error}");
    }

    #[test]
    fn rows_that_cannot_be_read_are_set_aside_and_the_others_are_read() {
        let good = message(b'I', &[row(b'N', &[Some("1"), None, Some("x")])]);
        let bad = [
            message(b'I', &[]),
            message(b'U', &[row(b'K', &[Some("1"), None, None])]),
            message(b'D', &[row(b'N', &[Some("1"), None, None])]),
            message(b'I', &[row(b'N', &[Some("1"), None])]),
            message(b'I', &[row(b'N', &[Some("1"), None, Some("x")]), vec![b'?']]),
        ];
        let mut frames = begin_frames(1);
        frames.push(good.clone());
        frames.extend(bad.clone());
        frames.extend([good, commit_frame(0x200)]);
        let whole = PgoutputDecoder::new(Tables::new()).feed(entry(&frames)).unwrap();
        let [changes] = whole.iter().map(|one| &one.changes).collect::<Vec<_>>()[..] else {
            panic!("one transaction was expected")
        };
        assert!(matches!(changes.first(), Some(Change::Row(_))));
        assert!(matches!(changes.last(), Some(Change::Row(_))));
        let unread: Vec<&Unread> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Unread(unread) => Some(unread),
                _ => None,
            })
            .collect();
        assert_eq!(unread.len(), bad.len());
        for (unread, bad) in unread.iter().zip(bad) {
            assert_eq!(unread.table.name.name, "t");
            assert!(unread.frames.ends_with(&bad), "byte for byte");
        }
    }

    #[test]
    fn messages_of_no_known_table_or_kind_are_refused() {
        for body in [vec![b'I', 0], vec![b'?']] {
            let mut frames = begin_frames(1);
            frames.push(body);
            let error = PgoutputDecoder::new(Tables::new()).feed(entry(&frames)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Decode);
        }
    }

    proptest! {
        #[test]
        fn mutated_entries_never_panic(
            places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut frames = begin_frames(1);
            let mut truncate = vec![b'T', 0, 0, 0, 1, 0];
            truncate.put_u32(OID);
            frames.extend([
                message(b'I', &[row(b'N', &[Some("1"), None, Some("x")])]),
                message(b'U', &[row(b'O', &[Some("1"), None, None]), row(b'N', &[Some("2"), None, None])]),
                message(b'D', &[row(b'K', &[Some("1"), None, None])]),
                truncate,
                commit_frame(0x200),
            ]);
            let mut bytes = entry(&frames).to_vec();
            for (place, byte) in places {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            let mut decoder = PgoutputDecoder::new(Tables::new());
            decoder.feed(Bytes::from(bytes)).ok();
            decoder.feed(entry(&[commit_frame(0x300)])).ok();
        }
    }
}
