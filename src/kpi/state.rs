//! What people see of the key figures.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::Error;

/// All figures' states, by name.
#[derive(Debug, Default)]
pub struct KpiStates(Mutex<BTreeMap<String, KpiSeen>>);

/// How a figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KpiState {
    /// What it reads is not there yet.
    #[default]
    Waiting,
    /// Its last computation worked.
    Computed,
    /// Its last computation failed.
    Failing,
}

impl KpiState {
    /// One word, as shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            KpiState::Waiting => "waiting",
            KpiState::Computed => "computed",
            KpiState::Failing => "failing",
        }
    }
}

/// A moment of one.
#[derive(Debug, Clone, Default)]
pub struct KpiSeen {
    /// How it is.
    pub state: KpiState,
    /// When it was last computed.
    pub computed_at: Option<jiff::Timestamp>,
    /// How long that took.
    pub took: Duration,
    /// Series it then had.
    pub series: usize,
    /// Why it fails, and the remedy.
    pub error: Option<(String, Option<String>)>,
}

impl KpiStates {
    /// That of one figure.
    #[must_use]
    pub fn seen(&self, name: &str) -> KpiSeen {
        self.lock().get(name).cloned().unwrap_or_default()
    }

    /// Names of those that fail, and why, with the remedy.
    #[must_use]
    pub fn failing(&self) -> Vec<(String, String, Option<String>)> {
        let of = |(name, seen): (&String, &KpiSeen)| {
            let (error, hint) = seen.error.clone()?;
            Some((name.clone(), error, hint))
        };
        self.lock().iter().filter_map(of).collect()
    }

    pub(super) fn computed(&self, name: &str, series: usize, took: Duration) {
        let computed_at = Some(jiff::Timestamp::now());
        let state = KpiState::Computed;
        let seen = KpiSeen { state, computed_at, took, series, error: None };
        self.lock().insert(name.to_owned(), seen);
    }

    /// True if it did not fail the same way before.
    pub(super) fn failed(&self, name: &str, error: &Error) -> bool {
        let mut states = self.lock();
        let seen = states.entry(name.to_owned()).or_default();
        let words = (error.chain(), error.remedy().map(str::to_owned));
        seen.state = KpiState::Failing;
        seen.error.replace(words.clone()) != Some(words)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, KpiSeen>> {
        // Plain data: a panic elsewhere cannot have left it half written in a way that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
