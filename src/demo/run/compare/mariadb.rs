//! Reads a MariaDB: the HR.

use futures_util::StreamExt;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Value};
use tokio::sync::mpsc;

use super::merge::{Row, Rows};
use super::read::{Reading, Script};
use super::text;
use crate::error::{Context, Error, ErrorKind, Result};

const COLUMNS: &str = include_str!("../../../../sql/demo/compare/mariadb_columns.sql");
/// Values are written alike on all sides under these settings.
const SESSION: &str = "SET time_zone = '+00:00', NAMES utf8mb4";
/// Rows that are read ahead.
const AHEAD_ROWS: usize = 1_000;

/// A MariaDB database that is compared.
#[derive(Debug, Clone)]
pub(super) struct Mariadb {
    opts: Opts,
}

impl Mariadb {
    pub(super) fn new(opts: Opts) -> Self {
        Self { opts }
    }

    /// The tables of the database.
    pub(super) async fn tables(&self) -> Result<Vec<String>> {
        let sql = "SELECT TABLE_NAME FROM information_schema.TABLES \
                   WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1";
        let tables = self.connect().await?.query(sql).await;
        tables.context(ErrorKind::Setup, failed)
    }

    /// All columns of a table, by its primary key.
    pub(super) async fn table(&self, table: &str) -> Result<Reading> {
        let rows: Result<Vec<(String, String, Option<String>)>, _> =
            self.connect().await?.exec(COLUMNS, (table,)).await;
        let rows = rows.context(ErrorKind::Setup, failed)?;
        let mut key: Vec<(u32, String)> = Vec::new();
        for (name, _, rank) in &rows {
            let rank = rank.as_ref().and_then(|rank| rank.parse().ok());
            key.extend(rank.map(|rank| (rank, name.clone())));
        }
        key.sort();
        let columns = rows.iter().map(|(name, kind, _)| text::mariadb(name, kind)).collect();
        let from = format!("`{}`", table.replace('`', "``"));
        Ok(Reading { from, key: key.into_iter().map(|(_, name)| name).collect(), columns })
    }

    /// The columns of a script.
    pub(super) async fn script(&self, script: Script) -> Result<Reading> {
        let mut conn = self.connect().await?;
        let sql = format!("SELECT * FROM {} LIMIT 0", script.from());
        let result = conn.query_iter(sql).await.context(ErrorKind::Bug, failed)?;
        // Scripts write no value that sides could spell differently.
        let column = |column: &mysql_async::Column| text::mariadb(&column.name_str(), "");
        let columns = result.columns_ref().iter().map(column).collect();
        Ok(Reading { from: script.from(), key: script.key(), columns })
    }

    /// The rows of a reading.
    pub(super) async fn rows(&self, reading: &Reading) -> Result<Rows> {
        let mut conn = self.connect().await?;
        let (sender, receiver) = mpsc::channel(AHEAD_ROWS);
        let reading = reading.clone();
        // A result borrows its session, so both live in a task of their own.
        tokio::spawn(async move {
            if let Err(error) = send(&mut conn, &reading, &sender).await {
                // A comparison that was given up has no use for the error.
                sender.send(Err(error)).await.ok();
            }
        });
        let next = |mut receiver: mpsc::Receiver<Result<Row>>| async {
            receiver.recv().await.map(|row| (row, receiver))
        };
        Ok(futures_util::stream::unfold(receiver, next).boxed())
    }

    async fn connect(&self) -> Result<Conn> {
        let mut conn =
            Conn::new(self.opts.clone()).await.context(ErrorKind::Unreachable, failed)?;
        conn.query_drop(SESSION).await.context(ErrorKind::Setup, failed)?;
        Ok(conn)
    }
}

async fn send(
    conn: &mut Conn,
    reading: &Reading,
    sender: &mpsc::Sender<Result<Row>>,
) -> Result<()> {
    let (key, cells) = reading.lists();
    let key = format!("CONCAT_WS(CHAR(31 USING utf8mb4), {key})");
    let sql = format!("SELECT {key}, {cells} FROM {} ORDER BY CAST({key} AS BINARY)", reading.from);
    let mut result = conn.query_iter(sql).await.context(ErrorKind::Bug, failed)?;
    while let Some(row) = result.next().await.context(ErrorKind::Unreachable, failed)? {
        let texts = row.unwrap_raw().into_iter().map(text).collect::<Result<Vec<_>>>()?;
        if sender.send(Ok(reading.row(texts.into_iter()))).await.is_err() {
            break;
        }
    }
    Ok(())
}

fn text(value: Option<Value>) -> Result<Option<String>> {
    match value {
        None | Some(Value::NULL) => Ok(None),
        Some(Value::Bytes(bytes)) => {
            let text = String::from_utf8(bytes);
            text.map(Some).context(ErrorKind::Bug, || "the HR sent what is not UTF-8".to_owned())
        }
        _ => Err(Error::new(ErrorKind::Bug, "the HR sent a value that is not text")),
    }
}

fn failed() -> String {
    "could not read the HR".to_owned()
}
