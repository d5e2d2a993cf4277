//! Capture: source → journal → confirm. One loop per source.
//!
//! ```text
//!  stream ─frames─► Assembler ─pieces─► journal (fsync) ─► confirm to the server
//!                       ▲ between transactions only
//!  copier ─chunks───────┘ once the log is journaled past the chunk
//! ```
//! It looks into nothing it carries, so nothing in it can fail on a value. It does not decide
//! what a chunk's rows mean: that is conform's, by the order of the journal.

mod anew;
mod asking;
pub mod assembler;
mod copying;
mod pace;
mod preparing;
mod retention;
mod session;
mod state;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Limits;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Ledger;
use crate::ledger::journal::Journal;
use crate::source::Source;
use crate::source::entry::{Lacking, Unproven};
pub use asking::{Answer, Wish};
use session::Ended;
pub use state::{CaptureState, Phase};

/// First pause after a failure; doubled up to [`RETRY_PAUSE_MAX`], reset by progress.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between attempts: an operator who mended something should not wait long.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(15);

/// One source's capture and what it needs.
#[derive(Debug, Clone)]
pub struct Capture {
    /// The source's name.
    pub name: String,
    /// The source.
    pub source: Source,
    /// The schema whose tables are mirrored under their bare names.
    pub default_schema: String,
    /// Where everything goes.
    pub journal: Arc<Journal>,
    /// What is known about the source.
    pub ledger: Arc<Ledger>,
    /// Bounds.
    pub limits: Limits,
    /// Bytes of log that the source may keep for us.
    pub retained_bytes_max: u64,
    /// Keys whose rows lack cells, told by conform.
    pub lacking: watch::Receiver<Lacking>,
    /// Tables that must be copied again, told by conform.
    pub unproven: watch::Receiver<Unproven>,
    /// What people see.
    pub state: Arc<CaptureState>,
}

/// Shows a gap that an earlier process found: until a person acts, nobody may see anything better.
///
/// # Errors
/// [`ErrorKind::Ledger`].
pub fn show_gap(capture: &Capture) -> Result<()> {
    if let Some(gap) = preparing::remembered_gap(capture)? {
        capture.state.failed(Phase::Gap, &gap);
    }
    Ok(())
}

/// Captures until cancelled. Failures are retried with backoff and shown; a gap stops here and
/// waits for a person.
pub async fn run(capture: Capture, cancel: CancellationToken) {
    while !cancel.is_cancelled() {
        let error = tokio::select! {
            () = sessions(&capture, &cancel) => continue,
            error = retention::overdue(&capture) => error,
        };
        stop(&capture, &error);
        tokio::select! {
            () = retention::give_up(&capture) => {}
            () = cancel.cancelled() => return,
        }
    }
}

async fn sessions(capture: &Capture, cancel: &CancellationToken) {
    let mut pause = RETRY_PAUSE;
    while !cancel.is_cancelled() {
        let before = capture.state.journaled_transactions();
        let ended = session::run(capture, cancel).await;
        let error = match ended {
            Ok(Ended::Cancelled) => break,
            Ok(Ended::Asked) => continue,
            Err(error) => error,
        };
        if error.kind() == ErrorKind::Gap {
            stop(capture, &error);
            tokio::select! {
                () = anew::asked(capture) => continue,
                () = cancel.cancelled() => break,
            }
        }
        if capture.state.journaled_transactions() > before {
            pause = RETRY_PAUSE;
        }
        capture.state.failed(Phase::Retrying, &error);
        report(capture, &error, pause);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cancel.cancelled() => break,
        }
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    }
}

/// A source comes back by itself, mostly; a disk that is full wants a person.
fn report(capture: &Capture, error: &Error, pause: Duration) {
    let (source, retry_ms) = (&capture.name, pause.as_millis());
    let (cause, hint) = (error.chain(), error.remedy().unwrap_or_default());
    if error.is_about_room() {
        tracing::error!(%source, error = cause, hint, retry_ms, "capture failed, it is retried");
    } else {
        tracing::warn!(%source, error = cause, hint, retry_ms, "capture failed, it is retried");
    }
}

/// Changes are lost or may be: that is remembered and shown.
fn stop(capture: &Capture, error: &Error) {
    remember_gap(capture, &error.chain());
    capture.state.failed(Phase::Gap, error);
    tracing::error!(source = %capture.name, error = %error.chain(), "changes may be lost");
}

fn remember_gap(capture: &Capture, why: &str) {
    let named = format!("source {}: ", capture.name);
    let why = why.strip_prefix(&named).unwrap_or(why);
    let remembered = capture.ledger.note_gap(&capture.name, why);
    if let Err(error) = remembered {
        // The gap is found again on the next start: the source's standing has not changed.
        tracing::error!(source = %capture.name, error = %error.chain(), "could not note a gap");
    }
}

/// Runs `work`, which waits for a disk, without holding up other tasks of the runtime.
fn on_disk<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    tokio::task::block_in_place(work)
}
