//! Runs of workflows: what began, and when each target acknowledged it.

use rusqlite::params;

use super::Ledger;
use crate::error::{Context, ErrorKind, Result};

/// A run of a workflow towards one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The workflow.
    pub workflow: String,
    /// Its entity.
    pub entity: String,
    /// The canonical key it is about.
    pub key: String,
    /// The event that began it.
    pub event: u64,
    /// The source's commit, microseconds since 1970-01-01 UTC.
    pub started_micros: i64,
    /// The event from which on the row has all that the workflow requires, and how the run ends
    /// once the target has that.
    pub complete: Option<(u64, Outcome)>,
    /// When the target acknowledged it, likewise.
    pub done: Option<i64>,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The target has it.
    Done,
    /// The row was deleted first.
    Gone,
}

impl Outcome {
    /// One word, as stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Gone => "gone",
        }
    }
}

impl Ledger {
    /// Writes runs of `target` down as they are now.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn set_runs(&self, target: &str, runs: &[Run]) -> Result<()> {
        let connection = self.lock()?;
        let run = || {
            let transaction = connection.unchecked_transaction()?;
            for one in runs {
                transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO workflow_run
                         (target, workflow, entity, key, event, started, complete, done, outcome)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                    )?
                    .execute(params![
                        target,
                        one.workflow,
                        one.entity,
                        one.key,
                        one.event,
                        one.started_micros,
                        one.complete.map(|(event, _)| event),
                        one.done,
                        one.complete.map(|(_, outcome)| outcome.word()),
                    ])?;
            }
            transaction.commit()
        };
        run().context(ErrorKind::Ledger, || format!("could not write the runs of {target}"))
    }

    /// Runs of `target`, the newest first, at most `count_max`; only open ones if `only_open`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn runs(&self, target: &str, only_open: bool, count_max: usize) -> Result<Vec<Run>> {
        let connection = self.lock()?;
        let condition = if only_open { "AND done IS NULL" } else { "" };
        let read = || -> rusqlite::Result<Vec<Run>> {
            connection
                .prepare_cached(&format!(
                    "SELECT workflow, entity, key, event, started, complete, done, outcome
                     FROM workflow_run WHERE target = ?1 {condition} ORDER BY event DESC LIMIT ?2"
                ))?
                .query_map(params![target, i64::try_from(count_max).unwrap_or(i64::MAX)], row)?
                .collect()
        };
        read().context(ErrorKind::Ledger, || format!("could not read the runs of {target}"))
    }

    /// Forgets runs that ended before `before_micros`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn forget_runs(&self, before_micros: i64) -> Result<usize> {
        self.lock()?
            .execute("DELETE FROM workflow_run WHERE done < ?1", [before_micros])
            .context(ErrorKind::Ledger, || "could not forget old runs".to_owned())
    }
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Run> {
    let (complete, outcome): (Option<u64>, Option<String>) = (row.get(5)?, row.get(7)?);
    let is_gone = outcome.as_deref() == Some(Outcome::Gone.word());
    let outcome = if is_gone { Outcome::Gone } else { Outcome::Done };
    Ok(Run {
        workflow: row.get(0)?,
        entity: row.get(1)?,
        key: row.get(2)?,
        event: row.get(3)?,
        started_micros: row.get(4)?,
        complete: complete.map(|event| (event, outcome)),
        done: row.get(6)?,
    })
}
