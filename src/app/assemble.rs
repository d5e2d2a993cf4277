//! Puts the daemon together: what every loop and listener needs, before anything runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, mpsc, watch};

use super::canon::StoreCanon;
use super::lag::Lag;
use super::operator::{Daemon, STATEMENTS_MAX};
use super::{live, planning, sql, startup};
use crate::archive::{self, Archive, ArchiveState};
use crate::capture::{self, Capture, CaptureState};
use crate::config::{Config, SourceConfig, TargetConfig};
use crate::conform::fence::Fence;
use crate::conform::{Conform, ConformState, rebuild};
use crate::deliver::repair::Repair;
use crate::deliver::{self, Canon, Deliver, DeliverState};
use crate::error::{Context, ErrorKind, Result};
use crate::kpi::{self, Kpis, Loaded};
use crate::ledger::Ledger;
use crate::ledger::drift::Class;
use crate::ledger::journal::Journal;
use crate::metrics::Metrics;
use crate::reconcile::{Question, Reconcile, SourceSide, TargetSide};
use crate::serve::pgwire::Sql;
use crate::source::entry::{Lacking, Unproven};
use crate::state::StateDir;
use crate::store::Live;
use crate::target::Target;

/// Questions for a comparison that wait for one that runs.
const QUESTIONS_WAITING_MAX: usize = 8;

/// Everything, ready to run.
pub(super) struct Parts {
    pub(super) captures: Vec<Capture>,
    pub(super) conform: Arc<Conform>,
    pub(super) archive: Archive,
    pub(super) kpis: Kpis,
    pub(super) reconcile: Reconcile,
    pub(super) deliveries: Vec<Deliver>,
    pub(super) operator: Arc<Daemon>,
    pub(super) sql: Option<Sql>,
}

/// Opens ledger and journal, brings a lost store back, and makes everything else.
///
/// # Errors
/// What is wrong with the configuration, the state folder or a mapping.
pub(super) fn assemble(config: Config, state: &StateDir) -> Result<Parts> {
    let started = SystemTime::now();
    let metrics = Metrics::new(env!("CARGO_PKG_VERSION"), started)
        .context(ErrorKind::Bug, || "could not register the metrics".to_owned())?;
    let ledger = Arc::new(Ledger::open(state.path())?);
    ledger.note_start()?;
    let seq_floor = ledger.last_batch()?.map_or(0, |batch| batch.seq_upto.max(batch.part));
    let journal =
        Arc::new(Journal::open(&state.journal(), config.limits.segment_bytes, seq_floor)?);
    let (lacking, told) = watch::channel(Lacking::new());
    let (unproven, doubted) = watch::channel(Unproven::default());
    let captures = captures(&config, &ledger, &journal, (&told, &doubted))?;
    let (events, _) = watch::channel(0);
    let conform = Conform {
        state_dir: state.path().to_owned(),
        limits: config.limits.clone(),
        leaves_out: config
            .source
            .values()
            .any(|source| !source.columns.is_empty() || !source.rows.is_empty()),
        kinds: config.source.iter().map(|(name, source)| (name.clone(), source.kind)).collect(),
        mappings: planning::mappings(&config)?,
        targets: config.target.keys().cloned().collect(),
        ledger: Arc::clone(&ledger),
        journal: Arc::clone(&journal),
        lacking,
        unproven,
        events,
        state: Arc::new(ConformState::default()),
        live: Live::default(),
    };
    tokio::task::block_in_place(|| bring_back(&conform))?;
    let channel = |name: &String| (name.clone(), mpsc::channel(1));
    let repairs: BTreeMap<_, _> = config.target.keys().map(channel).collect();
    let senders =
        repairs.iter().map(|(name, (sender, _))| (name.clone(), sender.clone())).collect();
    let receivers = repairs.into_iter().map(|(name, (_, receiver))| (name, receiver)).collect();
    let deliveries = deliveries(&config, &conform, receivers)?;
    startup::plan(&config, &conform.mappings, &deliveries)?;
    let archive = sealing(&conform, &config);
    let kpis = figures(&config, &conform, &metrics)?;
    let (questions, asked) = mpsc::channel(QUESTIONS_WAITING_MAX);
    let shown_captures: Captures = captures.iter().map(shown).collect();
    let reconcile = comparing(&config, &conform, &metrics, (asked, shown_captures.clone()))?;
    let statements = Arc::new(Semaphore::new(STATEMENTS_MAX));
    let sql = sql::listener(&config, &conform.state, &statements)?;
    let operator = Daemon {
        config,
        started: jiff::Timestamp::try_from(started).unwrap_or_default(),
        metrics,
        ledger,
        journal,
        captures: shown_captures,
        conform: Arc::clone(&conform.state),
        archive: Arc::clone(&archive.state),
        kpis: (kpis.definitions.clone(), Arc::clone(&kpis.states)),
        reconcile: (questions, Arc::clone(&reconcile.state)),
        repairs: senders,
        deliveries: deliveries.iter().map(delivered).collect(),
        lags: captures.iter().map(|capture| (capture.name.clone(), Arc::default())).collect(),
        room: Arc::default(),
        mappings: conform.mappings.clone(),
        statements,
    };
    operator.declare();
    let operator = Arc::new(operator);
    live::tell(&conform.live, &operator);
    let conform = Arc::new(conform);
    Ok(Parts { captures, conform, archive, kpis, reconcile, deliveries, operator, sql })
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
    (lacking, unproven): (&watch::Receiver<Lacking>, &watch::Receiver<Unproven>),
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
            unproven: unproven.clone(),
            state: Arc::new(CaptureState::default()),
        };
        capture::show_gap(&capture)?;
        Ok(capture)
    };
    config.source.iter().map(one).collect()
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

/// Everything that reads the store beside conform asks for its reading side anew each time.
fn figures(config: &Config, conform: &Conform, metrics: &Metrics) -> Result<Kpis> {
    let Loaded { definitions, broken } = kpi::load(config.daemon.sql_dir.as_deref())?;
    definitions.iter().for_each(|one| metrics.declare_kpi(&one.name));
    let state = Arc::clone(&conform.state);
    Ok(Kpis {
        definitions,
        broken,
        readers: Arc::new(move || state.reader()),
        metrics: metrics.clone(),
        time_max: Duration::from_secs(config.limits.kpi_timeout_secs),
        series_max: config.limits.kpi_series_max,
        states: Arc::default(),
    })
}

/// What is compared with what.
fn comparing(
    config: &Config,
    conform: &Conform,
    metrics: &Metrics,
    (questions, captures): (mpsc::Receiver<Question>, Captures),
) -> Result<Reconcile> {
    let install = conform.ledger.install().to_string();
    let side = |(name, target): (&String, &TargetConfig)| {
        let side = TargetSide {
            name: name.clone(),
            config: target.clone(),
            entities: planning::taken(name, target, &conform.mappings)?,
            target: Target::new(name, &install, target)?,
        };
        metrics.declare_pair(&side.pair());
        let classes = Class::ALL.map(Class::word);
        for entity in &side.entities {
            metrics.declare_comparison(&side.pair(), &entity.name, &classes);
        }
        Ok(side)
    };
    let simple = conform.ledger.install().simple().to_string();
    let of_source = |(name, source): (&String, &SourceConfig)| {
        let system = planning::source(name, &simple, config)?;
        let side = SourceSide { name: name.clone(), kind: source.kind, source: system };
        metrics.declare_pair(&side.pair());
        Ok(side)
    };
    let (state, fenced) = (Arc::clone(&conform.state), Arc::clone(&conform.state));
    let read_upto = move |name: &str| {
        let seen = captures.get(name)?.seen();
        seen.read.or(seen.position)
    };
    Ok(Reconcile {
        sources: config.source.iter().map(of_source).collect::<Result<_>>()?,
        journal: Arc::clone(&conform.journal),
        read_upto: Arc::new(read_upto),
        fences: Arc::new(move || Fence::put(&fenced)),
        targets: config.target.iter().map(side).collect::<Result<_>>()?,
        ledger: Arc::clone(&conform.ledger),
        readers: Arc::new(move || state.reader()),
        limits: config.limits.clone(),
        metrics: metrics.clone(),
        state: Arc::default(),
        questions,
    })
}

/// A delivery per target, of the entities that have a mapping and a table there.
fn deliveries(
    config: &Config,
    conform: &Conform,
    mut repairs: BTreeMap<String, mpsc::Receiver<Repair>>,
) -> Result<Vec<Deliver>> {
    let canon = Arc::new(StoreCanon::new(Arc::clone(&conform.state)));
    let one = |(name, target): (&String, &TargetConfig)| {
        let deliver = Deliver {
            name: name.clone(),
            config: target.clone(),
            entities: planning::taken(name, target, &conform.mappings)?,
            workflows: planning::workflows(config, name, &conform.mappings)?,
            ledger: Arc::clone(&conform.ledger),
            canon: Arc::clone(&canon) as Arc<dyn Canon>,
            events: conform.events.subscribe(),
            limits: config.limits.clone(),
            state: Arc::new(DeliverState::default()),
            repairs: repairs.remove(name).unwrap_or_else(|| mpsc::channel(1).1).into(),
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
