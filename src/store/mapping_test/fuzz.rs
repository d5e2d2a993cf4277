//! Random changes on a fixture, batch by batch, each evaluated incrementally and held against a
//! full evaluation.
//!
//! Deterministic: the same seed on the same fixture makes the same changes.

use std::collections::BTreeMap;

use duckdb::Connection;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::fixture::{Column, ORIGINAL, Table};
use super::{Failure, Report, execute};
use crate::canon::event::Row;
use crate::error::Result;
use crate::store::evaluate::{Delta, Difference, Evaluator, Moment, literal, quote};
use crate::store::refusal::failed;

/// The schema of the tables as they will be after the batch.
const NEXT: &str = "fixture_next";
/// A batch's commit time is its number of seconds after the fixture's moment.
const SECOND_MICROS: i64 = 1_000_000;
const DAY_MICROS: i64 = 86_400 * SECOND_MICROS;
/// The chance of a batch to come some days after the one before it, so that ticks happen.
const LATER: f64 = 0.3;
/// Longer than a month, so that month ends and rate changes are passed.
const DAYS_MAX: i64 = 40;

/// The chance of NULL where NULL is allowed: more of it, and most joins find nothing.
const NULLS: f64 = 0.08;
/// The chance that a value may also be any table's key: columns that refer to few rows in the
/// fixture get to refer to others.
const REFERENCES: f64 = 0.4;
/// The chance that a lost row of the fixture comes back: without it the tables run empty and the
/// fuzz tests nothing.
const RESTORED: f64 = 0.6;
/// New numeric keys are below this: few enough that dangling references are sometimes met again.
const KEYS: u32 = 120;

/// A row's key: one SQL value per key column.
type Key = Vec<String>;

/// Runs the batches of `report`'s seed; `first` are the rows of the full evaluation.
pub(super) fn fuzz(
    connection: &Connection,
    evaluator: &mut Evaluator,
    tables: &[Table],
    start: Moment,
    first: Vec<Difference>,
    batches: u32,
    report: &mut Report,
) -> Result<()> {
    let random = StdRng::seed_from_u64(report.seed);
    let mut fuzz =
        Fuzz { connection, tables, source: report.pack.clone(), random, shadow: BTreeMap::new() };
    fuzz.apply(first);
    fuzz.prepare()?;
    let mut moment = start;
    for batch in 1..=batches {
        if fuzz.random.random_bool(LATER) {
            moment.as_of_micros += fuzz.random.random_range(1..DAYS_MAX) * DAY_MICROS;
        }
        moment.as_of_micros += SECOND_MICROS;
        moment.batch = u64::from(batch);
        let (changes, result) = fuzz.batch(evaluator, moment)?;
        report.batches = batch;
        match result {
            Ok(differences) => report.differences += differences,
            Err((table, keys)) => {
                let seed = report.seed;
                report.failure = Some(Failure { seed, batch, table, keys, changes });
                return Ok(());
            }
        }
    }
    Ok(())
}

struct Fuzz<'a> {
    connection: &'a Connection,
    tables: &'a [Table],
    source: String,
    random: StdRng,
    /// What somebody who only sees the differences believes the canonical rows to be.
    shadow: BTreeMap<(String, String), Row>,
}

/// The number of differences, or the table that is wrong and some of its keys.
type Judged = std::result::Result<usize, (String, Vec<String>)>;

impl Fuzz<'_> {
    fn prepare(&self) -> Result<()> {
        execute(self.connection, &format!("CREATE SCHEMA {NEXT}"))?;
        for table in self.tables {
            let (name, key) = (quote(&table.name), key_list(table));
            execute(
                self.connection,
                &format!(
                    "CREATE TABLE {NEXT}.{name} AS FROM {ORIGINAL}.{name};
                     CREATE TEMP TABLE {} AS SELECT {key} FROM {ORIGINAL}.{name} LIMIT 0;
                     CREATE TEMP TABLE {} AS SELECT *, 0::BIGINT AS _time FROM {ORIGINAL}.{name} LIMIT 0;
                     CREATE TEMP TABLE {} AS SELECT *, 0::BIGINT AS _time FROM {ORIGINAL}.{name} LIMIT 0",
                    quote(&format!("keys_{}", table.name)),
                    quote(&format!("before_{}", table.name)),
                    quote(&format!("after_{}", table.name)),
                ),
            )?;
        }
        Ok(())
    }

    fn batch(
        &mut self,
        evaluator: &mut Evaluator,
        moment: Moment,
    ) -> Result<(Vec<String>, Judged)> {
        execute(self.connection, "BEGIN")?;
        let mut changes = vec![format!("as_of {}", moment.as_of_micros)];
        for _ in 0..self.random.random_range(1..=5) {
            changes.extend(self.change()?);
        }
        let mut deltas = Vec::new();
        for table in self.tables {
            deltas.extend(self.images(table, moment)?);
        }
        let connection = self.connection;
        evaluator.touch_before(connection, &deltas)?;
        for table in self.tables {
            self.bring_up_to_date(table)?;
        }
        evaluator.touch_after(connection, &deltas)?;
        let mut differences = evaluator.evaluate(connection, moment)?.differences;
        differences.extend(evaluator.evaluate_due(connection, moment)?.differences);
        let changed: Vec<&str> = deltas.iter().map(|delta| delta.table.as_str()).collect();
        let mismatches = evaluator.verify_readers(connection, moment, &changed)?;
        let judged = match mismatches.into_iter().next() {
            Some(mismatch) => Err((mismatch.table, mismatch.keys)),
            None => {
                let count = differences.len();
                self.apply(differences).map_or(Ok(count), |key| {
                    Err(("the difference's old row is not the row before".to_owned(), vec![key]))
                })
            }
        };
        execute(connection, "COMMIT")?;
        Ok((changes, judged))
    }

    /// Applies differences to the shadow; gives the first key whose old row is not what it was.
    fn apply(&mut self, differences: Vec<Difference>) -> Option<String> {
        let mut wrong = None;
        for difference in differences {
            let place = (difference.entity, difference.key);
            let before = self.shadow.remove(&place);
            if before != difference.old || before == difference.new {
                wrong.get_or_insert(format!("{} {}", place.0, place.1));
            }
            if let Some(new) = difference.new {
                self.shadow.insert(place, new);
            }
        }
        wrong
    }

    /// One random change on the next state; none if chance found no row.
    fn change(&mut self) -> Result<Option<String>> {
        let place = self.random.random_range(0..self.tables.len().max(1));
        let Some(table) = self.tables.get(place) else { return Ok(None) };
        let lost = self.random_row(table, &missing(table))?;
        if let Some(row) = lost.filter(|_| self.random.random_bool(RESTORED)) {
            self.note(table, &row)?;
            let original = format!("{ORIGINAL}.{}", quote(&table.name));
            let (name, is) = (next(table), is(table, &row));
            self.run(&format!("INSERT INTO {name} FROM {original} WHERE {is}"))?;
            return Ok(Some(format!("{} {}: restored", table.name, row.join(", "))));
        }
        let Some(row) = self.random_row(table, &next(table))? else { return Ok(None) };
        let change = match self.random.random_range(0..100) {
            0..30 => self.copy(table, &row)?,
            30..70 => self.update(table, &row)?,
            70..85 => {
                self.note(table, &row)?;
                self.run(&format!("DELETE FROM {} WHERE {}", next(table), is(table, &row)))?;
                Some("deleted".to_owned())
            }
            _ => self.move_key(table, &row)?,
        };
        Ok(change.map(|change| format!("{} {}: {change}", table.name, row.join(", "))))
    }

    fn copy(&mut self, table: &Table, row: &Key) -> Result<Option<String>> {
        let Some((column, after)) = self.new_key(table, row)? else { return Ok(None) };
        self.note(table, &after)?;
        let (name, value) = (next(table), key_value(table, &after, &column));
        self.run(&format!(
            "INSERT INTO {name} SELECT * REPLACE ({value} AS {}) FROM {name} WHERE {}",
            quote(&column),
            is(table, row)
        ))?;
        let also = self.update(table, &after)?.unwrap_or_default();
        Ok(Some(format!("copied to {}; {also}", after.join(", "))))
    }

    fn update(&mut self, table: &Table, row: &Key) -> Result<Option<String>> {
        let columns: Vec<&Column> = table.columns.iter().filter(|column| !column.key).collect();
        if columns.is_empty() {
            return Ok(None);
        }
        self.note(table, row)?;
        let mut changes = Vec::new();
        for _ in 0..self.random.random_range(1..=2) {
            let place = self.random.random_range(0..columns.len());
            let Some(column) = columns.get(place) else { continue };
            let value = self.value(table, column)?;
            let set = format!("{} = {value}", quote(&column.name));
            self.run(&format!("UPDATE {} SET {set} WHERE {}", next(table), is(table, row)))?;
            changes.push(set);
        }
        Ok(Some(changes.join(", ")))
    }

    fn move_key(&mut self, table: &Table, row: &Key) -> Result<Option<String>> {
        let Some((column, after)) = self.new_key(table, row)? else { return Ok(None) };
        self.note(table, row)?;
        self.note(table, &after)?;
        let set = format!("{} = {}", quote(&column), key_value(table, &after, &column));
        self.run(&format!("UPDATE {} SET {set} WHERE {}", next(table), is(table, row)))?;
        Ok(Some(format!("moved to {}", after.join(", "))))
    }

    /// A key column and a free key that differs from `row` in it: a new value for numbers and
    /// texts, else one that was seen.
    fn new_key(&mut self, table: &Table, row: &Key) -> Result<Option<(String, Key)>> {
        let keys: Vec<&Column> = table.columns.iter().filter(|column| column.key).collect();
        let place = self.random.random_range(0..keys.len().max(1));
        let Some(column) = keys.get(place) else { return Ok(None) };
        let number = self.random.random_range(1..KEYS);
        let seen = keys.len() > 1 && self.random.random_bool(0.5);
        let value = match column.kind.as_str() {
            "VARCHAR" if !seen => literal(&format!("K{number}")),
            kind if kind.contains("INT") && !seen => number.to_string(),
            _ => self.value(table, column)?,
        };
        let mut after = row.clone();
        if let Some(part) = after.get_mut(place) {
            *part = format!("CAST({value} AS {})", column.kind);
        }
        let taken = format!("SELECT 1 FROM {} WHERE {}", next(table), is(table, &after));
        let free = value != "NULL" && self.count(&taken)? == 0;
        Ok(free.then(|| (column.name.clone(), after)))
    }

    /// A value that the fixture has in this column, a key of its type from any table (it may be a
    /// reference), or NULL.
    fn value(&mut self, table: &Table, column: &Column) -> Result<String> {
        if column.nullable && !column.key && self.random.random_bool(NULLS) {
            return Ok("NULL".to_owned());
        }
        let from = format!("{ORIGINAL}.{}", quote(&table.name));
        let mut places = vec![(quote(&column.name), from)];
        if self.random.random_bool(REFERENCES) {
            for other in self.tables {
                let same = |key: &&Column| key.key && key.kind == column.kind;
                let keys = other.columns.iter().filter(same);
                places.extend(keys.map(|key| (quote(&key.name), next(other))));
            }
        }
        let selects: Vec<String> = places
            .iter()
            .map(|(name, from)| format!("SELECT CAST({name} AS VARCHAR) AS v FROM {from}"))
            .collect();
        let values = self.texts(&format!(
            "SELECT DISTINCT v FROM ({}) WHERE v IS NOT NULL ORDER BY v",
            selects.join(" UNION ALL ")
        ))?;
        if values.is_empty() {
            return Ok("NULL".to_owned());
        }
        let place = self.random.random_range(0..values.len());
        let text = values.get(place).map(|value| literal(value)).unwrap_or_default();
        Ok(format!("CAST({text} AS {})", column.kind))
    }

    /// The key of one of the rows `from`.
    fn random_row(&mut self, table: &Table, from: &str) -> Result<Option<Key>> {
        let keys: Vec<&Column> = table.columns.iter().filter(|column| column.key).collect();
        let parts: Vec<String> =
            keys.iter().map(|key| format!("CAST({} AS VARCHAR)", quote(&key.name))).collect();
        let parts = parts.join(" || chr(31) || ");
        let rows = self.texts(&format!("SELECT {parts} AS v FROM {from} ORDER BY v"))?;
        if rows.is_empty() {
            return Ok(None);
        }
        let place = self.random.random_range(0..rows.len());
        let row = rows.get(place).map(|row| {
            let values = row.split('\u{1f}').zip(&keys);
            values.map(|(text, key)| format!("CAST({} AS {})", literal(text), key.kind)).collect()
        });
        Ok(row)
    }

    /// Notes the key of a row that changes.
    fn note(&self, table: &Table, row: &Key) -> Result<()> {
        let keys = quote(&format!("keys_{}", table.name));
        self.run(&format!("INSERT INTO {keys} VALUES ({})", row.join(", ")))
    }

    /// Fills the before- and after-images of one table; none if nothing in it changed.
    fn images(&self, table: &Table, moment: Moment) -> Result<Option<Delta>> {
        let keys = quote(&format!("keys_{}", table.name));
        if self.count(&format!("SELECT 1 FROM {keys}"))? == 0 {
            return Ok(None);
        }
        let (before, after) = (format!("before_{}", table.name), format!("after_{}", table.name));
        let mirror = format!("{}.{}", quote(&self.source), quote(&table.name));
        for (image, state) in [(&before, &mirror), (&after, &next(table))] {
            let (image, key) = (quote(image), key_list(table));
            self.run(&format!("DELETE FROM {image}"))?;
            self.run(&format!(
                "INSERT INTO {image} SELECT *, {} FROM {state} AS s SEMI JOIN {keys} AS k USING \
                    ({key})",
                moment.as_of_micros
            ))?;
        }
        let (source, table) = (self.source.clone(), table.name.clone());
        Ok(Some(Delta { source, table, before, after }))
    }

    fn bring_up_to_date(&self, table: &Table) -> Result<()> {
        let keys = quote(&format!("keys_{}", table.name));
        let mirror = format!("{}.{}", quote(&self.source), quote(&table.name));
        let key = key_list(table);
        self.run(&format!("DELETE FROM {mirror} WHERE ({key}) IN (SELECT ({key}) FROM {keys})"))?;
        self.run(&format!(
            "INSERT INTO {mirror} FROM {} AS s SEMI JOIN {keys} AS k USING ({key})",
            next(table)
        ))?;
        self.run(&format!("DELETE FROM {keys}"))
    }

    fn run(&self, sql: &str) -> Result<()> {
        execute(self.connection, sql)
    }

    fn texts(&self, sql: &str) -> Result<Vec<String>> {
        let read = || -> duckdb::Result<Vec<String>> {
            let mut statement = self.connection.prepare(sql)?;
            statement.query_map([], |row| row.get(0))?.collect()
        };
        read().map_err(|error| failed("could not read the fixture".to_owned(), &error))
    }

    fn count(&self, sql: &str) -> Result<usize> {
        Ok(self.texts(&format!("SELECT 'x' FROM ({sql})"))?.len())
    }
}

fn next(table: &Table) -> String {
    format!("{NEXT}.{}", quote(&table.name))
}

/// Rows of the fixture whose key is gone from the next state.
fn missing(table: &Table) -> String {
    let (name, key) = (quote(&table.name), key_list(table));
    format!("(FROM {ORIGINAL}.{name} AS o ANTI JOIN {NEXT}.{name} AS n USING ({key}))")
}

fn key_list(table: &Table) -> String {
    let keys = table.columns.iter().filter(|column| column.key);
    keys.map(|column| quote(&column.name)).collect::<Vec<_>>().join(", ")
}

/// The condition that is true for the row with this key only.
fn is(table: &Table, row: &Key) -> String {
    let keys = table.columns.iter().filter(|column| column.key);
    let terms = keys.zip(row).map(|(column, value)| format!("{} = {value}", quote(&column.name)));
    terms.collect::<Vec<_>>().join(" AND ")
}

/// The value of one key column.
fn key_value<'a>(table: &Table, row: &'a Key, name: &str) -> &'a str {
    let keys = table.columns.iter().filter(|column| column.key);
    let mut pairs = keys.zip(row);
    pairs.find(|(column, _)| column.name == name).map_or("NULL", |(_, value)| value)
}
