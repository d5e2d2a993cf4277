//! A fence: an entry of the journal that conform does not go past while somebody compares. Everything
//! before it is conformed, nothing after it; the comparison then takes its snapshot of the store and
//! the fence goes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::ConformState;
use crate::error::{Error, ErrorKind, Result};

/// Longest wait for conform to come to a fence: then it is given up. Conform works until it is there, so
/// waiting keeps nobody; but the snapshot of the source is open meanwhile.
const REACH_SECS_MAX: u64 = 60;

/// Where conform must stop, and where it stands because of that.
#[derive(Debug)]
pub(super) struct Fencing {
    /// The entry that is not gone past.
    bound: watch::Sender<Option<u64>>,
    /// A bound that was come to: there is nothing more to take before it. With it, the last entry
    /// that is conformed.
    reached: watch::Sender<Option<(u64, u64)>>,
}

impl Default for Fencing {
    fn default() -> Self {
        Self { bound: watch::Sender::new(None), reached: watch::Sender::new(None) }
    }
}

impl Fencing {
    pub(super) fn bound(&self) -> watch::Receiver<Option<u64>> {
        self.bound.subscribe()
    }

    /// There is nothing more to take up to `bound`.
    pub(super) fn come_to(&self, bound: u64, conformed: u64) {
        self.reached.send_if_modified(|reached| {
            let now = Some((bound, conformed));
            let is_news = *reached != now;
            *reached = now;
            is_news
        });
    }
}

/// Keeps conform from going past an entry; it goes on when this is dropped.
#[derive(Debug)]
pub struct Fence(Arc<ConformState>);

impl Drop for Fence {
    fn drop(&mut self) {
        self.0.fencing.bound.send_replace(None);
        self.0.fencing.reached.send_replace(None);
    }
}

impl Fence {
    /// Puts a fence where conform is just now. One at a time: whoever puts one has to be the only one.
    #[must_use]
    pub fn put(state: &Arc<ConformState>) -> Self {
        state.fencing.bound.send_replace(Some(0));
        Self(Arc::clone(state))
    }

    /// Moves the fence on.
    pub fn move_to(&self, bound: u64) {
        self.0.fencing.bound.send_replace(Some(bound));
    }

    /// Waits until conform stands before the fence; the last entry that is conformed.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] if it does not come: it stands still, or is busy for long.
    pub async fn reached(&self) -> Result<u64> {
        if self.0.seen().held.is_some() {
            let what = "a batch is held, and nothing after it is conformed";
            return Err(Error::new(ErrorKind::Unreachable, what).hint("see `trueup resume`"));
        }
        let Some(wanted) = *self.0.fencing.bound.borrow() else { return Err(Self::never()) };
        let mut reached = self.0.fencing.reached.subscribe();
        let here = |at: &Option<(u64, u64)>| at.is_some_and(|(bound, _)| bound == wanted);
        let waited =
            tokio::time::timeout(Duration::from_secs(REACH_SECS_MAX), reached.wait_for(here));
        match waited.await {
            Ok(Ok(at)) => at.map(|(_, conformed)| conformed).ok_or_else(Self::never),
            _ => Err(Self::never()),
        }
    }

    fn never() -> Error {
        let what = format!("conform did not come to the end of a batch within {REACH_SECS_MAX} s");
        Error::new(ErrorKind::Unreachable, what).hint("see `trueup status`; it is tried again")
    }
}
