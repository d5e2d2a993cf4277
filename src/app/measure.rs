//! Fills the metrics from what the loops show and the status says, at each scrape.

use std::time::Duration;

use super::operator::Daemon;
use crate::change::Position;
use crate::config::WorkflowConfig;
use crate::deliver::Service;
use crate::ledger::run::Run;
use crate::metrics::Metrics;
use crate::status::{SourceState, SourceStatus, TargetState, TargetStatus};

/// Raises a counter to a total that the loops keep.
macro_rules! raise {
    ($counter:expr, $total:expr) => {{
        let counter = $counter;
        counter.inc_by($total.saturating_sub(counter.get()));
    }};
}

impl Daemon {
    /// Makes the series that read 0 before anything happens, and takes the loops' durations.
    pub(super) fn declare(&self) {
        self.captures.keys().for_each(|name| self.metrics.declare_source(name));
        self.conform.observe(&self.metrics.conform_batch_seconds);
        for (name, state) in &self.deliveries {
            self.metrics.declare_target(name);
            state.observe(&self.metrics.apply_seconds.with_label_values(&[name]));
        }
        self.declare_workflows();
    }

    /// Makes the series of every workflow, and takes the durations of its runs.
    fn declare_workflows(&self) {
        let metrics = &self.metrics;
        for (target, state) in &self.deliveries {
            let ends_here = |one: &(&String, &WorkflowConfig)| one.1.targets.contains(target);
            let service = |(name, workflow): (&String, &WorkflowConfig)| {
                let labels = &[name.as_str(), target.as_str()];
                let level = workflow.level();
                let seconds = level.map_or(0.0, |level| level.as_secs_f64());
                metrics.workflow_sla_seconds.with_label_values(labels).set(seconds);
                metrics.workflow_open.with_label_values(labels);
                metrics.workflow_overdue.with_label_values(labels);
                let service = Service {
                    durations: metrics.workflow_seconds.with_label_values(labels),
                    missed: metrics.workflow_missed.with_label_values(labels),
                    early: metrics.workflow_early.with_label_values(labels),
                    level,
                };
                (name.clone(), service)
            };
            let here = self.config.workflow.iter().filter(ends_here);
            state.observe_runs(here.map(service).collect());
        }
    }

    /// How many runs are open, and how many of them too long.
    fn measure_workflows(&self) {
        let now = jiff::Timestamp::now().as_microsecond();
        for target in self.deliveries.keys() {
            let Ok(open) = self.ledger.runs(target, true, usize::MAX) else { continue };
            for (name, workflow) in &self.config.workflow {
                if !workflow.targets.contains(target) {
                    continue;
                }
                let of = open.iter().filter(|run| run.workflow == *name);
                let level = workflow.level();
                let is_late = |run: &&Run| {
                    let micros = u64::try_from(now.saturating_sub(run.started_micros)).unwrap_or(0);
                    level.is_some_and(|level| Duration::from_micros(micros) > level)
                };
                let labels = &[name.as_str(), target.as_str()];
                let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
                let metrics = &self.metrics;
                metrics.workflow_open.with_label_values(labels).set(count(of.clone().count()));
                let late = of.filter(is_late).count();
                metrics.workflow_overdue.with_label_values(labels).set(count(late));
            }
        }
    }

    /// Brings every metric up to date.
    pub(super) fn measure(&self) {
        let status = self.gather();
        let metrics = &self.metrics;
        let seen = self.conform.seen();
        raise!(&metrics.conform_batches, seen.batches);
        metrics.heartbeat.set(seen.went_round_micros / 1_000_000);
        for ((entity, op), count) in &seen.events {
            raise!(metrics.events.with_label_values(&[entity.as_str(), op.word()]), *count);
        }
        metrics.held_rows.set(signed(seen.held.as_ref().map_or(0, |held| held.effect.changed())));
        metrics.journal_backlog_entries.set(signed(status.conform.journal_behind_entries));
        metrics.journal_size_bytes.set(signed(self.journal.bytes()));
        let full = self.room.seconds_to_full(self.journal_limit());
        metrics.ledger_full_seconds.set(full);
        let wal = self.config.daemon.state_dir.join("store.duckdb.wal");
        // Without the file there is nothing in it.
        let wal_bytes = std::fs::metadata(wal).map_or(0, |meta| meta.len());
        metrics.store_wal_bytes.set(signed(wal_bytes));
        let sealed = status.archive.sealed_at.map_or(0, jiff::Timestamp::as_second);
        metrics.archive_sealed.set(sealed);
        metrics.archive_failing.set(i64::from(status.archive.error.is_some()));
        for entity in &status.entities {
            let labels = &[entity.name.as_str()];
            metrics.canonical_rows.with_label_values(labels).set(signed(entity.rows));
            let verified = entity.verified_at.map_or(0, jiff::Timestamp::as_second);
            metrics.verified.with_label_values(labels).set(verified);
            let mismatches = metrics.verify_mismatches.with_label_values(labels);
            mismatches.set(signed(entity.mismatches));
        }
        status.sources.iter().for_each(|source| self.measure_source(source));
        status.targets.iter().for_each(|target| self.measure_target(target));
        self.measure_workflows();
        self.measure_drift();
    }

    fn measure_source(&self, source: &SourceStatus) {
        let metrics = &self.metrics;
        let labels = &[source.name.as_str()];
        let words = SourceState::ALL.map(SourceState::word);
        Metrics::set_state(&metrics.source_state, &source.name, words, source.state.word());
        if let Ok(unread) = self.ledger.count_unread(&source.name) {
            metrics.unread_entries.with_label_values(labels).set(signed(unread));
        }
        if let Some(seconds) = source.lag_seconds {
            metrics.source_lag_seconds.with_label_values(labels).set(seconds);
        }
        if let Some(bytes) = source.lag_bytes {
            metrics.source_lag_bytes.with_label_values(labels).set(signed(bytes));
        }
        let Some(state) = self.captures.get(&source.name) else { return };
        let (entries, bytes, transactions) = state.counts();
        raise!(metrics.journaled_entries.with_label_values(labels), entries);
        raise!(metrics.journaled_bytes.with_label_values(labels), bytes);
        raise!(metrics.journaled_transactions.with_label_values(labels), transactions);
        raise!(metrics.source_retries.with_label_values(labels), state.retries());
        let seen = state.seen();
        raise!(metrics.copy_rows.with_label_values(labels), seen.rows_copied);
        let estimated = signed(seen.rows_estimated.unwrap_or(0));
        metrics.copy_rows_estimated.with_label_values(labels).set(estimated);
        let pending = seen.tables.saturating_sub(seen.tables_done) as u64;
        metrics.copy_tables_pending.with_label_values(labels).set(signed(pending));
        if let Some(position) = &seen.position {
            let gauge = metrics.source_confirmed_position.with_label_values(labels);
            gauge.set(signed(number(position)));
        }
    }

    fn measure_target(&self, target: &TargetStatus) {
        let metrics = &self.metrics;
        let labels = &[target.name.as_str()];
        let words = TargetState::ALL.map(TargetState::word);
        Metrics::set_state(&metrics.target_state, &target.name, words, target.state.word());
        let pushed = target.cursor + target.queue_events;
        raise!(metrics.queue_pushed_events.with_label_values(labels), pushed);
        raise!(metrics.queue_settled_events.with_label_values(labels), target.cursor);
        if let Some(seconds) = target.oldest_seconds {
            metrics.queue_oldest_seconds.with_label_values(labels).set(seconds);
        }
        metrics.parked_events.with_label_values(labels).set(signed(target.parked));
        metrics.dead_letters.with_label_values(labels).set(signed(target.dead));
        let Some(state) = self.deliveries.get(&target.name) else { return };
        let seen = state.seen();
        let rows =
            |outcome| metrics.delivered_rows.with_label_values(&[target.name.as_str(), outcome]);
        raise!(rows("applied"), seen.rows_applied);
        raise!(rows("refused"), seen.rows_refused);
        raise!(metrics.target_retries.with_label_values(labels), seen.retries);
    }
}

/// A position as one number that grows with it.
fn number(position: &Position) -> u64 {
    match position {
        Position::Lsn(lsn) => *lsn,
        Position::Gtid(domains) => domains.values().map(|gtid| gtid.sequence).sum(),
        Position::Gtids(set) => set.count(),
        Position::File(place) => place.number << 32 | place.offset.min(u64::from(u32::MAX)),
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
