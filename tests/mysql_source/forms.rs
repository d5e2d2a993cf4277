//! Forms in which MySQL writes its log: compressed, tagged, with parts of JSON, as one statement, with
//! two phases.

use trueup::demo::servers::{MysqlServer, Options};

use super::{agrees, mirrored};
use crate::agreement::PATIENCE;
use crate::spine::store_rows;
use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v varchar(200), j json);
    INSERT INTO t VALUES (1, 'one', '{\"a\": [1, 2, {\"b\": null}], \"long\": \"aaaaaaaaaaaaaaaaaaaa\"}'),
        (2, 'two', NULL), (3, 'ä ☃', '[]')";

/// What a row of `t` has in the mirror.
fn wait_for(installation: &Installation, expected: &str) {
    wait_until(&format!("the rows {expected}"), PATIENCE, || {
        let sql = "SELECT string_agg(id::VARCHAR, ' ' ORDER BY id) FROM hr.t";
        let found = store_rows(installation, sql)?[0][0].clone().unwrap_or_default();
        if found == expected { Ok(()) } else { Err(found) }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_mysqls_log_is_read() {
    if !require("mysql") {
        return;
    }
    let server = servers::mysql();
    let database = servers::binlog_database(server, "forms");
    let run = |sql: &str| server.sql(&database, sql).unwrap();
    run(TABLE);
    // Its value is computed, and an index keeps it in a column that nobody sees.
    run("ALTER TABLE t ADD INDEX upper_v ((upper(v))),
         ADD COLUMN twice int GENERATED ALWAYS AS (id * 2) VIRTUAL");
    let installation = mirrored(server, &database, "");
    let mut daemon = installation.start(&["run"], &[]);
    assert_eq!(agrees(&installation, server, &database).await, 1);
    let forms = [
        // Events in one that is compressed, more than fit into the store's batch.
        "SET SESSION binlog_transaction_compression = ON, cte_max_recursion_depth = 40000; BEGIN;
         INSERT INTO t (id, v, j) WITH RECURSIVE s (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM s
            WHERE n < 20000) SELECT n, repeat('long ', 20), json_array(n) FROM s;
         DELETE FROM t WHERE id BETWEEN 500 AND 600; UPDATE t SET v = 'u' WHERE id > 19000; COMMIT",
        "SET SESSION gtid_next = 'AUTOMATIC:blue'; INSERT INTO t (id) VALUES (10)",
        "SET SESSION gtid_next = 'AUTOMATIC:blue', binlog_transaction_compression = ON;
         UPDATE t SET v = 'blue' WHERE id = 10; INSERT INTO t (id) VALUES (11)",
        "SET SESSION binlog_row_value_options = 'PARTIAL_JSON';
         UPDATE t SET j = json_set(j, '$.a[0]', 7, '$.long', 'b'), v = 'part' WHERE id = 1;
         UPDATE t SET j = json_remove(j, '$.a[1]') WHERE id = 1;
         UPDATE t SET j = json_replace(j, '$[0]', id) WHERE id > 19900",
        "CREATE TABLE made AS SELECT 1 AS id; ALTER TABLE t MODIFY v varchar(300); TRUNCATE made;
         DROP TABLE made",
        "SET SESSION binlog_rows_query_log_events = ON; UPDATE t SET v = 'said' WHERE id = 3",
        "BEGIN; INSERT INTO t (id) VALUES (12); SAVEPOINT s; DELETE FROM t; ROLLBACK TO s;
         INSERT INTO t (id) VALUES (13); COMMIT",
    ];
    for (number, form) in forms.iter().enumerate() {
        run(form);
        agrees(&installation, server, &database).await;
        if number % 2 == 1 {
            // Its position is told to the server again.
            daemon.kill();
            daemon = installation.start(&["run"], &[]);
        }
    }
    let tagged = "SELECT count(*) FROM ops.source WHERE position LIKE '%:blue:1-%'";
    let found = store_rows(&installation, tagged).unwrap();
    assert_eq!(found[0][0].as_deref(), Some("1"), "tags are part of a position");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_prepared_in_a_mysql_waits_for_its_commit_across_crashes() {
    if !require("mysql") {
        return;
    }
    waits_for_its_commit(&Options::default());
}

pub(super) fn waits_for_its_commit(options: &Options) {
    // A server of its own: while something is prepared, no copy begins on it.
    let server = MysqlServer::start(options).unwrap();
    server.create_database("xa").unwrap();
    let run = |sql: &str| server.sql("xa", sql).unwrap();
    run(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE other (id int)",
    );
    let prepare = |name: &str, id: u32| {
        run(&format!(
            "XA START '{name}', 'branch', 7; INSERT INTO t VALUES ({id}); XA END '{name}', 'branch', 7;
             XA PREPARE '{name}', 'branch', 7"
        ));
    };
    let installation = mirrored(&server, "xa", "");
    let file = installation.state_folder().with_file_name("trueup.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("\"xa.*\"", "\"xa.t\"");
    installation.write("trueup.toml", &text);
    let mut daemon = installation.start(&["run"], &[]);
    wait_for(&installation, "1");
    prepare("committed", 10);
    prepare("rolled back", 11);
    prepare("later", 12);
    run("XA START 'other'; INSERT INTO other VALUES (1); XA END 'other'; XA PREPARE 'other'");
    run("XA START 'one'; INSERT INTO t VALUES (5); XA END 'one'; XA COMMIT 'one' ONE PHASE");
    run("INSERT INTO t VALUES (2)");
    wait_for(&installation, "1 2 5");
    daemon.kill();
    run("XA COMMIT 'committed', 'branch', 7; XA ROLLBACK 'rolled back', 'branch', 7;
         XA COMMIT 'other'; INSERT INTO t VALUES (3)");
    let mut daemon = installation.start(&["run"], &[]);
    wait_for(&installation, "1 2 3 5 10");
    // What is prepared outlives the server, too.
    server.restart().unwrap();
    daemon.kill();
    let armed = [("TRUEUP_FAILPOINT", "after-outbox-commit:1")];
    let mut daemon = installation.start(&["run"], &armed);
    prepare("last", 13);
    run("INSERT INTO t VALUES (4)");
    assert!(!daemon.wait(PATIENCE).success(), "it must have crashed");
    let _daemon = installation.start(&["run"], &[]);
    wait_for(&installation, "1 2 3 4 5 10");
    run("XA COMMIT 'later', 'branch', 7; XA COMMIT 'last', 'branch', 7");
    wait_for(&installation, "1 2 3 4 5 10 12 13");
    let left = store_rows(&installation, "SELECT count(*) FROM ops.prepared_xa").unwrap();
    assert_eq!(left[0][0].as_deref(), Some("0"));
}
