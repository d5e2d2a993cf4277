//! MySQL as a source, against a real server: copy, log and the server's own words agree, through
//! crashes, and what the log does not have any more is a gap.

mod by_file;
mod by_file_gaps;
mod cascades;
mod east_asian;
mod forms;
mod gaps;
mod setup;
mod unsaid;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trueup::demo::servers::BinlogServer;

use crate::agreement::{self, mariadb, store};
use crate::support::process::Installation;
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::servers;

/// Foreign keys whose effects this server logs itself: they must not be done twice.
const TABLES: &str = "
    CREATE TABLE parent (id int PRIMARY KEY, v int NOT NULL);
    CREATE TABLE child (id int PRIMARY KEY, p int, v varchar(40), j json,
        FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
    CREATE TABLE note (id int PRIMARY KEY, c int,
        FOREIGN KEY (c) REFERENCES child (id) ON DELETE SET NULL);
    SET SESSION cte_max_recursion_depth = 10000;
    INSERT INTO parent WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 300)
        SELECT n, 0 FROM s;
    INSERT INTO child WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 1000)
        SELECT n, 1 + n % 300, 'ä', json_object('n', n) FROM s;
    INSERT INTO note SELECT id, id FROM child WHERE id % 3 = 0";

/// Each is a transaction; `{n}` is a parent, `{c}` a child.
const CHANGES: [&str; 11] = [
    "UPDATE parent SET v = v + 1 WHERE id = {n}",
    "UPDATE child SET v = concat(id, ' ☃') WHERE id = {c}",
    "INSERT IGNORE INTO parent VALUES ({n}, -1)",
    "INSERT IGNORE INTO child VALUES ({c}, {n}, 'new', '[1, 2.50]')",
    "DELETE FROM child WHERE id = {c}",
    "DELETE FROM parent WHERE id = {n}",
    "UPDATE IGNORE parent SET id = id + 1000 WHERE id = {n}",
    "REPLACE INTO parent VALUES ({n}, 7)",
    "UPDATE child SET j = json_set(j, '$.x', {n}) WHERE id = {c}",
    "INSERT IGNORE INTO note VALUES ({c}, {c})",
    "BEGIN; UPDATE parent SET v = 0 WHERE id = {n}; SAVEPOINT s; DELETE FROM child WHERE id = {c};
     ROLLBACK TO s; UPDATE child SET v = 'after' WHERE id = {c}; COMMIT",
];

/// Where it crashes, and up to which pass.
const POINTS: [(&str, u64); 10] = [
    ("after-read", 40),
    ("before-journal-commit", 3),
    ("after-journal-commit", 3),
    ("before-confirm", 3),
    ("after-chunk", 2),
    ("after-chunk-commit", 2),
    ("before-outbox-commit", 2),
    ("after-outbox-commit", 2),
    ("before-store-commit", 2),
    ("after-store-commit", 2),
];

/// A configuration that mirrors the whole database.
fn mirrored(server: &BinlogServer, database: &str, limits: &str) -> Installation {
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"mysql\"\nurl = \"{}\"\ntables = [\"{database}.*\"]",
        server.url(database)
    );
    store::configure(&installation, (&source, server.password()), None);
    let file = installation.state_folder().with_file_name("trueup.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    installation
        .write("trueup.toml", &text.replace("[limits]\n", &format!("[limits]\n{limits}\n")));
    installation
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_every_durable_step_loses_and_doubles_nothing_of_a_mysql() {
    if require("mysql") {
        crashes(servers::mysql()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_every_durable_step_loses_and_doubles_nothing_of_a_mysql_without_gtids() {
    if require("mysql") {
        crashes(servers::mysql_without_gtids()).await;
    }
}

async fn crashes(server: &BinlogServer) {
    let mut rng = seeded();
    for (point, passes) in POINTS {
        let database = servers::binlog_database(server, "crash");
        server.sql(&database, TABLES).unwrap();
        let installation = mirrored(server, &database, "copy_chunk_rows = 100");
        let stop = Arc::new(AtomicBool::new(false));
        let writer = mariadb::connect(server, &database).await;
        let writer = tokio::spawn(write(writer, rng.random(), Arc::clone(&stop)));

        // WHEN it crashes in the midst of it and starts again
        let armed = format!("{point}:{}", rng.random_range(1..=passes));
        let mut daemon = installation.start(&["run"], &[("TRUEUP_FAILPOINT", armed.as_str())]);
        let ended = daemon.wait(agreement::PATIENCE);
        assert!(!ended.success(), "{armed} must have crashed: {ended:?}");
        eprintln!("{armed} crashed");
        let _daemon = installation.start(&["run"], &[]);
        tokio::time::sleep(Duration::from_millis(800)).await;
        stop.store(true, Ordering::Relaxed);
        let written = writer.await.unwrap();
        assert!(written > 50, "{armed}: the writer was too slow to prove anything: {written}");

        // THEN the mirror is as the source
        assert_eq!(agrees(&installation, server, &database).await, 3);
    }
}

/// Waits until every table of the mirror is as the server's, row by row; how many there are. Nothing
/// was left unread, and the product's own comparison says so, too.
async fn agrees(installation: &Installation, server: &BinlogServer, database: &str) -> usize {
    let mut connection = mariadb::connect(server, database).await;
    let contents = mariadb::contents(&mut connection, "hr").await;
    agreement::mirror_agrees(installation, &contents);
    let answer = |arguments: &[&str]| {
        let output = installation.output(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        said
    };
    assert_eq!(answer(&["unread"]), "everything could be read\n");
    answer(&["reconcile"]);
    contents.tables.len()
}

/// Changes rows until it is stopped; how many transactions changed something.
async fn write(mut connection: Conn, seed: u64, stop: Arc<AtomicBool>) -> u64 {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let change = CHANGES[rng.random_range(0..CHANGES.len())];
        let change = change
            .replace("{n}", &rng.random_range(1..400).to_string())
            .replace("{c}", &rng.random_range(1..1_500).to_string());
        connection.query_drop(change).await.unwrap();
        written += u64::from(connection.affected_rows() > 0);
        tokio::time::sleep(Duration::from_millis(rng.random_range(1..10))).await;
    }
    written
}
