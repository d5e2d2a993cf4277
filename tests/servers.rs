//! The private servers keep their promises: they start, crash, come back, and never outlive us.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::require::{VERSIONS, require};
use trueup::demo::servers::{MariadbServer, MysqlServer, Options, PostgresServer};

/// Set for the child process of the kill -9 test only.
const HOLD: &str = "TRUEUP_TEST_HOLD";

#[test]
fn postgres_decodes_logically_and_keeps_commits_through_a_crash() {
    if !require("postgres") {
        return;
    }
    let server = PostgresServer::start(&Options::default().setting("work_mem", "'7MB'")).unwrap();
    server.create_database("shop").unwrap();
    assert_eq!(server.sql("shop", "SHOW wal_level; SHOW work_mem;").unwrap(), "logical\n7MB\n");
    server.sql("shop", "CREATE TABLE t (a int); INSERT INTO t VALUES (1);").unwrap();
    for crash in [PostgresServer::stop_immediately, PostgresServer::kill] {
        crash(&server).unwrap();
        assert!(server.sql("shop", "SELECT 1").is_err(), "it must be down after a crash");
        server.start_again().unwrap();
        assert_eq!(server.sql("shop", "SELECT count(*) FROM t").unwrap(), "1\n");
    }
    server.restart().unwrap();
    let words = server.sql("shop", "SELECT 1; SELECT * FROM nowhere; SELECT 2").unwrap_err();
    assert!(words.chain().contains("nowhere"), "{}", words.chain());
    let wrong = server.psql("shop").env("PGPASSWORD", "wrong").stdin(Stdio::null()).output();
    assert_refused(&wrong.unwrap(), "password authentication failed");
}

#[test]
fn mariadb_logs_full_rows_and_keeps_commits_through_a_crash() {
    if !require("mariadb") {
        return;
    }
    let server = MariadbServer::start(&Options::default().setting("server_id", "77")).unwrap();
    server.create_database("people").unwrap();
    let settings = "SELECT @@server_id, @@log_bin, @@binlog_format, @@binlog_row_metadata, \
                    @@binlog_row_image, @@character_set_database";
    assert_eq!(server.sql("people", settings).unwrap(), "77\t1\tROW\tFULL\tFULL\tutf8mb4\n");
    let users = "SELECT user, host FROM mysql.user WHERE user IN ('', 'root') ORDER BY 2";
    assert_eq!(server.sql("", users).unwrap(), "root\t127.0.0.1\nroot\tlocalhost\n");
    // In a shared folder a server that starts would remove our temporary tables.
    let folder = "SELECT @@tmpdir = left(@@datadir, length(@@tmpdir))";
    assert_eq!(server.sql("people", folder).unwrap(), "1\n");
    server.sql("people", "CREATE TABLE t (a int); INSERT INTO t VALUES (1);").unwrap();
    server.kill().unwrap();
    assert!(server.sql("people", "SELECT 1").is_err(), "it must be down after a crash");
    server.start_again().unwrap();
    server.restart().unwrap();
    assert_eq!(server.sql("people", "SELECT count(*) FROM t").unwrap(), "1\n");
    let wrong = server.client("people").env("MYSQL_PWD", "wrong").stdin(Stdio::null()).output();
    assert_refused(&wrong.unwrap(), "Access denied");
}

#[test]
fn mysql_logs_full_rows_under_gtids_and_keeps_commits_through_a_crash() {
    if !require("mysql") {
        return;
    }
    let server = MysqlServer::start(&Options::default().setting("server_id", "78")).unwrap();
    server.create_database("people").unwrap();
    let settings = "SELECT @@server_id, @@log_bin, @@binlog_format, @@binlog_row_metadata, \
                    @@binlog_row_image, @@gtid_mode, @@enforce_gtid_consistency";
    let expected = "78\t1\tROW\tFULL\tFULL\tON\tON\n";
    assert_eq!(server.sql("people", settings).unwrap(), expected);
    let users = "SELECT user, host, plugin FROM mysql.user WHERE user IN ('', 'root') ORDER BY 2";
    let plugin = "caching_sha2_password";
    let expected = format!("root\t127.0.0.1\t{plugin}\nroot\tlocalhost\t{plugin}\n");
    assert_eq!(server.sql("", users).unwrap(), expected);
    server.sql("people", "CREATE TABLE t (a int); INSERT INTO t VALUES (1);").unwrap();
    server.kill().unwrap();
    assert!(server.sql("people", "SELECT 1").is_err(), "it must be down after a crash");
    server.start_again().unwrap();
    server.restart().unwrap();
    assert_eq!(server.sql("people", "SELECT count(*) FROM t").unwrap(), "1\n");
    // Its accounts are not in the log.
    let done = server.sql("", "SELECT @@global.gtid_executed").unwrap();
    assert!(done.trim_end().ends_with(":1-3"), "{done}");
    let wrong = server.client("people").env("MYSQL_PWD", "wrong").stdin(Stdio::null()).output();
    assert_refused(&wrong.unwrap(), "Access denied");
}

/// A server that people have stays the one that a test gets if it names no version.
#[test]
fn each_version_is_the_one_that_was_asked_for() {
    for (what, name, version) in VERSIONS {
        if matches!(what, "mysql" | "postgis") || !require(what) {
            continue;
        }
        let options = Options::default().version(Some(version));
        let said = match name.starts_with("PostgreSQL") {
            true => PostgresServer::start(&options).unwrap().sql("postgres", "SHOW server_version"),
            false => MariadbServer::start(&options).unwrap().sql("", "SELECT @@version"),
        };
        let said = said.unwrap();
        assert!(said.starts_with(&format!("{version}.")), "{name} is {said}");
    }
    let error = PostgresServer::start(&Options::default().version(Some("9"))).unwrap_err();
    assert!(error.chain().contains("there is no postgresql 9 in "), "{}", error.chain());
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("scripts/setup versions")));
}

#[test]
fn a_setting_beats_ours_so_wrong_servers_can_be_made() {
    if !require("mariadb") {
        return;
    }
    let off = Options::default().setting("skip_log_bin", "");
    let server = MariadbServer::start(&off).unwrap();
    assert_eq!(server.sql("", "SELECT @@log_bin").unwrap(), "0\n");
}

#[test]
fn a_server_that_cannot_start_says_why() {
    if !require("postgres") {
        return;
    }
    let wrong = Options::default().setting("wal_level", "sideways");
    let error = PostgresServer::start(&wrong).unwrap_err();
    assert!(error.chain().contains("sideways"), "{}", error.chain());
}

#[test]
fn servers_end_with_a_process_that_is_killed() {
    if !require("postgres") || !require("mariadb") {
        return;
    }
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "servers::hold_servers_until_killed", "--nocapture"])
        .env(HOLD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(holder.stdout.take().unwrap());
    let held = lines
        .lines()
        .map(Result::unwrap)
        .find_map(|line| line.split_once("held: ").map(|(_, held)| held.to_owned()))
        .expect("the holder ended without saying what it holds");
    holder.kill().unwrap();
    holder.wait().unwrap();
    for place in held.split(' ') {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Path::new(place).exists() {
            assert!(Instant::now() < deadline, "{place} outlived its owner");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Not a test of its own: the process that [`servers_end_with_a_process_that_is_killed`] kills.
#[test]
fn hold_servers_until_killed() {
    if std::env::var_os(HOLD).is_none() {
        return;
    }
    let postgres = PostgresServer::start(&Options::default()).unwrap();
    let mariadb = MariadbServer::start(&Options::default()).unwrap();
    let places = [postgres.process_id().unwrap(), mariadb.process_id().unwrap()]
        .map(|server| format!("/proc/{server}"));
    let folders =
        [postgres.sql("postgres", "SHOW data_directory"), mariadb.sql("", "SELECT @@datadir")]
            .map(|folder| folder.unwrap().trim_end().trim_end_matches('/').to_owned());
    writeln!(std::io::stdout(), "held: {} {}", places.join(" "), folders.join(" ")).unwrap();
    std::thread::sleep(Duration::from_secs(120));
}

fn assert_refused(output: &Output, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(words), "not refused: {said}");
}
