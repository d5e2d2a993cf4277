//! Service levels: how long it takes from a source's commit until this target has what a workflow is
//! about.
//!
//! A run is written down before the target is, and ends once the target's own account covers the
//! event with all that the workflow requires. After a crash it ends when the account is read again:
//! later than it was, never earlier.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Session;
use super::on_disk;
use super::parking::now_micros;
use super::plan::Standing;
use crate::canon::event::Row;
use crate::canon::{Entity, Event};
use crate::config::WorkflowConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::run::{Outcome, Run};
use crate::store::expr::Condition;
use crate::target::BaselineState;

/// How often old runs are forgotten.
const FORGET_PAUSE: Duration = Duration::from_secs(3_600);
/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;

/// A workflow, compiled.
pub struct Workflow {
    name: String,
    entity: String,
    when: Condition,
    requires: Vec<String>,
}

impl Workflow {
    /// Compiles a workflow over its entity.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming what is wrong with it.
    pub fn compile(name: &str, config: &WorkflowConfig, entity: &Entity) -> Result<Self> {
        let of = |error: Error| {
            let hint = error.remedy().unwrap_or("see docs/configuration.md").to_owned();
            let what = format!("[workflow.{name}] cannot be used");
            Error::new(ErrorKind::Config, what).caused_by(error).hint(hint)
        };
        let when = Condition::compile(entity, "when", &config.when).map_err(of)?;
        for attribute in &config.requires {
            if entity.attribute(attribute).is_none() {
                let what =
                    format!("`{attribute}` in `requires` is no attribute of {}", entity.name);
                let near = entity.nearest(attribute).map(|near| format!("did you mean `{near}`?"));
                let hint = near.unwrap_or_else(|| "see sql/canonical".to_owned());
                return Err(of(Error::new(ErrorKind::Config, what).hint(hint)));
            }
        }
        let (name, entity) = (name.to_owned(), entity.name.clone());
        Ok(Self { name, entity, when, requires: config.requires.clone() })
    }

    fn run(&self, event: &Event) -> Run {
        Run {
            workflow: self.name.clone(),
            entity: self.entity.clone(),
            key: event.key.clone(),
            event: event.sequence,
            started_micros: event.time_micros,
            complete: None,
            done: None,
        }
    }

    fn is_complete(&self, row: Option<&Row>) -> bool {
        let has =
            |name: &String| row.and_then(|row| row.get(name)).is_some_and(|value| !value.is_null());
        self.requires.iter().all(has)
    }

    /// Which of the events begin a run. Those that cannot be judged together are judged one by one,
    /// and one that cannot be judged at all begins none.
    fn begun(&self, events: &[&Event]) -> Vec<bool> {
        let pair = |event: &Event| -> Vec<bool> {
            self.when.holds(&[(event.old.as_ref(), event.new.as_ref())]).unwrap_or_else(|error| {
                let (workflow, sequence) = (&self.name, event.sequence);
                tracing::warn!(workflow, sequence, error = %error.chain(), "not judged");
                vec![false]
            })
        };
        let pairs: Vec<_> =
            events.iter().map(|event| (event.old.as_ref(), event.new.as_ref())).collect();
        let all = self.when.holds(&pairs);
        all.unwrap_or_else(|_| events.iter().flat_map(|event| pair(event)).collect())
    }
}

/// Workflow, entity and key of a run.
type Place = (String, String, String);

/// The open runs of one target.
#[derive(Default)]
pub(super) struct Services {
    open: BTreeMap<Place, Vec<Run>>,
    forgotten_micros: i64,
}

impl Services {
    pub(super) fn new(open: Vec<Run>) -> Self {
        let mut services = Self::default();
        for run in open {
            let place = (run.workflow.clone(), run.entity.clone(), run.key.clone());
            services.open.entry(place).or_default().push(run);
        }
        services
    }

    /// Takes over events that are about to be delivered; the runs that are to be written down first.
    pub(super) fn take(&mut self, workflows: &[Workflow], events: &[Event]) -> Vec<Run> {
        let mut changed = BTreeMap::new();
        for workflow in workflows {
            let of: Vec<&Event> = events.iter().filter(|e| e.entity == workflow.entity).collect();
            if of.is_empty() {
                continue;
            }
            for (event, begins) in of.iter().zip(workflow.begun(&of)) {
                let place = (workflow.name.clone(), workflow.entity.clone(), event.key.clone());
                let outcome = match &event.new {
                    // What begins with the end of a row is about just that.
                    None if begins => Some(Outcome::Done),
                    None => Some(Outcome::Gone),
                    row => workflow.is_complete(row.as_ref()).then_some(Outcome::Done),
                };
                let runs = self.open.entry(place).or_default();
                if begins && runs.iter().all(|run| run.event != event.sequence) {
                    runs.push(workflow.run(event));
                }
                for run in runs.iter_mut().filter(|run| run.complete.is_none()) {
                    run.complete = outcome.map(|outcome| (event.sequence, outcome));
                    changed.insert((workflow.name.clone(), run.event), run.clone());
                }
            }
        }
        self.open.retain(|_, runs| !runs.is_empty());
        changed.into_values().collect()
    }

    /// Ends the runs that the target has; they are to be written down.
    pub(super) fn settle(&mut self, standing: &Standing, now: i64) -> Vec<Run> {
        let mut ended = Vec::new();
        for runs in self.open.values_mut() {
            runs.retain(|run| {
                let is_covered = covers(standing, run);
                if is_covered {
                    ended.push(Run { done: Some(now), ..run.clone() });
                }
                !is_covered
            });
        }
        self.open.retain(|_, runs| !runs.is_empty());
        ended
    }
}

/// Whether the target has what ends the run.
fn covers(standing: &Standing, run: &Run) -> bool {
    let Some((complete, _)) = run.complete else { return false };
    let parked = standing.sequences(&run.entity, &run.key);
    complete <= standing.cursor()
        && standing.baseline(&run.entity) == Some(&BaselineState::Done)
        && !parked.is_some_and(|parked| parked.iter().any(|sequence| *sequence <= complete))
}

impl Session<'_> {
    /// Writes down what begins with these events.
    pub(super) fn begin_runs(&mut self, events: &[Event]) -> Result<()> {
        let deliver = self.deliver;
        let begun = self.services.take(&deliver.workflows, events);
        if begun.is_empty() {
            return Ok(());
        }
        on_disk(|| deliver.ledger.set_runs(&deliver.name, &begun))?;
        crate::failpoint::reach("after-runs-begun");
        Ok(())
    }

    /// Writes down what ended, and says how long it took.
    pub(super) fn end_runs(&mut self) -> Result<()> {
        let (deliver, now) = (self.deliver, now_micros());
        let ended = self.services.settle(&self.standing, now);
        if !ended.is_empty() {
            on_disk(|| deliver.ledger.set_runs(&deliver.name, &ended))?;
            let has_it = |run: &&Run| run.complete.is_some_and(|(_, o)| o == Outcome::Done);
            for run in ended.iter().filter(has_it) {
                let micros = now.saturating_sub(run.started_micros);
                // The clock of the source may be ahead of ours.
                let took = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
                deliver.state.run_ended(&run.workflow, took, micros < 0);
            }
        }
        let pause = i64::try_from(FORGET_PAUSE.as_micros()).unwrap_or(i64::MAX);
        if now.saturating_sub(self.services.forgotten_micros) > pause {
            let days = i64::from(deliver.limits.workflow_retention_days);
            let before = now.saturating_sub(days.saturating_mul(DAY_MICROS));
            on_disk(|| deliver.ledger.forget_runs(before))?;
            self.services.forgotten_micros = now;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
