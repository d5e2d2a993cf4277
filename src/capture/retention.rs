//! We never fill a source's disk: a source that must keep more log for us than it may, while we take
//! nothing, is given up on purpose, and that is a gap. (The first limit is the journal's, at which
//! we stop taking.)
//!
//! A daemon that does not run cannot do this: `check` proposes the server's own bound for that.

use std::time::Duration;

use super::{Capture, Phase, preparing};
use crate::change::Position;
use crate::error::{Error, Result};
use crate::source::LogEnd;

/// Between two looks at what a source keeps.
const LOOK_PAUSE: Duration = Duration::from_secs(5);
/// Looks in a row that must find too much kept and nothing taken.
const LOOKS_MIN: u32 = 4;

/// Ends when the source is to be given up, with the reason.
pub(super) async fn overdue(capture: &Capture) -> Error {
    let mut looks = 0;
    let mut before = taken(capture);
    let mut session = None;
    loop {
        tokio::time::sleep(LOOK_PAUSE).await;
        let now = taken(capture);
        let is_at_rest = now == before;
        before = now;
        let kept = match kept(capture, &mut session).await {
            Ok(kept) => kept.unwrap_or(0),
            Err(error) => {
                session = None;
                // Capture itself says why the source cannot be reached.
                let error = error.chain();
                tracing::debug!(source = %capture.name, error, "retained log not known");
                continue;
            }
        };
        let is_stuck = kept > capture.retained_bytes_max && is_at_rest;
        looks = counted(looks, capture.state.seen().phase, is_stuck);
        if looks >= LOOKS_MIN {
            return given_up(capture, kept);
        }
    }
}

/// The looks in a row. Whoever follows the log can take what comes, however long the server is
/// silent: after an outage it reads through its whole log before it sends a word.
fn counted(looks: u32, phase: Phase, is_stuck: bool) -> u32 {
    match phase {
        Phase::Paused | Phase::Retrying | Phase::Gap if is_stuck => looks + 1,
        // Between two attempts of one that is retried.
        Phase::Preparing if is_stuck => looks,
        _ => 0,
    }
}

async fn kept(capture: &Capture, session: &mut Option<LogEnd>) -> Result<Option<u64>> {
    match session {
        Some(open) => open.retained().await,
        None => session.insert(capture.source.log_end().await?).retained().await,
    }
}

/// Whatever shows that something is taken.
fn taken(capture: &Capture) -> ((u64, u64, u64), Option<Position>) {
    (capture.state.counts(), capture.state.seen().read)
}

/// Drops what makes the source keep its log. Tried until it succeeds: that is the point of it.
pub(super) async fn give_up(capture: &Capture) {
    while let Err(error) = capture.source.give_up().await {
        tracing::error!(
            source = %capture.name,
            error = %error.chain(),
            "a source that keeps too much log could not be given up, it is tried again"
        );
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

fn given_up(capture: &Capture, kept: u64) -> Error {
    let was = match capture.state.seen().phase {
        Phase::Paused => "the capture log is full",
        _ => "nothing could be taken",
    };
    let why = format!(
        "its server kept {kept} bytes of log for us, more than max_retained_bytes {}, while {was}: \
         its slot was dropped so that its disk does not fill",
        capture.retained_bytes_max
    );
    preparing::gap(capture, &why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_cannot_take_is_given_up() {
        let after = |phases: &[Phase], is_stuck| {
            phases.iter().fold(0, |looks, phase| counted(looks, *phase, is_stuck))
        };
        assert_eq!(after(&[Phase::Paused; 4], true), LOOKS_MIN);
        assert_eq!(after(&[Phase::Gap; 4], true), LOOKS_MIN);
        assert_eq!(after(&[Phase::Retrying, Phase::Preparing, Phase::Retrying], true), 2);
        assert_eq!(after(&[Phase::Paused; 4], false), 0);
        // A server that reads through a long log says nothing for minutes.
        assert_eq!(after(&[Phase::Streaming; 9], true), 0);
        assert_eq!(after(&[Phase::Copying; 9], true), 0);
        assert_eq!(after(&[Phase::Paused, Phase::Paused, Phase::Streaming], true), 0);
    }
}
