//! One instance of DuckDB per file in this process.
//!
//! The file's lock keeps out other processes only. A second instance here, opened after a failure
//! while a long statement still runs on the first, would be written over when that one closes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result};

static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Held by everything that has a connection to the file; must be dropped after the connection.
#[derive(Debug)]
pub(super) struct Lease {
    path: PathBuf,
}

impl Lease {
    /// # Errors
    /// [`ErrorKind::Store`] while connections of an earlier instance are open.
    pub(super) fn take(path: &Path) -> Result<Arc<Self>> {
        if !held().insert(path.to_owned()) {
            let what =
                format!("statements still run on the earlier instance of {}", path.display());
            return Err(Error::new(ErrorKind::Store, what).hint(
                "it is opened again when they have ended, at sql_timeout_secs at the latest",
            ));
        }
        Ok(Arc::new(Self { path: path.to_owned() }))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        held().remove(&self.path);
    }
}

fn held() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // Whole after every statement.
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}
