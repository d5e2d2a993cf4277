//! XA transactions of a MariaDB source across restarts and crashes of the daemon: rows stand in the
//! log where they were prepared, and count where they are committed.

use trueup::demo::servers::{MariadbServer, Options};

use crate::agreement::store;
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
    run("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY)");
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\ntables = [\"xa.*\", \"!xa.t\"]",
        server.url("xa")
    );
    store::configure(&installation, (&source, server.password()), None);
    let mut daemon = installation.start(&["run"], &[]);
    let copied = || store_rows(&installation, "SELECT source FROM ops.source_ready");
    wait_until("the copy", crate::agreement::PATIENCE, || {
        copied()?.first().map(drop).ok_or_else(|| "not yet".to_owned())
    });
    // GIVEN rows of a table that is not mirrored yet, read as far as that goes
    run("XA START 'early'; INSERT INTO t VALUES (1); XA END 'early'; XA PREPARE 'early'");
    run("INSERT INTO a VALUES (1)");
    wait_until("the log to be read", crate::agreement::PATIENCE, || {
        let count = store_rows(&installation, "SELECT count(*) FROM hr.a")?;
        if count[0][0].as_deref() == Some("1") { Ok(()) } else { Err(format!("{count:?}")) }
    });
    // WHEN it joins THEN its copy says what it waits for, over a kill too
    daemon.terminate();
    daemon.wait(crate::agreement::PATIENCE);
    let joined = source.replace(", \"!xa.t\"", "");
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
}
