//! Reads current canonical rows: for baselines, and for who wants to know a key's state.

use duckdb::Connection;

use super::read;
use super::sql::quote;
use super::tables::key_text;
use crate::canon::entity::Entity;
use crate::canon::event::Row;
use crate::error::Result;

/// Rows of `entity` in key order after the key `after`, at most `rows_max`.
///
/// # Errors
/// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
pub fn after(
    connection: &Connection,
    entity: &Entity,
    after: Option<&str>,
    rows_max: usize,
) -> Result<Vec<(String, Row)>> {
    let condition = after.map_or_else(String::new, |key| format!("WHERE key > {}", literal(key)));
    let tail = format!("{condition} ORDER BY key LIMIT {rows_max}");
    read::rows(connection, &select(entity, &tail), entity)
}

/// Rows of `entity` with these keys; keys without a row are left out.
///
/// # Errors
/// As [`after`].
pub fn of_keys(
    connection: &Connection,
    entity: &Entity,
    keys: &[String],
) -> Result<Vec<(String, Row)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<String> = keys.iter().map(|key| literal(key)).collect();
    let tail = format!("WHERE key IN ({}) ORDER BY key", keys.join(", "));
    read::rows(connection, &select(entity, &tail), entity)
}

fn select(entity: &Entity, tail: &str) -> String {
    let cells: Vec<String> = entity
        .attributes
        .iter()
        .map(|attribute| format!("CAST({} AS VARCHAR)", quote(&attribute.name)))
        .collect();
    let names: Vec<String> =
        entity.attributes.iter().map(|attribute| quote(&attribute.name)).collect();
    format!(
        "SELECT key, {} FROM (SELECT {} AS key, {} FROM canon.{}) {tail}",
        cells.join(", "),
        key_text("", entity),
        names.join(", "),
        quote(&entity.name)
    )
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
