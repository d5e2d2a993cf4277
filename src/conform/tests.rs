//! Conform over a real ledger, journal and store, without a server: what capture would have
//! written is written by hand.

use bytes::{BufMut, BytesMut};
use serde_json::Value;

use super::*;
use crate::canon::mapping::Pack;
use crate::change::{Cell, Column, Kind, Table, Visibility, tuple};
use crate::config::EntityConfig;
use crate::ledger::segment::{EntryKind, NewEntry};
use crate::ledger::standing::TargetFacts;
use crate::source::Chunk;
use crate::source::entry::{Control, encode_chunk};
use crate::source::frame;

const OID: u32 = 16_390;
const DAY_MICROS: i64 = 86_400_000_000;

/// `$as_of` is seen: an evaluation at another time gives another row.
const WORKER: &str = "-- entity: worker
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
struct Rig {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    conform: Conform,
    asked: std::cell::Cell<Option<u64>>,
    xid: u64,
}

impl Rig {
    /// With two workers copied.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("sql/mappings/own")).unwrap();
        std::fs::write(folder.path().join("sql/mappings/own/worker.sql"), WORKER).unwrap();
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
        rig.control(&Control::CopyDone { table: table().name });
        rig
    }

    /// As after a crash: everything in memory is gone.
    fn restart(&mut self) {
        let folder = self.folder.path().to_owned();
        self.conform = conform(&folder);
        self.asked.set(None);
    }

    fn session(&self) -> Result<Session<'_>> {
        self.conform.state.close();
        Session::open(&self.conform, self.runtime.handle(), &self.asked)
    }

    fn append(&self, source: &str, kind: EntryKind, bytes: &[u8]) -> u64 {
        let schemas = [Arc::new(table())];
        let schemas: &[Arc<Table>] = if kind == EntryKind::Control { &[] } else { &schemas };
        let entry = NewEntry {
            source,
            kind,
            first: None,
            ends: true,
            reached: None,
            schemas,
            copies: &[],
            bytes,
        };
        self.conform.journal.append(&entry).unwrap()
    }

    fn control(&self, word: &Control) {
        self.append("erp", EntryKind::Control, &word.encode());
    }

    fn chunk(&self, rows: &[[&str; 4]]) {
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
        };
        self.append("erp", EntryKind::Copy, &encode_chunk(&chunk, true));
    }

    /// One transaction that updates (or, with a new id, inserts) a row.
    fn update(&mut self, row: [&str; 4]) {
        self.xid += 1;
        let mut entry = BytesMut::new();
        let mut begin = BytesMut::new();
        begin.put_u8(b'B');
        begin.put_u64(self.xid);
        begin.put_i64(800_000_000_000_000);
        begin.put_u32(0);
        let mut wide = BytesMut::new();
        wide.put_u8(frame::WIDE_XID);
        wide.put_u64(self.xid);
        let mut change = BytesMut::new();
        change.put_u8(b'U');
        change.put_u32(OID);
        change.put_u8(b'N');
        tuple::write_row(&mut change, &cells(&row));
        let mut commit = BytesMut::new();
        commit.put_u8(b'C');
        commit.put_u8(0);
        commit.put_u64(self.xid);
        commit.put_u64(self.xid + 1);
        commit.put_i64(800_000_000_000_000);
        for part in [&frame::schema(&table())[..], &begin, &wide, &change, &commit] {
            frame::push(&mut entry, part);
        }
        self.append("erp", EntryKind::Log, &entry);
    }

    fn events(&self) -> Vec<Event> {
        let last = self.conform.ledger.last_batch().unwrap().map_or(0, |batch| batch.event_last);
        self.conform.ledger.events(0, last, usize::MAX).unwrap()
    }
}

impl Session<'_> {
    fn next_run(&mut self) -> Option<Run> {
        let last = *self.conform.journal.news().borrow();
        let run = self.reader.read(self.mark.journal_seq, last, 8 << 20).unwrap();
        (!run.transactions.is_empty()).then_some(run)
    }

    /// Conforms what the journal has.
    fn drain(&mut self) {
        while let Some(run) = self.next_run() {
            let decided = self.decide(&run).unwrap();
            self.land(&decided).unwrap();
            self.finish(decided).unwrap();
        }
    }

    /// One batch, as far as the ledger's commit; as if the process died then.
    fn land_only(&mut self) -> Batch {
        let run = self.next_run().unwrap();
        let decided = self.decide(&run).unwrap();
        self.land(&decided).unwrap();
        self.store.rollback().unwrap();
        decided.batch
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        let found = self.store.reader().unwrap().query(sql, 1_000).unwrap();
        let line = |row: Vec<Option<String>>| {
            let cells = row.into_iter().map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
            cells.collect::<Vec<_>>().join(" ")
        };
        found.rows.into_iter().map(line).collect()
    }
}

fn conform(folder: &std::path::Path) -> Conform {
    let packs = [("erp".to_owned(), Pack::utc("own"))].into();
    let owners: std::collections::BTreeMap<String, EntityConfig> = Default::default();
    let sql = folder.join("sql");
    let ledger = Ledger::open(folder).unwrap();
    let limits = Limits { block_events: 2, ..Limits::default() };
    Conform {
        state_dir: folder.to_owned(),
        limits,
        kinds: [("erp".to_owned(), SourceKind::Postgres)].into(),
        mappings: MappingSet::load(Some(&sql), &packs, &owners).unwrap(),
        targets: vec!["psa".to_owned()],
        ledger: Arc::new(ledger),
        journal: Arc::new(Journal::open(&folder.join("journal"), 1 << 20, 0).unwrap()),
        lacking: watch::channel(Lacking::new()).0,
        events: watch::channel(0).0,
        state: Arc::new(ConformState::default()),
    }
}

fn table() -> Table {
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
    }
}

fn cells(row: &[&str; 4]) -> Vec<Cell> {
    row.iter().map(|text| Cell::text(text)).collect()
}

fn of(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or("-").to_owned()
}

#[test]
fn a_replay_uses_the_time_of_the_first_run_and_makes_no_event() {
    let mut rig = Rig::new();
    rig.session().unwrap().drain();
    rig.update(["1", "A", "Anna", "2999-01-01"]);
    let batch = rig.session().unwrap().land_only();
    let events = rig.events();
    assert_eq!(events.len(), 1);
    rig.restart();
    // The row says at which time it was evaluated: only the batch's own gives the same digest.
    let session = rig.session().unwrap_or_else(|error| panic!("{}", error.chain()));
    assert_eq!(session.mark.batch, batch.id);
    let as_of = jiff::Timestamp::from_microsecond(batch.as_of_micros).unwrap();
    let as_of = as_of.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let found = session.rows("SELECT job_title FROM canon.worker WHERE worker_no = 'A'");
    assert!(found[0].starts_with(&as_of), "{found:?}, not {as_of}");
    assert_eq!(rig.events(), events);
    // Its border is the same, too: what came after it is another batch.
    assert_eq!(session.mark.journal_seq, batch.seq_upto);
}

#[test]
fn a_replay_that_gives_something_else_is_refused() {
    let mut rig = Rig::new();
    rig.session().unwrap().drain();
    rig.update(["1", "A", "Anna", "2999-01-01"]);
    let mut session = rig.session().unwrap();
    let run = session.next_run().unwrap();
    let mut decided = session.decide(&run).unwrap();
    // As if the replay came at another time: one microsecond is enough.
    decided.batch.as_of_micros += 1;
    session.land(&decided).unwrap();
    session.store.rollback().unwrap();
    let batch = decided.batch;
    drop(session);
    rig.restart();
    let error = rig.session().err().unwrap();
    let text = error.chain();
    assert!(text.contains(&format!("replaying batch {} gave other events", batch.id)), "{text}");
    assert!(error.remedy().is_some_and(|hint| hint.contains("state folder")), "{error:?}");
    // Nothing of it is in the store, also at the next start.
    assert!(rig.session().is_err());
}

#[test]
fn the_event_log_is_what_the_outbox_holds_as_cloud_events() {
    let mut rig = Rig::new();
    rig.session().unwrap().drain();
    rig.update(["1", "A", "Anna \"the\" O'Hara", "2999-01-01"]);
    rig.update(["3", "C|x", "Cid", "2999-01-01"]);
    rig.session().unwrap().drain();
    rig.update(["1", "A2", "Anna", "2999-01-01"]);
    // The last batch is replayed: its events are there once.
    rig.session().unwrap().land_only();
    rig.restart();
    let session = rig.session().unwrap();
    let install = rig.conform.ledger.install();
    let events = rig.events();
    assert!(events.len() >= 4, "{events:?}");
    let expected: Vec<Value> = events.iter().map(|event| event.cloud_event(install)).collect();
    let found = session.rows("SELECT event FROM ops.cloud_event ORDER BY sequence");
    let found: Vec<Value> = found.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(found, expected);
    let sql = "SELECT sequence, id, type, entity, key, epoch_us(time), batch FROM ops.event
               ORDER BY sequence";
    let last = rig.conform.ledger.last_batch().unwrap().unwrap();
    let found = session.rows(sql);
    for (row, event) in found.iter().zip(&events) {
        let batch = if event.sequence >= last.event_first { last.id } else { last.id - 1 };
        let (id, kind) = (event.id(install), event.kind());
        let Event { sequence, entity, key, time_micros, .. } = event;
        assert_eq!(*row, format!("{sequence} {id} {kind} {entity} {key} {time_micros} {batch}"));
    }
}

#[test]
fn time_alone_makes_an_event_and_a_replay_makes_the_same() {
    let mut rig = Rig::new();
    rig.session().unwrap().drain();
    let mut session = rig.session().unwrap();
    // Nothing is due: the clock says nothing.
    session.look_at_clock(Duration::ZERO).unwrap();
    assert!(session.next_run().is_none());
    drop(session);
    // The day after tomorrow comes by a word in the journal, as the clock would say it.
    let now = jiff::Timestamp::now().as_microsecond();
    let leaves = jiff::Timestamp::from_microsecond(now + DAY_MICROS).unwrap();
    rig.update(["2", "B", "Bob", &leaves.strftime("%Y-%m-%d").to_string()]);
    rig.session().unwrap().drain();
    rig.control(&Control::Tick { micros: now + 2 * DAY_MICROS });
    rig.session().unwrap().land_only();
    rig.restart();
    let session = rig.session().unwrap_or_else(|error| panic!("{}", error.chain()));
    let events = rig.events();
    let last = events.last().unwrap();
    assert_eq!((last.key.as_str(), events.len()), ("B", 2));
    let new = Value::Object(last.new.clone().unwrap());
    assert_eq!((of(&new, "status"), of(&new, "full_name")), ("terminated".into(), "Bob".into()));
    let rows = session.rows("SELECT worker_no, status FROM canon.worker ORDER BY 1");
    assert_eq!(rows, ["A active", "B terminated"]);
}

#[test]
fn the_clock_is_looked_at_while_the_journal_is_never_drained() {
    let mut rig = Rig::new();
    rig.session().unwrap().drain();
    // Due at once: yesterday is over, but the row was written as if it were not.
    rig.update(["2", "B", "Bob", "2999-01-01"]);
    let mut session = rig.session().unwrap();
    session.drain();
    let due =
        "UPDATE contrib.erp__worker SET _next_at = TIMESTAMP '2020-01-01' WHERE worker_no = 'B'";
    session.store.connection().execute(due, []).unwrap();
    session.looked_at_clock = Instant::now().checked_sub(CLOCK_PAUSE).unwrap();
    let before = *rig.conform.journal.news().borrow();
    // WHEN there is always something to take
    let (journal, cancel) = (&rig.conform.journal, CancellationToken::new());
    let again = || {
        let word = Control::Tick { micros: 0 }.encode();
        journal.append(&NewEntry::own("", EntryKind::Control, &word)).unwrap()
    };
    again();
    assert!(session.take(&cancel).unwrap().is_some());
    // THEN the clock has spoken, once, although it was not conformed yet
    assert_eq!(*journal.news().borrow(), before + 2);
    session.look_at_clock(Duration::ZERO).unwrap();
    assert_eq!(*journal.news().borrow(), before + 2);
    session.drain();
    assert_eq!(session.next_run().map(|run| run.upto), None);
}

#[test]
fn raw_changes_are_kept_for_their_time() {
    let mut rig = Rig::new();
    rig.update(["1", "A", "Ann", "2999-01-01"]);
    let mut session = rig.session().unwrap();
    session.drain();
    let months = "SELECT string_agg(table_name) FROM duckdb_tables() WHERE schema_name = 'changes'";
    assert_eq!(session.rows(months), ["m202505"]);
    session.keep_house(Duration::ZERO).unwrap();
    assert_eq!(session.rows(months), ["-"]);
}

/// Nothing is kept for its age.
fn forgetful(archive_every_secs: u64) -> Rig {
    let mut rig = Rig::new();
    rig.conform.limits.outbox_retention_hours = 0;
    rig.conform.limits.archive_every_secs = archive_every_secs;
    rig
}

#[test]
fn what_is_not_sealed_is_kept_whatever_its_age() {
    let mut rig = forgetful(86_400);
    rig.conform.targets.clear();
    let mut seal = crate::ledger::seal::Seal {
        batch_upto: 0,
        batch_after: 0,
        event_upto: 0,
        at_micros: 0,
        folder: String::new(),
        entities: Vec::new(),
        digest: String::new(),
    };
    rig.session().unwrap().drain();
    for round in 0..6 {
        rig.update(["1", "A", &format!("Ann {round}"), "2999-01-01"]);
        let mut session = rig.session().unwrap();
        session.drain();
        session.keep_house(Duration::ZERO).unwrap();
        let newest = session.mark.batch;
        drop(session);
        let kept = (1..=newest).filter(|id| rig.conform.ledger.batch(*id).is_ok()).min();
        assert_eq!(kept, Some(seal.batch_upto + 1), "round {round}");
        if round == 3 {
            seal.batch_upto = newest - 2;
            rig.conform.ledger.note_seal(&seal).unwrap();
        }
    }
}

#[test]
fn what_store_and_targets_have_is_thrown_away_and_a_replay_still_works() {
    let mut rig = forgetful(0);
    let target = |cursor| TargetFacts { cursor, ..TargetFacts::default() };
    rig.session().unwrap().drain();
    // Every event is a batch of its own here.
    let counts = |rig: &Rig| {
        let ledger = &rig.conform.ledger;
        let last = ledger.last_batch().unwrap().unwrap().id;
        (rig.events().len(), (1..=last).filter(|id| ledger.batch(*id).is_ok()).count())
    };
    let mut largest = (0, 0);
    for round in 0..20 {
        rig.update(["1", "A", &format!("Ann {round}"), "2999-01-01"]);
        let mut session = rig.session().unwrap();
        session.drain();
        session.keep_house(Duration::ZERO).unwrap();
        let found = counts(&rig);
        if round < 10 {
            // A target that was never opened, and one that stands still, need everything.
            assert_eq!(found.0, round + 1);
        } else {
            largest = (largest.0.max(found.0), largest.1.max(found.1));
        }
        let cursor = if round < 9 { 0 } else { session.mark.event_sequence };
        drop(session);
        if round > 3 {
            rig.conform.ledger.set_target("psa", &target(cursor)).unwrap();
        }
    }
    assert!(largest.0 <= 2 && largest.1 <= 3, "it grows: {largest:?}");
    // A parked event is needed, whatever the cursor says.
    let newest = rig.conform.ledger.last_batch().unwrap().unwrap().event_last;
    let parked = crate::ledger::parked::Parked {
        sequence: newest,
        entity: "worker".to_owned(),
        key: "A".to_owned(),
        state: crate::ledger::parked::ParkedState::Dead,
        class: "rejected".to_owned(),
        words: String::new(),
        attempts: 1,
        next_at_micros: 0,
        since_micros: 0,
    };
    let keys = [("worker".to_owned(), "A".to_owned())];
    rig.conform.ledger.settle("psa", newest, &keys, &[parked]).unwrap();
    for round in 0..3 {
        rig.update(["2", "B", &format!("Bob {round}"), "2999-01-01"]);
        let mut session = rig.session().unwrap();
        session.drain();
        session.keep_house(Duration::ZERO).unwrap();
    }
    assert_eq!(rig.conform.ledger.events_by_sequence(&[newest]).unwrap()[0].key, "A");
    rig.conform.ledger.settle("psa", newest + 3, &keys, &[]).unwrap();
    // A crash after housekeeping: the batch is replayed with what is left.
    rig.update(["1", "A", "Anna", "2999-01-01"]);
    let mut session = rig.session().unwrap();
    session.keep_house(Duration::ZERO).unwrap();
    let batch = session.land_only();
    drop(session);
    rig.restart();
    let mut session = rig.session().unwrap_or_else(|error| panic!("{}", error.chain()));
    assert_eq!(session.mark.batch, batch.id);
    session.keep_house(Duration::ZERO).unwrap();
    drop(session);
    // A target that is new begins with the oldest event there is, not with an error.
    let oldest = rig.conform.ledger.events(0, batch.event_last, 10).unwrap();
    assert_eq!(oldest.last().map(|event| event.sequence), Some(batch.event_last));
    assert!(oldest[0].sequence > 1);
    let error = rig.conform.ledger.events(1, batch.event_last, 10).unwrap_err();
    assert!(error.chain().contains("not in the ledger any more"), "{}", error.chain());
}
