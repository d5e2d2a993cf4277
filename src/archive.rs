//! The archive: what cannot be had again from the sources, as Parquet files that any engine reads.
//!
//! ```text
//!  store ─snapshot─► Parquet files + manifest ─digest─► ledger (seal) ─► folder in its place
//! ```
//! Each seal holds the events and the history of the batches since the one before it, and every
//! entity's rows after them. Its digest is in the ledger, and its manifest names the seal before
//! it, so that nothing in it can change unnoticed. A lost store is made anew from here; the queue
//! keeps what the newest seal does not have.
//!
//! It reads the store by one snapshot beside the writer and changes nothing in it.

mod manifest;
mod seal;
mod state;
mod verify;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Ledger;
use crate::ledger::seal::Seal;
use crate::store::Reader;
pub use state::ArchiveState;
pub use verify::{Audited, audit, sealed_files};

/// How often it is looked whether a seal is due.
const LOOK_PAUSE: Duration = Duration::from_secs(5);
/// First pause after a failure; doubled up to [`RETRY_PAUSE_MAX`].
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// Longest pause between attempts.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(300);

/// Gives the reading side of the store; `None` until it is open.
pub type Readers = dyn Fn() -> Option<Arc<Reader>> + Send + Sync;

/// What sealing needs.
#[derive(Clone)]
pub struct Archive {
    /// The archive's folder.
    pub folder: PathBuf,
    /// Time between two seals; zero: none are made.
    pub every: Duration,
    /// Where the digests go.
    pub ledger: Arc<Ledger>,
    /// The store.
    pub readers: Arc<Readers>,
    /// What people see.
    pub state: Arc<ArchiveState>,
}

impl std::fmt::Debug for Archive {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Archive").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Seals until cancelled. Failures are shown and tried again.
pub async fn run(archive: Archive, cancel: CancellationToken) {
    let began = Instant::now();
    let mut pause = RETRY_PAUSE;
    loop {
        let wait = match look(&archive, began, &cancel).await {
            Ok(last) => {
                archive.state.sealed(last);
                pause = RETRY_PAUSE;
                LOOK_PAUSE.min(archive.every.max(Duration::from_millis(200)))
            }
            Err(_) if cancel.is_cancelled() => return,
            Err(error) => {
                archive.state.failed(&error);
                tracing::error!(
                    error = %error.chain(),
                    hint = error.remedy().unwrap_or_default(),
                    retry_secs = pause.as_secs(),
                    "sealing failed, it is tried again"
                );
                let wait = pause;
                pause = (pause * 2).min(RETRY_PAUSE_MAX);
                wait
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = cancel.cancelled() => return,
        }
    }
}

/// Makes a seal if one is due; the newest there is.
async fn look(
    archive: &Archive,
    began: Instant,
    cancel: &CancellationToken,
) -> Result<Option<Seal>> {
    let (archive, cancel) = (archive.clone(), cancel.clone());
    let work = move || {
        seal::put_in_place(&archive)?;
        let last = archive.ledger.last_seal()?;
        if archive.every.is_zero() {
            return Ok(last);
        }
        let Some(reader) = (archive.readers)() else { return Ok(last) };
        let made = seal::seal(&archive, &reader, last.as_ref(), began.elapsed(), &cancel)?;
        Ok(made.or(last))
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|cause| {
        Error::new(ErrorKind::Bug, "sealing the archive ended badly").caused_by(cause)
    })?
}
