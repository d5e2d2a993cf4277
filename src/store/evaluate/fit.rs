//! Whether mappings fit the tables of their source, before a single row is copied: they are set up
//! on an empty mirror in memory.

use std::collections::BTreeSet;

use duckdb::Connection;

use super::sql::quote;
use super::{Evaluator, compile::Compiled};
use crate::change::Table;
use crate::error::Result;
use crate::store::refusal::failed;
use crate::store::types::sql_type;

/// A mapping that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The entity it contributes to.
    pub entity: String,
    /// Tables that it reads and that are not among those given.
    pub lacks: BTreeSet<String>,
    /// If every table is there: what else is wrong, naming table and column.
    pub cause: String,
}

impl Evaluator {
    /// The mappings of `source` that do not fit `tables`: names in the mirror, and columns.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn misfits(&mut self, source: &str, tables: &[(String, &Table)]) -> Result<Vec<Misfit>> {
        let what = || format!("could not make an empty mirror of {source}");
        let connection = Connection::open_in_memory().map_err(|error| failed(what(), &error))?;
        let mut sql = format!("CREATE SCHEMA {};", quote(source));
        for (mirror, table) in tables {
            let column =
                |c: &crate::change::Column| format!("{} {}", quote(&c.name), sql_type(c.kind));
            let columns: Vec<String> = table.columns.iter().map(column).collect();
            let name = format!("{}.{}", quote(source), quote(mirror));
            sql.push_str(&format!("CREATE TABLE {name} ({});", columns.join(", ")));
        }
        connection.execute_batch(&sql).map_err(|error| failed(what(), &error))?;
        self.create_tables(&connection)?;
        let mut misfits = Vec::new();
        let standings = self.mappings.iter().zip(&self.standings);
        for (mapping, standing) in standings.filter(|(mapping, _)| mapping.source == source) {
            let Some(cause) = standing.cause() else { continue };
            let is_there = |name: &&String| tables.iter().any(|(mirror, _)| mirror == *name);
            let lacks = mapping.tables.iter().filter(|name| !is_there(name)).cloned().collect();
            let cause = with_tables(mapping, cause);
            misfits.push(Misfit { entity: mapping.entity.name.clone(), lacks, cause });
        }
        Ok(misfits)
    }
}

/// DuckDB names a mapping's alias where a person wants the table.
fn with_tables(mapping: &Compiled, cause: &str) -> String {
    let mut cause = cause.to_owned();
    for route in &mapping.routes {
        let alias = format!("Table \"{}\"", route.alias);
        cause = cause.replace(&alias, &format!("table \"{}\" ({})", route.table, route.alias));
    }
    cause
}
