//! What the server's catalog says about a target table, as the session's role sees it.
//!
//! It reads; [`super::table`] judges.

use tokio_postgres::Client;

use super::connect::Address;
use crate::error::Result;

/// A table as it exists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Facts {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// `pg_class.relkind`: `r` a table, `p` a partitioned one, `v` a view, …
    pub kind: String,
    /// The role that looked.
    pub role: String,
    /// That role may name things in the schema.
    pub may_use: bool,
    /// That role may delete rows.
    pub may_delete: bool,
    /// Its columns.
    pub columns: Vec<ColumnFacts>,
    /// Its unique indexes.
    pub uniques: Vec<Unique>,
}

/// A column as it exists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ColumnFacts {
    /// Its name.
    pub name: String,
    /// The type its text is cast to (see `columns.sql`).
    pub cast_to: String,
    /// A type of the string family.
    pub is_text: bool,
    /// NULL is refused.
    pub is_not_null: bool,
    /// Filled by the server when left out.
    pub has_default: bool,
    /// Cannot be written at all.
    pub is_generated: bool,
    /// The role may read it.
    pub may_select: bool,
    /// The role may insert it.
    pub may_insert: bool,
    /// The role may update it.
    pub may_update: bool,
}

/// A unique index as it exists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Unique {
    /// The index, and its constraint if it has one.
    pub name: String,
    /// Its columns in index order, expressions left out.
    pub columns: Vec<String>,
    /// Over whole columns and all rows, valid, not deferrable.
    pub is_plain: bool,
}

/// Reads a table by its configured name, `table` or `schema.table`; `None` if there is none.
pub(super) async fn facts(
    client: &Client,
    address: &Address,
    table: &str,
) -> Result<Option<Facts>> {
    let failed = |error| address.failed(&format!("could not look up table {table}"), &error);
    let sql = include_str!("../../../sql/target/postgres/table.sql");
    let (schema, name) = match table.split_once('.') {
        Some((schema, name)) => (Some(schema), name),
        None => (None, table),
    };
    let Some(row) = client.query_opt(sql, &[&schema, &name]).await.map_err(failed)? else {
        return Ok(None);
    };
    let oid: u32 = row.get("oid");
    let sql = include_str!("../../../sql/target/postgres/columns.sql");
    let columns = client.query(sql, &[&oid]).await.map_err(failed)?;
    let sql = include_str!("../../../sql/target/postgres/unique_indexes.sql");
    let uniques = client.query(sql, &[&oid]).await.map_err(failed)?;
    Ok(Some(Facts {
        schema: row.get("schema"),
        name: row.get("name"),
        kind: row.get("kind"),
        role: row.get("role"),
        may_use: row.get("may_use"),
        may_delete: row.get("may_delete"),
        columns: columns.iter().map(column).collect(),
        uniques: uniques
            .iter()
            .map(|row| Unique {
                name: row.get("name"),
                columns: row.get("columns"),
                is_plain: row.get("is_plain"),
            })
            .collect(),
    }))
}

/// All tables that could be meant, as `schema.table`.
pub(super) async fn table_names(client: &Client, address: &Address) -> Result<Vec<String>> {
    let sql = include_str!("../../../sql/target/postgres/table_names.sql");
    let rows = client.query(sql, &[]).await;
    let rows = rows.map_err(|error| address.failed("could not list the tables", &error))?;
    Ok(rows.iter().map(|row| row.get("name")).collect())
}

fn column(row: &tokio_postgres::Row) -> ColumnFacts {
    ColumnFacts {
        name: row.get("name"),
        cast_to: row.get("cast_to"),
        is_text: row.get("is_text"),
        is_not_null: row.get("is_not_null"),
        has_default: row.get("has_default"),
        is_generated: row.get("is_generated"),
        may_select: row.get("may_select"),
        may_insert: row.get("may_insert"),
        may_update: row.get("may_update"),
    }
}
