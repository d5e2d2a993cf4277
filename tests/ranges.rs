//! One large table that is read in several parts at once, on every engine: by so many sessions and no more,
//! each row once, whatever is killed and written meanwhile.

mod changing;
mod keys;
mod writing;

use std::collections::BTreeMap;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio_postgres::Client;
use trueup::demo::servers::BinlogServer;
use trueup::ledger::copies::CopyProgress;
use trueup::ledger::journal::{Border, Journal, Portion};
use trueup::ledger::segment::EntryKind;
use trueup::source::entry::decode_chunk;

use crate::agreement::{self, store};
use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);
const ROWS: usize = 20_000;
/// Parts at once; one table at a time.
const RANGES: usize = 3;

/// A kind of server with a database of its own.
#[derive(Clone)]
struct Side {
    kind: &'static str,
    database: String,
}

impl Side {
    /// `None` if there is no such server.
    fn new(kind: &'static str, label: &str) -> Option<Self> {
        if !require(kind) {
            return None;
        }
        let database = match Self::binlog(kind) {
            None => servers::postgres_database(label),
            Some(server) => servers::binlog_database(server, label),
        };
        Some(Self { kind, database })
    }

    fn binlog(kind: &str) -> Option<&'static BinlogServer> {
        match kind {
            "postgres" => None,
            "mariadb" => Some(servers::mariadb()),
            _ => Some(servers::mysql()),
        }
    }

    fn sql(&self, text: &str) -> String {
        match Self::binlog(self.kind) {
            None => servers::postgres().sql(&self.database, text).unwrap(),
            Some(server) => server.sql(&self.database, text).unwrap(),
        }
    }

    fn schema(&self) -> &str {
        if self.kind == "postgres" { "public" } else { &self.database }
    }

    fn url_and_password(&self) -> (String, String) {
        match Self::binlog(self.kind) {
            None => {
                let server = servers::postgres();
                (server.url(&self.database), server.password().to_owned())
            }
            Some(server) => (server.url(&self.database), server.password().to_owned()),
        }
    }

    async fn session(&self) -> Session {
        match Self::binlog(self.kind) {
            None => Session::Postgres(
                agreement::postgres::connect(servers::postgres(), &self.database).await,
            ),
            Some(server) => {
                Session::Binlog(agreement::mariadb::connect(server, &self.database).await)
            }
        }
    }

    /// A table of so many rows with a wide key space, made by the server.
    fn fill(&self, table: &str, rows: usize) {
        let numbers = match self.kind {
            "postgres" => {
                format!("SELECT g * 10, g, concat('v', g) FROM generate_series(1, {rows}) AS g")
            }
            "mariadb" => format!("SELECT seq * 10, seq, concat('v', seq) FROM seq_1_to_{rows}"),
            _ => format!(
                "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows})
                 SELECT n * 10, n, concat('v', n) FROM s"
            ),
        };
        let depth = match self.kind {
            "mysql" => "SET SESSION cte_max_recursion_depth = 1000000;",
            _ => "",
        };
        self.sql(&format!(
            "{depth} CREATE TABLE {table} (id bigint PRIMARY KEY, k int NOT NULL, v varchar(40));
             INSERT INTO {table} {numbers}"
        ));
    }

    /// What the log does not tell.
    fn unheard(&self, table: &str, sql: &str) {
        if self.kind != "postgres" {
            self.sql(&format!("SET SESSION sql_log_bin = 0; {sql}"));
            return;
        }
        let publication = self.sql("SELECT pubname FROM pg_publication");
        let publication = publication.trim();
        self.sql(&format!(
            "ALTER PUBLICATION {publication} DROP TABLE {table}; {sql};
             ALTER PUBLICATION {publication} ADD TABLE {table}"
        ));
    }

    fn install(&self, limits: &str) -> Installation {
        let installation = Installation::new("");
        let (url, password) = self.url_and_password();
        let source = format!(
            "compare_every_secs = 0\n{limits}\n[source.hr]\nkind = \"{}\"\nurl = \"{url}\"\ntables = [\"{}.*\"]",
            self.kind,
            self.schema()
        );
        store::configure(&installation, (&source, &password), None);
        installation
    }
}

/// A session of somebody else.
enum Session {
    Postgres(Client),
    Binlog(Conn),
}

impl Session {
    async fn run(&mut self, sql: &str) -> bool {
        match self {
            Session::Postgres(client) => client.batch_execute(sql).await.is_ok(),
            Session::Binlog(connection) => connection.query_drop(sql).await.is_ok(),
        }
    }

    /// Whoever would read the table waits.
    async fn hold(&mut self, table: &str) {
        let sql = match self {
            Session::Postgres(_) => format!("BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"),
            Session::Binlog(_) => format!("LOCK TABLES {table} WRITE"),
        };
        assert!(self.run(&sql).await, "{sql}");
    }

    async fn release(&mut self) {
        let sql = if matches!(self, Session::Postgres(_)) { "COMMIT" } else { "UNLOCK TABLES" };
        assert!(self.run(sql).await);
    }

    /// How many sessions wait to read the table, as the server says.
    async fn waiting(&mut self, table: &str) -> usize {
        let count: Option<String> = match self {
            Session::Postgres(client) => {
                let sql = format!(
                    "SELECT count(*)::text FROM pg_locks WHERE NOT granted
                     AND relation = '{table}'::regclass AND mode = 'AccessShareLock'"
                );
                client.query_one(&sql, &[]).await.unwrap().get(0)
            }
            Session::Binlog(connection) => {
                let sql = format!(
                    "SELECT count(*) FROM information_schema.processlist WHERE id != connection_id()
                     AND state LIKE 'Waiting for table%' AND info LIKE concat('%`', database(), '`.`{table}`%')"
                );
                connection.query_first(sql).await.unwrap()
            }
        };
        count.unwrap().parse().unwrap()
    }
}

/// How the copies stand, in the journal of a daemon that is dead.
fn copies(installation: &Installation) -> BTreeMap<String, CopyProgress> {
    let journal = Journal::open(&installation.state_folder().join("journal"), u64::MAX, 0).unwrap();
    let copies = journal.copies("hr").unwrap().into_iter();
    copies.map(|copy| (copy.table.rsplit('.').next().unwrap().to_owned(), copy)).collect()
}

/// How often each key (its texts) is in the chunks of a table that the journal holds.
fn journaled(installation: &Installation, table: &str) -> BTreeMap<Vec<String>, usize> {
    let journal = Journal::open(&installation.state_folder().join("journal"), u64::MAX, 0).unwrap();
    let (mut reader, mut border) = (journal.reader(), Border::default());
    let mut keys = BTreeMap::new();
    loop {
        let run = reader.read(border, u64::MAX, Portion::WHOLE, |_| false).unwrap();
        if run.transactions.is_empty() {
            return keys;
        }
        border = run.border;
        for entry in run.transactions.into_iter().flatten() {
            if entry.kind != EntryKind::Copy {
                continue;
            }
            let (header, rows) = decode_chunk(entry.bytes).unwrap();
            if header.table.name.name != table {
                continue;
            }
            for row in rows {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let key = header.table.key().map(|place| text(row[place].bytes().unwrap()));
                *keys.entry(key.collect()).or_default() += 1;
            }
        }
    }
}

/// The numbers of the sessions that were seen to wait, while the table was held again and again.
async fn held(side: &Side, table: &str, until: usize) -> Vec<usize> {
    let (mut holder, mut watcher) = (side.session().await, side.session().await);
    let mut seen = Vec::new();
    for _ in 0..200 {
        holder.hold(table).await;
        let mut most = 0;
        for _ in 0..40 {
            most = watcher.waiting(table).await.max(most);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        holder.release().await;
        seen.push(most);
        if most >= until {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    seen
}

fn limits(ranges: usize) -> String {
    format!("copy_chunk_rows = 50\ncopy_tables = 1\ncopy_ranges = {ranges}")
}

fn rows_arrive(installation: &Installation) {
    wait_until("rows to arrive", PATIENCE, || {
        let rows = crate::spine::store_rows(installation, "SELECT count(*) > 200 FROM hr.t")?;
        let has = rows[0][0].as_deref() == Some("true");
        if has { Ok(()) } else { Err("not yet".to_owned()) }
    });
}

fn copy_is_done(installation: &Installation) {
    wait_until("the copy to be done", PATIENCE, || {
        let sql = "SELECT source FROM ops.source_ready";
        let rows = crate::spine::store_rows(installation, sql)?;
        let status = || String::from_utf8_lossy(&installation.output(&["status"]).stdout).into();
        rows.first().map(drop).ok_or_else(status)
    });
}

/// Changes an option for the next start.
fn set_ranges(installation: &Installation, from: usize, to: usize) {
    let file = installation.state_folder().with_file_name("trueup.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (old, new) = (format!("copy_ranges = {from}"), format!("copy_ranges = {to}"));
    assert!(text.contains(&old));
    installation.write("trueup.toml", &text.replace(&old, &new));
}

async fn a_large_table_is_read_in_parts(kind: &'static str) {
    let Some(side) = Side::new(kind, "parts") else { return };
    side.fill("t", ROWS);
    side.fill("small", 90);
    // GIVEN a place that was noted as it was before there were parts
    let installation = side.install(&limits(1));
    let mut daemon = installation.start(&["run"], &[]);
    rows_arrive(&installation);
    let seen = held(&side, "t", 1).await;
    assert_eq!(seen.last(), Some(&1), "{seen:?}");
    daemon.kill();
    let copy = copies(&installation)["t"].clone();
    assert!(copy.ranges.len() == 1 && copy.ranges[0].upto.is_none(), "{copy:?}");
    assert!(copy.row_count > 0, "{copy:?}");
    // WHEN it goes on in several parts THEN several sessions read it at once, and never more
    set_ranges(&installation, 1, RANGES);
    let mut daemon = installation.start(&["run"], &[]);
    let seen = held(&side, "t", RANGES).await;
    assert_eq!(seen.last(), Some(&RANGES), "{kind}: sessions that waited: {seen:?}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    daemon.kill();
    let copy = copies(&installation)["t"].clone();
    assert!((2..=RANGES).contains(&copy.ranges.len()), "{copy:?}");
    // and each goes on where it was, also read one after the other, and in parts again
    set_ranges(&installation, RANGES, 1);
    daemon = installation.start(&["run"], &[]);
    let seen = held(&side, "t", 1).await;
    assert_eq!(seen.last(), Some(&1), "{seen:?}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    daemon.kill();
    set_ranges(&installation, 1, RANGES);
    for _ in 0..3 {
        daemon = installation.start(&["run"], &[]);
        tokio::time::sleep(Duration::from_millis(700)).await;
        daemon.kill();
    }
    daemon = installation.start(&["run"], &[]);
    copy_is_done(&installation);
    let rows = "SELECT count(*) || ' ' || sum(id) || ' ' || sum(k) FROM hr.t";
    let found = crate::spine::store_rows(&installation, rows).unwrap()[0][0].clone().unwrap();
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    // and the journal has each row once
    let sum = ROWS * (ROWS + 1) / 2;
    assert_eq!(found, format!("{ROWS} {} {sum}", sum * 10));
    for (table, rows) in [("t", ROWS), ("small", 90)] {
        let keys = journaled(&installation, table);
        assert_eq!(keys.len(), rows, "{table}");
        let twice = keys.iter().find(|(_, count)| **count != 1);
        assert_eq!(twice, None, "{table} was journaled more than once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_of_a_postgresql_is_read_in_parts_and_each_row_once_through_kills() {
    a_large_table_is_read_in_parts("postgres").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_of_a_mariadb_is_read_in_parts_and_each_row_once_through_kills() {
    a_large_table_is_read_in_parts("mariadb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_table_of_a_mysql_is_read_in_parts_and_each_row_once_through_kills() {
    a_large_table_is_read_in_parts("mysql").await;
}
