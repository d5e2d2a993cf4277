//! What another set of mappings would change, told without changing it: everything is evaluated
//! with it, in a transaction that is given up.

use tokio::sync::oneshot;

use super::{Session, mappings};
use crate::canon::effect::RowChange;
use crate::canon::{Effect, MappingSet};
use crate::error::{Error, ErrorKind, Result};
use crate::store::evaluate::{Difference, Evaluator, Moment, canonical};

/// A question of somebody who waits for the answer.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) mappings: MappingSet,
    pub(super) answer: oneshot::Sender<Result<Vec<Effect>>>,
}

impl Session<'_> {
    /// Answers who asked, between batches.
    pub(super) fn answer(&mut self) -> Result<()> {
        let Some(question) = self.conform.state.question() else { return Ok(()) };
        tracing::info!(hash = question.mappings.hash(), "another set of mappings is tried");
        self.store.begin()?;
        let effects = self.effects(&question.mappings);
        self.store.rollback()?;
        // Its temporary tables had the names of ours.
        self.is_stale = true;
        self.prepare_evaluator()?;
        if question.answer.send(effects).is_err() {
            tracing::info!("who asked what a set of mappings would change is gone");
        }
        Ok(())
    }

    fn effects(&self, set: &MappingSet) -> Result<Vec<Effect>> {
        let connection = self.store.connection();
        let mut evaluator = mappings::evaluator(self.conform, set)?;
        evaluator.create_tables(connection)?;
        let sources = self.ready_sources();
        let as_of_micros = jiff::Timestamp::now().as_microsecond();
        let moment = Moment { as_of_micros, batch: self.mark.batch + 1 };
        evaluator.let_back(connection, &sources, moment.batch)?;
        let found = evaluator.evaluate_all(connection, &sources, moment);
        let found = found.map_err(|error| failure(&mut evaluator, error))?;
        let ready = self.store.ready_entities()?;
        let changes = found.differences.iter().filter(|one| ready.contains(&one.entity));
        let effects = Effect::of(changes.map(Into::into)).into_iter().map(|effect| {
            let entity = set.entities().get(&effect.entity);
            let entity = entity.ok_or_else(|| Self::bug("a difference of no entity"))?;
            Ok(effect.after(canonical::count(connection, entity)?))
        });
        effects.collect()
    }
}

/// Which mapping it was, if it was one's own fault.
fn failure(evaluator: &mut Evaluator, error: Error) -> Error {
    match evaluator.take_failure() {
        None => error,
        Some(parked) => Error::new(
            ErrorKind::Rejected,
            format!("mapping {} of {}: {}", parked.entity, parked.source, parked.cause),
        )
        .hint("mend it: as it is, it would be parked"),
    }
}

impl<'a> From<&'a Difference> for RowChange<'a> {
    fn from(difference: &'a Difference) -> Self {
        Self {
            entity: &difference.entity,
            key: &difference.key,
            op: difference.op,
            old: difference.old.as_ref(),
            new: difference.new.as_ref(),
        }
    }
}
