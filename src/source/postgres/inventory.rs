//! What tables a database has: for whoever chooses, and for `check`. Changes nothing.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::Client;

use super::Postgres;
use super::catalog::{self, Listed};
use super::examine::{self, Limits};
use super::session::Asked;
use crate::error::Result;
use crate::finding;
use crate::source::{Cataloged, Offered};

impl Postgres {
    /// See [`crate::source::Source::offered`].
    pub(in crate::source) async fn offered(&self) -> Result<Vec<Offered>> {
        let client = self.place.connect().await?;
        let limits = Limits::read(&client).await?;
        let estimates = estimates(&client).await?;
        let offer = |table: Listed| Offered {
            rows_estimated: estimates.get(&table.oid).copied(),
            unusable: finding::objections(&examine::about_table(&table, &self.choice, &limits)),
            name: table.name,
        };
        let listed = catalog::list(&client, None).await?.into_iter();
        Ok(listed.filter(|table| table.ancestors.is_empty()).map(offer).collect())
    }

    /// See [`crate::source::Source::catalog`].
    pub(in crate::source) async fn catalog(&self) -> Result<Vec<Cataloged>> {
        let client = self.place.connect().await?;
        let listed = catalog::list(&client, None).await?;
        // A selection that fails is a finding of its own; here everything then counts.
        let chosen = self.choose(&listed).unwrap_or_else(|_| listed.iter().collect());
        let is_chosen = |oid| chosen.iter().any(|listed| u64::from(listed.oid) == oid);
        let is_known =
            |table: &&Listed| table.ancestors.is_empty() || is_chosen(u64::from(table.oid));
        let all: Vec<&Listed> = listed.iter().filter(is_known).collect();
        let tables = catalog::describe(&client, &all, &self.choice).await?;
        let cataloged = |table: Arc<_>| -> Cataloged {
            Cataloged { is_mirrored: is_chosen(table_id(&table)), table }
        };
        Ok(tables.into_iter().map(cataloged).collect())
    }
}

fn table_id(table: &crate::change::Table) -> u64 {
    table.id
}

/// Rows by table, as the statistics guess.
async fn estimates(client: &Client) -> Result<HashMap<u32, u64>> {
    let sql = include_str!("../../../sql/source/postgres/estimates.sql");
    let what = || "could not read the statistics of the tables".to_owned();
    let rows = client.query(sql, &[]).await.asking(what)?;
    let read = |row: &tokio_postgres::Row| -> std::result::Result<_, tokio_postgres::Error> {
        Ok((row.try_get::<_, u32>(0)?, u64::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0)))
    };
    let read: std::result::Result<HashMap<u32, u64>, _> = rows.iter().map(read).collect();
    read.asking(what)
}
