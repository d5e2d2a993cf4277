//! What conform does beside batches: what is due by time is evaluated, and what nobody needs any more
//! is thrown away. By the clock under load, at once when there is nothing else to do.

use std::time::{Duration, Instant};

use super::Session;
use crate::error::Result;
use crate::ledger::outbox::Needed;

/// The store's write-ahead log is moved into its file while there is nothing else to do.
const TIDY_WAL_BYTES: u64 = 4 << 20;
/// Housekeeping happens this often.
pub(super) const HOUSE_PAUSE: Duration = Duration::from_secs(30);
/// Under load, what is due by time is looked for this often: it is a query over all contributions
/// that depend on time.
pub(super) const CLOCK_PAUSE: Duration = Duration::from_secs(5);

impl Session<'_> {
    /// Nothing to conform right now: what is due by time, and what copies wait to hear.
    pub(super) fn use_the_pause(&mut self) -> Result<()> {
        self.look_at_clock(Duration::ZERO)?;
        if self.store.wal_bytes() > TIDY_WAL_BYTES {
            self.store.tidy_up()?;
        }
        Ok(())
    }

    /// Evaluates what is due by time, if it was not looked for since `pause`.
    pub(super) fn look_at_clock(&mut self, pause: Duration) -> Result<()> {
        if self.looked_at_clock.elapsed() < pause {
            return Ok(());
        }
        self.looked_at_clock = Instant::now();
        // A copy that waits must hear of it even if the log never pauses.
        if self.conform.lacking.borrow().values().any(|(seq, _)| *seq < self.mark.journal_seq) {
            self.tell_lacking()?;
        }
        self.prepare_evaluator()?;
        self.ask_for_evaluation()?;
        self.tick()
    }

    /// Throws away what nobody needs any more, if that was not done since `pause`.
    pub(super) fn keep_house(&mut self, pause: Duration) -> Result<()> {
        // Half of what the journal may hold is kept for its time; the other half is room to grow.
        let bytes_kept = self.conform.limits.journal_bytes_max / 2;
        let journal = &self.conform.journal;
        let leaves_out = self.conform.leaves_out;
        let is_urgent = leaves_out || journal.bytes() > bytes_kept;
        let pause = if is_urgent { pause.min(CLOCK_PAUSE) } else { pause };
        if self.kept_house.elapsed() < pause {
            return Ok(());
        }
        self.kept_house = Instant::now();
        if self.store.wal_bytes() > TIDY_WAL_BYTES {
            self.store.tidy_up()?;
        }
        let hours = if leaves_out { 0 } else { self.conform.limits.journal_retention_hours };
        let keep = Duration::from_secs(hours * 3600);
        // What is prepared in a source is read again after a restart.
        let prepared = self.store.oldest_prepared()?.map_or(u64::MAX, |first| first - 1);
        if leaves_out {
            journal.close(self.mark.journal_seq)?;
        }
        journal.discard(self.mark.journal_seq.min(prepared), keep, bytes_kept)?;
        let limits = &self.conform.limits;
        let sealed_batch = match limits.archive_every_secs {
            0 => u64::MAX,
            _ => self.conform.ledger.last_seal()?.map_or(0, |last| last.batch_upto),
        };
        self.conform.ledger.trim(&Needed {
            store_batch: self.mark.batch,
            sealed_batch,
            targets: &self.conform.targets,
            since_micros: hours_ago(limits.outbox_retention_hours),
        })?;
        let days = limits.changes_retention_days;
        for month in self.store.forget_changes(hours_ago(days.saturating_mul(24)))? {
            tracing::info!(month, days, "raw changes of an old month are dropped");
        }
        Ok(())
    }
}

/// Microseconds since 1970-01-01 UTC.
fn hours_ago(hours: u32) -> i64 {
    let ago = jiff::SignedDuration::from_hours(hours.into());
    jiff::Timestamp::now().saturating_sub(ago).unwrap_or_default().as_microsecond()
}
