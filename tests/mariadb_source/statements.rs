//! Statements in the log: rows that vanish, tables that change, and what must never be skipped.

use trueup::change::Change;
use trueup::error::ErrorKind;

use super::harness::{Log, row_changes, show_all, source};
use crate::support::require::require;
use crate::support::servers::{mariadb, mariadb_database};

async fn opened(database: &str) -> Log {
    mariadb()
        .sql(
            database,
            "CREATE TABLE t (id int PRIMARY KEY, name varchar(20));
             CREATE TABLE unwatched (id int PRIMARY KEY);
             INSERT INTO t VALUES (1, 'one'), (2, 'two')",
        )
        .unwrap();
    Log::start(&source(mariadb(), database, &["t"])).await
}

#[tokio::test]
async fn tables_that_lose_all_rows_say_so() {
    if !require("mariadb") {
        return;
    }
    for statement in ["TRUNCATE t", "TRUNCATE TABLE `t`", "DROP TABLE t"] {
        let database = mariadb_database("emptied");
        let mut log = opened(&database).await;
        mariadb().sql(&database, statement).unwrap();
        let whole = log.read_all(mariadb()).await;
        let [transaction] = &whole[..] else { panic!("{statement}: {}", whole.len()) };
        let [Change::Truncate(tables)] = &transaction.changes[..] else {
            panic!("{statement}: {:?}", transaction.changes)
        };
        assert_eq!(tables.len(), 1);
        assert_eq!(tables[0].name.to_string(), format!("{database}.t"));
    }
}

/// The log's decoder only knows tables that it has met: as in a daemon that was restarted.
async fn met(database: &str, log: &mut Log) {
    mariadb().sql(database, "UPDATE t SET name = 'met' WHERE id = 1").unwrap();
    assert_eq!(row_changes(&log.read_all(mariadb()).await).len(), 1);
}

#[tokio::test]
async fn rows_written_by_statement_are_a_gap_that_names_them() {
    if !require("mariadb") {
        return;
    }
    for statement in [
        "UPDATE t SET name = 'x' WHERE id = 1",
        "INSERT INTO t VALUES (7, 'x')",
        "INSERT INTO unwatched VALUES (7)",
        "DELETE FROM t",
    ] {
        let database = mariadb_database("by_statement");
        let mut log = opened(&database).await;
        met(&database, &mut log).await;
        let sql = format!("SET SESSION binlog_format = STATEMENT; {statement}");
        mariadb().sql(&database, &sql).unwrap();
        let gap = log.failure(mariadb()).await;
        assert_eq!(gap.kind(), ErrorKind::Gap, "{statement}: {}", gap.chain());
        let named = match statement.contains("unwatched") {
            true => format!("database {database}"),
            false => format!("{database}.t"),
        };
        assert!(gap.chain().contains(&named), "{statement}: {}", gap.chain());
        assert!(gap.chain().contains("gtid:"), "{}", gap.chain());
        assert!(gap.remedy().unwrap().contains("binlog_format"));
    }
}

#[tokio::test]
async fn a_column_that_is_added_arrives_with_its_schema() {
    if !require("mariadb") {
        return;
    }
    let database = mariadb_database("altered");
    let mut log = opened(&database).await;
    met(&database, &mut log).await;
    mariadb()
        .sql(
            &database,
            "ALTER TABLE t ADD COLUMN extra decimal(6,2) NULL AFTER id, ADD INDEX (extra);
             UPDATE t SET extra = 1.5 WHERE id = 2; GRANT SELECT ON t TO root@localhost",
        )
        .unwrap();
    let changes = row_changes(&log.read_all(mariadb()).await);
    let [(_, _, Some(new))] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(show_all(new), ["2", "1.50", "two"]);
    let [before, after] = &log.schemas[..] else { panic!("{} schemas", log.schemas.len()) };
    assert_eq!(before.id, after.id);
    let names = |place: usize| -> Vec<&str> {
        log.schemas[place].columns.iter().map(|column| column.name.as_str()).collect()
    };
    assert_eq!(names(0), ["id", "name"]);
    assert_eq!(names(1), ["id", "extra", "name"]);
    assert_eq!(after.columns[1].source_type, "decimal(6,2)");
}

#[tokio::test]
async fn a_table_that_changed_before_it_was_read_is_taken_from_the_log() {
    if !require("mariadb") {
        return;
    }
    // GIVEN rows in the log of a table that has other columns by the time we read them
    let database = mariadb_database("outrun");
    let mut log = opened(&database).await;
    mariadb()
        .sql(
            &database,
            "INSERT INTO t VALUES (3, 'three'); ALTER TABLE t DROP COLUMN name, ADD COLUMN n int;
             INSERT INTO t VALUES (4, 44)",
        )
        .unwrap();
    // THEN each row comes with the columns it had
    let changes = row_changes(&log.read_all(mariadb()).await);
    let rows: Vec<Vec<String>> =
        changes.iter().map(|(_, _, new)| show_all(new.as_ref().unwrap())).collect();
    assert_eq!(rows, [["3", "three"], ["4", "44"]]);
    assert_eq!(log.schemas[0].columns[1].name, "name");
    assert_eq!(log.schemas[1].columns[1].name, "n");
    assert_eq!(log.schemas[0].columns[0].key, Some(0));
}
