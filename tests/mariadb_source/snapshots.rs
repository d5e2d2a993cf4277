//! A chunk says exactly what it could see, whatever is written meanwhile.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::{Rng, SeedableRng};
use trueup::change::{Change, TableName, Transaction, Visibility};
use trueup::source::{Chunk, Fence};

use super::harness::{Log, chunk, rows, show, source};
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::servers::{mariadb, mariadb_database};

const ROWS: u32 = 64;
const WRITERS: u64 = 6;
const CHUNKS: usize = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_sees_exactly_the_transactions_it_says() {
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
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let opts = mysql_async::OptsBuilder::default()
                .ip_or_hostname("127.0.0.1")
                .tcp_port(server.port())
                .user(Some("root"))
                .pass(Some(server.password()))
                .db_name(Some(&database))
                .prefer_socket(false);
            tokio::spawn(write(opts, number, random.random(), Arc::clone(&stop)))
        })
        .collect();

    // WHEN chunks are read meanwhile
    let table = TableName::new(&database, "t");
    let mut copier = source.copier(Fence::Open).await.unwrap();
    let mut chunks = Vec::new();
    for number in 0..CHUNKS {
        chunks.push(chunk(&mut copier, &table, None, 1_000).await);
        if number % 10 == 5 {
            server.sql("", "FLUSH BINARY LOGS").unwrap();
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut written = 0;
    for writer in writers {
        written += writer.await.unwrap();
    }

    // THEN each holds the last value of every row that its visibility includes, and the log
    // reaches the position after which it may be admitted
    let transactions = log.read_all(server).await;
    let logged: usize = transactions.iter().map(|transaction| transaction.changes.len()).sum();
    assert_eq!(logged, written, "the log has every write once");
    assert!(logged > 1_000, "the writers were too slow to prove anything: {logged}");
    let off: usize = chunks.iter().map(|chunk| rows_off(chunk, &transactions)).sum();
    assert_eq!(off, 0, "of {} rows", CHUNKS * ROWS as usize);
    for chunk in &chunks {
        let Visibility::UpTo(seen) = &chunk.visibility else { panic!("no position") };
        assert!(chunk.admit_after.covers(seen).unwrap());
        assert!(log.position.covers(&chunk.admit_after).unwrap());
    }
}

async fn write(
    opts: mysql_async::OptsBuilder,
    number: u64,
    seed: u64,
    stop: Arc<AtomicBool>,
) -> usize {
    use mysql_async::prelude::Queryable;
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

/// Rows of a chunk that are not what the log says they were.
fn rows_off(chunk: &Chunk, transactions: &[Transaction]) -> usize {
    let mut expected: HashMap<String, String> =
        (0..ROWS).map(|id| (id.to_string(), "0".to_owned())).collect();
    for transaction in transactions {
        if !chunk.visibility.sees(transaction.id).unwrap() {
            continue;
        }
        for change in &transaction.changes {
            let Change::Row(row) = change else { panic!("only rows were written") };
            let new = row.new.as_ref().unwrap();
            expected.insert(show(&new[0]), show(&new[1]));
        }
    }
    let rows = rows(chunk);
    assert_eq!(rows.len(), ROWS as usize);
    rows.iter().filter(|row| expected[&show(&row[0])] != show(&row[1])).count()
}
