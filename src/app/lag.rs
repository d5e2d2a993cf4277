//! How far capture is behind its source: where the log ended at each look, against where it is
//! read now. One loop per source, on a session of its own.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::capture::CaptureState;
use crate::change::Position;
use crate::error::Result;
use crate::source::{LogEnd, Source};

/// Between two looks: so exact is a lag.
const LOOK_PAUSE: Duration = Duration::from_secs(2);
/// After a look that failed: the capture loop tries harder, and says why.
const FAILED_PAUSE: Duration = Duration::from_secs(10);
/// A look this old says nothing about now any more.
const FRESH: Duration = Duration::from_secs(15);
/// Ends that are remembered: half an hour of looks. With more, the newest replaces its neighbour,
/// which changes no lag in seconds.
const ENDS_MAX: usize = 1_000;

/// What the looks have shown.
#[derive(Debug, Default)]
pub(super) struct Lag {
    looks: Mutex<Looks>,
}

#[derive(Debug, Default)]
struct Looks {
    last: Option<Instant>,
    newest: Option<Position>,
    /// Ends that were not read when they were last compared, oldest first.
    unread: VecDeque<(Instant, Position)>,
}

impl Lag {
    /// Seconds and bytes; `None` where nothing is known.
    pub(super) fn now(&self, read: Option<&Position>) -> (Option<f64>, Option<u64>) {
        self.at(Instant::now(), read)
    }

    fn at(&self, now: Instant, read: Option<&Position>) -> (Option<f64>, Option<u64>) {
        let mut looks = self.lock();
        let (Some(last), Some(read)) = (looks.last, read) else { return (None, None) };
        looks.forget_what_is_read(read);
        let ago = |then: Instant| now.saturating_duration_since(then).as_secs_f64();
        let is_stale = now.saturating_duration_since(last) > FRESH;
        let seconds = match looks.unread.front() {
            Some((since, _)) => ago(*since),
            None if is_stale => ago(last),
            None => 0.0,
        };
        let bytes = match (&looks.newest, read) {
            (Some(Position::Lsn(end)), Position::Lsn(read)) => Some(end.saturating_sub(*read)),
            _ => None,
        };
        (Some(seconds), bytes)
    }

    fn looked(&self, now: Instant, end: Position, read: Option<&Position>) {
        let mut looks = self.lock();
        looks.last = Some(now);
        if looks.unread.back().is_none_or(|(_, known)| *known != end) {
            if looks.unread.len() >= ENDS_MAX {
                looks.unread.pop_back();
            }
            looks.unread.push_back((now, end.clone()));
        }
        looks.newest = Some(end);
        if let Some(read) = read {
            looks.forget_what_is_read(read);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Looks> {
        // Plain data, complete after every statement.
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Looks {
    fn forget_what_is_read(&mut self, read: &Position) {
        // (A log that is followed by other positions by now does not come to the old ones.)
        while self.unread.front().is_some_and(|(_, end)| read.covers(end).unwrap_or(true)) {
            self.unread.pop_front();
        }
    }
}

/// Looks until cancelled.
pub(super) async fn run(
    source: Source,
    capture: Arc<CaptureState>,
    lag: Arc<Lag>,
    cancel: CancellationToken,
) {
    let mut session = None;
    loop {
        let read = capture.seen().read;
        let pause = match look(&source, &mut session, read.as_ref()).await {
            Ok(end) => {
                lag.looked(Instant::now(), end, capture.seen().read.as_ref());
                LOOK_PAUSE
            }
            Err(error) => {
                tracing::debug!(error = %error.chain(), "could not look at the end of a log");
                session = None;
                FAILED_PAUSE
            }
        };
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn look(
    source: &Source,
    session: &mut Option<LogEnd>,
    read: Option<&Position>,
) -> Result<Position> {
    match session {
        Some(open) => open.look(read).await,
        None => session.insert(source.log_end().await?).look(read).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_lasts_since_the_oldest_end_that_is_not_read() {
        let (lag, began) = (Lag::default(), Instant::now());
        let at = |secs| began + Duration::from_secs(secs);
        let lsn = Position::Lsn;
        // Before the first look, or without a position, nothing is known.
        assert_eq!(lag.at(at(0), Some(&lsn(5))), (None, None));
        lag.looked(at(0), lsn(100), None);
        assert_eq!(lag.at(at(0), None), (None, None));
        // Everything is read.
        assert_eq!(lag.at(at(1), Some(&lsn(100))), (Some(0.0), Some(0)));
        // The log grows, and is read with a delay.
        lag.looked(at(2), lsn(150), Some(&lsn(100)));
        lag.looked(at(4), lsn(190), Some(&lsn(100)));
        assert_eq!(lag.at(at(5), Some(&lsn(100))), (Some(3.0), Some(90)));
        assert_eq!(lag.at(at(5), Some(&lsn(160))), (Some(1.0), Some(30)));
        assert_eq!(lag.at(at(6), Some(&lsn(190))), (Some(0.0), Some(0)));
        // The source does not answer any more: what is known grows old.
        assert_eq!(lag.at(at(64), Some(&lsn(190))), (Some(60.0), Some(0)));
    }

    #[test]
    fn many_ends_take_bounded_room_and_keep_the_oldest() {
        let (lag, began) = (Lag::default(), Instant::now());
        for n in 0..3_000_u64 {
            let at = began + Duration::from_secs(n);
            lag.looked(at, Position::Lsn(n + 1), Some(&Position::Lsn(0)));
        }
        assert!(lag.lock().unread.len() <= ENDS_MAX);
        let now = began + Duration::from_secs(3_000);
        assert_eq!(lag.at(now, Some(&Position::Lsn(0))), (Some(3_000.0), Some(3_000)));
        assert_eq!(lag.at(now, Some(&Position::Lsn(3_000))).1, Some(0));
    }
}
