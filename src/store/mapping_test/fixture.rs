//! Reads a pack's fixture and makes mirror tables of it.
//!
//! The fixture is the pack author's own SQL and runs as it is, in an in-memory database.

use std::path::Path;

use duckdb::Connection;

use crate::canon::event::Row;
use crate::canon::mapping;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::store::evaluate::quote;
use crate::store::refusal::failed;

/// The schema in which the fixture's own tables, with their primary keys, stay as they are.
pub(super) const ORIGINAL: &str = "fixture_original";

/// A pack's `fixture/tables.sql`.
pub(super) struct Fixture {
    sql: String,
    path: String,
    /// `$as_of` of the expected rows.
    pub(super) as_of_micros: i64,
    /// `$timezone` of the mappings.
    pub(super) timezone: String,
}

/// One mirror table of the fixture.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its name in the mirror.
    pub(super) name: String,
    /// Its columns.
    pub(super) columns: Vec<Column>,
}

/// One of its columns.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: String,
    /// Its type.
    pub(super) kind: String,
    /// Part of the primary key.
    pub(super) key: bool,
    /// May be NULL.
    pub(super) nullable: bool,
}

impl Fixture {
    /// Reads the file.
    pub(super) fn read(sql_dir: Option<&Path>, pack: &str) -> Result<Self> {
        let path = format!("mappings/{pack}/fixture/tables.sql");
        let sql = mapping::fixture(sql_dir, pack, "tables.sql")?.ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("{path} is missing"))
                .hint("write CREATE TABLE with PRIMARY KEY, and INSERTs of invented rows")
        })?;
        let said = |what: &str| sql.lines().find_map(|line| line.trim().strip_prefix(what));
        let as_of_micros = match said("-- as_of:") {
            None => return Err(no_as_of(&path)),
            Some(text) => micros(text.trim()).ok_or_else(|| no_as_of(&path))?,
        };
        let timezone = said("-- timezone:").map_or("UTC", str::trim).to_owned();
        Ok(Self { sql, path, as_of_micros, timezone })
    }

    /// Makes the fixture's tables, and mirror tables without keys in schema `schema`.
    pub(super) fn load(&self, connection: &Connection, schema: &str) -> Result<Vec<Table>> {
        let run = |sql: &str| {
            connection
                .execute_batch(sql)
                .map_err(|error| failed(format!("could not run {}", self.path), &error))
        };
        run(&format!("CREATE SCHEMA {ORIGINAL}; USE {ORIGINAL};"))?;
        run(&self.sql)?;
        run(&format!("USE main; CREATE SCHEMA {};", quote(schema)))?;
        let tables = tables(connection)?;
        for table in &tables {
            if !table.columns.iter().any(|column| column.key) {
                let what = format!("{}: table {} has no PRIMARY KEY", self.path, table.name);
                return Err(Error::new(ErrorKind::Config, what).hint("give it one"));
            }
            let name = quote(&table.name);
            run(&format!("CREATE TABLE {}.{name} AS FROM {ORIGINAL}.{name}", quote(schema)))?;
        }
        Ok(tables)
    }
}

/// The rows of `fixture/<entity>.json`.
pub(super) fn expected(sql_dir: Option<&Path>, pack: &str, entity: &str) -> Result<Vec<Row>> {
    let path = format!("mappings/{pack}/fixture/{entity}.json");
    let text = mapping::fixture(sql_dir, pack, &format!("{entity}.json"))?.ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("{path} is missing"))
            .hint("write the canonical rows you expect, as a JSON array")
    })?;
    serde_json::from_str(&text).context(ErrorKind::Config, || format!("could not read {path}"))
}

fn no_as_of(path: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{path} does not say when it is"))
        .hint("add a line `-- as_of: 2026-03-31 12:00:00`")
}

fn micros(text: &str) -> Option<i64> {
    let time: jiff::civil::DateTime = text.parse().ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond())
}

fn tables(connection: &Connection) -> Result<Vec<Table>> {
    let read = || -> duckdb::Result<Vec<Table>> {
        let sql = include_str!("../../../sql/store/evaluate/fixture_columns.sql");
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([ORIGINAL])?;
        let mut tables: Vec<Table> = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(0)?;
            let column = Column {
                name: row.get(1)?,
                kind: row.get(2)?,
                nullable: row.get(3)?,
                key: row.get(4)?,
            };
            match tables.last_mut().filter(|table| table.name == name) {
                Some(table) => table.columns.push(column),
                None => tables.push(Table { name, columns: vec![column] }),
            }
        }
        Ok(tables)
    };
    read().map_err(|error| failed("could not read the fixture's columns".to_owned(), &error))
}
