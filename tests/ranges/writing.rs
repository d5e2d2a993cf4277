//! People write while a table is read in parts: rows that move from one part to another are neither lost nor
//! doubled, and what is gone at the source goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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

/// Writes until it is stopped, and counts the statements that were done.
async fn write(
    mut session: Session,
    seed: u64,
    (stop, written): (Arc<AtomicBool>, Arc<AtomicU64>),
) {
    let mut rng = StdRng::seed_from_u64(seed);
    while !stop.load(Ordering::Relaxed) {
        let change = CHANGES[rng.random_range(0..CHANGES.len())];
        let mut key = || (rng.random_range(1..=ROWS) * 10).to_string();
        let (n, o) = (key(), key());
        // One that takes a key that is taken is refused.
        let change = change.replace("{n}", &n).replace("{o}", &o);
        written.fetch_add(session.run(&change).await.into(), Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..6))).await;
    }
}

struct Writers {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Writers {
    async fn start(side: &Side, seed: u64) -> Self {
        let (stop, written, mut tasks) = <(Arc<AtomicBool>, Arc<AtomicU64>, Vec<_>)>::default();
        for n in 0..3 {
            let session = side.session().await;
            let told = (Arc::clone(&stop), Arc::clone(&written));
            tasks.push(tokio::spawn(write(session, seed.wrapping_add(n), told)));
        }
        Self { stop, written, tasks }
    }

    /// Once enough was written to prove something.
    async fn stop(self) {
        let enough = async {
            while self.written.load(Ordering::Relaxed) <= 300 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, enough).await.expect("too little was written");
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

/// The mirror has the rows of these tables, each as the SQL behind its name says, on both sides.
pub(super) fn equal(side: &Side, installation: &Installation, tables: &[(&str, &str)]) {
    for (table, row) in tables {
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

/// Rows that copies have read so far, of whom nobody counts those that people write; 0 while nobody answers.
fn rows_read(installation: &Installation) -> u64 {
    let status = installation.output(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap_or_default();
    let first = status["sources"][0]["copy"]["rows_copied"].as_u64().unwrap_or_default();
    let again = "SELECT coalesce(sum(rows_read), 0)::BIGINT::VARCHAR FROM ops.resync";
    let again = store_rows(installation, again).unwrap_or_default();
    let again = again.first().and_then(|row| row[0].as_deref()?.parse::<u64>().ok());
    first + again.unwrap_or_default()
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
        std::thread::sleep(Duration::from_millis(rng.random_range(0..300)));
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
    let limits = format!("copy_chunk_rows = 10\ncopy_tables = 1\ncopy_ranges = {RANGES}");
    let installation = side.install(&limits);
    let writers = Writers::start(&side, rng.random()).await;
    let mut daemon = installation.start(&["run"], &[]);
    tokio::task::block_in_place(|| kill_in_parts(&installation, &mut daemon, &mut rng));
    writers.stop().await;
    tokio::task::block_in_place(|| {
        copy_is_done(&installation);
        equal(&side, &installation, &TABLES);
        gone_rows_go(&side, &installation, &mut daemon, &mut rng);
    });
}

/// What was changed behind the log's back is mended in parts, too, through kills.
fn gone_rows_go(side: &Side, installation: &Installation, daemon: &mut Running, rng: &mut StdRng) {
    let unheard = "DELETE FROM t WHERE id % 70 = 0; UPDATE t SET v = 'unheard' WHERE id % 110 = 0;
                   INSERT INTO t VALUES (5, 5, 'unheard'), (999999999, 5, 'unheard')";
    side.unheard("t", unheard);
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
    equal(side, installation, &TABLES);
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
