//! The store: everything people look at, derived from the journal. The only module that knows
//! DuckDB.
//!
//! One writer: [`Store`] lives on the conform thread and does everything of a batch in one
//! DuckDB transaction, its [`Mark`] included. Readers ([`reader`]) have connections of their own.
//! Only DELETE + INSERT and appends; no keys, no indexes, no persistent DDL in a batch
//! (`reference/duckdb.md` §0 says what else happens).

pub mod answer;
pub mod changes;
pub mod collapse;
mod contents;
pub mod evaluate;
mod events;
pub mod export;
pub mod expr;
mod lease;
pub mod live;
pub mod mapping_test;
mod memory;
pub mod mirror;
pub mod overlay;
pub mod prepared;
pub mod reader;
pub mod rebuild;
mod refusal;
mod slices;
mod stage;
mod track;
pub mod types;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use duckdb::{Config, Connection, OptionalExt, params};

use crate::error::{Context, Error, ErrorKind, Result};
use lease::Lease;
pub use live::Live;
pub use mirror::{MirrorState, MirrorTable};
pub use reader::Reader;
use refusal::InStore;
pub use refusal::is_about_memory;
pub use slices::OpenTransaction;

/// What people's tools look names up in: one commit at each opening.
const CATALOGS: &str = concat!(
    "BEGIN TRANSACTION;",
    include_str!("../sql/store/catalog.sql"),
    include_str!("../sql/store/catalog_functions.sql"),
    include_str!("../sql/store/catalog_information.sql"),
    "COMMIT;"
);

/// How far the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// The last batch it has; 0 if none.
    pub batch: u64,
    /// Every transaction that ends at or before this journal entry is conformed.
    pub journal_seq: u64,
    /// Of the transaction that ends with the entry after `journal_seq`, the parts up to this entry
    /// are conformed, too: [`OpenTransaction`]. 0: none.
    pub part: u64,
    /// The last event of all batches so far.
    pub event_sequence: u64,
}

/// What DuckDB may use.
#[derive(Debug, Clone, Copy)]
pub struct StoreLimits {
    /// Buffer memory, bytes.
    pub memory_bytes: u64,
    /// Threads.
    pub threads: u32,
}

/// The writing side. `Send`, not shared.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    path: PathBuf,
    mirrors: mirror::Mirrors,
    /// A table became unproven, and nobody has asked yet.
    is_doubt_new: bool,
    /// A column became text, and nobody has asked yet.
    is_widened: bool,
    /// Staged values are tried before they are cast: one of them was refused.
    is_careful: bool,
    memory: memory::Memory,
    /// After the connection: fields are dropped in this order.
    lease: Arc<Lease>,
}

impl Store {
    /// Opens the store in the state folder, making it when it is not there. `live` answers what only
    /// the process knows.
    ///
    /// # Errors
    /// [`ErrorKind::Store`]; a damaged file is left where it is, for a person to look at.
    pub fn open(state_dir: &Path, limits: StoreLimits, live: &Live) -> Result<Self> {
        let path = file(state_dir);
        let what = || format!("could not open the store {}", path.display());
        let lease = Lease::take(&path)?;
        if !path.exists() {
            set_log_aside(&path)?;
        }
        let config = configured(&path, limits).in_store(what)?;
        let connection = Connection::open_with_flags(&path, config).map_err(|error| {
            Error::new(ErrorKind::Store, what()).caused_by(error).hint(
                "restore it with the whole state folder from a backup; or move this file and its \
                 .wal aside and start: the store is made anew from the archive, and its sources are \
                 copied",
            )
        })?;
        live.register(&connection)?;
        connection.execute_batch(include_str!("../sql/store/schema.sql")).in_store(what)?;
        connection.execute_batch(include_str!("../sql/store/ops.sql")).in_store(what)?;
        connection.execute_batch(CATALOGS).in_store(what)?;
        connection.execute_batch(include_str!("../sql/store/seal.sql")).in_store(what)?;
        let mirrors = mirror::Mirrors::load(&connection)?;
        Ok(Self {
            connection,
            path,
            mirrors,
            is_doubt_new: false,
            is_widened: false,
            is_careful: false,
            memory: memory::Memory::of(limits.memory_bytes),
            lease,
        })
    }

    /// The connection, for what evaluates on it within the batch's transaction.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Reading, in the same process (no other process can open the file).
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn reader(&self) -> Result<Reader> {
        Reader::new(&self.connection, &self.lease)
    }

    /// How far the store is.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn mark(&self) -> Result<Mark> {
        reader::mark(&self.connection)
    }

    /// Begins the transaction of a batch.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn begin(&self) -> Result<()> {
        self.run("BEGIN TRANSACTION", "begin a batch")
    }

    /// Ends it; the mark is part of it. After an error the outcome is not known (DuckDB may
    /// have committed and failed in its checkpoint): open again and read the mark.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn commit(&mut self, mark: Mark, as_of_micros: i64) -> Result<()> {
        self.connection
            .execute(
                "INSERT INTO ops.mark VALUES (?, ?, ?, make_timestamp(?))",
                params![mark.batch, mark.journal_seq, mark.event_sequence, as_of_micros],
            )
            .in_store(|| "could not write the store's mark".to_owned())?;
        crate::failpoint::reach("before-store-commit");
        self.run("COMMIT", "commit a batch")?;
        crate::failpoint::reach("after-store-commit");
        Ok(())
    }

    /// Ends a transaction that is no batch: the mark stays.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn commit_beside(&self) -> Result<()> {
        self.run("COMMIT", "commit")
    }

    /// Gives the batch up; the store is as before it.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn rollback(&mut self) -> Result<()> {
        // Without a transaction there is nothing to give up, which is what we want; after a
        // failed statement DuckDB has one that accepts nothing but this.
        if let Err(error) = self.connection.execute_batch("ROLLBACK") {
            tracing::debug!(%error, "there was no batch to give up");
        }
        self.mirrors = mirror::Mirrors::load(&self.connection)?;
        Ok(())
    }

    /// Housekeeping between batches: forgets old marks and moves the write-ahead log into the
    /// file, so that neither happens inside a commit.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn tidy_up(&self) -> Result<()> {
        self.run(
            "DELETE FROM ops.mark WHERE batch < (SELECT max(batch) FROM ops.mark)",
            "forget old marks",
        )?;
        match self.run("CHECKPOINT", "checkpoint") {
            // Somebody verifies an entity, in a transaction of temp tables that he gives up: the next time.
            Err(error) if refusal::is_about_another(&error) => Ok(()),
            done => done,
        }
    }

    /// Drops the raw changes of months that had ended by `before_micros` (microseconds since
    /// 1970-01-01 UTC); the names of their tables. The file keeps its size and uses the room again.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn forget_changes(&self, before_micros: i64) -> Result<Vec<String>> {
        changes::forget(&self.connection, before_micros)
    }

    /// Bytes of the write-ahead log.
    #[must_use]
    pub fn wal_bytes(&self) -> u64 {
        std::fs::metadata(log_of(&self.path)).map(|meta| meta.len()).unwrap_or(0)
    }

    /// The mirrored tables.
    #[must_use]
    pub fn mirrors(&self) -> &mirror::Mirrors {
        &self.mirrors
    }

    fn run(&self, sql: &str, what: &str) -> Result<()> {
        self.connection
            .execute_batch(sql)
            .in_store(|| format!("could not {what} in {}", self.path.display()))
    }
}

/// The store's file in a state folder.
#[must_use]
pub fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("store.duckdb")
}

/// How every store is opened. What does not fit into memory is spilled beside the file.
fn configured(path: &Path, limits: StoreLimits) -> duckdb::Result<Config> {
    let temp = path.with_file_name("store.tmp");
    Config::default()
        .enable_autoload_extension(false)?
        .with("allow_community_extensions", "false")?
        .with("memory_limit", format!("{}B", limits.memory_bytes))?
        .with("threads", limits.threads.to_string())?
        .with("temp_directory", temp.to_string_lossy())?
        .with("preserve_insertion_order", "true")
}

/// The write-ahead log of a file of DuckDB.
fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push(".wal");
    log.into()
}

/// A write-ahead log without its file belongs to a store that is gone: another one must not take it
/// for its own.
fn set_log_aside(path: &Path) -> Result<()> {
    let log = log_of(path);
    let aside = log.with_extension("wal.lost");
    match std::fs::rename(&log, &aside) {
        Ok(()) => tracing::warn!(path = %aside.display(), "a write-ahead log without its store"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let what = || format!("could not move {} aside", log.display());
            return Err(error).context(ErrorKind::Store, what);
        }
    }
    Ok(())
}

/// Runs one statement of ours with a message that says what for.
fn execute(connection: &Connection, sql: &str, what: impl FnOnce() -> String) -> Result<usize> {
    connection.execute(sql, []).in_store(what)
}

/// Reads one optional value.
fn optional<T: duckdb::types::FromSql>(
    connection: &Connection,
    sql: &str,
    what: impl FnOnce() -> String,
) -> Result<Option<T>> {
    let value = connection.query_row(sql, [], |row| row.get(0)).optional();
    value.in_store(what)
}
