//! What is parked and why: the ledger's side of a target's holes, and what is tried again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Session;
use super::plan::{self, Standing};
use super::render::Unrendered;
use super::retry::{self, Reason, Since};
use crate::config::Limits;
use crate::error::Result;
use crate::ledger::parked::{Parked, ParkedState};
use crate::target::{Applied, Apply, Hole, Refusal, Refused};

/// Keys that are tried again in one transaction of the target.
const RETRY_KEYS_MAX: usize = 500;

/// An entity and a key of it.
type Place = (String, String);

/// Why a key is parked.
#[derive(Debug, Clone)]
struct Why {
    class: Refusal,
    words: String,
    attempts: u32,
    since_micros: i64,
    refused_micros: i64,
    /// Until the next attempt by time.
    pause: Duration,
    is_dead: bool,
    has_follower: bool,
    tried_because: Reason,
}

/// Why keys are parked in a target. Which events are parked is [`Standing`]'s to know, and only
/// its: a key has a reason here exactly while it has events there.
#[derive(Debug, Default)]
pub(super) struct Parking {
    why: BTreeMap<Place, Why>,
    applied_micros: i64,
}

/// What the ledger is to write about keys.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Settlement {
    /// Keys of which something was parked or is.
    pub(super) keys: Vec<Place>,
    /// All of their events that are parked now.
    pub(super) parked: Vec<Parked>,
}

impl Parking {
    /// From the target's holes, which are the truth, and what the ledger knows about them; with
    /// what the ledger has to learn. Each start tries everything once more, dead letters too:
    /// whoever mended the target has restarted it, or us.
    pub(super) fn new(standing: &Standing, known: Vec<Parked>, now: i64) -> (Self, Settlement) {
        let mut parking = Self::default();
        let mut keys = BTreeSet::new();
        for row in known {
            let place = (row.entity, row.key);
            keys.insert(place.clone());
            if standing.sequences(&place.0, &place.1).is_none() {
                continue;
            }
            parking.why.entry(place).or_insert(Why {
                class: Refusal::of_word(&row.class),
                words: row.words,
                attempts: row.attempts,
                since_micros: row.since_micros,
                refused_micros: now,
                pause: Duration::ZERO,
                is_dead: row.state == ParkedState::Dead,
                has_follower: false,
                tried_because: Reason::Time,
            });
        }
        for (entity, key, _) in standing.parked() {
            let place = (entity.to_owned(), key.to_owned());
            keys.insert(place.clone());
            parking.why.entry(place).or_insert_with(|| Why::lost(now));
        }
        let settlement = parking.settlement(standing, keys);
        (parking, settlement)
    }

    /// Takes over what a delivery did; `standing` has done so before.
    pub(super) fn settle(
        &mut self,
        standing: &Standing,
        (apply, applied): (&Apply, &Applied),
        unrendered: Vec<Unrendered>,
        limits: &Limits,
        now: i64,
    ) -> Settlement {
        let mut touched: BTreeSet<Place> =
            apply.rows.iter().map(|row| (row.entity.clone(), row.key.clone())).collect();
        touched.extend(apply.dropped.iter().map(place_of));
        for place in apply.held.iter().map(place_of) {
            if let Some(why) = self.why.get_mut(&place) {
                why.has_follower = true;
            }
            touched.insert(place);
        }
        let has_new = applied.refused.iter().any(|one| self.is_newly_there(one));
        if has_new || apply.rows.len() > applied.refused.len() {
            self.applied_micros = now;
        }
        for one in unrendered {
            let place = (one.entity, one.key);
            touched.insert(place.clone());
            self.refuse(place, Refusal::Rejected, one.words, limits, now);
        }
        for one in &applied.refused {
            let place = (one.row.entity.clone(), one.row.key.clone());
            self.refuse(place, one.class, one.words.clone(), limits, now);
        }
        touched.retain(|place| {
            let is_parked = standing.sequences(&place.0, &place.1).is_some();
            is_parked || self.why.remove(place).is_some()
        });
        self.settlement(standing, touched)
    }

    /// Keys to be tried again now, those first that wait longest. At most [`RETRY_KEYS_MAX`] of
    /// those with events, and of baseline rows, which cannot be tried at any time.
    fn due(&mut self, standing: &Standing, limits: &Limits, now: i64) -> Due {
        let mut waiting: Vec<(i64, Place, Reason)> = Vec::new();
        for (place, why) in &self.why {
            let waited = u64::try_from(now - why.refused_micros).unwrap_or(0);
            let since = Since {
                waited: Duration::from_micros(waited),
                has_applied: self.applied_micros > why.refused_micros,
                has_follower: why.has_follower,
            };
            if let Some(reason) = retry::due(why.class, why.pause, since, limits) {
                waiting.push((why.refused_micros, place.clone(), reason));
            }
        }
        waiting.sort_by_key(|(refused, ..)| *refused);
        let mut due = Due::default();
        for (_, place, reason) in waiting {
            let Some(sequences) = standing.sequences(&place.0, &place.1) else { continue };
            let mut events = sequences.iter().copied().filter(|s| *s != Hole::BASELINE).peekable();
            let list = if events.peek().is_some() { &mut due.events } else { &mut due.baseline };
            if list.len() >= RETRY_KEYS_MAX {
                continue;
            }
            if let Some(why) = self.why.get_mut(&place) {
                why.tried_because = reason;
                why.has_follower = false;
            }
            list.push((place, events.collect()));
        }
        due
    }

    /// Parked events that are retried, and those that need a person.
    pub(super) fn counts(&self, standing: &Standing) -> (u64, u64) {
        let (mut retrying, mut dead) = (0, 0);
        for (entity, key, sequences) in standing.parked() {
            let why = self.why.get(&(entity.to_owned(), key.to_owned()));
            let count = if why.is_some_and(|why| why.is_dead) { &mut dead } else { &mut retrying };
            *count += sequences.len() as u64;
        }
        (retrying, dead)
    }

    /// True for an incomplete row that others may wait for. One that was so before brings nothing
    /// new, or rows that miss each other would be tried for ever.
    fn is_newly_there(&self, one: &Refused) -> bool {
        let before = self.why.get(&(one.row.entity.clone(), one.row.key.clone()));
        one.class == Refusal::Incomplete
            && before.is_none_or(|why| {
                why.class != Refusal::Incomplete || why.tried_because == Reason::Followed
            })
    }

    fn refuse(&mut self, place: Place, class: Refusal, words: String, limits: &Limits, now: i64) {
        let before = self.why.get(&place);
        let attempts = before.map_or(1, |why| why.tried_because.attempts_after(why.attempts));
        let why = Why {
            class,
            words,
            attempts,
            since_micros: before.map_or(now, |why| why.since_micros),
            refused_micros: now,
            pause: retry::pause(attempts, limits, rand::random()),
            is_dead: retry::is_dead(attempts, limits),
            has_follower: false,
            tried_because: Reason::Time,
        };
        self.why.insert(place, why);
    }

    fn settlement(&self, standing: &Standing, keys: BTreeSet<Place>) -> Settlement {
        let parked = keys.iter().flat_map(|place| self.rows_of(standing, place)).collect();
        Settlement { keys: keys.into_iter().collect(), parked }
    }

    fn rows_of(&self, standing: &Standing, place: &Place) -> Vec<Parked> {
        let sequences = standing.sequences(&place.0, &place.1);
        let (Some(sequences), Some(why)) = (sequences, self.why.get(place)) else {
            return Vec::new();
        };
        let pause_micros = i64::try_from(why.pause.as_micros()).unwrap_or(i64::MAX);
        let row = |sequence: &u64| Parked {
            sequence: *sequence,
            entity: place.0.clone(),
            key: place.1.clone(),
            state: if why.is_dead { ParkedState::Dead } else { ParkedState::Retrying },
            class: why.class.word().to_owned(),
            words: why.words.clone(),
            attempts: why.attempts,
            next_at_micros: why.refused_micros.saturating_add(pause_micros),
            since_micros: why.since_micros,
        };
        sequences.iter().map(row).collect()
    }
}

impl Why {
    /// Of a hole that the ledger knows nothing of.
    fn lost(now: i64) -> Self {
        Self {
            class: Refusal::Rejected,
            words: "parked before a crash; the target's words were lost".to_owned(),
            attempts: 0,
            since_micros: now,
            refused_micros: now,
            pause: Duration::ZERO,
            is_dead: false,
            has_follower: false,
            tried_because: Reason::Time,
        }
    }
}

/// What is to be tried again: keys, and their events.
#[derive(Debug, Default)]
struct Due {
    events: Vec<(Place, Vec<u64>)>,
    /// Keys of which only the baseline row is parked.
    baseline: Vec<(Place, Vec<u64>)>,
}

fn place_of(hole: &Hole) -> Place {
    (hole.entity.clone(), hole.key.clone())
}

impl Session<'_> {
    /// Tries parked keys again whose time or whose chance has come; false if there are none.
    pub(super) async fn retry(&mut self) -> Result<bool> {
        let due = self.parking.due(&self.standing, &self.deliver.limits, now_micros());
        let mut sequences: Vec<u64> =
            due.events.into_iter().flat_map(|(_, sequences)| sequences).collect();
        sequences.sort_unstable();
        let events = self.deliver.ledger.events_by_sequence(&sequences)?;
        let drafts = plan::retry(&self.standing, events);
        let mut worked = false;
        if !drafts.is_empty() {
            self.apply(Apply::default(), drafts).await?;
            worked = true;
        }
        // One entity at a time; whoever waits longest is first.
        let Some(((entity, _), _)) = due.baseline.first() else { return Ok(worked) };
        if self.chunk.is_none() {
            let of_entity = due.baseline.iter().filter(|((other, _), _)| other == entity);
            let keys: Vec<String> = of_entity.map(|((_, key), _)| key.clone()).collect();
            worked |= self.read_refused(entity, &keys)?;
        }
        Ok(worked)
    }
}

pub(super) fn now_micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests;
