//! The outbox: events in order, in compressed blocks, with a low-water mark per target.

use std::io::BufReader;

use rusqlite::params;

use super::Ledger;
use crate::canon::Event;
use crate::error::{Context, Error, ErrorKind, Result};

/// Fast and small enough: an event of 633 bytes of JSON becomes about 60.
const COMPRESSION_LEVEL: i32 = 1;

/// 8 MiB. A block says itself how much must be kept of it to unpack it; at our level of compression that is
/// 512 KiB.
const WINDOW_LOG_MAX: u32 = 23;

/// Events as they lie in the ledger: JSON lines, compressed.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) bytes: Vec<u8>,
}

impl Block {
    pub(super) fn pack(events: &[Event]) -> Result<Self> {
        let what = || "could not pack a block of events".to_owned();
        let mut lines = Vec::new();
        for event in events {
            serde_json::to_writer(&mut lines, event).context(ErrorKind::Bug, what)?;
            lines.push(b'\n');
        }
        let bytes = zstd::encode_all(lines.as_slice(), COMPRESSION_LEVEL)
            .context(ErrorKind::Ledger, what)?;
        let sequence = |event: Option<&Event>| event.map_or(0, |event| event.sequence);
        Ok(Self { first: sequence(events.first()), last: sequence(events.last()), bytes })
    }

    pub(super) fn unpack(first: u64, bytes: &[u8]) -> Result<Vec<Event>> {
        let damaged =
            || format!("the block of events that begins with {first} is damaged in the ledger");
        // Read as it is unpacked: a damaged block ends where that shows, however much it would become.
        let mut packed = zstd::Decoder::with_buffer(bytes).context(ErrorKind::Ledger, damaged)?;
        packed.window_log_max(WINDOW_LOG_MAX).context(ErrorKind::Ledger, damaged)?;
        let events = serde_json::Deserializer::from_reader(BufReader::new(packed)).into_iter();
        events.collect::<std::result::Result<_, _>>().context(ErrorKind::Ledger, damaged)
    }
}

/// What [`Ledger::trim`] must leave.
#[derive(Debug, Clone, Copy)]
pub struct Needed<'a> {
    /// The last batch that the store has.
    pub store_batch: u64,
    /// The configured targets. One that was never opened needs every event that is there.
    pub targets: &'a [String],
    /// The last batch that the archive has: later ones are what a lost store is made anew from.
    pub sealed_batch: u64,
    /// Batches from then on are kept in any case, microseconds since 1970-01-01 UTC.
    pub since_micros: i64,
}

/// How much [`Ledger::trim`] removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trimmed {
    /// Blocks of events.
    pub blocks: usize,
    /// Batches.
    pub batches: usize,
}

impl Ledger {
    /// Events after `sequence` up to `upto`, in order, at least one block and about
    /// `events_max` of them. After 0, which is where a target stands that never had any: from the
    /// oldest that is there, because what was trimmed before is in its baseline.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] also when events are missing: trimmed too early or damaged.
    pub fn events(&self, sequence: u64, upto: u64, events_max: usize) -> Result<Vec<Event>> {
        let mut events: Vec<Event> = Vec::new();
        let mut next = if sequence == 0 { self.oldest_event()? } else { sequence + 1 };
        while next <= upto && events.len() < events_max {
            let Some((first, bytes)) = self.block_holding(next)? else {
                return Err(Error::new(
                    ErrorKind::Ledger,
                    format!("event {next} is not in the ledger any more"),
                )
                .hint("the target needs a full comparison: its queue was trimmed"));
            };
            for event in Block::unpack(first, &bytes)? {
                if event.sequence >= next && event.sequence <= upto {
                    next = event.sequence + 1;
                    events.push(event);
                }
            }
        }
        events.truncate(events_max.max(1));
        Ok(events)
    }

    /// Particular events, in the order asked for.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] also when one is missing.
    pub fn events_by_sequence(&self, sequences: &[u64]) -> Result<Vec<Event>> {
        sequences
            .iter()
            .map(|sequence| {
                let mut events = self.events(sequence - 1, *sequence, 1)?;
                events.pop().ok_or_else(|| {
                    Error::new(ErrorKind::Ledger, format!("event {sequence} is missing"))
                })
            })
            .collect()
    }

    /// Removes blocks of events, and batches, that are old and that nobody needs: the store has
    /// the batch, every target has the event and has not parked it. The batch at the store's mark
    /// stays, because replaying the next one begins with its mappings; the newest block stays,
    /// because a new target learns from it where the events are.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`]; nothing was removed then.
    pub fn trim(&self, needed: &Needed<'_>) -> Result<Trimmed> {
        let connection = self.lock()?;
        let run = || -> rusqlite::Result<Trimmed> {
            let transaction = connection.unchecked_transaction()?;
            let mut first = u64::MAX;
            for target in needed.targets {
                let needs = transaction
                    .prepare_cached(include_str!("../../sql/ledger/needed_by_target.sql"))?
                    .query_row([target], |row| row.get(0))?;
                first = first.min(needs);
            }
            // SQLite's integers are signed.
            let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            let (first, sealed) = (signed(first), signed(needed.sealed_batch));
            let blocks = transaction
                .prepare_cached(
                    "DELETE FROM outbox_block
                     WHERE last < ?1 AND last < (SELECT max(last) FROM outbox_block)
                     AND batch IN (SELECT id FROM batch WHERE id < ?2 AND as_of < ?3 AND id <= ?4)",
                )?
                .execute(params![first, needed.store_batch, needed.since_micros, sealed])?;
            let batches = transaction
                .prepare_cached(
                    "DELETE FROM batch WHERE id < ?1 AND as_of < ?2 AND id <= ?3
                     AND id NOT IN (SELECT batch FROM outbox_block)",
                )?
                .execute(params![needed.store_batch, needed.since_micros, sealed])?;
            transaction
                .execute("DELETE FROM slice WHERE batch < (SELECT min(id) FROM batch)", [])?;
            transaction.commit()?;
            Ok(Trimmed { blocks, batches })
        };
        run().context(ErrorKind::Ledger, || "could not trim the queue".to_owned())
    }

    /// The first event that was not trimmed; 1 if there is none at all.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn oldest_event(&self) -> Result<u64> {
        self.lock()?
            .query_row("SELECT coalesce(min(first), 1) FROM outbox_block", [], |row| row.get(0))
            .context(ErrorKind::Ledger, || "could not read the oldest event".to_owned())
    }

    fn block_holding(&self, sequence: u64) -> Result<Option<(u64, Vec<u8>)>> {
        use rusqlite::OptionalExtension;
        let connection = self.lock()?;
        let read = || {
            connection
                .prepare_cached(
                    "SELECT first, bytes FROM outbox_block
                     WHERE first <= ?1 AND last >= ?1 ORDER BY first DESC LIMIT 1",
                )?
                .query_row([sequence], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        };
        read().context(ErrorKind::Ledger, || format!("could not read event {sequence}"))
    }
}
