//! What a killed process leaves behind: the store's file and its log, which DuckDB replays when it is opened.

use super::*;

/// Opens what a kill would leave at this moment.
fn killed(folder: &std::path::Path) -> Store {
    let left = tempfile::tempdir().unwrap();
    for name in ["store.duckdb", "store.duckdb.wal"] {
        std::fs::copy(folder.join(name), left.path().join(name)).unwrap();
    }
    open(left.path())
}

/// One row by the log, committed.
fn insert(store: &mut Store, table: &Arc<Table>, cells: &[&str]) {
    let new = Some(cells.iter().map(|text| Cell::text(text)).collect());
    let change =
        RowChange { table: Arc::clone(table), op: Op::Insert, old: None, new, cascades: false };
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
}

#[test]
fn a_store_killed_after_columns_became_text_opens_again() {
    // GIVEN a key and columns whose texts need functions, while the table is copied again
    let mut typed = Table::clone(&table());
    let declared = ["datetime(3)", "time(2)", "decimal(2,2)"];
    let kinds = [Kind::Timestamp, Kind::Time, Kind::Decimal { precision: 2, scale: 2 }];
    for ((column, source_type), kind) in typed.columns.iter_mut().zip(declared).zip(kinds) {
        (column.source_type, column.kind) = (source_type.to_owned(), kind);
    }
    let typed = Arc::new(typed);
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    store.begin_copy("erp", "t", &typed).unwrap();
    store.finish_copy("erp", &typed.name).unwrap();
    insert(&mut store, &typed, &["2026-01-01 10:00:00.250", "10:00:00.50", "0.25"]);
    store.begin_resync(("erp", &typed.name), true, 0).unwrap();
    insert(&mut store, &typed, &["2026-01-01 10:00:01.000", "10:00:00.00", "0.50"]);
    // WHEN values come that no type can hold, and the process is killed then
    insert(&mut store, &typed, &["0000-00-00 00:00:00.000", "-01:00:00.00", "NaN"]);
    // THEN what it leaves can be opened, and has every row with its texts
    let found = |store: &Store| {
        let reader = store.reader().unwrap();
        let sql = "SELECT concat_ws(' ', id, v, big) FROM erp.t ORDER BY id";
        reader.query(sql, 10).unwrap().rows
    };
    let expected = [
        "0000-00-00 00:00:00.000 -01:00:00.00 NaN",
        "2026-01-01 10:00:00.250 10:00:00.50 0.25",
        "2026-01-01 10:00:01.000 10:00:00.00 0.50",
    ];
    assert_eq!(found(&store), expected.map(|row| vec![Some(row.to_owned())]));
    assert_eq!(found(&killed(folder.path())), found(&store));
}

/// The changes by which the store brings a canonical table to other columns.
#[test]
fn a_store_killed_after_a_table_was_altered_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let alter = "CREATE TABLE ops.t (a INTEGER, b DATE, c VARCHAR);
         INSERT INTO ops.t VALUES (1, '2026-01-01', '7');
         ALTER TABLE ops.t ALTER COLUMN b TYPE VARCHAR;
         ALTER TABLE ops.t ALTER COLUMN c TYPE DECIMAL(9, 2);
         ALTER TABLE ops.t ADD COLUMN d TIMESTAMP WITH TIME ZONE;
         ALTER TABLE ops.t DROP COLUMN a;";
    store.connection.execute_batch(alter).unwrap();
    let reader = killed(folder.path()).reader().unwrap();
    let rows = reader.query("SELECT concat_ws(' ', b, c, d) FROM ops.t", 10).unwrap().rows;
    assert_eq!(rows, [[Some("2026-01-01 7.00".to_owned())]]);
}
