//! The memory of the real daemon through one very large transaction, with default limits, and that the
//! source is told as soon as the transaction is durable, long before the store has it.
//!
//! The bar is for 5,000,000 rows (`make size`); within the other tests the transaction is smaller, and
//! large enough that memory which grew with it would show.

use std::time::Duration;

use serde_json::Value;
use trueup::change::Position;
use trueup::demo::servers::{BinlogServer, Options, PostgresServer};

use crate::agreement::store;
use crate::support::process::{Installation, Running};
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

/// The bar of the whole transaction, kB, whatever its size.
const PEAK_KB_MAX: u64 = 350 << 10;
/// Rows, if `TRUEUP_SIZE_ROWS` does not say.
const ROWS: u64 = 400_000;

const TABLE: &str =
    "CREATE TABLE wide (id bigint PRIMARY KEY, a int, b varchar(40), c numeric(12,2), d timestamp)";
const DIGEST: &str = "concat(count(*), ' ', sum(a), ' ', sum(c), ' ', min(b), ' ', max(b))";

/// A daemon on a database of its own.
struct Scene {
    installation: Installation,
    daemon: Running,
    rows: u64,
    /// Runs statements on the source; their last line.
    sql: Box<dyn Fn(&str) -> String>,
    /// Where its log ends, as a statement.
    end: &'static str,
}

impl Scene {
    /// `source`: `[source.wide]` without its password.
    fn new(
        source: &str,
        password: &str,
        sql: Box<dyn Fn(&str) -> String>,
        end: &'static str,
    ) -> Self {
        let installation = Installation::new("");
        let path = installation.write("password", password);
        let text = format!(
            "[daemon]\nstate_dir = {:?}\nhttp_listen = \"127.0.0.1:{}\"\n\
             [source.wide]\n{source}\npassword = \"${{file:{}}}\"\n",
            installation.state_folder(),
            installation.http_port(),
            path.display()
        );
        installation.write("trueup.toml", &text);
        sql(TABLE);
        let daemon = installation.start(&["run"], &[]);
        let rows = std::env::var("TRUEUP_SIZE_ROWS");
        let rows = rows.map_or(ROWS, |rows| rows.parse().unwrap());
        let scene = Self { installation, daemon, rows, sql, end };
        wait_until("the first copy", Duration::from_secs(60), || {
            store::settled(&scene.installation)
        });
        scene
    }

    /// One transaction: the source is told once it is durable, and memory stays within the bar until
    /// the store has it.
    fn transaction(&self, what: &str, statement: &str) {
        self.daemon.forget_peak_memory();
        let patience = Duration::from_secs(60 + self.rows / 5_000);
        let committed = (self.sql)(&format!("{statement}; SELECT {}", self.end));
        let committed: Position = committed.parse().unwrap();
        let behind = wait_until(&format!("{what} to be durable"), patience, || {
            let status = store::status(&self.installation)?;
            let confirmed = status["sources"][0]["confirmed"].as_str().unwrap_or_default();
            let told = confirmed.parse::<Position>().map_err(|error| error.chain())?;
            let is_told = told.covers(&committed).unwrap();
            let behind = status["conform"]["journal_behind_entries"].as_u64().unwrap();
            if is_told { Ok(behind) } else { Err(confirmed.to_owned()) }
        });
        assert!(behind > 0, "{what}: the source was told only when the store had everything");
        wait_until(&format!("{what} to be in the store"), patience, || {
            // Whoever asks takes time from the daemon.
            std::thread::sleep(Duration::from_millis(500));
            store::settled(&self.installation)
        });
        let peak = self.daemon.peak_memory_kb();
        eprintln!("{what} of {} rows: {} MiB at most", self.rows, peak >> 10);
        let expected = (self.sql)(&format!("SELECT {DIGEST} FROM wide"));
        assert_eq!(self.stored(), expected, "{what}");
        assert!(peak <= PEAK_KB_MAX, "{what}: {peak} kB, more than {PEAK_KB_MAX}");
    }

    fn stored(&self) -> String {
        let sql = format!("SELECT {DIGEST} FROM wide.wide");
        let output = self.installation.output(&["sql", "--json", &sql]);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["rows"][0][0].as_str().unwrap_or_default().to_owned()
    }
}

fn last_line(said: &str) -> String {
    said.trim().lines().last().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_millions_of_rows_of_a_postgresql_needs_no_more_memory() {
    if !require("postgres") {
        return;
    }
    // Of its own: the log ends where the transaction does.
    let server = PostgresServer::start(&Options::default().setting("autovacuum", "off")).unwrap();
    server.create_database("size").unwrap();
    let source =
        format!("kind = \"postgres\"\nurl = \"{}\"\ntables = [\"public.*\"]", server.url("size"));
    let password = server.password().to_owned();
    let sql = move |sql: &str| last_line(&server.sql("size", sql).unwrap());
    let end = "concat('lsn:', pg_current_wal_lsn())";
    let scene = Scene::new(&source, &password, Box::new(sql), end);
    let insert = format!(
        "INSERT INTO wide SELECT g, g % 1000, md5(g::text), g / 7.0, '2026-01-01'
         FROM generate_series(1, {}) AS g",
        scene.rows
    );
    scene.transaction("PostgreSQL, INSERT", &insert);
    scene.transaction("PostgreSQL, UPDATE", "UPDATE wide SET a = a + 1, c = c + 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_of_millions_of_rows_of_a_mariadb_needs_no_more_memory() {
    if !require("mariadb") {
        return;
    }
    let server: &'static BinlogServer = servers::mariadb();
    let database = servers::mariadb_database("size");
    let url = server.url(&database);
    let source = format!("kind = \"mariadb\"\nurl = \"{url}\"\ntables = [\"{database}.*\"]");
    let sql = move |sql: &str| last_line(&server.sql(&database, sql).unwrap());
    let end = "concat('gtid:', @@gtid_binlog_pos)";
    let scene = Scene::new(&source, server.password(), Box::new(sql), end);
    let insert = format!(
        "INSERT INTO wide SELECT seq, seq % 1000, md5(seq), seq / 7.0, '2026-01-01'
         FROM seq_1_to_{}",
        scene.rows
    );
    scene.transaction("MariaDB, INSERT", &insert);
    scene.transaction("MariaDB, UPDATE", "UPDATE wide SET a = a + 1, c = c + 1");
}
