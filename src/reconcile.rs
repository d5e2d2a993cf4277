//! Reconcile: whether two sides agree, row by row, while both live. A loop beside the others that
//! only reads.
//!
//! ```text
//!  target: one snapshot ─► its account (event n, parked keys) and digests by bucket
//!  store:  one snapshot ─► canonical rows as of event n, rendered ─► digests by bucket
//!                          buckets that differ ─► rows ─► class, both values, source rows
//! ```
//! Both sides are looked at as of the same moment, so what is on its way is no difference: of a target
//! as of the event that its account names, of a source as of a snapshot ([`source`]). A comparison
//! takes no lock that work would wait for. What it finds stays in the ledger until a later one does
//! not find it.

mod drill;
mod source;
mod state;
mod target;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::config::Limits;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Ledger;
use crate::ledger::drift::{Class, Comparison, Drift};
use crate::ledger::journal::Journal;
use crate::metrics::Metrics;
use crate::store::Reader;
pub use source::{Fences, ReadUpto, SourceSide};
pub use state::{ReconcileSeen, ReconcileState};
pub use target::TargetSide;

/// How often it is looked whether a comparison is due.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Pause after a failure, if the next comparison is not due sooner.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

/// Gives the reading side of the store; `None` until it is open.
pub type Readers = dyn Fn() -> Option<Arc<Reader>> + Send + Sync;

/// What the loop needs.
pub struct Reconcile {
    /// The sources that are compared with their mirrors.
    pub sources: Vec<SourceSide>,
    /// Where what they wrote lies in order.
    pub journal: Arc<Journal>,
    /// How far each is read.
    pub read_upto: Arc<ReadUpto>,
    /// How conform is stopped for a moment.
    pub fences: Arc<Fences>,
    /// The targets that are compared with the canonical rows.
    pub targets: Vec<TargetSide>,
    /// Where findings are kept.
    pub ledger: Arc<Ledger>,
    /// The store.
    pub readers: Arc<Readers>,
    /// Bounds.
    pub limits: Limits,
    /// Where comparisons are counted.
    pub metrics: Metrics,
    /// What people see, and where they ask.
    pub state: Arc<ReconcileState>,
    /// Questions of people.
    pub questions: mpsc::Receiver<Question>,
}

/// What somebody wants compared now.
#[derive(Debug)]
pub struct Question {
    /// One pair; all if absent.
    pub pair: Option<String>,
    /// One entity; all if absent.
    pub entity: Option<String>,
    /// Where the answer goes.
    pub answer: oneshot::Sender<Result<Vec<Comparison>>>,
}

/// What the comparison of one entity found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    comparison: Comparison,
    drifts: Vec<Drift>,
}

/// Compares until cancelled.
pub async fn run(mut reconcile: Reconcile, cancel: CancellationToken) {
    let every = Duration::from_secs(reconcile.limits.compare_every_secs);
    reconcile.forget();
    let mut due = (!every.is_zero()).then(|| Instant::now() + reconcile.pause_at_start(every));
    loop {
        let question = tokio::select! {
            () = cancel.cancelled() => return,
            question = reconcile.questions.recv() => question,
            () = tokio::time::sleep(LOOK_PAUSE) => None,
        };
        if let Some(Question { pair, entity, answer }) = question {
            let compared = tokio::select! {
                compared = reconcile.compare(pair.as_deref(), entity.as_deref()) => compared,
                () = cancel.cancelled() => return,
            };
            // Nobody may wait any more: what was found is in the ledger.
            answer.send(compared).ok();
        } else if due.is_some_and(|due| due <= Instant::now()) && (reconcile.readers)().is_some() {
            let compared = tokio::select! {
                compared = reconcile.compare(None, None) => compared,
                () = cancel.cancelled() => return,
            };
            let is_whole = compared.is_ok_and(|found| reconcile.is_whole(&found));
            let pause = if is_whole { every } else { every.min(RETRY_PAUSE) };
            due = Some(Instant::now() + pause);
        }
    }
}

impl Reconcile {
    /// Compares what is asked for; the first failure is the answer, but everything else is compared.
    async fn compare(&self, pair: Option<&str>, entity: Option<&str>) -> Result<Vec<Comparison>> {
        let is_meant = |name: &str| pair.is_none_or(|pair| pair == name);
        let names = self.pairs();
        if let Some(unknown) = pair.filter(|pair| names.iter().all(|name| name != *pair)) {
            return Err(Error::new(ErrorKind::Usage, format!("there is no pair {unknown}"))
                .hint(format!("there are {}", names.join(", "))));
        }
        let (mut compared, mut failed) = (Vec::new(), None);
        let mut note = |pair: &str, began: Instant, outcome: Result<Vec<Outcome>>| {
            match outcome {
                Ok(found) => {
                    if entity.is_none() && pair.starts_with("source:") && !found.is_empty() {
                        self.keep(pair, &found)?;
                    }
                    compared.extend(self.noted(pair, found, began.elapsed())?);
                }
                Err(error) => {
                    self.failed(pair, &error);
                    failed.get_or_insert(error);
                }
            }
            Ok::<(), Error>(())
        };
        for side in self.sources.iter().filter(|side| is_meant(&side.pair())) {
            let began = Instant::now();
            note(&side.pair(), began, self.source(side, entity).await)?;
        }
        for side in self.targets.iter().filter(|side| is_meant(&side.pair())) {
            let began = Instant::now();
            note(&side.pair(), began, self.target(side, entity).await)?;
        }
        failed.map_or(Ok(compared), Err)
    }

    /// A table of a source that is mirrored no more differs from nothing.
    fn keep(&self, pair: &str, found: &[Outcome]) -> Result<()> {
        let tables: Vec<String> = found.iter().map(|one| one.comparison.entity.clone()).collect();
        for gone in tokio::task::block_in_place(|| self.ledger.keep_entities(pair, &tables))? {
            self.metrics.forget_comparison(pair, &gone, &Class::ALL.map(Class::word));
        }
        Ok(())
    }

    /// What is configured no more differs from nothing.
    fn forget(&self) {
        let sources = self.sources.iter().map(|side| (side.pair(), None));
        let targets = self.targets.iter().map(|side| {
            let entities = side.entities.iter().map(|entity| entity.name.clone());
            (side.pair(), Some(entities.collect()))
        });
        let known: Vec<_> = sources.chain(targets).collect();
        let forgotten = tokio::task::block_in_place(|| self.ledger.keep_comparisons(&known));
        if let Err(error) = forgotten {
            tracing::error!(error = %error.chain(), "old comparisons stay in the ledger");
        }
    }

    /// A start is no reason to compare again what was compared just before it.
    fn pause_at_start(&self, every: Duration) -> Duration {
        let known = tokio::task::block_in_place(|| self.ledger.comparisons()).unwrap_or_default();
        let oldest = known.iter().map(|one| one.at_micros).min().unwrap_or(0);
        let age = jiff::Timestamp::now().as_microsecond().saturating_sub(oldest);
        let age = Duration::from_micros(u64::try_from(age).unwrap_or(0));
        if self.is_whole(&known) { every.saturating_sub(age) } else { Duration::ZERO }
    }

    fn pairs(&self) -> Vec<String> {
        let sources = self.sources.iter().map(SourceSide::pair);
        sources.chain(self.targets.iter().map(TargetSide::pair)).collect()
    }

    /// Whether something of every pair was compared: not while one is filled for the first time.
    fn is_whole(&self, found: &[Comparison]) -> bool {
        self.pairs().iter().all(|pair| found.iter().any(|one| one.pair == *pair))
    }

    fn noted(&self, pair: &str, found: Vec<Outcome>, took: Duration) -> Result<Vec<Comparison>> {
        // Nothing that was looked at is no agreement.
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let agree = found.iter().all(|one| one.comparison.differing == 0);
        self.metrics.compare_seconds.with_label_values(&[pair]).observe(took.as_secs_f64());
        let result = if agree { "agree" } else { "differ" };
        self.metrics.compares.with_label_values(&[pair, result]).inc();
        let mut comparisons = Vec::new();
        for Outcome { comparison, drifts } in found {
            tokio::task::block_in_place(|| self.ledger.note_comparison(&comparison, &drifts))?;
            let rows = self.metrics.compared_rows.with_label_values(&[pair, &comparison.entity]);
            rows.inc_by(comparison.rows);
            if comparison.differing > 0 {
                let (entity, rows) = (&comparison.entity, comparison.differing);
                tracing::error!(pair, entity, rows, "two sides differ, see ops.drift");
            }
            comparisons.push(comparison);
        }
        self.state.compared(pair);
        Ok(comparisons)
    }

    fn failed(&self, pair: &str, error: &Error) {
        self.metrics.compares.with_label_values(&[pair, "failed"]).inc();
        self.state.failed(pair, error);
        let why = error.chain();
        match error.kind() {
            // Nobody has to act: it is done again when the side is there.
            ErrorKind::Unreachable => tracing::warn!(pair, error = %why, "a comparison failed"),
            _ => tracing::error!(pair, error = %why, "a comparison failed"),
        }
    }
}
