//! Mappings that cannot be evaluated: named, left out, and remembered in `ops.parked`.
//!
//! A mapping that fails parks its own contributions only; everything else goes on. Mending it is a
//! person's work; coming back is a full evaluation.

use duckdb::Connection;

use super::compile::Compiled;
use super::sql::{failed, run};
use super::{Evaluator, Parked};
use crate::error::{Error, Result};

impl Parked {
    pub(super) fn new(mapping: &Compiled, error: &Error) -> Self {
        let (source, entity) = (mapping.source.clone(), mapping.entity.name.clone());
        Self { source, entity, cause: error.chain() }
    }

    pub(super) fn is_of(&self, mapping: &Compiled) -> bool {
        self.source == mapping.source && self.entity == mapping.entity.name
    }
}

impl Evaluator {
    /// The mapping that made the last call fail, if it was one.
    pub fn take_failure(&mut self) -> Option<Parked> {
        self.failed.take()
    }

    /// Leaves this mapping out from now on, durably (`ops.parked`) once the transaction commits.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn park(&mut self, connection: &Connection, parked: Parked) -> Result<()> {
        insert(connection, &parked, true)?;
        self.parked.push(parked);
        Ok(())
    }

    /// Lets the parked mappings of `source` take part again; follow with
    /// [`Self::evaluate_all`], which finds what they missed.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn unpark(&mut self, connection: &Connection, source: &str) -> Result<()> {
        connection
            .execute("DELETE FROM ops.parked WHERE source = ?", [source])
            .map_err(|error| failed("could not write ops.parked".to_owned(), &error))?;
        self.parked.retain(|parked| parked.source != source);
        Ok(())
    }

    /// What is parked.
    #[must_use]
    pub fn parked(&self) -> &[Parked] {
        &self.parked
    }
}

/// What `ops.parked` holds; true for mappings that failed while they ran.
pub(super) fn read(connection: &Connection) -> Result<Vec<(Parked, bool)>> {
    let read = || -> duckdb::Result<Vec<(Parked, bool)>> {
        let sql = "SELECT source, entity, cause, compiled FROM ops.parked ORDER BY ALL";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let parked = Parked { source: row.get(0)?, entity: row.get(1)?, cause: row.get(2)? };
            Ok((parked, row.get(3)?))
        })?;
        rows.collect()
    };
    read().map_err(|error| failed("could not read ops.parked".to_owned(), &error))
}

/// Replaces what `ops.parked` holds.
pub(super) fn write(
    connection: &Connection,
    parked: &[Parked],
    ran: impl Fn(&Parked) -> bool,
) -> Result<()> {
    run(connection, "DELETE FROM ops.parked", "could not write ops.parked")?;
    parked.iter().try_for_each(|parked| insert(connection, parked, ran(parked)))
}

fn insert(connection: &Connection, parked: &Parked, ran: bool) -> Result<()> {
    let values = duckdb::params![parked.source, parked.entity, parked.cause, ran];
    connection
        .execute("INSERT INTO ops.parked VALUES (?, ?, ?, ?)", values)
        .map(|_| ())
        .map_err(|error| failed("could not write ops.parked".to_owned(), &error))
}
