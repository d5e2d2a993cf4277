//! A MariaDB or MySQL source as it is in one snapshot, for comparisons: digests of its tables, and exactly
//! what of its binlog the snapshot has seen. It reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::sync::Mutex;

use super::Mysql;
use super::catalog;
use super::commits;
use super::dialect::Dialect;
use super::following::{self, Following};
use super::key::quote;
use super::session::Address;
use crate::change::position::parse_gtids;
use crate::change::{Position, TableName, Visibility};
use crate::digest::{Digest, Family, Hash, golden, mariadb};
use crate::error::{Error, ErrorKind, Result};
use crate::source::conditions::of_mysql;

/// Attempts to take a snapshot in whose moment the log is not rotated: then its position is not
/// that of the snapshot.
const ATTEMPTS: usize = 5;
/// How long MySQL is waited for to commit nothing in the moment of a snapshot.
const STILLNESS_MAX: Duration = Duration::from_secs(20);
/// Between two attempts.
const STILLNESS_PAUSE: Duration = Duration::from_millis(2);

/// A snapshot of a source. It ends when it is dropped.
#[derive(Debug)]
pub struct MysqlSurvey {
    address: Address,
    connection: Arc<Mutex<Conn>>,
    /// What the snapshot has seen, exactly.
    pub visibility: Visibility,
    /// The same as a position.
    pub covered_by: Position,
}

impl Mysql {
    /// See [`crate::source::Source::survey`].
    ///
    /// # Errors
    /// See there.
    pub async fn survey(&self, read: Option<&Position>) -> Result<MysqlSurvey> {
        let address = self.address.clone();
        let mut connection = address.connect().await?;
        if address.dialect() == Dialect::Mysql {
            let seen = match Following::asked(&address, &mut connection, read).await? {
                Following::Gtids => between_commits(&address, &mut connection).await?,
                Following::Files => still_files(&address, &mut connection).await?,
            };
            return Ok(MysqlSurvey::new(address, connection, seen));
        }
        for _ in 0..ATTEMPTS {
            let before = log_file(&address, &mut connection).await?;
            let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
            run(&address, &mut connection, begin).await?;
            let (file, offset) = snapshot(&address, &mut connection).await?;
            if before == file && file == log_file(&address, &mut connection).await? {
                let explain = |e| address.explain(e, "could not name a snapshot".to_owned());
                let sql = "SELECT BINLOG_GTID_POS(?, ?)";
                let gtids: Option<Option<String>> =
                    connection.exec_first(sql, (&file, offset)).await.map_err(explain)?;
                let seen = parse_gtids(&gtids.flatten().unwrap_or_default());
                let seen = Position::Gtid(seen.ok_or_else(|| {
                    Error::new(ErrorKind::Decode, format!("{file}:{offset} has no GTID"))
                })?);
                return Ok(MysqlSurvey::new(address, connection, seen));
            }
            run(&address, &mut connection, "ROLLBACK").await?;
        }
        let what = format!("the binlog was rotated at each of {ATTEMPTS} snapshots");
        Err(Error::new(ErrorKind::Unreachable, what).hint("it is tried again"))
    }
}

/// A snapshot in whose moment nothing was committed, and what it has seen. MySQL says no more than what
/// was committed before and after it: one round trip takes all three.
async fn between_commits(address: &Address, connection: &mut Conn) -> Result<Position> {
    let explain = |error| address.explain(error, "could not take a snapshot");
    let end = Instant::now() + STILLNESS_MAX;
    loop {
        let mut results = connection
            .query_iter(
                "SELECT @@GLOBAL.gtid_executed;
                 START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;
                 SELECT @@GLOBAL.gtid_owned; SELECT @@GLOBAL.gtid_executed",
            )
            .await
            .map_err(explain)?;
        let mut said: Vec<String> = Vec::new();
        while !results.is_empty() {
            said.extend(
                results.collect::<Option<String>>().await.map_err(explain)?.pop().flatten(),
            );
        }
        let [before, owned, after] = said.as_slice() else {
            return Err(Error::new(ErrorKind::Decode, "the server does not name its transactions"));
        };
        if owned.is_empty() && before == after {
            return Dialect::Mysql.position(before);
        }
        run(address, connection, "ROLLBACK").await?;
        is_in_time(end)?;
        tokio::time::sleep(STILLNESS_PAUSE).await;
    }
}

fn is_in_time(end: Instant) -> Result<()> {
    if Instant::now() <= end {
        return Ok(());
    }
    let secs = STILLNESS_MAX.as_secs();
    let what = format!("in {secs} s there was no moment without a commit to compare in");
    Err(Error::new(ErrorKind::Unreachable, what).hint("it is tried again"))
}

/// The same without GTIDs: the log ended at one place before and after the snapshot, and between the first
/// look and the snapshot no commit was under way. So it has seen all before that place and nothing else.
async fn still_files(address: &Address, connection: &mut Conn) -> Result<Position> {
    let explain = |error| address.explain(error, "could not take a snapshot");
    let server = following::server_uuid(address, connection).await?;
    let status = following::status_sql(address, connection).await?;
    let sql = format!(
        "{status}; {}; START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY; {status}",
        commits::sql()
    );
    let end = Instant::now() + STILLNESS_MAX;
    loop {
        let mut results = connection.query_iter(&sql).await.map_err(explain)?;
        let mut said: Vec<Vec<Row>> = Vec::new();
        while !results.is_empty() {
            said.push(results.collect().await.map_err(explain)?);
        }
        said.retain(|rows| !rows.is_empty());
        let mut said = said.into_iter();
        let (before, open, after) = (said.next(), said.next(), said.next());
        let place = |rows: Option<Vec<Row>>| rows?.first().and_then(following::status);
        let open = commits::read(open.unwrap_or_default())?;
        let (before, after) = (place(before), place(after));
        let place = before.clone().ok_or_else(following::no_log)?;
        if open.is_empty() && before == after {
            commits::all_are_told(address, connection).await?;
            return following::place(server, place).map(Position::File);
        }
        run(address, connection, "ROLLBACK").await?;
        is_in_time(end)?;
        tokio::time::sleep(STILLNESS_PAUSE).await;
    }
}

async fn run(address: &Address, connection: &mut Conn, statement: &str) -> Result<()> {
    let failed = |error| address.explain(error, format!("{statement} failed"));
    connection.query_drop(statement).await.map_err(failed)
}

async fn log_file(address: &Address, connection: &mut Conn) -> Result<String> {
    let explain = |error| address.explain(error, "could not read the end of the log".to_owned());
    let row: Option<Row> = connection.query_first("SHOW MASTER STATUS").await.map_err(explain)?;
    row.and_then(|row| row.get(0))
        .ok_or_else(|| Error::new(ErrorKind::Setup, "the server keeps no binlog".to_owned()))
}

/// Where in the log the snapshot of the open transaction is.
async fn snapshot(address: &Address, connection: &mut Conn) -> Result<(String, u64)> {
    let explain = |error| address.explain(error, "could not read the snapshot".to_owned());
    let sql = "SHOW STATUS LIKE 'binlog_snapshot_%'";
    let rows: Vec<(String, String)> = connection.query(sql).await.map_err(explain)?;
    let of = |name: &str| {
        let row = rows.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        row.map(|(_, value)| value.clone())
    };
    let offset = of("binlog_snapshot_position").and_then(|text| text.parse().ok());
    of("binlog_snapshot_file").zip(offset).ok_or_else(|| {
        Error::new(ErrorKind::Setup, "the server does not say where its snapshot is")
            .hint("comparisons need MariaDB's binlog_snapshot_position")
    })
}

impl MysqlSurvey {
    fn new(address: Address, connection: Conn, seen: Position) -> Self {
        Self {
            address,
            connection: Arc::new(Mutex::new(connection)),
            visibility: Visibility::UpTo(seen.clone()),
            covered_by: seen,
        }
    }

    /// What rows are hashed with.
    pub fn hash(&self) -> Hash {
        match self.address.dialect() {
            Dialect::Mariadb => Hash::Md5,
            Dialect::Mysql => Hash::Sha256,
        }
    }

    /// The families that this server spells otherwise than was written down.
    ///
    /// # Errors
    /// As every statement.
    pub async fn misspelled(&self) -> Result<BTreeSet<Family>> {
        let mut misspelled = BTreeSet::new();
        let mut connection = self.connection.lock().await;
        for vector in golden::VECTORS {
            let literal = vector.value.replace('\\', "\\\\").replace('\'', "''");
            let value = mariadb::cast(vector.family, &format!("'{literal}'"));
            let sql = format!("SELECT {}", mariadb::text(vector.family, &value));
            let found: Option<Option<String>> = connection.query_first(&sql).await.unwrap_or(None);
            if found.flatten().as_deref() != Some(vector.canonical) {
                misspelled.insert(vector.family);
            }
        }
        Ok(misspelled)
    }

    /// Digests of a table by bucket; `columns` are name and family, the first `key_count` the key.
    ///
    /// # Errors
    /// As every statement.
    pub async fn digests(
        &self,
        table: &TableName,
        columns: &[(String, Family)],
        key_count: usize,
        digits: usize,
    ) -> Result<BTreeMap<String, Digest>> {
        let (all, key) = texts(columns, key_count);
        let sql = mariadb::digests(&self.from(table).await?, &all, &key, digits, self.hash());
        let explain = |error| self.address.explain(error, format!("could not compare {table}"));
        let mut connection = self.connection.lock().await;
        let rows: Vec<(String, u64, String, String)> =
            connection.query(&sql).await.map_err(explain)?;
        let of = |(bucket, count, first, second): (String, u64, String, String)| {
            let lanes = [first.parse().ok()?, second.parse().ok()?];
            Some((bucket, Digest { count, lanes }))
        };
        rows.into_iter().map(of).collect::<Option<_>>().ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("the digests of {table} cannot be read"))
        })
    }

    /// The rows that are mirrored.
    async fn from(&self, table: &TableName) -> Result<String> {
        let all = format!("{}.{}", quote(&table.schema), quote(&table.name));
        let names = std::slice::from_ref(table);
        let mut connection = self.connection.lock().await;
        let described = catalog::describe(&self.address, &mut connection, names).await?;
        let is = described.first().map(|described| &described.table);
        Ok(match is.and_then(|is| Some((is, is.rows.as_ref()?))) {
            // By name: `*` leaves out what is invisible.
            Some((is, rows)) => {
                let names: Vec<String> = is.columns.iter().map(|one| quote(&one.name)).collect();
                let names = names.join(", ");
                format!("(SELECT {names} FROM {all} WHERE {})", of_mysql(rows, is, quote))
            }
            None => all,
        })
    }

    /// Canonical texts of the rows of some buckets, key first.
    ///
    /// # Errors
    /// As every statement.
    pub async fn rows(
        &self,
        table: &TableName,
        columns: &[(String, Family)],
        key_count: usize,
        digits: usize,
        buckets: &[String],
    ) -> Result<Vec<Vec<Option<String>>>> {
        let (all, key) = texts(columns, key_count);
        let sql =
            mariadb::rows(&self.from(table).await?, &all, &key, (digits, self.hash()), buckets);
        let explain = |error| self.address.explain(error, format!("could not compare {table}"));
        let mut connection = self.connection.lock().await;
        let rows: Vec<Row> = connection.query(&sql).await.map_err(explain)?;
        let cells = |row: Row| {
            (0..columns.len()).map(|place| row.get_opt(place)?.ok()).collect::<Option<Vec<_>>>()
        };
        rows.into_iter()
            .map(cells)
            .collect::<Option<_>>()
            .ok_or_else(|| Error::new(ErrorKind::Bug, format!("rows of {table} cannot be read")))
    }
}

fn texts(columns: &[(String, Family)], key_count: usize) -> (Vec<String>, Vec<String>) {
    let text =
        |(name, family): &(String, Family)| mariadb::text(*family, &format!("t.{}", quote(name)));
    let all: Vec<String> = columns.iter().map(text).collect();
    let key = all.iter().take(key_count).cloned().collect();
    (all, key)
}
