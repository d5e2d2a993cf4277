//! Holds the stored results against a full evaluation: incremental must equal full.
//!
//! Used by `mapping test` after every batch of its fuzz; it changes nothing that is stored.

use duckdb::Connection;

use super::compile::{Compiled, unit_column};
use super::merge::Merge;
use super::park::Fitness;
use super::sql::{fill, list};
use super::{Evaluator, Moment, read, tables};
use crate::error::Result;

/// Stored rows that a full evaluation would not give, or the reverse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// `contrib.<source>__<entity>` or `canon.<entity>`.
    pub table: String,
    /// Some of the units (contributions) or keys (canonical rows) that differ.
    pub keys: Vec<String>,
}

impl Evaluator {
    /// Compares everything stored with a full evaluation at `moment`. Units that are due must have
    /// been evaluated before. Uses the evaluation's temp tables: never between `touch_before` and
    /// `evaluate`.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn verify(&self, connection: &Connection, moment: Moment) -> Result<Vec<Mismatch>> {
        self.verify_some(connection, moment, &|_| true)
    }

    /// Compares what is stored of one entity with a full evaluation, on a snapshot of a live store
    /// that `connection` has open. `None` if it cannot be compared: no source of it is copied, no
    /// mapping of it takes part, or a unit of it is due and not evaluated
    /// yet.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn verify_entity(
        &mut self,
        connection: &Connection,
        entity: &str,
    ) -> Result<Option<Vec<Mismatch>>> {
        self.recall(connection)?;
        let sql = include_str!("../../../sql/store/evaluate/as_of.sql");
        let as_of = read::number(connection, sql, "could not read the time of the store")?;
        let Some(as_of_micros) = as_of else { return Ok(None) };
        let ready = include_str!("../../../sql/store/evaluate/ready_sources.sql");
        let ready = read::texts(connection, ready, "could not read which sources are ready")?;
        let wanted =
            |mapping: &Compiled| mapping.entity.name == entity && ready.contains(&mapping.source);
        let takes_part = self
            .numbers(|mapping, standing| standing.fitness == Fitness::Current && wanted(mapping));
        let is_due = self.next_due_of(connection, &wanted)?.is_some_and(|due| due <= as_of_micros);
        if takes_part.is_empty() || is_due {
            return Ok(None);
        }
        for merge in self.merges.iter().filter(|merge| merge.entity.name == entity) {
            tables::create_entity_temps(connection, merge)?;
        }
        let moment = Moment { as_of_micros, batch: 0 };
        self.verify_some(connection, moment, &wanted).map(Some)
    }

    /// As [`Self::verify`], only for mappings that read one of `tables` or the time: no others can
    /// have changed.
    pub(in crate::store) fn verify_readers(
        &self,
        connection: &Connection,
        moment: Moment,
        tables: &[&str],
    ) -> Result<Vec<Mismatch>> {
        self.verify_some(connection, moment, &|mapping| {
            let reads = |name: &String| tables.iter().any(|table| name.eq_ignore_ascii_case(table));
            mapping.next_at || mapping.tables.iter().any(reads)
        })
    }

    fn verify_some(
        &self,
        connection: &Connection,
        moment: Moment,
        wanted: &dyn Fn(&Compiled) -> bool,
    ) -> Result<Vec<Mismatch>> {
        let mut mismatches = Vec::new();
        let numbers = self
            .numbers(|mapping, standing| standing.fitness == Fitness::Current && wanted(mapping));
        for mapping in numbers.iter().filter_map(|number| self.mappings.get(*number)) {
            let units = list("", mapping.units.iter().map(unit_column));
            let select = mapping.select(&mapping.driver_table, moment.as_of_micros);
            let sql = fill(
                include_str!("../../../sql/store/evaluate/verify.sql"),
                &[
                    ("select", &select),
                    ("columns", &list("", mapping.columns())),
                    ("contrib", &mapping.contrib()),
                    ("units", &units),
                ],
            );
            let what = format!("could not verify {}", mapping.contrib_name());
            let keys = read::texts(connection, &sql, &what)?;
            if !keys.is_empty() {
                let table = format!("contrib.{}", mapping.contrib_name());
                mismatches.push(Mismatch { table, keys });
            }
        }
        let of = |merge: &&Merge| merge.parts.iter().any(|part| numbers.contains(part));
        for merge in self.merges.iter().filter(of) {
            let differences = merge.verify(connection, &self.parts(merge, &[]), moment)?;
            if !differences.is_empty() {
                let keys = differences.into_iter().map(|one| one.key).take(10).collect();
                mismatches.push(Mismatch { table: format!("canon.{}", merge.entity.name), keys });
            }
        }
        Ok(mismatches)
    }
}
