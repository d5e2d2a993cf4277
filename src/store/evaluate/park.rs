//! Mappings that are left out: named, remembered in `ops.parked`, and let back.
//!
//! ```text
//!            create_tables                        evaluate_all
//!   unfit ──────────────────► waiting ───────────────────────► takes part
//!     ▲  (it fits the mirror)    ▲  ▲ its table is made anew        │
//!     └──────────────────────────┼──┴───────────────────────────────┤
//!                                │ let_back                         │ it fails
//!                                └──────────── failed ◄─────────────┘
//! ```
//! A mapping that is left out stops nothing else. What it contributed before counts on while it is
//! whole ([`Standing::contributes`]); its entity keeps the values of the others.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use duckdb::Connection;

use super::compile::Compiled;
use super::sql::run;
use super::{Evaluator, Parked};
use crate::error::{Error, Result};
use crate::store::refusal::{failed, is_own_fault};

/// Where one mapping stands. What is not `Current` is a row of `ops.parked`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether it takes part, and if not, why.
    pub(super) fitness: Fitness,
    /// Its contributions are those of some full evaluation and have its columns: merges use them.
    pub(super) contributes: bool,
}

/// See the picture above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fitness {
    /// Evaluated with every batch.
    Current,
    /// It fits; the next full evaluation takes it in.
    Waiting,
    /// It does not fit the mirror's tables; why.
    Unfit(String),
    /// It failed while it ran, in this batch; why.
    Failed(String, u64),
}

impl Standing {
    const CURRENT: Self = Self { fitness: Fitness::Current, contributes: true };
    const WAITING: Self = Self { fitness: Fitness::Waiting, contributes: false };
    /// Before the first [`Evaluator::create_tables`].
    pub(super) const UNKNOWN: Self =
        Self { fitness: Fitness::Unfit(String::new()), contributes: false };

    /// From where it stood, now that its table fits the mirror; `rebuilt`: the table is empty.
    pub(super) fn fits(self, rebuilt: bool) -> Self {
        match self.fitness {
            // What made it fail is not mended by a new table.
            Fitness::Failed(..) => Self { contributes: self.contributes && !rebuilt, ..self },
            Fitness::Unfit(_) => Self::WAITING,
            _ if rebuilt => Self::WAITING,
            _ => self,
        }
    }

    /// It does not fit. An error that is no fault of its own is given back.
    pub(super) fn unfit(error: Error) -> Result<Self> {
        if is_own_fault(&error) {
            return Ok(Self { fitness: Fitness::Unfit(error.chain()), contributes: false });
        }
        Err(error)
    }

    /// Its table has its columns.
    pub(super) fn has_table(&self) -> bool {
        !matches!(self.fitness, Fitness::Unfit(_))
    }

    pub(super) fn cause(&self) -> Option<&str> {
        match &self.fitness {
            Fitness::Unfit(cause) | Fitness::Failed(cause, _) => Some(cause),
            Fitness::Current | Fitness::Waiting => None,
        }
    }
}

impl Parked {
    pub(super) fn new(mapping: &Compiled, cause: String) -> Self {
        let (source, entity) = (mapping.source.clone(), mapping.entity.name.clone());
        Self { source, entity, cause }
    }

    fn is_of(&self, mapping: &Compiled) -> bool {
        self.source == mapping.source && self.entity == mapping.entity.name
    }
}

impl Evaluator {
    /// The mapping that made the last call fail by a fault of its own or of its rows, if one did.
    pub fn take_failure(&mut self) -> Option<Parked> {
        self.failed.take()
    }

    /// Leaves this mapping out from `batch` on, durably once the transaction commits.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn park(&mut self, connection: &Connection, parked: Parked, batch: u64) -> Result<()> {
        let number = self.mappings.iter().position(|mapping| parked.is_of(mapping));
        if let Some(standing) = number.and_then(|number| self.standings.get_mut(number)) {
            standing.fitness = Fitness::Failed(parked.cause, batch);
        }
        self.remember(connection)
    }

    /// Lets the mappings of `sources` that failed before `batch` back: they wait for the full evaluation that
    /// must follow. Those that failed in this very batch stay out, so that trying the batch again
    /// comes to an end and a replay leaves out the same.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn let_back(
        &mut self,
        connection: &Connection,
        sources: &[String],
        batch: u64,
    ) -> Result<()> {
        for (mapping, standing) in self.mappings.iter().zip(&mut self.standings) {
            let earlier =
                matches!(standing.fitness, Fitness::Failed(_, failed_in) if failed_in < batch);
            if earlier && sources.contains(&mapping.source) {
                standing.fitness = Fitness::Waiting;
            }
        }
        self.remember(connection)
    }

    /// Mappings that read one of these mirror tables of a source wait for a full evaluation: values in them
    /// are guesses. What they contributed before counts on.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn wait(
        &mut self,
        connection: &Connection,
        guessed: &BTreeMap<String, BTreeSet<String>>,
    ) -> Result<()> {
        for (mapping, standing) in self.mappings.iter().zip(&mut self.standings) {
            let tables = guessed.get(&mapping.source);
            let reads = tables.is_some_and(|tables| !tables.is_disjoint(&mapping.tables));
            if reads && standing.fitness == Fitness::Current {
                standing.fitness = Fitness::Waiting;
            }
        }
        self.remember(connection)
    }

    /// The mappings that a person must mend, or whose tables are not there yet.
    #[must_use]
    pub fn parked(&self) -> Vec<Parked> {
        let of = |(mapping, standing): (&Compiled, &Standing)| {
            Some(Parked::new(mapping, standing.cause()?.to_owned()))
        };
        self.mappings.iter().zip(&self.standings).filter_map(of).collect()
    }

    /// `(source, entity)` of the mappings that need a full evaluation to take part.
    #[must_use]
    pub fn waiting(&self) -> Vec<(&str, &str)> {
        let pairs = self.mappings.iter().zip(&self.standings);
        let waiting = pairs.filter(|(_, standing)| standing.fitness == Fitness::Waiting);
        waiting.map(|(one, _)| (one.source.as_str(), one.entity.name.as_str())).collect()
    }

    /// True if a mapping failed while it ran and was not let back yet.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.standings.iter().any(|standing| matches!(standing.fitness, Fitness::Failed(..)))
    }

    /// The transaction was given up: takes the standings as they were before it.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn recall(&mut self, connection: &Connection) -> Result<()> {
        self.touched.fill(false);
        let mut known = read(connection)?;
        let standing = |mapping: &Compiled| take(&mut known, mapping);
        self.standings = self.mappings.iter().map(standing).collect();
        Ok(())
    }

    /// These were evaluated in full: they take part from now on.
    pub(super) fn evaluated_in_full(
        &mut self,
        connection: &Connection,
        numbers: &[usize],
    ) -> Result<()> {
        let mut was_out = false;
        for number in numbers {
            if let Some(standing) = self.standings.get_mut(*number) {
                was_out |= standing.fitness != Fitness::Current;
                *standing = Standing::CURRENT;
            }
        }
        if was_out { self.remember(connection) } else { Ok(()) }
    }

    /// Writes `ops.parked` anew.
    pub(super) fn remember(&self, connection: &Connection) -> Result<()> {
        run(connection, "DELETE FROM ops.parked", "could not write ops.parked")?;
        for (mapping, standing) in self.mappings.iter().zip(&self.standings) {
            let (state, batch) = match &standing.fitness {
                Fitness::Current => continue,
                Fitness::Waiting => ("waiting", None),
                Fitness::Unfit(_) => ("unfit", None),
                Fitness::Failed(_, batch) => ("failed", Some(*batch)),
            };
            let (source, entity) = (&mapping.source, &mapping.entity.name);
            let (cause, contributes) = (standing.cause(), standing.contributes);
            let values = duckdb::params![source, entity, state, cause, contributes, batch];
            connection
                .execute("INSERT INTO ops.parked VALUES (?, ?, ?, ?, ?, ?)", values)
                .map_err(|error| failed("could not write ops.parked".to_owned(), &error))?;
        }
        Ok(())
    }
}

/// By source and entity, what `ops.parked` holds.
pub(super) type Known = HashMap<(String, String), Standing>;

/// Where a mapping stands by what is known.
pub(super) fn take(known: &mut Known, mapping: &Compiled) -> Standing {
    let name = (mapping.source.clone(), mapping.entity.name.clone());
    known.remove(&name).unwrap_or(Standing::CURRENT)
}

/// What `ops.parked` holds.
pub(super) fn read(connection: &Connection) -> Result<Known> {
    let read = || -> duckdb::Result<Known> {
        let sql = "SELECT source, entity, state, coalesce(cause, ''), contributes, \
                   coalesce(batch, 0) FROM ops.parked";
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let (word, cause): (String, String) = (row.get(2)?, row.get(3)?);
            let state = match word.as_str() {
                "unfit" => Fitness::Unfit(cause),
                "failed" => Fitness::Failed(cause, row.get(5)?),
                _ => Fitness::Waiting,
            };
            Ok(((row.get(0)?, row.get(1)?), Standing { fitness: state, contributes: row.get(4)? }))
        })?;
        rows.collect()
    };
    read().map_err(|error| failed("could not read ops.parked".to_owned(), &error))
}
