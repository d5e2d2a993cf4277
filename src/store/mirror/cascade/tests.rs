//! Foreign keys as MariaDB carries them out, unseen in its log.

use std::sync::Arc;

use super::*;
use crate::change::{Column, Position, TableName, TransactionId};
use crate::store::mirror::Placed;
use crate::store::{Live, StoreLimits};

fn table(name: &str, columns: &[&str], cascades: Vec<Cascade>) -> Arc<Table> {
    let column = |(place, name): (usize, &&str)| Column {
        name: (*name).to_owned(),
        source_type: "int(11)".to_owned(),
        kind: Kind::Int { bytes: 4 },
        key: (place == 0).then_some(0),
    };
    let columns = columns.iter().enumerate().map(column).collect();
    Arc::new(Table {
        id: 1,
        name: TableName::new("hr", name),
        columns,
        cascades,
        left_out: Vec::new(),
        rows: None,
    })
}

fn refers(column: &str, parent: &str, on_delete: &str, on_update: &str) -> Cascade {
    Cascade {
        parent: TableName::new("hr", parent),
        columns: vec![(column.to_owned(), "id".to_owned())],
        on_delete: on_delete.to_owned(),
        on_update: on_update.to_owned(),
        ignores_case: false,
    }
}

/// `p` ◄─ `c` (goes with it) ◄─ `g` (goes with it); `p` ◄─ `s` (forgets it); `p` ◄─ `l` (by its key).
struct Rig {
    store: Store,
    tables: BTreeMap<&'static str, Arc<Table>>,
    transactions: u64,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let limits = StoreLimits { memory_bytes: 64 << 20, threads: 1 };
        let mut store = Store::open(folder.path(), limits, &Live::default()).unwrap();
        let tables = BTreeMap::from([
            ("p", table("p", &["id", "v"], Vec::new())),
            ("c", table("c", &["id", "p"], vec![refers("p", "p", "CASCADE", "CASCADE")])),
            ("g", table("g", &["id", "c"], vec![refers("c", "c", "CASCADE", "RESTRICT")])),
            ("s", table("s", &["id", "p", "v"], vec![refers("p", "p", "SET NULL", "SET NULL")])),
            ("l", table("l", &["p", "v"], vec![refers("p", "p", "CASCADE", "CASCADE")])),
        ]);
        store.begin().unwrap();
        for (name, table) in &tables {
            store.begin_copy("hr", name, table).unwrap();
        }
        for table in tables.values() {
            store.finish_copy("hr", &table.name).unwrap();
        }
        store.run("COMMIT", "commit").unwrap();
        Self { store, tables, transactions: 0, _folder: folder }
    }

    fn row(&self, name: &str, op: Op, old: Option<&[i32]>, new: Option<&[i32]>) -> RowChange {
        let cells = |row: &[i32]| row.iter().map(|cell| Cell::text(&cell.to_string())).collect();
        let table = Arc::clone(&self.tables[name]);
        RowChange { table, op, old: old.map(cells), new: new.map(cells), cascades: true }
    }

    fn insert(&self, name: &str, new: &[i32]) -> RowChange {
        self.row(name, Op::Insert, None, Some(new))
    }

    fn delete(&self, name: &str, old: &[i32]) -> RowChange {
        self.row(name, Op::Delete, Some(old), None)
    }

    /// One batch of one transaction.
    fn apply(&mut self, rows: Vec<RowChange>) {
        self.transactions += 1;
        let transaction = Transaction {
            id: TransactionId::Xid(self.transactions),
            position: Position::Lsn(self.transactions),
            committed_at_micros: 0,
            changes: rows.into_iter().map(Change::Row).collect(),
        };
        let placed = Placed { seq: self.transactions, source: "hr".to_owned(), transaction };
        let mut batch = [placed];
        self.store.begin().unwrap();
        self.store.follow_columns(&mut batch).unwrap();
        let touched = self.store.stage_log(batch.into()).unwrap();
        self.store.write_staged(&touched).unwrap();
        self.store.run("COMMIT", "commit").unwrap();
    }

    fn text(&self, sql: &str) -> String {
        let sql = format!("SELECT coalesce(string_agg(t, ' ' ORDER BY t), '') FROM ({sql})");
        self.store.connection().query_row(&sql, [], |row| row.get(0)).unwrap()
    }

    fn rows(&self, name: &str) -> String {
        self.text(&format!("SELECT concat_ws(':', *COLUMNS(*)) AS t FROM hr.{name}"))
    }
}

#[test]
fn children_and_theirs_go_with_their_parent() {
    let mut rig = Rig::new();
    rig.apply(vec![
        rig.insert("p", &[1, 0]),
        rig.insert("p", &[2, 0]),
        rig.insert("c", &[11, 1]),
        rig.insert("c", &[12, 2]),
        rig.insert("g", &[111, 11]),
        rig.insert("g", &[121, 12]),
        rig.insert("s", &[7, 1, 70]),
        rig.insert("s", &[8, 2, 80]),
    ]);
    rig.apply(vec![rig.delete("p", &[1, 0])]);
    assert_eq!(rig.rows("c"), "12:2");
    assert_eq!(rig.rows("g"), "121:12");
    assert_eq!(rig.rows("s"), "7:70 8:2:80");
    // The raw changes tell of the derived ones too.
    let ops = "SELECT op || ' ' || table_name AS t FROM changes.m197001 WHERE journal_seq = 2";
    assert_eq!(rig.text(ops), "delete hr.c delete hr.g delete hr.p update hr.s");
}

/// `reference/proofs.md` §7: what a key's last state hides.
#[test]
fn a_parent_that_comes_back_in_the_same_transaction_has_lost_its_children() {
    let mut rig = Rig::new();
    rig.apply(vec![rig.insert("p", &[5, 0]), rig.insert("c", &[49, 5])]);
    rig.apply(vec![
        rig.insert("c", &[51, 5]),
        rig.delete("p", &[5, 0]),
        rig.insert("p", &[5, 1]),
        rig.insert("c", &[50, 5]),
    ]);
    assert_eq!(rig.rows("p"), "5:1");
    assert_eq!(rig.rows("c"), "50:5");
}

#[test]
fn a_child_that_moved_away_before_stays_and_one_that_moved_in_goes() {
    let mut rig = Rig::new();
    rig.apply(vec![
        rig.insert("p", &[1, 0]),
        rig.insert("p", &[2, 0]),
        rig.insert("c", &[11, 1]),
        rig.insert("c", &[12, 2]),
    ]);
    rig.apply(vec![
        rig.row("c", Op::Update, Some(&[11, 1]), Some(&[11, 2])),
        rig.row("c", Op::Update, Some(&[12, 2]), Some(&[12, 1])),
        rig.delete("p", &[1, 0]),
    ]);
    assert_eq!(rig.rows("c"), "11:2");
}

#[test]
fn a_changed_key_is_followed_or_forgotten() {
    let mut rig = Rig::new();
    rig.apply(vec![
        rig.insert("p", &[1, 0]),
        rig.insert("c", &[11, 1]),
        rig.insert("s", &[7, 1, 70]),
    ]);
    rig.apply(vec![rig.row("p", Op::Update, Some(&[1, 0]), Some(&[3, 0]))]);
    assert_eq!(rig.rows("c"), "11:3");
    assert_eq!(rig.rows("s"), "7:70");
    // The row that was derived is found by its new reference in a later change.
    rig.apply(vec![rig.delete("p", &[3, 0])]);
    assert_eq!(rig.rows("c"), "");
}

#[test]
fn an_update_that_leaves_the_key_alone_or_unchecked_rows_derive_nothing() {
    let mut rig = Rig::new();
    rig.apply(vec![rig.insert("p", &[1, 0]), rig.insert("c", &[11, 1])]);
    rig.apply(vec![rig.row("p", Op::Update, Some(&[1, 0]), Some(&[1, 9]))]);
    assert_eq!(rig.rows("c"), "11:1");
    let unchecked = RowChange { cascades: false, ..rig.delete("p", &[1, 9]) };
    rig.apply(vec![unchecked]);
    assert_eq!(rig.rows("c"), "11:1");
}

/// Mirrors that are not whole.
const OPEN: &str =
    "SELECT table_name || ' ' || state AS t FROM ops.mirror_table WHERE state <> 'done'";

#[test]
fn what_follows_a_table_that_cannot_be_followed_is_copied_after_it() {
    let mut rig = Rig::new();
    rig.apply(vec![
        rig.insert("p", &[1, 0]),
        rig.insert("c", &[11, 1]),
        rig.insert("g", &[111, 11]),
    ]);
    let mut other = Table::clone(&rig.tables["c"]);
    other.columns[0].key = None;
    other.columns[1].key = Some(0);
    let row = RowChange { table: Arc::new(other), ..rig.insert("c", &[12, 1]) };
    rig.apply(vec![row]);
    // It takes rows of `g` along, but which, the mirror of `c` does not tell any more.
    rig.apply(vec![rig.delete("p", &[1, 0])]);
    assert_eq!(rig.text(OPEN), "c outdated g outdated");
}

#[test]
fn a_table_that_comes_again_with_another_foreign_key_is_copied_anew() {
    let mut rig = Rig::new();
    let other = table("s", &["id", "p", "v"], vec![refers("p", "p", "CASCADE", "CASCADE")]);
    let row = RowChange { table: other, ..rig.insert("s", &[7, 1, 70]) };
    rig.apply(vec![rig.insert("p", &[1, 0]), rig.insert("s", &[8, 1, 80]), row]);
    assert_eq!(rig.text(OPEN), "s outdated");
}

/// What `p` ◄─ `c` are while `c` is copied: rows of chunks come in between.
struct CopyRig(Rig);

impl CopyRig {
    /// The copy of `c`, `l` and `s` begins anew; `p` and `g` are done.
    fn new() -> Self {
        let mut rig = Rig::new();
        rig.store.begin().unwrap();
        for name in ["c", "l", "s"] {
            rig.store.begin_copy("hr", name, &Arc::clone(&rig.tables[name])).unwrap();
        }
        rig.store.run("COMMIT", "commit").unwrap();
        Self(rig)
    }

    /// A chunk that has seen transactions before `xmax`.
    fn chunk(&mut self, name: &str, xmax: u64, rows: &[&[i32]]) -> Result<()> {
        let table = Arc::clone(&self.0.tables[name]);
        let rows = rows.iter().map(|row| {
            let cells: Vec<Cell> = row.iter().map(|cell| Cell::text(&cell.to_string())).collect();
            (key_of(&table, &cells).unwrap(), cells)
        });
        let rows = rows.collect();
        let visibility = crate::change::Visibility::Snapshot { xmin: 1, xmax, running: Vec::new() };
        let store = &mut self.0.store;
        store.begin().unwrap();
        let staged = store.stage_chunk("hr", &table, &visibility, rows, 0);
        let touched = match staged {
            Ok(touched) => touched,
            Err(error) => {
                store.rollback().unwrap();
                return Err(error);
            }
        };
        store.write_staged(&touched).unwrap();
        store.run("COMMIT", "commit").unwrap();
        Ok(())
    }
}

/// `reference/proofs.md` §7: a chunk of a child is subject to what happened to its parents
/// between the snapshot and its place in the journal.
#[test]
fn a_chunk_that_was_read_before_its_parent_went_does_not_bring_the_children_back() {
    let mut rig = CopyRig::new();
    rig.0.apply(vec![rig.0.insert("p", &[1, 0]), rig.0.insert("p", &[2, 0])]);
    rig.0.apply(vec![rig.0.delete("p", &[1, 0])]);
    // The second transaction is what these chunks have not seen. Nothing that was copied refers
    // to rows of `s`.
    rig.chunk("s", 2, &[&[7, 1, 70], &[8, 2, 80]]).unwrap();
    assert_eq!(rig.0.rows("s"), "7:70 8:2:80");
    // A chunk that has seen it is taken as it is: the parent may have come back.
    rig.chunk("s", 3, &[&[9, 1, 90]]).unwrap();
    assert_eq!(rig.0.rows("s"), "7:70 8:2:80 9:1:90");
    // Rows of `g`, copied before, may have gone with a row of `c`: never a guess.
    rig.chunk("c", 2, &[&[12, 2]]).unwrap();
    assert_eq!(rig.0.rows("c"), "12:2");
    let error = rig.chunk("c", 2, &[&[11, 1]]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gap);
}

#[test]
fn what_the_log_wrote_after_the_chunk_is_left_alone() {
    let mut rig = CopyRig::new();
    rig.0.apply(vec![rig.0.insert("p", &[1, 0])]);
    rig.0.apply(vec![rig.0.delete("p", &[1, 0])]);
    rig.0.apply(vec![rig.0.insert("p", &[1, 1]), rig.0.insert("s", &[7, 1, 71])]);
    rig.chunk("s", 2, &[&[7, 1, 70]]).unwrap();
    assert_eq!(rig.0.rows("s"), "7:1:71");
}

#[test]
fn a_copy_that_is_done_forgets_what_was_hidden_from_it() {
    let mut rig = CopyRig::new();
    rig.0.apply(vec![rig.0.insert("p", &[1, 0])]);
    rig.0.apply(vec![rig.0.delete("p", &[1, 0])]);
    let kept = |rig: &CopyRig| rig.0.text("SELECT table_name AS t FROM ops.hidden_change");
    assert_eq!(kept(&rig), "c l s");
    rig.0.store.begin().unwrap();
    for name in ["c", "l", "s"] {
        rig.0.store.finish_copy("hr", &TableName::new("hr", name)).unwrap();
    }
    rig.0.store.run("COMMIT", "commit").unwrap();
    assert_eq!(kept(&rig), "");
}

/// A child that is copied again, with a mirror that may be wrong.
struct Resync(CopyRig, &'static str);

impl Resync {
    fn begin(rows: &[(&str, &[i32])], tampered: &[&str], name: &'static str) -> Self {
        let mut rig = Rig::new();
        rig.apply(rows.iter().map(|(name, row)| rig.insert(name, row)).collect());
        for sql in tampered {
            rig.store.connection().execute(sql, []).unwrap();
        }
        rig.store.begin().unwrap();
        let doubled = rig.store.begin_resync(("hr", &TableName::new("hr", name)), true, 0).unwrap();
        rig.store.write_staged(&[doubled.unwrap()]).unwrap();
        rig.store.run("COMMIT", "commit").unwrap();
        Self(CopyRig(rig), name)
    }

    /// A chunk that has not seen the second transaction, then the end.
    fn end(mut self, chunk: &[&[i32]]) -> String {
        self.0.chunk(self.1, 2, chunk).unwrap();
        let (store, name) = (&mut self.0.0.store, TableName::new("hr", self.1));
        store.begin().unwrap();
        let leftover = store.end_resync(("hr", &name), None, 0).unwrap().unwrap();
        store.write_staged(&[leftover]).unwrap();
        store.finish_copy("hr", &name).unwrap();
        store.run("COMMIT", "commit").unwrap();
        self.0.0.rows(self.1)
    }
}

/// What a foreign key does to rows that only the mirror has is no word of the log: the chunk decides.
#[test]
fn a_resync_believes_no_effect_on_rows_that_nobody_has_shown() {
    let rows: [(&str, &[i32]); 4] =
        [("p", &[1, 0]), ("p", &[2, 0]), ("s", &[7, 2, 70]), ("s", &[8, 1, 80])];
    let wrong =
        ["UPDATE hr.s SET p = 1 WHERE id = 7", "INSERT INTO hr.s VALUES (9, 1, 90), (9, 1, 91)"];
    let mut rig = Resync::begin(&rows, &wrong, "s");
    let delete = rig.0.0.delete("p", &[1, 0]);
    rig.0.0.apply(vec![delete]);
    assert_eq!(rig.0.0.rows("s"), "7:70 8:80 9:90", "the mirror goes on");
    assert_eq!(rig.end(&[&[7, 2, 70], &[8, 1, 80]]), "7:2:70 8:80");
}

#[test]
fn a_resync_beside_changing_parents_is_no_gap_and_follows_them() {
    let rows: [(&str, &[i32]); 7] = [
        ("p", &[1, 0]),
        ("p", &[2, 0]),
        ("c", &[11, 2]),
        ("c", &[12, 1]),
        ("g", &[121, 12]),
        ("l", &[1, 10]),
        ("l", &[2, 20]),
    ];
    // GIVEN a child with children of its own, one row wrong, one lost
    let wrong = ["UPDATE hr.c SET p = 1 WHERE id = 11", "DELETE FROM hr.c WHERE id = 12"];
    let mut rig = Resync::begin(&rows, &wrong, "c");
    let delete = rig.0.0.delete("p", &[1, 0]);
    rig.0.0.apply(vec![delete]);
    assert_eq!(rig.end(&[&[11, 2], &[12, 1]]), "11:2");
    // and one whose key the parent changes
    let mut rig = Resync::begin(&rows, &["UPDATE hr.l SET v = 0 WHERE p = 2"], "l");
    let update = rig.0.0.row("p", Op::Update, Some(&[2, 0]), Some(&[3, 0]));
    rig.0.0.apply(vec![update]);
    assert_eq!(rig.0.0.rows("l"), "1:10 3:0");
    assert_eq!(rig.end(&[&[1, 10], &[2, 20]]), "1:10 3:20");
}

/// What was hidden from a chunk concerns columns, wherever they stand by now.
#[test]
fn what_is_hidden_from_a_resync_moves_with_its_column() {
    let rows: [(&str, &[i32]); 3] = [("p", &[1, 0]), ("s", &[7, 1, 70]), ("s", &[8, 1, 80])];
    let mut rig = Resync::begin(&rows, &[], "s");
    let delete = rig.0.0.delete("p", &[1, 0]);
    rig.0.0.apply(vec![delete]);
    let before = rig.0.0.tables["s"].clone();
    let refers = vec![refers("p", "p", "SET NULL", "SET NULL")];
    rig.0.0.tables.insert("s", table("s", &["id", "w", "p", "v"], refers));
    let insert = rig.0.0.insert("s", &[9, 5, 2, 90]);
    rig.0.0.apply(vec![insert]);
    assert_eq!(rig.0.0.rows("s"), "7:70 8:80 9:5:2:90");
    rig.0.0.tables.insert("s", before);
    assert_eq!(rig.end(&[&[7, 1, 70], &[8, 1, 80]]), "7:70 8:80 9:5:2:90");
}

/// A reference is the parent's value by the column's collation, not letter by letter.
#[test]
fn children_are_found_by_collation() {
    let same = |a: &str, b: &str, ignores_case| {
        is_same(CellRef::Text(a.as_bytes()), CellRef::Text(b.as_bytes()), ignores_case)
    };
    assert!(same("ABC", "abc ", true) && same("ÄB", "äb", true));
    assert!(!same("ABC", "abc", false) && same("abc", "abc  ", false));
    assert!(!same("abc", "abd", true) && !is_same(CellRef::Null, CellRef::Text(b""), true));
}

/// As `source::mysql::value` writes it: fractions have all of their digits.
#[test]
fn a_key_of_the_mirror_is_spelled_as_the_log_spells_it() {
    let connection = duckdb::Connection::open_in_memory().unwrap();
    connection.execute_batch("SET TimeZone = 'UTC'").unwrap();
    for (source_type, kind, value, expected) in [
        (
            "datetime(6)",
            Kind::Timestamp,
            "TIMESTAMP '2026-03-29 01:59:59.5'",
            "2026-03-29 01:59:59.500000",
        ),
        (
            "datetime(3)",
            Kind::Timestamp,
            "TIMESTAMP '2026-03-29 01:59:59'",
            "2026-03-29 01:59:59.000",
        ),
        ("datetime", Kind::Timestamp, "TIMESTAMP '2026-03-29 01:59:59'", "2026-03-29 01:59:59"),
        (
            "timestamp(3)",
            Kind::TimestampTz,
            "TIMESTAMPTZ '2026-10-25 00:30:00.12+00'",
            "2026-10-25 00:30:00.120+00",
        ),
        ("time(2)", Kind::Time, "TIME '12:34:56'", "12:34:56.00"),
        ("decimal(12,2)", Kind::Decimal { precision: 12, scale: 2 }, "1.5::DECIMAL(12,2)", "1.50"),
        ("decimal(2,2)", Kind::Decimal { precision: 2, scale: 2 }, "-0.3::DECIMAL(2,2)", "-0.30"),
        ("tinyint(1)", Kind::Boolean, "true", "t"),
        ("varbinary(4)", Kind::Bytes, "'\\x0A\\xFF'::BLOB", "\\x0aff"),
    ] {
        let (name, source_type) = ("c".to_owned(), source_type.to_owned());
        let column = Column { name, source_type, kind, key: Some(0) };
        let sql = format!("SELECT {} FROM (SELECT {value} AS c)", canonical(&column));
        let text: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(text, expected, "{}", column.source_type);
    }
}
