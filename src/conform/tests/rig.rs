//! A ledger, a journal and a store without a server: what capture would have written is written by
//! hand.

use bytes::{BufMut, BytesMut};

use super::super::*;
use crate::canon::mapping::Pack;
use crate::change::{Cell, Column, Kind, Table, Visibility, tuple};
use crate::config::EntityConfig;
use crate::ledger::segment::{EntryKind, NewEntry};
use crate::ledger::tests as files;
use crate::source::Chunk;
use crate::source::entry::{Control, Unproven, encode_chunk};
use crate::source::frame;

const OID: u32 = 16_390;
pub(super) const DAY_MICROS: i64 = 86_400_000_000;

/// `$as_of` is seen: an evaluation at another time gives another row.
pub(super) const WORKER: &str = "-- entity: worker
-- version: 1
-- unit: staff_id
-- driver: s
-- watch: s = staff.id
SELECT s.no AS worker_no, s.name AS full_name,
    CASE WHEN s.leaves <= $as_of THEN 'terminated' ELSE 'active' END AS status,
    CAST($as_of AS VARCHAR) AS job_title,
    CAST(s.leaves AS TIMESTAMP) AS _next_at, s.id AS staff_id, s.id AS _from_s
FROM staff s
";

/// A state folder, a journal that is written by hand, and conform over both.
pub(super) struct Rig {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    pub(super) conform: Conform,
    asked: std::cell::Cell<Option<u64>>,
    xid: u64,
}

impl Rig {
    /// With two workers copied.
    pub(super) fn new() -> Self {
        Self::with_mapping(WORKER)
    }

    /// The same, with a mapping of its own.
    pub(super) fn with_mapping(worker: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("sql/mappings/own")).unwrap();
        std::fs::write(folder.path().join("sql/mappings/own/worker.sql"), worker).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let conform = conform(folder.path());
        let rig = Self { folder, runtime, conform, asked: std::cell::Cell::new(None), xid: 100 };
        let tables = vec![("staff".to_owned(), table())];
        rig.control(&Control::CopyBegin { tables });
        let never = "2999-01-01";
        let rows = [["1", "A", "Ann", never], ["2", "B", "Bob", never]];
        rig.chunk(&rows);
        rig.control(&Control::CopyDone { table: table().name, only: None });
        rig
    }

    /// As after a crash: everything in memory is gone.
    pub(super) fn restart(&mut self) {
        let folder = self.folder.path().to_owned();
        let limits = self.conform.limits.clone();
        self.conform = Conform { limits, ..conform(&folder) };
        self.asked.set(None);
    }

    /// Nothing is left of the store. The session must be gone.
    pub(super) fn lose_the_store(&self) {
        self.conform.state.close();
        let path = crate::store::file(self.folder.path());
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(path.with_extension("duckdb.wal")).ok();
    }

    /// As after a restart with another mapping.
    pub(super) fn change_mapping(&mut self, from: &str, to: &str) {
        let path = self.folder.path().join("sql/mappings/own/worker.sql");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        self.restart();
    }

    pub(super) fn session(&self) -> Result<Session<'_>> {
        self.conform.state.close();
        Session::open(&self.conform, self.runtime.handle(), &self.asked)
    }

    pub(super) fn append(&self, source: &str, kind: EntryKind, bytes: &[u8]) -> u64 {
        let schemas = [Arc::new(table())];
        let schemas: &[Arc<Table>] = if kind == EntryKind::Control { &[] } else { &schemas };
        let entry = NewEntry {
            source,
            kind,
            first: None,
            ends: true,
            reached: None,
            is_anew: false,
            schemas,
            copies: &[],
            bytes,
        };
        self.conform.journal.append(&entry).unwrap()
    }

    pub(super) fn control(&self, word: &Control) {
        self.append("erp", EntryKind::Control, &word.encode());
    }

    pub(super) fn chunk(&self, rows: &[[&str; 4]]) {
        let mut bytes = BytesMut::new();
        for row in rows {
            tuple::write_row(&mut bytes, &cells(row));
        }
        let chunk = Chunk {
            table: Arc::new(table()),
            visibility: Visibility::Snapshot { xmin: 100, xmax: 100, running: Vec::new() },
            rows: bytes.freeze(),
            row_count: rows.len() as u64,
            admit_after: crate::change::Position::Lsn(1),
            next_after: None,
            piece: None,
        };
        self.append("erp", EntryKind::Copy, &encode_chunk(&chunk, true));
    }

    /// One transaction that updates (or, with a new id, inserts) a row.
    pub(super) fn update(&mut self, row: [&str; 4]) {
        let frames = self.transaction(&[row_frame(b'U', b'N', &row)]);
        self.append("erp", EntryKind::Log, &entry(&frames));
    }

    /// One transaction of one change.
    pub(super) fn change(&mut self, change: BytesMut) {
        let frames = self.transaction(&[change]);
        self.append("erp", EntryKind::Log, &entry(&frames));
    }

    /// As if the capture log, and what was set aside of it, had always had other bytes there: what a decoder
    /// cannot read is not the same in two versions.
    pub(super) fn rewrite(&self, from: &[u8], to: &[u8]) -> usize {
        files::rewrite(self.folder.path(), from, to)
    }

    /// As if what was set aside had columns that are left out: its bytes are not kept.
    pub(super) fn forget_unread_bytes(&self) {
        files::forget_unread_bytes(self.folder.path());
    }

    /// One transaction of these changes that spans entries, two changes to each; its entries.
    pub(super) fn large(&mut self, changes: &[BytesMut]) -> Vec<u64> {
        let frames = self.transaction(changes);
        let pieces: Vec<&[BytesMut]> = frames.chunks(2).collect();
        let mut seqs: Vec<u64> = Vec::new();
        for (place, piece) in pieces.iter().enumerate() {
            let ends = place + 1 == pieces.len();
            let first = seqs.first().copied();
            let whole = NewEntry::own("erp", EntryKind::Log, &[]);
            let bytes = entry(piece);
            let part = NewEntry { first, ends, bytes: &bytes, ..whole };
            seqs.push(self.conform.journal.append(&part).unwrap());
        }
        seqs
    }

    /// The frames of a transaction.
    fn transaction(&mut self, changes: &[BytesMut]) -> Vec<BytesMut> {
        self.xid += 1;
        let mut begin = BytesMut::new();
        begin.put_u8(b'B');
        begin.put_u64(self.xid);
        begin.put_i64(800_000_000_000_000);
        begin.put_u32(0);
        let mut wide = BytesMut::new();
        wide.put_u8(frame::WIDE_XID);
        wide.put_u64(self.xid);
        let mut commit = BytesMut::new();
        commit.put_u8(b'C');
        commit.put_u8(0);
        commit.put_u64(self.xid);
        commit.put_u64(self.xid + 1);
        commit.put_i64(800_000_000_000_000);
        let schema = BytesMut::from(&frame::schema(&table())[..]);
        let mut frames = vec![schema, begin, wide];
        frames.extend_from_slice(changes);
        frames.push(commit);
        frames
    }

    pub(super) fn events(&self) -> Vec<Event> {
        let last = self.conform.ledger.last_batch().unwrap().map_or(0, |batch| batch.event_last);
        self.conform.ledger.events(0, last, usize::MAX).unwrap()
    }
}

impl Session<'_> {
    pub(super) fn next_run(&mut self) -> Option<Run> {
        let last = *self.conform.journal.news().borrow();
        let run = self.read(last).unwrap();
        (!run.transactions.is_empty()).then_some(run)
    }

    /// Conforms what the journal has.
    pub(super) fn drain(&mut self) {
        while let Some(run) = self.next_run() {
            let decided = self.decide(&run).unwrap();
            self.land(&decided).unwrap();
            self.finish(decided).unwrap();
        }
    }

    /// Conforms what the journal has; sources that cannot be followed stand still. How often one was
    /// blamed, or taken one by one because of it.
    pub(super) fn drain_blaming(&mut self) -> u32 {
        let newest = *self.conform.journal.news().borrow();
        let mut blamed = 0;
        while self.mark.journal_seq < newest {
            let run = self.read(newest).unwrap();
            match self.decide(&run) {
                Ok(decided) => {
                    self.land(&decided).unwrap();
                    self.finish(decided).unwrap();
                }
                Err(failure) => {
                    blamed += 1;
                    self.store.rollback().unwrap();
                    self.blame(&run, failure).unwrap();
                }
            }
        }
        blamed
    }

    /// One batch, as far as the ledger's commit; as if the process died then.
    pub(super) fn land_only(&mut self) -> Batch {
        let run = self.next_run().unwrap();
        let decided = self.decide(&run).unwrap();
        self.land(&decided).unwrap();
        self.store.rollback().unwrap();
        decided.batch
    }

    pub(super) fn rows(&self, sql: &str) -> Vec<String> {
        let found = self.store.reader().unwrap().query(sql, 1_000).unwrap();
        let line = |row: Vec<Option<String>>| {
            let cells = row.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
            cells.collect::<Vec<_>>().join(" ")
        };
        found.rows.into_iter().map(line).collect()
    }
}

pub(super) fn conform(folder: &std::path::Path) -> Conform {
    let packs = [("erp".to_owned(), Pack::utc("own"))].into();
    let owners: std::collections::BTreeMap<String, EntityConfig> = Default::default();
    let sql = folder.join("sql");
    let ledger = Ledger::open(folder).unwrap();
    let limits = Limits { block_events: 2, ..Limits::default() };
    Conform {
        state_dir: folder.to_owned(),
        limits,
        leaves_out: false,
        kinds: [("erp".to_owned(), SourceKind::Postgres)].into(),
        mappings: MappingSet::load(Some(&sql), &packs, &owners).unwrap(),
        targets: vec!["psa".to_owned()],
        ledger: Arc::new(ledger),
        journal: Arc::new(Journal::open(&folder.join("journal"), 1 << 20, 0).unwrap()),
        lacking: watch::channel(Lacking::new()).0,
        unproven: watch::channel(Unproven::default()).0,
        events: watch::channel(0).0,
        state: Arc::new(ConformState::default()),
        live: Live::default(),
    }
}

pub(super) fn table() -> Table {
    let column = |name: &str, kind, key| Column {
        name: name.to_owned(),
        source_type: "text".to_owned(),
        kind,
        key,
    };
    Table {
        id: OID.into(),
        name: TableName::new("public", "staff"),
        columns: vec![
            column("id", Kind::Int { bytes: 4 }, Some(0)),
            column("no", Kind::Text, None),
            column("name", Kind::Text, None),
            column("leaves", Kind::Date, None),
        ],
        cascades: Vec::new(),
        left_out: Vec::new(),
        rows: None,
    }
}

pub(super) fn cells(row: &[&str; 4]) -> Vec<Cell> {
    row.iter().map(|text| Cell::text(text)).collect()
}

/// A change of one row; `image` is `N` for a new row, `K` for the key of an old one.
pub(super) fn row_frame(tag: u8, image: u8, row: &[&str; 4]) -> BytesMut {
    let mut change = BytesMut::new();
    change.put_u8(tag);
    change.put_u32(OID);
    change.put_u8(image);
    tuple::write_row(&mut change, &cells(row));
    change
}

fn entry(frames: &[BytesMut]) -> BytesMut {
    let mut entry = BytesMut::new();
    frames.iter().for_each(|one| frame::push(&mut entry, one));
    entry
}
