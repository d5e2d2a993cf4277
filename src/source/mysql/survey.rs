//! A MariaDB or MySQL source as it is in one snapshot, for comparisons: digests of its tables, and exactly
//! what of its binlog the snapshot has seen. It reads only.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tokio::sync::Mutex;

use super::Mysql;
use super::committed::Committed;
use super::dialect::Dialect;
use super::following::Following;
use super::key::quote;
use super::session::Address;
use super::{catalog, snapshot};
use crate::change::{Position, TableName, Visibility};
use crate::digest::{Digest, Equals, Family, Hash, golden, mariadb};
use crate::error::{Error, ErrorKind, Result};
use crate::source::conditions::of_mysql;

/// Attempts to take a snapshot in whose moment the log is not rotated: then its position is not
/// that of the snapshot.
const ATTEMPTS: usize = 5;

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
                Following::Gtids => snapshot::between_commits(&address, &mut connection).await?,
                Following::Files => snapshot::still_files(&address, &mut connection).await?,
            };
            return Ok(MysqlSurvey::new(address, connection, seen));
        }
        for _ in 0..ATTEMPTS {
            let before = log_file(&address, &mut connection).await?;
            snapshot::begin(&address, &mut connection).await?;
            let (file, offset) = snapshot::place(&address, &mut connection).await?;
            if before == file && file == log_file(&address, &mut connection).await? {
                let seen = snapshot::gtids_at(&address, &mut connection, &file, offset).await?;
                if let Some(seen) = seen {
                    return Ok(MysqlSurvey::new(address, connection, seen));
                }
            }
            snapshot::run(&address, &mut connection, "ROLLBACK").await?;
        }
        // Until the next commit after a rotation the place is none of the new file.
        let (mut committed, mut beside) =
            (Committed::new(Following::Gtids), address.connect().await?);
        let asking = (&mut committed, &mut beside);
        let seen = snapshot::exact(&address, &mut connection, asking, &|_| {}).await?;
        Ok(MysqlSurvey::new(address, connection, seen))
    }
}

async fn log_file(address: &Address, connection: &mut Conn) -> Result<String> {
    let explain = |error| address.explain(error, "could not read the end of the log".to_owned());
    let row: Option<Row> = connection.query_first("SHOW MASTER STATUS").await.map_err(explain)?;
    row.and_then(|row| row.get(0))
        .ok_or_else(|| Error::new(ErrorKind::Setup, "the server keeps no binlog".to_owned()))
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
        let cells = |row: &Row| cells(row, columns.len());
        rows.iter().map(cells).collect::<Option<_>>().ok_or_else(|| unreadable(table))
    }

    /// What rows of some buckets hold, and how often. The buckets are those of whole rows.
    ///
    /// # Errors
    /// As every statement.
    pub async fn equals(
        &self,
        table: &TableName,
        columns: &[(String, Family)],
        digits: usize,
        buckets: &[String],
    ) -> Result<Vec<Equals>> {
        let (all, _) = texts(columns, columns.len());
        let sql = mariadb::equals(&self.from(table).await?, &all, (digits, self.hash()), buckets);
        let explain = |error| self.address.explain(error, format!("could not compare {table}"));
        let mut connection = self.connection.lock().await;
        let rows: Vec<Row> = connection.query(&sql).await.map_err(explain)?;
        let equals = |row: Row| Some((cells(&row, all.len())?, row.get_opt(all.len())?.ok()?));
        rows.into_iter().map(equals).collect::<Option<_>>().ok_or_else(|| unreadable(table))
    }
}

fn cells(row: &Row, count: usize) -> Option<Vec<Option<String>>> {
    (0..count).map(|place| row.get_opt(place)?.ok()).collect()
}

fn unreadable(table: &TableName) -> Error {
    Error::new(ErrorKind::Bug, format!("rows of {table} cannot be read"))
}

fn texts(columns: &[(String, Family)], key_count: usize) -> (Vec<String>, Vec<String>) {
    let text =
        |(name, family): &(String, Family)| mariadb::text(*family, &format!("t.{}", quote(name)));
    let all: Vec<String> = columns.iter().map(text).collect();
    let key = all.iter().take(key_count).cloned().collect();
    (all, key)
}
