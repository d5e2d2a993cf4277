//! Columns that change while a table is mirrored and written to, on every engine: the mirror follows,
//! shows what no log tells, and the other sources go on.

mod choice;

pub(crate) use choice::search;

use std::time::Duration;

use trueup::demo::servers::BinlogServer;

use crate::agreement::store;
use crate::spine::{self, store_rows};
use crate::support::process::{Installation, Running};
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);

/// What is done to table `t (id, a int, b text, c int)`, and the columns afterwards. `{w}` writes a row.
const POSTGRES: [(&str, &str); 6] = [
    // A default that no log tells of the rows that are there.
    ("ALTER TABLE t ADD COLUMN d int NOT NULL DEFAULT 7; {w}", "id a b c d"),
    // In the midst of a transaction.
    (
        "BEGIN; {w}; DELETE FROM t WHERE id = 1; INSERT INTO t (id, a) VALUES (1, 2);
         ALTER TABLE t DROP COLUMN b; ALTER TABLE t ADD COLUMN e text DEFAULT 'é'; {w};
         DELETE FROM t WHERE id = 2; INSERT INTO t (id, a) VALUES (2, 3); COMMIT",
        "id a c d e",
    ),
    // Rewrites every row without a word.
    ("ALTER TABLE t ALTER COLUMN a TYPE bigint USING a * 3000000000; {w}", "id a c d e"),
    ("ALTER TABLE t RENAME COLUMN c TO cc; {w}", "id a cc d e"),
    ("ALTER TABLE t ALTER COLUMN d TYPE text USING 'd' || d; {w}", "id a cc d e"),
    // Another text, from text: only the declared type tells.
    ("ALTER TABLE t ALTER COLUMN d TYPE varchar(9) USING upper(d); {w}", "id a cc d e"),
];

const MARIADB: [(&str, &str); 6] = [
    ("ALTER TABLE t ADD COLUMN d int NOT NULL DEFAULT 7 AFTER id; {w}", "id d a b c"),
    ("ALTER TABLE t DROP COLUMN b, ADD COLUMN e varchar(9) DEFAULT 'é'; {w}", "id d a c e"),
    (
        "ALTER TABLE t MODIFY COLUMN a bigint unsigned; UPDATE t SET a = a * 3000000000; {w}",
        "id d a c e",
    ),
    ("ALTER TABLE t CHANGE COLUMN c cc varchar(20); {w}", "id d a cc e"),
    // Two of the same type, for each other's names.
    ("ALTER TABLE t RENAME COLUMN cc TO e, RENAME COLUMN e TO cc; {w}", "id d a e cc"),
    // Looks as before, and is empty.
    ("ALTER TABLE t DROP COLUMN e; ALTER TABLE t ADD COLUMN e varchar(9); {w}", "id d a cc e"),
];

/// Does each change, and waits until the mirror has it and agrees; kills the daemon in between.
fn follow(installation: &Installation, source: &str, changes: &[(&str, &str)], sql: &dyn Fn(&str)) {
    let mut daemon: Running = installation.start(&["run"], &[]);
    let count = format!("SELECT count(*) FROM {source}.t");
    wait_until("the copy", PATIENCE, || {
        let rows = store_rows(installation, &count)?;
        if rows[0][0].as_deref() == Some("3000") { Ok(()) } else { Err(format!("{rows:?}")) }
    });
    let columns = format!(
        "SELECT string_agg(column_name, ' ' ORDER BY column_index) FROM duckdb_columns()
         WHERE schema_name = '{source}' AND table_name = 't'"
    );
    for (number, (change, expected)) in changes.iter().enumerate() {
        let write = format!("UPDATE t SET a = a + 1 WHERE id = {}", 100 + number);
        sql(&change.replace("{w}", &write));
        if number % 2 == 1 {
            daemon.kill();
            daemon = installation.start(&["run"], &[]);
        }
        wait_until(&format!("{change} to be followed"), PATIENCE, || {
            let found = store_rows(installation, &columns)?;
            let found = found[0][0].clone().unwrap_or_default();
            if found == *expected { Ok(()) } else { Err(found) }
        });
        wait_until(&format!("{change} to be proven"), PATIENCE, || {
            // (Each of them needs a copy; what looks as before is noticed by nothing else here.)
            let sql = "SELECT (SELECT count(*) FROM ops.resync WHERE state = 'done'),
                       (SELECT count(*) FROM ops.unproven)
                       + (SELECT count(*) FROM ops.resync WHERE state = 'running')";
            let row = store_rows(installation, sql)?.remove(0);
            let [done, open] =
                [0, 1].map(|at| row[at].as_deref().unwrap().parse::<usize>().unwrap());
            if done > number && open == 0 { Ok(()) } else { Err(format!("{done}, {open}")) }
        });
        let compared = installation.output(&["reconcile", "--json"]);
        let said = String::from_utf8_lossy(&compared.stdout).into_owned();
        let failed = String::from_utf8_lossy(&compared.stderr).into_owned();
        assert_eq!(compared.status.code(), Some(0), "{change}: {said}{failed}");
        let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(answer["compared"][0]["rows"], 3000, "{said}");
        assert_eq!(answer["compared"][0]["left_out"].as_array().map(Vec::len), Some(0), "{said}");
    }
    let resyncs =
        store_rows(installation, "SELECT sum(rows_mended) > 5000 FROM ops.resync").unwrap();
    assert_eq!(resyncs[0][0].as_deref(), Some("true"), "what no log told was shown by copies");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mirror_of_a_postgresql_follows_its_columns() {
    if !require("postgres") {
        return;
    }
    let database = servers::postgres_database("columns");
    let server = servers::postgres();
    let table = "CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int);
        INSERT INTO t SELECT g, g, 'b' || g, -g FROM generate_series(1, 3000) AS g";
    server.sql(&database, table).unwrap();
    let installation =
        spine::installation(servers::postgres(), &database, "compare_every_secs = 0");
    let sql = |sql: &str| drop(server.sql(&database, sql).unwrap());
    tokio::task::block_in_place(|| follow(&installation, "erp", &POSTGRES, &sql));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mirror_of_a_mariadb_follows_its_columns() {
    if require("mariadb") {
        let rows = "INSERT INTO t SELECT seq, seq, concat('b', seq), -seq FROM seq_1_to_3000";
        of_a_binlog("mariadb", servers::mariadb(), rows);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mirror_of_a_mysql_follows_its_columns() {
    if require("mysql") {
        let rows = "SET SESSION cte_max_recursion_depth = 3000;
            INSERT INTO t WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 3000)
            SELECT n, n, concat('b', n), -n FROM s";
        of_a_binlog("mysql", servers::mysql(), rows);
    }
}

fn of_a_binlog(kind: &str, server: &BinlogServer, rows: &str) {
    let database = servers::binlog_database(server, "columns");
    let table = "CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int)";
    server.sql(&database, &format!("{table}; {rows}")).unwrap();
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"{kind}\"\nurl = \"{}\"\ntables = [\"{database}.*\"]",
        server.url(&database)
    );
    store::configure(&installation, (&source, server.password()), None);
    let sql = |sql: &str| drop(server.sql(&database, sql).unwrap());
    tokio::task::block_in_place(|| follow(&installation, "hr", &MARIADB, &sql));
}
