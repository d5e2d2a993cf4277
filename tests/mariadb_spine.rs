//! MariaDB → ledger → mirror through a crash at every durable step, with writers on both sides of
//! it, compared row by row. Parents go with their children, which the log does not tell.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trueup::demo::servers::MariadbServer;

use crate::agreement::{self, store};
use crate::support::process::Installation;
use crate::support::random::seeded;
use crate::support::servers;
use crate::support::versions::{Version, on_versions};

const TABLES: &str = "
    CREATE TABLE parent (id int PRIMARY KEY, v int NOT NULL);
    CREATE TABLE child (id int PRIMARY KEY, p int, v varchar(40),
        FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE);
    INSERT INTO parent SELECT seq, 0 FROM seq_1_to_300;
    INSERT INTO child SELECT seq, 1 + seq % 300, 'ä' FROM seq_1_to_1000";

/// Each is a transaction; `{n}` is a parent, `{c}` a child.
const CHANGES: [&str; 7] = [
    "UPDATE parent SET v = v + 1 WHERE id = {n}",
    "UPDATE child SET v = concat(id, ' ☃') WHERE id = {c}",
    "INSERT IGNORE INTO parent VALUES ({n}, -1)",
    "INSERT IGNORE INTO child VALUES ({c}, {n}, 'new')",
    "DELETE FROM child WHERE id = {c}",
    "DELETE FROM parent WHERE id = {n}",
    "REPLACE INTO parent VALUES ({n}, 7)",
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
fn mirrored(server: &MariadbServer, database: &str, limits: &str) -> Installation {
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\ntables = [\"{database}.*\"]",
        server.url(database)
    );
    store::configure(&installation, (&source, server.password()), None);
    let file = installation.state_folder().with_file_name("trueup.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("[limits]\n", &format!("[limits]\n{limits}\n"));
    installation.write("trueup.toml", &text);
    installation
}

async fn a_crash_at_every_durable_step_loses_and_doubles_nothing(version: Version) {
    let server = servers::mariadb_of(version);
    let mut rng = seeded();
    for (point, passes) in POINTS {
        let database = servers::binlog_database(server, "crash");
        server.sql(&database, TABLES).unwrap();
        let installation = mirrored(server, &database, "copy_chunk_rows = 100");
        let stop = Arc::new(AtomicBool::new(false));
        let writer = agreement::mariadb::connect(server, &database).await;
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
        let mut connection = agreement::mariadb::connect(server, &database).await;
        let contents = agreement::mariadb::contents(&mut connection, "hr").await;
        assert_eq!(contents.tables.len(), 2);
        agreement::mirror_agrees(&installation, &contents);
    }
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

/// Larger than a batch; parents go with their children in its midst. `{own}` is what else it does.
const LARGE: &str = "START TRANSACTION;
    INSERT INTO parent SELECT seq, 0 FROM seq_1001_to_4000;
    INSERT INTO child SELECT seq, 1001 + seq % 3000, 'ä ☃' FROM seq_10001_to_16000;
    {own}
    UPDATE parent SET v = id WHERE id > 1000;
    DELETE FROM parent WHERE id BETWEEN 1500 AND 1530;
    UPDATE child SET v = concat(id, '!') WHERE id > 10000;
    UPDATE parent SET v = v + 1 WHERE id < 200;
    COMMIT";

async fn a_transaction_larger_than_a_batch_survives_kills_in_its_midst(version: Version) {
    let server = servers::mariadb_of(version);
    let mut rng = seeded();
    // A rollback is in the log only if a table was written that cannot roll back.
    let takes_back = "SAVEPOINT s; INSERT INTO {side}.note VALUES (1);
                      UPDATE parent SET v = -1; DELETE FROM child WHERE id > 500; ROLLBACK TO s;";
    for own in ["", takes_back] {
        let database = servers::binlog_database(server, "large");
        server.sql(&database, TABLES).unwrap();
        let side = servers::binlog_database(server, "side");
        server.sql(&side, "CREATE TABLE note (id int PRIMARY KEY) ENGINE = Aria").unwrap();
        let limits = "chunk_bytes = 8192\nbatch_bytes = 16384";
        let installation = mirrored(server, &database, limits);
        let mut connection = agreement::mariadb::connect(server, &database).await;
        let mut daemon = installation.start(&["run"], &[]);
        agreement::mirror_agrees(
            &installation,
            &agreement::mariadb::contents(&mut connection, "hr").await,
        );
        // WHEN it is conformed in slices, and killed in their midst
        server.sql(&database, &LARGE.replace("{own}", &own.replace("{side}", &side))).unwrap();
        let mut met = 0;
        for _ in 0..40 {
            let status = installation.output(&["status", "--json"]).stdout;
            let status: serde_json::Value = serde_json::from_slice(&status).unwrap_or_default();
            if status["conform"]["open_transaction"]["source"] == "hr" {
                met += 1;
                daemon.kill();
                daemon = installation.start(&["run"], &[]);
            }
            if met == 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(rng.random_range(10..120))).await;
        }
        // THEN the mirror is as the source
        let contents = agreement::mariadb::contents(&mut connection, "hr").await;
        assert!(contents.row_count() > 10_000);
        agreement::mirror_agrees(&installation, &contents);
        // What takes something back is conformed whole.
        assert_eq!(met >= 2, own.is_empty(), "met in the midst: {met}");
    }
}

on_versions! {
    [mariadb mariadb118]
    a_crash_at_every_durable_step_loses_and_doubles_nothing
    a_transaction_larger_than_a_batch_survives_kills_in_its_midst
}
