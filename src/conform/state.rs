//! What people see of conform.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::canon::Event;
use crate::error::Error;
use crate::ledger::batch::Batch;
use crate::store::{Mark, Reader};

/// The loop's state, shared with whoever shows it.
#[derive(Debug, Default)]
pub struct ConformState {
    seen: Mutex<ConformSeen>,
    /// Readers that were taken back and may still be at work for somebody.
    taken_back: Mutex<Vec<Weak<Reader>>>,
}

/// A moment of it.
#[derive(Debug, Clone, Default)]
pub struct ConformSeen {
    /// The last batch of this process or, before one, of the store.
    pub batch: u64,
    /// Everything up to this journal entry is conformed.
    pub journal_seq: u64,
    /// The last event so far.
    pub event_sequence: u64,
    /// When the last batch was committed, microseconds since 1970-01-01 UTC.
    pub last_batch_micros: Option<i64>,
    /// How long it took.
    pub last_batch_took: Duration,
    /// Batches of this process.
    pub batches: u64,
    /// Events of this process.
    pub events: u64,
    /// Why the loop stands still, and the remedy.
    pub error: Option<(String, Option<String>)>,
    /// A reading connection to the store for people, once it is open.
    pub reader: Option<Arc<Reader>>,
    /// One for delivery, so that neither waits for the other.
    pub canon: Option<Arc<Reader>>,
}

impl ConformState {
    /// The current moment.
    #[must_use]
    pub fn seen(&self) -> ConformSeen {
        self.lock().clone()
    }

    /// A reading connection to the store; `None` until it is open.
    #[must_use]
    pub fn reader(&self) -> Option<Arc<Reader>> {
        self.lock().reader.clone()
    }

    /// A reading connection for delivery; `None` until the store is open.
    #[must_use]
    pub fn canon(&self) -> Option<Arc<Reader>> {
        self.lock().canon.clone()
    }

    pub(super) fn opened(&self, reader: Reader, canon: Reader, mark: Mark) {
        let mut seen = self.lock();
        seen.canon = Some(Arc::new(canon));
        seen.batch = mark.batch;
        seen.journal_seq = mark.journal_seq;
        seen.event_sequence = mark.event_sequence;
        seen.reader = Some(Arc::new(reader));
        seen.error = None;
    }

    /// Takes the readers back: nobody may begin to read.
    pub(super) fn close(&self) {
        let mut seen = self.lock();
        let readers = [seen.reader.take(), seen.canon.take()];
        let mut taken_back = self.taken_back.lock().unwrap_or_else(PoisonError::into_inner);
        taken_back.extend(readers.iter().flatten().map(Arc::downgrade));
    }

    /// True once nobody reads any more. Before, the store must not be opened again: DuckDB would
    /// have its file open twice in one process, where no lock keeps one from spoiling the other.
    pub(super) fn is_closed(&self) -> bool {
        let mut taken_back = self.taken_back.lock().unwrap_or_else(PoisonError::into_inner);
        taken_back.retain(|reader| reader.strong_count() > 0);
        taken_back.is_empty()
    }

    pub(super) fn failed(&self, error: &Error) {
        self.close();
        let mut seen = self.lock();
        seen.error = Some((error.chain(), error.remedy().map(ToOwned::to_owned)));
    }

    pub(super) fn conformed(&self, batch: &Batch, events: &[Event], took: Duration) {
        let mut seen = self.lock();
        seen.batch = batch.id;
        seen.journal_seq = batch.seq_upto;
        seen.event_sequence = batch.event_last;
        seen.last_batch_micros = Some(jiff::Timestamp::now().as_microsecond());
        seen.last_batch_took = took;
        seen.batches += 1;
        seen.events += events.len() as u64;
    }

    fn lock(&self) -> MutexGuard<'_, ConformSeen> {
        // Plain data: a panic elsewhere cannot have left it half written in a way that matters.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
