//! Reads results of the evaluation out of DuckDB, a record batch at a time.
//!
//! Values come as text, so that decimals, dates and times keep every digit.

use arrow::array::{Array, Int64Array, RecordBatch, StringArray};
use duckdb::Connection;
use serde_json::Value;

use super::Difference;
use crate::canon::entity::{Attribute, AttributeType, Entity};
use crate::canon::event::{EventOp, Row};
use crate::error::{Error, ErrorKind, Result};
use crate::store::refusal::failed;

/// The one text column of `sql`, without NULLs, in order.
pub(super) fn texts(connection: &Connection, sql: &str, what: &str) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for batch in batches(connection, sql, what)? {
        let column = text(&batch, 0)?;
        texts.extend(column.iter().flatten().map(str::to_owned));
    }
    texts.sort_unstable();
    Ok(texts)
}

/// How many rows `sql` gives.
pub(super) fn count(connection: &Connection, sql: &str, what: &str) -> Result<usize> {
    Ok(batches(connection, sql, what)?.iter().map(RecordBatch::num_rows).sum())
}

/// One number or NULL.
pub(super) fn number(connection: &Connection, sql: &str, what: &str) -> Result<Option<i64>> {
    connection.query_row(sql, [], |row| row.get(0)).map_err(|error| failed(what.to_owned(), &error))
}

/// Differences of one entity from key text, operation, time, old and new cells as text.
pub(super) fn differences(
    connection: &Connection,
    sql: &str,
    entity: &Entity,
) -> Result<Vec<Difference>> {
    let what = format!("could not read the differences of {}", entity.name);
    let mut differences = Vec::new();
    for batch in batches(connection, sql, &what)? {
        let (keys, ops, times) = (text(&batch, 0)?, text(&batch, 1)?, numbers(&batch, 2)?);
        let width = entity.attributes.len();
        let cells = (3..3 + 2 * width).map(|place| text(&batch, place));
        let cells: Vec<&StringArray> = cells.collect::<Result<_>>()?;
        let (old, new) = cells.split_at(width);
        for place in 0..batch.num_rows() {
            let op = match ops.value(place) {
                "created" => EventOp::Created,
                "deleted" => EventOp::Deleted,
                _ => EventOp::Updated,
            };
            differences.push(Difference {
                entity: entity.name.clone(),
                key: keys.value(place).to_owned(),
                op,
                old: (op != EventOp::Created).then(|| row(entity, old, place)),
                new: (op != EventOp::Deleted).then(|| row(entity, new, place)),
                time_micros: times.value(place),
            });
        }
    }
    Ok(differences)
}

fn row(entity: &Entity, cells: &[&StringArray], place: usize) -> Row {
    let cell = |(attribute, column): (&Attribute, &&StringArray)| {
        let text = column.is_valid(place).then(|| column.value(place));
        (attribute.name.clone(), value(attribute.kind, text))
    };
    entity.attributes.iter().zip(cells).map(cell).collect()
}

/// The JSON form of an attribute's text.
fn value(kind: AttributeType, text: Option<&str>) -> Value {
    let Some(text) = text else { return Value::Null };
    match kind {
        AttributeType::Boolean => Value::Bool(text == "true"),
        AttributeType::Integer | AttributeType::Bigint => {
            text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from)
        }
        _ => Value::from(text),
    }
}

fn batches(connection: &Connection, sql: &str, what: &str) -> Result<Vec<RecordBatch>> {
    let read = || -> duckdb::Result<Vec<RecordBatch>> {
        let mut statement = connection.prepare(sql)?;
        let batches = statement.query_arrow([])?.collect();
        Ok(batches)
    };
    read().map_err(|error| failed(what.to_owned(), &error))
}

fn text(batch: &RecordBatch, place: usize) -> Result<&StringArray> {
    column(batch, place)
}

fn numbers(batch: &RecordBatch, place: usize) -> Result<&Int64Array> {
    column(batch, place)
}

fn column<A: 'static>(batch: &RecordBatch, place: usize) -> Result<&A> {
    let column = batch.columns().get(place).and_then(|column| column.as_any().downcast_ref::<A>());
    column.ok_or_else(|| {
        Error::new(ErrorKind::Bug, format!("result column {place} has another type"))
    })
}

/// Canonical rows with their keys, from key text and cells as text.
pub(super) fn rows(
    connection: &Connection,
    sql: &str,
    entity: &Entity,
) -> Result<Vec<(String, Row)>> {
    let what = format!("could not read rows of {}", entity.name);
    let mut rows = Vec::new();
    for batch in batches(connection, sql, &what)? {
        let keys = text(&batch, 0)?;
        let width = entity.attributes.len();
        let cells: Vec<&StringArray> =
            (1..=width).map(|place| text(&batch, place)).collect::<Result<_>>()?;
        for place in 0..batch.num_rows() {
            rows.push((keys.value(place).to_owned(), row(entity, &cells, place)));
        }
    }
    Ok(rows)
}
