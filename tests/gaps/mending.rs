//! Gaps that `trueup resync SOURCE --gap` mends: what was missed is made up for, and proven.

use trueup::demo::servers::{MariadbServer, Options};

use super::{PATIENCE, Stage};
use crate::agreement::store;
use crate::spine::{store_opens, store_rows};
use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

/// Mends the gap of a source; what the command prints.
fn mend(installation: &Installation, source: &str) -> serde_json::Value {
    let output = installation.output(&["resync", source, "--gap", "--json"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{failed}");
    serde_json::from_str(&said).unwrap()
}

/// Why a command refuses.
fn refused(installation: &Installation, arguments: &[&str]) -> String {
    let output = installation.output(arguments);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn drop_slots(stage: &Stage) -> String {
    format!(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
         WHERE database = '{}'",
        stage.erp_database
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_slot_is_made_anew_and_what_was_missed_is_made_up_for_through_crashes() {
    if !require("postgres") {
        return;
    }
    let stage = Stage::new().await;
    let installation = &stage.installation;
    let mut daemon = installation.start(&["run"], &[]);
    stage.wait_for("erp", "1a 2b");
    assert!(refused(installation, &["resync", "erp", "--gap"]).contains("erp has no gap"));
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    // GIVEN changes that nobody kept: of a row, without one, and one more
    stage.erp.batch_execute(&drop_slots(&stage)).await.unwrap();
    let missed = "DELETE FROM t WHERE id = 1; UPDATE t SET v = 'bb'; INSERT INTO t VALUES (3, 'c')";
    stage.erp.batch_execute(missed).await.unwrap();
    let _first = installation.start(&["run"], &[]);
    stage.wait_for_gap("erp");
    store_opens(installation);
    // WHEN it is asked what would be done THEN nothing is
    let plan = installation.output(&["resync", "erp", "--gap", "--dry-run"]);
    let said = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert_eq!(plan.status.code(), Some(0), "{said}");
    assert!(said.contains("slot") && said.contains("copy 1 tables again: public.t"), "{said}");
    stage.wait_for_gap("erp");
    drop(_first);
    // WHEN the daemon dies before or after the word that the log begins anew
    for failpoint in ["before-journal-commit", "after-journal-commit"] {
        let mut dying = installation.start(&["run"], &[("TRUEUP_FAILPOINT", failpoint)]);
        stage.wait_for_gap("erp");
        refused(installation, &["resync", "erp", "--gap"]);
        assert!(!dying.wait(PATIENCE).success(), "{failpoint}");
    }
    // THEN the gap is there still, and is mended
    let mut daemon = installation.start(&["run"], &[]);
    stage.wait_for_gap("erp");
    store_opens(installation);
    let answer = mend(installation, "erp");
    assert!(answer["gap"].as_str().is_some_and(|gap| gap.contains("slot")), "{answer}");
    assert_eq!(answer["tables"][0]["rows_read"], 2, "{answer}");
    assert_eq!(answer["tables"][0]["rows_mended"], 2, "{answer}");
    assert_eq!(answer["tables"][0]["rows_removed"], 1, "{answer}");
    assert_eq!(answer["compared"][0]["rows"], 2, "{answer}");
    assert_eq!(answer["compared"][0]["differing"], 0, "{answer}");
    stage.wait_for("erp", "2bb 3c");
    // and the log is followed from there on, after a crash, too
    stage.erp.batch_execute("INSERT INTO t VALUES (4, 'd')").await.unwrap();
    stage.wait_for("erp", "2bb 3c 4d");
    daemon.kill();
    let _daemon = installation.start(&["run"], &[]);
    stage.erp.batch_execute("DELETE FROM t WHERE id = 2").await.unwrap();
    stage.wait_for("erp", "3c 4d");
    stage.wait_for("hr", "1a 2b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_followed_is_mended_with_a_new_key_and_left_out_in_every_replay() {
    if !require("postgres") {
        return;
    }
    let stage = Stage::new().await;
    let installation = &stage.installation;
    let mut daemon = installation.start(&["run"], &[]);
    for source in ["erp", "hr"] {
        stage.wait_for(source, "1a 2b");
    }
    // (The store cannot tell these two columns from each other.)
    let changed = "ALTER TABLE t ADD COLUMN \"V\" text; UPDATE t SET id = 7 WHERE id = 2";
    stage.erp.batch_execute(changed).await.unwrap();
    stage.wait_for_gap("erp");
    let changed = "ALTER TABLE t DROP COLUMN \"V\", DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (v);
         INSERT INTO t VALUES (7, 'c')";
    stage.erp.batch_execute(changed).await.unwrap();
    stage.hr.batch_execute("INSERT INTO t VALUES (3, 'c')").await.unwrap();
    stage.wait_for("hr", "1a 2b 3c");
    // WHEN it is mended THEN the table is copied with its new key
    let answer = mend(installation, "erp");
    assert_eq!(answer["tables"][0]["rows_read"], serde_json::Value::Null, "as a first copy");
    assert_eq!(answer["compared"][0]["differing"], 0, "{answer}");
    stage.wait_for("erp", "1a 7b 7c");
    stage.erp.batch_execute("UPDATE t SET id = 8 WHERE v = 'c'").await.unwrap();
    stage.wait_for("erp", "1a 7b 8c");
    // and a store that is behind its ledger becomes the same once more
    daemon.kill();
    let folder = installation.state_folder();
    for file in ["store.duckdb", "store.duckdb.wal"] {
        std::fs::remove_file(folder.join(file)).ok();
    }
    let _daemon = installation.start(&["run"], &[]);
    stage.wait_for("erp", "1a 7b 8c");
    stage.wait_for("hr", "1a 2b 3c");
    stage.erp.batch_execute("DELETE FROM t WHERE v = 'a'").await.unwrap();
    stage.wait_for("erp", "7b 8c");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_was_given_up_is_followed_anew_without_a_restart() {
    if !require("postgres") {
        return;
    }
    let limits = "chunk_bytes = 20000\nsegment_bytes = 50000\njournal_bytes_max = 1000000";
    let mut stage = Stage::with_limits(limits).await;
    let bounded = "max_retained_bytes = 2000000\ntables = ";
    stage.configuration = stage.configuration.replacen("tables = ", bounded, 1);
    stage.configure(limits);
    let installation = &stage.installation;
    let _daemon = installation.start(&["run"], &[]);
    stage.wait_for("erp", "1a 2b");
    let large =
        "INSERT INTO t SELECT g, repeat(md5(g::text), 9) FROM generate_series(10, 20000) AS g";
    stage.erp.batch_execute(large).await.unwrap();
    stage.wait_for_gap("erp");
    stage.erp.batch_execute("DELETE FROM t WHERE id > 10").await.unwrap();
    let answer = mend(installation, "erp");
    assert_eq!(answer["compared"][0]["rows"], 3, "{answer}");
    stage.erp.batch_execute("DELETE FROM t WHERE id = 10").await.unwrap();
    stage.wait_for("erp", "1a 2b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_whose_log_is_gone_is_followed_anew() {
    if !require("mariadb") {
        return;
    }
    let server = MariadbServer::start(&Options::default()).unwrap();
    server.create_database("lost").unwrap();
    let table = "CREATE TABLE p (id int PRIMARY KEY, v text);
         CREATE TABLE c (id int PRIMARY KEY, p int, FOREIGN KEY (p) REFERENCES p (id)
                         ON DELETE CASCADE);
         INSERT INTO p VALUES (1, 'a'), (2, 'b'); INSERT INTO c VALUES (11, 1), (12, 2)";
    server.sql("lost", table).unwrap();
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\ntables = [\"lost.*\"]",
        server.url("lost")
    );
    store::configure(&installation, (&source, server.password()), None);
    let rows = |expected: &str| {
        let sql = "SELECT string_agg(t, ' ' ORDER BY t) FROM
                   (SELECT id || v AS t FROM hr.p UNION ALL SELECT id || ':' || p FROM hr.c)";
        wait_until("the mirror", PATIENCE, || {
            let found = store_rows(&installation, sql)?[0][0].clone().unwrap_or_default();
            if found == expected { Ok(()) } else { Err(found) }
        });
    };
    let mut daemon = installation.start(&["run"], &[]);
    rows("11:1 12:2 1a 2b");
    // (A transaction that was read tells this log from another one.)
    server.sql("lost", "UPDATE p SET v = 'A' WHERE id = 1").unwrap();
    rows("11:1 12:2 1A 2b");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    // GIVEN a log that does not reach back, and a parent that went with its child meanwhile
    let missed = "DELETE FROM p WHERE id = 1; INSERT INTO p VALUES (3, 'c'); RESET MASTER;
                  INSERT INTO c VALUES (13, 3)";
    server.sql("lost", missed).unwrap();
    let _daemon = installation.start(&["run"], &[]);
    let gap = || {
        wait_until("the gap", PATIENCE, || {
            let output = installation.output(&["status", "--json"]);
            let said: serde_json::Value =
                serde_json::from_slice(&output.stdout).unwrap_or_default();
            let state = said["sources"][0]["state"].clone();
            if state == "gap" { Ok(()) } else { Err(state.to_string()) }
        });
    };
    gap();
    store_opens(&installation);
    let answer = mend(&installation, "hr");
    let sum = |field: &str| -> u64 {
        let tables = answer["tables"].as_array().unwrap().iter();
        tables.map(|table| table[field].as_u64().unwrap()).sum()
    };
    assert_eq!((sum("rows_read"), sum("rows_mended"), sum("rows_removed")), (4, 2, 2), "{answer}");
    rows("12:2 13:3 2b 3c");
    server.sql("lost", "DELETE FROM p WHERE id = 2").unwrap();
    rows("13:3 3c");
    // WHEN rows do not go with their parents any more THEN they stay
    let changed = "ALTER TABLE c DROP FOREIGN KEY c_ibfk_1;
                   DELETE FROM p WHERE id = 3; INSERT INTO p VALUES (4, 'd')";
    server.sql("lost", changed).unwrap();
    rows("13:3 4d");
}

/// Only the copies know what was missed: one that is stopped is not the end of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_after_a_gap_that_somebody_stops_begins_once_more() {
    if !require("postgres") {
        return;
    }
    let stage = Stage::new().await;
    let installation = &stage.installation;
    let mut daemon = installation.start(&["run"], &[]);
    stage.wait_for("erp", "1a 2b");
    daemon.kill();
    wait_until("the slot to go", PATIENCE, || {
        let dropped = servers::postgres().sql(&stage.erp_database, &drop_slots(&stage));
        dropped.map(drop).map_err(|error| error.to_string())
    });
    stage.erp.batch_execute("UPDATE t SET v = 'missed' WHERE id = 1").await.unwrap();
    let _daemon = installation.start(&["run"], &[]);
    stage.wait_for_gap("erp");
    store_opens(installation);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| installation.output(&["resync", "erp", "--gap"]));
        wait_until("the resync to be stopped", PATIENCE, || {
            let said = installation.output(&["resync", "erp.t", "--stop"]);
            let failed = String::from_utf8_lossy(&said.stderr).into_owned();
            if said.status.success() { Ok(()) } else { Err(failed) }
        });
        waiting.join().unwrap();
    });
    stage.wait_for("erp", "1missed 2b");
    let left = "SELECT count(*) FROM ops.unproven";
    wait_until("the proof", PATIENCE, || {
        let found = store_rows(installation, left)?[0][0].clone().unwrap_or_default();
        if found == "0" { Ok(()) } else { Err(found) }
    });
    let ended = "SELECT string_agg(state, ' ' ORDER BY began_at) FROM ops.resync";
    let ended = store_rows(installation, ended).unwrap()[0][0].clone().unwrap();
    assert!(ended.ends_with("done"), "{ended}");
}
