//! Reads what the archive keeps, as Arrow: events, history and canonical rows up to the mark.
//!
//! It writes no file: nothing inside the store may reach one.

use std::collections::BTreeSet;

use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use duckdb::Connection;

use super::Mark;
use super::evaluate::quote;
use super::reader;
use crate::error::Result;
use crate::store::refusal::InStore;

/// What a table of the archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The event log of the sealed batches.
    Event,
    /// What the sealed batches appended to an entity's history.
    History,
    /// An entity's rows after the last of them.
    Canon,
}

/// A table to be archived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it holds.
    pub kind: Kind,
    /// Of which entity; empty for events.
    pub entity: String,
    sql: String,
}

/// The store at one moment.
#[derive(Debug)]
pub struct Export<'a> {
    connection: &'a Connection,
    /// How far it is.
    pub mark: Mark,
    /// Entities whose differences are events: the others are being copied.
    pub ready: BTreeSet<String>,
}

impl<'a> Export<'a> {
    /// Looks at the snapshot of `connection`.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn of(connection: &'a Connection) -> Result<Self> {
        let mark = reader::mark(connection)?;
        let ready = reader::ready_entities(connection)?;
        Ok(Self { connection, mark, ready })
    }

    /// What is to be archived of the batches after `after`: events, and history and rows of every
    /// entity that is ready. Of an entity that is not among the `known` ones, which were archived
    /// before, the whole history: it began before the entity was ready.
    #[must_use]
    pub fn parts(&self, after: u64, known: &[String]) -> Vec<Part> {
        let upto = self.mark.batch.to_string();
        let fill = |sql: &str, entity: &str| {
            let is_known = entity.is_empty() || known.iter().any(|name| name == entity);
            let after = if is_known { after } else { 0 };
            sql.replace("{after}", &after.to_string())
                .replace("{upto}", &upto)
                .replace("{entity}", &quote(entity))
                .replace("{history}", &quote(&format!("{entity}_history")))
        };
        let part = |kind, entity: &str, sql: &str| {
            let sql = fill(sql, entity);
            Part { kind, entity: entity.to_owned(), sql }
        };
        let mut parts =
            vec![part(Kind::Event, "", include_str!("../../sql/store/archive/event.sql"))];
        for entity in &self.ready {
            let history = include_str!("../../sql/store/archive/history.sql");
            parts.push(part(Kind::History, entity, history));
            parts.push(part(
                Kind::Canon,
                entity,
                include_str!("../../sql/store/archive/canon.sql"),
            ));
        }
        parts
    }

    /// Reads a part, piece by piece, so that its size does not matter: first its columns, then its
    /// rows.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store), or what `take` returns.
    pub fn read<T>(
        &self,
        part: &Part,
        open: impl FnOnce(SchemaRef) -> Result<T>,
        mut take: impl FnMut(&mut T, &RecordBatch) -> Result<()>,
    ) -> Result<T> {
        let what = || format!("could not read {:?} {} for the archive", part.kind, part.entity);
        let mut statement = self.connection.prepare(&part.sql).in_store(what)?;
        let schema = statement.stream_arrow([]).in_store(what)?.get_schema();
        let mut sink = open(schema)?;
        // Not by the iterator, which panics where this fails.
        while let Some(rows) = statement.step().in_store(what)? {
            take(&mut sink, &RecordBatch::from(rows))?;
        }
        Ok(sink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Live, Store, StoreLimits};

    /// Entities whose sources are several write history before the last of them is copied.
    #[test]
    fn the_history_of_an_entity_that_is_new_in_the_archive_comes_whole() {
        let folder = tempfile::tempdir().unwrap();
        let limits = StoreLimits { memory_bytes: 64 << 20, threads: 1 };
        let store = Store::open(folder.path(), limits, &Live::default()).unwrap();
        let connection = store.connection();
        connection
            .execute_batch(
                "CREATE SCHEMA canon;
                 CREATE TABLE canon.worker AS SELECT 'W' AS no;
                 CREATE TABLE canon.worker_history AS
                 SELECT 'W' AS no, unnest([3, 5, 8]) AS _batch;
                 INSERT INTO ops.entity_ready VALUES ('worker');
                 INSERT INTO ops.mark VALUES (8, 80, 0, now()::TIMESTAMP);",
            )
            .unwrap();
        let export = Export::of(connection).unwrap();
        let history = |after: u64, known: &[String]| {
            let parts = export.parts(after, known);
            let part = parts.iter().find(|part| part.kind == Kind::History).unwrap();
            let count = |count: &mut usize, rows: &RecordBatch| {
                *count += rows.num_rows();
                Ok(())
            };
            export.read(part, |_| Ok(0), count).unwrap()
        };
        assert_eq!(history(5, &["worker".to_owned()]), 1);
        assert_eq!(history(5, &["client".to_owned()]), 3);
    }
}
