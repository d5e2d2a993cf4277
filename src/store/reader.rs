//! Reading the store while the writer works: connections of their own, short snapshots.

use std::sync::{Mutex, MutexGuard};

use duckdb::{Connection, OptionalExt};

use super::Mark;
use crate::error::{Context, Error, ErrorKind, Result};

/// A reading connection. Shared; one statement at a time.
#[derive(Debug)]
pub struct Reader {
    connection: Mutex<Connection>,
}

/// Rows of a statement, as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rows {
    /// Column names.
    pub columns: Vec<String>,
    /// Cells; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// True if there were more rows than asked for.
    pub cut: bool,
}

impl Reader {
    pub(super) fn new(writer: &Connection) -> Result<Self> {
        let what = || "could not open a reading connection to the store".to_owned();
        let connection = writer.try_clone().context(ErrorKind::Store, what)?;
        connection.execute_batch("SET TimeZone = 'UTC'").context(ErrorKind::Store, what)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// How far the store is.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn mark(&self) -> Result<Mark> {
        mark(&*self.lock()?)
    }

    /// Runs one SELECT of the operator's, read-only, and returns at most `rows_max` rows.
    ///
    /// The text is bound to `FROM query($1)` inside a read-only transaction: DuckDB itself then
    /// refuses everything that is not a single SELECT (`reference/duckdb.md` §5).
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] with DuckDB's words if the statement is refused or fails.
    pub fn query(&self, sql: &str, rows_max: usize) -> Result<Rows> {
        let connection = self.lock()?;
        let failed = || "the statement failed".to_owned();
        connection
            .execute_batch("BEGIN TRANSACTION READ ONLY")
            .context(ErrorKind::Store, failed)?;
        let rows = select(&connection, sql, rows_max).context(ErrorKind::Usage, failed);
        let ended = connection.execute_batch("ROLLBACK").context(ErrorKind::Store, failed);
        rows.and_then(|rows| ended.map(|()| rows))
    }

    /// Runs `read` on one snapshot of the store.
    ///
    /// # Errors
    /// [`ErrorKind::Store`], or what `read` returns.
    pub fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let connection = self.lock()?;
        let failed = || "could not read the store".to_owned();
        connection
            .execute_batch("BEGIN TRANSACTION READ ONLY")
            .context(ErrorKind::Store, failed)?;
        let value = read(&connection);
        let ended = connection.execute_batch("ROLLBACK").context(ErrorKind::Store, failed);
        value.and_then(|value| ended.map(|()| value))
    }

    /// Stops the statement that runs now, from another thread.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`].
    pub fn interrupt_handle(&self) -> Result<std::sync::Arc<duckdb::InterruptHandle>> {
        Ok(self.lock()?.interrupt_handle())
    }

    fn lock(&self) -> Result<MutexGuard<'_, Connection>> {
        self.connection.lock().map_err(|_| {
            Error::new(ErrorKind::Bug, "a reading connection was left by a thread that panicked")
        })
    }
}

pub(super) fn mark(connection: &Connection) -> Result<Mark> {
    connection
        .query_row(
            "SELECT batch, journal_seq, event_sequence FROM ops.mark ORDER BY batch DESC LIMIT 1",
            [],
            |row| {
                Ok(Mark {
                    batch: row.get(0)?,
                    journal_seq: row.get(1)?,
                    event_sequence: row.get(2)?,
                })
            },
        )
        .optional()
        .map(Option::unwrap_or_default)
        .context(ErrorKind::Store, || "could not read the store's mark".to_owned())
}

fn select(connection: &Connection, sql: &str, rows_max: usize) -> duckdb::Result<Rows> {
    // One level further: every column as text, exactly as DuckDB prints it.
    let mut statement = connection.prepare("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM query($1)")?;
    let mut found = statement.query([sql])?;
    let mut rows = Rows::default();
    if let Some(statement) = found.as_ref() {
        rows.columns = statement.column_names();
    }
    let width = rows.columns.len();
    while let Some(row) = found.next()? {
        if rows.rows.len() >= rows_max {
            rows.cut = true;
            break;
        }
        let cells = (0..width).map(|at| row.get(at)).collect::<duckdb::Result<Vec<_>>>()?;
        rows.rows.push(cells);
    }
    Ok(rows)
}
