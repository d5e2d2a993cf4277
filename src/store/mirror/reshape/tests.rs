//! The mirror against a model of a table whose columns come, go, and change under writers: every value
//! that the log cannot tell is brought by the copies that the mirror asks for.

mod model;

use model::{Moment, Source};
use rand::Rng;

use super::*;
use crate::change::{Kind, Transaction, Visibility};
use crate::store::collapse::key_of;
use crate::store::mirror::Touched;
use crate::store::{Live, Mark, StoreLimits};

struct Mirroring {
    store: Store,
    conformed: usize,
    batches: u64,
}

impl Mirroring {
    /// Has copied the table once.
    fn new(folder: &std::path::Path, source: &mut Source) -> Self {
        let limits = StoreLimits { memory_bytes: 256 << 20, threads: 1 };
        let store = Store::open(folder, limits, &Live::default()).unwrap();
        let mut mirroring = Self { store, conformed: 0, batches: 0 };
        let table = source.now.table();
        mirroring.store.begin_copy("erp", "t", &table).unwrap();
        let ids: Vec<i32> = source.now.rows.keys().copied().collect();
        mirroring.chunk(&source.now.clone(), &ids, &source.sees_all());
        mirroring.apply(|store| store.finish_copy("erp", &table.name).map(|_| Vec::new()));
        mirroring
    }

    /// A row with the columns of now is in the log, and conformed.
    fn shown(&mut self, source: &mut Source) {
        let mut changes = Vec::new();
        while changes.is_empty() {
            source.statement(&mut changes);
        }
        source.commit(changes);
        self.all(source);
    }

    fn apply(&mut self, stage: impl FnOnce(&mut Store) -> Result<Vec<Touched>>) {
        self.store.begin().unwrap();
        let touched = stage(&mut self.store).unwrap();
        self.store.write_staged(&touched).unwrap();
        self.batches += 1;
        let mark = Mark { batch: self.batches, journal_seq: self.batches, ..Mark::default() };
        self.store.commit(mark, 0).unwrap();
    }

    /// Conforms the log up to a place, in batches.
    fn log(&mut self, source: &mut Source, upto: usize) {
        while self.conformed < upto {
            let end = source.rng.random_range(self.conformed + 1..=upto);
            let placed = |(transaction, _): &(Transaction, Moment)| Placed {
                seq: 1,
                source: "erp".to_owned(),
                transaction: transaction.clone(),
            };
            let mut batch: Vec<Placed> =
                source.log[self.conformed..end].iter().map(placed).collect();
            self.apply(|store| {
                store.follow_columns(&mut batch)?;
                store.stage_log(batch)
            });
            self.conformed = end;
            self.keys_and_v_are_those(&source.log[end - 1].1);
        }
    }

    fn all(&mut self, source: &mut Source) {
        let upto = source.log.len();
        self.log(source, upto);
    }

    /// Which rows there are, and values of a column that never changes, are always right.
    fn keys_and_v_are_those(&self, moment: &Moment) {
        let v = moment.columns[0].number;
        let expected: Vec<String> = moment
            .rows
            .iter()
            .map(|(id, values)| format!("{id}|{}", values[&v].clone().unwrap()))
            .collect();
        assert_eq!(self.lines("SELECT id, v FROM erp.t ORDER BY id"), expected);
    }

    fn lines(&self, sql: &str) -> Vec<String> {
        let rows = self.store.reader().unwrap().query(sql, 1_000).unwrap().rows;
        let cell = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_owned());
        rows.into_iter()
            .map(|row| row.into_iter().map(cell).collect::<Vec<_>>().join("|"))
            .collect()
    }

    fn text(&self) -> Vec<String> {
        let table = TableName::new("public", "t");
        let columns = &self.store.mirrors.of("erp", &table).unwrap().table.columns;
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let mut lines = vec![names.join("|")];
        lines.extend(self.lines("SELECT * FROM erp.t ORDER BY id"));
        lines
    }

    fn chunk(&mut self, moment: &Moment, ids: &[i32], visibility: &Visibility) {
        let table = moment.table();
        let keyed = |id: &i32| {
            let cells = moment.cells(*id, None);
            (key_of(&table, &cells).unwrap(), cells)
        };
        let rows = ids.iter().map(keyed).collect();
        self.apply(|store| {
            store.follow_chunk("erp", &table, visibility)?;
            store.stage_chunk("erp", &table, visibility, rows, 0)
        });
    }

    /// Reads the table in chunks while people write, and again what lacks cells.
    fn read(&mut self, source: &mut Source, writes: usize) {
        let mut after = 0;
        loop {
            let (moment, visibility, seen) =
                (source.now.clone(), source.sees_all(), source.log.len());
            for _ in 0..source.rng.random_range(0..=writes) {
                source.write();
            }
            let upto = source.rng.random_range(seen.max(self.conformed)..=source.log.len());
            self.log(source, upto);
            let ids: Vec<i32> = moment.rows.range(after + 1..).take(5).map(|(id, _)| *id).collect();
            self.chunk(&moment, &ids, &visibility);
            match ids.last() {
                Some(last) => after = *last,
                None => break,
            }
        }
        let name = source.now.table().name.clone();
        for _ in 0..20 {
            let lacking = self.store.lacking_keys("erp", &name).unwrap();
            if lacking.is_empty() {
                break;
            }
            let is_asked = |id: &&i32| lacking.contains(&vec![Cell::text(&id.to_string())]);
            let ids: Vec<i32> = source.now.rows.keys().filter(is_asked).copied().collect();
            self.all(source);
            let (moment, visibility) = (source.now.clone(), source.sees_all());
            self.chunk(&moment, &ids, &visibility);
        }
    }

    fn resync(&mut self, source: &mut Source, writes: usize) {
        let name = source.now.table().name.clone();
        self.all(source);
        self.apply(|store| Ok(Vec::from_iter(store.begin_resync(("erp", &name), true, 1)?)));
        self.read(source, writes);
        self.apply(|store| Ok(Vec::from_iter(store.end_resync(("erp", &name), None, 2)?)));
        self.apply(|store| store.finish_copy("erp", &name).map(|_| Vec::new()));
    }

    fn is_unproven(&self) -> bool {
        !self.store.unproven().unwrap().1.is_empty()
    }
}

/// Writers, changes of columns, and resyncs that begin because the mirror asks for them. Returns how many
/// there were of both.
fn columns_under_writers(seed: u64) -> (u32, u32) {
    let folder = tempfile::tempdir().unwrap();
    let mut source = Source::new(seed);
    let mut mirroring = Mirroring::new(folder.path(), &mut source);
    let mut resyncs = 0;
    for _ in 0..6 {
        for _ in 0..source.rng.random_range(1..6) {
            source.write();
        }
        mirroring.all(&mut source);
        if mirroring.is_unproven() || source.rng.random_ratio(1, 6) {
            mirroring.resync(&mut source, 3);
            resyncs += 1;
        }
    }
    // WHEN a row or a copy has shown the columns, and what is unproven was copied again
    match source.rng.random() {
        true => mirroring.shown(&mut source),
        false => mirroring.resync(&mut source, 0),
    }
    mirroring.all(&mut source);
    let mut rounds = 0;
    while mirroring.is_unproven() {
        mirroring.resync(&mut source, 0);
        rounds += 1;
        assert!(rounds < 3, "seed {seed}: a copy under no writers proves everything");
    }
    // THEN the mirror is the table
    assert_eq!(mirroring.text(), source.now.text(), "seed {seed}");
    (source.alters, resyncs + rounds)
}

#[test]
fn whatever_columns_do_under_writers_the_mirror_ends_as_the_table() {
    let (mut alters, mut resyncs) = (0, 0);
    for seed in 0..30 {
        let (these, those) = columns_under_writers(seed);
        (alters, resyncs) = (alters + these, resyncs + those);
    }
    assert!(alters > 60 && resyncs > 60, "{alters} changes, {resyncs} copies");
}

/// A copy shows columns that no row has shown, and another one proves them.
#[test]
fn columns_of_a_table_that_nobody_writes_to_are_shown_by_its_copy() {
    let mut source = Source::new(1);
    let folder = tempfile::tempdir().unwrap();
    let mut mirroring = Mirroring::new(folder.path(), &mut source);
    source.announces = false;
    // GIVEN values that the log did not tell
    source.retype(2);
    mirroring.shown(&mut source);
    assert!(mirroring.is_unproven());
    // WHEN the columns change once more before they are copied, and nobody writes
    source.now.columns[2].name = "other".to_owned();
    mirroring.resync(&mut source, 0);
    assert!(mirroring.is_unproven(), "a row before the first chunk may lack it");
    // THEN nothing but copies is needed
    mirroring.resync(&mut source, 0);
    assert_eq!(mirroring.store.unproven().unwrap().0.len(), 0);
    assert_eq!(mirroring.text(), source.now.text());
}

/// What the log left out of a row is found at its column's new place.
#[test]
fn a_cell_that_the_log_lacks_moves_with_its_column() {
    let mut source = Source::new(1);
    let folder = tempfile::tempdir().unwrap();
    let mut mirroring = Mirroring::new(folder.path(), &mut source);
    let name = source.now.table().name.clone();
    mirroring.apply(|store| Ok(Vec::from_iter(store.begin_resync(("erp", &name), true, 1)?)));
    mirroring.store.connection().execute("UPDATE erp.t SET b = 'wrong' WHERE id = 1", []).unwrap();
    // GIVEN a chunk that was read before a row changed, all but its text `b`
    let (chunk, visibility) = (source.now.clone(), source.sees_all());
    let b = source.now.columns[2].number;
    let was = source.now.rows[&1][&b].clone();
    source.insert(1);
    source.now.rows.get_mut(&1).unwrap().insert(b, was);
    let row = |source: &Source, id: i32, without: Option<usize>| {
        let (table, new) = (source.now.table(), Some(source.now.cells(id, without).into()));
        Change::Row(RowChange { table, op: Op::Update, old: None, new, cascades: false })
    };
    source.commit(vec![row(&source, 1, Some(b))]);
    mirroring.all(&mut source);
    // WHEN a column before that one goes
    source.now.columns.remove(1);
    source.insert(2);
    source.commit(vec![row(&source, 2, None)]);
    mirroring.all(&mut source);
    // THEN the chunk brings the text, and nothing else
    let ids: Vec<i32> = chunk.rows.keys().copied().collect();
    mirroring.chunk(&chunk, &ids, &visibility);
    mirroring.apply(|store| Ok(Vec::from_iter(store.end_resync(("erp", &name), None, 2)?)));
    assert!(!mirroring.is_unproven());
    assert_eq!(mirroring.text(), source.now.text());
}

/// DuckDB takes names that differ in their case for the same.
#[test]
fn columns_that_the_store_cannot_have_are_a_gap() {
    let mut source = Source::new(1);
    let folder = tempfile::tempdir().unwrap();
    let mut mirroring = Mirroring::new(folder.path(), &mut source);
    source.add("A".to_owned(), Kind::Text);
    source.insert(99);
    let (table, new) = (source.now.table(), Some(source.now.cells(99, None).into()));
    let row = RowChange { table, op: Op::Insert, old: None, new, cascades: false };
    source.commit(vec![Change::Row(row)]);
    let (transaction, _) = source.log.pop().unwrap();
    let mut batch = [Placed { seq: 1, source: "erp".to_owned(), transaction }];
    mirroring.store.begin().unwrap();
    assert!(!mirroring.store.follow_columns(&mut batch).unwrap().has_changed);
    let error = mirroring.store.stage_log(batch.into()).unwrap_err();
    assert!(
        error.kind() == crate::error::ErrorKind::Gap && error.chain().contains('A'),
        "{}",
        error.chain()
    );
}

#[test]
fn a_text_that_gets_longer_keeps_its_values() {
    for (old, new) in [
        ("character varying(10)", "character varying(20)"),
        ("character varying(10)", "character varying"),
        ("character varying", "text"),
        ("text", "character varying"),
        ("enum('a','b')", "enum('a','b','c')"),
        ("numeric", "numeric"),
    ] {
        assert!(keeps_values(old, new), "{old} to {new}");
    }
    for (old, new) in [
        ("character varying(20)", "character varying(10)"),
        ("text", "character varying(10)"),
        ("numeric", "numeric(50,2)"),
        ("character(10)", "text"),
        ("enum('a','b')", "enum('b','a','c')"),
        ("enum('a','b')", "set('a','b','c')"),
        ("inet", "text"),
        ("text", "citext"),
    ] {
        assert!(!keeps_values(old, new), "{old} to {new}");
    }
}
