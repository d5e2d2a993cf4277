//! What to deliver next: the pure decision between reading events and writing rows.
//!
//! It reads no outbox and renders no cell: rows stay canonical ([`Draft`]) until the caller has
//! turned them into cells. A loop reads: events → [`plan`] → render → apply →
//! [`Standing::settle`].
//!
//! Per event after the cursor, in this order:
//!
//! | the event | becomes |
//! |---|---|
//! | of an entity the target does not take | nothing |
//! | not a delete, and its key's baseline row is still to come | nothing: that row brings it |
//! | of a key that has parked events | a hole behind them |
//! | any other | the last of its key wins: one row for all of them |

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::canon::event::Row;
use crate::canon::{Event, EventOp};
use crate::config::Limits;
use crate::error::{Error, ErrorKind, Result};
use crate::target::{Account, Applied, Apply, BaselineState, Hole, TargetRow};

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Apply this.
    Apply(Plan),
    /// There is nothing after the cursor.
    Idle,
    /// As many events are parked as may be: the target pauses until some are settled.
    Full,
}

/// One delivery, its rows still canonical.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The events it stands for.
    pub range: (u64, u64),
    /// Rows to write, referenced entities first.
    pub drafts: Vec<Draft>,
    /// Events to be parked behind others of their key.
    pub held: Vec<Hole>,
    /// Events that need nothing.
    pub skipped: usize,
}

/// A row to write, still canonical.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// The entity.
    pub entity: String,
    /// The canonical key.
    pub key: String,
    /// The row as it is to be; `None` removes it.
    pub row: Option<Row>,
    /// The row as it was, if it is known: a removal renders its key cells from it.
    pub old: Option<Row>,
    /// As in [`TargetRow`].
    pub sequences: Vec<u64>,
}

/// Decides about `events`: a run in ascending order; those up to the cursor are passed over.
///
/// # Errors
/// [`ErrorKind::Bug`] if the run is not ascending.
pub fn plan(standing: &Standing, events: Vec<Event>, limits: &Limits) -> Result<Decision> {
    // Any row can be refused, so every event that is not skipped needs a place among the parked.
    // Baseline rows take none: they can only be tried again once the cursor is where canon is, and
    // if they stopped it they would never be.
    let mut room = limits.parked_events_max.saturating_sub(standing.parked_event_count());
    let (mut last, mut skipped, mut held) = (standing.cursor, 0, Vec::new());
    let mut rows = Collapse::default();
    let fresh = events.into_iter().skip_while(|event| event.sequence <= standing.cursor);
    for event in fresh.take(limits.apply_events) {
        let sequence = event.sequence;
        if sequence <= last {
            let what = format!("event {sequence} follows {last} in the queue");
            return Err(Error::new(ErrorKind::Bug, what));
        }
        if standing.brings_nothing(&event) {
            skipped += 1;
        } else if room == 0 {
            if last == standing.cursor {
                return Ok(Decision::Full);
            }
            break;
        } else if standing.has_parked(&event.entity, &event.key) {
            room -= 1;
            held.push(Hole { sequence, entity: event.entity, key: event.key });
        } else {
            room -= 1;
            rows.take(event);
        }
        last = sequence;
    }
    if last == standing.cursor {
        return Ok(Decision::Idle);
    }
    let range = (standing.cursor + 1, last);
    let drafts = rows.in_order_of(&standing.entities);
    Ok(Decision::Apply(Plan { range, drafts, held, skipped }))
}

/// Parked keys to be tried again: one row per key, its newest state. `events` are the parked
/// events of the chosen keys in ascending order; a key of which one is missing is left out,
/// because half of its events would bring an old state. Keys whose only hole is
/// [`Hole::BASELINE`] have no event: see [`from_canon`].
#[must_use]
pub fn retry(standing: &Standing, events: Vec<Event>) -> Vec<Draft> {
    let mut rows = Collapse::default();
    for event in events {
        let parked = standing.sequences(&event.entity, &event.key);
        if parked.is_some_and(|parked| parked.contains(&event.sequence)) {
            rows.take(event);
        }
    }
    let mut drafts = rows.in_order_of(&standing.entities);
    drafts.retain_mut(|draft| {
        let Some(parked) = standing.sequences(&draft.entity, &draft.key) else { return false };
        let with_events = parked.iter().filter(|sequence| **sequence != Hole::BASELINE);
        let is_whole = with_events.eq(&draft.sequences);
        draft.sequences = parked.iter().copied().collect();
        is_whole
    });
    drafts
}

/// Canonical rows as they are at the cursor: a chunk of a baseline, or keys whose baseline row
/// was refused. They stand for all that is parked of their keys.
#[must_use]
pub fn from_canon(standing: &Standing, entity: &str, rows: Vec<(String, Row)>) -> Vec<Draft> {
    let draft = |(key, row): (String, Row)| {
        let parked = standing.sequences(entity, &key);
        let sequences = parked.map(|parked| parked.iter().copied().collect()).unwrap_or_default();
        Draft { entity: entity.to_owned(), key, row: Some(row), old: None, sequences }
    };
    rows.into_iter().map(draft).collect()
}

impl Plan {
    /// The delivery without its rows, and the rows to be rendered into it.
    #[must_use]
    pub fn into_parts(self) -> (Apply, Vec<Draft>) {
        let apply = Apply { range: Some(self.range), held: self.held, ..Apply::default() };
        (apply, self.drafts)
    }
}

impl Draft {
    /// The row with its cells; those of a removal are ignored. No reference is soft yet.
    #[must_use]
    pub fn rendered(self, key_cells: Vec<Option<String>>, cells: Vec<Option<String>>) -> TargetRow {
        TargetRow {
            entity: self.entity,
            key: self.key,
            key_cells,
            cells: self.row.is_some().then_some(cells),
            sequences: self.sequences,
            soft: Vec::new(),
        }
    }

    /// Parks a row whose cells cannot be rendered, as if the target had refused it.
    pub fn park(self, apply: &mut Apply) {
        let hole =
            |sequence: u64| Hole { sequence, entity: self.entity.clone(), key: self.key.clone() };
        match (apply.range, &apply.baseline) {
            (Some(_), _) => apply.held.extend(self.sequences.iter().copied().map(hole)),
            (None, Some(_)) => {
                // The canonical row replaces the parked events, so it alone stays parked.
                let is_event = |sequence: &&u64| **sequence != Hole::BASELINE;
                apply.dropped.extend(self.sequences.iter().filter(is_event).copied().map(hole));
                apply.held.push(hole(Hole::BASELINE));
            }
            // A retry: its holes are there.
            (None, None) => {}
        }
    }
}

/// How a baseline chunk stands to the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunkStanding {
    /// Apply it now.
    Fits,
    /// Deliver up to the event it was read at, no further, and apply it then. Before, the events
    /// in between would bring its rows back to older states.
    Ahead,
    /// Read it again: events after it were skipped because a chunk would bring them.
    Stale,
}

/// What is known of a target when the next delivery is decided: its account, kept up to date by
/// [`Standing::settle`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The entities the target takes, referenced ones first.
    entities: Vec<String>,
    cursor: u64,
    /// Parked events by entity and key.
    parked: BTreeMap<(String, String), BTreeSet<u64>>,
    /// An entity without a state has not begun.
    baselines: BTreeMap<String, BaselineState>,
}

impl Standing {
    /// From the account of a target that was just opened. `entities`: what it takes, referenced
    /// ones first.
    #[must_use]
    pub fn new(entities: Vec<String>, account: Account) -> Self {
        let Account { cursor, holes, baselines } = account;
        let mut standing = Self { entities, cursor, parked: BTreeMap::new(), baselines };
        holes.into_iter().for_each(|hole| standing.open(hole));
        standing
    }

    /// Everything up to this event is applied, but for what is parked.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Entities, keys and events that are parked.
    pub fn parked(&self) -> impl Iterator<Item = (&str, &str, &BTreeSet<u64>)> {
        let parked = self.parked.iter();
        parked.map(|((entity, key), sequences)| (entity.as_str(), key.as_str(), sequences))
    }

    /// How many events and baseline rows are parked.
    #[must_use]
    pub fn parked_count(&self) -> usize {
        self.parked.values().map(BTreeSet::len).sum()
    }

    /// How many events are parked.
    #[must_use]
    pub fn parked_event_count(&self) -> usize {
        let baseline = self.parked.values().filter(|s| s.contains(&Hole::BASELINE)).count();
        self.parked_count() - baseline
    }

    /// How far the baseline of an entity has come; `None`: it has not begun.
    #[must_use]
    pub fn baseline(&self, entity: &str) -> Option<&BaselineState> {
        self.baselines.get(entity)
    }

    /// How a chunk that was read when `read_at` was the newest event stands to the cursor.
    #[must_use]
    pub fn chunk(&self, read_at: u64) -> ChunkStanding {
        match read_at.cmp(&self.cursor) {
            std::cmp::Ordering::Less => ChunkStanding::Stale,
            std::cmp::Ordering::Equal => ChunkStanding::Fits,
            std::cmp::Ordering::Greater => ChunkStanding::Ahead,
        }
    }

    /// Takes over what a delivery did. The result is what opening the target again would tell.
    pub fn settle(&mut self, apply: &Apply, applied: &Applied) {
        if let Some((_, to)) = apply.range {
            self.cursor = to;
        }
        if let Some((entity, state)) = &apply.baseline {
            self.baselines.insert(entity.clone(), state.clone());
        }
        for row in &apply.rows {
            row.sequences.iter().for_each(|sequence| self.close(*sequence, &row.entity, &row.key));
        }
        for hole in &apply.dropped {
            self.close(hole.sequence, &hole.entity, &hole.key);
        }
        for entity in &apply.forgotten {
            self.parked.retain(|(other, _), _| other != entity);
            self.baselines.remove(entity);
        }
        apply.held.iter().cloned().for_each(|hole| self.open(hole));
        for refused in &applied.refused {
            apply.holes_of(&refused.row).into_iter().for_each(|hole| self.open(hole));
        }
    }

    /// Entities of the account that the target does not take any more, with their parked events.
    /// The events after the cursor are passed over for them, so neither their holes nor a baseline
    /// that is done may stay: see [`Apply::forgotten`].
    pub(super) fn forsaken(&self) -> BTreeMap<String, usize> {
        let mut forsaken = BTreeMap::new();
        for entity in self.baselines.keys().filter(|entity| !self.entities.contains(entity)) {
            forsaken.insert(entity.clone(), 0);
        }
        for ((entity, _), sequences) in &self.parked {
            if !self.entities.contains(entity) {
                *forsaken.entry(entity.clone()).or_default() += sequences.len();
            }
        }
        forsaken
    }

    /// True for an event after which the target needs no other row than before it.
    fn brings_nothing(&self, event: &Event) -> bool {
        if !self.entities.contains(&event.entity) {
            return true;
        }
        // A delete always counts: the row may be there from before the baseline.
        let is_delete = event.op == EventOp::Deleted;
        !is_delete
            && match self.baselines.get(&event.entity) {
                None => true,
                Some(BaselineState::Through(through)) => event.key > *through,
                Some(BaselineState::Done) => false,
            }
    }

    fn has_parked(&self, entity: &str, key: &str) -> bool {
        self.sequences(entity, key).is_some()
    }

    /// What is parked of a key, if anything is.
    pub(super) fn sequences(&self, entity: &str, key: &str) -> Option<&BTreeSet<u64>> {
        self.parked.get(&(entity.to_owned(), key.to_owned()))
    }

    fn open(&mut self, hole: Hole) {
        self.parked.entry((hole.entity, hole.key)).or_default().insert(hole.sequence);
    }

    fn close(&mut self, sequence: u64, entity: &str, key: &str) {
        let place = (entity.to_owned(), key.to_owned());
        if let Some(sequences) = self.parked.get_mut(&place) {
            sequences.remove(&sequence);
            if sequences.is_empty() {
                self.parked.remove(&place);
            }
        }
    }
}

/// Events laid over each other: per key the last state, and all events it stands for.
#[derive(Default)]
struct Collapse {
    drafts: Vec<Draft>,
    places: HashMap<(String, String), usize>,
}

impl Collapse {
    fn take(&mut self, event: Event) {
        let row = event.new.filter(|_| event.op != EventOp::Deleted);
        let place = self.places.get(&(event.entity.clone(), event.key.clone()));
        if let Some(draft) = place.and_then(|place| self.drafts.get_mut(*place)) {
            draft.row = row;
            draft.old = event.old.or(draft.old.take());
            draft.sequences.push(event.sequence);
            return;
        }
        let sequences = vec![event.sequence];
        self.places.insert((event.entity.clone(), event.key.clone()), self.drafts.len());
        let Event { entity, key, old, .. } = event;
        self.drafts.push(Draft { entity, key, row, old, sequences });
    }

    /// By entity, and within one by the first event.
    fn in_order_of(mut self, entities: &[String]) -> Vec<Draft> {
        self.drafts.sort_by_key(|draft| entities.iter().position(|name| *name == draft.entity));
        self.drafts
    }
}

#[cfg(test)]
mod tests;
