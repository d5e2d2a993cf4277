//! What people see of the comparisons.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;

/// The pairs' states, shared with whoever shows them.
#[derive(Debug, Default)]
pub struct ReconcileState(Mutex<BTreeMap<String, ReconcileSeen>>);

/// A moment of one pair. What was found is in the ledger.
#[derive(Debug, Clone, Default)]
pub struct ReconcileSeen {
    /// Why its last comparison failed, and the remedy.
    pub error: Option<(String, Option<String>)>,
}

impl ReconcileState {
    /// By pair.
    #[must_use]
    pub fn seen(&self) -> BTreeMap<String, ReconcileSeen> {
        self.lock().clone()
    }

    pub(super) fn compared(&self, pair: &str) {
        self.lock().insert(pair.to_owned(), ReconcileSeen::default());
    }

    pub(super) fn failed(&self, pair: &str, error: &Error) {
        let error = Some((error.chain(), error.remedy().map(str::to_owned)));
        self.lock().insert(pair.to_owned(), ReconcileSeen { error });
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, ReconcileSeen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
