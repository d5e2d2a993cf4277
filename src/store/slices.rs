//! The transaction that is conformed in slices, while it is: what people see is in the middle of it.

use duckdb::{OptionalExt, params};

use super::Store;
use crate::canon::Effect;
use crate::error::Result;
use crate::store::refusal::InStore;

/// A transaction too large for one batch, of which the store has some slices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTransaction {
    /// Whose it is.
    pub source: String,
    /// The journal entry with which it begins.
    pub first: u64,
    /// The journal entry that ends it.
    pub last: u64,
    /// The last of its entries that the store has.
    pub part: u64,
    /// The batch of its first slice.
    pub batch_first: u64,
    /// When that was decided, microseconds since 1970-01-01 UTC.
    pub since_micros: i64,
}

impl Store {
    /// Notes, in the batch's own transaction, that it ends within a transaction; `None`: it does
    /// not.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn set_open_transaction(&self, open: Option<&OpenTransaction>) -> Result<()> {
        let what = || "could not note the open transaction".to_owned();
        self.connection.execute("DELETE FROM ops.open_transaction", []).in_store(what)?;
        let Some(open) = open else { return Ok(()) };
        let OpenTransaction { source, first, last, part, batch_first, since_micros } = open;
        self.connection
            .execute(
                "INSERT INTO ops.open_transaction VALUES (?, ?, ?, ?, ?, make_timestamp(?))",
                params![source, first, last, part, batch_first, since_micros],
            )
            .in_store(what)
            .map(drop)
    }

    /// The transaction in whose middle the store is, if it is in one.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn open_transaction(&self) -> Result<Option<OpenTransaction>> {
        let sql = "SELECT source, first_entry, last_entry, conformed_entry, batch_first,
                       epoch_us(since) FROM ops.open_transaction";
        let read = self.connection.query_row(sql, [], |row| {
            Ok(OpenTransaction {
                source: row.get(0)?,
                first: row.get(1)?,
                last: row.get(2)?,
                part: row.get(3)?,
                batch_first: row.get(4)?,
                since_micros: row.get(5)?,
            })
        });
        read.optional().in_store(|| "could not read the open transaction".to_owned())
    }

    /// What the events of the batch `from` and of all later ones did to the rows of `entity`, each by
    /// what it was before and after all of them.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn effect_since(&self, entity: &str, from: u64) -> Result<Effect> {
        let sql = include_str!("../../sql/store/events_since.sql");
        self.connection
            .query_row(sql, params![entity, from], |row| {
                let (created, updated, deleted) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Effect { created, updated, deleted, ..Effect::default() })
            })
            .in_store(|| format!("could not count the events of {entity}"))
    }
}
