//! Raw changes, as they came: what happened to a row, before any mapping.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array};
use arrow::record_batch::RecordBatch;
use duckdb::Connection;
use serde_json::{Map, Value};

use super::mirror::Placed;
use super::stage::{batch_of, key_text};
use crate::change::{Cell, Change, Table};
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

/// Appends the changes of a batch to the table of the month in which they were committed.
pub(super) fn append(connection: &Connection, batch: &[Placed]) -> Result<()> {
    let mut months: BTreeMap<String, Vec<Line<'_>>> = BTreeMap::new();
    for placed in batch {
        let lines = lines_of(placed);
        if !lines.is_empty() {
            let month = month_of(placed.transaction.committed_at_micros);
            months.entry(month).or_default().extend(lines);
        }
    }
    for (month, lines) in months {
        let what = || format!("could not append to the changes of {month}");
        let create = include_str!("../../sql/store/changes_month.sql").replace("{month}", &month);
        connection.execute_batch(&create).in_store(what)?;
        let mut appender =
            connection.appender_to_db(&format!("m{month}"), "changes").in_store(what)?;
        appender.append_record_batch(record_batch(&lines)?).in_store(what)?;
        appender.flush().in_store(what)?;
    }
    Ok(())
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

fn lines_of(placed: &Placed) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut ordinal = 0;
    for change in &placed.transaction.changes {
        match change {
            Change::Row(row) => lines.push(Line {
                placed,
                ordinal,
                table: &row.table,
                op: row.op.word(),
                old: row.old.as_deref().map(|cells| json_row(&row.table, cells).to_string()),
                new: row.new.as_deref().map(|cells| json_row(&row.table, cells).to_string()),
            }),
            Change::Doubted(_) | Change::Replaced(_) | Change::Unread(_) => {}
            Change::Truncate(tables) => lines.extend(tables.iter().map(|table| Line {
                placed,
                ordinal,
                table,
                op: "truncate",
                old: None,
                new: None,
            })),
        }
        ordinal = ordinal.saturating_add(1);
    }
    lines
}

/// The cells that the log told, by their columns' names.
pub fn json_row(table: &Table, cells: &[Cell]) -> Value {
    let mut row = Map::new();
    for (column, cell) in table.columns.iter().zip(cells) {
        let value = match cell {
            Cell::Missing => continue,
            Cell::Null => Value::Null,
            Cell::Text(bytes) => Value::String(match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => format!("\\x{}", key_text(bytes)),
            }),
        };
        row.insert(column.name.clone(), value);
    }
    Value::Object(row)
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
