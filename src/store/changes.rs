//! Raw changes, as they came: what happened to a row, before any mapping.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array};
use arrow::record_batch::RecordBatch;
use duckdb::{Appender, Connection};
use serde_json::{Map, Value};

use super::mirror::Placed;
use super::stage::{BATCH_ROWS, batch_of, key_text};
use crate::change::{CellRef, Cells, Change, Row, Table};
use crate::error::Result;
use crate::store::refusal::InStore;

/// One line of `changes`.
struct Line<'a> {
    placed: &'a Placed,
    ordinal: u32,
    table: &'a Table,
    op: &'static str,
    old: Option<String>,
    new: Option<String>,
}

/// Appends the changes of a batch to the table of the month in which they were committed. Some at a
/// time: as JSON they are larger than in the log, and need not all be there at once.
pub(super) fn append(connection: &Connection, batch: &[Placed]) -> Result<()> {
    let mut months: BTreeMap<String, Month<'_, '_>> = BTreeMap::new();
    for placed in batch {
        let mut lines = lines_of(placed).peekable();
        if lines.peek().is_none() {
            continue;
        }
        let month = match months.entry(month_of(placed.transaction.committed_at_micros)) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(new) => {
                let month = Month::open(connection, new.key())?;
                new.insert(month)
            }
        };
        for line in lines {
            month.push(line)?;
        }
    }
    months.into_values().try_for_each(Month::close)
}

/// The table of a month, and what is on its way there.
struct Month<'c, 'a> {
    name: String,
    appender: Appender<'c>,
    lines: Vec<Line<'a>>,
}

impl<'c, 'a> Month<'c, 'a> {
    fn open(connection: &'c Connection, name: &str) -> Result<Self> {
        let create = include_str!("../../sql/store/changes_month.sql").replace("{month}", name);
        let what = || failed(name);
        connection.execute_batch(&create).in_store(what)?;
        let appender = connection.appender_to_db(&format!("m{name}"), "changes").in_store(what)?;
        Ok(Self { name: name.to_owned(), appender, lines: Vec::new() })
    }

    fn push(&mut self, line: Line<'a>) -> Result<()> {
        self.lines.push(line);
        if self.lines.len() < BATCH_ROWS {
            return Ok(());
        }
        self.hand_over()
    }

    fn hand_over(&mut self) -> Result<()> {
        let batch = record_batch(&self.lines)?;
        self.lines.clear();
        self.appender.append_record_batch(batch).in_store(|| failed(&self.name))
    }

    fn close(mut self) -> Result<()> {
        self.hand_over()?;
        self.appender.flush().in_store(|| failed(&self.name))
    }
}

fn failed(month: &str) -> String {
    format!("could not append to the changes of {month}")
}

/// Drops the months that had ended by `before_micros`; their names.
pub(super) fn forget(connection: &Connection, before_micros: i64) -> Result<Vec<String>> {
    let what = || "could not drop old changes".to_owned();
    let read = || -> duckdb::Result<Vec<String>> {
        let sql = include_str!("../../sql/store/changes_months.sql");
        let mut statement = connection.prepare(sql)?;
        let months = statement.query_map([month_of(before_micros)], |row| row.get(0))?;
        months.collect()
    };
    let months = read().in_store(what)?;
    for month in &months {
        let drop = format!("DROP TABLE changes.\"{month}\"");
        connection.execute_batch(&drop).in_store(what)?;
    }
    Ok(months)
}

fn lines_of(placed: &Placed) -> impl Iterator<Item = Line<'_>> {
    let changes = (0_u32..).zip(&placed.transaction.changes);
    changes.flat_map(move |(ordinal, change)| lines_of_change(placed, ordinal, change))
}

fn lines_of_change<'a>(
    placed: &'a Placed,
    ordinal: u32,
    change: &'a Change,
) -> impl Iterator<Item = Line<'a>> {
    let line = move |table, op| Line { placed, ordinal, table, op, old: None, new: None };
    let row = match change {
        Change::Row(row) => {
            let json = |of: &Option<Row>| Some(json_row(&row.table, of.as_ref()?).to_string());
            let (old, new) = (json(&row.old), json(&row.new));
            Some(Line { old, new, ..line(row.table.as_ref(), row.op.word()) })
        }
        _ => None,
    };
    let truncated = match change {
        Change::Truncate(tables) => tables.as_slice(),
        _ => &[],
    };
    row.into_iter().chain(truncated.iter().map(move |table| line(table.as_ref(), "truncate")))
}

/// The cells that the log told, by their columns' names.
pub fn json_row(table: &Table, row: &Row) -> Value {
    let mut object = Map::new();
    for (column, cell) in table.columns.iter().zip(row.cells()) {
        let value = match cell {
            CellRef::Missing => continue,
            CellRef::Null => Value::Null,
            CellRef::Text(bytes) => Value::String(match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => format!("\\x{}", key_text(bytes)),
            }),
        };
        object.insert(column.name.clone(), value);
    }
    Value::Object(object)
}

fn month_of(micros: i64) -> String {
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or_default();
    at.strftime("%Y%m").to_string()
}

fn record_batch(lines: &[Line<'_>]) -> Result<RecordBatch> {
    let text = |of: &dyn Fn(&Line<'_>) -> Option<String>| -> ArrayRef {
        Arc::new(lines.iter().map(of).collect::<StringArray>())
    };
    let seqs: UInt64Array = lines.iter().map(|line| Some(line.placed.seq)).collect();
    let ordinals: UInt32Array = lines.iter().map(|line| Some(line.ordinal)).collect();
    let times: TimestampMicrosecondArray =
        lines.iter().map(|line| Some(line.placed.transaction.committed_at_micros)).collect();
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(seqs),
        Arc::new(ordinals),
        text(&|line| Some(line.placed.source.clone())),
        text(&|line| Some(line.table.name.to_string())),
        text(&|line| Some(line.op.to_owned())),
        text(&|line| Some(line.placed.transaction.id.to_string())),
        Arc::new(times),
        text(&|line| line.old.clone()),
        text(&|line| line.new.clone()),
    ];
    batch_of(arrays, || "changes do not fit their columns".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_months_are_dropped_and_none_that_holds_younger_changes() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE SCHEMA changes; CREATE TABLE changes.mine (a INT)")
            .unwrap();
        for month in ["202511", "202601", "202602", "202603"] {
            let create = include_str!("../../sql/store/changes_month.sql");
            connection.execute_batch(&create.replace("{month}", month)).unwrap();
        }
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let forget = |text: &str| forget(&connection, at(text)).unwrap();
        assert!(forget("2025-11-30T23:59:59Z").is_empty());
        assert_eq!(forget("2026-02-28T23:59:59Z"), ["m202511", "m202601"]);
        assert_eq!(forget("2026-03-01T00:00:00Z"), ["m202602"]);
        assert!(forget("2026-03-31T00:00:00Z").is_empty());
        let left: i64 = connection
            .query_row("SELECT count(*) FROM duckdb_tables()", [], |row| row.get(0))
            .unwrap();
        assert_eq!(left, 2);
    }
}
