//! A log that is cut anywhere goes on where it was, and a call that is dropped loses nothing.

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use trueup::change::{TableName, Transaction};
use trueup::error::ErrorKind;
use trueup::source::mysql::Mysql;

use super::harness::{Log, Mirror, config, copy, end_of_log, rows, show_all, source};
use crate::support::proxy::Proxy;
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::servers::{mariadb, mariadb_database};

const TRANSACTIONS: u32 = 400;

/// One session's worth of transactions of several sizes; each inserts its number once.
fn workload(random: &mut impl Rng) -> String {
    let mut statements = String::new();
    for number in 0..TRANSACTIONS {
        statements.push_str("START TRANSACTION;");
        statements.push_str(&format!("INSERT INTO seen VALUES ({number});"));
        for _ in 0..random.random_range(0..4) {
            let (id, width) = (random.random_range(0..50), random.random_range(0..3_000));
            statements.push_str(&match random.random_range(0..4) {
                0 => format!("DELETE FROM t WHERE id = {id};"),
                _ => format!("REPLACE INTO t VALUES ({id}, repeat('x', {width}));"),
            });
        }
        // Slowly, so that the wire is cut while it carries something.
        statements.push_str("COMMIT; DO SLEEP(0.005);");
        if number % 100 == 50 {
            statements.push_str("FLUSH BINARY LOGS; INSERT INTO other VALUES (NULL);");
        }
    }
    statements
}

/// What a log is read with while it is cut.
struct Read<'a> {
    source: &'a Mysql,
    tables: &'a [TableName],
    proxy: &'a Proxy,
    random: &'a mut StdRng,
}

impl Read<'_> {
    /// Reads to the end of what is written; cuts the wire at random places and drops calls at
    /// random times. The transactions, and how often it had to connect again.
    async fn until(self, mut log: Log, is_written: impl Fn() -> bool) -> (Vec<Transaction>, u32) {
        let (mut whole, mut cuts) = (Vec::new(), 0);
        while !is_written() || !log.position.covers(&end_of_log(mariadb())).unwrap() {
            if cuts < 25 && self.random.random_bool(0.1) {
                self.proxy.cut();
            }
            let patience = Duration::from_micros(self.random.random_range(0..20_000));
            let captured = match tokio::time::timeout(patience, log.stream.next()).await {
                Err(_) => continue,
                Ok(Ok(captured)) => captured,
                Ok(Err(error)) => {
                    assert_eq!(error.kind(), ErrorKind::Unreachable, "{}", error.chain());
                    // What was in flight is dropped, as the journal does.
                    cuts += 1;
                    let (start, decoder) = (log.position.clone(), log.into_decoder());
                    let again = Log::reopen(self.source, &start, self.tables, decoder);
                    log = again.await.unwrap();
                    continue;
                }
            };
            whole.extend(log.take(captured).unwrap());
        }
        (whole, cuts)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_cut_goes_on_without_loss_or_repetition() {
    if !require("mariadb") {
        return;
    }
    let mut random = seeded();
    let (server, database) = (mariadb(), mariadb_database("cut"));
    server
        .sql(
            &database,
            "CREATE TABLE seen (number int PRIMARY KEY);
             CREATE TABLE t (id int PRIMARY KEY, filler text);
             CREATE TABLE other (id int AUTO_INCREMENT PRIMARY KEY)",
        )
        .unwrap();
    let proxy = Proxy::to(server.port());
    let mut config = config(server, &database, &["seen", "t"]);
    config.url = format!("mysql://root@127.0.0.1:{}/{database}", proxy.port());
    let through = Mysql::new("hr", "test", &config).unwrap();
    let prepared = through.prepare(None).await.unwrap();
    let tables: Vec<TableName> = prepared.tables.iter().map(|table| table.name.clone()).collect();

    // GIVEN writes, while the wire is cut at random places and calls are dropped at random times
    let statements = workload(&mut random);
    let writer = std::thread::spawn({
        let database = database.clone();
        move || mariadb().sql(&database, &statements).unwrap()
    });
    let log = Log::open(&through, &prepared.start, &tables).await;
    let read = Read { source: &through, tables: &tables, proxy: &proxy, random: &mut random };
    let is_written = || writer.is_finished();
    let (whole, cuts) = read.until(log, is_written).await;
    writer.join().unwrap();
    assert!(cuts >= 5, "only {cuts} cuts");

    // THEN every transaction came once, in order, and the rows are the server's
    let ids: Vec<String> = whole.iter().map(|transaction| transaction.id.to_string()).collect();
    let mut distinct = ids.clone();
    distinct.dedup();
    assert_eq!(ids.len(), distinct.len());
    assert_eq!(ids.len(), TRANSACTIONS as usize);
    let mut mirror = Mirror::default();
    mirror.apply(&whole);
    let direct = source(server, &database, &["seen", "t"]);
    for table in &tables {
        let mut copied: Vec<Vec<String>> = copy(&direct, table, 1_000)
            .await
            .iter()
            .flat_map(rows)
            .map(|row| show_all(&row))
            .collect();
        let mut logged = mirror.table(&table.to_string());
        copied.sort();
        logged.sort();
        assert_eq!(logged.len(), copied.len());
        assert!(logged == copied, "{table} differs");
    }
}

#[tokio::test]
async fn a_server_that_restarts_is_unreachable_and_then_goes_on() {
    if !require("mariadb") {
        return;
    }
    let options = trueup::demo::servers::Options::default();
    let server = trueup::demo::servers::MariadbServer::start(&options).unwrap();
    server.create_database("restarted").unwrap();
    server.sql("restarted", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    let source = source(&server, "restarted", &["t"]);
    let mut log = Log::start(&source).await;
    let tables = [TableName::new("restarted", "t")];
    for id in 0..3 {
        server.sql("restarted", &format!("INSERT INTO t VALUES ({id})")).unwrap();
        assert_eq!(log.read_all(&server).await.len(), 1);
        if id == 0 {
            server.kill().unwrap();
        } else {
            server.restart().unwrap();
        }
        let error = loop {
            if let Err(error) = log.stream.next().await {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{}", error.chain());
        if id == 0 {
            server.start_again().unwrap();
        }
        let start = log.position.clone();
        log = Log::reopen(&source, &start, &tables, log.into_decoder()).await.unwrap();
    }
}
