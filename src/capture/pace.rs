//! How fast a copy may read: as the operator says, and slower where the source is busy. Pure.

use std::time::{Duration, Instant};

/// A row that takes so many times longer than rows took when the source had least to do shows that it is busy.
const BUSY_FACTOR: f64 = 4.0;
/// The longest pause because of that.
const BUSY_PAUSE_MAX: Duration = Duration::from_secs(5);
/// By how much, per chunk, the best that was seen is forgotten: rows get wider, servers slower.
const FORGETTING: f64 = 1.02;

/// The pace of one source's copy, shared by all that is read side by side.
#[derive(Debug)]
pub(super) struct Pace {
    /// 0: as fast as it goes.
    rows_per_sec: u32,
    /// When the rows so far may have been read at that rate.
    due: Option<Instant>,
    /// Seconds per row when the source had least to do, by how many sessions read: more of them are slower each,
    /// which is our own doing.
    best: Vec<Option<f64>>,
}

impl Pace {
    pub(super) fn new(rows_per_sec: u32) -> Self {
        Self { rows_per_sec, due: None, best: Vec::new() }
    }

    /// How long to pause at `now`, after a chunk of so many rows that took so long to read by one of so many
    /// sessions.
    pub(super) fn after(
        &mut self,
        now: Instant,
        rows: u64,
        took: Duration,
        side_by_side: usize,
    ) -> Duration {
        self.asked_for(now, rows, took).max(self.busy(rows, took, side_by_side))
    }

    fn asked_for(&mut self, now: Instant, rows: u64, took: Duration) -> Duration {
        if self.rows_per_sec == 0 {
            return Duration::ZERO;
        }
        // (Rows of a chunk fit in 32 bits: so many is their most.)
        let secs =
            f64::from(u32::try_from(rows).unwrap_or(u32::MAX)) / f64::from(self.rows_per_sec);
        let began = now.checked_sub(took).unwrap_or(now);
        let from = self.due.map_or(began, |due| due.max(began));
        let due = from + Duration::from_secs_f64(secs);
        self.due = Some(due);
        due.saturating_duration_since(now)
    }

    /// As long as the chunk took: then the source is ours for half of the time at most.
    fn busy(&mut self, rows: u64, took: Duration, side_by_side: usize) -> Duration {
        let Some(rows) = u32::try_from(rows).ok().filter(|rows| *rows > 0) else {
            return Duration::ZERO;
        };
        let each = took.as_secs_f64() / f64::from(rows);
        if self.best.len() <= side_by_side {
            self.best.resize(side_by_side + 1, None);
        }
        let Some(known) = self.best.get_mut(side_by_side) else { return Duration::ZERO };
        let best = known.map_or(each, |best| (best * FORGETTING).min(each));
        *known = Some(best);
        if each > best * BUSY_FACTOR { took.min(BUSY_PAUSE_MAX) } else { Duration::ZERO }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn no_more_rows_are_read_than_the_operator_allows() {
        let mut now = Instant::now();
        let begun = now;
        let mut pace = Pace::new(1_000);
        for _ in 0..20 {
            now += 10 * MILLI;
            now += pace.after(now, 500, 10 * MILLI, 1);
        }
        assert_eq!((now - begun).as_millis(), 10_000, "20 chunks of 500 rows, 1,000 a second");
        // What was not read meanwhile is not made up for.
        now += Duration::from_secs(60);
        assert_eq!(pace.after(now, 500, 10 * MILLI, 1).as_millis(), 490);
        assert_eq!(Pace::new(0).after(now, 1 << 40, MILLI, 1), Duration::ZERO);
    }

    #[test]
    fn a_source_that_gets_slow_is_left_alone_for_as_long_as_a_chunk_takes() {
        let now = Instant::now();
        let mut pace = Pace::new(0);
        for took in [100, 120, 80, 150, 300] {
            assert_eq!(pace.after(now, 1_000, took * MILLI, 1), Duration::ZERO, "{took}");
        }
        assert_eq!(pace.after(now, 1_000, 400 * MILLI, 1), 400 * MILLI);
        assert_eq!(pace.after(now, 1_000, 60_000 * MILLI, 1), BUSY_PAUSE_MAX);
        assert_eq!(pace.after(now, 1_000, 100 * MILLI, 1), Duration::ZERO);
        // One that stays slow is taken as it is after a while.
        let slow = (0..200).filter(|_| !pace.after(now, 1_000, 500 * MILLI, 1).is_zero()).count();
        assert!((10..40).contains(&slow), "{slow}");
        assert_eq!(pace.after(now, 0, 500 * MILLI, 1), Duration::ZERO);
    }

    #[test]
    fn what_our_own_sessions_do_to_each_other_is_not_taken_for_a_busy_source() {
        let now = Instant::now();
        let mut pace = Pace::new(0);
        for (took, side_by_side) in [(100, 1), (500, 4), (450, 4), (100, 1), (1_000, 4)] {
            let pause = pace.after(now, 1_000, took * MILLI, side_by_side);
            assert_eq!(pause, Duration::ZERO, "{took} {side_by_side}");
        }
        assert_eq!(pace.after(now, 1_000, 2_000 * MILLI, 4), 2_000 * MILLI);
        assert_eq!(pace.after(now, 1_000, 500 * MILLI, 1), 500 * MILLI);
    }

    #[test]
    fn sessions_side_by_side_read_no_more_rows_than_the_operator_allows() {
        let begun = Instant::now();
        let mut pace = Pace::new(1_000);
        let mut free = [begun; 4];
        for _ in 0..10 {
            for at in &mut free {
                *at += 10 * MILLI;
                *at += pace.after(*at, 500, 10 * MILLI, 4);
            }
        }
        let ended = free.iter().max().unwrap();
        assert_eq!((*ended - begun).as_millis(), 20_000, "40 chunks of 500 rows, 1,000 a second");
    }
}
