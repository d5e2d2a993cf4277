//! `trueup mapping test`: runs a pack on its fixture without a server. Invented source rows in,
//! expected canonical rows out; then random changes, after each of which the incremental result
//! must equal a full evaluation.
//!
//! It prints nothing; the command line shows the [`Report`].

mod fixture;
mod fuzz;

use std::collections::BTreeMap;
use std::path::Path;

use duckdb::Connection;
use serde_json::Value;

use self::fixture::Fixture;
use super::evaluate::{Difference, Evaluator, Moment};
use crate::canon::event::Row;
use crate::canon::mapping::{MappingSet, Pack};
use crate::error::{Error, ErrorKind, Result};
use crate::store::refusal::failed;

/// What to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Batches of random changes.
    pub batches: u32,
    /// Where the random changes begin; the same seed gives the same changes.
    pub seed: u64,
}

impl Options {
    /// 200 batches take some seconds and, from experience with planted mistakes, find a missing
    /// route within the first 30.
    pub const BATCHES: u32 = 200;
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The pack.
    pub pack: String,
    /// The seed of the fuzz, for a replay.
    pub seed: u64,
    /// Per entity: canonical rows of the fixture.
    pub rows: BTreeMap<String, usize>,
    /// Differences from the expected rows, one line each.
    pub unexpected: Vec<String>,
    /// Batches that ran.
    pub batches: u32,
    /// Canonical differences the fuzz produced; 0 would mean that it tested nothing.
    pub differences: usize,
    /// The first batch after which incremental and full differed.
    pub failure: Option<Failure>,
}

impl Report {
    /// True if everything is as it should be.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.unexpected.is_empty() && self.failure.is_none()
    }
}

/// A batch whose incremental result was wrong: enough to run it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The batch, from 1.
    pub batch: u32,
    /// The table that is wrong (`contrib.<pack>__<entity>` or `canon.<entity>`), or what failed.
    pub table: String,
    /// Some of its wrong units or keys.
    pub keys: Vec<String>,
    /// The changes of the batch, one line each.
    pub changes: Vec<String>,
}

/// Tests one pack: its source is named as the pack.
///
/// # Errors
/// A pack that cannot be loaded, a mapping that is refused, or a fixture that cannot be read.
pub fn run(sql_dir: Option<&Path>, pack: &str, options: Options) -> Result<Report> {
    let load = |used| {
        let packs = BTreeMap::from([(pack.to_owned(), used)]);
        MappingSet::load(sql_dir, &packs, &BTreeMap::new())
    };
    // What is wrong with the mappings is said before what is wrong with their fixture.
    Evaluator::new(&load(Pack::utc(pack))?, &BTreeMap::new())?;
    let fixture = Fixture::read(sql_dir, pack)?;
    let timezone = fixture.timezone.clone();
    let set = load(Pack { timezone, ..Pack::utc(pack) })?;
    let mut evaluator = Evaluator::new(&set, &BTreeMap::new())?;
    let connection = Connection::open_in_memory()
        .map_err(|error| failed("could not start DuckDB".to_owned(), &error))?;
    // On a handful of rows a second thread only waits.
    execute(&connection, "SET threads = 1")?;
    let mut tables = fixture.load(&connection, pack)?;
    // Changes that no mapping reads would only thin out the fuzz.
    let read = evaluator.tables(pack);
    tables.retain(|table| read.iter().any(|name| name.eq_ignore_ascii_case(&table.name)));
    evaluator.create_tables(&connection)?;
    if let Some(parked) = evaluator.parked().first() {
        let what = format!("mapping {pack}/{}: {}", parked.entity, parked.cause);
        return Err(Error::new(ErrorKind::Config, what)
            .hint(format!("make the mapping fit the tables of {pack}/fixture/tables.sql")));
    }
    let moment = Moment { as_of_micros: fixture.as_of_micros, batch: 0 };
    execute(&connection, "BEGIN")?;
    let first = evaluator.evaluate_all(&connection, &[pack.to_owned()], moment)?;
    execute(&connection, "COMMIT")?;
    let mut report = Report {
        pack: pack.to_owned(),
        seed: options.seed,
        rows: BTreeMap::new(),
        unexpected: Vec::new(),
        batches: 0,
        differences: 0,
        failure: None,
    };
    for conflict in &first.conflicts {
        let text = format!("{}: two source rows give the key {}", conflict.entity, conflict.key);
        report.unexpected.push(text);
    }
    for entity in set.contributed() {
        let actual = first.differences.iter().filter(|one| one.entity == entity.name);
        let actual: Vec<&Difference> = actual.collect();
        report.rows.insert(entity.name.clone(), actual.len());
        let expected = fixture::expected(sql_dir, pack, &entity.name)?;
        report.unexpected.extend(compare(&entity.name, &actual, &expected));
    }
    let rows = first.differences;
    fuzz::fuzz(&connection, &mut evaluator, &tables, moment, rows, options.batches, &mut report)?;
    Ok(report)
}

fn execute(connection: &Connection, sql: &str) -> Result<()> {
    connection.execute_batch(sql).map_err(|e| failed(format!("could not run {sql}"), &e))
}

/// One line per row that is missing, surplus or different.
fn compare(entity: &str, actual: &[&Difference], expected: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut left: Vec<&Row> = expected.iter().collect();
    for difference in actual {
        let Some(row) = &difference.new else { continue };
        match left.iter().position(|wanted| same(row, wanted)) {
            Some(place) => {
                left.remove(place);
            }
            None => lines.push(format!("{entity} {}: not expected: {}", difference.key, json(row))),
        }
    }
    lines.extend(
        left.into_iter().map(|row| format!("{entity}: expected, not there: {}", json(row))),
    );
    lines
}

/// Equal on every attribute; one that is left out is NULL.
fn same(row: &Row, wanted: &Row) -> bool {
    let known = wanted.keys().all(|name| row.contains_key(name));
    known && row.iter().all(|(name, value)| wanted.get(name).unwrap_or(&Value::Null) == value)
}

fn json(row: &Row) -> String {
    Value::Object(row.clone()).to_string()
}
