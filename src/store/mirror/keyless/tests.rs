//! A mirror without a key against a multiset: whatever interleaving of writers, readings of the table and
//! log there was, the mirror has every row as often as the source, and numbers equals densely.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::change::keyless::fill_up;
use crate::change::schema::Cascade;
use crate::change::{Change, Column, Kind, Op, Position, RowChange, TableName, Transaction};
use crate::store::mirror::Placed;
use crate::store::{Live, Mark, StoreLimits};

/// How often each row is there: a number, and a text or NULL.
type Rows = BTreeMap<(i32, Option<String>), i64>;

fn table() -> Table {
    let column = |name: &str, kind| {
        let (name, source_type) = (name.to_owned(), "any".to_owned());
        Column { name, source_type, kind, key: None }
    };
    let columns = vec![column("n", Kind::Int { bytes: 4 }), column("txt", Kind::Text)];
    let name = TableName::new("public", "log");
    let follows = |column: &str, parent: &str, [on_delete, on_update]: [&str; 2]| Cascade {
        parent: TableName::new("public", parent),
        columns: vec![(column.to_owned(), "id".to_owned())],
        on_delete: on_delete.to_owned(),
        on_update: on_update.to_owned(),
        ignores_case: true,
    };
    let cascades = vec![
        follows("n", "numbers", ["CASCADE", "CASCADE"]),
        follows("txt", "texts", ["SET NULL", "CASCADE"]),
    ];
    Table { id: 1, name, columns, cascades, left_out: Vec::new(), rows: None }.with_own_key()
}

/// What rows follow, by their number or their text, unseen.
fn parent(name: &str, kind: Kind) -> Table {
    let id = Column { name: "id".to_owned(), source_type: "any".to_owned(), kind, key: Some(0) };
    let (id_of, name) = (u64::try_from(name.len()).unwrap(), TableName::new("public", name));
    let (cascades, left_out) = (Vec::new(), Vec::new());
    Table { id: id_of, name, columns: vec![id], cascades, left_out, rows: None }
}

fn parents() -> [Table; 2] {
    [parent("numbers", Kind::Int { bytes: 4 }), parent("texts", Kind::Text)]
}

fn cells((n, txt): &(i32, Option<String>)) -> Vec<Cell> {
    let txt = txt.as_deref().map_or(Cell::Null, Cell::text);
    let mut cells = vec![Cell::text(&n.to_string()), txt];
    fill_up(&table(), &mut cells);
    cells
}

/// A source: rows as committed, its log, and the transactions that snapshots cannot see yet.
struct Source {
    rng: StdRng,
    rows: Rows,
    xid: u64,
    log: Vec<Transaction>,
    invisible: Option<(u64, Rows)>,
}

impl Source {
    fn some_row(&mut self) -> (i32, Option<String>) {
        let txt =
            ["", "a", "A", "b"].get(self.rng.random_range(0..5_usize)).map(|txt| (*txt).to_owned());
        (self.rng.random_range(1..4), txt)
    }

    fn there(&mut self) -> Option<(i32, Option<String>)> {
        let all: Vec<_> = self.rows.keys().cloned().collect();
        all.get(self.rng.random_range(0..all.len().max(1))).cloned()
    }

    fn take(&mut self, row: &(i32, Option<String>)) {
        let count = self.rows.get_mut(row).unwrap();
        *count -= 1;
        if *count == 0 {
            self.rows.remove(row);
        }
    }

    /// A row that others follow goes, or gets another key; and they with it, of which the log says nothing.
    fn change_parent(&mut self) -> RowChange {
        let [numbers, texts] = parents();
        let rows = std::mem::take(&mut self.rows);
        let (table, old, new) = if self.rng.random_ratio(1, 2) {
            let was = self.rng.random_range(1..4);
            let becomes = self.rng.random_ratio(1, 2).then(|| was % 3 + 1);
            for ((n, txt), count) in rows {
                let n = if n == was { becomes } else { Some(n) };
                if let Some(n) = n {
                    *self.rows.entry((n, txt)).or_default() += count;
                }
            }
            (numbers, was.to_string(), becomes.map(|new| new.to_string()))
        } else {
            let was = ["a", "B"][self.rng.random_range(0..2_usize)].to_owned();
            let becomes = self.rng.random_ratio(1, 2).then(|| "b".to_owned());
            for ((n, txt), count) in rows {
                let follows = txt.as_ref().is_some_and(|txt| txt.eq_ignore_ascii_case(&was));
                let txt = if follows { becomes.clone() } else { txt };
                *self.rows.entry((n, txt)).or_default() += count;
            }
            (texts, was, becomes)
        };
        let op = if new.is_some() { Op::Update } else { Op::Delete };
        let row = |id: String| vec![Cell::text(&id)].into();
        let (old, new) = (Some(row(old)), new.map(row));
        RowChange { table: Arc::new(table), op, old, new, cascades: true }
    }

    fn write(&mut self) {
        let before = self.rows.clone();
        let (table, mut changes) = (Arc::new(table()), Vec::new());
        for _ in 0..self.rng.random_range(1..6) {
            let (new, old) = (self.some_row(), self.there());
            let (op, old, new) = match (self.rng.random_range(0..26), old) {
                (0, _) => {
                    self.rows.clear();
                    changes.push(Change::Truncate(vec![Arc::clone(&table)]));
                    continue;
                }
                (20.., _) => {
                    changes.push(Change::Row(self.change_parent()));
                    continue;
                }
                (1..6, Some(old)) => (Op::Delete, Some(old), None),
                (6..12, Some(old)) => (Op::Update, Some(old), Some(new)),
                _ => (Op::Insert, None, Some(new)),
            };
            if let Some(old) = &old {
                self.take(old);
            }
            if let Some(new) = &new {
                *self.rows.entry(new.clone()).or_default() += 1;
            }
            let [old, new] = [old, new].map(|row| row.as_ref().map(|row| cells(row).into()));
            let table = Arc::clone(&table);
            changes.push(Change::Row(RowChange { table, op, old, new, cascades: false }));
        }
        self.xid += 1;
        let (id, position) = (TransactionId::Xid(self.xid), Position::Lsn(self.xid));
        self.log.push(Transaction { id, position, committed_at_micros: 0, changes });
        match self.rng.random_range(0..3) {
            0 if self.invisible.is_none() => self.invisible = Some((self.xid, before)),
            1 => self.invisible = None,
            _ => {}
        }
    }

    fn snapshot(&self) -> (Rows, Visibility) {
        let (xmin, rows) = match &self.invisible {
            Some((xid, before)) => (*xid, before.clone()),
            None => (self.xid + 1, self.rows.clone()),
        };
        let running = (xmin..=self.xid).collect();
        (rows, Visibility::Snapshot { xmin, xmax: self.xid + 1, running })
    }

    /// Transactions of the log that a snapshot sees.
    fn seen(&self, visibility: &Visibility) -> usize {
        self.log.iter().filter(|one| visibility.sees(one.id).unwrap()).count()
    }
}

struct Mirroring {
    store: Store,
    conformed: usize,
    batch: u64,
    rng: StdRng,
}

impl Mirroring {
    fn apply(&mut self, stage: impl Fn(&mut Store) -> Vec<Touched>) {
        if self.rng.random_ratio(1, 4) {
            // A batch that is given up, and done once more.
            self.store.begin().unwrap();
            let touched = stage(&mut self.store);
            self.store.write_staged(&touched).unwrap();
            self.store.rollback().unwrap();
        }
        self.store.begin().unwrap();
        let touched = stage(&mut self.store);
        self.store.write_staged(&touched).unwrap();
        self.batch += 1;
        let mark = Mark { batch: self.batch, journal_seq: self.batch, ..Mark::default() };
        self.store.commit(mark, 0).unwrap();
    }

    fn log(&mut self, source: &Source, upto: usize) {
        let placed = |transaction: &Transaction| Placed {
            seq: 1,
            source: "erp".to_owned(),
            transaction: transaction.clone(),
        };
        let range = self.conformed..upto.max(self.conformed);
        let batch: Vec<Placed> = source.log[range.clone()].iter().map(placed).collect();
        self.conformed = range.end;
        if !batch.is_empty() {
            self.apply(|store| store.stage_log(batch.clone()).unwrap());
        }
    }

    fn piece(&mut self, visibility: &Visibility, piece: &Piece, last: bool, rows: &[Vec<Cell>]) {
        self.apply(|store| {
            let seen = (visibility, Some(piece), last);
            let touched = store.stage_piece("erp", &table(), seen, rows, 0);
            touched.unwrap().into_iter().collect()
        });
    }

    /// Every row as often as it is there; equals are numbered from 1.
    fn rows(&self) -> Rows {
        let sql = "SELECT n, txt, count(*), max(_nth), count(DISTINCT (_row, _nth)),
                   count(DISTINCT _row) FROM erp.log GROUP BY ALL";
        let mut statement = self.store.connection().prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            let numbers: [i64; 4] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?];
            Ok(((row.get(0)?, row.get(1)?), numbers))
        });
        let counted = rows.unwrap().map(|row| {
            let (row, [count, highest, distinct, hashes]) = row.unwrap();
            assert_eq!([highest, distinct, hashes], [count, count, 1], "{row:?}");
            (row, count)
        });
        counted.collect()
    }
}

/// A copy under writers, with readings that are given up and parts of them that come late.
fn copy_under_writers(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let limits = StoreLimits { memory_bytes: 256 << 20, threads: 1 };
    let mut store = Store::open(folder.path(), limits, &Live::default()).unwrap();
    store.begin_copy("erp", "log", &table()).unwrap();
    for parent in parents() {
        store.begin_copy("erp", &parent.name.name, &parent).unwrap();
        store.finish_copy("erp", &parent.name).unwrap();
    }
    let rng = StdRng::seed_from_u64(seed);
    let rows = BTreeMap::from([((1, None), 3), ((2, Some("a".to_owned())), 2)]);
    let mut source = Source { rng: rng.clone(), rows, xid: 100, log: Vec::new(), invisible: None };
    let mut mirroring = Mirroring { store, conformed: 0, batch: 0, rng };
    let readings = source.rng.random_range(1..4);
    let mut late: Option<(Piece, Visibility, Vec<Vec<Cell>>)> = None;
    for reading in 0..readings {
        (0..source.rng.random_range(0..5)).for_each(|_| source.write());
        let (rows, visibility) = source.snapshot();
        let all: Vec<Vec<Cell>> =
            rows.iter().flat_map(|(row, count)| (0..*count).map(|_| cells(row))).collect();
        let width = source.rng.random_range(1..5);
        let mut parts: Vec<&[Vec<Cell>]> = all.chunks(width).collect();
        parts.push(&[]);
        let is_last_reading = reading + 1 == readings;
        let given_up_at = source.rng.random_range(0..parts.len() as u64);
        for (number, rows) in (0_u64..).zip(&parts) {
            (0..source.rng.random_range(0..4)).for_each(|_| source.write());
            // Everything that it saw is conformed before, and some of what it did not see.
            let seen = source.seen(&visibility);
            let upto = source.rng.random_range(seen..=source.log.len());
            mirroring.log(&source, upto);
            let piece = Piece { scan: format!("scan {reading}"), number };
            let last = piece.number + 1 == parts.len() as u64;
            mirroring.piece(&visibility, &piece, last, rows);
            if let Some((piece, visibility, rows)) = late.take() {
                mirroring.piece(&visibility, &piece, true, &rows);
            }
            if !is_last_reading && number >= given_up_at {
                let piece = Piece { number: number + 1, ..piece };
                late = Some((piece, visibility.clone(), rows.to_vec()));
                break;
            }
        }
    }
    mirroring.log(&source, source.log.len());
    assert_eq!(mirroring.rows(), source.rows, "seed {seed}: copied");
    assert!(mirroring.store.finish_copy("erp", &table().name).unwrap(), "seed {seed}");
    (0..source.rng.random_range(0..20)).for_each(|_| source.write());
    while mirroring.conformed < source.log.len() {
        let upto = source.rng.random_range(mirroring.conformed..=source.log.len());
        mirroring.log(&source, upto);
    }
    assert_eq!(mirroring.rows(), source.rows, "seed {seed}: followed");
    assert!(mirroring.store.unproven().unwrap().0.is_empty(), "seed {seed}");
}

#[test]
fn whatever_writers_and_readings_do_a_mirror_without_a_key_has_every_row_as_often() {
    for seed in 0..60 {
        copy_under_writers(seed);
    }
}

fn begun(folder: &std::path::Path) -> Mirroring {
    let limits = StoreLimits { memory_bytes: 256 << 20, threads: 1 };
    let mut store = Store::open(folder, limits, &Live::default()).unwrap();
    store.begin_copy("erp", "log", &table()).unwrap();
    Mirroring { store, conformed: 0, batch: 0, rng: StdRng::seed_from_u64(1) }
}

fn deletes(row: (i32, Option<String>), xid: u64) -> Transaction {
    let table = Arc::new(table());
    let old = Some(cells(&row).into());
    let row = RowChange { table, op: Op::Delete, old, new: None, cascades: false };
    let (id, position) = (TransactionId::Xid(xid), Position::Lsn(xid));
    Transaction { id, position, committed_at_micros: 0, changes: vec![Change::Row(row)] }
}

#[test]
fn a_copy_that_does_not_explain_the_log_is_made_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let source = |log| Source {
        rng: StdRng::seed_from_u64(1),
        rows: Rows::new(),
        xid: 100,
        log,
        invisible: None,
    };
    let visibility = Visibility::Snapshot { xmin: 100, xmax: 100, running: Vec::new() };
    let piece = Piece { scan: "scan".to_owned(), number: 0 };
    let is_outdated = |mirroring: &mut Mirroring| {
        mirroring.store.begin().unwrap();
        let is_ready = mirroring.store.finish_copy("erp", &table().name).unwrap();
        let (_, waiting) = mirroring.store.unproven().unwrap();
        mirroring.store.rollback().unwrap();
        !is_ready && waiting["erp"]["public.log"]
    };
    // Not whole: its last part never came.
    let mut mirroring = begun(folder.path());
    mirroring.piece(&visibility, &piece, false, &[cells(&(1, None))]);
    assert!(is_outdated(&mut mirroring));
    // Whole, but a row went that no part brought.
    let folder = tempfile::tempdir().unwrap();
    let mut mirroring = begun(folder.path());
    mirroring.piece(&visibility, &piece, true, &[cells(&(1, None))]);
    mirroring.log(&source(vec![deletes((2, None), 101)]), 1);
    assert!(is_outdated(&mut mirroring));
}

#[test]
fn a_row_that_goes_and_is_not_there_makes_its_table_unproven() {
    let folder = tempfile::tempdir().unwrap();
    let mut mirroring = begun(folder.path());
    let visibility = Visibility::Snapshot { xmin: 100, xmax: 100, running: Vec::new() };
    let piece = Piece { scan: "scan".to_owned(), number: 0 };
    mirroring.piece(&visibility, &piece, true, &[cells(&(1, None)), cells(&(1, None))]);
    assert!(mirroring.store.finish_copy("erp", &table().name).unwrap());
    let mut source = Source {
        rng: StdRng::seed_from_u64(1),
        rows: Rows::new(),
        xid: 100,
        log: vec![deletes((1, None), 101)],
        invisible: None,
    };
    mirroring.log(&source, 1);
    assert_eq!(mirroring.rows(), BTreeMap::from([((1, None), 1)]));
    assert!(mirroring.store.unproven().unwrap().0.is_empty());
    source.log.push(deletes((7, None), 102));
    mirroring.log(&source, 2);
    assert_eq!(mirroring.rows(), BTreeMap::from([((1, None), 1)]));
    let (_, waiting) = mirroring.store.unproven().unwrap();
    assert!(waiting["erp"].contains_key("public.log"), "it is copied again");
}

proptest! {
    #[test]
    fn what_is_owed_is_never_lost(before in 0..9_u64, owed in 0..9_u64, more in -20..20_i64) {
        // Where rows are owed, none of them are there.
        let before = if owed > 0 { 0 } else { before };
        let now = moved(before, owed, more);
        let sum = |there: u64, owed: u64| i64::try_from(there).unwrap() - i64::try_from(owed).unwrap();
        prop_assert_eq!(sum(now.after, now.owed), sum(before, owed) + more);
        prop_assert!(now.after == 0 || now.owed == 0);
    }
}
