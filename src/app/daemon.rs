//! The daemon: opens ledger and journal, starts the loops, and stops them in order.
//!
//! Ordered drain (design §8): listener, capture, conform, deliver. Each one's input has ended
//! when it is asked to end, so nothing that was confirmed is left half done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::canon::StoreCanon;
use super::lag::{self, Lag};
use super::loops::Loops;
use super::operator::{Daemon, STATEMENTS_MAX};
use super::{planning, sql, startup};
use crate::archive::{self, Archive, ArchiveState};
use crate::capture::{self, Capture, CaptureState};
use crate::cli::Start;
use crate::config::{Config, TargetConfig};
use crate::conform::{Conform, ConformState, rebuild};
use crate::deliver::{self, Canon, Deliver, DeliverState};
use crate::error::{Context, ErrorKind, Result};
use crate::failpoint;
use crate::ledger::Ledger;
use crate::ledger::journal::Journal;
use crate::metrics::Metrics;
use crate::serve::{http, pgwire};
use crate::source::entry::Lacking;

/// Runs until `start.shutdown`, then drains.
pub(super) async fn run(start: Start) -> Result<()> {
    let Start { config, state, listener, shutdown } = start;
    failpoint::check()?;
    let started = SystemTime::now();
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), started)
        .context(ErrorKind::Bug, || "could not register the metrics".to_owned())?;
    let ledger = Arc::new(Ledger::open(state.path())?);
    ledger.note_start()?;
    let seq_floor = ledger.last_batch()?.map_or(0, |batch| batch.seq_upto.max(batch.part));
    let journal =
        Arc::new(Journal::open(&state.journal(), config.limits.segment_bytes, seq_floor)?);
    let (lacking, told) = watch::channel(Lacking::new());
    let (events, _) = watch::channel(0);
    let captures = captures(&config, &ledger, &journal, &told)?;
    let conform = Conform {
        state_dir: state.path().to_owned(),
        limits: config.limits.clone(),
        kinds: config.source.iter().map(|(name, source)| (name.clone(), source.kind)).collect(),
        mappings: planning::mappings(&config)?,
        targets: config.target.keys().cloned().collect(),
        ledger: Arc::clone(&ledger),
        journal: Arc::clone(&journal),
        lacking,
        events,
        state: Arc::new(ConformState::default()),
    };
    tokio::task::block_in_place(|| bring_back(&conform))?;
    let deliveries = deliveries(&config, &conform)?;
    startup::plan(&config, &conform.mappings, &deliveries)?;
    let archive = sealing(&conform, &config);
    let shown_captures: Captures = captures.iter().map(shown).collect();
    let shown_deliveries: Deliveries = deliveries.iter().map(delivered).collect();
    let statements = Arc::new(Semaphore::new(STATEMENTS_MAX));
    let sql = sql::listener(&config, &conform.state, &statements)?;
    let operator = Daemon {
        config,
        started: jiff::Timestamp::try_from(started).unwrap_or_default(),
        metrics,
        ledger,
        journal,
        captures: shown_captures.clone(),
        conform: Arc::clone(&conform.state),
        archive: Arc::clone(&archive.state),
        deliveries: shown_deliveries.clone(),
        lags: captures.iter().map(|capture| (capture.name.clone(), Arc::default())).collect(),
        mappings: conform.mappings.clone(),
        statements,
    };
    operator.declare();
    let listening = CancellationToken::new();
    let _watching = watch_lags(&captures, &operator.lags, &listening);
    let http = tokio::spawn(http::serve(listener, Arc::new(operator), listening.clone()));
    let sql = sql.map(|sql| tokio::spawn(pgwire::serve(sql, listening.clone())));
    let mut loops = Loops::start(captures, Arc::new(conform), archive, deliveries);
    let ended = tokio::select! {
        biased;
        () = shutdown.cancelled() => Ok(()),
        error = loops.failed() => Err(error),
        error = startup::refused(&shown_captures, &shown_deliveries) => Err(error),
    };
    if let Err(error) = &ended {
        tracing::error!(error = %error.chain(), "the daemon ends");
    }
    listening.cancel();
    closed(std::iter::once(http).chain(sql)).await;
    loops.drain().await;
    drop(state);
    ended
}

/// Waits for the listeners to end.
async fn closed(listeners: impl Iterator<Item = JoinHandle<Result<()>>>) {
    for listener in listeners {
        if let Ok(Err(error)) = listener.await {
            tracing::error!(error = %error.chain(), "a listener ended with an error");
        }
    }
}

/// A lost store is made anew before anything runs.
fn bring_back(conform: &Conform) -> Result<()> {
    if !rebuild::is_lost(conform)? {
        return Ok(());
    }
    let seals = conform.ledger.seals()?;
    let newest = seals.last().ok_or_else(rebuild::beyond_help)?;
    let files = archive::sealed_files(&conform.state_dir.join("archive"), &seals)?;
    rebuild::rebuild(conform, newest, &files)
}

fn captures(
    config: &Config,
    ledger: &Arc<Ledger>,
    journal: &Arc<Journal>,
    lacking: &watch::Receiver<Lacking>,
) -> Result<Vec<Capture>> {
    let install = ledger.install().simple().to_string();
    let one = |(name, source): (&String, &crate::config::SourceConfig)| {
        let capture = Capture {
            name: name.clone(),
            source: planning::source(name, &install, config)?,
            default_schema: planning::default_schema(source),
            journal: Arc::clone(journal),
            ledger: Arc::clone(ledger),
            limits: config.limits.clone(),
            retained_bytes_max: source.max_retained_bytes,
            lacking: lacking.clone(),
            state: Arc::new(CaptureState::default()),
        };
        capture::show_gap(&capture)?;
        Ok(capture)
    };
    config.source.iter().map(one).collect()
}

/// Looks at the end of every source's log, as long as what it returns is kept.
fn watch_lags(captures: &[Capture], lags: &Lags, listening: &CancellationToken) -> JoinSet<()> {
    let mut watching = JoinSet::new();
    for capture in captures {
        let Some(lag) = lags.get(&capture.name) else { continue };
        let (source, state) = (capture.source.clone(), Arc::clone(&capture.state));
        watching.spawn(lag::run(source, state, Arc::clone(lag), listening.clone()));
    }
    watching
}

fn shown(capture: &Capture) -> (String, Arc<CaptureState>) {
    (capture.name.clone(), Arc::clone(&capture.state))
}

fn sealing(conform: &Conform, config: &Config) -> Archive {
    let state = Arc::clone(&conform.state);
    Archive {
        folder: conform.state_dir.join("archive"),
        every: Duration::from_secs(config.limits.archive_every_secs),
        ledger: Arc::clone(&conform.ledger),
        readers: Arc::new(move || state.reader()),
        state: Arc::new(ArchiveState::default()),
    }
}

/// A delivery per target, of the entities that have a mapping and a table there.
fn deliveries(config: &Config, conform: &Conform) -> Result<Vec<Deliver>> {
    let canon = Arc::new(StoreCanon::new(Arc::clone(&conform.state)));
    let one = |(name, target): (&String, &TargetConfig)| {
        let deliver = Deliver {
            name: name.clone(),
            config: target.clone(),
            entities: planning::taken(name, target, &conform.mappings)?,
            ledger: Arc::clone(&conform.ledger),
            canon: Arc::clone(&canon) as Arc<dyn Canon>,
            events: conform.events.subscribe(),
            limits: config.limits.clone(),
            state: Arc::new(DeliverState::default()),
        };
        deliver::show_gap(&deliver)?;
        Ok(deliver)
    };
    config.target.iter().map(one).collect()
}

fn delivered(deliver: &Deliver) -> (String, Arc<DeliverState>) {
    (deliver.name.clone(), Arc::clone(&deliver.state))
}

/// Captures by name, for whoever shows them.
pub(super) type Captures = HashMap<String, Arc<CaptureState>>;
/// How far each capture is behind, likewise.
pub(super) type Lags = HashMap<String, Arc<Lag>>;
/// Deliveries by name, likewise.
pub(super) type Deliveries = HashMap<String, Arc<DeliverState>>;
