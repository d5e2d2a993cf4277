//! XA transactions of a MariaDB source across restarts and crashes of the daemon: rows stand in the
//! log where they were prepared, and count where they are committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use trueup::demo::servers::{MariadbServer, Options};

use crate::agreement::{mariadb, store};
use crate::mariadb_source::harness::{Log, source};
use crate::spine::store_rows;
use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::wait::wait_until;

fn ids(installation: &Installation) -> Result<String, String> {
    let sql = "SELECT string_agg(id::VARCHAR, ' ' ORDER BY id) FROM hr.t";
    Ok(store_rows(installation, sql)?[0][0].clone().unwrap_or_default())
}

fn wait_for(installation: &Installation, expected: &str) {
    wait_until(&format!("the rows {expected}"), crate::agreement::PATIENCE, || {
        let found = ids(installation)?;
        if found == expected { Ok(()) } else { Err(found) }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_prepared_waits_for_its_commit_across_crashes() {
    if !require("mariadb") {
        return;
    }
    // A server of its own: while something is prepared, no copy begins on it.
    let server = MariadbServer::start(&Options::default()).unwrap();
    server.create_database("xa").unwrap();
    let run = |sql: &str| server.sql("xa", sql).unwrap();
    run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let prepare = |name: &str, id: u32| {
        run(&format!(
            "XA START '{name}'; INSERT INTO t VALUES ({id}); XA END '{name}'; XA PREPARE '{name}'"
        ));
    };
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\ntables = [\"xa.*\"]",
        server.url("xa")
    );
    store::configure(&installation, (&source, server.password()), None);
    let mut daemon = installation.start(&["run"], &[]);
    wait_for(&installation, "1");
    // GIVEN three that are prepared, and conformed as far as that goes
    prepare("committed", 10);
    prepare("rolled back", 11);
    prepare("later", 12);
    run("INSERT INTO t VALUES (2)");
    wait_for(&installation, "1 2");
    // WHEN the daemon crashes THEN one is committed and one rolled back while it is away
    daemon.kill();
    run("XA COMMIT 'committed'; XA ROLLBACK 'rolled back'; INSERT INTO t VALUES (3)");
    let mut daemon = installation.start(&["run"], &[]);
    wait_for(&installation, "1 2 3 10");
    // and the third outlives a crash between ledger and store, whose batch is replayed
    daemon.kill();
    let armed = [("TRUEUP_FAILPOINT", "after-outbox-commit:1")];
    let mut daemon = installation.start(&["run"], &armed);
    prepare("last", 13);
    run("INSERT INTO t VALUES (4)");
    assert!(!daemon.wait(crate::agreement::PATIENCE).success(), "it must have crashed");
    let _daemon = installation.start(&["run"], &[]);
    wait_for(&installation, "1 2 3 4 10");
    run("XA COMMIT 'later'; XA COMMIT 'last'");
    wait_for(&installation, "1 2 3 4 10 12 13");
    let left = store_rows(&installation, "SELECT count(*) FROM ops.prepared_xa").unwrap();
    assert_eq!(left[0][0].as_deref(), Some("0"));
}

/// What is prepared while nobody mirrors the table is in no log that is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_joins_waits_for_what_was_prepared_before() {
    if !require("mariadb") {
        return;
    }
    let server = MariadbServer::start(&Options::default()).unwrap();
    server.create_database("xa").unwrap();
    let run = |sql: &str| server.sql("xa", sql).unwrap();
    run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY);
         CREATE TABLE f (id int PRIMARY KEY, company int)");
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\ntables = [\"xa.*\", \"!xa.t\"]
         rows = {{ \"xa.f\" = \"company = 1\" }}",
        server.url("xa")
    );
    store::configure(&installation, (&source, server.password()), None);
    let mut daemon = installation.start(&["run"], &[]);
    let copied = || store_rows(&installation, "SELECT source FROM ops.source_ready");
    wait_until("the copy", crate::agreement::PATIENCE, || {
        copied()?.first().map(drop).ok_or_else(|| "not yet".to_owned())
    });
    // GIVEN rows of a table that is not mirrored yet, and of one of which others are, read as far as that goes
    run("XA START 'early'; INSERT INTO t VALUES (1); INSERT INTO f VALUES (1, 1), (2, 2), (3, 3);
         XA END 'early'; XA PREPARE 'early'");
    run("INSERT INTO a VALUES (1)");
    wait_until("the log to be read", crate::agreement::PATIENCE, || {
        let count = store_rows(&installation, "SELECT count(*) FROM hr.a")?;
        if count[0][0].as_deref() == Some("1") { Ok(()) } else { Err(format!("{count:?}")) }
    });
    // WHEN it joins, and more rows of the other THEN the copy says what it waits for, over a kill too
    daemon.terminate();
    daemon.wait(crate::agreement::PATIENCE);
    let joined = source.replace(", \"!xa.t\"", "").replace("company = 1", "company IN (1, 2)");
    store::configure(&installation, (&joined, server.password()), None);
    let mut daemon = installation.start(&["run"], &[]);
    let waits = || {
        wait_until("the copy to wait", crate::agreement::PATIENCE, || {
            let status = store::status(&installation)?;
            let copy = status["sources"][0]["copy"].clone();
            let whom = copy["waiting_for"].as_str().unwrap_or_default();
            if whom.contains("XA RECOVER") { Ok(()) } else { Err(copy.to_string()) }
        });
    };
    waits();
    daemon.kill();
    let _daemon = installation.start(&["run"], &[]);
    run("INSERT INTO t VALUES (2)");
    waits();
    run("XA COMMIT 'early'");
    wait_for(&installation, "1 2");
    wait_until("what `rows` asks for now", crate::agreement::PATIENCE, || {
        let sql = "SELECT string_agg(id::VARCHAR, ' ' ORDER BY id) FROM hr.f";
        let found = store_rows(&installation, sql)?[0][0].clone();
        if found.as_deref() == Some("1 2") { Ok(()) } else { Err(format!("{found:?}")) }
    });
}

/// A log that begins among them would hold the end of one without its rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_begins_where_nothing_is_prepared_however_many_come_and_go() {
    if !require("mariadb") {
        return;
    }
    let server = MariadbServer::start(&Options::default()).unwrap();
    server.create_database("xa").unwrap();
    server.sql("xa", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    // GIVEN one that is prepared, and committed a moment later, all the time
    let mut connection = mariadb::connect(&server, "xa").await;
    let stop = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let stop = Arc::clone(&stop);
        async move {
            let mut number = 0;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                let insert = format!("INSERT INTO t VALUES ({number})");
                for statement in ["XA START 'x'", &insert, "XA END 'x'", "XA PREPARE 'x'"] {
                    connection.query_drop(statement).await.unwrap();
                }
                tokio::time::sleep(Duration::from_millis(40)).await;
                connection.query_drop("XA COMMIT 'x'").await.unwrap();
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
        }
    });
    // WHEN logs begin THEN each can be read
    let source = source(&server, "xa", &["t"]);
    for _ in 0..15 {
        let mut log = Log::start(&source).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!log.read_all(&server).await.is_empty());
    }
    stop.store(true, Ordering::Relaxed);
    writer.await.unwrap();
    // and what somebody forgot is refused, with the remedy
    server.sql("xa", "XA START 'y'; INSERT INTO t VALUES (0); XA END 'y'; XA PREPARE 'y'").unwrap();
    let refused = source.prepare(None).await.unwrap_err();
    assert!(refused.chain().contains("1 XA transactions are prepared"), "{}", refused.chain());
    assert!(refused.remedy().is_some_and(|hint| hint.contains("XA RECOVER")));
}

/// A comparison looks a while back in the log, and not at what was prepared before that.
#[tokio::test(flavor = "multi_thread")]
async fn sides_are_compared_though_something_was_prepared_long_ago() {
    if !require("mariadb") {
        return;
    }
    let server = MariadbServer::start(&Options::default()).unwrap();
    server.create_database("xa").unwrap();
    let run = |sql: &str| server.sql("xa", sql).unwrap();
    run("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE large (id int PRIMARY KEY, v text)");
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\ntables = [\"xa.*\"]",
        server.url("xa")
    );
    store::configure(&installation, (&source, server.password()), None);
    let file = installation.state_folder().with_file_name("trueup.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("[limits]\n", "[limits]\nchunk_bytes = 8192\n");
    installation.write("trueup.toml", &text);
    let _daemon = installation.start(&["run"], &[]);
    wait_until("the copy", crate::agreement::PATIENCE, || {
        let ready = store_rows(&installation, "SELECT source FROM ops.source_ready")?;
        ready.first().map(drop).ok_or_else(|| "not yet".to_owned())
    });
    // GIVEN one that is prepared, then hundreds of entries of the capture log, then its commit
    run("XA START 'early'; INSERT INTO t VALUES (1); XA END 'early'; XA PREPARE 'early'");
    run("INSERT INTO large SELECT seq, repeat('x', 1000) FROM seq_1_to_15000");
    run("XA COMMIT 'early'; INSERT INTO t VALUES (2)");
    wait_for(&installation, "1 2");
    let compared = installation.output(&["reconcile", "--json"]);
    let failed = String::from_utf8_lossy(&compared.stderr).into_owned();
    assert_eq!(compared.status.code(), Some(0), "{failed}");
    let answer: serde_json::Value = serde_json::from_slice(&compared.stdout).unwrap();
    assert_eq!(answer["compared"].as_array().map(Vec::len), Some(2), "{answer}");
}
