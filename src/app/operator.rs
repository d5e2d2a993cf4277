//! What the running daemon answers to its operator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::assemble::{Captures, Deliveries, Lags};
use super::room::Room;
use super::standing::{self, DEAD_LETTERS_READ_MAX};
use crate::archive::ArchiveState;
use crate::canon::{Effect, Entity, MappingSet};
use crate::capture::Phase;
use crate::config::{Config, SourceKind};
use crate::conform::{ConformState, Held};
use crate::deliver::DeliverPhase;
use crate::deliver::repair::Repair;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::finding::Finding;
use crate::kpi::{Definition, KpiStates};
use crate::ledger::Ledger;
use crate::ledger::drift::Comparison;
use crate::ledger::journal::Journal;
use crate::metrics::Metrics;
use crate::reconcile::{Question, ReconcileState};
use crate::serve::http::{
    DiffRequest, DiffResult, Operator, ReconcileRequest, ReconcileResult, ResumeRequest,
    ResyncRequest, ResyncResult, SqlColumn, SqlRequest, SqlResult,
};
use crate::status::{
    ArchiveStatus, ConformStatus, CopyStatus, DEAD_LETTERS_SHOWN, DaemonState, EffectStatus,
    EntityStatus, HeldBatch, OpenTransactionStatus, SourceState, SourceStatus, Status, TargetState,
    TargetStatus,
};
use crate::store::OpenTransaction;
use crate::store::evaluate::{Mismatch, canonical};
use crate::store::reader::{self, Statement};

/// Parked mappings that a status lists.
const PARKED_SHOWN_MAX: usize = 20;
/// Statements of operators that run at once: each may use as much memory as the store has.
pub(super) const STATEMENTS_MAX: usize = 4;

/// The running daemon, as its operator sees it.
#[derive(Debug)]
pub(super) struct Daemon {
    pub(super) config: Config,
    pub(super) started: jiff::Timestamp,
    pub(super) metrics: Metrics,
    pub(super) ledger: Arc<Ledger>,
    pub(super) journal: Arc<Journal>,
    pub(super) captures: Captures,
    pub(super) conform: Arc<ConformState>,
    pub(super) archive: Arc<ArchiveState>,
    /// The key figures, and how they are.
    pub(super) kpis: (Vec<Definition>, Arc<KpiStates>),
    /// Where a comparison is asked for, and how the pairs are.
    pub(super) reconcile: (mpsc::Sender<Question>, Arc<ReconcileState>),
    /// By target, where rows that differ are handed to its delivery.
    pub(super) repairs: BTreeMap<String, mpsc::Sender<Repair>>,
    pub(super) deliveries: Deliveries,
    pub(super) lags: Lags,
    /// When the ledger will be full.
    pub(super) room: Arc<Room>,
    pub(super) mappings: MappingSet,
    /// A permit per statement of an operator.
    pub(super) statements: Arc<Semaphore>,
}

impl Operator for Daemon {
    fn status(&self) -> BoxFuture<'_, Status> {
        // It waits for the store and the ledger: not on a thread that others need.
        Box::pin(async { tokio::task::block_in_place(|| self.gather()) })
    }

    fn ready(&self) -> BoxFuture<'_, std::result::Result<(), Vec<String>>> {
        Box::pin(async { tokio::task::block_in_place(|| self.judge()) })
    }

    fn metrics(&self) -> BoxFuture<'_, String> {
        Box::pin(async {
            tokio::task::block_in_place(|| self.measure());
            self.metrics.render()
        })
    }

    fn sql(&self, request: SqlRequest) -> BoxFuture<'_, Result<SqlResult>> {
        Box::pin(self.query(request))
    }

    fn diff(&self, request: DiffRequest) -> BoxFuture<'_, Result<DiffResult>> {
        Box::pin(self.differences(request))
    }

    fn reconcile(&self, request: ReconcileRequest) -> BoxFuture<'_, Result<ReconcileResult>> {
        Box::pin(self.reconciled(request))
    }

    fn resync(&self, request: ResyncRequest) -> BoxFuture<'_, Result<ResyncResult>> {
        Box::pin(self.resync(request))
    }

    fn resume(&self, request: ResumeRequest) -> BoxFuture<'_, Result<()>> {
        let is_let_go = self.conform.release(request.seq_upto);
        Box::pin(async move {
            if is_let_go {
                return Ok(());
            }
            let what = format!("no batch is held that ends with entry {}", request.seq_upto);
            Err(Error::new(ErrorKind::Usage, what).hint("look again: trueup resume --dry-run"))
        })
    }
}

impl Daemon {
    /// Asks for a comparison and waits for what it finds.
    pub(super) async fn compared(
        &self,
        pair: Option<&str>,
        entity: Option<&str>,
    ) -> Result<Vec<Comparison>> {
        let (answer, answered) = oneshot::channel();
        let (pair, entity) = (pair.map(str::to_owned), entity.map(str::to_owned));
        let busy = |_| {
            let what = "other comparisons wait already";
            Error::new(ErrorKind::Unreachable, what).hint("try again when they have ended")
        };
        self.reconcile.0.try_send(Question { pair, entity, answer }).map_err(busy)?;
        let gone = || "the comparison was not answered: the daemon is ending".to_owned();
        answered.await.context(ErrorKind::Unreachable, gone)?
    }

    fn judge(&self) -> std::result::Result<(), Vec<String>> {
        let status = self.gather();
        let mut reasons = Vec::new();
        for source in &status.sources {
            if source.state != SourceState::Streaming {
                let why = source.message.as_deref().unwrap_or_default();
                reasons.push(format!("source {} is {} {why}", source.name, source.state.word()));
            }
        }
        if status.conform.held.is_some() {
            reasons.push("conform: a batch is held until `trueup resume`".to_owned());
        }
        if let Some(error) = &status.conform.error {
            reasons.push(format!("conform: {error}"));
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    pub(super) fn gather(&self) -> Status {
        Status {
            install: self.ledger.install().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            daemon: DaemonState::Running,
            since: Some(self.started),
            sources: self.sources(),
            conform: self.conform_status(),
            archive: self.archive(),
            entities: self.entities(),
            targets: self.targets(),
            dead_letters: standing::dead_letters(&self.ledger, &self.config, DEAD_LETTERS_READ_MAX)
                .into_iter()
                .take(DEAD_LETTERS_SHOWN)
                .collect(),
            findings: [
                standing::unread(&self.ledger, &self.config),
                self.parked_mappings(),
                self.mismatches(),
                self.drift(),
                self.failing_figures(),
            ]
            .concat(),
        }
    }

    pub(super) fn sources(&self) -> Vec<SourceStatus> {
        self.config.source.iter().map(|(name, source)| self.source(name, source.kind)).collect()
    }

    pub(super) fn targets(&self) -> Vec<TargetStatus> {
        self.config.target.keys().map(|name| self.target(name)).collect()
    }

    /// Bytes that the capture log may have.
    pub(super) fn journal_limit(&self) -> u64 {
        self.config.limits.journal_bytes_max
    }

    pub(super) fn conform_status(&self) -> ConformStatus {
        let seen = self.conform.seen();
        let last = *self.journal.news().borrow();
        ConformStatus {
            journal_seq: seen.journal_seq,
            journal_behind_entries: last.saturating_sub(seen.journal_seq),
            ledger_full_seconds: self.room.whole_seconds_to_full(self.journal_limit()),
            batch: seen.batch,
            last_batch_at: seen
                .last_batch_micros
                .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok()),
            open_transaction: seen.open.map(open_transaction),
            held: seen.held.map(held),
            error: seen.error.map(|(error, _)| error),
        }
    }

    fn archive(&self) -> ArchiveStatus {
        let seen = self.archive.seen();
        let (error, hint) = seen.error.unzip();
        ArchiveStatus { error, hint: hint.flatten(), ..standing::archive(seen.last.as_ref()) }
    }

    /// A parked mapping stands still while everything else runs: a person must know.
    fn parked_mappings(&self) -> Vec<Finding> {
        let Some(reader) = self.conform.reader() else { return Vec::new() };
        // Before a source is copied its mappings cannot fit yet: that is no news.
        let asked = "SELECT source, entity, cause FROM ops.parked
                     WHERE state <> 'waiting' AND source IN (SELECT source FROM ops.source_ready)
                     ORDER BY source, entity";
        let rows = reader.query(asked, PARKED_SHOWN_MAX).map(|found| found.rows);
        let one = |row: Vec<Option<String>>| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            let (source, entity) = (cells.next()?, cells.next()?);
            Some(Finding::error(
                format!("mapping {entity} of {source} is parked: {}", cells.next()?),
                "mend the mapping or the source's columns, then start the daemon again",
            ))
        };
        // Before the first mapping is set up there is no such table, and nothing is parked.
        rows.unwrap_or_default().into_iter().filter_map(one).collect()
    }

    /// What is not what the mappings give is wrong in every target, too.
    fn mismatches(&self) -> Vec<Finding> {
        let found = self.conform.verifications();
        let one = |Mismatch { table, keys }: &Mismatch| {
            Finding::error(
                format!(
                    "rows of {table} are not what a full evaluation gives: {}",
                    keys.join(", ")
                ),
                "raise `-- version:` in a mapping of the entity and start the daemon again: all is \
                 evaluated anew and what differs is delivered; and report this with the log",
            )
        };
        found.values().flat_map(|found| found.mismatches.iter().map(one)).collect()
    }

    fn failing_figures(&self) -> Vec<Finding> {
        let (definitions, states) = &self.kpis;
        let one = |(name, error, hint): (String, String, Option<String>)| {
            let file = definitions.iter().find(|one| one.name == name).map(|one| one.path.clone());
            let hint = hint.unwrap_or_else(|| format!("mend {}", file.unwrap_or_default()));
            Finding::warning(format!("key figure {name}: {error}"), hint)
        };
        states.failing().into_iter().map(one).collect()
    }

    pub(super) fn entities(&self) -> Vec<EntityStatus> {
        let Some(reader) = self.conform.reader() else { return Vec::new() };
        let verified = self.conform.verifications();
        let one = |entity: &Entity| {
            let (rows, ready) = reader
                .snapshot(|c| {
                    Ok((canonical::count(c, entity)?, reader::is_ready(c, &entity.name)?))
                })
                .unwrap_or_default();
            let found = verified.get(&entity.name);
            let mismatches = found.iter().flat_map(|found| &found.mismatches);
            EntityStatus {
                name: entity.name.clone(),
                rows,
                ready,
                verified_at: found
                    .and_then(|found| jiff::Timestamp::from_microsecond(found.at_micros).ok()),
                mismatches: mismatches.map(|one| one.keys.len() as u64).sum(),
            }
        };
        self.mappings.contributed().map(one).collect()
    }

    fn target(&self, name: &str) -> TargetStatus {
        let seen = self.deliveries.get(name).map(|state| state.seen()).unwrap_or_default();
        let newest = self.conform.seen().event_sequence;
        TargetStatus {
            name: name.to_owned(),
            state: target_state_of(seen.phase),
            epoch: seen.epoch,
            cursor: seen.cursor,
            queue_events: newest.saturating_sub(seen.cursor),
            oldest_seconds: standing::oldest_seconds(&self.ledger, seen.cursor, newest),
            parked: seen.parked,
            dead: seen.dead,
            baseline: seen.baseline,
            message: seen.message,
            hint: seen.hint,
        }
    }

    fn source(&self, name: &str, kind: SourceKind) -> SourceStatus {
        let seen = self.captures.get(name).map(|state| state.seen()).unwrap_or_default();
        let lag = self.lags.get(name).map(|lag| lag.now(seen.read.as_ref()));
        let (lag_seconds, lag_bytes) = lag.unwrap_or_default();
        let position = seen.position.map(|position| position.to_string());
        let copy = (seen.tables_done < seen.tables).then(|| CopyStatus {
            tables_done: seen.tables_done as u64,
            tables_total: seen.tables as u64,
            rows_copied: seen.rows_copied,
            rows_estimated: seen.rows_estimated,
            table: (!seen.copying.is_empty()).then(|| seen.copying.join(", ")),
            waiting_for: seen.waiting_for.clone(),
        });
        SourceStatus {
            name: name.to_owned(),
            kind: standing::kind_word(kind).to_owned(),
            state: state_of(seen.phase),
            confirmed: position.clone(),
            position,
            lag_seconds,
            lag_bytes,
            message: seen.message,
            hint: seen.hint,
            copy,
            resyncs: self.resyncs(name),
        }
    }

    async fn differences(&self, request: DiffRequest) -> Result<DiffResult> {
        let busy = |what: &str| {
            Err(Error::new(ErrorKind::Unreachable, what)
                .hint("see `trueup status`, then ask again"))
        };
        let seen = self.conform.seen();
        if seen.held.is_some() {
            return busy("a batch is held: nothing is evaluated before it is let go or avoided");
        }
        if seen.reader.is_none() {
            return busy("the store is not open");
        }
        let set = MappingSet::from_files(request.files)?;
        match self.conform.ask(set).await {
            Ok(effects) => Ok(DiffResult { effects: effects?.into_iter().map(effect).collect() }),
            Err(_) => busy("the question was not answered: another one came, or conform failed"),
        }
    }

    async fn query(&self, request: SqlRequest) -> Result<SqlResult> {
        let reader = self.conform.reader().ok_or_else(|| {
            Error::new(ErrorKind::Unreachable, "the store is not open yet").hint("try again")
        })?;
        let rows_max = self.config.limits.sql_rows_max;
        let rows_max = request.rows_max.map_or(rows_max, |asked| asked.min(rows_max));
        let limit = Duration::from_secs(self.config.limits.sql_timeout_secs);
        let running = Arc::clone(&self.statements).try_acquire_owned().map_err(|_| {
            let what = format!("{STATEMENTS_MAX} statements run already");
            Error::new(ErrorKind::Unreachable, what).hint("try again when one of them has ended")
        })?;
        let statement = reader.statement()?;
        drop(reader);
        // Stops the statement when this future ends or is dropped, whatever the reason.
        let _stop = statement.stop();
        let asked = tokio::task::spawn_blocking(move || {
            let result = run(statement, &request.query, rows_max);
            drop(running);
            result
        });
        let result = tokio::time::timeout(limit, asked).await.map_err(|_| {
            let what = format!("the statement took longer than {} s", limit.as_secs());
            Error::new(ErrorKind::Usage, what)
                .hint("ask for less, or raise sql_timeout_secs in [limits]")
        })?;
        result.context(ErrorKind::Bug, || "the statement's thread ended badly".to_owned())?
    }
}

fn run(statement: Statement, query: &str, rows_max: usize) -> Result<SqlResult> {
    let found = statement.query(query, rows_max)?;
    let column = |name: String| SqlColumn { name, r#type: "VARCHAR".to_owned() };
    let cells = |row: Vec<Option<String>>| {
        row.into_iter().map(|cell| cell.map_or(Value::Null, Value::String)).collect()
    };
    Ok(SqlResult {
        columns: found.columns.into_iter().map(column).collect(),
        rows: found.rows.into_iter().map(cells).collect(),
        cut: found.cut.then(|| format!("{rows_max} rows (sql_rows_max)")),
    })
}

fn open_transaction(open: OpenTransaction) -> OpenTransactionStatus {
    let before = open.first.saturating_sub(1);
    OpenTransactionStatus {
        source: open.source,
        entries_total: open.last - before,
        entries_done: open.part - before,
        since: jiff::Timestamp::from_microsecond(open.since_micros).ok(),
    }
}

fn held(held: Held) -> HeldBatch {
    HeldBatch { effect: effect(held.effect), seq_upto: held.seq_upto }
}

fn effect(effect: Effect) -> EffectStatus {
    let Effect { entity, rows, updated, deleted, created, attributes, keys } = effect;
    EffectStatus { entity, rows, updated, deleted, created, attributes, keys }
}

fn state_of(phase: Phase) -> SourceState {
    match phase {
        Phase::Preparing => SourceState::Preparing,
        Phase::Copying => SourceState::Copying,
        Phase::Streaming => SourceState::Streaming,
        Phase::Retrying => SourceState::Retrying,
        Phase::Paused => SourceState::Paused,
        Phase::Gap => SourceState::Gap,
    }
}

fn target_state_of(phase: DeliverPhase) -> TargetState {
    match phase {
        DeliverPhase::Opening => TargetState::Opening,
        DeliverPhase::Baseline => TargetState::Baseline,
        DeliverPhase::Delivering => TargetState::Delivering,
        DeliverPhase::Paused => TargetState::Paused,
        DeliverPhase::Retrying => TargetState::Retrying,
        DeliverPhase::Gap => TargetState::Gap,
    }
}
