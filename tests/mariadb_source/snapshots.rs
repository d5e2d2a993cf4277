//! A chunk never says that it saw what it did not, whatever is written meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use rand::{Rng, SeedableRng};
use tokio::task::JoinHandle;
use trueup::change::{Change, Position, TableName, Transaction, Visibility};
use trueup::demo::servers::{MariadbServer, Options};
use trueup::source::{Chunk, Fence, Span};

use super::harness::{Log, chunk, end_of_log, rows, show, source};
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::servers::{mariadb, mariadb_database};
use crate::support::wait::wait_until;

const ROWS: u32 = 64;
const WRITERS: u64 = 6;
const CHUNKS: usize = 200;
/// How long a commit is held between log and engine, milliseconds.
const HOLD_MS: u32 = 4_000;
/// So short that many chunks are read right after a rotation.
const ROTATION_PAUSE: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_sees_all_the_transactions_it_says() {
    if !require("mariadb") {
        return;
    }
    let mut random = seeded();
    let (server, database) = (mariadb(), mariadb_database("snapshots"));
    server
        .sql(
            &database,
            "CREATE TABLE t (id int PRIMARY KEY, v bigint NOT NULL);
             INSERT INTO t SELECT seq, 0 FROM seq_0_to_63",
        )
        .unwrap();
    let source = source(server, &database, &["t"]);
    let mut log = Log::start(&source).await;

    // GIVEN writers in two replication domains, each with rows of its own, and files that rotate
    let load = Load::start(server, &database, &mut random);

    // WHEN chunks are read meanwhile
    let table = TableName::new(&database, "t");
    let mut copier = source.copier(Fence::Open).await.unwrap();
    let mut chunks = Vec::new();
    for _ in 0..CHUNKS {
        chunks.push(chunk(&mut copier, &table, None, 1_000).await);
    }
    let written = load.end().await;

    // THEN each, with what it does not say it has seen laid over it, is what the log made of the
    // table where the chunk may be admitted; and the log reaches that position
    let transactions = log.read_all(server).await;
    let logged: usize = transactions.iter().map(|transaction| transaction.changes.len()).sum();
    assert_eq!(logged, written, "the log has every write once");
    assert!(logged > 1_000, "the writers were too slow to prove anything: {logged}");
    for chunk in &chunks {
        let Visibility::UpTo(seen) = &chunk.visibility else { panic!("no position") };
        assert!(chunk.admit_after.covers(seen).unwrap());
        assert!(log.position.covers(&chunk.admit_after).unwrap());
    }
    let off: usize = chunks.iter().map(|chunk| rows_off(chunk, &transactions)).sum();
    assert_eq!(off, 0, "of {} rows", CHUNKS * ROWS as usize);
    // What is laid over a chunk was written shortly before it, not since the copy began.
    let unseen: usize = chunks.iter().map(|chunk| unseen(chunk, &transactions)).sum();
    assert!(unseen / CHUNKS < logged / 10, "{unseen} of {CHUNKS} times {logged}");
}

/// A transaction stands in the log before it is visible. In between it must be neither claimed by a
/// chunk nor before the beginning of a new source's log: it would be lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_logged_and_not_yet_visible_is_neither_claimed_nor_passed_over() {
    if !require("mariadb") {
        return;
    }
    // GIVEN a server that holds each commit between log and engine, for a replica that is not there
    let server = MariadbServer::start(&Options::default()).unwrap();
    server.create_database("held").unwrap();
    server
        .sql("held", "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 0)")
        .unwrap();
    let source = source(&server, "held", &["t"]);
    let table = TableName::new("held", "t");
    let mut copier = source.copier(Fence::Open).await.unwrap();
    chunk(&mut copier, &table, None, 1_000).await;
    let hold = format!(
        "SET GLOBAL rpl_semi_sync_master_timeout = {HOLD_MS};
         SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC';
         SET GLOBAL rpl_semi_sync_master_enabled = ON"
    );
    server.sql("", &hold).unwrap();
    let before = end_of_log(&server);
    let value = |chunk: &Chunk| show(&rows(chunk)[0][1]);

    // and a copy that must see what will be logged next, because that was read already
    let mut fenced = source.copier(Fence::Reached(next(&before))).await.unwrap();
    let told = Arc::new(AtomicBool::new(false));
    let behind_fence = {
        let (told, table) = (Arc::clone(&told), table.clone());
        tokio::spawn(async move {
            let waiting = |whom: String| told.store(whom.contains("committed"), Ordering::Relaxed);
            fenced.chunk(&table, Span::default(), 1_000, &waiting).await.unwrap()
        })
    };
    wait_until("the copy to wait", Duration::from_secs(30), || {
        if told.load(Ordering::Relaxed) { Ok(()) } else { Err("it does not".to_owned()) }
    });

    std::thread::scope(|scope| {
        scope.spawn(|| server.sql("held", "UPDATE t SET v = 1").unwrap());
        wait_until("the update to be logged", Duration::from_secs(30), || {
            if end_of_log(&server) == before { Err("not there".to_owned()) } else { Ok(()) }
        });
        let held = end_of_log(&server);
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| {
            runtime.block_on(async {
                // WHEN a chunk is read meanwhile THEN it has not seen the update, and says so
                let chunk_meanwhile = chunk(&mut copier, &table, None, 1_000).await;
                assert_eq!(value(&chunk_meanwhile), "0", "the server does not hold commits");
                let Visibility::UpTo(seen) = &chunk_meanwhile.visibility else { panic!() };
                assert!(!seen.covers(&held).unwrap(), "{seen} claims {held}");

                // WHEN a log begins meanwhile THEN what is before it is visible at once
                let start = source.prepare(None).await.unwrap().start;
                let at_once = chunk(&mut copier, &table, None, 1_000).await;
                let is_before = start.covers(&held).unwrap();
                assert!(!is_before || value(&at_once) == "1", "{start} passes over {held}");

                // and what waits for the update sees it
                assert_eq!(value(&behind_fence.await.unwrap()), "1", "{held}");
            });
        });
    });
}

/// The position after one more transaction.
fn next(position: &Position) -> Position {
    let Position::Gtid(mut domains) = position.clone() else { panic!("{position}") };
    domains.values_mut().for_each(|gtid| gtid.sequence += 1);
    Position::Gtid(domains)
}

/// Writers, and somebody who rotates the log all the time.
struct Load {
    stop: Arc<AtomicBool>,
    writers: Vec<JoinHandle<usize>>,
    rotator: JoinHandle<()>,
}

impl Load {
    fn start(server: &MariadbServer, database: &str, random: &mut impl Rng) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let opts = mysql_async::OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(server.port())
            .user(Some("root"))
            .pass(Some(server.password()))
            .db_name(Some(database))
            .prefer_socket(false);
        let writers = (0..WRITERS)
            .map(|number| {
                tokio::spawn(write(opts.clone(), number, random.random(), Arc::clone(&stop)))
            })
            .collect();
        let rotator = tokio::spawn(rotate(opts, Arc::clone(&stop)));
        Self { stop, writers, rotator }
    }

    /// Ends it; how many rows were written.
    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.rotator.await.unwrap();
        let mut written = 0;
        for writer in self.writers {
            written += writer.await.unwrap();
        }
        written
    }
}

async fn rotate(opts: mysql_async::OptsBuilder, stop: Arc<AtomicBool>) {
    let mut connection = mysql_async::Conn::new(opts).await.unwrap();
    while !stop.load(Ordering::Relaxed) {
        connection.query_drop("FLUSH BINARY LOGS").await.unwrap();
        tokio::time::sleep(ROTATION_PAUSE).await;
    }
    connection.disconnect().await.unwrap();
}

async fn write(
    opts: mysql_async::OptsBuilder,
    number: u64,
    seed: u64,
    stop: Arc<AtomicBool>,
) -> usize {
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let mut connection = mysql_async::Conn::new(opts).await.unwrap();
    let domain = number % 2;
    connection.query_drop(format!("SET SESSION gtid_domain_id = {domain}")).await.unwrap();
    let mut written = 0;
    while !stop.load(Ordering::Relaxed) {
        let id = u64::from(random.random_range(0..ROWS / 2)) * 2 + domain;
        let update = format!("UPDATE t SET v = v + 1 WHERE id = {id}");
        connection.query_drop(update).await.unwrap();
        written += 1;
    }
    connection.disconnect().await.unwrap();
    written
}

/// Rows that are not what the log made of them, once what the chunk has not seen was laid over
/// them up to where it is admitted. Values only grow, so whatever is lost stays lost.
fn rows_off(chunk: &Chunk, transactions: &[Transaction]) -> usize {
    let mut expected: HashMap<String, String> =
        (0..ROWS).map(|id| (id.to_string(), "0".to_owned())).collect();
    let rows = rows(chunk);
    assert_eq!(rows.len(), ROWS as usize);
    let mut laid: HashMap<String, String> =
        rows.iter().map(|row| (show(&row[0]), show(&row[1]))).collect();
    for transaction in transactions {
        if !chunk.admit_after.covers(&transaction.position).unwrap() {
            break;
        }
        for (id, value) in written(transaction) {
            if !chunk.visibility.sees(transaction.id).unwrap() {
                laid.insert(id.clone(), value.clone());
            }
            expected.insert(id, value);
        }
    }
    expected.iter().filter(|(id, value)| laid[*id] != **value).count()
}

/// Writes up to where the chunk is admitted that it does not say it has seen.
fn unseen(chunk: &Chunk, transactions: &[Transaction]) -> usize {
    let admitted =
        |transaction: &&Transaction| chunk.admit_after.covers(&transaction.position).unwrap();
    let unseen = |transaction: &&Transaction| !chunk.visibility.sees(transaction.id).unwrap();
    transactions.iter().take_while(admitted).filter(unseen).count()
}

/// The rows of a transaction as they are after it: id and value.
fn written(transaction: &Transaction) -> Vec<(String, String)> {
    let changes = transaction.changes.iter();
    let pairs = changes.map(|change| {
        let Change::Row(row) = change else { panic!("only rows were written") };
        let new = row.new.as_ref().unwrap().to_cells();
        (show(&new[0]), show(&new[1]))
    });
    pairs.collect()
}
