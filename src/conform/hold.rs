//! A batch that would change more of an entity than an ordinary day does is held until a person lets
//! it go: a mistake in a mapping, or a script run on the source, must not reach every target.
//!
//! Nothing of a held batch is written anywhere, so it can also be avoided: a newer set of mappings
//! takes the place of the one that made it. Capture goes on meanwhile. A batch that the ledger has
//! is never held again: its replay is bound to it.

use tokio_util::sync::CancellationToken;

use super::{Decided, Session, mappings};
use crate::canon::Effect;
use crate::config::Limits;
use crate::error::Result;
use crate::store::evaluate::canonical;

/// A batch that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What it would do to the entity of which it would change most.
    pub effect: Effect,
    /// It ends with this journal entry, or is a slice of the transaction that does.
    pub seq_upto: u64,
}

impl Session<'_> {
    /// What makes a batch one to be held, if it is one and nobody let it go yet.
    pub(super) fn mass_change(&self, decided: &Decided) -> Result<Option<Held>> {
        let limits = &self.conform.limits;
        let seq_upto = decided.batch.border().ends();
        // What changes all rows there are is not more than all of them.
        if limits.hold_percent >= 100 || seq_upto <= self.conform.state.released() {
            return Ok(None);
        }
        let mut largest: Option<Effect> = None;
        for mut effect in Effect::of(decided.events.iter().map(Into::into)) {
            self.judge_whole(&mut effect)?;
            let Some(entity) = self.mappings.entities().get(&effect.entity) else { continue };
            if effect.changed() < limits.hold_rows_min {
                continue;
            }
            let effect = effect.after(canonical::count(self.store.connection(), entity)?);
            let is_larger = |other: &Effect| effect.changed() > other.changed();
            if is_too_much(&effect, limits) && largest.as_ref().is_none_or(is_larger) {
                largest = Some(effect);
            }
        }
        Ok(largest.map(|effect| Held { effect, seq_upto }))
    }

    /// What was let go is taken as it was shown, without what came after it.
    pub(super) fn bound(&self, last: u64) -> u64 {
        let released = self.conform.state.released();
        if released > self.mark.journal_seq { last.min(released) } else { last }
    }

    /// Gives the batch up and waits until it is let go; false when cancelled.
    pub(super) fn hold(&mut self, held: Held, cancel: &CancellationToken) -> Result<bool> {
        self.store.rollback()?;
        self.decoders.clear();
        if self.mappings.hash() == self.in_force {
            self.evaluator.recall(self.store.connection())?;
        } else {
            self.mappings = mappings::kept(self.conform, &self.in_force)?;
            self.evaluator = mappings::evaluator(self.conform, &self.mappings)?;
            self.is_stale = true;
        }
        tracing::error!(
            entity = %held.effect.entity,
            rows = held.effect.rows,
            updated = held.effect.updated,
            deleted = held.effect.deleted,
            "a batch would change too much at once, it is held until `trueup resume`"
        );
        let seq_upto = held.seq_upto;
        let mut released = self.conform.state.hold(held);
        self.runtime.block_on(async {
            tokio::select! {
                // The sender lives as long as we do.
                _ = released.wait_for(|upto| *upto >= seq_upto) => {
                    tracing::warn!(seq_upto, "a held batch was let go");
                    Ok(true)
                }
                () = cancel.cancelled() => Ok(false),
            }
        })
    }
}

fn is_too_much(effect: &Effect, limits: &Limits) -> bool {
    let share = u128::from(limits.hold_percent) * u128::from(effect.rows);
    effect.changed() >= limits.hold_rows_min && u128::from(effect.changed()) * 100 > share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_much_is_more_than_the_share_and_more_than_a_few() {
        let judged = |rows, hold_percent, hold_rows_min| {
            let limits = Limits { hold_percent, hold_rows_min, ..Limits::default() };
            is_too_much(&Effect { rows, updated: 20, deleted: 6, ..Effect::default() }, &limits)
        };
        assert!(judged(100, 25, 26));
        assert!(!judged(104, 25, 26), "just the share");
        assert!(!judged(100, 25, 27), "few rows");
        assert!(!judged(26, 100, 1), "100 holds nothing");
        assert!(judged(26, 0, 1));
    }
}
