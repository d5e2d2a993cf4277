//! When a parked key is tried again, and when it becomes a dead letter.
//!
//! Pure: time and chance come in as arguments.

use std::time::Duration;

use crate::config::Limits;
use crate::target::Refusal;

/// Whether a key that was refused `attempts` times is a dead letter: a person must look.
#[must_use]
pub fn is_dead(attempts: u32, limits: &Limits) -> bool {
    attempts >= limits.attempts_max
}

/// The pause before the next attempt by time, after `attempts` (1 or more) that were refused.
/// Dead letters are tried too, slowly, so that mending the target is all there is to do.
/// `jitter`, from 0 to 1, spreads keys that were parked together over the second half of the
/// pause.
#[must_use]
pub fn pause(attempts: u32, limits: &Limits, jitter: f64) -> Duration {
    let full = if is_dead(attempts, limits) {
        Duration::from_secs(limits.dead_retry_secs)
    } else {
        let doubled = 2_u64.saturating_pow(attempts.saturating_sub(1));
        let full_ms = limits.retry_delay_ms.saturating_mul(doubled).min(limits.retry_delay_ms_max);
        Duration::from_millis(full_ms)
    };
    full.mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

/// What happened since a key was last refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Since {
    /// How long ago that was.
    pub waited: Duration,
    /// Something else was applied to the target.
    pub has_applied: bool,
    /// A newer event of the same key came.
    pub has_follower: bool,
}

/// Why a parked key is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// What it refers to may have arrived.
    Applied,
    /// Its newest state is another one: whoever mended the source mended this too.
    Followed,
    /// The pause is over.
    Time,
}

impl Reason {
    /// The number of refused attempts, if this one is refused too and `attempts` were before.
    /// Only those by time count, or a busy target would wear a waiting key out; a new state
    /// begins anew.
    #[must_use]
    pub fn attempts_after(self, attempts: u32) -> u32 {
        match self {
            Reason::Applied => attempts,
            Reason::Followed => 1,
            Reason::Time => attempts.saturating_add(1),
        }
    }
}

/// Whether to try a key again now. `pause` is what [`pause`] gave.
#[must_use]
pub fn due(class: Refusal, pause: Duration, since: Since, limits: &Limits) -> Option<Reason> {
    if since.has_follower {
        return Some(Reason::Followed);
    }
    // On a busy target something is always applied: not more often than the first pause.
    let is_rested = since.waited >= Duration::from_millis(limits.retry_delay_ms);
    if class != Refusal::Rejected && since.has_applied && is_rested {
        return Some(Reason::Applied);
    }
    (since.waited >= pause).then_some(Reason::Time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limits() -> Limits {
        Limits {
            attempts_max: 8,
            retry_delay_ms: 500,
            retry_delay_ms_max: 60_000,
            ..Limits::default()
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_then_dead_letters_wait_their_hour() {
        let pauses: Vec<Duration> = (1..=9).map(|n| pause(n, &limits(), 1.0)).collect();
        let seconds = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 3_600.0, 3_600.0];
        assert_eq!(pauses, seconds.map(Duration::from_secs_f64));
        assert!(!is_dead(7, &limits()) && is_dead(8, &limits()));
    }

    proptest! {
        #[test]
        fn any_pause_lies_within_its_bounds(attempts in 0_u32.., jitter in -1.0..2.0, max in 0_u32..) {
            let limits = Limits { attempts_max: max, ..limits() };
            let found = pause(attempts, &limits, jitter);
            if is_dead(attempts, &limits) {
                prop_assert!(found >= Duration::from_secs(1_800));
                prop_assert!(found <= Duration::from_secs(3_600));
            } else {
                prop_assert!(found >= Duration::from_millis(250));
                prop_assert!(found <= Duration::from_secs(60));
            }
        }
    }

    #[test]
    fn what_happened_decides_who_is_tried() {
        let since = |waited_ms, has_applied, has_follower| Since {
            waited: Duration::from_millis(waited_ms),
            has_applied,
            has_follower,
        };
        let (pause, hour) = (Duration::from_secs(8), Duration::from_secs(3_600));
        let due = |class, pause, since| due(class, pause, since, &limits());
        use Refusal::{Dependency, Incomplete, Rejected};
        assert_eq!(due(Dependency, pause, since(499, true, false)), None);
        assert_eq!(due(Dependency, pause, since(500, true, false)), Some(Reason::Applied));
        assert_eq!(due(Incomplete, pause, since(500, true, false)), Some(Reason::Applied));
        assert_eq!(due(Dependency, hour, since(500, true, false)), Some(Reason::Applied));
        assert_eq!(due(Dependency, pause, since(7_999, false, false)), None);
        assert_eq!(due(Dependency, pause, since(8_000, false, false)), Some(Reason::Time));
        assert_eq!(due(Rejected, pause, since(7_999, true, false)), None);
        assert_eq!(due(Rejected, pause, since(8_000, true, false)), Some(Reason::Time));
        assert_eq!(due(Rejected, hour, since(3_599_999, true, false)), None);
        assert_eq!(due(Rejected, hour, since(3_600_000, true, false)), Some(Reason::Time));
        assert_eq!(due(Rejected, hour, since(0, false, true)), Some(Reason::Followed));
        assert_eq!(Reason::Applied.attempts_after(3), 3);
        assert_eq!(Reason::Time.attempts_after(3), 4);
        assert_eq!(Reason::Followed.attempts_after(7), 1);
    }
}
