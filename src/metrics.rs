//! Every metric of the process, in one place: its name, its labels, and its help, which is the
//! doc comment.
//!
//! It uses nothing of ours and reads no clock: the loops say what happened. Row keys never
//! become labels.

mod macros;

use std::ops::Deref;
use std::sync::Arc;

use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Registry, TextEncoder,
};

use macros::families;

/// Seconds that a batch or an apply takes: from a small one on fast disks to a full outage.
const DURATION_BUCKETS: [f64; 12] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// Seconds that a workflow takes: from a live system's usual to a day.
const SERVICE_BUCKETS: [f64; 11] =
    [0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];
/// A histogram with them.
type ServiceHistogramVec = HistogramVec;

families! {
    /// Program version; the value is always 1.
    build_info: IntGaugeVec = "trueup_build_info" ["version"];
    /// When the process started, in seconds since 1970-01-01 UTC.
    start_time_seconds: IntGauge = "trueup_start_time_seconds" [];

    /// Bytes of frames written to the capture log.
    journaled_bytes: IntCounterVec = "trueup_journaled_bytes_total" ["source"];
    /// Whole transactions written to the capture log.
    journaled_transactions: IntCounterVec = "trueup_journaled_transactions_total" ["source"];
    /// Entries written to the capture log; a large transaction spans several.
    journaled_entries: IntCounterVec = "trueup_journaled_entries_total" ["source"];
    /// Position in the source's log up to which everything is durable here, which PostgreSQL is
    /// told: bytes for PostgreSQL, the sum of the sequence numbers of all domains for MariaDB,
    /// transactions for MySQL.
    source_confirmed_position: IntGaugeVec = "trueup_source_confirmed_position" ["source"];
    /// Time since the end of the source's log was where capture is now, looked at every two
    /// seconds; 0 when everything is read. While the source does not answer, it grows.
    source_lag_seconds: GaugeVec = "trueup_source_lag_seconds" ["source"];
    /// Bytes of the source's log that are not read yet; PostgreSQL only.
    source_lag_bytes: IntGaugeVec = "trueup_source_lag_bytes" ["source"];
    /// 1 for the state the source is in, 0 for the others.
    source_state: IntGaugeVec = "trueup_source_state" ["source", "state"];
    /// Attempts to reach a source again after it went away.
    source_retries: IntCounterVec = "trueup_source_retries_total" ["source"];
    /// Rows of copies and resyncs in the capture log, those of earlier processes too.
    copy_rows: IntCounterVec = "trueup_copy_rows_total" ["source"];
    /// Rows of the mirrored tables, as the source's statistics guess at the start of a copy; 0 if
    /// they do not know.
    copy_rows_estimated: IntGaugeVec = "trueup_copy_estimated_rows" ["source"];
    /// Tables that the copy has still to do.
    copy_tables_pending: IntGaugeVec = "trueup_copy_tables_pending" ["source"];

    /// Places in a source's log whose rows could not be read and are set aside.
    unread_entries: IntGaugeVec = "trueup_unread_entries" ["source"];

    /// Batches committed to the store.
    conform_batches: IntCounter = "trueup_conform_batches_total" [];
    /// Business events produced, by entity and what happened (created, updated, deleted).
    events: IntCounterVec = "trueup_events_total" ["entity", "op"];
    /// Duration of a batch, from its first entry read to its commit.
    conform_batch_seconds: Histogram = "trueup_conform_batch_seconds" [];
    /// When the loop that conforms last went round, in seconds since 1970-01-01 UTC; 0 if it never did.
    /// It stands while a batch is held or fails.
    heartbeat: IntGauge = "trueup_heartbeat_timestamp_seconds" [];
    /// Rows that a held batch would change or delete; 0 when none is held.
    held_rows: IntGauge = "trueup_held_rows" [];
    /// Entries of the capture log that the store does not have yet.
    journal_backlog_entries: IntGauge = "trueup_journal_backlog_entries" [];
    /// Size of the capture log on disk.
    journal_size_bytes: IntGauge = "trueup_journal_size_bytes" [];
    /// Time until the ledger is full at the pace of the last ten minutes: the capture log by its limit, or
    /// the disk it lies on; 0 when it is full, +Inf when it is not filling.
    ledger_full_seconds: Gauge = "trueup_ledger_full_seconds" [];
    /// Size of the store's write-ahead log.
    store_wal_bytes: IntGauge = "trueup_store_wal_bytes" [];
    /// When events, history and rows were last sealed in the archive, in seconds since 1970-01-01
    /// UTC; 0 if never.
    archive_sealed: IntGauge = "trueup_archive_sealed_timestamp_seconds" [];
    /// 1 while the archive cannot be written.
    archive_failing: IntGauge = "trueup_archive_failing" [];
    /// When the stored rows of an entity were last held against a full evaluation, in seconds since
    /// 1970-01-01 UTC; 0 if this process did not yet.
    verified: IntGaugeVec = "trueup_verified_timestamp_seconds" ["entity"];
    /// Units and keys of an entity that were not what a full evaluation gave; at most ten each of
    /// every contribution and of the canonical rows.
    verify_mismatches: IntGaugeVec = "trueup_verify_mismatched_rows" ["entity"];
    /// Canonical rows by entity.
    canonical_rows: IntGaugeVec = "trueup_canonical_rows" ["entity"];

    /// Rows in which two sides differ, as their last comparison found them. A pair is a source and its
    /// mirror (`source:<name>`) or the canonical rows and a target (`target:<name>`).
    drift_rows: IntGaugeVec = "trueup_drift_rows" ["pair", "entity", "class"];
    /// When the oldest of these rows was first seen to differ, in seconds since 1970-01-01 UTC; 0 if
    /// there is none.
    drift_oldest: IntGaugeVec = "trueup_drift_oldest_timestamp_seconds" ["pair", "entity"];
    /// When an entity was last compared, in seconds since 1970-01-01 UTC; 0 if never.
    compared: IntGaugeVec = "trueup_compare_timestamp_seconds" ["pair", "entity"];
    /// Rows that were compared.
    compared_rows: IntCounterVec = "trueup_compared_rows_total" ["pair", "entity"];
    /// Comparisons of a pair, by what came of them: agree, differ or failed.
    compares: IntCounterVec = "trueup_compares_total" ["pair", "result"];
    /// Duration of a comparison of a pair.
    compare_seconds: HistogramVec = "trueup_compare_seconds" ["pair"];
    /// Rows that were written again to mend drift.
    repaired_rows: IntCounterVec = "trueup_repaired_rows_total" ["pair", "entity"];

    /// 1 while a key figure cannot be computed; its series keep their last values.
    kpi_failing: IntGaugeVec = "trueup_kpi_failing" ["kpi"];
    /// When a key figure was last computed, in seconds since 1970-01-01 UTC; 0 if this process did
    /// not yet.
    kpi_computed: IntGaugeVec = "trueup_kpi_computed_timestamp_seconds" ["kpi"];
    /// Duration of the computation of a key figure.
    kpi_seconds: HistogramVec = "trueup_kpi_seconds" ["kpi"];

    /// Rows that a target took (applied), or did not (refused: they are parked and tried again).
    delivered_rows: IntCounterVec = "trueup_delivered_rows_total" ["target", "outcome"];
    /// Events handed to the queue of a target since the install began.
    queue_pushed_events: IntCounterVec = "trueup_queue_pushed_events_total" ["target"];
    /// Events settled by a target since the install began; those parked there included.
    queue_settled_events: IntCounterVec = "trueup_queue_settled_events_total" ["target"];
    /// Age of the oldest event that a target has not settled; 0 when nothing waits.
    queue_oldest_seconds: GaugeVec = "trueup_queue_oldest_seconds" ["target"];
    /// Events that wait for another try or for another row.
    parked_events: IntGaugeVec = "trueup_parked_events" ["target"];
    /// Events that need a person.
    dead_letters: IntGaugeVec = "trueup_dead_letters" ["target"];
    /// Duration of one transaction in a target.
    apply_seconds: HistogramVec = "trueup_apply_seconds" ["target"];
    /// Attempts to reach a target again after it went away.
    target_retries: IntCounterVec = "trueup_target_retries_total" ["target"];
    /// Time from a source's commit to the acknowledgement of a target, of the runs of a workflow.
    workflow_seconds: ServiceHistogramVec = "trueup_workflow_seconds" ["workflow", "target"];
    /// Runs that took longer than the service level of their workflow.
    workflow_missed: IntCounterVec = "trueup_workflow_missed_total" ["workflow", "target"];
    /// Runs that a target acknowledged before the source's commit, by the source's clock; they count
    /// as 0 seconds.
    workflow_early: IntCounterVec = "trueup_workflow_early_total" ["workflow", "target"];
    /// Runs that began and that the target did not acknowledge yet.
    workflow_open: IntGaugeVec = "trueup_workflow_open_runs" ["workflow", "target"];
    /// Those of them that are later than the service level of their workflow.
    workflow_overdue: IntGaugeVec = "trueup_workflow_overdue_runs" ["workflow", "target"];
    /// The service level of a workflow; 0 if it has none.
    workflow_sla_seconds: GaugeVec = "trueup_workflow_sla_seconds" ["workflow", "target"];
    /// 1 for the state the target is in, 0 for the others.
    target_state: IntGaugeVec = "trueup_target_state" ["target", "state"];
}

/// What becomes of a row on its way to a target: the values of the label `outcome`.
pub const OUTCOMES: [&str; 2] = ["applied", "refused"];

/// What comes of a comparison: the values of the label `result`.
pub const COMPARISON_RESULTS: [&str; 3] = ["agree", "differ", "failed"];

/// The metrics of one process, or of one daemon in a test. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    families: Families,
}

impl Metrics {
    /// All families, registered in a registry of their own.
    ///
    /// # Errors
    /// A family is declared twice or badly: a bug, which a test finds.
    pub fn new(version: &str, started: std::time::SystemTime) -> prometheus::Result<Self> {
        let registry = Registry::new();
        let families = Families::new(&registry)?;
        families.build_info.with_label_values(&[version]).set(1);
        let seconds = started.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        families.start_time_seconds.set(seconds);
        Ok(Self { inner: Arc::new(Inner { registry, families }) })
    }

    /// Makes the series of a source, so that they read 0 before anything happens.
    pub fn declare_source(&self, source: &str) {
        let labels = &[source];
        self.journaled_bytes.with_label_values(labels);
        self.journaled_transactions.with_label_values(labels);
        self.journaled_entries.with_label_values(labels);
        self.source_retries.with_label_values(labels);
        self.unread_entries.with_label_values(labels);
        self.copy_rows.with_label_values(labels);
        self.copy_rows_estimated.with_label_values(labels);
        self.copy_tables_pending.with_label_values(labels);
    }

    /// Makes the series of a target, so that they read 0 before anything happens.
    pub fn declare_target(&self, target: &str) {
        let labels = &[target];
        for outcome in OUTCOMES {
            self.delivered_rows.with_label_values(&[target, outcome]);
        }
        self.queue_pushed_events.with_label_values(labels);
        self.queue_settled_events.with_label_values(labels);
        self.queue_oldest_seconds.with_label_values(labels);
        self.parked_events.with_label_values(labels);
        self.dead_letters.with_label_values(labels);
        self.apply_seconds.with_label_values(labels);
        self.target_retries.with_label_values(labels);
    }

    /// Makes the series of an entity of a pair, so that they read 0 before the first comparison.
    pub fn declare_comparison(&self, pair: &str, entity: &str, classes: &[&str]) {
        for class in classes {
            self.drift_rows.with_label_values(&[pair, entity, class]);
        }
        self.drift_oldest.with_label_values(&[pair, entity]);
        self.compared.with_label_values(&[pair, entity]);
        self.compared_rows.with_label_values(&[pair, entity]);
        self.repaired_rows.with_label_values(&[pair, entity]);
    }

    /// Ends the series of an entity that nobody compares any more.
    pub fn forget_comparison(&self, pair: &str, entity: &str, classes: &[&str]) {
        // What was never there needs no ending.
        for class in classes {
            self.drift_rows.remove_label_values(&[pair, entity, class]).ok();
        }
        self.drift_oldest.remove_label_values(&[pair, entity]).ok();
        self.compared.remove_label_values(&[pair, entity]).ok();
        self.compared_rows.remove_label_values(&[pair, entity]).ok();
        self.repaired_rows.remove_label_values(&[pair, entity]).ok();
    }

    /// The same of a pair as a whole.
    pub fn declare_pair(&self, pair: &str) {
        for result in COMPARISON_RESULTS {
            self.compares.with_label_values(&[pair, result]);
        }
        self.compare_seconds.with_label_values(&[pair]);
    }

    /// Makes the series of a key figure's computation, so that they read 0 before it.
    pub fn declare_kpi(&self, kpi: &str) {
        self.kpi_failing.with_label_values(&[kpi]);
        self.kpi_computed.with_label_values(&[kpi]);
        self.kpi_seconds.with_label_values(&[kpi]);
    }

    /// A gauge that is not declared here: a key figure.
    ///
    /// # Errors
    /// The name is no name, or taken.
    pub fn add_gauge(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<GaugeVec> {
        let gauge = GaugeVec::new(prometheus::Opts::new(name, help), labels)?;
        self.inner.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    /// Sets one state to 1 and the others to 0.
    pub fn set_state<'a>(
        states: &IntGaugeVec,
        name: &str,
        all: impl IntoIterator<Item = &'a str>,
        current: &str,
    ) {
        for state in all {
            states.with_label_values(&[name, state]).set(i64::from(state == current));
        }
    }

    /// Everything in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        // The encoder fails only on a family without series or a broken writer; neither occurs.
        TextEncoder::new().encode_to_string(&self.inner.registry.gather()).unwrap_or_default()
    }
}

impl Deref for Metrics {
    type Target = Families;

    fn deref(&self) -> &Families {
        &self.inner.families
    }
}

/// One line of the manual, `docs/metrics.md`.
pub fn line(name: &str, kind: &str, labels: impl Iterator<Item = String>, help: &str) -> String {
    let labels: Vec<String> = labels.map(|label| format!("`{label}`")).collect();
    format!("| `{name}` | {kind} | {} | {} |\n", labels.join(", "), help.trim())
}

/// The manual of the metrics that are declared here.
#[must_use]
pub fn reference() -> String {
    let mut text = "# Metrics\n\nServed at `/metrics` in Prometheus' text format. This file is \
                    written from `src/metrics.rs` and `sql/kpi`; a test holds them together.\n\n\
                    | metric | type | labels | meaning |\n|---|---|---|---|\n"
        .to_owned();
    for family in FAMILIES {
        let labels = family.labels.iter().map(ToString::to_string);
        text.push_str(&line(family.name, family.kind(), labels, family.help));
    }
    text
}

#[cfg(test)]
mod tests;
