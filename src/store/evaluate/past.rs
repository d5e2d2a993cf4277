//! Canonical rows as they were after an earlier event: what a target must have that is there.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::Connection;
use serde_json::Value;

use super::canonical;
use super::sql::quote;
use super::tables::key_text;
use crate::canon::entity::Entity;
use crate::canon::event::Row;
use crate::error::{Error, ErrorKind, Result};
use crate::store::reader::{self, Reader};
use crate::store::refusal::InStore;

/// The rows of one entity as of an event.
#[derive(Debug)]
pub struct Past<'a> {
    connection: &'a Connection,
    entity: &'a Entity,
    /// Keys with later events: what the row was before the first of them.
    later: BTreeMap<String, Option<Row>>,
}

/// Reads rows of an entity as of `event`, in one snapshot; `None` if the store is not as far yet.
///
/// # Errors
/// [`ErrorKind::Store`], or what `read` returns.
pub fn at<T>(
    reader: &Reader,
    entity: &Entity,
    event: u64,
    read: impl FnOnce(&Past<'_>) -> Result<T>,
) -> Result<Option<T>> {
    reader.snapshot(|connection| {
        let is_there = reader::is_ready(connection, &entity.name)?
            && reader::mark(connection)?.event_sequence >= event;
        if !is_there {
            return Ok(None);
        }
        read(&Past::new(connection, entity, event)?).map(Some)
    })
}

impl<'a> Past<'a> {
    fn new(connection: &'a Connection, entity: &'a Entity, event: u64) -> Result<Self> {
        let what = || format!("could not read the later events of {}", entity.name);
        let sql = "SELECT key, arg_min(coalesce(old::VARCHAR, ''), sequence) FROM ops.event
                   WHERE entity = ? AND sequence > ? GROUP BY key";
        let mut statement = connection.prepare(sql).in_store(what)?;
        let rows = statement.query_map(duckdb::params![entity.name, event], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        });
        let mut later = BTreeMap::new();
        for row in rows.in_store(what)? {
            let (key, old) = row.in_store(what)?;
            later.insert(key, parsed(&old)?);
        }
        Ok(Self { connection, entity, later })
    }

    /// About how many rows there are.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn count(&self) -> Result<u64> {
        canonical::count(self.connection, self.entity)
    }

    /// Gives all rows, some at a time, keys in no particular order.
    ///
    /// # Errors
    /// [`ErrorKind::Store`], or what `take` returns.
    pub fn each(
        &self,
        rows_max: usize,
        mut take: impl FnMut(Vec<(String, Row)>) -> Result<()>,
    ) -> Result<()> {
        let mut after: Option<String> = None;
        loop {
            let mut rows =
                canonical::after(self.connection, self.entity, after.as_deref(), rows_max)?;
            let is_last = rows.len() < rows_max;
            after = rows.last().map(|(key, _)| key.clone());
            rows.retain(|(key, _)| !self.later.contains_key(key));
            take(rows)?;
            if is_last {
                break;
            }
        }
        let old = self.later.iter().filter_map(|(key, row)| Some((key.clone(), row.clone()?)));
        take(old.collect())
    }

    /// What a row was before, newest first, at most `count_max` states.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn earlier(&self, key: &str, count_max: usize) -> Result<Vec<Row>> {
        let what = || format!("could not read earlier states of a row of {}", self.entity.name);
        let sql = "SELECT old::VARCHAR FROM ops.event
                   WHERE entity = ? AND key = ? AND old IS NOT NULL
                   ORDER BY sequence DESC LIMIT ?";
        let mut statement = self.connection.prepare(sql).in_store(what)?;
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        let rows = statement
            .query_map(duckdb::params![self.entity.name, key, count_max], |row| {
                row.get::<_, String>(0)
            })
            .in_store(what)?;
        let texts: Vec<String> = rows.collect::<duckdb::Result<_>>().in_store(what)?;
        let states: Result<Vec<Option<Row>>> = texts.iter().map(|old| parsed(old)).collect();
        Ok(states?.into_iter().flatten().collect())
    }

    /// The rows that rows come from, by key: source → alias → row.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn provenance(&self, keys: &BTreeSet<String>) -> Result<BTreeMap<String, Value>> {
        let what = || format!("could not read where rows of {} come from", self.entity.name);
        let mut found: BTreeMap<String, Value> = BTreeMap::new();
        let list: Vec<String> =
            keys.iter().map(|key| format!("'{}'", key.replace('\'', "''"))).collect();
        for (table, source, aliases) in self.contributions()? {
            let cells: Vec<String> = aliases
                .iter()
                .map(|alias| {
                    let name = alias.strip_prefix("_from_").unwrap_or(alias);
                    format!("'{}', CAST({} AS VARCHAR)", name.replace('\'', "''"), quote(alias))
                })
                .collect();
            let sql = format!(
                "SELECT key, json_object({})::VARCHAR FROM (SELECT {} AS key, * FROM contrib.{}) \
                 WHERE key IN ({})",
                cells.join(", "),
                key_text("", self.entity),
                quote(&table),
                list.join(", "),
            );
            let mut statement = self.connection.prepare(&sql).in_store(what)?;
            let rows = statement
                .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
                .in_store(what)?;
            for row in rows {
                let (key, json) = row.in_store(what)?;
                let entry = found.entry(key).or_insert_with(|| Value::Object(Row::new()));
                let json: Value = serde_json::from_str(&json).unwrap_or(Value::Null);
                let of = entry.as_object_mut().and_then(|sources| {
                    let rows = sources.entry(source.clone());
                    rows.or_insert_with(|| Value::Array(Vec::new())).as_array_mut()
                });
                if let Some(rows) = of {
                    rows.push(json);
                }
            }
        }
        Ok(found)
    }

    /// The tables of contributions to the entity: name, source, and the columns of provenance.
    fn contributions(&self) -> Result<Vec<(String, String, Vec<String>)>> {
        let what = || format!("could not list the contributions to {}", self.entity.name);
        let sql = "SELECT table_name, string_agg(column_name, chr(10)) FROM duckdb_columns()
                   WHERE schema_name = 'contrib' AND table_name LIKE '%\\_\\_' || ? ESCAPE '\\'
                   AND column_name LIKE '\\_from\\_%' ESCAPE '\\' GROUP BY table_name ORDER BY 1";
        let mut statement = self.connection.prepare(sql).in_store(what)?;
        let rows = statement
            .query_map([&self.entity.name], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
            })
            .in_store(what)?;
        let mut found = Vec::new();
        for row in rows {
            let (table, columns) = row.in_store(what)?;
            let Some(source) = table.strip_suffix(&format!("__{}", self.entity.name)) else {
                continue;
            };
            let columns = columns.lines().map(str::to_owned).collect();
            found.push((table.clone(), source.to_owned(), columns));
        }
        Ok(found)
    }
}

fn parsed(text: &str) -> Result<Option<Row>> {
    if text.is_empty() {
        return Ok(None);
    }
    serde_json::from_str(text).map(Some).map_err(|cause| {
        Error::new(ErrorKind::Store, "a row in ops.event is not JSON").caused_by(cause)
    })
}
