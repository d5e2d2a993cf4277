//! Delivery: outbox → target → settle, one loop per target.
//!
//! ```text
//!  outbox ─events─► plan ─drafts─► render ─rows─► target: data, cursor and holes in one
//!  canon ──chunk──► (baseline)                     transaction ─► settle in the ledger
//! ```
//! The promise is order per canonical key, each event once. The target's own account is the
//! truth; the ledger keeps why something is parked. A chunk of a baseline is read from canon at
//! the newest event and applied exactly there, so that no row ever goes back.

mod baseline;
mod opening;
mod parking;
pub mod plan;
mod render;
pub mod repair;
pub mod retry;
pub mod service;
mod soft;
mod state;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::canon::Entity;
use crate::config::{Limits, TargetConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Ledger;
use crate::ledger::standing::TargetFacts;
use crate::target::{Apply, Target};
use baseline::Purpose;
pub use baseline::{Canon, CanonChunk};
use parking::{Parking, Settlement, now_micros};
use plan::{Decision, Standing};
use render::Renderer;
use repair::{Repair, Repairs};
use service::{Services, Workflow};
pub use state::{DeliverPhase, DeliverSeen, DeliverState, Service};

/// First pause after a failure; doubled up to [`RETRY_PAUSE_MAX`], reset by progress.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between attempts.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(15);
/// How long the loop waits for news before it looks at what is parked.
const NEWS_PAUSE: Duration = Duration::from_millis(500);

/// One target's delivery and what it needs.
pub struct Deliver {
    /// The target's name.
    pub name: String,
    /// As configured.
    pub config: TargetConfig,
    /// The entities it takes, referenced ones first.
    pub entities: Vec<Entity>,
    /// The workflows that end here.
    pub workflows: Vec<Workflow>,
    /// Events, and what is parked.
    pub ledger: Arc<Ledger>,
    /// Canonical rows, for baselines.
    pub canon: Arc<dyn Canon>,
    /// The last event that the store has, and with it the outbox.
    pub events: watch::Receiver<u64>,
    /// Bounds.
    pub limits: Limits,
    /// What people see.
    pub state: Arc<DeliverState>,
    /// Rows to be written again.
    pub repairs: Repairs,
}

/// Compiles the columns of a target as its delivery would.
///
/// # Errors
/// [`ErrorKind::Config`] naming the column and what is wrong with its SQL.
pub fn compile(entities: &[Entity], config: &TargetConfig) -> Result<()> {
    Renderer::new(entities, config).map(drop)
}

/// Shows a gap that an earlier process found: until a person acts, nobody may see anything better.
///
/// # Errors
/// [`ErrorKind::Ledger`].
pub fn show_gap(deliver: &Deliver) -> Result<()> {
    if let Some(gap) = opening::remembered_gap(&deliver.ledger.target(&deliver.name)?) {
        deliver.state.failed(DeliverPhase::Gap, &gap);
    }
    Ok(())
}

/// Delivers until cancelled. Failures are retried with backoff and shown; a gap stops here and
/// waits for a person.
pub async fn run(deliver: Deliver, cancel: CancellationToken) {
    let mut pause = RETRY_PAUSE;
    while !cancel.is_cancelled() {
        let before = deliver.state.seen().cursor;
        let ended = session(&deliver, &cancel).await;
        let Err(error) = ended else { break };
        let is_gap = error.kind() == ErrorKind::Gap;
        let phase = if is_gap { DeliverPhase::Gap } else { DeliverPhase::Retrying };
        if is_gap {
            crate::failpoint::reach("before-gap-remembered");
            remember_gap(&deliver, &error);
        }
        deliver.state.failed(phase, &error);
        tracing::error!(
            target_name = %deliver.name,
            error = %error.chain(),
            hint = error.remedy().unwrap_or_default(),
            "delivery failed"
        );
        if is_gap {
            cancel.cancelled().await;
            break;
        }
        if deliver.state.seen().cursor > before {
            pause = RETRY_PAUSE;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = cancel.cancelled() => break,
        }
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    }
}

/// A gap outlives the process and its own reason: only a person says that it is mended.
fn remember_gap(deliver: &Deliver, error: &Error) {
    let name = &deliver.name;
    let remembered = deliver.ledger.target(name).and_then(|facts| {
        let gap = facts.gap.clone().unwrap_or_else(|| error.chain());
        deliver.ledger.set_target(name, &TargetFacts { gap: Some(gap), ..facts })
    });
    if let Err(error) = remembered {
        tracing::error!(target_name = %name, error = %error.chain(), "gap not written down");
    }
}

async fn session(deliver: &Deliver, cancel: &CancellationToken) -> Result<()> {
    let mut session = Session::open(deliver).await?;
    let mut events = deliver.events.clone();
    while !cancel.is_cancelled() {
        let newest = *events.borrow_and_update();
        let mut worked = session.baseline(newest).await?;
        worked |= session.deliver(newest).await?;
        worked |= session.retry().await?;
        worked |= session.take_repair().await?;
        session.end_runs()?;
        session.show();
        if worked {
            continue;
        }
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tokio::time::sleep(NEWS_PAUSE) => {}
            changed = events.changed() => if changed.is_err() { break },
        }
    }
    Ok(())
}

/// An open target, and all that is known of it.
struct Session<'a> {
    deliver: &'a Deliver,
    target: Target,
    standing: Standing,
    renderer: Renderer,
    parking: Parking,
    services: Services,
    /// Read ahead, and what for.
    chunk: Option<(CanonChunk, Purpose)>,
    /// What a chunk that repairs is for.
    repair: Option<Repair>,
    epoch: u64,
}

impl<'a> Session<'a> {
    /// Takes the target and learns from it what it has.
    async fn open(deliver: &'a Deliver) -> Result<Self> {
        let (mut target, account, epoch) = opening::take(deliver).await?;
        let names = deliver.entities.iter().map(|entity| entity.name.clone()).collect();
        let mut standing = Standing::new(names, account);
        forget(deliver, &mut target, &mut standing).await?;
        let known = deliver.ledger.parked(&deliver.name, usize::MAX)?;
        let (parking, settlement) = Parking::new(&standing, known, now_micros());
        let renderer = Renderer::new(&deliver.entities, &deliver.config)?;
        let open = deliver.ledger.runs(&deliver.name, true, usize::MAX)?;
        let services = Services::new(open);
        let (chunk, repair) = (None, None);
        let session =
            Self { deliver, target, standing, renderer, parking, services, chunk, repair, epoch };
        // The ledger learns what the target said about itself.
        session.record(&settlement)?;
        deliver.state.entered(DeliverPhase::Delivering);
        Ok(session)
    }

    /// Applies the next run of events; false if there is none.
    async fn deliver(&mut self, newest: u64) -> Result<bool> {
        // A chunk that was read ahead is applied exactly at its event.
        let upto = self.chunk.as_ref().map_or(newest, |(chunk, _)| chunk.read_at);
        let cursor = self.standing.cursor();
        if upto <= cursor {
            return Ok(false);
        }
        let count_max = self.deliver.limits.apply_events;
        let events = on_disk(|| self.deliver.ledger.events(cursor, upto, count_max))?;
        self.begin_runs(&events)?;
        match plan::plan(&self.standing, events, &self.deliver.limits)? {
            Decision::Idle => Ok(false),
            // Decided again each time, with what `retry` settled meanwhile.
            Decision::Full => {
                self.deliver.state.full(self.standing.parked_event_count());
                Ok(false)
            }
            Decision::Apply(plan) => {
                let (apply, drafts) = plan.into_parts();
                self.apply(apply, drafts).await?;
                self.deliver.state.has_room();
                Ok(true)
            }
        }
    }

    /// Renders drafts, applies them in one transaction of the target, and settles it.
    async fn apply(&mut self, mut apply: Apply, drafts: Vec<plan::Draft>) -> Result<()> {
        let began = Instant::now();
        let unrendered = on_disk(|| self.renderer.render(&mut apply, drafts))?;
        let applied = self.target.apply(apply.clone()).await?;
        crate::failpoint::reach("after-apply");
        self.standing.settle(&apply, &applied);
        let (done, limits) = ((&apply, &applied), &self.deliver.limits);
        let settlement =
            self.parking.settle(&self.standing, done, unrendered, limits, now_micros());
        if !settlement.parked.is_empty() {
            crate::failpoint::reach("after-parking");
        }
        crate::failpoint::reach("before-settle");
        on_disk(|| self.record(&settlement))?;
        let refused = applied.refused.len() as u64;
        let rows = (apply.rows.len() as u64).saturating_sub(refused);
        self.deliver.state.applied(rows, refused, began.elapsed());
        Ok(())
    }

    /// Writes down in the ledger what the target has.
    fn record(&self, settlement: &Settlement) -> Result<()> {
        let Settlement { keys, parked } = settlement;
        self.deliver.ledger.settle(&self.deliver.name, self.standing.cursor(), keys, parked)
    }

    fn show(&self) {
        let cursor = self.standing.cursor();
        self.deliver.state.update(|seen| {
            seen.epoch = self.epoch;
            seen.cursor = cursor;
            (seen.parked, seen.dead) = self.parking.counts(&self.standing);
            seen.baseline = self
                .deliver
                .entities
                .iter()
                .map(|e| (e.name.clone(), baseline::shown(self.standing.baseline(&e.name))))
                .collect();
        });
    }
}

/// What the target does not take any more, it owes to nobody.
async fn forget(deliver: &Deliver, target: &mut Target, standing: &mut Standing) -> Result<()> {
    let forsaken = standing.forsaken();
    if forsaken.is_empty() {
        return Ok(());
    }
    for (entity, parked) in &forsaken {
        tracing::warn!(
            target_name = %deliver.name,
            entity = %entity,
            parked = parked,
            "entity is not delivered any more: its parked events are given up"
        );
    }
    let apply = Apply { forgotten: forsaken.into_keys().collect(), ..Apply::default() };
    let applied = target.apply(apply.clone()).await?;
    standing.settle(&apply, &applied);
    Ok(())
}

/// Runs `work`, which waits for a disk or computes, without holding up other tasks.
fn on_disk<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    tokio::task::block_in_place(work)
}
