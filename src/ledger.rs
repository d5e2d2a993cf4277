//! The ledger: what must not be lost. The only module that knows SQLite.
//!
//! The *journal* is a folder of segments ([`journal`]); everything else is in `ledger.sqlite`.
//! They are separate files because one file lets the outbox starve capture (its 1 MiB commit
//! went from 5 to 545 ms). A source is acknowledged when the journal has it.

pub mod batch;
pub mod copies;
pub mod drift;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod glance;
pub mod journal;
pub mod outbox;
pub mod parked;
pub mod run;
pub mod seal;
pub mod segment;
mod sqlite;
pub mod standing;
#[cfg(test)]
pub(crate) mod tests;
pub mod unread;

use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use rusqlite::Connection;
use uuid::Uuid;

use crate::error::{Context, Error, ErrorKind, Result};

/// `ledger.sqlite`, shared by the loops. Calls block for a commit at most.
#[derive(Debug)]
pub struct Ledger {
    connection: Mutex<Connection>,
    install: Uuid,
}

impl Ledger {
    /// Opens the ledger in the state folder, making it when it is not there.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] if the file cannot be used.
    pub fn open(state_dir: &Path) -> Result<Self> {
        let path = state_dir.join("ledger.sqlite");
        let connection = sqlite::open(&path)?;
        connection
            .execute_batch(include_str!("../sql/ledger/ledger.sql"))
            .context(ErrorKind::Ledger, || format!("could not prepare {}", path.display()))?;
        let install = install_id(&connection)?;
        Ok(Self { connection: Mutex::new(connection), install })
    }

    /// Names this install for ever; part of every event id and of every slot's name.
    #[must_use]
    pub fn install(&self) -> Uuid {
        self.install
    }

    fn lock(&self) -> Result<MutexGuard<'_, Connection>> {
        self.connection.lock().map_err(|_| {
            Error::new(ErrorKind::Bug, "the ledger was left by a thread that panicked")
        })
    }
}

fn install_id(connection: &Connection) -> Result<Uuid> {
    let what = || "could not read the install id of the ledger".to_owned();
    let fresh = Uuid::new_v4().to_string();
    connection
        .execute("INSERT OR IGNORE INTO fact (name, value) VALUES ('install', ?1)", [fresh])
        .context(ErrorKind::Ledger, what)?;
    let text: String = connection
        .query_row("SELECT value FROM fact WHERE name = 'install'", [], |row| row.get(0))
        .context(ErrorKind::Ledger, what)?;
    Uuid::parse_str(&text).context(ErrorKind::Ledger, what)
}
