//! What the daemon tells the store's readers: the topics behind the views of `ops`.

use std::sync::{Arc, Weak};

use serde::Serialize;
use serde_json::json;

use super::operator::Daemon;
use super::standing;
use crate::config::WorkflowConfig;
use crate::kpi::Definition;
use crate::ledger::run::Run;
use crate::store::Live;

/// Dead letters that `ops.dead_letter` shows, of each target.
const DEAD_LETTERS_MAX: usize = 10_000;

/// Runs that `ops.workflow_run` shows, of each target: the newest.
const RUNS_MAX: usize = 100_000;

/// From now on `daemon` answers; it may end before the store is closed.
pub(super) fn tell(live: &Live, daemon: &Arc<Daemon>) {
    let daemon = Arc::downgrade(daemon);
    live.tell(Box::new(move |topic| answer(&daemon, topic)));
}

fn answer(daemon: &Weak<Daemon>, topic: &str) -> String {
    let Some(daemon) = daemon.upgrade() else { return "[]".to_owned() };
    match topic {
        "sources" => text(&daemon.sources()),
        "freshness" => text(&freshness(&daemon)),
        "entities" => text(&daemon.entities()),
        "targets" => text(&daemon.targets()),
        "dead_letters" => {
            text(&standing::dead_letters(&daemon.ledger, &daemon.config, DEAD_LETTERS_MAX))
        }
        "runs" => text(&runs(&daemon)),
        "workflows" => text(&workflows(&daemon)),
        "drift" => text(&daemon.drift_rows()),
        "comparisons" => text(&daemon.comparison_rows()),
        "kpis" => text(&figures(&daemon)),
        _ => "[]".to_owned(),
    }
}

fn freshness(daemon: &Daemon) -> Vec<serde_json::Value> {
    let conform = daemon.conform_status();
    let one = |source: crate::status::SourceStatus| {
        json!({
            "source": source.name,
            "state": source.state,
            "lag_seconds": source.lag_seconds,
            "behind_entries": conform.journal_behind_entries,
            "last_batch_at": conform.last_batch_at,
        })
    };
    daemon.sources().into_iter().map(one).collect()
}

/// Every workflow and where it ends.
fn workflows(daemon: &Daemon) -> Vec<serde_json::Value> {
    let of = |(name, workflow): (&String, &WorkflowConfig)| {
        let sla_seconds = workflow.level().map(|level| level.as_secs());
        let one = |target: &String| {
            json!({"workflow": name, "target": target, "entity": workflow.entity,
                "sla_seconds": sla_seconds})
        };
        workflow.targets.iter().map(one).collect::<Vec<_>>()
    };
    daemon.config.workflow.iter().flat_map(of).collect()
}

/// Runs, the newest of each target.
fn runs(daemon: &Daemon) -> Vec<serde_json::Value> {
    let at = |micros: i64| jiff::Timestamp::from_microsecond(micros).ok();
    let of = |target: &String| {
        let runs = daemon.ledger.runs(target, false, RUNS_MAX).unwrap_or_default();
        let one = |run: Run| {
            let level = daemon.config.workflow.get(&run.workflow).and_then(WorkflowConfig::level);
            json!({
                "workflow": run.workflow,
                "target": target,
                "entity": run.entity,
                "key": run.key,
                "event": run.event,
                "started_at": at(run.started_micros),
                "done_at": run.done.and_then(at),
                "outcome": run.complete.map(|(_, outcome)| outcome.word()),
                "sla_seconds": level.map(|level| level.as_secs()),
            })
        };
        runs.into_iter().map(one).collect::<Vec<_>>()
    };
    daemon.config.target.keys().flat_map(of).collect()
}

fn figures(daemon: &Daemon) -> Vec<serde_json::Value> {
    let (definitions, states) = &daemon.kpis;
    let one = |definition: &Definition| {
        let seen = states.seen(&definition.name);
        let (error, hint) = seen.error.unzip();
        json!({
            "kpi": definition.name,
            "metric": definition.metric,
            "help": definition.help,
            "unit": definition.unit,
            "every_seconds": definition.every.as_secs(),
            "state": seen.state.word(),
            "computed_at": seen.computed_at,
            "took_seconds": seen.took.as_secs_f64(),
            "series": seen.series,
            "message": error,
            "hint": hint.flatten(),
        })
    };
    definitions.iter().map(one).collect()
}

fn text<T: Serialize>(rows: &[T]) -> String {
    // Plain data: serialising it cannot fail.
    serde_json::to_string(rows).unwrap_or_else(|_| "[]".to_owned())
}
