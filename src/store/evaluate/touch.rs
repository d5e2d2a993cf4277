//! Finds the units that changed rows touch: by the rows themselves, by stored provenance, and by
//! the mapping's own routes, on the mirror before and after the batch.
//!
//! It only collects; a unit found for nothing costs an evaluation, a missed one is a wrong row.

use duckdb::Connection;

use super::Delta;
use super::compile::{Compiled, SqlWay, Step, provenance_columns, unit_column};
use super::sql::{equal, list, quote, run};
use super::tables::temp;
use crate::error::Result;

/// In which state the mirror is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// As before the batch.
    Old,
    /// As after it.
    New,
}

/// Collects what `deltas` touch in one mapping; gives the number of rows collected.
pub(super) fn touch(
    connection: &Connection,
    mapping: &Compiled,
    number: usize,
    deltas: &[Delta],
    state: State,
) -> Result<usize> {
    let mut branches = Vec::new();
    for step in &mapping.routes {
        for delta in deltas.iter().filter(|delta| follows(mapping, step, delta)) {
            branches.extend(branch(mapping, step, delta, state));
        }
    }
    if branches.is_empty() {
        return Ok(0);
    }
    let what = format!("could not find the units of {} a batch touches", mapping.contrib_name());
    let sql = format!("INSERT INTO {} {}", temp("touched", number), branches.join(" UNION ALL "));
    run(connection, &sql, &what)
}

fn follows(mapping: &Compiled, step: &Step, delta: &Delta) -> bool {
    delta.source == mapping.source && delta.table.eq_ignore_ascii_case(&step.table)
}

fn branch(mapping: &Compiled, step: &Step, delta: &Delta, state: State) -> Vec<String> {
    match (&step.way, state) {
        // Both images are there from the start, whatever state the mirror is in.
        (SqlWay::Driver, State::Old) => {
            let columns = list("", mapping.units.iter().map(|unit| unit.column.as_str()));
            vec![images(delta, &columns)]
        }
        (SqlWay::Watch { key, sql, before }, State::Old) => {
            let mut branches = vec![stored(mapping, &step.alias, key, delta)];
            branches.extend(before.then(|| computed(mapping, key, sql, delta)));
            branches
        }
        (SqlWay::Watch { key, sql, .. }, State::New) => vec![computed(mapping, key, sql, delta)],
        (SqlWay::Affects { sql, timed }, _) => vec![declared(sql, *timed, delta)],
        (SqlWay::Driver, State::New) => Vec::new(),
    }
}

/// `columns` and `_time` of the before- and after-images.
fn images(delta: &Delta, columns: &str) -> String {
    let (before, after) = (quote(&delta.before), quote(&delta.after));
    format!("SELECT {columns}, _time FROM {before} UNION ALL SELECT {columns}, _time FROM {after}")
}

/// Units whose rows were made from a changed row, as stored with the contributions.
fn stored(mapping: &Compiled, alias: &str, key: &[String], delta: &Delta) -> String {
    let units = list("c.", mapping.units.iter().map(unit_column));
    let same = |one: &&crate::canon::mapping::Provenance| one.alias.eq_ignore_ascii_case(alias);
    let columns = mapping.provenance.iter().find(same).map(provenance_columns).unwrap_or_default();
    let pairs = columns.iter().zip(key);
    let pairs: Vec<(String, String)> =
        pairs.map(|(c, k)| (format!("c.{}", quote(c)), format!("k.{}", quote(k)))).collect();
    let keys = images(delta, &list("", key));
    let contrib = mapping.contrib();
    format!(
        "SELECT {units}, k._time FROM {contrib} AS c JOIN ({keys}) AS k ON {}",
        equal(&pairs, false)
    )
}

/// Units whose rows a changed row takes part in, on the mirror as it is now.
fn computed(mapping: &Compiled, key: &[String], sql: &str, delta: &Delta) -> String {
    let units: Vec<String> = (1..=mapping.units.len()).map(|n| format!("r._unit_{n}")).collect();
    let pairs: Vec<(String, String)> =
        (1..).zip(key).map(|(n, k)| (format!("r._key_{n}"), format!("k.{}", quote(k)))).collect();
    let keys = images(delta, &list("", key));
    let on = equal(&pairs, false);
    format!("SELECT {}, k._time FROM ({sql}) AS r JOIN ({keys}) AS k ON {on}", units.join(", "))
}

/// Units as the mapping's `affects` says.
fn declared(sql: &str, timed: bool, delta: &Delta) -> String {
    let rows = images_with_all_columns(delta);
    let sql = Step::over(sql, &rows);
    if timed {
        return format!("SELECT * FROM ({sql})");
    }
    format!("SELECT *, (SELECT max(_time) FROM {rows}) FROM ({sql})")
}

fn images_with_all_columns(delta: &Delta) -> String {
    let (before, after) = (quote(&delta.before), quote(&delta.after));
    format!("(SELECT * FROM {before} UNION ALL BY NAME SELECT * FROM {after})")
}
