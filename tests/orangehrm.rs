//! Show 3: OrangeHRM's own database and workload, conformed and delivered while it happens; source,
//! mirror, canonical rows and target agree row by row, also through kills and restarts.
//!
//! The test with the kills goes at the pace at which people work, over a minute; the others faster.
//! The workload is ours (`oracle/orangehrm/workload.sql`): it changes keys and deletes parents whose
//! children go unseen in the log.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rand::Rng;
use rand::rngs::StdRng;
use tokio_postgres::Client;
use trueup::demo::servers::{MariadbServer, Options, PostgresServer};

use crate::agreement::replay::{AS_PEOPLE_WORK, FAST, Progress, Victim, transactions};
use crate::agreement::{self, mariadb, postgres, store, target};
use crate::support::process::Installation;
use crate::support::random::seeded;
use crate::support::require::{data_file, require};
use crate::support::servers::{self, load_gzipped};
use crate::support::wait::wait_until;

/// The entity and its query on the source server.
const ORACLES: [(&str, &str); 6] = [
    ("org_unit", include_str!("oracle/orangehrm/org_unit.sql")),
    ("worker", include_str!("oracle/orangehrm/worker.sql")),
    ("client", include_str!("oracle/orangehrm/client.sql")),
    ("project", include_str!("oracle/orangehrm/project.sql")),
    ("assignment", include_str!("oracle/orangehrm/assignment.sql")),
    ("time_entry", include_str!("oracle/orangehrm/time_entry.sql")),
];
/// Tables that cannot be mirrored, because they have no primary key.
const KEYLESS: [&str; 3] = ["hs_hr_emp_skill", "ohrm_oauth_scope", "ohrm_openid_user_identity"];
const WORKLOAD: &str = include_str!("oracle/orangehrm/workload.sql");
const TARGET_SQL: &str = include_str!("orangehrm/target.sql");
const TARGET_TOML: &str = include_str!("orangehrm/target.toml");

/// Transactions of the recorded workload.
const TRANSACTIONS: usize = 340;

/// Two databases and a daemon's configuration between them.
struct Stage {
    installation: Installation,
    source: String,
    target: String,
    entities: toml::Table,
}

impl Stage {
    fn new(label: &str, source_server: &MariadbServer, target_server: &PostgresServer) -> Self {
        let (source, target) = (format!("orangehrm_{label}"), format!("hr_psa_{label}"));
        source_server.create_database(&source).unwrap_or_else(|e| panic!("{}", e.chain()));
        target_server.create_database(&target).unwrap_or_else(|e| panic!("{}", e.chain()));
        load_gzipped(source_server.client(&source), &data_file("orangehrm-5.7.sql.gz"));
        target::create(target_server, &target, TARGET_SQL);
        let installation = Installation::new("");
        let entities: toml::Table = TARGET_TOML.parse().unwrap();
        let table = format!(
            "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\nmapping = \"orangehrm\"\n\
             tables = [{}]",
            source_server.url(&source),
            patterns(&source)
        );
        let url = target_server.url(&target);
        store::configure(
            &installation,
            (&table, source_server.password()),
            Some((&url, target_server.password(), &entities)),
        );
        Self { installation, source, target, entities }
    }

    /// Holds all sides against each other, row by row.
    async fn agrees(&self, source: &mut Conn, target: &Client) -> target::Seen {
        let contents = mariadb::contents(source, "hr").await;
        let (tables, rows) = (contents.tables.len(), contents.row_count());
        assert!(tables > 150 && rows > 1_000, "{tables} tables, {rows} rows");
        agreement::mirror_agrees(&self.installation, &contents);
        let as_of = mariadb::rows(source, "SELECT quote(utc_timestamp())").await;
        let as_of = as_of[0][0].clone().unwrap();
        for (entity, oracle) in ORACLES {
            let sql = oracle.replace(":as_of", &as_of);
            let (columns, expected) = mariadb::rows_with_names(source, &sql).await;
            agreement::canonical_agrees(&self.installation, entity, &columns, expected);
        }
        agreement::target_agrees(&self.installation, target, &self.entities).await
    }
}

/// All tables of a database but those without a key.
fn patterns(database: &str) -> String {
    let without = KEYLESS.iter().map(|table| format!(", \"!{database}.{table}\""));
    format!("\"{database}.*\"{}", without.collect::<String>())
}

/// Replays transactions in one session, at the pace.
async fn replay(source: &mut Conn, transactions: &[String], rng: &mut StdRng, progress: &Progress) {
    for transaction in transactions {
        // One statement is one line.
        for statement in transaction.lines() {
            let done = source.query_drop(statement).await;
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        progress.advance(rng).await;
    }
}

/// The transactions of the workload; each session is in their character set.
fn workload() -> Vec<String> {
    let (_, transactions) = transactions(WORKLOAD);
    assert_eq!(transactions.len(), TRANSACTIONS);
    transactions
}

fn is_missing() -> bool {
    !require("postgres") || !require("mariadb") || !require("data")
}

#[tokio::test(flavor = "multi_thread")]
async fn orangehrm_agrees_after_its_workload() {
    if is_missing() {
        return;
    }
    let (server, target_server) = (servers::mariadb(), servers::postgres());
    let mut rng = seeded();
    let stage = Stage::new("plain", server, target_server);
    agreement::check(&stage.installation);
    let _daemon = stage.installation.start(&["run"], &[]);
    agreement::wait_for_copy(&stage.installation);
    let mut source = mariadb::connect(server, &stage.source).await;
    let target = postgres::connect(target_server, &stage.target).await;
    replay(&mut source, &workload(), &mut rng, &Progress::at(FAST)).await;
    let seen = stage.agrees(&mut source, &target).await;
    assert!(seen.cursor > 300, "the workload makes more events than {}", seen.cursor);
}

#[tokio::test(flavor = "multi_thread")]
async fn orangehrm_agrees_after_twenty_kills() {
    if is_missing() {
        return;
    }
    let (server, target_server) = (servers::mariadb(), servers::postgres());
    let mut rng = seeded();
    let stage = Stage::new("killed", server, target_server);
    let mut source = mariadb::connect(server, &stage.source).await;
    let target = postgres::connect(target_server, &stage.target).await;
    let mut victim = Victim::start(&stage.installation, rng.clone());
    // WHEN it is killed while tables are copied, while the workload runs, and afterwards
    victim.kill(3, "during the copy").await;
    agreement::wait_for_copy(&stage.installation);
    let transactions = workload();
    let progress = Progress::at(AS_PEOPLE_WORK);
    let cursor = || target::cursor(target_server, &stage.target);
    let ((), ()) = tokio::join!(
        replay(&mut source, &transactions, &mut rng, &progress),
        victim.kill_during(14, TRANSACTIONS, &progress, cursor)
    );
    victim.kill(3, "after the last change").await;
    // The recorded kills: 14 between the first change and the last, where 12 are asked for.
    assert_eq!(victim.kills(), 20);
    // THEN nothing is lost and nothing is there twice
    stage.agrees(&mut source, &target).await;
}

/// Keys that changed, rows that cascades removed: all of it while there was no store.
#[tokio::test(flavor = "multi_thread")]
async fn orangehrm_agrees_after_its_store_was_lost_in_the_midst_of_its_workload() {
    if is_missing() {
        return;
    }
    let (server, target_server) = (servers::mariadb(), servers::postgres());
    let mut rng = seeded();
    let stage = Stage::new("lost", server, target_server);
    let mut daemon = stage.installation.start(&["run"], &[]);
    agreement::wait_for_copy(&stage.installation);
    let transactions = workload();
    let (first, second) = (rng.random_range(60..140), rng.random_range(200..280));
    let progress = Progress::at(FAST);
    let mut source = mariadb::connect(server, &stage.source).await;
    replay(&mut source, &transactions[..first], &mut rng, &progress).await;
    let patience = std::time::Duration::from_secs(60);
    wait_until("a seal", patience, || store::sealed(&stage.installation));
    daemon.kill();
    store::forget_what_is_sealed(&stage.installation);
    store::lose(&stage.installation);
    replay(&mut source, &transactions[first..second], &mut rng, &progress).await;
    let _daemon = stage.installation.start(&["run"], &[]);
    replay(&mut source, &transactions[second..], &mut rng, &progress).await;
    let target = postgres::connect(target_server, &stage.target).await;
    let seen = stage.agrees(&mut source, &target).await;
    assert!(seen.cursor > 100, "only {} events", seen.cursor);
    eprintln!("without a store from {first} to {second} of {TRANSACTIONS} transactions");
}

#[tokio::test(flavor = "multi_thread")]
async fn orangehrm_agrees_after_both_servers_restarted() {
    if is_missing() {
        return;
    }
    let durable = Options { durable: true, ..Options::default() };
    let source_server = MariadbServer::start(&durable).unwrap_or_else(|e| panic!("{}", e.chain()));
    let target_server = PostgresServer::start(&durable).unwrap_or_else(|e| panic!("{}", e.chain()));
    let mut rng = seeded();
    let stage = Stage::new("restarted", &source_server, &target_server);
    let _daemon = stage.installation.start(&["run"], &[]);
    agreement::wait_for_copy(&stage.installation);
    let transactions = workload();
    let (first, second) = (rng.random_range(60..140), rng.random_range(160..260));
    let progress = Progress::at(FAST);
    let mut source = mariadb::connect(&source_server, &stage.source).await;
    replay(&mut source, &transactions[..first], &mut rng, &progress).await;
    drop(source);
    // Unlike PostgreSQL's sequences, nothing here is lost by a crash.
    source_server.kill().unwrap_or_else(|error| panic!("{}", error.chain()));
    source_server.start_again().unwrap_or_else(|error| panic!("{}", error.chain()));
    source = mariadb::connect(&source_server, &stage.source).await;
    replay(&mut source, &transactions[first..second], &mut rng, &progress).await;
    // The target crashes in the midst of deliveries and is away for a while.
    target_server.stop_immediately().unwrap_or_else(|error| panic!("{}", error.chain()));
    let away = second + 20;
    replay(&mut source, &transactions[second..away], &mut rng, &progress).await;
    target_server.start_again().unwrap_or_else(|error| panic!("{}", error.chain()));
    replay(&mut source, &transactions[away..], &mut rng, &progress).await;
    let target = postgres::connect(&target_server, &stage.target).await;
    stage.agrees(&mut source, &target).await;
    eprintln!("killed after {first}, target gone after {second} of {TRANSACTIONS} transactions");
}
