//! Rows on their way into the store: text columns in a temp table, appended as Arrow batches.
//!
//! It decides nothing about types: [`super::mirror`] casts what it stages.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use duckdb::Connection;

use super::collapse::{Key, RowState};
use super::types::spelled_for_duckdb;
use crate::change::{Cell, CellRef, Cells, Kind, Row, Table, tuple};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::store::refusal::InStore;

/// Rows of one Arrow batch: DuckDB's own vector size times a few.
pub(super) const BATCH_ROWS: usize = 16_384;

/// What a stage holds per row, before the cells `c0, c1, …` and the base key's cells `b0, b1, …`.
pub(super) const FIXED_COLUMNS: &str =
    "gone BOOLEAN, time BIGINT, missing VARCHAR, row_key VARCHAR";

/// The places of missing cells as text, `0`/`1` per cell; `None` if nothing is missing.
pub(super) fn mask(row: &Row) -> Option<String> {
    let place = |cell: CellRef<'_>| if cell.is_missing() { '1' } else { '0' };
    (!row.is_whole()).then(|| row.cells().map(place).collect())
}

/// A key as text: hex of its encoding.
pub(super) fn key_text(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The reverse of [`key_text`].
pub(super) fn key_from_text(text: &str) -> Option<Key> {
    (0..text.len())
        .step_by(2)
        .map(|at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect::<Option<Vec<u8>>>()
        .map(Key::from)
}

/// Appends row states to the temp table `stage`, whose layout is [`FIXED_COLUMNS`] and the
/// columns of `table`.
pub(super) fn append(
    connection: &Connection,
    stage: &str,
    table: &Table,
    kinds: &[Kind],
    rows: &HashMap<Key, RowState>,
) -> Result<()> {
    let what = || format!("could not stage rows of {}", table.name);
    let mut appender =
        connection.appender_to_catalog_and_db(stage, "temp", "main").in_store(what)?;
    // In key order, so that a replay stages the same rows in the same order.
    let mut sorted: Vec<(&Key, &RowState)> = rows.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(b.0));
    for some in sorted.chunks(BATCH_ROWS) {
        let batch = record_batch(table, kinds, some)?;
        appender.append_record_batch(batch).in_store(what)?;
    }
    appender.flush().in_store(what)
}

fn record_batch(table: &Table, kinds: &[Kind], rows: &[(&Key, &RowState)]) -> Result<RecordBatch> {
    let key: Vec<usize> = table.key().collect();
    let gone: BooleanArray = rows.iter().map(|(_, row)| Some(row.cells.is_none())).collect();
    let time: Int64Array = rows.iter().map(|(_, row)| Some(row.time_micros)).collect();
    let mut missing = StringBuilder::new();
    let mut row_key = StringBuilder::new();
    for (row_key_bytes, row) in rows {
        missing.append_option(row.cells.as_ref().and_then(mask));
        row_key.append_value(key_text(row_key_bytes));
    }
    let mut arrays: Vec<ArrayRef> = vec![
        Arc::new(gone),
        Arc::new(time),
        Arc::new(missing.finish()),
        Arc::new(row_key.finish()),
    ];
    let keys = rows.iter().map(|(key, _)| decoded(key)).collect::<Result<Vec<_>>>()?;
    for (place, kind) in kinds.iter().enumerate() {
        let rank = key.iter().position(|in_key| *in_key == place);
        let mut column = StringBuilder::new();
        for ((_, row), key) in rows.iter().zip(&keys) {
            // Key cells always come from the key: rows that are gone and rows that only fill
            // missing cells carry no others.
            let cell = match rank {
                Some(rank) => key.cell(rank),
                None => row.cells.as_ref().and_then(|row| row.cell(place)),
            };
            append_cell(&mut column, *kind, cell);
        }
        arrays.push(Arc::new(column.finish()));
    }
    let bases = rows
        .iter()
        .map(|(_, row)| row.base.as_ref().map(decoded).transpose())
        .collect::<Result<Vec<_>>>()?;
    for (rank, place) in key.iter().enumerate() {
        let kind = kinds.get(*place).copied().unwrap_or(Kind::Text);
        let mut column = StringBuilder::new();
        for base in &bases {
            append_cell(&mut column, kind, base.as_ref().and_then(|base| base.cell(rank)));
        }
        arrays.push(Arc::new(column.finish()));
    }
    batch_of(arrays, || format!("rows of {} do not fit its columns", table.name))
}

/// Columns as a batch for an appender, which goes by their order and not by their names.
pub(super) fn batch_of(
    arrays: Vec<ArrayRef>,
    what: impl FnOnce() -> String,
) -> Result<RecordBatch> {
    let fields = arrays.iter().enumerate().map(|(place, array)| {
        Field::new(format!("f{place}"), DataType::clone(array.data_type()), true)
    });
    RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), arrays)
        .context(ErrorKind::Bug, what)
}

fn append_cell(column: &mut StringBuilder, kind: Kind, cell: Option<CellRef<'_>>) {
    match cell.and_then(CellRef::bytes) {
        None => column.append_null(),
        Some(bytes) => column.append_value(staged_text(kind, bytes)),
    }
}

/// A value as it is staged.
pub(super) fn staged_text(kind: Kind, bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => spelled_for_duckdb(kind, text),
        // A source without a declared encoding: keep every byte, readably.
        Err(_) => Cow::Owned(format!("\\x{}", key_text(bytes))),
    }
}

fn decoded(key: &Key) -> Result<Vec<Cell>> {
    tuple::read_row(&mut key.clone())
        .ok_or_else(|| Error::new(ErrorKind::Bug, "a row key does not decode"))
}
