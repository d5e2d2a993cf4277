//! Reading the store while the writer works: a connection per statement, short snapshots.
//!
//! Statements do not wait for each other; how many run at once is for the caller to bound.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use duckdb::{Connection, InterruptHandle, OptionalExt};

use super::{Lease, Mark};
use crate::error::{Error, ErrorKind, Result};
use crate::store::refusal::{InStore, asked};

/// Where reading connections come from. Shared.
#[derive(Debug)]
pub struct Reader {
    /// Only ever cloned: no statement runs on it, so nobody waits for it.
    origin: Mutex<Connection>,
    lease: Arc<Lease>,
}

/// A connection for one statement.
#[derive(Debug)]
pub struct Statement {
    connection: Connection,
    pub(super) is_stopped: Arc<AtomicBool>,
    /// After the connection: fields are dropped in this order.
    _lease: Arc<Lease>,
}

/// Stops its statement when it is dropped: whoever asked is gone then, or has waited enough.
pub struct Stop {
    handle: Arc<InterruptHandle>,
    is_stopped: Arc<AtomicBool>,
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stop").field("is_stopped", &self.is_stopped).finish_non_exhaustive()
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        // First the word, for a statement that has not begun, then the interruption.
        self.is_stopped.store(true, Ordering::Release);
        self.handle.interrupt();
    }
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
    pub(super) fn new(writer: &Connection, lease: &Arc<Lease>) -> Result<Self> {
        Ok(Self { origin: Mutex::new(opened(writer)?), lease: Arc::clone(lease) })
    }

    /// A connection for one statement.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn statement(&self) -> Result<Statement> {
        let origin = self.origin.lock().map_err(|_| {
            Error::new(ErrorKind::Bug, "the reading side was left by a thread that panicked")
        })?;
        let connection = opened(&origin)?;
        let lease = Arc::clone(&self.lease);
        Ok(Statement { connection, is_stopped: Arc::default(), _lease: lease })
    }

    /// How far the store is.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn mark(&self) -> Result<Mark> {
        mark(&self.statement()?.connection)
    }

    /// See [`Statement::query`].
    ///
    /// # Errors
    /// See there.
    pub fn query(&self, sql: &str, rows_max: usize) -> Result<Rows> {
        self.statement()?.query(sql, rows_max)
    }

    /// Runs `read` on one snapshot of the store.
    ///
    /// # Errors
    /// [`ErrorKind::Store`], or what `read` returns.
    pub fn snapshot<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let failed = || "could not read the store".to_owned();
        self.statement()?.read_only(failed, read)
    }
}

impl Statement {
    /// What stops it. Keep it while the answer is wanted.
    #[must_use]
    pub fn stop(&self) -> Stop {
        let handle = self.connection.interrupt_handle();
        Stop { handle, is_stopped: Arc::clone(&self.is_stopped) }
    }

    /// Runs one SELECT of the operator's, read-only, and returns at most `rows_max` rows.
    ///
    /// The text is bound to `FROM query($1)` inside a read-only transaction: DuckDB itself then
    /// refuses everything that is not a single SELECT (`reference/duckdb.md` §5). What a SELECT
    /// could reach besides the store was closed when the store was opened.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] with DuckDB's words if the statement is refused, fails or is stopped.
    pub fn query(self, sql: &str, rows_max: usize) -> Result<Rows> {
        let failed = || "the statement failed".to_owned();
        self.read_only(failed, |connection| {
            if self.is_stopped.load(Ordering::Acquire) {
                return Err(Error::new(ErrorKind::Usage, "the statement was stopped"));
            }
            select(connection, sql, rows_max).map_err(|error| asked(&error))
        })
    }

    /// Those of `entities` that are not ready: their rows are not all there yet.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn not_ready(&self, entities: &BTreeSet<String>) -> Result<Vec<String>> {
        let mut missing = Vec::new();
        for entity in entities {
            if !is_ready(&self.connection, entity)? {
                missing.push(entity.clone());
            }
        }
        Ok(missing)
    }

    /// Runs `read` on one snapshot of the store, with temp tables of its own. What it writes is given
    /// up.
    ///
    /// # Errors
    /// [`ErrorKind::Store`], or what `read` returns.
    pub fn apart<T>(self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.within("BEGIN TRANSACTION", || "could not read the store".to_owned(), read)
    }

    pub(super) fn read_only<T>(
        &self,
        failed: impl Fn() -> String,
        read: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        self.within("BEGIN TRANSACTION READ ONLY", failed, read)
    }

    fn within<T>(
        &self,
        begin: &str,
        failed: impl Fn() -> String,
        read: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        let connection = &self.connection;
        connection.execute_batch(begin).in_store(&failed)?;
        let value = read(connection);
        let ended = connection.execute_batch("ROLLBACK").in_store(&failed);
        value.and_then(|value| ended.map(|()| value))
    }
}

fn opened(from: &Connection) -> Result<Connection> {
    let what = || "could not open a reading connection to the store".to_owned();
    let connection = from.try_clone().in_store(what)?;
    connection.execute_batch("SET TimeZone = 'UTC'").in_store(what)?;
    Ok(connection)
}

/// True once differences of `entity` are events.
///
/// # Errors
/// [`ErrorKind::Store`].
pub fn is_ready(connection: &Connection, entity: &str) -> Result<bool> {
    connection
        .query_row("SELECT count(*) FROM ops.entity_ready WHERE entity = ?", [entity], |row| {
            row.get::<_, i64>(0)
        })
        .map(|count| count > 0)
        .in_store(|| format!("could not read whether {entity} is ready"))
}

/// Entities whose differences are events.
///
/// # Errors
/// [`ErrorKind::Store`].
pub fn ready_entities(connection: &Connection) -> Result<BTreeSet<String>> {
    let what = || "could not read which entities are ready".to_owned();
    let sql = "SELECT DISTINCT entity FROM ops.entity_ready";
    let mut statement = connection.prepare(sql).in_store(what)?;
    statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).in_store(what)
}

/// How far the store is, as of the connection's snapshot.
///
/// # Errors
/// [`ErrorKind::Store`].
pub fn mark(connection: &Connection) -> Result<Mark> {
    connection
        .query_row(
            "SELECT batch, journal_seq, event_sequence,
                coalesce((SELECT max(conformed_entry) FROM ops.open_transaction), 0)
             FROM ops.mark ORDER BY batch DESC LIMIT 1",
            [],
            |row| {
                Ok(Mark {
                    batch: row.get(0)?,
                    journal_seq: row.get(1)?,
                    event_sequence: row.get(2)?,
                    part: row.get(3)?,
                })
            },
        )
        .optional()
        .map(Option::unwrap_or_default)
        .in_store(|| "could not read the store's mark".to_owned())
}

fn select(connection: &Connection, sql: &str, rows_max: usize) -> duckdb::Result<Rows> {
    // One level further: every column as text, exactly as DuckDB prints it. The limit keeps the
    // rest from being computed; one row more tells that there is a rest.
    let limit = rows_max.saturating_add(1);
    let outer = format!("SELECT CAST(COLUMNS(*) AS VARCHAR) FROM query($1) LIMIT {limit}");
    let mut statement = connection.prepare(&outer)?;
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

#[cfg(test)]
mod tests;
