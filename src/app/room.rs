//! When the ledger will be full, at the pace of the last ten minutes: the capture log by its limit, or
//! the disk it lies on, whichever comes first. It looks and reckons; it keeps nobody from anything.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::conform::ConformState;
use crate::error::{Context, ErrorKind, Result};
use crate::ledger::journal::Journal;

/// Between two looks.
const LOOK_PAUSE: Duration = Duration::from_secs(10);
/// Looks that count: ten minutes of them, so that one burst is no pace.
const LOOKS_MAX: usize = 60;
/// A disk with less is full: SQLite and DuckDB need some room to tidy up in, bytes.
const RESERVE_BYTES: u64 = 16 << 20;

/// What the looks have shown.
#[derive(Debug, Default)]
pub(super) struct Room {
    looks: Mutex<VecDeque<Look>>,
}

/// The ledger at a moment, in bytes.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    /// Of the capture log.
    log: u64,
    /// Of it, what the store does not have yet, by whole segments: it cannot be thrown away.
    needed: u64,
    /// Free on the disk, for us.
    free: u64,
}

impl Room {
    /// Seconds until the ledger is full; 0 if it is, infinite if it is not filling.
    pub(super) fn seconds_to_full(&self, limit: u64) -> f64 {
        let looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        match (looks.front(), looks.back()) {
            (Some(first), Some(last)) => seconds_to_full(first, last, limit),
            _ => f64::INFINITY,
        }
    }

    /// The same for people; `None` if it is not filling.
    pub(super) fn whole_seconds_to_full(&self, limit: u64) -> Option<u64> {
        let seconds = self.seconds_to_full(limit);
        // Through nanoseconds, which hold centuries: what is further away is never.
        Duration::try_from_secs_f64(seconds).ok().map(|time| time.as_secs())
    }

    fn looked(&self, look: Look) {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= LOOKS_MAX {
            looks.pop_front();
        }
        looks.push_back(look);
    }
}

/// Looks until cancelled.
pub(super) async fn run(
    room: Arc<Room>,
    (folder, journal, conform): (PathBuf, Arc<Journal>, Arc<ConformState>),
    cancel: CancellationToken,
) {
    let mut pauses = tokio::time::interval(LOOK_PAUSE);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = pauses.tick() => {}
        }
        match tokio::task::block_in_place(|| look(&folder, &journal, &conform)) {
            Ok(look) => room.looked(look),
            Err(error) => tracing::debug!(error = error.chain(), "the room left is not known"),
        }
    }
}

fn look(folder: &Path, journal: &Journal, conform: &ConformState) -> Result<Look> {
    let disk = rustix::fs::statvfs(folder)
        .context(ErrorKind::Ledger, || format!("could not ask about {}", folder.display()))?;
    let needed = journal.bytes_needed(conform.seen().journal_seq)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    Ok(Look { at: Instant::now(), log: journal.bytes(), needed, free })
}

/// Pure. What the store has is thrown away once the log holds half of its limit; so only what it has
/// not fills the log, and the log fills its disk only up to there.
fn seconds_to_full(first: &Look, last: &Look, limit: u64) -> f64 {
    let free = last.free.saturating_sub(RESERVE_BYTES);
    if free == 0 || last.log >= limit {
        return 0.0;
    }
    let seconds = last.at.saturating_duration_since(first.at).as_secs_f64();
    let pace = |from: u64, to: u64| number(to.saturating_sub(from)) / seconds.max(1.0);
    let needed = pace(first.needed, last.needed);
    let by_limit = after(number(limit.saturating_sub(last.needed)), needed);
    let taken = pace(last.free, first.free);
    let log = pace(first.log, last.log).min(taken);
    let end = if needed > 0.0 { limit } else { limit / 2 };
    let free = number(free);
    let stops = after(number(end.saturating_sub(last.log)), log);
    let by_disk = match after(free, taken) {
        before if before <= stops => before,
        _ => stops + after(free - taken * stops, taken - log),
    };
    by_limit.min(by_disk)
}

fn after(room: f64, pace: f64) -> f64 {
    if room <= 0.0 {
        0.0
    } else if pace <= 0.0 {
        f64::INFINITY
    } else {
        room / pace
    }
}

/// As a floating point number: pieces of bytes do not matter here.
fn number(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const LIMIT: u64 = 1_000 * MIB;

    /// From the first numbers to the second within 100 s, in MiB: log, needed, free.
    fn estimate(first: (u64, u64, u64), last: (u64, u64, u64)) -> f64 {
        let begin = Instant::now();
        let look = |(log, needed, free), secs| Look {
            at: begin + Duration::from_secs(secs),
            log: log * MIB,
            needed: needed * MIB,
            free: free * MIB,
        };
        seconds_to_full(&look(first, 0), &look(last, 100), LIMIT).round()
    }

    #[test]
    fn what_does_not_fill_never_is_full() {
        let is_infinite = |first, last| estimate(first, last).is_infinite();
        assert!(is_infinite((100, 0, 5_000), (100, 0, 5_000)));
        assert!(is_infinite((300, 200, 5_000), (200, 100, 5_100)));
        // It grows to half of its limit, and the disk has room for that.
        assert!(is_infinite((100, 0, 5_000), (200, 0, 4_900)));
        assert!(Room::default().seconds_to_full(LIMIT).is_infinite());
    }

    #[test]
    fn a_store_that_is_behind_fills_the_log() {
        // 1 MiB a second, 800 to go.
        assert_eq!(estimate((100, 100, 9_000), (200, 200, 8_900)), 800.0);
        // What the store has makes room.
        assert_eq!(estimate((500, 100, 9_000), (600, 200, 8_900)), 800.0);
    }

    #[test]
    fn a_disk_that_is_too_small_is_full_first() {
        assert_eq!(estimate((100, 100, 316), (200, 200, 216)), 200.0);
        assert_eq!(estimate((100, 0, 316), (200, 0, 216)), 200.0);
        // Others take 1 MiB a second, too; the log stops growing after 300.
        assert_eq!(estimate((100, 0, 1_216), (200, 0, 1_016)), 700.0);
        assert_eq!(estimate((200, 0, 1_116), (200, 0, 1_016)), 1_000.0);
    }

    #[test]
    fn what_is_full_is_full() {
        assert_eq!(estimate((100, 0, 15), (100, 0, 15)), 0.0);
        assert_eq!(estimate((1_000, 9, 5_000), (1_000, 9, 5_000)), 0.0);
    }
}
