//! A batch that would change more of an entity than an ordinary day does is held until a person lets
//! it go: a mistake in a mapping, or a script run on the source, must not reach every target.
//!
//! Nothing of a held batch is written anywhere, so it can also be avoided: a newer set of mappings
//! takes the place of the one that made it. Capture goes on meanwhile. A batch that the ledger has
//! is never held again: its replay is bound to it.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use super::{Decided, Session, mappings};
use crate::canon::{Event, EventOp};
use crate::config::Limits;
use crate::error::Result;
use crate::store::evaluate::canonical;

/// Keys that are named, for a person to look at.
const KEYS_SHOWN: usize = 10;

/// What a held batch would do to one entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The entity of which it would change most.
    pub entity: String,
    /// Its rows before.
    pub rows: u64,
    /// Rows that would have other values.
    pub updated: u64,
    /// Rows that would go.
    pub deleted: u64,
    /// Rows that would come; they alone hold nothing.
    pub created: u64,
    /// How many rows would get another value, by attribute.
    pub attributes: BTreeMap<String, u64>,
    /// Some of the keys.
    pub keys: Vec<String>,
    /// The batch ends with this journal entry.
    pub seq_upto: u64,
}

impl Session<'_> {
    /// What makes a batch one to be held, if it is one and nobody let it go yet.
    pub(super) fn mass_change(&self, decided: &Decided) -> Result<Option<Held>> {
        let limits = &self.conform.limits;
        if decided.batch.seq_upto <= self.conform.state.released() {
            return Ok(None);
        }
        let mut largest: Option<Held> = None;
        for mut held in weigh(&decided.events, decided.batch.seq_upto) {
            let Some(entity) = self.mappings.entities().get(&held.entity) else { continue };
            if held.changed() < limits.hold_rows_min {
                continue;
            }
            let rows_now = canonical::count(self.store.connection(), entity)?;
            held.rows = (rows_now + held.deleted).saturating_sub(held.created);
            let is_larger = |other: &Held| held.changed() > other.changed();
            if held.is_too_much(limits) && largest.as_ref().is_none_or(is_larger) {
                largest = Some(held);
            }
        }
        Ok(largest)
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
        self.evaluator.recall(self.store.connection())?;
        if self.mappings.hash() != self.in_force {
            self.mappings = mappings::kept(self.conform, &self.in_force)?;
            self.evaluator = mappings::evaluator(self.conform, &self.mappings)?;
            self.is_stale = true;
        }
        tracing::error!(
            entity = %held.entity,
            rows = held.rows,
            updated = held.updated,
            deleted = held.deleted,
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

impl Held {
    /// Rows that would not be what they were.
    #[must_use]
    pub fn changed(&self) -> u64 {
        self.updated + self.deleted
    }

    fn is_too_much(&self, limits: &Limits) -> bool {
        let share = u128::from(limits.hold_percent) * u128::from(self.rows);
        self.changed() >= limits.hold_rows_min && u128::from(self.changed()) * 100 > share
    }
}

/// What the events do to each entity; its rows before are not known yet.
fn weigh(events: &[Event], seq_upto: u64) -> Vec<Held> {
    let mut entities: BTreeMap<&str, Held> = BTreeMap::new();
    for event in events {
        let held = entities.entry(&event.entity).or_insert_with(|| Held {
            entity: event.entity.clone(),
            rows: 0,
            updated: 0,
            deleted: 0,
            created: 0,
            attributes: BTreeMap::new(),
            keys: Vec::new(),
            seq_upto,
        });
        match event.op {
            EventOp::Created => {
                held.created += 1;
                continue;
            }
            EventOp::Deleted => held.deleted += 1,
            EventOp::Updated => held.updated += 1,
        }
        if held.keys.len() < KEYS_SHOWN {
            held.keys.push(event.key.clone());
        }
        let (Some(old), Some(new)) = (&event.old, &event.new) else { continue };
        for (attribute, value) in new {
            if old.get(attribute) != Some(value) {
                *held.attributes.entry(attribute.clone()).or_default() += 1;
            }
        }
    }
    entities.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canon::event::Row;

    fn event(entity: &str, number: u64, op: EventOp) -> Event {
        let row = |name: &str| -> Row {
            [("no", "1"), ("name", name)]
                .map(|(a, v)| (a.to_owned(), v.into()))
                .into_iter()
                .collect()
        };
        Event {
            sequence: number,
            entity: entity.to_owned(),
            key: number.to_string(),
            op,
            time_micros: 0,
            correlation: String::new(),
            old: (op != EventOp::Created).then(|| row("old")),
            new: (op != EventOp::Deleted).then(|| row("new")),
        }
    }

    #[test]
    fn what_is_there_is_weighed_and_what_comes_is_not() {
        let mut events: Vec<Event> = (0..30).map(|n| event("a", n, EventOp::Updated)).collect();
        events.extend((30..36).map(|n| event("a", n, EventOp::Deleted)));
        events.extend((36..99).map(|n| event("a", n, EventOp::Created)));
        events.extend((0..5).map(|n| event("b", n, EventOp::Created)));
        let held = weigh(&events, 7);
        let [a, b] = held.as_slice() else { panic!("{held:?}") };
        assert_eq!((a.updated, a.deleted, a.created, a.changed()), (30, 6, 63, 36));
        assert_eq!(a.attributes, BTreeMap::from([("name".to_owned(), 30)]));
        assert_eq!((a.keys.len(), b.changed(), b.seq_upto), (KEYS_SHOWN, 0, 7));
    }

    #[test]
    fn too_much_is_more_than_the_share_and_more_than_a_few() {
        let limits = |percent, min| Limits {
            hold_percent: percent,
            hold_rows_min: min,
            ..Limits::default()
        };
        let events: Vec<Event> = (0..26).map(|n| event("a", n, EventOp::Updated)).collect();
        let held = |rows| Held { rows, ..weigh(&events, 1).remove(0) };
        assert!(held(100).is_too_much(&limits(25, 26)));
        assert!(!held(104).is_too_much(&limits(25, 26)), "just the share");
        assert!(!held(100).is_too_much(&limits(25, 27)), "few rows");
        assert!(!held(26).is_too_much(&limits(100, 1)), "100 holds nothing");
        assert!(held(26).is_too_much(&limits(0, 1)));
    }
}
