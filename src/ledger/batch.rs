//! Batches: what conform decided, written before the store commits it.
//!
//! The commit protocol (docs/design): the ledger commits the batch and its events, then the
//! store commits. A store that is behind replays the batch with the same borders, the same time
//! and the same mappings; the digest says whether the result is equal.

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::journal::Border;
use super::unread::{self, UnreadRows};
use super::{Ledger, outbox};
use crate::canon::Event;
use crate::error::{Context, Error, ErrorKind, Result};

/// A decided batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Counts up from 1 without holes.
    pub id: u64,
    /// It takes the transactions that end in `(seq_after, seq_upto]`, or a slice of one.
    pub seq_after: u64,
    /// See `seq_after`.
    pub seq_upto: u64,
    /// Where it ends within the transaction that ends after `seq_upto`; see [`Border::part`].
    pub part: u64,
    /// The time that mappings see as `$as_of`, microseconds since 1970-01-01 UTC.
    pub as_of_micros: i64,
    /// The hash of the mapping set it was conformed with.
    pub mappings: String,
    /// The sequence of its first event.
    pub event_first: u64,
    /// The sequence of its last event; `event_first - 1` if it made none.
    pub event_last: u64,
    /// Digest over its events, from [`digest`].
    pub digest: String,
}

impl Batch {
    /// Where it ends.
    #[must_use]
    pub fn border(&self) -> Border {
        Border { seq: self.seq_upto, part: self.part }
    }
}

/// SHA-256 over the events as they are stored.
#[must_use]
pub fn digest(events: &[Event]) -> String {
    let mut hasher = Sha256::new();
    for event in events {
        // An event is plain data: serialising it cannot fail.
        hasher.update(serde_json::to_vec(event).unwrap_or_default());
        hasher.update(b"\n");
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Ledger {
    /// Commits a batch, its events (`block_events` to a block) and what could not be read of its
    /// rows, of which at most `unread_bytes_max` are kept, in one durable transaction.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`]; nothing was written then.
    pub fn commit_batch(
        &self,
        batch: &Batch,
        events: &[Event],
        block_events: usize,
        (unread, unread_bytes_max): (&[UnreadRows], u64),
    ) -> Result<()> {
        let blocks = events
            .chunks(block_events.max(1))
            .map(outbox::Block::pack)
            .collect::<Result<Vec<_>>>()?;
        let connection = self.lock()?;
        let run = || -> rusqlite::Result<()> {
            let transaction = connection.unchecked_transaction()?;
            transaction
                .prepare_cached("INSERT INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
                .execute(params![
                    batch.id,
                    batch.seq_after,
                    batch.seq_upto,
                    batch.as_of_micros,
                    batch.mappings,
                    batch.event_first,
                    batch.event_last,
                    batch.digest,
                ])?;
            if batch.part > 0 {
                transaction
                    .prepare_cached("INSERT INTO slice VALUES (?1, ?2)")?
                    .execute(params![batch.id, batch.part])?;
            }
            for block in &blocks {
                transaction
                    .prepare_cached("INSERT INTO outbox_block VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![block.first, block.last, batch.id, block.bytes])?;
            }
            unread::note(&transaction, unread, unread_bytes_max)?;
            crate::failpoint::reach("before-outbox-commit");
            transaction.commit()
        };
        run().map_err(|error| {
            Error::new(ErrorKind::Ledger, format!("could not commit batch {}", batch.id))
                .caused_by(error)
                .hint("free disk space; conforming goes on by itself and nothing is lost")
        })
    }

    /// The newest batch, if there is any.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn last_batch(&self) -> Result<Option<Batch>> {
        self.read_batch("ORDER BY id DESC LIMIT 1", 0)
    }

    /// The id of the oldest batch that was not trimmed; 1 if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn oldest_batch(&self) -> Result<u64> {
        self.lock()?
            .query_row("SELECT coalesce(min(id), 1) FROM batch", [], |row| row.get(0))
            .context(ErrorKind::Ledger, || "could not read the oldest batch".to_owned())
    }

    /// The batch with this id.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] also when there is none: the ledger and the store do not belong
    /// together.
    pub fn batch(&self, id: u64) -> Result<Batch> {
        self.read_batch("WHERE id = ?1", id)?.ok_or_else(|| {
            Error::new(ErrorKind::Ledger, format!("the ledger does not know batch {id}"))
                .hint("ledger and store do not belong together: restore both from one backup")
        })
    }

    /// The batch that made the event `sequence`; `None` if it is not known any more.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn batch_of_event(&self, sequence: u64) -> Result<Option<Batch>> {
        self.read_batch("WHERE event_last >= ?1 ORDER BY id LIMIT 1", sequence)
    }

    fn read_batch(&self, which: &str, id: u64) -> Result<Option<Batch>> {
        let sql = format!(
            "SELECT id, seq_after, seq_upto, as_of, mappings, event_first, event_last, digest,
                coalesce((SELECT part FROM slice WHERE slice.batch = batch.id), 0)
             FROM batch {which}"
        );
        let connection = self.lock()?;
        let read = || {
            let mut statement = connection.prepare_cached(&sql)?;
            let with_id = params![id];
            let parameters: &[&dyn rusqlite::ToSql] =
                if statement.parameter_count() == 1 { with_id } else { &[] };
            statement
                .query_row(parameters, |row| {
                    Ok(Batch {
                        id: row.get(0)?,
                        seq_after: row.get(1)?,
                        seq_upto: row.get(2)?,
                        as_of_micros: row.get(3)?,
                        mappings: row.get(4)?,
                        event_first: row.get(5)?,
                        event_last: row.get(6)?,
                        digest: row.get(7)?,
                        part: row.get(8)?,
                    })
                })
                .optional()
        };
        read().context(ErrorKind::Ledger, || "could not read a batch".to_owned())
    }
}
