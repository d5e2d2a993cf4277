//! What is parked and why: the ledger's side of a target's holes, and what is tried again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Session;
use super::plan;
use super::render::{ByKey, Unrendered};
use super::retry::{self, Reason, Since};
use crate::config::Limits;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::parked::{Parked, ParkedState};
use crate::target::{Applied, Apply, Hole, Refusal};

/// Keys that are tried again in one transaction of the target.
const RETRY_KEYS_MAX: usize = 500;

/// Why a key is parked.
#[derive(Debug, Clone)]
struct Why {
    class: Refusal,
    words: String,
    attempts: u32,
    since_micros: i64,
    refused_micros: i64,
    /// Until the next attempt by time; `None`: a dead letter.
    pause: Option<Duration>,
    has_follower: bool,
    tried_because: Reason,
}

/// What is parked in a target, by key.
#[derive(Debug, Default)]
pub(super) struct Parking {
    /// Parked events by key, as the target's holes say.
    holes: BTreeMap<(String, String), Vec<u64>>,
    why: ByKey<Why>,
    /// Rows of the ledger that the target has no holes for any more.
    stale: Vec<u64>,
    applied_micros: i64,
}

/// What the ledger is to write about a delivery.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Settlement {
    /// Parked events, new or changed.
    pub(super) parked: Vec<Parked>,
    /// Events that are not parked any more.
    pub(super) released: Vec<u64>,
}

impl Parking {
    /// From the target's holes, which are the truth, and what the ledger knows about them.
    pub(super) fn new(holes: &[Hole], known: Vec<Parked>) -> Self {
        let mut parking = Self::default();
        for hole in holes {
            parking.open(hole);
        }
        for row in known {
            let place = (row.entity.clone(), row.key.clone());
            let is_open = parking.holes.get(&place).is_some_and(|s| s.contains(&row.sequence));
            if !is_open {
                parking.stale.push(row.sequence);
                continue;
            }
            let class = if row.class == word(Refusal::Dependency) {
                Refusal::Dependency
            } else {
                Refusal::Rejected
            };
            let pause = (row.state == ParkedState::Retrying).then_some(Duration::ZERO);
            parking.why.entry(place).or_insert(Why {
                class,
                words: row.words,
                attempts: row.attempts,
                since_micros: row.since_micros,
                refused_micros: row.next_at_micros,
                pause,
                has_follower: false,
                tried_because: Reason::Time,
            });
        }
        parking
    }

    /// What the ledger must learn from the target at the start.
    pub(super) fn reconcile(&mut self) -> Settlement {
        let now = now_micros();
        let unknown: Vec<_> =
            self.holes.keys().filter(|place| !self.why.contains_key(*place)).cloned().collect();
        for place in unknown {
            self.why.insert(
                place,
                Why {
                    class: Refusal::Rejected,
                    words: "parked before a crash; the target's words were lost".to_owned(),
                    attempts: 0,
                    since_micros: now,
                    refused_micros: now,
                    pause: Some(Duration::ZERO),
                    has_follower: false,
                    tried_because: Reason::Time,
                },
            );
        }
        let places: Vec<_> = self.holes.keys().cloned().collect();
        let parked = places.iter().flat_map(|place| self.rows_of(place)).collect();
        Settlement { parked, released: std::mem::take(&mut self.stale) }
    }

    /// Takes over what a delivery did.
    pub(super) fn settle(
        &mut self,
        apply: &Apply,
        applied: &Applied,
        unrendered: Vec<Unrendered>,
        limits: &Limits,
    ) -> Settlement {
        let now = now_micros();
        let mut settlement = Settlement::default();
        let mut changed: Vec<(String, String)> = Vec::new();
        for row in &apply.rows {
            let place = (row.entity.clone(), row.key.clone());
            if applied
                .refused
                .iter()
                .any(|one| one.row.entity == row.entity && one.row.key == row.key)
            {
                continue;
            }
            if let Some(sequences) = self.holes.remove(&place) {
                settlement.released.extend(sequences);
                self.why.remove(&place);
            }
            self.applied_micros = now;
        }
        for hole in &apply.dropped {
            self.close(hole, &mut settlement.released);
        }
        for hole in &apply.held {
            self.open(hole);
            let place = (hole.entity.clone(), hole.key.clone());
            if let Some(why) = self.why.get_mut(&place) {
                why.has_follower = true;
            }
            changed.push(place);
        }
        for one in unrendered {
            let place = (one.entity, one.key);
            self.refuse(&place, Refusal::Rejected, one.words, now, limits);
            changed.push(place);
        }
        for one in &applied.refused {
            for hole in apply.holes_of(&one.row) {
                self.open(&hole);
            }
            let place = (one.row.entity.clone(), one.row.key.clone());
            self.refuse(&place, one.class, one.words.clone(), now, limits);
            changed.push(place);
        }
        changed.sort();
        changed.dedup();
        settlement.parked = changed.iter().flat_map(|place| self.rows_of(place)).collect();
        settlement
    }

    /// Keys to be tried again now, at most [`RETRY_KEYS_MAX`], with their sequences.
    fn due(&mut self, limits: &Limits) -> Vec<((String, String), Vec<u64>)> {
        let now = now_micros();
        let mut due = Vec::new();
        for (place, sequences) in &self.holes {
            let Some(why) = self.why.get_mut(place) else { continue };
            let waited = u64::try_from(now - why.refused_micros).unwrap_or(0);
            let since = Since {
                waited: Duration::from_micros(waited),
                has_applied: self.applied_micros > why.refused_micros,
                has_follower: why.has_follower,
            };
            if let Some(reason) = retry::due(why.class, why.pause, since, limits) {
                why.tried_because = reason;
                why.has_follower = false;
                due.push((place.clone(), sequences.clone()));
                if due.len() >= RETRY_KEYS_MAX {
                    break;
                }
            }
        }
        due
    }

    /// Parked keys that are retried, and those that need a person.
    pub(super) fn counts(&self) -> (u64, u64) {
        let dead =
            |place: &&(String, String)| self.why.get(*place).is_some_and(|w| w.pause.is_none());
        let all: u64 = self.holes.values().map(|sequences| sequences.len() as u64).sum();
        let dead: u64 = self
            .holes
            .iter()
            .filter(|(place, _)| dead(place))
            .map(|(_, sequences)| sequences.len() as u64)
            .sum();
        (all - dead, dead)
    }

    fn refuse(
        &mut self,
        place: &(String, String),
        class: Refusal,
        words: String,
        now: i64,
        limits: &Limits,
    ) {
        let before = self.why.get(place);
        let attempts = before.map_or(1, |why| why.tried_because.attempts_after(why.attempts));
        let since_micros = before.map_or(now, |why| why.since_micros);
        let why = Why {
            class,
            words,
            attempts,
            since_micros,
            refused_micros: now,
            pause: retry::next_attempt(attempts, limits, rand::random()),
            has_follower: false,
            tried_because: Reason::Time,
        };
        self.why.insert(place.clone(), why);
    }

    fn rows_of(&self, place: &(String, String)) -> Vec<Parked> {
        let (Some(sequences), Some(why)) = (self.holes.get(place), self.why.get(place)) else {
            return Vec::new();
        };
        let pause = why.pause.and_then(|pause| i64::try_from(pause.as_micros()).ok());
        let row = |sequence: &u64| Parked {
            sequence: *sequence,
            entity: place.0.clone(),
            key: place.1.clone(),
            state: if why.pause.is_some() { ParkedState::Retrying } else { ParkedState::Dead },
            class: word(why.class).to_owned(),
            words: why.words.clone(),
            attempts: why.attempts,
            next_at_micros: why.refused_micros + pause.unwrap_or(0),
            since_micros: why.since_micros,
        };
        sequences.iter().map(row).collect()
    }

    fn open(&mut self, hole: &Hole) {
        let place = (hole.entity.clone(), hole.key.clone());
        let sequences = self.holes.entry(place).or_default();
        if !sequences.contains(&hole.sequence) {
            sequences.push(hole.sequence);
            sequences.sort_unstable();
        }
    }

    fn close(&mut self, hole: &Hole, released: &mut Vec<u64>) {
        let place = (hole.entity.clone(), hole.key.clone());
        if let Some(sequences) = self.holes.get_mut(&place) {
            sequences.retain(|sequence| *sequence != hole.sequence);
            released.push(hole.sequence);
            if sequences.is_empty() {
                self.holes.remove(&place);
                self.why.remove(&place);
            }
        }
    }
}

impl Session<'_> {
    /// Tries parked keys again whose time or whose chance has come; false if there are none.
    pub(super) async fn retry(&mut self) -> Result<bool> {
        // A chunk in hand is applied first: it may bring these keys anyway.
        if self.chunk.is_some() {
            return Ok(false);
        }
        let due = self.parking.due(&self.deliver.limits);
        if due.is_empty() {
            return Ok(false);
        }
        let (from_baseline, with_events): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|(_, sequences)| sequences == &[Hole::BASELINE]);
        let mut sequences: Vec<u64> = with_events
            .into_iter()
            .flat_map(|(_, sequences)| sequences)
            .filter(|sequence| *sequence != Hole::BASELINE)
            .collect();
        sequences.sort_unstable();
        let events = self.deliver.ledger.events_by_sequence(&sequences)?;
        let drafts = plan::retry(&self.standing, events);
        let mut worked = false;
        if !drafts.is_empty() {
            self.apply(Apply::default(), drafts).await?;
            worked = true;
        }
        let mut by_entity: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ((entity, key), _) in from_baseline {
            by_entity.entry(entity).or_default().push(key);
        }
        for (entity, keys) in by_entity {
            worked |= self.retry_baseline(&entity, &keys).await?;
        }
        Ok(worked)
    }

    /// A baseline row has no event: its newest state comes from canon, if that is exactly at the
    /// cursor.
    async fn retry_baseline(&mut self, entity: &str, keys: &[String]) -> Result<bool> {
        let Some(known) = self.deliver.entities.iter().find(|e| e.name == entity) else {
            return Ok(false);
        };
        let canon = &self.deliver.canon;
        let Some(chunk) = super::on_disk(|| canon.rows(known, keys))? else { return Ok(false) };
        if chunk.read_at != self.standing.cursor() {
            return Ok(false);
        }
        let drafts = plan::from_canon(&self.standing, entity, chunk.rows);
        if drafts.is_empty() {
            return Ok(false);
        }
        self.apply(Apply::default(), drafts).await?;
        Ok(true)
    }
}

/// The target has events the ledger never made: the ledger was restored.
pub(super) fn ahead(target: &str, cursor: u64, newest: u64) -> Error {
    Error::new(
        ErrorKind::Gap,
        format!("target {target} has events up to {cursor}, the ledger only up to {newest}"),
    )
    .hint("this ledger was restored from a backup: compare the target before writing to it again")
}

fn word(class: Refusal) -> &'static str {
    match class {
        Refusal::Dependency => "dependency",
        Refusal::Rejected => "rejected",
    }
}

fn now_micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}
