//! What people see of a delivery.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use prometheus::{Histogram, IntCounter};

use crate::error::{Error, FirstUse};

/// What a delivery is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeliverPhase {
    /// Connecting and reading the target's account.
    #[default]
    Opening,
    /// Bringing the rows from before the first event.
    Baseline,
    /// Applying events, or waiting for them.
    Delivering,
    /// Too many events are parked; it goes on by itself once some are settled.
    Paused,
    /// It failed and is tried again.
    Retrying,
    /// A person must act before anything is written.
    Gap,
}

/// A delivery's state, shared with whoever shows it.
#[derive(Debug, Default)]
pub struct DeliverState {
    seen: Mutex<DeliverSeen>,
    /// Where the duration of each transaction goes, if somebody wants it.
    durations: OnceLock<Histogram>,
    /// Where the duration of each run goes, likewise, by workflow.
    runs: OnceLock<BTreeMap<String, Service>>,
}

/// What counts the runs of a workflow.
#[derive(Debug, Clone)]
pub struct Service {
    /// From the source's commit to the acknowledgement.
    pub durations: Histogram,
    /// Runs that took longer than the service level.
    pub missed: IntCounter,
    /// Runs whose source's clock was ahead of ours: they count as 0.
    pub early: IntCounter,
    /// The service level, if there is one.
    pub level: Option<Duration>,
}

/// A moment of it.
#[derive(Debug, Clone, Default)]
pub struct DeliverSeen {
    /// What it is doing.
    pub phase: DeliverPhase,
    /// How often the target was opened.
    pub epoch: u64,
    /// The last event that is settled.
    pub cursor: u64,
    /// Events that are tried again by themselves.
    pub parked: u64,
    /// Events that need a person.
    pub dead: u64,
    /// Per entity, how far its baseline is.
    pub baseline: BTreeMap<String, String>,
    /// Rows applied by this process.
    pub rows_applied: u64,
    /// Rows refused by the target, in this process.
    pub rows_refused: u64,
    /// Failures after which this process tried again.
    pub retries: u64,
    /// What is wrong.
    pub message: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether it ever worked in this process.
    pub first_use: FirstUse,
}

impl DeliverState {
    /// The current moment.
    #[must_use]
    pub fn seen(&self) -> DeliverSeen {
        self.lock().clone()
    }

    pub(super) fn entered(&self, phase: DeliverPhase) {
        let mut seen = self.lock();
        if phase == DeliverPhase::Delivering {
            seen.first_use.worked();
        }
        seen.phase = phase;
        seen.message = None;
        seen.hint = None;
    }

    /// The durations of transactions go to `durations` from now on; the first call counts.
    pub fn observe(&self, durations: &Histogram) {
        self.durations.get_or_init(|| durations.clone());
    }

    /// The durations of runs go to `services` from now on; the first call counts.
    pub fn observe_runs(&self, services: BTreeMap<String, Service>) {
        self.runs.get_or_init(|| services);
    }

    pub(super) fn run_ended(&self, workflow: &str, took: Duration, is_early: bool) {
        let Some(service) = self.runs.get().and_then(|runs| runs.get(workflow)) else { return };
        service.durations.observe(took.as_secs_f64());
        service.early.inc_by(u64::from(is_early));
        service.missed.inc_by(u64::from(service.level.is_some_and(|level| took > level)));
    }

    pub(super) fn failed(&self, phase: DeliverPhase, error: &Error) {
        let mut seen = self.lock();
        seen.first_use.failed(error);
        seen.retries += u64::from(phase == DeliverPhase::Retrying);
        seen.phase = phase;
        seen.message = Some(error.chain());
        seen.hint = error.remedy().map(ToOwned::to_owned);
    }

    pub(super) fn full(&self, parked: usize) {
        let mut seen = self.lock();
        seen.phase = DeliverPhase::Paused;
        seen.message = Some(format!("{parked} events are parked, no more may be"));
        seen.hint = Some(
            "mend what the dead letters name in the target, or raise parked_events_max".to_owned(),
        );
    }

    /// Events are delivered again: whatever filled the target up is settled.
    pub(super) fn has_room(&self) {
        let is_paused = self.lock().phase == DeliverPhase::Paused;
        if is_paused {
            self.entered(DeliverPhase::Delivering);
        }
    }

    pub(super) fn applied(&self, rows: u64, refused: u64, took: Duration) {
        let mut seen = self.lock();
        seen.rows_applied += rows;
        seen.rows_refused += refused;
        if let Some(durations) = self.durations.get() {
            durations.observe(took.as_secs_f64());
        }
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut DeliverSeen)) {
        change(&mut self.lock());
    }

    fn lock(&self) -> MutexGuard<'_, DeliverSeen> {
        // Plain data: a panic elsewhere cannot have left it half written in a way that matters.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
