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

pub mod canonical;
mod compile;
mod contribute;
mod exact;
mod fit;
mod merge;
mod park;
pub mod past;
mod read;
mod sql;
mod tables;
mod touch;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

use duckdb::Connection;

use self::compile::Compiled;
use self::contribute::{Contribute, Scope};
use self::merge::{Merge, Parts};
use self::park::{Fitness, Standing};
use self::touch::State;
use crate::canon::Entity;
use crate::canon::event::{EventOp, Row};
use crate::canon::mapping::MappingSet;
use crate::error::{Error, ErrorKind, Result};
use crate::store::refusal::{failed, is_own_fault};

pub use self::fit::Misfit;
pub use self::verify::Mismatch;

pub(in crate::store) use self::compile::{Functions, parse_select, unparse};
pub(in crate::store) use self::sql::{literal, quote};
pub(in crate::store) use self::tables::{key_text, use_utc};

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

/// The compiled mapping set. Holds no data; what it collects lives in temp tables of the
/// connection and vanishes with a rollback.
#[derive(Debug)]
pub struct Evaluator {
    mappings: Vec<Compiled>,
    merges: Vec<Merge>,
    /// By mapping: whether it takes part.
    standings: Vec<Standing>,
    /// By mapping: rows were collected in this batch.
    touched: Vec<bool>,
    failed: Option<Parked>,
}

impl Evaluator {
    /// Judges every mapping by its syntax. `schemas`: source → schema of its mirror in the store;
    /// a source that is not named has its own name as schema.
    ///
    /// # Errors
    /// [`ErrorKind::Config`]: the first mapping that cannot be evaluated incrementally, with the
    /// construct and the remedy.
    pub fn new(set: &MappingSet, schemas: &BTreeMap<String, String>) -> Result<Self> {
        let parser = Connection::open_in_memory()
            .map_err(|error| failed("could not start DuckDB".to_owned(), &error))?;
        let functions = Functions::known(&parser)?;
        let mut mappings = Vec::new();
        for one in set.contributions() {
            let entity = set.entities().get(&one.mapping.entity);
            let entity = entity.ok_or_else(|| bug(&one.mapping.entity))?;
            let schema = schemas.get(&one.source).unwrap_or(&one.source);
            mappings.push(Compiled::new(&parser, one, entity, schema, functions)?);
        }
        let mut merges = Vec::new();
        for (number, entity) in set.contributed().enumerate() {
            let owner = set.owner(&entity.name).ok_or_else(|| bug(&entity.name))?.clone();
            let contributes = |(_, mapping): &(usize, &Compiled)| mapping.entity == *entity;
            let parts = mappings.iter().enumerate().filter(contributes);
            let parts = parts.map(|(place, _)| place).collect();
            merges.push(Merge { number, entity: entity.clone(), owner, parts });
        }
        // Before the tables are looked at, nothing fits.
        let standings = mappings.iter().map(|_| Standing::UNKNOWN).collect();
        let touched = vec![false; mappings.len()];
        Ok(Self { mappings, merges, standings, touched, failed: None })
    }

    /// Mirror tables that the mappings of `source` read, by their names in the mirror.
    #[must_use]
    pub fn tables(&self, source: &str) -> BTreeSet<String> {
        let own = self.mappings.iter().filter(|mapping| mapping.source == source);
        own.flat_map(|mapping| mapping.tables.iter().cloned()).collect()
    }

    /// The entities that the mappings make, referenced ones first.
    pub fn entities(&self) -> impl Iterator<Item = &Entity> {
        self.merges.iter().map(|merge| &merge.entity)
    }

    /// Makes or adapts `contrib`, `canon` and history tables and the views over them, and prepares
    /// `connection` (temp tables). Call once per connection, and again after the mirror's tables
    /// or columns changed, in a transaction of its own. A mapping whose tables or columns are
    /// missing is parked until a later call finds them; [`Self::waiting`] then names it, as it
    /// names those whose contributions are new or had to be made anew.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn create_tables(&mut self, connection: &Connection) -> Result<()> {
        tables::use_utc(connection)?;
        tables::create_base(connection)?;
        let mut known = park::read(connection)?;
        let mut standings = Vec::with_capacity(self.mappings.len());
        for (number, mapping) in self.mappings.iter().enumerate() {
            let standing = park::take(&mut known, mapping);
            let standing = match tables::create_contrib(connection, mapping) {
                Ok(rebuilt) => standing.fits(rebuilt),
                Err(error) => Standing::unfit(error)?,
            };
            if standing.has_table() {
                tables::create_mapping_temps(connection, mapping, number)?;
            }
            standings.push(standing);
        }
        self.standings = standings;
        self.remember(connection)?;
        for merge in &self.merges {
            tables::create_canon(connection, &merge.entity)?;
            tables::create_entity_temps(connection, merge)?;
        }
        let has_table = |number: usize| self.standings.get(number).is_some_and(Standing::has_table);
        tables::create_views(connection, &self.merges, &self.mappings, &has_table)
    }

    /// First half of finding touched units; the mirror is still in its old state.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn touch_before(&mut self, connection: &Connection, deltas: &[Delta]) -> Result<()> {
        self.touch(connection, deltas, State::Old)
    }

    /// Second half; the mirror is in its new state.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn touch_after(&mut self, connection: &Connection, deltas: &[Delta]) -> Result<()> {
        self.touch(connection, deltas, State::New)
    }

    /// Evaluates the touched units, writes `contrib`, `canon` and history, and forgets the units.
    ///
    /// # Errors
    /// [`ErrorKind::Store`]. DuckDB has then given up the transaction. If
    /// [`Self::take_failure`] names a mapping: roll back, [`Self::park`] it in the new transaction,
    /// and run the same batch again without it.
    pub fn evaluate(&mut self, connection: &Connection, moment: Moment) -> Result<Evaluated> {
        let mut numbers = self.taking_part();
        numbers.retain(|number| self.touched.get(*number) == Some(&true));
        self.evaluate_mappings(connection, moment, &numbers, Scope::Touched)
    }

    /// As [`Self::evaluate`], for the units that are due because time has passed.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_due(&mut self, connection: &Connection, moment: Moment) -> Result<Evaluated> {
        for number in self.taking_part() {
            let Some(mapping) = self.mappings.get(number).filter(|mapping| mapping.next_at) else {
                continue;
            };
            let units = sql::list("", mapping.units.iter().map(compile::unit_column));
            let as_of = moment.as_of_micros;
            let sql = format!(
                "INSERT INTO {} SELECT DISTINCT {units}, {as_of} FROM {} \
                 WHERE _next_at <= make_timestamp({as_of})",
                tables::temp("touched", number),
                mapping.contrib()
            );
            let what = format!("could not find the due units of {}", mapping.contrib_name());
            let count = sql::run(connection, &sql, &what);
            let count = self.blame(number, count)?;
            self.mark(number, count > 0);
        }
        self.evaluate(connection, moment)
    }

    /// Evaluates every mapping of `sources` fully and compares with what is there; also compares
    /// all canonical rows of their entities. For the end of a first copy and for a new mapping
    /// set. All sources at once: an entity is compared when each of its sources has spoken.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_all(
        &mut self,
        connection: &Connection,
        sources: &[String],
        moment: Moment,
    ) -> Result<Evaluated> {
        let fit = [Fitness::Current, Fitness::Waiting];
        self.evaluate_in_full(connection, sources, moment, &fit)
    }

    /// As [`Self::evaluate_all`], only for the mappings that wait for it.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_waiting(
        &mut self,
        connection: &Connection,
        sources: &[String],
        moment: Moment,
    ) -> Result<Evaluated> {
        self.evaluate_in_full(connection, sources, moment, &[Fitness::Waiting])
    }

    fn evaluate_in_full(
        &mut self,
        connection: &Connection,
        sources: &[String],
        moment: Moment,
        fit: &[Fitness],
    ) -> Result<Evaluated> {
        let numbers = self.numbers(|mapping, standing| {
            sources.contains(&mapping.source) && fit.contains(&standing.fitness)
        });
        let evaluated = self.evaluate_mappings(connection, moment, &numbers, Scope::All)?;
        self.evaluated_in_full(connection, &numbers)?;
        Ok(evaluated)
    }

    /// When the next unit is due, microseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn next_due(&self, connection: &Connection) -> Result<Option<i64>> {
        self.next_due_of(connection, &|_| true)
    }

    /// The same, of those mappings only.
    fn next_due_of(
        &self,
        connection: &Connection,
        wanted: &dyn Fn(&Compiled) -> bool,
    ) -> Result<Option<i64>> {
        let mut parts = Vec::new();
        for number in self.taking_part() {
            let mapping = self.mappings.get(number);
            if let Some(mapping) = mapping.filter(|mapping| mapping.next_at && wanted(mapping)) {
                parts.push(format!("SELECT min(_next_at) AS due FROM {}", mapping.contrib()));
            }
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let sql = format!("SELECT epoch_us(min(due)) FROM ({})", parts.join(" UNION ALL "));
        read::number(connection, &sql, "could not find when the next unit is due")
    }

    fn touch(&mut self, connection: &Connection, deltas: &[Delta], state: State) -> Result<()> {
        self.failed = None;
        for number in self.taking_part() {
            let Some(mapping) = self.mappings.get(number) else { continue };
            let count = touch::touch(connection, mapping, number, deltas, state);
            let count = self.blame(number, count)?;
            self.mark(number, count > 0);
        }
        Ok(())
    }

    fn mark(&mut self, number: usize, found: bool) {
        if let Some(touched) = self.touched.get_mut(number) {
            *touched |= found;
        }
    }

    /// Notes whose fault an error is. Only a mapping's own fault, or its rows', is one of its own:
    /// a full disk is nobody's, and leaving the mapping out would not mend it.
    fn blame<T>(&mut self, number: usize, result: Result<T>) -> Result<T> {
        if let (Err(error), Some(mapping)) = (&result, self.mappings.get(number))
            && is_own_fault(error)
        {
            self.failed = Some(Parked::new(mapping, error.chain()));
        }
        result
    }

    /// Mappings that are evaluated with every batch.
    fn taking_part(&self) -> Vec<usize> {
        self.numbers(|_, standing| standing.fitness == Fitness::Current)
    }

    fn numbers(&self, test: impl Fn(&Compiled, &Standing) -> bool) -> Vec<usize> {
        let pairs = self.mappings.iter().zip(&self.standings).enumerate();
        pairs.filter(|(_, (mapping, standing))| test(mapping, standing)).map(|(n, _)| n).collect()
    }

    /// The contributions to one entity, when those of `fresh` were just made whole.
    fn parts(&self, merge: &Merge, fresh: &[usize]) -> Parts<'_> {
        let mut parts = Parts::default();
        for number in &merge.parts {
            let Some(mapping) = self.mappings.get(*number) else { continue };
            let whole = self.standings.get(*number).is_some_and(|standing| standing.contributes);
            if whole || fresh.contains(number) {
                parts.contributing.push(mapping);
            } else {
                parts.left_out.push(&mapping.source);
            }
        }
        parts
    }

    fn evaluate_mappings(
        &mut self,
        connection: &Connection,
        moment: Moment,
        numbers: &[usize],
        scope: Scope,
    ) -> Result<Evaluated> {
        self.failed = None;
        let mut evaluated = Evaluated::default();
        for merge in &self.merges {
            match self.evaluate_entity(connection, moment, merge, numbers, scope) {
                Ok(mut of_entity) => {
                    evaluated.differences.append(&mut of_entity.differences);
                    evaluated.conflicts.append(&mut of_entity.conflicts);
                }
                Err((Some(number), error)) => return self.blame(number, Err(error)),
                Err((None, error)) => return Err(error),
            }
        }
        for number in numbers {
            if let Some(touched) = self.touched.get_mut(*number) {
                *touched = false;
            }
        }
        in_order(&mut evaluated.differences, &self.merges);
        evaluated.conflicts.sort_unstable();
        Ok(evaluated)
    }

    /// The error says which mapping it is to be blamed on, if any.
    fn evaluate_entity(
        &self,
        connection: &Connection,
        moment: Moment,
        merge: &Merge,
        numbers: &[usize],
        scope: Scope,
    ) -> Result<Evaluated, (Option<usize>, Error)> {
        let at_work = merge.parts.iter().copied().filter(|part| numbers.contains(part));
        let contributes: Vec<Contribute<'_>> = at_work
            .filter_map(|number| {
                let mapping = self.mappings.get(number)?;
                Some(Contribute { connection, mapping, number, merge, moment, scope })
            })
            .collect();
        let mut moved = 0;
        for contribute in &contributes {
            moved += contribute.run().map_err(|error| (Some(contribute.number), error))?;
        }
        let mut evaluated = Evaluated::default();
        if moved > 0 || scope == Scope::All && !contributes.is_empty() {
            let fresh = if scope == Scope::All { numbers } else { &[] };
            let parts = self.parts(merge, fresh);
            let whole = |error| (None, error);
            if scope == Scope::All {
                merge.note_all(connection, &parts, moment).map_err(whole)?;
            }
            evaluated.differences = merge.run(connection, &parts, moment).map_err(whole)?;
            for contribute in &contributes {
                evaluated.conflicts.append(&mut contribute.conflicts().map_err(whole)?);
            }
            merge.forget(connection).map_err(whole)?;
        }
        for contribute in &contributes {
            contribute.forget().map_err(|error| (None, error))?;
        }
        Ok(evaluated)
    }
}

/// Referenced entities first, deletes last in reverse, then by key: what a target can apply in
/// order, and the same on every run.
fn in_order(differences: &mut [Difference], merges: &[Merge]) {
    let rank = |entity: &str| merges.iter().position(|merge| merge.entity.name == entity);
    differences.sort_by_cached_key(|difference| {
        let rank = rank(&difference.entity).unwrap_or_default();
        let deleted = difference.op == EventOp::Deleted;
        let rank = if deleted { merges.len() - rank } else { rank };
        (deleted, rank, difference.key.clone())
    });
}

fn bug(entity: &str) -> Error {
    Error::new(ErrorKind::Bug, format!("entity `{entity}` of a mapping set is not in the set"))
}
