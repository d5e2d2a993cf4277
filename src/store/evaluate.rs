//! Turns mirror changes into canonical differences, incrementally and equal to full evaluation.
//!
//! Everything runs on the one writer connection, inside the transaction of the conform loop, which
//! brings the mirror up to date between [`Evaluator::touch_before`] and
//! [`Evaluator::touch_after`]. No events, no outbox, no commit are made here.
//!
//! ```text
//!  deltas ──► touch_before ──► (mirror changes) ──► touch_after ──► evaluate
//!               units by images,                     units on the     driver filtered to the
//!               stored provenance,                   new state        units → contrib → merge
//!               routes on the old state                               by owner → canon, history
//! ```

use std::collections::{BTreeMap, BTreeSet};

use duckdb::Connection;

use crate::canon::event::{EventOp, Row};
use crate::canon::mapping::MappingSet;
use crate::error::{Error, ErrorKind, Result};

/// The changed rows of one mirror table in one batch, as two temp tables with the mirror's columns
/// plus `_time BIGINT` (source commit, microseconds since 1970-01-01 UTC). At most one row per key
/// in each; a key that moved has its old row in `before` and its new one in `after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The source.
    pub source: String,
    /// The mirror table, as named inside the source's schema.
    pub table: String,
    /// Temp table of the rows as they were.
    pub before: String,
    /// Temp table of the rows as they are after the batch.
    pub after: String,
}

/// When an evaluation happens. Kept by the ledger, so that a replay uses the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// `$as_of`, microseconds since 1970-01-01 UTC.
    pub as_of_micros: i64,
    /// The batch, for the history.
    pub batch: u64,
}

/// One canonical row that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The canonical entity.
    pub entity: String,
    /// The canonical key as text; parts of a composite key joined by `|`.
    pub key: String,
    /// What happened.
    pub op: EventOp,
    /// The row before; `None` if the key is new.
    pub old: Option<Row>,
    /// The row now; `None` if the key is gone.
    pub new: Option<Row>,
    /// The newest source commit that went into it, microseconds since 1970-01-01 UTC; `$as_of` for
    /// differences that time made.
    pub time_micros: i64,
}

/// Several source rows of one mapping claim one canonical key; the first by unit counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conflict {
    /// The canonical entity.
    pub entity: String,
    /// The source whose rows collide.
    pub source: String,
    /// The key as text.
    pub key: String,
}

/// What an evaluation found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluated {
    /// Referenced entities first, deletes last in reverse, then by key.
    pub differences: Vec<Difference>,
    /// Among the keys that were evaluated.
    pub conflicts: Vec<Conflict>,
}

/// A mapping that is not evaluated until it is mended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The source.
    pub source: String,
    /// The entity it contributes to.
    pub entity: String,
    /// Why, for people.
    pub cause: String,
}

/// What [`Evaluator::create_tables`] did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Created {
    /// `(source, entity)` whose contributions are new or had to be made anew: evaluate their
    /// source with [`Evaluator::evaluate_all`].
    pub rebuilt: Vec<(String, String)>,
}

/// The compiled mapping set.
pub struct Evaluator {}

impl Evaluator {
    /// Judges every mapping by its syntax. `schemas`: source → schema of its mirror in the store.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: the first mapping that cannot be evaluated incrementally, with the
    /// construct and the remedy.
    pub fn new(_set: &MappingSet, _schemas: &BTreeMap<String, String>) -> Result<Self> {
        Ok(Self {})
    }

    /// Mirror tables that the mappings of `source` read.
    #[must_use]
    pub fn tables(&self, _source: &str) -> BTreeSet<String> {
        BTreeSet::new()
    }

    /// Makes or adapts `contrib`, `canon` and history tables and the views over them, and prepares
    /// `connection` (temp tables). Call once per connection, and again after the mirror's columns
    /// changed; never within a batch. A mapping whose tables or columns are missing is parked.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn create_tables(&mut self, _connection: &Connection) -> Result<Created> {
        Ok(Created::default())
    }

    /// First half of finding touched units; the mirror is still in its old state.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn touch_before(&mut self, _connection: &Connection, _deltas: &[Delta]) -> Result<()> {
        Ok(())
    }

    /// Second half; the mirror is in its new state.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn touch_after(&mut self, _connection: &Connection, _deltas: &[Delta]) -> Result<()> {
        Ok(())
    }

    /// Evaluates the touched units, writes `contrib`, `canon` and history, and forgets the units.
    ///
    /// # Errors
    /// [`ErrorKind::Store`]. DuckDB has then given up the transaction. If
    /// [`Self::take_failure`] names a mapping: roll back, [`Self::park`] it, and run the same batch
    /// again without it.
    pub fn evaluate(&mut self, _connection: &Connection, _moment: Moment) -> Result<Evaluated> {
        Ok(Evaluated::default())
    }

    /// As [`Self::evaluate`], for the units that are due because time has passed.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_due(&mut self, _connection: &Connection, _moment: Moment) -> Result<Evaluated> {
        Ok(Evaluated::default())
    }

    /// Evaluates every mapping of `source` fully and compares with what is there.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_all(
        &mut self,
        _connection: &Connection,
        _source: &str,
        _moment: Moment,
    ) -> Result<Evaluated> {
        Ok(Evaluated::default())
    }

    /// When the next unit is due, microseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn next_due(&self, _connection: &Connection) -> Result<Option<i64>> {
        Ok(None)
    }

    /// The mapping that made the last call fail, if it was one.
    pub fn take_failure(&mut self) -> Option<Parked> {
        None
    }

    /// Leaves this mapping out from now on, durably (`ops.parked`) once the transaction commits.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn park(&mut self, _connection: &Connection, _parked: Parked) -> Result<()> {
        Err(Error::new(ErrorKind::Bug, "evaluation is not built yet"))
    }

    /// What is parked.
    #[must_use]
    pub fn parked(&self) -> &[Parked] {
        &[]
    }
}
