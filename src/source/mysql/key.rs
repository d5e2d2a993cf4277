//! The SQL that walks a table by its primary key: order and comparison are the server's.
//!
//! Pure text; every value is a parameter.

use std::fmt::Write;

use mysql_async::Value;

use super::catalog::Described;
use crate::change::condition::Condition;
use crate::change::{Cell, Column, Kind, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::source::conditions::of_mysql;

/// How a table is walked.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    table: &'a Table,
    parts: Vec<Part<'a>>,
}

/// A column of the key.
#[derive(Debug)]
struct Part<'a> {
    column: &'a Column,
    /// What rows are ordered by.
    order: String,
    /// What it is compared with, `?` being the value.
    value: String,
}

impl<'a> Keys<'a> {
    /// Looks at the key's columns.
    ///
    /// # Errors
    /// `Setup` if the table has no primary key.
    pub(super) fn new(described: &'a Described) -> Result<Self> {
        let table = &described.table;
        let columns = table.key().filter_map(|place| table.columns.get(place));
        let parts: Vec<Part<'_>> = columns
            .map(|column| {
                let collation = described.collations.get(&column.name);
                let collation = collation.map(|(set, name)| (set.as_str(), name.as_str()));
                part(column, collation)
            })
            .collect();
        if parts.is_empty() {
            return Err(no_key(table));
        }
        Ok(Self { table, parts })
    }

    /// The statement for the next rows after a key, and its parameters.
    ///
    /// # Errors
    /// `Bug` if `after` is not a key of this table.
    pub(super) fn select(
        &self,
        after: Option<&[Cell]>,
        only: Option<&Condition>,
        rows_max: u32,
    ) -> Result<(String, Vec<Value>)> {
        let columns: Vec<String> =
            self.table.columns.iter().map(|column| quote(&column.name)).collect();
        let name = &self.table.name;
        let mut sql = format!(
            "SELECT {} FROM {}.{}",
            columns.join(", "),
            quote(&name.schema),
            quote(&name.name)
        );
        // The key's own order needs no sort; without the hint a small table may be sorted.
        if self.parts.iter().all(|part| part.order == quote(&part.column.name)) {
            sql.push_str(" FORCE INDEX (PRIMARY)");
        }
        let mut parameters = Vec::new();
        let mut conditions = Vec::new();
        if let Some(after) = after {
            conditions.push(self.condition(after, &mut parameters)?);
        }
        let chosen = self.table.rows.iter().chain(only);
        conditions.extend(chosen.map(|rows| of_mysql(rows, self.table, quote)));
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        let order: Vec<&str> = self.parts.iter().map(|part| part.order.as_str()).collect();
        // Writing to a string cannot fail.
        write!(sql, " ORDER BY {} LIMIT {rows_max}", order.join(", ")).unwrap_or_default();
        Ok((sql, parameters))
    }

    /// `a >= ? AND (a > ? OR (a = ? AND (b > ?)))`: the first comparison finds the place in the
    /// index, the rest is exact.
    fn condition(&self, after: &[Cell], parameters: &mut Vec<Value>) -> Result<String> {
        if after.len() != self.parts.len() {
            return Err(self.not_a_key());
        }
        let mut values = Vec::with_capacity(after.len());
        for (part, cell) in self.parts.iter().zip(after) {
            let text = cell.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok());
            values
                .push(text.and_then(|text| parameter(part, text)).ok_or_else(|| self.not_a_key())?);
        }
        let mut sql = String::new();
        if let (Some(part), Some(value)) = (self.parts.first(), values.first()) {
            parameters.push(value.clone());
            sql = format!("{} >= {} AND ", part.order, part.value);
        }
        let last = self.parts.len() - 1;
        for (place, (part, value)) in self.parts.iter().zip(&values).enumerate() {
            let (order, placeholder) = (&part.order, &part.value);
            parameters.push(value.clone());
            if place == last {
                write!(sql, "({order} > {placeholder}").unwrap_or_default();
            } else {
                parameters.push(value.clone());
                write!(sql, "({order} > {placeholder} OR ({order} = {placeholder} AND ")
                    .unwrap_or_default();
            }
        }
        sql.push_str(&")".repeat(2 * last + 1));
        Ok(sql)
    }

    fn not_a_key(&self) -> Error {
        Error::new(ErrorKind::Bug, format!("a copy of {} goes on after no key", self.table.name))
    }
}

/// The error, and the remedy, for a table without a primary key.
pub(super) fn no_key(table: &Table) -> Error {
    let name = &table.name;
    Error::new(ErrorKind::Setup, format!("table {name} has no primary key")).hint(format!(
        "ALTER TABLE {}.{} ADD PRIMARY KEY (…); or add \"!{name}\" to `tables`",
        quote(&name.schema),
        quote(&name.name)
    ))
}

/// A name between backticks.
pub(super) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn part<'a>(column: &'a Column, collation: Option<(&str, &str)>) -> Part<'a> {
    let quoted = quote(&column.name);
    let source_type = column.source_type.as_str();
    let is = |prefix: &str| source_type.starts_with(prefix);
    let value = match column.kind {
        _ if is("enum(") || is("set(") => {
            // The server orders these by number but compares them with text by text.
            let text = |what: &str| {
                format!("CAST({what} AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin")
            };
            return Part { column, order: text(&quoted), value: text("?") };
        }
        _ if is("decimal(") => {
            let digits = source_type.split_once(')').map_or("decimal(65,30", |(head, _)| head);
            format!("CAST(? AS {digits}))")
        }
        Kind::Date => "CAST(? AS DATE)".to_owned(),
        Kind::Time => "CAST(? AS TIME(6))".to_owned(),
        Kind::Timestamp | Kind::TimestampTz => "CAST(? AS DATETIME(6))".to_owned(),
        Kind::Bytes => "UNHEX(?)".to_owned(),
        _ if matches!(source_type, "uuid" | "inet6" | "inet4") => {
            format!("CAST(? AS {source_type})")
        }
        Kind::Text => match collation {
            Some((charset, collation)) => format!("CONVERT(? USING {charset}) COLLATE {collation}"),
            None => "?".to_owned(),
        },
        _ => "?".to_owned(),
    };
    Part { column, order: quoted, value }
}

/// Canonical text as a parameter.
fn parameter(part: &Part<'_>, text: &str) -> Option<Value> {
    let source_type = part.column.source_type.as_str();
    Some(match part.column.kind {
        Kind::Int { .. } => Value::Int(text.parse().ok()?),
        Kind::Unsigned { .. } => Value::UInt(text.parse().ok()?),
        // As 8 bytes, which is what the server compares a FLOAT as.
        Kind::Float4 => Value::Double(f64::from(text.parse::<f32>().ok()?)),
        Kind::Float8 => Value::Double(text.parse().ok()?),
        Kind::Bytes => Value::from(text.strip_prefix("\\x")?),
        Kind::TimestampTz => Value::from(text.strip_suffix("+00")?),
        _ if source_type.is_empty() => return None,
        _ => Value::from(text),
    })
}
