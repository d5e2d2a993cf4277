//! Writers against a PostgreSQL source: everything that makes a copy or a log hard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use trueup::demo::servers::PostgresServer;

use crate::agreement::postgres::connect;

/// The tables written to. `moving` has keys that change, `full` replica identity full.
pub(crate) const TABLES: [&str; 3] = ["plain", "moving", "full"];

const WRITERS: u64 = 3;

pub(crate) async fn create_tables(client: &Client, rows: u32) {
    for table in TABLES {
        client
            .batch_execute(&format!(
                "CREATE TABLE \"{table}\" (id int PRIMARY KEY, v int, amount numeric(12,2),
                     big text, changed_at timestamp);
                 ALTER TABLE \"{table}\" ALTER big SET STORAGE EXTERNAL;
                 INSERT INTO \"{table}\" SELECT g, 0, g / 7.0, repeat(md5(g::text), 90), '2026-01-01'
                 FROM generate_series(1, {rows}) AS g;"
            ))
            .await
            .unwrap();
    }
    client.batch_execute("ALTER TABLE \"full\" REPLICA IDENTITY FULL").await.unwrap();
}

/// Writers that run until they are stopped.
pub(crate) struct Writers {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Writers {
    pub(crate) fn start(
        server: &Arc<PostgresServer>,
        database: &str,
        synchronous_commit: &str,
        seed: u64,
    ) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicU64::new(0));
        let tasks = (0..WRITERS)
            .map(|n| {
                let (stop, written) = (Arc::clone(&stop), Arc::clone(&written));
                let (server, database) = (Arc::clone(server), database.to_owned());
                let setting = format!("SET synchronous_commit = {synchronous_commit}");
                let mut rng = StdRng::seed_from_u64(seed.wrapping_add(n));
                tokio::spawn(async move {
                    let client = connect(&server, &database).await;
                    client.batch_execute(&setting).await.unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        transaction(&client, &mut rng).await;
                        written.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        Self { stop, written, tasks }
    }

    /// Stops them and says how many transactions there were.
    pub(crate) async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.written.load(Ordering::Relaxed)
    }
}

/// One transaction of one to five statements, sometimes held open, sometimes rolled back.
/// A statement that fails (a key is taken, a deadlock) ends it: that is a writer's life.
async fn transaction(client: &Client, rng: &mut StdRng) {
    let mut sql = vec!["BEGIN".to_owned()];
    for _ in 0..rng.random_range(1..=5) {
        sql.push(statement(rng));
        if rng.random_ratio(1, 10) {
            sql.push("SAVEPOINT s".to_owned());
            sql.push(statement(rng));
            sql.push("ROLLBACK TO SAVEPOINT s".to_owned());
        }
    }
    let commits = rng.random_ratio(9, 10);
    for one in sql {
        if client.batch_execute(&one).await.is_err() {
            client.batch_execute("ROLLBACK").await.unwrap();
            return;
        }
        if rng.random_ratio(1, 20) {
            tokio::time::sleep(std::time::Duration::from_millis(rng.random_range(1..80))).await;
        }
    }
    client.batch_execute(if commits { "COMMIT" } else { "ROLLBACK" }).await.unwrap();
}

fn statement(rng: &mut StdRng) -> String {
    let table = TABLES[rng.random_range(0..TABLES.len())];
    let id = rng.random_range(1..2_500);
    let other = rng.random_range(1..4_000);
    match rng.random_range(0..10) {
        // leaves `big` unchanged: its value is not in the log
        0..=3 => {
            format!(
                "UPDATE \"{table}\" SET v = v + 1, changed_at = clock_timestamp() WHERE id = {id}"
            )
        }
        4 => format!("UPDATE \"{table}\" SET big = repeat(md5(v::text), 90) WHERE id = {id}"),
        5 => format!("UPDATE \"{table}\" SET big = NULL, amount = -1.5 WHERE id = {id}"),
        6 | 7 => format!("UPDATE moving SET id = {other}, v = v + 1 WHERE id = {id}"),
        8 => format!("DELETE FROM \"{table}\" WHERE id = {id}"),
        _ => format!(
            "INSERT INTO \"{table}\" VALUES ({id}, 1, 2.50, repeat('y', 3000), '2026-02-02')
             ON CONFLICT DO NOTHING"
        ),
    }
}
