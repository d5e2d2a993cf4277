//! The mirror against a model of a source: whatever interleaving of writers, chunks and log
//! there was, the mirror ends as the source ended.

mod killed;
mod reading;

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::change::{Column, Op, Position, RowChange};
use crate::store::collapse::key_of;
use crate::store::{Live, Mark, StoreLimits};
use reading::read_chunks;

fn table() -> Arc<Table> {
    let column = |name: &str, kind, key| Column {
        name: name.to_owned(),
        source_type: "any".to_owned(),
        kind,
        key,
    };
    Arc::new(Table {
        id: 1,
        name: TableName::new("public", "t"),
        columns: vec![
            column("id", Kind::Int { bytes: 4 }, Some(0)),
            column("v", Kind::Int { bytes: 4 }, None),
            column("big", Kind::Text, None),
        ],
        cascades: Vec::new(),
        left_out: Vec::new(),
        rows: None,
    })
}

fn open(folder: &std::path::Path) -> Store {
    Store::open(folder, StoreLimits { memory_bytes: 256 << 20, threads: 1 }, &Live::default())
        .unwrap()
}

/// id → (v, big)
type Rows = BTreeMap<i32, (i32, String)>;

/// A source: rows as committed so far, its log, and who can see what.
struct Source {
    rng: StdRng,
    committed: Rows,
    xid: u64,
    version: i32,
    log: Vec<Transaction>,
    /// In the log, but not yet visible to new snapshots (with the rows before them).
    invisible: Vec<(u64, Rows)>,
}

impl Source {
    fn new(seed: u64) -> Self {
        let committed = (1..=20).map(|id| (id, (0, format!("big{id}")))).collect();
        let rng = StdRng::seed_from_u64(seed);
        Self { rng, committed, xid: 100, version: 0, log: Vec::new(), invisible: Vec::new() }
    }

    fn cells(id: i32, v: i32, big: Option<&str>) -> Vec<Cell> {
        let big = big.map_or(Cell::Missing, Cell::text);
        vec![Cell::text(&id.to_string()), Cell::text(&v.to_string()), big]
    }

    fn key_only(id: i32) -> Vec<Cell> {
        vec![Cell::text(&id.to_string()), Cell::Missing, Cell::Missing]
    }

    /// A transaction of one to four statements; committed into the log at once.
    fn write(&mut self) {
        let before = self.committed.clone();
        let mut changes = Vec::new();
        if self.rng.random_ratio(1, 60) {
            self.committed.clear();
            changes.push(Change::Truncate(vec![table()]));
        }
        for _ in 0..self.rng.random_range(1..=4) {
            self.statement(&mut changes);
        }
        self.xid += 1;
        let position = Position::Lsn(self.xid);
        let id = TransactionId::Xid(self.xid);
        self.log.push(Transaction { id, position, committed_at_micros: 0, changes });
        if self.rng.random_ratio(1, 3) && self.invisible.is_empty() {
            self.invisible.push((self.xid, before));
        } else if self.rng.random_ratio(1, 2) {
            self.invisible.clear();
        } else if !self.invisible.is_empty() {
            // Row locks: whoever follows on the same rows is visible no earlier.
            self.invisible.push((self.xid, before));
        }
    }

    fn statement(&mut self, changes: &mut Vec<Change>) {
        self.version += 1;
        let v = self.version;
        let ids: Vec<i32> = self.committed.keys().copied().collect();
        let some = ids.get(self.rng.random_range(0..ids.len().max(1))).copied();
        let fresh = self.rng.random_range(1..40);
        let (op, old, new) = match (self.rng.random_range(0..10), some) {
            (0..=2, Some(id)) => {
                let row = self.committed.get_mut(&id).unwrap();
                row.0 = v;
                (Op::Update, None, Some(Self::cells(id, v, None)))
            }
            (3, Some(id)) => {
                let big = format!("new{v}");
                self.committed.insert(id, (v, big.clone()));
                (Op::Update, None, Some(Self::cells(id, v, Some(&big))))
            }
            (4..=6, Some(id)) if !self.committed.contains_key(&fresh) => {
                let (_, big) = self.committed.remove(&id).unwrap();
                self.committed.insert(fresh, (v, big));
                (Op::Update, Some(Self::key_only(id)), Some(Self::cells(fresh, v, None)))
            }
            (7, Some(id)) => {
                self.committed.remove(&id);
                (Op::Delete, Some(Self::key_only(id)), None)
            }
            _ if !self.committed.contains_key(&fresh) => {
                let big = format!("ins{v}");
                self.committed.insert(fresh, (v, big.clone()));
                (Op::Insert, None, Some(Self::cells(fresh, v, Some(&big))))
            }
            _ => return,
        };
        let [old, new] = [old, new].map(|row| row.map(Row::from));
        changes.push(Change::Row(RowChange { table: table(), op, old, new, cascades: false }));
    }

    /// What a new snapshot sees, and who it cannot see.
    fn snapshot(&self) -> (Rows, Visibility) {
        let rows = self.invisible.first().map_or(&self.committed, |(_, before)| before).clone();
        let running: Vec<u64> = self.invisible.iter().map(|(xid, _)| *xid).collect();
        let xmin = running.first().copied().unwrap_or(self.xid + 1);
        (rows, Visibility::Snapshot { xmin, xmax: self.xid + 1, running })
    }
}

struct Mirroring {
    store: Store,
    conformed: usize,
    batch: u64,
}

impl Mirroring {
    fn log(&mut self, source: &Source, upto: usize) {
        let batch: Vec<Placed> = source.log[self.conformed..upto]
            .iter()
            .map(|t| Placed { seq: 1, source: "erp".to_owned(), transaction: t.clone() })
            .collect();
        self.conformed = upto;
        if !batch.is_empty() {
            self.apply(|store| store.stage_log(batch.clone()));
        }
    }

    fn apply(&mut self, stage: impl FnOnce(&mut Store) -> Result<Vec<Touched>>) {
        self.store.begin().unwrap();
        let touched = stage(&mut self.store).unwrap();
        self.store.write_staged(&touched).unwrap();
        self.batch += 1;
        let mark = Mark { batch: self.batch, journal_seq: self.batch, ..Mark::default() };
        self.store.commit(mark, 0).unwrap();
    }

    fn chunk(&mut self, rows: &Rows, visibility: &Visibility) {
        let rows: Vec<(Key, Vec<Cell>)> = rows
            .iter()
            .map(|(id, (v, big))| Source::cells(*id, *v, Some(big)))
            .map(|cells| (key_of(&table(), &cells).unwrap(), cells))
            .collect();
        self.apply(|store| store.stage_chunk("erp", &table(), visibility, rows, 0));
    }

    fn rows(&self) -> Rows {
        let sql = "SELECT id, v, coalesce(big, 'NULL!') FROM erp.t ORDER BY id";
        let mut statement = self.store.connection().prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, i32>(0)?, (row.get(1)?, row.get::<_, String>(2)?)))
        });
        let rows: Vec<_> = rows.unwrap().map(|row| row.unwrap()).collect();
        assert_eq!(
            rows.len(),
            rows.iter().map(|(id, _)| id).collect::<std::collections::BTreeSet<_>>().len(),
            "a key is there twice"
        );
        rows.into_iter().collect()
    }
}

/// One copy under writers. The log and the chunks interleave at random; a chunk is conformed
/// after everything it saw, and before an arbitrary part of what it did not see.
fn copy_under_writers(seed: u64, sessions: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut source = Source::new(seed);
    let mut mirroring = Mirroring { store: open(folder.path()), conformed: 0, batch: 0 };
    mirroring.store.begin_copy("erp", "t", &table()).unwrap();
    read_chunks(&mut source, &mut mirroring, sessions);
    let name = table().name.clone();
    mirroring.store.begin().unwrap();
    assert!(mirroring.store.finish_copy("erp", &name).unwrap());
    mirroring.store.commit(Mark { batch: 9999, ..Mark::default() }, 0).unwrap();
    for _ in 0..30 {
        source.write();
    }
    mirroring.log(&source, source.log.len());
    assert_eq!(mirroring.rows(), source.committed, "seed {seed}");
}

/// A mirror that somebody has tampered with is copied again under writers.
fn resync_under_writers(seed: u64, sessions: usize) -> (u64, u64) {
    let folder = tempfile::tempdir().unwrap();
    let mut source = Source::new(seed);
    let mut mirroring = Mirroring { store: open(folder.path()), conformed: 0, batch: 0 };
    let name = table().name.clone();
    mirroring.store.begin_copy("erp", "t", &table()).unwrap();
    read_chunks(&mut source, &mut mirroring, sessions);
    mirroring.apply(|store| store.finish_copy("erp", &name).map(|_| Vec::new()));
    mirroring.log(&source, source.log.len());
    source.invisible.clear();
    // WHEN rows are lost, invented, doubled, swapped and changed
    for id in 1..40 {
        let sql = match source.rng.random_range(0..12) {
            0 => format!("DELETE FROM erp.t WHERE id = {id}"),
            1 => format!(
                "INSERT INTO erp.t SELECT {id}, 7, 'x' WHERE {id} NOT IN (FROM (SELECT id FROM erp.t))"
            ),
            2 => format!("INSERT INTO erp.t SELECT * FROM erp.t WHERE id = {id}"),
            3 => format!("UPDATE erp.t SET v = v + 1 WHERE id = {id}"),
            4 => format!("UPDATE erp.t SET big = NULL WHERE id = {id}"),
            5 => format!("UPDATE erp.t SET id = 1000 + id WHERE id = {id}"),
            _ => continue,
        };
        mirroring.store.connection().execute(&sql, []).unwrap();
    }
    // THEN a resync brings every row back, whatever is written meanwhile
    mirroring
        .apply(|store| Ok(vec![store.begin_resync(("erp", &name), true, 5).unwrap().unwrap()]));
    read_chunks(&mut source, &mut mirroring, sessions);
    mirroring.apply(|store| Ok(vec![store.end_resync(("erp", &name), None, 9).unwrap().unwrap()]));
    mirroring.apply(|store| store.finish_copy("erp", &name).map(|_| Vec::new()));
    mirroring.log(&source, source.log.len());
    assert_eq!(mirroring.rows(), source.committed, "seed {seed}");
    let noted =
        "SELECT epoch_us(began_at), epoch_us(ended_at), rows_mended, rows_removed FROM ops.resync";
    let read = |row: &duckdb::Row<'_>| {
        let times: (i64, i64) = (row.get(0)?, row.get(1)?);
        assert_eq!(times, (5, 9));
        Ok((row.get(2)?, row.get(3)?))
    };
    mirroring.store.connection().query_row(noted, [], read).unwrap()
}

#[test]
fn a_resync_under_writers_mends_everything_and_removes_what_the_source_does_not_have() {
    let (mut mended, mut removed) = (0, 0);
    for (seed, sessions) in (0..20).flat_map(|seed| [(seed, 1), (seed, 4)]) {
        let (these, those) = resync_under_writers(seed, sessions);
        (mended, removed) = (mended + these, removed + those);
    }
    assert!(mended > 40 && removed > 40, "{mended} mended, {removed} removed");
}

#[test]
fn a_resync_of_what_is_right_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let source = Source::new(1);
    let mut mirroring = Mirroring { store: open(folder.path()), conformed: 0, batch: 0 };
    let name = table().name.clone();
    mirroring.store.begin_copy("erp", "t", &table()).unwrap();
    let (rows, visibility) = source.snapshot();
    mirroring.chunk(&rows, &visibility);
    assert_eq!(
        mirroring.store.begin_resync(("erp", &name), true, 1).unwrap(),
        None,
        "not while it is copied"
    );
    mirroring.apply(|store| store.finish_copy("erp", &name).map(|_| Vec::new()));
    mirroring.apply(|store| store.begin_resync(("erp", &name), true, 2).map(Vec::from_iter));
    let staged = |store: &mut Store| {
        let cells = |(id, (v, big)): (&i32, &(i32, String))| Source::cells(*id, *v, Some(big));
        let keyed = |cells: Vec<Cell>| (key_of(&table(), &cells).unwrap(), cells);
        let rows = rows.iter().map(cells).map(keyed).collect();
        store.stage_chunk("erp", &table(), &visibility, rows, 0)
    };
    mirroring.apply(|store| {
        let touched = staged(store)?;
        assert_eq!(touched, Vec::new(), "nothing is evaluated");
        Ok(touched)
    });
    let reader = mirroring.store.reader().unwrap();
    let under_way = resync::under_way(&reader).unwrap();
    assert_eq!((under_way[0].rows_read, under_way[0].rows_mended), (20, 0));
}

#[test]
fn a_copy_under_writers_ends_as_the_source_ended() {
    for seed in 0..20 {
        copy_under_writers(seed, 1);
        copy_under_writers(seed, 4);
    }
}

#[test]
fn a_value_its_type_cannot_hold_widens_the_column_and_is_kept_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let mut dated = Table::clone(&table());
    dated.columns[1].kind = Kind::Date;
    let dated = Arc::new(dated);
    let mut store = open(folder.path());
    store.begin_copy("erp", "t", &dated).unwrap();
    let mut insert = |id: &str, date: &str| {
        let new = Some(vec![Cell::text(id), Cell::text(date), Cell::Null].into());
        let change = RowChange {
            table: Arc::clone(&dated),
            op: Op::Insert,
            old: None,
            new,
            cascades: false,
        };
        let transaction = Transaction {
            id: TransactionId::Xid(1),
            position: Position::Lsn(1),
            committed_at_micros: 0,
            changes: vec![Change::Row(change)],
        };
        store.begin().unwrap();
        let placed = Placed { seq: 1, source: "erp".to_owned(), transaction };
        let touched = store.stage_log(vec![placed]).unwrap();
        store.write_staged(&touched).unwrap();
        store.commit(Mark::default(), 0).unwrap();
    };
    insert("1", "2026-11-22");
    insert("2", "0044-03-15 BC");
    insert("3", "2026-11-23");
    let reader = store.reader().unwrap();
    let rows = reader.query("SELECT v FROM erp.t ORDER BY id", 10).unwrap();
    let text = |text: &str| vec![Some(text.to_owned())];
    assert_eq!(rows.rows, vec![text("2026-11-22"), text("0044-03-15 BC"), text("2026-11-23")]);
    let kept = reader.query("SELECT old, new FROM changes.m197001 WHERE new->>'id' = '2'", 10);
    let json = r#"{"id":"2","v":"0044-03-15 BC","big":null}"#.to_owned();
    assert_eq!(kept.unwrap().rows, vec![vec![None, Some(json)]]);
}

/// Values that are there when a column becomes text are then as the log would spell them.
#[test]
fn a_column_that_becomes_text_has_its_values_as_the_server_prints_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut dated = Table::clone(&table());
    dated.columns[1] = Column {
        source_type: "datetime(3)".to_owned(),
        kind: Kind::Timestamp,
        ..dated.columns[1].clone()
    };
    let dated = Arc::new(dated);
    let mut mirroring = Mirroring { store: open(folder.path()), conformed: 0, batch: 0 };
    mirroring.store.begin_copy("erp", "t", &dated).unwrap();
    for (id, at) in [("1", "2026-11-22 01:02:03.500"), ("2", "0000-00-00 00:00:00.000")] {
        let visibility = Visibility::Snapshot { xmin: 50, xmax: 50, running: Vec::new() };
        let cells = vec![Cell::text(id), Cell::text(at), Cell::Null];
        let rows = vec![(key_of(&dated, &cells).unwrap(), cells)];
        mirroring.apply(|store| store.stage_chunk("erp", &dated, &visibility, rows, 0));
    }
    let rows =
        mirroring.store.reader().unwrap().query("SELECT v FROM erp.t ORDER BY id", 9).unwrap();
    let text = |text: &str| vec![Some(text.to_owned())];
    assert_eq!(rows.rows, [text("2026-11-22 01:02:03.500"), text("0000-00-00 00:00:00.000")]);
}

/// What a resync has shown of a key is still shown when the key becomes text.
#[test]
fn a_key_that_becomes_text_in_the_midst_of_a_resync_removes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut dated = Table::clone(&table());
    dated.columns[0].source_type = "datetime(3)".to_owned();
    dated.columns[0].kind = Kind::Timestamp;
    let (dated, name) = (Arc::new(dated), table().name.clone());
    let mut mirroring = Mirroring { store: open(folder.path()), conformed: 0, batch: 0 };
    mirroring.store.begin_copy("erp", "t", &dated).unwrap();
    let chunk = |store: &mut Store, keys: &[&str]| {
        let visibility = Visibility::Snapshot { xmin: 50, xmax: 50, running: Vec::new() };
        let cells = |key: &&str| vec![Cell::text(key), Cell::text("1"), Cell::Null];
        let keyed = |cells: Vec<Cell>| (key_of(&dated, &cells).unwrap(), cells);
        store.stage_chunk(
            "erp",
            &dated,
            &visibility,
            keys.iter().map(cells).map(keyed).collect(),
            0,
        )
    };
    let (half, none) = ("2026-11-22 01:02:03.500", "2026-11-22 01:02:03.000");
    mirroring.apply(|store| chunk(store, &[half, none]));
    mirroring.apply(|store| store.finish_copy("erp", &name).map(|_| Vec::new()));
    mirroring.apply(|store| store.begin_resync(("erp", &name), true, 1).map(Vec::from_iter));
    mirroring.apply(|store| chunk(store, &[half, none]));
    mirroring.apply(|store| chunk(store, &["0000-00-00 00:00:00.000"]));
    mirroring.apply(|store| store.end_resync(("erp", &name), None, 2).map(Vec::from_iter));
    let rows =
        mirroring.store.reader().unwrap().query("SELECT id FROM erp.t ORDER BY id", 9).unwrap();
    let found: Vec<String> = rows.rows.into_iter().filter_map(|mut row| row.remove(0)).collect();
    assert_eq!(found, ["0000-00-00 00:00:00.000", none, half]);
}

/// A TRUNCATE must be remembered for the chunks, whatever else its batch brings.
#[test]
fn a_column_that_widens_with_a_truncate_does_not_bring_back_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut dated = Table::clone(&table());
    dated.columns[1].kind = Kind::Date;
    let dated = Arc::new(dated);
    let mut mirroring = Mirroring { store: open(folder.path()), conformed: 0, batch: 0 };
    mirroring.store.begin_copy("erp", "t", &dated).unwrap();
    let row = |id: &str, date: &str| vec![Cell::text(id), Cell::text(date), Cell::Null];
    let new = Some(row("1", "0044-03-15 BC").into());
    let table = Arc::clone(&dated);
    let insert = RowChange { table, op: Op::Insert, old: None, new, cascades: false };
    let transaction = Transaction {
        id: TransactionId::Xid(50),
        position: Position::Lsn(50),
        committed_at_micros: 0,
        changes: vec![Change::Truncate(vec![Arc::clone(&dated)]), Change::Row(insert)],
    };
    let placed = Placed { seq: 1, source: "erp".to_owned(), transaction };
    mirroring.apply(|store| store.stage_log(vec![placed]));
    let visibility = Visibility::Snapshot { xmin: 50, xmax: 50, running: Vec::new() };
    let old = [row("1", "2026-11-22"), row("2", "2026-11-22")];
    let keyed = |cells: Vec<Cell>| (key_of(&dated, &cells).unwrap(), cells);
    let rows = old.into_iter().map(keyed).collect();
    mirroring.apply(|store| store.stage_chunk("erp", &dated, &visibility, rows, 0));
    let reader = mirroring.store.reader().unwrap();
    let rows = reader.query("SELECT v FROM erp.t", 10).unwrap();
    assert_eq!(rows.rows, vec![vec![Some("0044-03-15 BC".to_owned())]]);
}

#[test]
fn readers_cannot_write_whatever_they_send() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let reader = store.reader().unwrap();
    for sql in [
        "DELETE FROM ops.mark",
        "INSERT INTO ops.mark VALUES (1, 1, 1, now())",
        "WITH d AS (DELETE FROM ops.mark RETURNING *) SELECT * FROM d",
        "SELECT 1; DELETE FROM ops.mark",
        "COPY ops.mark TO '/tmp/x'",
        "ATTACH ':memory:' AS m",
        "CREATE TEMP TABLE x (a INT)",
        "SET threads = 1",
        "CHECKPOINT",
    ] {
        assert!(reader.query(sql, 1).is_err(), "{sql}");
    }
    let rows = reader.query("SELECT * FROM range(5) AS t(n)", 3).unwrap();
    assert_eq!((rows.rows.len(), rows.cut), (3, true));
}
