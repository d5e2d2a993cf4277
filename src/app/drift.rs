//! What the operator asks of comparisons, and what is said of what they found.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::operator::Daemon;
use crate::error::Result;
use crate::finding::Finding;
use crate::ledger::drift::{Class, Comparison, Seen};
use crate::serve::http::{Compared, ReconcileRequest, ReconcileResult};

/// Differing rows that `ops.drift` shows.
const DRIFT_SHOWN_MAX: usize = 100_000;

impl Daemon {
    pub(super) async fn reconciled(&self, request: ReconcileRequest) -> Result<ReconcileResult> {
        let ReconcileRequest { pair, entity, repair } = request;
        let mut found = self.compared(pair.as_deref(), entity.as_deref()).await?;
        let mut repaired = 0;
        if repair && found.iter().any(|one| one.differing > 0) {
            repaired = self.repair(&found).await?;
            found = self.compared(pair.as_deref(), entity.as_deref()).await?;
        }
        Ok(ReconcileResult { compared: found.into_iter().map(compared).collect(), repaired })
    }

    /// What differs is wrong for somebody: a person must know.
    pub(super) fn drift(&self) -> Vec<Finding> {
        let compared = self.ledger.comparisons().unwrap_or_default();
        let differs = |one: &&Comparison| one.differing > 0;
        let one = |one: &Comparison| {
            let (rows, entity, pair) = (one.differing, &one.entity, &one.pair);
            Finding::error(
                format!("{rows} rows of {entity} differ ({pair})"),
                match pair.strip_prefix("source:") {
                    Some(source) => format!(
                        "see them with `trueup sql \"SELECT * FROM ops.drift\"`; \
                         `trueup resync {source}.{entity}` mends the mirror"
                    ),
                    None => "see them with `trueup sql \"SELECT * FROM ops.drift\"`; \
                             `trueup reconcile --repair` writes them again"
                        .to_owned(),
                },
            )
        };
        let failing = |(pair, seen): (String, crate::reconcile::ReconcileSeen)| {
            let (error, hint) = seen.error?;
            let hint = hint.unwrap_or_else(|| "it is tried again".to_owned());
            Some(Finding::warning(format!("{pair} could not be compared: {error}"), hint))
        };
        let failing = self.reconcile.1.seen().into_iter().filter_map(failing);
        compared.iter().filter(differs).map(one).chain(failing).collect()
    }

    /// Brings the metrics of comparisons up to date.
    pub(super) fn measure_drift(&self) {
        let metrics = &self.metrics;
        self.declare_tables();
        let seen = self.ledger.drift(DRIFT_SHOWN_MAX).unwrap_or_default();
        let mut rows: BTreeMap<(&str, &str, Class), i64> = BTreeMap::new();
        let mut oldest: BTreeMap<(&str, &str), i64> = BTreeMap::new();
        for Seen { pair, entity, drift, first_micros, .. } in &seen {
            *rows.entry((pair, entity, drift.class)).or_default() += 1;
            let first = oldest.entry((pair, entity)).or_insert(*first_micros);
            *first = (*first).min(*first_micros);
        }
        for one in self.ledger.comparisons().unwrap_or_default() {
            let (pair, entity) = (one.pair.as_str(), one.entity.as_str());
            for class in Class::ALL {
                let count = rows.get(&(pair, entity, class)).copied().unwrap_or(0);
                metrics.drift_rows.with_label_values(&[pair, entity, class.word()]).set(count);
            }
            let first = oldest.get(&(pair, entity)).map_or(0, |micros| micros / 1_000_000);
            metrics.drift_oldest.with_label_values(&[pair, entity]).set(first);
            metrics.compared.with_label_values(&[pair, entity]).set(one.at_micros / 1_000_000);
        }
    }

    /// Tables of sources that were never compared have series, too: that nobody compares them must
    /// be seen.
    fn declare_tables(&self) {
        let classes = Class::ALL.map(Class::word);
        for source in self.config.source.keys() {
            let copies = self.journal.copies(source).unwrap_or_default();
            for copy in copies.iter().filter(|copy| !copy.is_first_copy()) {
                let pair = format!("source:{source}");
                self.metrics.declare_comparison(&pair, &copy.table, &classes);
            }
        }
    }

    /// For `ops.drift`.
    pub(super) fn drift_rows(&self) -> Vec<Value> {
        let at = |micros: i64| jiff::Timestamp::from_microsecond(micros).ok();
        let text = |value: Option<Value>| value.map(|value| value.to_string());
        let one = |Seen { pair, entity, drift, first_micros, last_micros }: Seen| {
            json!({
                "pair": pair,
                "entity": entity,
                "key": drift.key,
                "class": drift.class.word(),
                "columns": drift.columns,
                "expected": text(drift.expected),
                "found": text(drift.found),
                "source_rows": text(drift.source_rows),
                "first_seen": at(first_micros),
                "last_seen": at(last_micros),
            })
        };
        let seen = self.ledger.drift(DRIFT_SHOWN_MAX).unwrap_or_default();
        seen.into_iter().map(one).collect()
    }

    /// For `ops.comparison`.
    pub(super) fn comparison_rows(&self) -> Vec<Value> {
        let failing = self.reconcile.1.seen();
        let one = |one: Comparison| {
            let seen = failing.get(&one.pair).and_then(|seen| seen.error.clone());
            json!({
                "pair": one.pair,
                "entity": one.entity,
                "compared_at": jiff::Timestamp::from_microsecond(one.at_micros).ok(),
                "rows": one.rows,
                "differing": one.differing,
                "pending": one.pending,
                "left_out": one.left_out,
                "message": seen.map(|(error, _)| error),
            })
        };
        self.ledger.comparisons().unwrap_or_default().into_iter().map(one).collect()
    }
}

fn compared(of: Comparison) -> Compared {
    let Comparison { pair, entity, rows, differing, pending, left_out, .. } = of;
    Compared { pair, entity, rows, differing, pending, left_out }
}
