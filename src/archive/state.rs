//! What people see of the archive.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::ledger::seal::Seal;

/// The loop's state, shared with whoever shows it.
#[derive(Debug, Default)]
pub struct ArchiveState(Mutex<ArchiveSeen>);

/// A moment of it.
#[derive(Debug, Clone, Default)]
pub struct ArchiveSeen {
    /// The newest seal.
    pub last: Option<Seal>,
    /// Why no newer one can be made, and the remedy.
    pub error: Option<(String, Option<String>)>,
}

impl ArchiveState {
    /// The current moment.
    #[must_use]
    pub fn seen(&self) -> ArchiveSeen {
        self.lock().clone()
    }

    pub(super) fn sealed(&self, last: Option<Seal>) {
        *self.lock() = ArchiveSeen { last, error: None };
    }

    pub(super) fn failed(&self, error: &Error) {
        self.lock().error = Some((error.chain(), error.remedy().map(str::to_owned)));
    }

    fn lock(&self) -> MutexGuard<'_, ArchiveSeen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
