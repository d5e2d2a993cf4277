//! Reads the store as people do: through the daemon, statement by statement.
//!
//! In pages, because an answer is bounded; nothing is written while we compare.

use futures_util::{StreamExt, TryStreamExt};

use super::merge::Rows;
use super::read::{Reading, Script};
use super::text;
use crate::demo::run::daemon::Api;
use crate::error::Result;

/// Rows of one statement; below the daemon's limit of an answer.
const PAGE_ROWS: usize = 5_000;

/// The store behind a running daemon.
#[derive(Debug, Clone)]
pub(super) struct Store {
    api: Api,
}

impl Store {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }

    /// The tables of a schema.
    pub(super) async fn tables(&self, schema: &str) -> Result<Vec<String>> {
        let sql = format!(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = '{schema}' ORDER BY 1"
        );
        Ok(self.api.sql(&sql).await?.rows.into_iter().flatten().flatten().collect())
    }

    /// The columns of a table; without a key, which the store does not declare.
    pub(super) async fn table(&self, schema: &str, table: &str) -> Result<Reading> {
        let sql = format!(
            "SELECT column_name, data_type FROM duckdb_columns() \
             WHERE schema_name = '{schema}' AND table_name = '{table}' ORDER BY column_index"
        );
        let mut columns = Vec::new();
        for row in self.api.sql(&sql).await?.rows {
            if let [Some(name), Some(kind)] = row.as_slice() {
                columns.push(text::store(name, kind));
            }
        }
        Ok(Reading { from: format!("\"{schema}\".\"{table}\""), key: Vec::new(), columns })
    }

    /// The columns of a script.
    pub(super) async fn script(&self, script: Script) -> Result<Reading> {
        let sql = format!("SELECT * FROM {} LIMIT 0", script.from());
        let names = self.api.sql(&sql).await?.columns();
        // Scripts write no value that sides could spell differently.
        let columns = names.iter().map(|name| text::store(name, "")).collect();
        Ok(Reading { from: script.from(), key: script.key(), columns })
    }

    /// The rows of a reading.
    pub(super) fn rows(&self, reading: &Reading) -> Rows {
        let (key, cells) = reading.lists();
        let select = format!(
            "SELECT concat_ws(chr(31), {key}) AS k, {cells} FROM {} ORDER BY 1",
            reading.from
        );
        let (store, reading) = (self.clone(), reading.clone());
        let pages = futures_util::stream::try_unfold(Some(0), move |offset| {
            let page = offset.map(|offset: usize| {
                (offset, format!("{select} LIMIT {PAGE_ROWS} OFFSET {offset}"))
            });
            let (store, reading) = (store.clone(), reading.clone());
            async move {
                let Some((offset, sql)) = page else { return Ok(None) };
                let rows = store.api.sql(&sql).await?.rows;
                let next = (rows.len() == PAGE_ROWS).then_some(offset + PAGE_ROWS);
                let row = move |row: Vec<Option<String>>| Ok(reading.row(row.into_iter()));
                let rows: Vec<Result<_>> = rows.into_iter().map(row).collect();
                Ok(Some((futures_util::stream::iter(rows), next)))
            }
        });
        pages.try_flatten().boxed()
    }
}
