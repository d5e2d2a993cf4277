//! Reads a PostgreSQL: the ERP, the PSA.

use futures_util::{StreamExt, TryStreamExt};
use tokio_postgres::types::{Kind, Type};
use tokio_postgres::{Client, Config, SimpleQueryMessage};

use super::merge::Rows;
use super::read::{Reading, Script};
use super::text;
use crate::demo::run::stage::connect_postgres;
use crate::error::{Context, ErrorKind, Result};

/// Values are written alike on all sides under these settings.
const SESSION: &str =
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET extra_float_digits = 3";
/// The columns of a table with their rank in the primary key; generated columns are not in a log.
const COLUMNS: &str = include_str!("../../../../sql/demo/compare/postgres_columns.sql");

/// A PostgreSQL database that is compared.
#[derive(Debug, Clone)]
pub(super) struct Postgres {
    config: Config,
    /// Its name in what people read.
    name: &'static str,
}

impl Postgres {
    pub(super) fn new(name: &'static str, config: Config) -> Self {
        Self { config, name }
    }

    /// The tables of the schema `public`.
    pub(super) async fn tables(&self) -> Result<Vec<String>> {
        let client = self.connect().await?;
        let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
        let rows = client.query(sql, &[]).await.context(ErrorKind::Setup, || self.failed())?;
        let name = |row: &tokio_postgres::Row| row.try_get(0);
        rows.iter().map(name).collect::<Result<_, _>>().context(ErrorKind::Setup, || self.failed())
    }

    /// All columns of a table, by its primary key.
    pub(super) async fn table(&self, table: &str) -> Result<Reading> {
        let client = self.connect().await?;
        let failed = || format!("could not read the columns of {table} in the {}", self.name);
        let rows = client.query(COLUMNS, &[&table]).await.context(ErrorKind::Setup, failed)?;
        let (mut columns, mut key) = (Vec::new(), Vec::new());
        for row in &rows {
            let read = || -> Result<(String, String, Option<i64>), tokio_postgres::Error> {
                Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
            };
            let (name, kind, rank) = read().context(ErrorKind::Setup, failed)?;
            key.extend(rank.map(|rank| (rank, name.clone())));
            columns.push(text::postgres(&name, &kind));
        }
        key.sort();
        let from = format!("\"public\".\"{}\"", table.replace('"', "\"\""));
        Ok(Reading { from, key: key.into_iter().map(|(_, name)| name).collect(), columns })
    }

    /// The columns of a script.
    pub(super) async fn script(&self, script: Script) -> Result<Reading> {
        let client = self.connect().await?;
        let sql = format!("SELECT * FROM {}", script.from());
        let statement = client.prepare(&sql).await.context(ErrorKind::Bug, || self.failed())?;
        let column = |column: &tokio_postgres::Column| {
            text::postgres(column.name(), base(column.type_()).name())
        };
        let columns = statement.columns().iter().map(column).collect();
        Ok(Reading { from: script.from(), key: script.key(), columns })
    }

    /// The rows of a reading.
    pub(super) async fn rows(&self, reading: &Reading) -> Result<Rows> {
        let client = self.connect().await?;
        let (key, cells) = reading.lists();
        let sql = format!(
            "SELECT concat_ws(chr(31), {key}), {cells} FROM {} \
             ORDER BY concat_ws(chr(31), {key}) COLLATE \"C\"",
            reading.from
        );
        let failed = format!("{}: {}", self.failed(), reading.from);
        let stream = client.simple_query_raw(&sql).await;
        let stream = stream.context(ErrorKind::Bug, || failed.clone())?;
        let reading = reading.clone();
        let rows = stream.map_err(move |error| {
            crate::error::Error::new(ErrorKind::Unreachable, failed.clone()).caused_by(error)
        });
        let rows = rows.try_filter_map(move |message| {
            // The session ends with its client.
            let _open = &client;
            let row = match message {
                SimpleQueryMessage::Row(row) => {
                    let texts = (0..row.len()).map(|at| row.get(at).map(ToOwned::to_owned));
                    Some(reading.row(texts))
                }
                _ => None,
            };
            std::future::ready(Ok(row))
        });
        Ok(rows.boxed())
    }

    async fn connect(&self) -> Result<Client> {
        let client = connect_postgres(&self.config).await?;
        client.batch_execute(SESSION).await.context(ErrorKind::Setup, || self.failed())?;
        Ok(client)
    }

    fn failed(&self) -> String {
        format!("could not read the {}", self.name)
    }
}

/// The type under a domain.
fn base(kind: &Type) -> &Type {
    match kind.kind() {
        Kind::Domain(inner) => base(inner),
        _ => kind,
    }
}
