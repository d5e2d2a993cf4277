//! Business key figures: a SELECT per file, run on its own schedule, its rows the series of a gauge.
//!
//! ```text
//!  sql/kpi/<name>.sql ─read─► header + SELECT ─due─► store (a snapshot, bounded) ─► gauge{labels}
//! ```
//! A file that fails disturbs nothing but its own figure: it is a metric, and `ops.kpi` says why. A
//! series that is not returned any more goes to 0, so that no old number stands for ever.

mod definition;
mod load;
mod state;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use prometheus::GaugeVec;
use tokio_util::sync::CancellationToken;

use crate::error::{Context, Error, ErrorKind, Result};
use crate::metrics::Metrics;
use crate::store::Reader;
use crate::store::reader::Rows;
pub use definition::Definition;
pub use load::{Loaded, load};
pub use state::{KpiSeen, KpiState, KpiStates};

/// How often it is looked which figure is due.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

/// Gives the reading side of the store; `None` until it is open.
pub type Readers = dyn Fn() -> Option<Arc<Reader>> + Send + Sync;

/// What the loop needs.
pub struct Kpis {
    /// The figures.
    pub definitions: Vec<Definition>,
    /// Those whose files cannot be used, and why.
    pub broken: Vec<(String, Error)>,
    /// Where their numbers come from.
    pub readers: Arc<Readers>,
    /// Where they go to.
    pub metrics: Metrics,
    /// How long one may take.
    pub time_max: Duration,
    /// Series of one figure.
    pub series_max: usize,
    /// What people see, by name.
    pub states: Arc<KpiStates>,
}

/// A figure at work.
struct Running {
    definition: Definition,
    gauge: GaugeVec,
    /// The label values of every series it ever had in this process.
    series: BTreeSet<Vec<String>>,
    due: Instant,
}

/// Computes until cancelled.
pub async fn run(kpis: Kpis, cancel: CancellationToken) {
    for (name, error) in &kpis.broken {
        kpis.failed(name, error);
    }
    let mut running = Vec::new();
    for definition in &kpis.definitions {
        let labels: Vec<&str> = definition.labels.iter().map(String::as_str).collect();
        match kpis.metrics.add_gauge(&definition.metric, &definition.help, &labels) {
            Ok(gauge) => running.push(Running {
                definition: definition.clone(),
                gauge,
                series: BTreeSet::new(),
                due: Instant::now(),
            }),
            // A figure less is better than no daemon.
            Err(cause) => {
                let what = format!("{}: the metric cannot be registered", definition.path);
                let error = Error::new(ErrorKind::Config, what).caused_by(cause);
                kpis.failed(&definition.name, &error);
            }
        }
    }
    while !cancel.is_cancelled() {
        for one in running.iter_mut().filter(|one| one.due <= Instant::now()) {
            tokio::select! {
                () = kpis.look(one) => {}
                () = cancel.cancelled() => return,
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_PAUSE) => {}
            () = cancel.cancelled() => {}
        }
    }
}

impl Kpis {
    /// Computes one figure now, if what it reads is there.
    async fn look(&self, one: &mut Running) {
        let name = one.definition.name.clone();
        let began = Instant::now();
        match self.compute(&one.definition).await {
            Ok(None) => {}
            Ok(Some(rows)) => match self.publish(one, &rows) {
                Ok(series) => {
                    self.metrics.kpi_failing.with_label_values(&[&name]).set(0);
                    let seconds = jiff::Timestamp::now().as_second();
                    self.metrics.kpi_computed.with_label_values(&[&name]).set(seconds);
                    let took = self.metrics.kpi_seconds.with_label_values(&[&name]);
                    took.observe(began.elapsed().as_secs_f64());
                    self.states.computed(&name, series, began.elapsed());
                    one.due = began + one.definition.every;
                    return;
                }
                Err(error) => self.failed(&name, &error),
            },
            Err(error) => self.failed(&name, &error),
        }
        one.due = began + one.definition.every.min(RETRY_PAUSE);
    }

    fn failed(&self, name: &str, error: &Error) {
        self.metrics.kpi_failing.with_label_values(&[name]).set(1);
        let is_news = self.states.failed(name, error);
        if is_news {
            tracing::error!(kpi = name, error = %error.chain(), "a key figure failed");
        }
    }

    /// The rows; `None` while entities that it reads are not ready.
    async fn compute(&self, definition: &Definition) -> Result<Option<Rows>> {
        let Some(reader) = (self.readers)() else { return Ok(None) };
        let statement = reader.statement()?;
        drop(reader);
        let stop = statement.stop();
        let (of, rows_max) = (definition.clone(), self.series_max);
        let asked = tokio::task::spawn_blocking(move || -> Result<Option<Rows>> {
            let missing = statement.not_ready(&of.entities)?;
            if !missing.is_empty() {
                return Ok(None);
            }
            statement.query(&of.at(jiff::Timestamp::now()), rows_max).map(Some)
        });
        let ended = tokio::time::timeout(self.time_max, asked).await;
        drop(stop);
        let ended = ended.map_err(|_| {
            let seconds = self.time_max.as_secs();
            Error::new(ErrorKind::Usage, format!("it took longer than {seconds} s"))
                .hint("make it read less, or raise kpi_timeout_secs in [limits]")
        })?;
        ended.context(ErrorKind::Bug, || "its thread ended badly".to_owned())?
    }

    /// Sets the series; their number.
    fn publish(&self, one: &mut Running, rows: &Rows) -> Result<usize> {
        if rows.cut {
            let what = format!("it has more than {} rows", self.series_max);
            return Err(Error::new(ErrorKind::Usage, what)
                .hint("label by something with few values, or raise kpi_series_max in [limits]"));
        }
        let series = one.definition.series(rows)?;
        for labels in one.series.iter().filter(|labels| !series.contains_key(*labels)) {
            one.gauge.with_label_values(labels).set(0.0);
        }
        for (labels, value) in &series {
            one.gauge.with_label_values(labels).set(*value);
        }
        let count = series.len();
        one.series.extend(series.into_keys());
        Ok(count)
    }
}

/// Pause after a failure, if the figure is not due sooner.
const RETRY_PAUSE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
