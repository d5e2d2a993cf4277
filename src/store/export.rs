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
    /// entity that is ready.
    #[must_use]
    pub fn parts(&self, after: u64) -> Vec<Part> {
        let upto = self.mark.batch.to_string();
        let fill = |sql: &str, entity: &str| {
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
