//! Which tables are chosen, and what tables a database has: for whoever chooses, and for `check`.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::catalog::{self, Described, Known};
use super::{Mysql, examine, selection, settings};
use crate::change::TableName;
use crate::error::Result;
use crate::finding;
use crate::source::{Cataloged, Offered};

impl Mysql {
    /// The tables that the patterns choose. If the mapping chooses, also those whose foreign keys
    /// change rows of the others: the log does not tell of that, so it is derived from theirs.
    pub(super) async fn choose(
        &self,
        connection: &mut Conn,
        known: &[Known],
    ) -> Result<Vec<Described>> {
        let names: Vec<TableName> = known.iter().map(|known| known.name.clone()).collect();
        let (source, database) = (self.address.source(), self.address.database());
        crate::source::refuse_lacking(source, database, &self.needed, &names)?;
        let chosen = selection::select(source, database, &self.patterns, &names)?;
        let mut chosen: BTreeSet<TableName> = chosen.into_iter().cloned().collect();
        loop {
            let list: Vec<TableName> = chosen.iter().cloned().collect();
            let described = catalog::describe(&self.address, connection, &list).await?;
            let cascades = described.iter().flat_map(|found| &found.table.cascades);
            let parents: BTreeSet<TableName> = cascades.map(|one| one.parent.clone()).collect();
            let before = chosen.len();
            if !self.needed.is_empty() {
                chosen.extend(parents.into_iter().filter(|parent| names.contains(parent)));
            }
            if chosen.len() == before {
                return Ok(described);
            }
        }
    }

    /// See [`crate::source::Source::offered`]. Only of the database in the URL.
    pub(in crate::source) async fn offered(&self) -> Result<Vec<Offered>> {
        let mut connection = self.address.connect().await?;
        let server = settings::read(&self.address, &mut connection).await?;
        let (known, described) = self.all(&mut connection).await?;
        let (forbidden, _) = self.forbidden(&mut connection, &described).await?;
        let estimates = self.estimates(&mut connection).await?;
        let offer = |found: Described| {
            let name = found.table.name.clone();
            let forbidden: Vec<TableName> =
                forbidden.iter().filter(|one| **one == name).cloned().collect();
            // Every parent is offered too, so cascades are no objection here.
            let findings = examine::table(&known, &found, &forbidden, &server);
            let rows_estimated = estimates.get(&name.name).copied();
            Offered { unusable: finding::objections(&findings), name, rows_estimated }
        };
        Ok(described.into_iter().map(offer).collect())
    }

    /// See [`crate::source::Source::catalog`].
    pub(in crate::source) async fn catalog(&self) -> Result<Vec<Cataloged>> {
        let mut connection = self.address.connect().await?;
        let known = catalog::known(&self.address, &mut connection).await?;
        // A selection that fails is a finding of its own; here everything then counts.
        let chosen = self.choose(&mut connection, &known).await.ok();
        let is_chosen = |name: &TableName| {
            chosen.as_ref().is_none_or(|chosen| chosen.iter().any(|one| one.table.name == *name))
        };
        let names: Vec<TableName> = known.into_iter().map(|known| known.name).collect();
        let described = catalog::describe(&self.address, &mut connection, &names).await?;
        let cataloged = |found: Described| Cataloged {
            is_mirrored: is_chosen(&found.table.name),
            table: Arc::new(found.table),
        };
        Ok(described.into_iter().map(cataloged).collect())
    }

    /// Everything in the database of the URL.
    async fn all(&self, connection: &mut Conn) -> Result<(Vec<Known>, Vec<Described>)> {
        let mut known = catalog::known(&self.address, connection).await?;
        known.retain(|known| known.name.schema == self.address.database());
        let names: Vec<TableName> = known.iter().map(|known| known.name.clone()).collect();
        let described = catalog::describe(&self.address, connection, &names).await?;
        Ok((known, described))
    }

    /// Rows by table, as the statistics guess.
    async fn estimates(&self, connection: &mut Conn) -> Result<HashMap<String, u64>> {
        let sql = include_str!("../../../sql/source/mysql/estimates.sql");
        let rows: Vec<(String, u64)> = connection
            .exec(sql, (self.address.database(),))
            .await
            .map_err(|error| self.address.explain(error, "could not read the statistics"))?;
        Ok(rows.into_iter().collect())
    }
}
