//! PostgreSQL → ledger → mirror: copy and log, through crashes, compared row by row.

pub(crate) mod writers;

use std::time::{Duration, Instant};

use rand::Rng;
use trueup::demo::servers::PostgresServer;

use crate::agreement::postgres::connect;
use crate::support::process::{Installation, Running};
use crate::support::random::seeded;
use crate::support::servers;
use crate::support::versions::{Version, on_versions};
use crate::support::wait::wait_until;
use writers::Writers;

/// Columns whose text is the same in PostgreSQL and DuckDB.
const ROWS: &str = "SELECT id, v, amount, coalesce(big, '-'), changed_at FROM {t} ORDER BY id";

const PATIENCE: Duration = Duration::from_secs(240);

pub(crate) fn installation(server: &PostgresServer, database: &str, limits: &str) -> Installation {
    let installation = Installation::new("");
    let password = installation.write("password", server.password());
    let port = installation.http_port();
    let state = installation.state_folder();
    let text = format!(
        "[daemon]\nstate_dir = {state:?}\nhttp_listen = \"127.0.0.1:{port}\"\n\
         [limits]\n{limits}\n\
         [source.erp]\nkind = \"postgres\"\nurl = \"{}\"\npassword = \"${{file:{}}}\"\n\
         tables = [\"public.*\"]\n",
        server.url(database),
        password.display()
    );
    installation.write("trueup.toml", &text);
    installation
}

/// Waits until a daemon that starts answers from its store.
pub(crate) fn store_opens(installation: &Installation) {
    wait_until("the store to open", PATIENCE, || store_rows(installation, "SELECT 1").map(drop));
}

/// Rows of a statement on the store of a running daemon.
pub(crate) fn store_rows(
    installation: &Installation,
    sql: &str,
) -> Result<Vec<Vec<Option<String>>>, String> {
    let output = installation.output(&["sql", "--json", sql]);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let rows = value["rows"].as_array().cloned().unwrap_or_default();
    let cell = |cell: &serde_json::Value| cell.as_str().map(ToOwned::to_owned);
    Ok(rows.iter().map(|row| row.as_array().unwrap().iter().map(cell).collect()).collect())
}

async fn source_rows(client: &tokio_postgres::Client, table: &str) -> Vec<Vec<Option<String>>> {
    let mut rows = Vec::new();
    for message in client.simple_query(&ROWS.replace("{t}", &format!("\"{table}\""))).await.unwrap()
    {
        if let tokio_postgres::SimpleQueryMessage::Row(row) = message {
            let cells = (0..row.len()).map(|at| row.get(at).map(ToOwned::to_owned));
            rows.push(cells.collect());
        }
    }
    rows
}

/// Waits until the mirror of every table equals the source, row by row.
async fn equal(installation: &Installation, client: &tokio_postgres::Client, tables: &[&str]) {
    for table in tables {
        let expected = source_rows(client, table).await;
        let mirror = ROWS.replace("{t}", &format!("erp.\"{table}\""));
        wait_until(&format!("the mirror of {table} to be equal"), PATIENCE, || {
            let found = store_rows(installation, &mirror)?;
            if found == expected {
                return Ok(());
            }
            let differ = |(a, b): (&Vec<_>, &Vec<_>)| (a != b).then(|| format!("{a:?} {b:?}"));
            let first = found.iter().zip(&expected).find_map(differ);
            Err(format!("{} rows of {}, first {first:?}", found.len(), expected.len()))
        });
    }
}

fn begin(installation: &Installation) -> Running {
    installation.start(&["run"], &[])
}

/// The copy of tables with writers on every border, then the log, with the daemon killed at
/// random moments all the way.
async fn copy_and_log_through_kills(version: Version, synchronous_commit: &str, kills: u32) {
    let server = servers::postgres_of(version);
    let database = servers::database_on(server, "spine");
    let mut rng = seeded();
    let client = connect(server, &database).await;
    writers::create_tables(&client, 2_000).await;
    let installation = installation(
        server,
        &database,
        "copy_chunk_rows = 100\nchunk_bytes = 65536\nsegment_bytes = 500000",
    );
    let writing = Writers::start(server, &database, synchronous_commit, rng.random());
    let mut daemon = begin(&installation);
    for _ in 0..kills {
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..900))).await;
        daemon.kill();
        daemon = begin(&installation);
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let written = writing.stop().await;
    assert!(written > 200, "the writers must have been busy: {written} transactions");
    equal(&installation, &client, &writers::TABLES).await;
    wait_until("the source to be streaming", PATIENCE, || {
        let status = String::from_utf8_lossy(&installation.output(&["status"]).stdout).into_owned();
        if status.contains("streaming") { Ok(()) } else { Err(status) }
    });
    // WHEN nothing happened any more THEN an orderly stop and start finds nothing to do
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    let _daemon = begin(&installation);
    client.batch_execute("UPDATE plain SET v = v + 1 WHERE id % 7 = 0").await.unwrap();
    equal(&installation, &client, &writers::TABLES).await;
}

async fn a_copy_under_writers_survives_kills_synchronous_commit_on(version: Version) {
    copy_and_log_through_kills(version, "on", 12).await;
}

async fn a_copy_under_writers_survives_kills_synchronous_commit_off(version: Version) {
    copy_and_log_through_kills(version, "off", 12).await;
}

/// A crash at every durable step of capture and conform: the mirror is equal afterwards.
async fn a_crash_at_every_durable_step_loses_and_doubles_nothing(version: Version) {
    let server = servers::postgres_of(version);
    let mut rng = seeded();
    for (point, passes) in [
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
    ] {
        let database = servers::database_on(server, "crash");
        let client = connect(server, &database).await;
        writers::create_tables(&client, 300).await;
        let installation = installation(server, &database, "copy_chunk_rows = 100");
        let writing = Writers::start(server, &database, "on", rng.random());
        let pass = rng.random_range(1..=passes);
        let armed = format!("{point}:{pass}");
        let mut daemon = installation.start(&["run"], &[("TRUEUP_FAILPOINT", armed.as_str())]);
        let began = Instant::now();
        let ended = daemon.wait(PATIENCE);
        assert!(!ended.success(), "{armed} must have crashed: {ended:?}");
        eprintln!("{armed} crashed after {:?}", began.elapsed());
        let _daemon = begin(&installation);
        tokio::time::sleep(Duration::from_millis(300)).await;
        writing.stop().await;
        equal(&installation, &client, &writers::TABLES).await;
    }
}

/// One transaction of many journal entries, killed while it is journaled.
async fn a_large_transaction_is_whole_or_absent_through_kills(version: Version) {
    let server = servers::postgres_of(version);
    let database = servers::database_on(server, "large");
    let mut rng = seeded();
    let client = connect(server, &database).await;
    writers::create_tables(&client, 50).await;
    let installation =
        installation(server, &database, "chunk_bytes = 20000\nsegment_bytes = 200000");
    let mut daemon = begin(&installation);
    equal(&installation, &client, &writers::TABLES).await;
    client
        .batch_execute(
            "INSERT INTO plain SELECT g, g, g / 100.0, repeat('x', 50), '2026-01-01'
             FROM generate_series(10001, 18000) AS g",
        )
        .await
        .unwrap();
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(rng.random_range(20..400))).await;
        daemon.kill();
        daemon = begin(&installation);
    }
    equal(&installation, &client, &writers::TABLES).await;
}

/// The memory that a daemon needs for one transaction of 200,000 rows.
async fn peak_memory_kb(limits: &str) -> u64 {
    let server = servers::postgres();
    let database = servers::postgres_database("memory");
    let client = connect(server, &database).await;
    let table =
        "CREATE TABLE wide (id int PRIMARY KEY, a int, b text, c numeric(12,2), d timestamp)";
    client.batch_execute(table).await.unwrap();
    let installation = installation(server, &database, limits);
    let daemon = begin(&installation);
    wait_until("the copy to be done", PATIENCE, || {
        store_rows(&installation, "SELECT source FROM ops.source_ready")
            .and_then(|rows| rows.first().map(drop).ok_or_else(|| "not yet".to_owned()))
    });
    let insert = "INSERT INTO wide SELECT g, g, md5(g::text), g / 7.0, '2026-01-01'
                  FROM generate_series(1, 200000) AS g";
    client.batch_execute(insert).await.unwrap();
    let expected = "200000 20000100000";
    wait_until("all rows to be there", PATIENCE, || {
        let rows = store_rows(&installation, "SELECT count(*) || ' ' || sum(a) FROM erp.wide")?;
        let found = rows[0][0].clone().unwrap_or_default();
        if found == expected { Ok(()) } else { Err(found) }
    });
    daemon.peak_memory_kb()
}

/// The reference is the same transaction, taken whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_transaction_in_slices_needs_much_less_memory() {
    let sliced = peak_memory_kb("batch_bytes = 1048576").await;
    let whole = peak_memory_kb("batch_bytes = 1073741824").await;
    eprintln!("{sliced} kB in slices, {whole} kB as a whole");
    assert!(sliced * 3 < whole * 2, "{sliced} kB in slices, {whole} kB as a whole");
}

on_versions! {
    [postgres pg14 pg18]
    a_copy_under_writers_survives_kills_synchronous_commit_on
    a_copy_under_writers_survives_kills_synchronous_commit_off
    a_crash_at_every_durable_step_loses_and_doubles_nothing
    a_large_transaction_is_whole_or_absent_through_kills
}
