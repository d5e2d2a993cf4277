//! The SQL that walks a table by its primary key: order and comparison are the server's.
//!
//! Pure text; every value is a parameter.

use std::fmt::Write;

use mysql_async::Value;

use super::catalog::Described;
use crate::change::{Column, Kind, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::source::conditions::of_mysql;
use crate::source::span::{Bound, Edge, Span};

/// Whatever the optimizer thinks of it.
const FORCED: &str = " FORCE INDEX (PRIMARY)";

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

    /// The statement for the first rows of a part, and its parameters.
    ///
    /// # Errors
    /// `Bug` if the part is not of this table.
    pub(super) fn select(&self, span: Span<'_>, rows_max: u32) -> Result<(String, Vec<Value>)> {
        let columns: Vec<String> =
            self.table.columns.iter().map(|column| quote(&column.name)).collect();
        let mut sql = format!("SELECT {} FROM {}", columns.join(", "), self.table_name());
        // The key's own order needs no sort; without the hint a small table may be sorted.
        if self.is_in_order() {
            sql.push_str(FORCED);
        }
        let mut parameters = Vec::new();
        let mut conditions = Vec::new();
        for bound in span.bounds() {
            conditions.push(self.condition(bound, &mut parameters)?);
        }
        let chosen = self.table.rows.iter().chain(span.only);
        conditions.extend(chosen.map(|rows| of_mysql(rows, self.table, quote)));
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        // Writing to a string cannot fail.
        write!(sql, " ORDER BY {} LIMIT {rows_max}", self.order(Edge::First)).unwrap_or_default();
        Ok((sql, parameters))
    }

    /// The statement for one key on one side of a bound, the `nth` after the first, if it lies `within` others.
    /// `None` if the table's key
    /// does not stand in the order in which it is walked.
    ///
    /// # Errors
    /// As [`Keys::select`].
    pub(super) fn probe(
        &self,
        (bound, edge, nth): (Option<Bound<'_>>, Edge, u32),
        within: &[Bound<'_>],
    ) -> Result<Option<(String, Vec<Value>)>> {
        if !self.is_in_order() {
            return Ok(None);
        }
        let mut parameters = Vec::new();
        let bound = match bound {
            Some(bound) => format!(" WHERE {}", self.condition(bound, &mut parameters)?),
            None => String::new(),
        };
        let mut conditions = Vec::new();
        for bound in within {
            conditions.push(self.condition(*bound, &mut parameters)?);
        }
        let names: Vec<String> = self.columns().map(|column| quote(&column.name)).collect();
        let within = match conditions.is_empty() {
            true => String::new(),
            false => format!(" WHERE {}", conditions.join(" AND ")),
        };
        let sql = format!(
            "SELECT * FROM (SELECT {} FROM {}{FORCED}{bound} ORDER BY {} LIMIT 1 OFFSET {nth}) AS found{within}",
            names.join(", "),
            self.table_name(),
            self.order(edge),
        );
        Ok(Some((sql, parameters)))
    }

    /// The columns of the key, in its order.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'a Column> + '_ {
        self.parts.iter().map(|part| part.column)
    }

    fn table_name(&self) -> String {
        let name = &self.table.name;
        format!("{}.{}", quote(&name.schema), quote(&name.name))
    }

    /// Whether the server keeps the rows in the order in which they are walked.
    fn is_in_order(&self) -> bool {
        self.parts.iter().all(|part| part.order == quote(&part.column.name))
    }

    fn order(&self, edge: Edge) -> String {
        let order = self.parts.iter().map(|part| format!("{}{}", part.order, edge.order()));
        order.collect::<Vec<_>>().join(", ")
    }

    /// `a >= ? AND (a > ? OR (a = ? AND (b > ?)))`: the first comparison finds the place in the
    /// index, the rest is exact. Of the beginning of a key likewise.
    fn condition(&self, bound: Bound<'_>, parameters: &mut Vec<Value>) -> Result<String> {
        let (cells, comparison) = bound.parts();
        let mut values = Vec::with_capacity(cells.len());
        for (part, cell) in self.parts.iter().zip(cells) {
            let text = cell.bytes().and_then(|bytes| std::str::from_utf8(bytes).ok());
            values
                .push(text.and_then(|text| parameter(part, text)).ok_or_else(|| self.not_a_key())?);
        }
        if values.len() != cells.len() || values.is_empty() {
            return Err(self.not_a_key());
        }
        let beyond = &comparison[..1];
        let mut sql = String::new();
        if let (Some(part), Some(value)) = (self.parts.first(), values.first()) {
            parameters.push(value.clone());
            sql = format!("{} {beyond}= {} AND ", part.order, part.value);
        }
        let last = values.len() - 1;
        for (place, (part, value)) in self.parts.iter().zip(&values).enumerate() {
            let (order, placeholder) = (&part.order, &part.value);
            parameters.push(value.clone());
            if place == last {
                write!(sql, "({order} {comparison} {placeholder}").unwrap_or_default();
            } else {
                parameters.push(value.clone());
                write!(sql, "({order} {beyond} {placeholder} OR ({order} = {placeholder} AND ")
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
        "ALTER TABLE {}.{} ADD PRIMARY KEY (…); or add \"!{name}\" to `tables`. Or mirror it without: \
         keyless = [\"{name}\"] in its source.",
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
        // (MySQL takes what it is to cast to a time for a date and a time, and so `10:00` for a date.)
        Kind::Time => "CAST(CAST(? AS CHAR) AS TIME(6))".to_owned(),
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
