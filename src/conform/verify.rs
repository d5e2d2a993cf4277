//! Holds the live store against full evaluations, one entity after the other, for ever: what was
//! evaluated incrementally must be what the mappings give as a whole.
//!
//! On a snapshot beside the loop, which goes on. A difference is a bug of ours, or a mapping that
//! depends on something it does not tell; it is shown until a later look finds none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{Conform, mappings};
use crate::error::{Context, ErrorKind, Result};
use crate::store::evaluate::{Evaluator, Mismatch};
use crate::store::reader::{self, Statement};

/// How often it is looked which entity is due.
const LOOK_PAUSE: Duration = Duration::from_secs(5);

/// What a look at an entity found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// When, microseconds since 1970-01-01 UTC.
    pub at_micros: i64,
    /// Stored rows that are not what a full evaluation gives; empty if all is well.
    pub mismatches: Vec<Mismatch>,
}

/// A compiled set, by its hash: compiling takes longer than many a look.
type Compiled = Option<(String, Evaluator)>;

/// Verifies until cancelled.
pub async fn run(conform: Arc<Conform>, cancel: CancellationToken) {
    let every = Duration::from_secs(conform.limits.verify_every_secs);
    if every.is_zero() {
        return cancel.cancelled().await;
    }
    let began = Instant::now();
    let mut looked: BTreeMap<String, Instant> = BTreeMap::new();
    let mut compiled = None;
    while !cancel.is_cancelled() {
        let entities = conform.mappings.contributed().map(|entity| entity.name.clone());
        for entity in entities {
            if cancel.is_cancelled() || looked.get(&entity).unwrap_or(&began).elapsed() < every {
                continue;
            }
            match look(&conform, &entity, &mut compiled, &cancel).await {
                Ok(true) => drop(looked.insert(entity, Instant::now())),
                // What is due by time is about to be evaluated: later.
                Ok(false) => {}
                Err(_) if cancel.is_cancelled() => {}
                Err(error) => tracing::error!(
                    entity,
                    error = %error.chain(),
                    "an entity could not be verified, it is tried again"
                ),
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_PAUSE.min(every)) => {}
            () = cancel.cancelled() => {}
        }
    }
}

/// Verifies one entity; false if it cannot be compared just now.
async fn look(
    conform: &Arc<Conform>,
    entity: &str,
    compiled: &mut Compiled,
    cancel: &CancellationToken,
) -> Result<bool> {
    let Some(reader) = conform.state.reader() else { return Ok(false) };
    let statement = reader.statement()?;
    drop(reader);
    let stop = statement.stop();
    let (of, name, known) = (Arc::clone(conform), entity.to_owned(), compiled.take());
    let mut looking = tokio::task::spawn_blocking(move || compare(&of, &name, known, statement));
    let ended = tokio::select! {
        ended = &mut looking => ended,
        () = cancel.cancelled() => {
            drop(stop);
            looking.await
        }
    };
    let ended = ended.context(ErrorKind::Bug, || "verifying ended badly".to_owned())?;
    let (found, known) = ended?;
    *compiled = known;
    let Some(mismatches) = found else { return Ok(false) };
    for Mismatch { table, keys } in &mismatches {
        tracing::error!(table, count = keys.len(), "stored rows are not what the mappings give");
    }
    let at_micros = jiff::Timestamp::now().as_microsecond();
    conform.state.verified(entity, Verified { at_micros, mismatches });
    Ok(true)
}

fn compare(
    conform: &Conform,
    entity: &str,
    compiled: Compiled,
    statement: Statement,
) -> Result<(Option<Vec<Mismatch>>, Compiled)> {
    statement.apart(|connection| {
        let mark = reader::mark(connection)?;
        if mark.batch == 0 {
            return Ok((None, compiled));
        }
        // The set of the snapshot, which need not be the configured one.
        let hash = conform.ledger.batch(mark.batch)?.mappings;
        let mut evaluator = match compiled {
            Some((known, evaluator)) if known == hash => evaluator,
            _ => mappings::evaluator(conform, &mappings::kept(conform, &hash)?)?,
        };
        let found = evaluator.verify_entity(connection, entity)?;
        Ok((found, Some((hash, evaluator))))
    })
}
