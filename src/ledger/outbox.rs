//! The outbox: events in order, in compressed blocks, with a low-water mark per target.

use rusqlite::params;

use super::Ledger;
use crate::canon::Event;
use crate::error::{Context, Error, ErrorKind, Result};

/// Fast and small enough: an event of 633 bytes of JSON becomes about 60.
const COMPRESSION_LEVEL: i32 = 1;

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

    fn unpack(first: u64, bytes: &[u8]) -> Result<Vec<Event>> {
        let damaged =
            || format!("the block of events that begins with {first} is damaged in the ledger");
        let lines = zstd::decode_all(bytes).context(ErrorKind::Ledger, damaged)?;
        lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).context(ErrorKind::Ledger, damaged))
            .collect()
    }
}

impl Ledger {
    /// Events after `sequence` up to `upto`, in order, at least one block and about
    /// `events_max` of them.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] also when events are missing: trimmed too early or damaged.
    pub fn events(&self, sequence: u64, upto: u64, events_max: usize) -> Result<Vec<Event>> {
        let mut events: Vec<Event> = Vec::new();
        let mut next = sequence + 1;
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

    /// Removes blocks whose events every target has: all at or before `sequence`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn trim_outbox(&self, sequence: u64) -> Result<usize> {
        self.lock()?
            .execute("DELETE FROM outbox_block WHERE last <= ?1", params![sequence])
            .context(ErrorKind::Ledger, || "could not trim the queue".to_owned())
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
