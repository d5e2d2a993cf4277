//! What people see of conform.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use prometheus::Histogram;
use tokio::sync::{oneshot, watch};

use super::Held;
use super::diff::Question;
use super::fence::Fencing;
use super::verify::Verified;
use crate::canon::{Effect, Event, EventOp, MappingSet};
use crate::error::{Error, Result};
use crate::ledger::batch::Batch;
use crate::store::{Mark, OpenTransaction, Reader};

/// The loop's state, shared with whoever shows it.
#[derive(Debug, Default)]
pub struct ConformState {
    seen: Mutex<ConformSeen>,
    /// Where the duration of each batch goes, if somebody wants it.
    durations: OnceLock<Histogram>,
    /// Batches up to this journal entry were let go by a person.
    released: watch::Sender<u64>,
    /// By entity, what the last look at it found.
    verified: Mutex<BTreeMap<String, Verified>>,
    /// Where conform stops for a comparison.
    pub(super) fencing: Fencing,
    /// What somebody wants to know; a newer question takes the place of an older one.
    question: Mutex<Option<Question>>,
}

/// A moment of it.
#[derive(Debug, Clone, Default)]
pub struct ConformSeen {
    /// The last batch of this process or, before one, of the store.
    pub batch: u64,
    /// Everything up to this journal entry is conformed.
    pub journal_seq: u64,
    /// The transaction of which only some slices are conformed.
    pub open: Option<OpenTransaction>,
    /// The last event so far.
    pub event_sequence: u64,
    /// When the last batch was committed, microseconds since 1970-01-01 UTC.
    pub last_batch_micros: Option<i64>,
    /// How long it took.
    pub last_batch_took: Duration,
    /// Batches of this process.
    pub batches: u64,
    /// Events of this process, by entity and what happened.
    pub events: BTreeMap<(String, EventOp), u64>,
    /// When the loop last went round, microseconds since 1970-01-01 UTC; 0: it never did.
    pub went_round_micros: i64,
    /// The batch that waits for a person.
    pub held: Option<Held>,
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

    /// The durations of batches go to `durations` from now on; the first call counts.
    pub fn observe(&self, durations: &Histogram) {
        self.durations.get_or_init(|| durations.clone());
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

    /// Lets the batch go that ends with this journal entry; false if it is not held.
    pub fn release(&self, seq_upto: u64) -> bool {
        let is_held = self.lock().held.take_if(|held| held.seq_upto == seq_upto).is_some();
        if is_held {
            self.released.send_replace(seq_upto);
        }
        is_held
    }

    /// By entity, what the last look at it found; see [`super::verify`].
    #[must_use]
    pub fn verifications(&self) -> BTreeMap<String, Verified> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn verified(&self, entity: &str, found: Verified) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.insert(entity.to_owned(), found);
    }

    /// Asks what a set of mappings would change, by entity. Answered between batches; the answer
    /// fails if another question came.
    #[must_use]
    pub fn ask(&self, mappings: MappingSet) -> oneshot::Receiver<Result<Vec<Effect>>> {
        let (answer, answered) = oneshot::channel();
        let question = Question { mappings, answer };
        *self.question.lock().unwrap_or_else(PoisonError::into_inner) = Some(question);
        answered
    }

    pub(super) fn question(&self) -> Option<Question> {
        self.question.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn released(&self) -> u64 {
        *self.released.borrow()
    }

    /// Shows what is held; the receiver tells what was let go.
    pub(super) fn hold(&self, held: Held) -> watch::Receiver<u64> {
        let released = self.released.subscribe();
        self.lock().held = Some(held);
        released
    }

    pub(super) fn opened(
        &self,
        reader: Reader,
        canon: Reader,
        mark: Mark,
        open: Option<OpenTransaction>,
    ) {
        let mut seen = self.lock();
        seen.open = open;
        seen.canon = Some(Arc::new(canon));
        seen.batch = mark.batch;
        seen.journal_seq = mark.journal_seq;
        seen.event_sequence = mark.event_sequence;
        seen.reader = Some(Arc::new(reader));
        seen.error = None;
    }

    /// Takes the readers back: nobody may begin to read. The store is not opened again before
    /// those who have begun are done.
    pub(super) fn close(&self) {
        let mut seen = self.lock();
        (seen.reader, seen.canon) = (None, None);
    }

    pub(super) fn failed(&self, error: &Error) {
        self.close();
        let mut seen = self.lock();
        seen.held = None;
        seen.error = Some((error.chain(), error.remedy().map(ToOwned::to_owned)));
    }

    pub(super) fn conformed(
        &self,
        batch: &Batch,
        events: &[Event],
        took: Duration,
        open: Option<OpenTransaction>,
    ) {
        let mut seen = self.lock();
        seen.open = open;
        seen.batch = batch.id;
        seen.journal_seq = batch.seq_upto;
        seen.event_sequence = batch.event_last;
        seen.last_batch_micros = Some(jiff::Timestamp::now().as_microsecond());
        seen.last_batch_took = took;
        seen.batches += 1;
        for event in events {
            *seen.events.entry((event.entity.clone(), event.op)).or_default() += 1;
        }
        if let Some(durations) = self.durations.get() {
            durations.observe(took.as_secs_f64());
        }
    }

    /// Nothing keeps the loop from going on.
    pub(super) fn went_round(&self) {
        self.lock().went_round_micros = jiff::Timestamp::now().as_microsecond();
    }

    fn lock(&self) -> MutexGuard<'_, ConformSeen> {
        // Plain data: a panic elsewhere cannot have left it half written in a way that matters.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
