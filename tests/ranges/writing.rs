//! People write while a table is read in parts: rows that move from one part to another are neither lost nor
//! doubled, and what is gone at the source goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use trueup::ledger::copies::CopyProgress;

use super::{PATIENCE, RANGES, Session, Side, copies, copy_is_done};
use crate::spine::store_rows;
use crate::support::process::{Installation, Running};
use crate::support::random::seeded;
use crate::support::wait::wait_until;

const ROWS: usize = 5_000;

/// A key of a number, of several columns, and of a text. `{n}` and `{o}` are keys anywhere in the table.
const CHANGES: [&str; 11] = [
    "UPDATE t SET id = {n}, k = k + 1 WHERE id = {o}",
    "UPDATE t SET id = {n} WHERE id = {o}",
    "UPDATE t SET id = id + 20000 WHERE id = {o}",
    "UPDATE t SET k = k + 1 WHERE id BETWEEN {o} AND {o} + 90",
    "DELETE FROM t WHERE id = {o}",
    "INSERT INTO t VALUES ({n}, 7, 'new')",
    "UPDATE c SET a = 1 + ({n} % 3), b = concat('b', {n}) WHERE k = {o} / 10",
    "DELETE FROM c WHERE k = {o} / 10",
    "INSERT INTO c VALUES (1 + ({n} % 3), concat('x', {n}), {n} / 10)",
    "UPDATE x SET k = concat('K', {n}) WHERE v = {o} / 10",
    "INSERT INTO x VALUES (concat('k', {n}), {n} / 10)",
];

const TABLES: [(&str, &str); 3] = [
    ("t", "concat_ws('|', id, k, v)"),
    ("c", "concat_ws('|', a, b, k)"),
    ("x", "concat_ws('|', k, v)"),
];

fn tables(side: &Side) {
    side.fill("t", ROWS);
    side.sql(
        "CREATE TABLE c (a int NOT NULL, b varchar(40) NOT NULL, k int NOT NULL, PRIMARY KEY (a, b));
         INSERT INTO c SELECT 1 + k % 3, concat('b', id), k FROM t;
         CREATE TABLE x (k varchar(40) PRIMARY KEY, v int NOT NULL);
         INSERT INTO x SELECT concat('k', id), k FROM t",
    );
}

/// Writes until it is stopped; how many statements were done.
async fn write(mut session: Session, seed: u64, stop: Arc<AtomicBool>) -> u64 {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let change = CHANGES[rng.random_range(0..CHANGES.len())];
        let mut key = || (rng.random_range(1..=ROWS) * 10).to_string();
        let (n, o) = (key(), key());
        // One that takes a key that is taken is refused.
        let change = change.replace("{n}", &n).replace("{o}", &o);
        written += u64::from(session.run(&change).await);
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..6))).await;
    }
    written
}

struct Writers {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<u64>>,
}

impl Writers {
    async fn start(side: &Side, seed: u64) -> Self {
        let (stop, mut tasks) = (Arc::new(AtomicBool::new(false)), Vec::new());
        for n in 0..3 {
            let session = side.session().await;
            tasks.push(tokio::spawn(write(session, seed.wrapping_add(n), Arc::clone(&stop))));
        }
        Self { stop, tasks }
    }

    async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut written = 0;
        for task in self.tasks {
            written += task.await.unwrap();
        }
        written
    }
}

fn equal(side: &Side, installation: &Installation) {
    for (table, row) in TABLES {
        let theirs = side.sql(&format!("SELECT {row} FROM {table}"));
        let mut theirs: Vec<&str> = theirs.lines().collect();
        theirs.sort_unstable();
        wait_until(&format!("the mirror of {table} to be equal"), PATIENCE, || {
            let ours = store_rows(installation, &format!("SELECT {row} FROM hr.{table}"))?;
            let mut ours: Vec<&str> = ours.iter().filter_map(|row| row[0].as_deref()).collect();
            ours.sort_unstable();
            if ours == theirs {
                return Ok(());
            }
            let first = ours.iter().zip(&theirs).find(|(a, b)| a != b);
            Err(format!("{} rows for {}, first {first:?}", ours.len(), theirs.len()))
        });
    }
    let compared = installation.output(&["reconcile"]);
    let said = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert_eq!(compared.status.code(), Some(0), "{said}");
}

/// Rows of copies that the store has; 0 before it opens.
fn rows_read(installation: &Installation) -> u64 {
    let count = |sql: &str| {
        let rows = store_rows(installation, sql).unwrap_or_default();
        rows.first()?.first()?.as_deref()?.parse::<u64>().ok()
    };
    let tables = TABLES.map(|(table, _)| format!("SELECT count(*) FROM hr.{table}"));
    let resync = "SELECT coalesce(sum(rows_read), 0) FROM ops.resync".to_owned();
    tables.into_iter().chain([resync]).filter_map(|sql| count(&sql)).sum()
}

/// Kills the daemon until it dies in a copy of `t` in several parts, and some times more.
fn kill_in_parts(installation: &Installation, daemon: &mut Running, rng: &mut StdRng) {
    let (mut in_parts, mut seen) = (0, Vec::new());
    for _ in 0..40 {
        let before = rows_read(installation);
        let until = std::time::Instant::now() + PATIENCE / 12;
        while rows_read(installation) < before + 100 && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(30));
        }
        std::thread::sleep(Duration::from_millis(rng.random_range(0..500)));
        daemon.kill();
        let copies = copies(installation);
        let stands = |copy: &CopyProgress| (copy.row_count, copy.ranges.len());
        seen.push(copies.values().map(stands).collect::<Vec<_>>());
        in_parts += usize::from(copies.values().any(|copy| copy.ranges.len() > 1));
        let is_over = !copies.is_empty() && copies.values().all(|copy| copy.ranges.is_empty());
        *daemon = installation.start(&["run"], &[]);
        if in_parts >= 3 || is_over {
            break;
        }
    }
    eprintln!("rows and parts at each death: {seen:?}");
    assert!(in_parts > 0, "it never died between two parts: {seen:?}");
}

async fn rows_move_between_parts(kind: &'static str) {
    let Some(side) = Side::new(kind, "moving") else { return };
    tables(&side);
    let mut rng = seeded();
    let limits = format!("copy_chunk_rows = 40\ncopy_tables = 1\ncopy_ranges = {RANGES}");
    let installation = side.install(&limits);
    let writers = Writers::start(&side, rng.random()).await;
    let mut daemon = installation.start(&["run"], &[]);
    tokio::task::block_in_place(|| kill_in_parts(&installation, &mut daemon, &mut rng));
    tokio::time::sleep(Duration::from_secs(1)).await;
    let written = writers.stop().await;
    assert!(written > 300, "{written} statements are too few to prove anything");
    tokio::task::block_in_place(|| {
        copy_is_done(&installation);
        equal(&side, &installation);
        gone_rows_go(&side, &installation, &mut daemon, &mut rng);
    });
}

/// What was changed behind the log's back is mended in parts, too, through kills.
fn gone_rows_go(side: &Side, installation: &Installation, daemon: &mut Running, rng: &mut StdRng) {
    let unheard = "DELETE FROM t WHERE id % 70 = 0; UPDATE t SET v = 'unheard' WHERE id % 110 = 0;
                   INSERT INTO t VALUES (5, 5, 'unheard'), (999999999, 5, 'unheard')";
    match side.kind {
        "postgres" => {
            let publication = side.sql("SELECT pubname FROM pg_publication");
            let publication = publication.trim();
            side.sql(&format!(
                "ALTER PUBLICATION {publication} DROP TABLE t; {unheard};
                 ALTER PUBLICATION {publication} ADD TABLE t"
            ))
        }
        _ => side.sql(&format!("SET SESSION sql_log_bin = 0; {unheard}")),
    };
    let asked = installation.start(&["resync", "hr.t"], &[]);
    wait_until("the resync to begin", PATIENCE, || {
        let rows = store_rows(installation, "SELECT rows_read > 0 FROM ops.resync")?;
        let begun = rows.last().is_some_and(|row| row[0].as_deref() == Some("true"));
        if begun { Ok(()) } else { Err("not yet".to_owned()) }
    });
    kill_in_parts(installation, daemon, rng);
    drop(asked);
    wait_until("the resync to be done", PATIENCE, || {
        let sql = "SELECT state, rows_read, rows_removed > 300 FROM ops.resync";
        let rows = store_rows(installation, sql)?;
        let last = rows.last().cloned().unwrap_or_default();
        let is_done = last.first() == Some(&Some("done".to_owned()));
        if is_done && last[2].as_deref() == Some("true") {
            Ok(())
        } else {
            Err(format!("{last:?}"))
        }
    });
    equal(side, installation);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_move_between_parts_of_a_postgresql_are_neither_lost_nor_doubled() {
    rows_move_between_parts("postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_move_between_parts_of_a_mariadb_are_neither_lost_nor_doubled() {
    rows_move_between_parts("mariadb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_move_between_parts_of_a_mysql_are_neither_lost_nor_doubled() {
    rows_move_between_parts("mysql").await;
}
