//! Patience with an end.

use std::time::{Duration, Instant};

/// Asks `check` until it is content. It answers `Err` with what it saw instead, and that is what
/// the failure shows when `patience` is over. `what` completes "waited for".
///
/// A check may be a process of its own, so the pause grows with what was waited for: a tenth of it.
pub(crate) fn wait_until<T>(
    what: &str,
    patience: Duration,
    mut check: impl FnMut() -> Result<T, String>,
) -> T {
    let begin = Instant::now();
    loop {
        match check() {
            Ok(value) => return value,
            Err(seen) if begin.elapsed() > patience => {
                panic!("waited {} s for {what}; last seen: {seen}", patience.as_secs_f32());
            }
            Err(_) => std::thread::sleep(pause(begin.elapsed())),
        }
    }
}

/// How long to pause after having waited for so long.
fn pause(waited: Duration) -> Duration {
    (waited / 10).clamp(Duration::from_millis(20), Duration::from_millis(500))
}
