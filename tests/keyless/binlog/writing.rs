//! Who writes to tables without a key meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use trueup::demo::servers::BinlogServer;

use crate::agreement::mariadb::connect;

/// A transaction: mostly of one or few of several equal rows.
fn statements(rng: &mut StdRng) -> String {
    let mut all = vec!["BEGIN".to_owned()];
    for _ in 0..rng.random_range(1..4) {
        let (n, count) = (rng.random_range(0..40), rng.random_range(1..4));
        all.push(match rng.random_range(0..18) {
            0 => format!("INSERT INTO tally (n) VALUES {}", vec![format!("({n})"); count].join(", ")),
            1 => format!(
                "INSERT INTO tally (n, txt, amount, stamp, moment, doc, big, f, e, bytes)
                 SELECT n, txt, amount, stamp, moment, doc, big, f, e, bytes FROM tally
                 WHERE n = {n} LIMIT {count}"
            ),
            2 | 3 => format!("UPDATE tally SET txt = 'W', amount = 0.5 WHERE n = {n} LIMIT {count}"),
            4 => format!("UPDATE tally SET n = n, txt = lower(txt) WHERE n = {n} LIMIT {count}"),
            5 | 6 => format!("DELETE FROM tally WHERE n = {n} LIMIT {count}"),
            7 => format!("INSERT INTO entries VALUES ({n}, 'e'), ({n}, 'e'), (NULL, NULL)"),
            8 => format!("UPDATE parts SET n = (n + 1) % 4 WHERE n = {} LIMIT {count}", n % 4),
            9 => "SAVEPOINT s; DELETE FROM tally WHERE n = 3; ROLLBACK TO s".to_owned(),
            10 => format!("DELETE FROM keeper WHERE id = {n}; INSERT IGNORE INTO keeper VALUES ({n}, 1)"),
            11 => format!("UPDATE IGNORE keeper SET id = id + 1 WHERE id = {n}"),
            12 | 13 => format!(
                "INSERT INTO gone SELECT id, 'g', '2026-01-02 03:04:05.100', 0 FROM keeper WHERE id = {n};
                 INSERT INTO nulled SELECT id, 'n', '2026-01-02 03:04:05.1', 0.5 FROM keeper WHERE id = {n};
                 DELETE FROM gone WHERE n = {} LIMIT {count}; DELETE FROM nulled WHERE n IS NULL LIMIT 1",
                (n + 3) % 40
            ),
            14 => format!("REPLACE INTO unique_n VALUES ({n}, 'r'); DELETE FROM unique_n WHERE n = {}", n + 1),
            15 => format!(
                "INSERT INTO computed (n, txt) VALUES ({n}, 'c'); UPDATE computed SET n = {n}, txt = 'd' WHERE n = {} \
                 LIMIT {count}; DELETE FROM computed WHERE n = {} LIMIT 1",
                n % 4,
                n + 1
            ),
            _ if rng.random_ratio(1, 150) => {
                "TRUNCATE cut; INSERT INTO cut VALUES (1, 'c')".to_owned()
            }
            _ => format!(
                "INSERT INTO parts VALUES ({count}, 'p'); INSERT INTO cut VALUES ({count}, 'c')"
            ),
        });
    }
    all.push(if rng.random_ratio(1, 8) { "ROLLBACK" } else { "COMMIT" }.to_owned());
    all.join("; ")
}

pub(super) struct Writers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<u64>,
}

impl Writers {
    pub(super) async fn start(server: &BinlogServer, rng: &mut StdRng, pause: Duration) -> Self {
        let (stop, mut tasks) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for _ in 0..3 {
            let mut connection = connect(server, "shop").await;
            let (stop, mut rng) = (Arc::clone(&stop), StdRng::seed_from_u64(rng.random()));
            tasks.spawn(async move {
                let mut written = 0;
                while !stop.load(Ordering::Relaxed) {
                    // Two that change one row: the server may refuse one of them.
                    let statements = statements(&mut rng);
                    written += u64::from(connection.query_drop(statements).await.is_ok());
                    connection.query_drop("ROLLBACK").await.unwrap();
                    tokio::time::sleep(pause).await;
                }
                written
            });
        }
        let connection = connect(server, "shop").await;
        tasks.spawn(prepare(connection, Arc::clone(&stop)));
        Self { stop, tasks }
    }

    pub(super) async fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut written = 0;
        while let Some(done) = self.tasks.join_next().await {
            written += done.unwrap();
        }
        written
    }
}

/// XA transactions that another session ends than prepared them.
async fn prepare(mut connection: Conn, stop: Arc<AtomicBool>) -> u64 {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let mut own = Conn::new(connection.opts().clone()).await.unwrap();
        let sql = format!(
            "XA START 'x{number}'; INSERT INTO entries VALUES (7, 'xa'), ({}, 'xa');
             DELETE FROM entries WHERE n = 7 LIMIT 1; XA END 'x{number}'; XA PREPARE 'x{number}'",
            number % 5
        );
        // Somebody else may hold the row for longer than the server waits.
        let is_prepared = own.query_drop(sql).await.is_ok();
        own.disconnect().await.unwrap();
        let end = if number % 4 == 0 { "ROLLBACK" } else { "COMMIT" };
        let end = format!("XA {end} 'x{number}'");
        // The server takes its time to see that nobody is there any more: until then it may log an end that
        // its engine does not carry out.
        tokio::time::sleep(Duration::from_millis(300)).await;
        while is_prepared && connection.query_drop(&end).await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // (After each of them the daemon looks at the catalog once more.)
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    0
}
