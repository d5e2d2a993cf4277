//! Show 2: Tryton's own database and workload, conformed and delivered while it happens; source,
//! mirror, canonical rows and target agree row by row, also through kills and restarts.
//!
//! The test with the kills goes at the pace at which people work, over a minute; the others faster.

use rand::Rng;
use rand::rngs::StdRng;
use tokio_postgres::Client;
use trueup::demo::servers::{Options, PostgresServer};

use crate::agreement::replay::{AS_PEOPLE_WORK, FAST, Progress, Victim, transactions, unpacked};
use crate::agreement::{self, postgres, store, target};
use crate::support::process::Installation;
use crate::support::random::seeded;
use crate::support::require::{data_file, require};
use crate::support::servers::{self, load_gzipped};

/// The entity and its query on the source server.
const ORACLES: [(&str, &str); 8] = [
    ("org_unit", include_str!("oracle/tryton/org_unit.sql")),
    ("worker", include_str!("oracle/tryton/worker.sql")),
    ("client", include_str!("oracle/tryton/client.sql")),
    ("project", include_str!("oracle/tryton/project.sql")),
    ("assignment", include_str!("oracle/tryton/assignment.sql")),
    ("time_entry", include_str!("oracle/tryton/time_entry.sql")),
    ("cost_rate", include_str!("oracle/tryton/cost_rate.sql")),
    ("invoice", include_str!("oracle/tryton/invoice.sql")),
];
const TARGET_SQL: &str = include_str!("tryton/target.sql");
const TARGET_TOML: &str = include_str!("tryton/target.toml");

/// Transactions of the recorded workload.
const TRANSACTIONS: usize = 330;

/// Two databases and a daemon's configuration between them.
struct Stage {
    installation: Installation,
    source: String,
    target: String,
    entities: toml::Table,
}

impl Stage {
    fn new(label: &str, source_server: &PostgresServer, target_server: &PostgresServer) -> Self {
        let (source, target) = (format!("tryton_{label}"), format!("psa_{label}"));
        for (server, database) in [(source_server, &source), (target_server, &target)] {
            server.create_database(database).unwrap_or_else(|e| panic!("{}", e.chain()));
        }
        load_gzipped(source_server.psql(&source), &data_file("tryton.sql.gz"));
        target::create(target_server, &target, TARGET_SQL);
        let installation = Installation::new("");
        let entities: toml::Table = TARGET_TOML.parse().unwrap();
        let table = format!(
            "[source.erp]\nkind = \"postgres\"\nurl = \"{}\"\nmapping = \"tryton\"\n\
             tables = [\"public.*\", \"!public.ir_*\"]",
            source_server.url(&source)
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
    async fn agrees(&self, source: &Client, target: &Client) -> target::Seen {
        let contents = postgres::contents(source, "erp", "ir_").await;
        let (tables, rows) = (contents.tables.len(), contents.row_count());
        assert!(tables > 150 && rows > 4_000, "{tables} tables, {rows} rows");
        agreement::mirror_agrees(&self.installation, &contents);
        let as_of = postgres::rows(source, "SELECT quote_literal(now()::timestamp)").await;
        let as_of = as_of[0][0].clone().unwrap();
        for (entity, oracle) in ORACLES {
            let sql = oracle.replace(":as_of", &as_of);
            let (columns, expected) = postgres::rows_with_names(source, &sql).await;
            agreement::canonical_agrees(&self.installation, entity, &columns, expected);
        }
        agreement::target_agrees(&self.installation, target, &self.entities).await
    }
}

/// Replays transactions in one session, at the pace.
async fn replay(client: &Client, transactions: &[String], rng: &mut StdRng, progress: &Progress) {
    for transaction in transactions {
        client.batch_execute(transaction).await.unwrap_or_else(|e| panic!("{transaction}: {e:?}"));
        progress.advance(rng).await;
    }
}

/// The recorded transactions, after the session was prepared for them.
async fn workload(client: &Client) -> Vec<String> {
    let (preamble, transactions) = transactions(&unpacked("tryton-workload.sql.gz"));
    client.batch_execute(&preamble).await.unwrap();
    assert_eq!(transactions.len(), TRANSACTIONS);
    transactions
}

fn is_missing() -> bool {
    !require("postgres") || !require("data")
}

#[tokio::test(flavor = "multi_thread")]
async fn tryton_agrees_after_its_workload() {
    if is_missing() {
        return;
    }
    let server = servers::postgres();
    let mut rng = seeded();
    let stage = Stage::new("plain", server, server);
    agreement::check(&stage.installation);
    let _daemon = stage.installation.start(&["run"], &[]);
    agreement::wait_for_copy(&stage.installation);
    let source = postgres::connect(server, &stage.source).await;
    let target = postgres::connect(server, &stage.target).await;
    let transactions = workload(&source).await;
    replay(&source, &transactions, &mut rng, &Progress::at(FAST)).await;
    let seen = stage.agrees(&source, &target).await;
    assert!(seen.cursor > 300, "the workload makes more events than {}", seen.cursor);
    // A comparison that would not notice proves nothing.
    target
        .batch_execute("UPDATE resource SET email = 'x' WHERE employee_code = '63'")
        .await
        .unwrap();
    let spoilt = target::disagreement(&stage.installation, &target, &stage.entities).await;
    assert!(spoilt.unwrap_err().contains("target table resource"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tryton_agrees_after_twenty_kills() {
    if is_missing() {
        return;
    }
    let server = servers::postgres();
    let mut rng = seeded();
    let stage = Stage::new("killed", server, server);
    let source = postgres::connect(server, &stage.source).await;
    let target = postgres::connect(server, &stage.target).await;
    let mut victim = Victim::start(&stage.installation, rng.clone());
    // WHEN it is killed while tables are copied, while the workload runs, and afterwards
    victim.kill(3, "during the copy").await;
    agreement::wait_for_copy(&stage.installation);
    let transactions = workload(&source).await;
    let progress = Progress::at(AS_PEOPLE_WORK);
    let ((), ()) = tokio::join!(
        replay(&source, &transactions, &mut rng, &progress),
        victim.kill_during(14, TRANSACTIONS, &progress, || target::cursor(server, &stage.target))
    );
    victim.kill(3, "after the last change").await;
    // The recorded kills: 14 between the first change and the last, where 12 are asked for.
    assert_eq!(victim.kills(), 20);
    // THEN nothing is lost and nothing is there twice
    stage.agrees(&source, &target).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tryton_agrees_after_both_servers_restarted() {
    if is_missing() {
        return;
    }
    let durable = Options { durable: true, ..Options::default() };
    let [source_server, target_server] = [(); 2]
        .map(|()| PostgresServer::start(&durable).unwrap_or_else(|e| panic!("{}", e.chain())));
    let mut rng = seeded();
    let stage = Stage::new("restarted", &source_server, &target_server);
    let _daemon = stage.installation.start(&["run"], &[]);
    agreement::wait_for_copy(&stage.installation);
    let mut source = postgres::connect(&source_server, &stage.source).await;
    let transactions = workload(&source).await;
    let (first, second) = (rng.random_range(60..140), rng.random_range(160..260));
    let progress = Progress::at(FAST);
    replay(&source, &transactions[..first], &mut rng, &progress).await;
    // An orderly restart: after a crash, sequences would skip numbers that the workload counts on.
    source_server.restart().unwrap_or_else(|error| panic!("{}", error.chain()));
    source = postgres::connect(&source_server, &stage.source).await;
    workload(&source).await;
    replay(&source, &transactions[first..second], &mut rng, &progress).await;
    // The target crashes in the midst of deliveries and is away for a while.
    target_server.stop_immediately().unwrap_or_else(|error| panic!("{}", error.chain()));
    let away = second + 20;
    replay(&source, &transactions[second..away], &mut rng, &progress).await;
    target_server.start_again().unwrap_or_else(|error| panic!("{}", error.chain()));
    replay(&source, &transactions[away..], &mut rng, &progress).await;
    let target = postgres::connect(&target_server, &stage.target).await;
    stage.agrees(&source, &target).await;
    eprintln!("restarted after {first}, target gone after {second} of {TRANSACTIONS} transactions");
}
