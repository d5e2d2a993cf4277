//! The answer to one SELECT of a person, typed, piece by piece: no result is ever held whole.

use std::sync::atomic::Ordering;

use arrow::array::{Array, StringArray};
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use duckdb::Connection;

use super::reader::Statement;
use super::refusal::asked;
use crate::error::{Context, Error, ErrorKind, Result};

/// What a column holds, as far as people's tools tell types apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true`, `false`.
    Bool,
    /// 16 bits, signed.
    Int16,
    /// 32 bits, signed.
    Int32,
    /// 64 bits, signed.
    Int64,
    /// 32 bits, binary.
    Float32,
    /// 64 bits, binary.
    Float64,
    /// Exact, of any size.
    Decimal,
    /// Year, month, day.
    Date,
    /// Time of day, microseconds.
    Time,
    /// Without a zone, microseconds.
    Timestamp,
    /// An instant, microseconds.
    TimestampTz,
    /// Everything else, as the store prints it.
    Text,
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name; need not be the only one of its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// Who asks, as far as they are told so again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Their name.
    pub user: String,
    /// What they call the database.
    pub database: String,
}

/// Cells as the store prints them, in the order of the columns; `None` is NULL.
pub type Row = Vec<Option<String>>;

impl Statement {
    /// The columns that a SELECT would answer with.
    ///
    /// # Errors
    /// As [`Statement::answer`].
    pub fn columns(self, session: &Session, sql: &str) -> Result<Vec<Column>> {
        self.read(session, |connection| columns(connection, sql))
    }

    /// Runs one SELECT, read-only (see [`Statement::query`] for what is refused and how). Gives its
    /// columns to `open`, then its rows to `take`, until one of them says that nobody listens any
    /// more.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] with DuckDB's words if the statement is refused, fails or is stopped.
    pub fn answer(
        self,
        session: &Session,
        sql: &str,
        open: impl FnOnce(Vec<Column>) -> bool,
        mut take: impl FnMut(Vec<Row>) -> bool,
    ) -> Result<()> {
        self.read(session, |connection| {
            if !open(columns(connection, sql)?) {
                return Ok(());
            }
            let rows = include_str!("../../sql/store/answer.sql");
            let mut statement = connection.prepare(rows).map_err(|error| asked(&error))?;
            // Sets the statement going; the stream itself is not used, because it panics where
            // this fails.
            statement.stream_arrow([sql]).map(drop).map_err(|error| asked(&error))?;
            while let Some(some) = statement.step().map_err(|error| asked(&error))? {
                if !take(rows_of(&RecordBatch::from(some))?) {
                    break;
                }
            }
            Ok(())
        })
    }

    fn read<T>(&self, session: &Session, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.read_only(failed, |connection| {
            if self.is_stopped.load(Ordering::Acquire) {
                return Err(Error::new(ErrorKind::Usage, "the statement was stopped"));
            }
            connection
                .execute(
                    include_str!("../../sql/store/answer_session.sql"),
                    [&session.user, &session.database],
                )
                .context(ErrorKind::Store, failed)?;
            // Where names of PostgreSQL's catalogs and functions are found before DuckDB's own.
            let path = "SET search_path = 'main,pg'";
            connection.execute_batch(path).context(ErrorKind::Store, failed)?;
            read(connection)
        })
    }
}

fn failed() -> String {
    "the statement failed".to_owned()
}

fn columns(connection: &Connection, sql: &str) -> Result<Vec<Column>> {
    let read = || -> duckdb::Result<Vec<Column>> {
        let mut statement =
            connection.prepare(include_str!("../../sql/store/answer_columns.sql"))?;
        let schema = statement.stream_arrow([sql])?.get_schema();
        Ok(columns_of(&schema))
    };
    read().map_err(|error| asked(&error))
}

fn columns_of(schema: &Schema) -> Vec<Column> {
    let fields = schema.fields().iter();
    let of = |field: &std::sync::Arc<arrow::datatypes::Field>| Column {
        name: field.name().clone(),
        kind: kind(field.data_type()),
    };
    fields.map(of).collect()
}

fn kind(of: &DataType) -> Kind {
    match of {
        DataType::Boolean => Kind::Bool,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => Kind::Int16,
        DataType::Int32 | DataType::UInt16 => Kind::Int32,
        DataType::Int64 | DataType::UInt32 => Kind::Int64,
        DataType::UInt64 | DataType::Decimal128(..) => Kind::Decimal,
        DataType::Float32 => Kind::Float32,
        DataType::Float64 => Kind::Float64,
        DataType::Date32 => Kind::Date,
        DataType::Time64(_) => Kind::Time,
        DataType::Timestamp(_, None) => Kind::Timestamp,
        DataType::Timestamp(_, Some(_)) => Kind::TimestampTz,
        _ => Kind::Text,
    }
}

fn rows_of(batch: &RecordBatch) -> Result<Vec<Row>> {
    let texts = batch.columns().iter().map(|column| column.as_any().downcast_ref::<StringArray>());
    let texts: Option<Vec<&StringArray>> = texts.collect();
    let texts = texts.ok_or_else(|| Error::new(ErrorKind::Bug, "an answer is not text"))?;
    let cell =
        |text: &&StringArray, at: usize| text.is_valid(at).then(|| text.value(at).to_owned());
    let row = |at: usize| texts.iter().map(|text| cell(text, at)).collect();
    Ok((0..batch.num_rows()).map(row).collect())
}
