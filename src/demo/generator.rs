//! Business activity for the demo: people are hired, staffed, log time, get it approved, invoices
//! go out and are paid, in the legacy ERP and, if there is one, in the legacy HR.
//!
//! Several writers at once, in transactions of different sizes, some rolled back in whole or in
//! part. What to do is drawn in `plan`, without any database; `erp` and `hr` carry it out.
//! It does not set the databases up, and it knows nothing of Trueup's own work.
//!
//! ```text
//! seed ─► writer 1…n:  draw a plan ─► HR transaction ─► ERP transaction ─► tally
//! ```

mod activity;
mod erp;
mod hr;
mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::error::{Context, Error, ErrorKind, Result};
use activity::Order;
use erp::ErpWriter;
use hr::HrWriter;
use plan::{Ending, Inputs, Plan};

/// Writers at work at the same time: enough for them to meet on rows, few enough for a laptop.
const WRITERS: u32 = 4;
/// A writer that cannot reach its database for this long gives up.
const OUTAGE_SECS_MAX: u64 = 120;
/// Pause between two attempts to reach a database.
const RECONNECT_DELAY_MS: u64 = 250;

/// What is to be done, where, and how fast.
#[derive(Debug, Clone)]
pub struct Generator {
    /// The ERP: a PostgreSQL database with `sql/demo/erp/schema.sql` and its seed rows.
    pub erp: tokio_postgres::Config,
    /// The HR, if there is one: a MariaDB database with `sql/demo/hr/schema.sql` and its rows.
    pub hr: Option<mysql_async::Opts>,
    /// Every choice follows from it; what writers do to each other does not.
    pub seed: u64,
    /// Plans a second, all writers together; more than 0.
    pub per_second: f64,
}

/// What was done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The seed it was drawn from.
    pub seed: u64,
    /// Activity by name.
    pub kinds: BTreeMap<&'static str, Tally>,
}

/// How the transactions of one kind of activity ended. A hire with an HR counts twice: once in
/// each database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Committed, and it changed something.
    pub committed: u64,
    /// Committed, but there was nothing to do (something else in the transaction may have had).
    pub idle: u64,
    /// Rolled back on purpose.
    pub rolled_back: u64,
    /// Refused by the database: a deadlock, a key another writer had taken, a reference.
    pub refused: u64,
    /// Row changes in what was committed.
    pub rows: u64,
}

impl Report {
    /// The sum over all kinds.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.kinds.values() {
            total.add(*tally);
        }
        total
    }

    fn merge(&mut self, other: Report) {
        for (kind, tally) in other.kinds {
            self.kinds.entry(kind).or_default().add(tally);
        }
    }
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.committed += other.committed;
        self.idle += other.idle;
        self.rolled_back += other.rolled_back;
        self.refused += other.refused;
        self.rows += other.rows;
    }
}

impl Generator {
    /// Works until `cancel`, then finishes the transactions at hand. The seed is logged.
    ///
    /// # Errors
    /// `Unreachable` when a database cannot be reached at first, or stays away for two minutes;
    /// `Config` for a rate that is not above 0.
    pub async fn run(&self, cancel: CancellationToken) -> Result<Report> {
        let pause = Duration::try_from_secs_f64(f64::from(WRITERS) / self.per_second)
            .ok()
            .filter(|pause| !pause.is_zero())
            .ok_or_else(|| {
                Error::new(ErrorKind::Config, "the generator's rate is not a number above 0")
                    .hint("give a number of transactions a second, such as 20")
            })?;
        tracing::info!(seed = self.seed, per_second = self.per_second, "generator starts");
        let staff = Arc::new(AtomicU32::new(erp::highest_staff_number(&self.erp).await?));
        let mut writers = JoinSet::new();
        for number in 0..WRITERS {
            let writer = Writer {
                random: StdRng::seed_from_u64(self.seed.wrapping_add(u64::from(number))),
                erp: ErpWriter::new(self.erp.clone()),
                hr: self.hr.clone().map(HrWriter::new),
                staff: Arc::clone(&staff),
                report: Report::default(),
            };
            writers.spawn(writer.work(pause, cancel.clone()));
        }
        let mut report = Report { seed: self.seed, ..Report::default() };
        while let Some(joined) = writers.join_next().await {
            let done = joined.context(ErrorKind::Bug, || "a writer panicked".to_owned());
            match done.and_then(|result| result) {
                Ok(part) => report.merge(part),
                Err(error) => {
                    writers.shutdown().await;
                    return Err(error);
                }
            }
        }
        Ok(report)
    }
}

/// How one transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Committed; what it is about changed something.
    Committed {
        /// Row changes, of all that the transaction did.
        rows: u64,
    },
    /// Committed, but there was nothing to do for what it is about.
    Idle {
        /// As above.
        rows: u64,
    },
    /// Rolled back on purpose.
    RolledBack,
    /// Refused by the database; nothing happened.
    Refused,
    /// The database went away; whether it committed is not known.
    Lost,
}

impl Outcome {
    /// A commit in which the first activity changed `first` rows, and the others `more`.
    fn committed(first: u64, more: u64) -> Self {
        let rows = first + more;
        if first > 0 { Outcome::Committed { rows } } else { Outcome::Idle { rows } }
    }
}

struct Writer {
    random: StdRng,
    erp: ErpWriter,
    hr: Option<HrWriter>,
    /// The highest staff number given out so far, by any writer.
    staff: Arc<AtomicU32>,
    report: Report,
}

impl Writer {
    async fn work(mut self, pause: Duration, cancel: CancellationToken) -> Result<Report> {
        let mut clock = interval(pause);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Ok(self.report),
                _ = clock.tick() => {}
            }
            let staff_max = self.staff.load(Ordering::Relaxed);
            let mut plan = Plan::draw(&mut self.random, self.hr.is_some(), staff_max);
            if plan.first().takes_number {
                plan.inputs.staff = self.staff.fetch_add(1, Ordering::Relaxed) + 1;
            }
            self.carry_out(&plan, &cancel).await?;
        }
    }

    /// Both sides in the order of the activity; the second only if the first did something, so
    /// that the ERP never knows a person whom the HR does not.
    async fn carry_out(&mut self, plan: &Plan, cancel: &CancellationToken) -> Result<()> {
        let name = plan.first().name;
        let sides = match plan.first().order {
            Order::HrFirst => [Side::Hr, Side::Erp],
            Order::ErpFirst => [Side::Erp, Side::Hr],
        };
        for side in sides {
            let outcome = match (side, &mut self.hr) {
                (Side::Erp, _) if plan.first().erp.is_some() => {
                    self.erp.carry_out(plan, cancel).await?
                }
                (Side::Hr, Some(hr)) if plan.first().hr.is_some() => {
                    hr.carry_out(plan, cancel).await?
                }
                _ => continue,
            };
            let tally = self.report.kinds.entry(name).or_default();
            match outcome {
                Outcome::Committed { rows } => {
                    tally.committed += 1;
                    tally.rows += rows;
                    continue;
                }
                Outcome::Idle { rows } => {
                    tally.idle += 1;
                    tally.rows += rows;
                }
                Outcome::RolledBack => tally.rolled_back += 1,
                Outcome::Refused | Outcome::Lost => tally.refused += 1,
            }
            break;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Side {
    Erp,
    Hr,
}

/// Waits before the next attempt to connect; `Err` when the outage has lasted too long, `false`
/// when the work is over.
async fn wait_out(
    since: tokio::time::Instant,
    error: Error,
    cancel: &CancellationToken,
) -> Result<bool> {
    if since.elapsed() > Duration::from_secs(OUTAGE_SECS_MAX) {
        return Err(error);
    }
    tokio::select! {
        () = cancel.cancelled() => Ok(false),
        () = tokio::time::sleep(Duration::from_millis(RECONNECT_DELAY_MS)) => Ok(true),
    }
}
