//! MySQL without GTIDs, followed by file and position: what a chunk has seen, through restarts of the server,
//! rotations, every form of its log, and changes of `gtid_mode`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use trueup::demo::servers::{BinlogServer, MysqlServer, Options};

use super::gaps::wait_for_gap;
use super::{agrees, forms, mirrored};
use crate::agreement::{PATIENCE, mariadb};
use crate::spine::store_rows;
use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::servers::without_gtids;
use crate::support::wait::wait_until;

/// One that writers change all the time, in chunks of ten.
const HOT: &str = "CREATE TABLE t (id int PRIMARY KEY, v bigint NOT NULL);
    SET SESSION cte_max_recursion_depth = 10000;
    INSERT INTO t WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 6000)
        SELECT n, 0 FROM s";

pub(super) fn off() -> Options {
    without_gtids(&Options::default())
}

/// What `status` says of the source's position.
fn position(installation: &Installation) -> String {
    let output = installation.output(&["status", "--json"]);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    said["sources"][0]["position"].as_str().unwrap_or_default().to_owned()
}

fn wait_for_position(installation: &Installation, part: &str) {
    wait_until(&format!("a position with {part}"), PATIENCE, || {
        let is = position(installation);
        if is.contains(part) { Ok(()) } else { Err(is) }
    });
}

/// Commits whose log is written well before the engine has them: hundreds of chunks between them.
#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_chunks_under_writers_know_what_they_have_seen_without_gtids() {
    if !require("mysql") {
        return;
    }
    let options = off()
        .setting("sync_binlog", "1")
        .setting("binlog_order_commits", "OFF")
        .setting("binlog_group_commit_sync_delay", "3000");
    let server: &'static MysqlServer = Box::leak(Box::new(MysqlServer::start(&options).unwrap()));
    server.create_database("hot").unwrap();
    server.sql("hot", HOT).unwrap();
    let installation = mirrored(server, "hot", "copy_chunk_rows = 10\ncompare_every_secs = 0");
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..6_u64 {
        let mut connection = mariadb::connect(server, "hot").await;
        let (stop, written) = (Arc::clone(&stop), Arc::clone(&written));
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let row = 1 + (written.fetch_add(1, Ordering::Relaxed) * 7 + task) % 6_000;
                let sql = format!("UPDATE t SET v = v + 1 WHERE id = {row}");
                connection.query_drop(sql).await.unwrap();
            }
        });
    }
    let _daemon = installation.start(&["run"], &[]);
    wait_until("the copy", PATIENCE, || {
        let rows = store_rows(&installation, "SELECT source FROM ops.source_ready")?;
        rows.first().map(drop).ok_or_else(|| "not yet".to_owned())
    });
    stop.store(true, Ordering::Relaxed);
    tasks.join_all().await;
    let written = written.load(Ordering::Relaxed);
    assert!(written > 1_000, "the writers were too slow to prove anything: {written}");
    assert_eq!(agrees(&installation, server, "hot").await, 1);
    eprintln!("600 chunks among {written} transactions");
    wait_for_position(&installation, "file:");
}

/// A commit that is in the log, and that nobody sees for as long as it waits for a replica.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_between_log_and_engine_is_waited_for_without_gtids() {
    if !require("mysql") {
        return;
    }
    let server = MysqlServer::start(&off()).unwrap();
    server.create_database("hang").unwrap();
    let run = |sql: &str| server.sql("hang", sql).unwrap();
    run("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2);
         INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so';
         SET GLOBAL rpl_semi_sync_source_timeout = 600000;
         SET GLOBAL rpl_semi_sync_source_wait_for_replica_count = 1;
         SET GLOBAL rpl_semi_sync_source_enabled = ON");
    let installation = mirrored(&server, "hang", "compare_every_secs = 0");
    // GIVEN an update that hangs there
    let mut writer = mariadb::connect(&server, "hang").await;
    let update =
        tokio::spawn(async move { writer.query_drop("UPDATE t SET v = 20 WHERE id = 2").await });
    let hangs = "SELECT count(*) FROM performance_schema.threads
        WHERE PROCESSLIST_STATE LIKE 'Waiting for semi-sync ACK%'";
    wait_until("the commit to hang", PATIENCE, || {
        if run(hangs).trim() == "1" { Ok(()) } else { Err(run(hangs)) }
    });
    assert_eq!(run("SELECT v FROM t WHERE id = 2").trim(), "2", "in the log, and not seen yet");
    // WHEN a source is followed from there THEN nothing is copied, and it says for whom it waits
    let _daemon = installation.start(&["run"], &[]);
    let looks = "SELECT coalesce(sum(COUNT_STAR), 0) FROM performance_schema.events_statements_summary_by_digest
        WHERE DIGEST_TEXT LIKE '%OWNER_EVENT_ID%metadata_locks%'";
    wait_until("somebody to look for commits", PATIENCE, || {
        let count = run(looks);
        if count.trim().parse::<u64>().is_ok_and(|count| count > 2) { Ok(()) } else { Err(count) }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let copied = store_rows(&installation, "SELECT source FROM ops.source_ready");
    assert!(copied.as_ref().is_ok_and(Vec::is_empty) || copied.is_err(), "{copied:?}");
    // WHEN it goes on THEN the copy has it
    run("SET GLOBAL rpl_semi_sync_source_enabled = OFF");
    update.await.unwrap().unwrap();
    assert_eq!(agrees(&installation, &server, "hang").await, 1);
    // The same while a table is copied again.
    run("SET GLOBAL rpl_semi_sync_source_enabled = ON");
    let mut writer = mariadb::connect(&server, "hang").await;
    let update =
        tokio::spawn(async move { writer.query_drop("UPDATE t SET v = 10 WHERE id = 1").await });
    wait_until("the commit to hang", PATIENCE, || {
        if run(hangs).trim() == "1" { Ok(()) } else { Err(run(hangs)) }
    });
    let mut resync = installation.start(&["resync", "hr.t"], &[]);
    wait_until("the copy to wait", PATIENCE, || {
        let said = installation.output(&["status", "--json"]);
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        if said.contains("1 commits that are under way") { Ok(()) } else { Err(said) }
    });
    run("SET GLOBAL rpl_semi_sync_source_enabled = OFF");
    update.await.unwrap().unwrap();
    assert!(resync.wait(PATIENCE).success(), "{}", resync.output());
    agrees(&installation, &server, "hang").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_without_gtids_is_followed_through_every_form_of_its_log_and_restarts() {
    if !require("mysql") {
        return;
    }
    let server = MysqlServer::start(&off()).unwrap();
    server.create_database("forms").unwrap();
    let run = |sql: &str| server.sql("forms", sql).unwrap();
    run("CREATE TABLE t (id int PRIMARY KEY, v varchar(200), j json); CREATE TABLE other (id int);
         CREATE TABLE made (id int PRIMARY KEY);
         INSERT INTO t VALUES (1, 'one', '{\"a\": [1, 2]}'), (2, 'two', NULL), (3, 'ä ☃', '[]')");
    let installation = mirrored(&server, "forms", "idle_confirm_secs = 1");
    let file = installation.state_folder().with_file_name("trueup.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    installation.write("trueup.toml", &text.replace("\"forms.*\"", "\"forms.t\", \"forms.made\""));
    let mut daemon = installation.start(&["run"], &[]);
    agrees(&installation, &server, "forms").await;
    let forms = [
        "SET SESSION binlog_transaction_compression = ON, cte_max_recursion_depth = 40000; BEGIN;
         INSERT INTO t (id, v, j) WITH RECURSIVE s (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM s
            WHERE n < 20000) SELECT n, repeat('long ', 20), json_array(n) FROM s;
         DELETE FROM t WHERE id BETWEEN 500 AND 600; UPDATE t SET v = 'u' WHERE id > 19000; COMMIT",
        "FLUSH BINARY LOGS; UPDATE t SET v = 'rotated' WHERE id = 1; FLUSH BINARY LOGS",
        "SET SESSION binlog_transaction_compression = ON; INSERT INTO other VALUES (1), (2);
         UPDATE t SET v = 'packed' WHERE id = 2",
        "SET SESSION binlog_row_value_options = 'PARTIAL_JSON';
         UPDATE t SET j = json_set(j, '$.a[0]', 7), v = 'part' WHERE id = 1",
        "INSERT INTO made VALUES (1); ALTER TABLE t MODIFY v varchar(300);
         TRUNCATE made; INSERT INTO made VALUES (2)",
        "ALTER TABLE t ADD COLUMN more int DEFAULT 7; UPDATE t SET more = 8 WHERE id = 3",
        "BEGIN; INSERT INTO t (id) VALUES (12); SAVEPOINT s; DELETE FROM t; ROLLBACK TO s;
         INSERT INTO t (id) VALUES (13); COMMIT; TRUNCATE t; INSERT INTO t (id) VALUES (14)",
        "CREATE TABLE new (id int PRIMARY KEY); INSERT INTO new VALUES (7); RENAME TABLE made TO old, new TO made;
         DROP TABLE old; INSERT INTO made VALUES (8)",
    ];
    for (number, form) in forms.iter().enumerate() {
        if number % 3 == 2 {
            daemon.kill();
            run(form);
            if number % 2 == 0 {
                server.kill().unwrap();
                server.start_again().unwrap();
            } else {
                server.restart().unwrap();
            }
            daemon = installation.start(&["run"], &[]);
        } else {
            run(form);
        }
        agrees(&installation, &server, "forms").await;
    }
    // WHEN only others write, and nobody THEN it moves on all the same
    run("INSERT INTO other VALUES (3); FLUSH BINARY LOGS");
    let end = run("SHOW BINARY LOG STATUS");
    let end: Vec<&str> = end.split_whitespace().take(2).collect();
    wait_for_position(&installation, &end.join(":"));
    // so that a log can go of which nothing is needed any more
    run(&format!("PURGE BINARY LOGS TO '{}'", end[0]));
    daemon.kill();
    server.restart().unwrap();
    run("INSERT INTO t (id) VALUES (15)");
    let _daemon = installation.start(&["run"], &[]);
    agrees(&installation, &server, "forms").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_prepared_in_a_mysql_without_gtids_waits_for_its_commit_across_crashes() {
    if require("mysql") {
        forms::waits_for_its_commit(&off());
    }
}

/// Whether GTIDs are given out changes while the log is followed by file and position: that goes on.
#[tokio::test(flavor = "multi_thread")]
async fn gtids_that_are_turned_on_and_off_are_followed_or_are_a_gap() {
    if !require("mysql") {
        return;
    }
    let server = MysqlServer::start(&off()).unwrap();
    server.create_database("modes").unwrap();
    let run = |sql: &str| server.sql("modes", sql).unwrap();
    run("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2)");
    let installation = mirrored(&server, "modes", "compare_every_secs = 0");
    let mut daemon = installation.start(&["run"], &[]);
    agrees(&installation, &server, "modes").await;
    let (stop, mode) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer =
        tokio::spawn(count_up(mariadb::connect(&server, "modes").await, Arc::clone(&stop)));
    // WHEN it is turned on, step by step, under a writer
    run("SET GLOBAL enforce_gtid_consistency = ON");
    for step in ["OFF_PERMISSIVE", "ON_PERMISSIVE", "ON"] {
        run(&format!(
            "SET GLOBAL gtid_mode = {step}; INSERT INTO t VALUES (1{}, 0)",
            mode.fetch_add(1, Ordering::Relaxed)
        ));
        tokio::time::sleep(Duration::from_millis(300)).await;
        if step == "ON_PERMISSIVE" {
            daemon.kill();
            daemon = installation.start(&["run"], &[]);
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 50);
    // THEN nothing is lost, also after a restart, and a table can be copied again
    agrees(&installation, &server, "modes").await;
    daemon.kill();
    run("UPDATE t SET v = v + 1");
    let mut daemon = installation.start(&["run"], &[]);
    agrees(&installation, &server, "modes").await;
    assert!(position(&installation).starts_with("file:"));
    let resynced = |arguments: &[&str]| resync(&installation, arguments);
    resynced(&["hr.t"]);
    agrees(&installation, &server, "modes").await;
    // WHEN somebody asks for it THEN it is followed by GTIDs from here on
    run("DELETE FROM t WHERE id = 1");
    resynced(&["hr", "--gap"]);
    wait_for_position(&installation, "gtids:");
    run("INSERT INTO t VALUES (30, 30)");
    agrees(&installation, &server, "modes").await;
    let again = installation.output(&["resync", "hr", "--gap"]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(!again.status.success() && said.contains("has no gap"), "{said}");
    // WHEN it was off for a moment while nobody looked THEN what was written then is not passed over
    daemon.kill();
    run("SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = OFF_PERMISSIVE;
         DELETE FROM t WHERE id = 10; SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON;
         INSERT INTO t VALUES (34, 34)");
    let mut daemon = installation.start(&["run"], &[]);
    wait_for_gap(&installation, "holds transactions without GTIDs");
    crate::spine::store_opens(&installation);
    resynced(&["hr", "--gap"]);
    agrees(&installation, &server, "modes").await;
    wait_for_position(&installation, "gtids:");
    // WHEN it is turned off again THEN that is a gap, which is mended by file and position
    daemon.kill();
    run("SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = OFF_PERMISSIVE;
         INSERT INTO t VALUES (31, 31)");
    let _daemon = installation.start(&["run"], &[]);
    wait_for_gap(&installation, "no GTIDs any more (gtid_mode = OFF_PERMISSIVE)");
    crate::spine::store_opens(&installation);
    resynced(&["hr", "--gap"]);
    wait_for_position(&installation, "file:");
    run("INSERT INTO t VALUES (32, 32); SET GLOBAL gtid_mode = OFF; INSERT INTO t VALUES (33, 33)");
    agrees(&installation, &server, "modes").await;
}

fn resync(installation: &Installation, arguments: &[&str]) {
    let output = installation.output(&[&["resync"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
}

async fn count_up(mut connection: mysql_async::Conn, stop: Arc<AtomicBool>) -> u64 {
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        connection.query_drop("UPDATE t SET v = v + 1 WHERE id = 2").await.unwrap();
        written += 1;
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    written
}

/// What `check` and `run` say of a server that cannot tell what is under way.
#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_without_gtids_must_tell_its_commits() {
    if !require("mysql") {
        return;
    }
    let said = |server: &BinlogServer, account: Option<&str>| {
        let installation = mirrored(server, "told", "");
        if let Some(account) = account {
            let file = installation.state_folder().with_file_name("trueup.toml");
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.replace("mysql://root@", &format!("mysql://{account}@"));
            installation.write(
                "trueup.toml",
                &text.replace("[source.hr]\n", "[source.hr]\ntls = \"require\"\n"),
            );
            installation.write("source.password", "choose a password");
        }
        let output = installation.output(&["check"]);
        let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
        (output.status.success(), format!("{out}{err}"))
    };
    let make = |options: &Options| {
        let server = MysqlServer::start(options).unwrap();
        server.create_database("told").unwrap();
        server.sql("told", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
        server
    };
    // One that lists no locks, and one that has no room for them.
    for (name, value, words) in [
        ("performance_schema", "OFF", "does not tell its metadata locks"),
        (
            "performance_schema_instrument",
            "'wait/lock/metadata/sql/mdl=OFF'",
            "does not tell its metadata locks",
        ),
        ("performance_schema_max_metadata_locks", "2", "had no room to tell"),
    ] {
        let server = make(&off().setting(name, value));
        let (is_ready, text) = said(&server, None);
        assert!(!is_ready && text.contains(words) && text.contains("my.cnf"), "{name}: {text}");
    }
    // One whose account may not see them, and may.
    let server = make(&off());
    server
        .sql("", "CREATE USER 'trueup'@'%' IDENTIFIED BY 'choose a password'; GRANT SELECT ON told.* TO
             'trueup'@'%'; GRANT REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN ON *.* TO 'trueup'@'%'")
        .unwrap();
    let (is_ready, text) = said(&server, Some("trueup"));
    let grant = "GRANT SELECT ON `performance_schema`.`metadata_locks` TO 'trueup'@'%';";
    assert!(!is_ready && text.contains(grant), "{text}");
    server.sql("", grant).unwrap();
    let (is_ready, text) = said(&server, Some("trueup"));
    assert!(
        is_ready && text.contains("gtid_mode = OFF: the log is followed by file and position"),
        "{text}"
    );
    assert!(text.contains("SET GLOBAL gtid_mode = ON_PERMISSIVE"), "{text}");
}
