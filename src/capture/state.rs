//! What people see of a capture.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::asking::{Answer, Asking, Wish};
use crate::change::Position;
use crate::change::condition::Condition;
use crate::error::{Error, FirstUse, Result};

/// What a capture is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Connecting, or making slot and publication.
    #[default]
    Preparing,
    /// The log is followed and tables are copied.
    Copying,
    /// The log is followed.
    Streaming,
    /// It failed and is tried again.
    Retrying,
    /// The journal is full: the source waits until conform has made room.
    Paused,
    /// Changes are lost or may be: a person must act.
    Gap,
}

impl Phase {
    /// One word, as shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Phase::Preparing => "preparing",
            Phase::Copying => "copying",
            Phase::Streaming => "streaming",
            Phase::Retrying => "retrying",
            Phase::Paused => "paused",
            Phase::Gap => "gap",
        }
    }
}

/// A capture's state, shared with whoever shows it.
#[derive(Debug, Default)]
pub struct CaptureState {
    seen: Mutex<Seen>,
    entries: AtomicU64,
    bytes: AtomicU64,
    transactions: AtomicU64,
    retries: AtomicU64,
    /// The last journal entry by which copies may have begun.
    copies_begun: AtomicU64,
    pub(super) asking: Asking,
}

/// A moment of it.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// What it is doing.
    pub phase: Phase,
    /// Up to where the log is journaled.
    pub position: Option<Position>,
    /// Up to where the log is read: beyond `position` there is nothing of ours.
    pub read: Option<Position>,
    /// Why it is not streaming, for people.
    pub message: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether it ever worked in this process.
    pub first_use: FirstUse,
    /// The tables whose chunks are being read.
    pub copying: Vec<String>,
    /// Who the copy waits for.
    pub waiting_for: Option<String>,
    /// Tables whose copy is done, and all tables.
    pub tables_done: usize,
    /// See `tables_done`.
    pub tables: usize,
    /// Rows copied in this and earlier sessions.
    pub rows_copied: u64,
    /// Rows of all tables, as the source's statistics guess.
    pub rows_estimated: Option<u64>,
    /// When the log was last heard of, microseconds since 1970-01-01 UTC.
    pub heard_micros: i64,
}

impl CaptureState {
    /// The current moment.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.lock().clone()
    }

    /// Journal entries, bytes and transactions of this process.
    #[must_use]
    pub fn counts(&self) -> (u64, u64, u64) {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&self.entries), load(&self.bytes), load(&self.transactions))
    }

    /// Asks for something (a table's name is left empty where the whole source is meant); done as soon as
    /// the session with the source has begun anew for it. Dropping the receiver takes the question back.
    pub fn ask(
        &self,
        table: &str,
        wish: Wish,
        only: Option<Condition>,
    ) -> oneshot::Receiver<Result<Answer>> {
        self.asking.ask(table, wish, only)
    }

    pub(super) fn copies_begun(&self) -> u64 {
        self.copies_begun.load(Ordering::Relaxed)
    }

    pub(super) fn began_copies(&self, seq: u64) {
        self.copies_begun.fetch_max(seq, Ordering::Relaxed);
    }

    pub(super) fn journaled_transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    pub(super) fn journaled(&self, bytes: usize, transactions: u64) {
        self.entries.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.transactions.fetch_add(transactions, Ordering::Relaxed);
    }

    /// Failures after which this process tried again.
    #[must_use]
    pub fn retries(&self) -> u64 {
        self.retries.load(Ordering::Relaxed)
    }

    pub(super) fn failed(&self, phase: Phase, error: &Error) {
        if phase == Phase::Retrying {
            self.retries.fetch_add(1, Ordering::Relaxed);
        }
        let mut seen = self.lock();
        seen.first_use.failed(error);
        seen.phase = phase;
        seen.message = Some(error.chain());
        seen.hint = error.remedy().map(ToOwned::to_owned);
    }

    pub(super) fn entered(&self, phase: Phase) {
        let mut seen = self.lock();
        if matches!(phase, Phase::Copying | Phase::Streaming) {
            seen.first_use.worked();
        }
        seen.phase = phase;
        seen.message = None;
        seen.hint = None;
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        // Plain data: a panic elsewhere cannot have left it half written in a way that matters.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
