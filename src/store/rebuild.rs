//! Makes a lost store anew from what the archive and the queue hold: events, history, and the
//! canonical rows as they were last told to anybody. The mirror is not in it: that is copied.
//!
//! It works on a file of another name, before that is sealed off from all files, and puts it in its
//! place last.

use std::path::{Path, PathBuf};

use duckdb::{Connection, params};
use uuid::Uuid;

use super::evaluate::{Evaluator, key_text, literal, quote};
use super::export::Kind;
use super::{Mark, StoreLimits, configured, events, log_of, set_log_aside};
use crate::canon::entity::Attribute;
use crate::canon::{Entity, Event};
use crate::error::{Context, ErrorKind, Result};
use crate::store::refusal::InStore;

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedFile {
    /// What it holds.
    pub kind: Kind,
    /// Of which entity; empty for events.
    pub entity: String,
    /// Where it is.
    pub path: PathBuf,
}

/// A store in the making.
#[derive(Debug)]
pub struct Rebuild {
    connection: Connection,
    path: PathBuf,
    /// The last batch that the archive has.
    after: u64,
}

impl Rebuild {
    /// Begins with an empty file at `path`, whatever was there. `after`: the last batch that the
    /// archive has.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn begin(path: &Path, limits: StoreLimits, after: u64) -> Result<Self> {
        let what = || format!("could not begin the store {}", path.display());
        remove(path)?;
        let config = configured(path, limits).in_store(what)?;
        let connection = Connection::open_with_flags(path, config).in_store(what)?;
        connection.execute_batch(include_str!("../../sql/store/schema.sql")).in_store(what)?;
        connection.execute_batch("SET TimeZone = 'UTC'; BEGIN TRANSACTION").in_store(what)?;
        Ok(Self { connection, path: path.to_owned(), after })
    }

    /// Takes in what was sealed, oldest first. Of canonical rows only the newest seal's count.
    ///
    /// # Errors
    /// [`ErrorKind::Store`]: a file cannot be read.
    pub fn take_in(&self, evaluator: &mut Evaluator, files: &[SealedFile]) -> Result<()> {
        evaluator.create_tables(&self.connection)?;
        self.run(
            "CREATE TEMP TABLE rebuilt_batch (id UBIGINT, as_of TIMESTAMP)",
            "the list of batches",
        )?;
        for (number, file) in files.iter().enumerate() {
            tracing::info!(number, of = files.len(), path = %file.path.display(), "is taken in");
            self.take_file(evaluator, file)?;
        }
        Ok(())
    }

    fn take_file(&self, evaluator: &Evaluator, file: &SealedFile) -> Result<()> {
        let from = literal(&file.path.to_string_lossy());
        let (table, extra): (String, &[&str]) = match file.kind {
            Kind::Event => {
                let sql = include_str!("../../sql/store/rebuild/event.sql");
                return self.run(&sql.replace("{file}", &from), "the event log");
            }
            Kind::Canon => (file.entity.clone(), &["_changed_at"]),
            Kind::History => (
                format!("{}_history", file.entity),
                &["_op", "_changed_at", "_recorded_at", "_batch"],
            ),
        };
        // Of an entity that no mapping makes any more there are no tables.
        let Some(entity) = evaluator.entities().find(|entity| entity.name == file.entity) else {
            return Ok(());
        };
        let names = entity.attributes.iter().map(|attribute| attribute.name.as_str());
        let columns: Vec<String> = names.chain(extra.iter().copied()).map(literal).collect();
        let sql = include_str!("../../sql/store/rebuild/rows.sql")
            .replace("{table}", &quote(&table))
            .replace("{columns}", &columns.join(", "))
            .replace("{file}", &from);
        self.run(&sql, &table)
    }

    /// Notes a batch since the last seal.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn note_batch(&self, batch: u64, as_of_micros: i64) -> Result<()> {
        let sql = "INSERT INTO rebuilt_batch VALUES (?, make_timestamp(?))";
        self.connection
            .execute(sql, params![batch, as_of_micros])
            .map(drop)
            .in_store(|| format!("could not note batch {batch}"))
    }

    /// Takes in events of such a batch.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn take_events(&self, install: Uuid, batch: u64, made: &[Event]) -> Result<()> {
        events::append(&self.connection, install, batch, made)
    }

    /// Brings history and rows from the last seal to the last event, and ends at `mark`. Every
    /// entity counts as ready from here on: whatever the sources say next is a difference.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn finish(&self, evaluator: &Evaluator, mark: Mark, as_of_micros: i64) -> Result<()> {
        for entity in evaluator.entities() {
            self.catch_up(entity)?;
            self.connection
                .execute("INSERT INTO ops.entity_ready VALUES (?)", params![entity.name])
                .in_store(|| format!("could not note that {} is ready", entity.name))?;
        }
        self.connection
            .execute(
                "INSERT INTO ops.mark VALUES (?, ?, ?, make_timestamp(?))",
                params![mark.batch, mark.journal_seq, mark.event_sequence, as_of_micros],
            )
            .in_store(|| "could not write the store's mark".to_owned())?;
        self.run("COMMIT", "everything")?;
        // Into the one file that is put in the store's place.
        self.run("CHECKPOINT", "everything")
    }

    /// Closes the file and puts it where the store was.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn put_in_place(self, place: &Path) -> Result<()> {
        let Self { connection, path, .. } = self;
        let what = || format!("could not put the store {} in its place", place.display());
        connection.close().map_err(|(_, error)| error).in_store(what)?;
        set_log_aside(place)?;
        std::fs::rename(&path, place).context(ErrorKind::Store, what)
    }

    fn catch_up(&self, entity: &Entity) -> Result<()> {
        let value = |attribute: &Attribute| {
            let (name, kind) = (&attribute.name, attribute.kind.sql());
            format!(
                "CAST(cells ->> {} AS {kind}) AS {}",
                literal(&format!("$.\"{name}\"")),
                quote(name)
            )
        };
        let values: Vec<String> = entity.attributes.iter().map(value).collect();
        for sql in [
            include_str!("../../sql/store/rebuild/later_history.sql"),
            include_str!("../../sql/store/rebuild/later_gone.sql"),
            include_str!("../../sql/store/rebuild/later_rows.sql"),
        ] {
            let sql = sql
                .replace("{history}", &quote(&format!("{}_history", entity.name)))
                .replace("{table}", &quote(&entity.name))
                .replace("{entity}", &literal(&entity.name))
                .replace("{values}", &values.join(", "))
                .replace("{key}", &key_text("c.", entity))
                .replace("{after}", &self.after.to_string());
            self.run(&sql, &entity.name)?;
        }
        Ok(())
    }

    fn run(&self, sql: &str, what: &str) -> Result<()> {
        self.connection
            .execute_batch(sql)
            .in_store(|| format!("could not rebuild {what} in {}", self.path.display()))
    }
}

/// Removes a file of an attempt that was broken off, and its write-ahead log.
fn remove(path: &Path) -> Result<()> {
    for path in [path, &log_of(path)] {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let what = || format!("could not remove {}", path.display());
                return Err(error).context(ErrorKind::Store, what);
            }
            _ => {}
        }
    }
    Ok(())
}
