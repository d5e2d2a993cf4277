//! The decisions against a model of a target, under random events, refusals and crashes.
//!
//! The model does what the contract in `target.rs` says, in its own words, and writes down every
//! event that reached a row.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::target::{Refusal, Refused};

/// What the target takes; `other` is not taken.
const TAKEN: [&str; 2] = ["project", "entry"];

#[derive(Debug, Clone)]
enum Step {
    /// Events that became known to delivery, and how many of them are read at once.
    Deliver { read: usize },
    /// Keys that are refused change.
    Toggle { entity: usize, key: usize },
    /// A parked key, counted from the first, is tried again.
    Retry { place: usize },
    /// A chunk of a baseline.
    Chunk { entity: usize, rows: usize },
    /// The process dies; delivery knows only what the target says.
    Crash,
    /// The target applies, the process dies before it hears of it.
    CrashAfter(Box<Step>),
}

fn step() -> impl Strategy<Value = Step> {
    let plain = prop_oneof![
        4 => (1..6_usize).prop_map(|read| Step::Deliver { read }),
        2 => (0..2_usize, 0..4_usize).prop_map(|(entity, key)| Step::Toggle { entity, key }),
        2 => (0..4_usize).prop_map(|place| Step::Retry { place }),
        2 => (0..2_usize, 1..3_usize).prop_map(|(entity, rows)| Step::Chunk { entity, rows }),
        1 => Just(Step::Crash),
    ];
    (plain, prop::bool::weighted(0.2)).prop_map(|(step, dies)| match dies {
        true => Step::CrashAfter(Box::new(step)),
        false => step,
    })
}

/// Entity, key, and whether it is a delete; sequences have gaps.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let one = (0..3_usize, 0..4_usize, prop::bool::weighted(0.3), 1..3_u64);
    prop::collection::vec(one, 0..40).prop_map(|changes| {
        let mut sequence = 0;
        let event = |(entity, key, is_delete, gap): (usize, usize, bool, u64)| {
            sequence += gap;
            let row = json!({ "state": sequence }).as_object().cloned();
            Event {
                sequence,
                entity: ["project", "entry", "other"][entity].to_owned(),
                key: format!("k{key}"),
                op: if is_delete { EventOp::Deleted } else { EventOp::Updated },
                time_micros: 0,
                correlation: String::new(),
                old: None,
                new: row.filter(|_| !is_delete),
            }
        };
        changes.into_iter().map(event).collect()
    })
}

type Key = (String, String);

#[derive(Default)]
struct Model {
    account: Account,
    rows: BTreeMap<Key, String>,
    refuses: BTreeSet<Key>,
    /// Events that reached a row, in the order in which they did.
    applied: BTreeMap<Key, Vec<u64>>,
}

impl Model {
    fn apply(&mut self, apply: &Apply) -> Applied {
        if let Some((from, to)) = apply.range {
            assert_eq!(from, self.account.cursor + 1);
            self.account.cursor = to;
        }
        let mut applied = Applied::default();
        let mut keys = BTreeSet::new();
        for row in &apply.rows {
            let key = (row.entity.clone(), row.key.clone());
            assert!(keys.insert(key.clone()), "one row per key");
            for sequence in &row.sequences {
                let is_new = apply.range.is_some_and(|(from, _)| *sequence >= from);
                let holes = self.account.holes.len();
                self.account.holes.retain(|hole| !is(hole, *sequence, &key));
                assert!(is_new || self.account.holes.len() + 1 == holes, "not a hole");
            }
            if self.refuses.contains(&key) {
                let is_baseline = apply.baseline.is_some() || row.sequences.is_empty();
                let open = if is_baseline { vec![0] } else { row.sequences.clone() };
                let hole = |sequence| Hole { sequence, entity: key.0.clone(), key: key.1.clone() };
                self.account.holes.extend(open.into_iter().map(hole));
                let words = String::new();
                let class = Refusal::Rejected;
                applied.refused.push(Refused { row: row.clone(), class, words });
                continue;
            }
            match &row.cells {
                Some(cells) => self.rows.insert(key.clone(), format!("{cells:?}")),
                None => self.rows.remove(&key),
            };
            self.applied.entry(key).or_default().extend(row.sequences.iter().filter(|s| **s > 0));
        }
        self.account.holes.extend(apply.held.iter().cloned());
        if let Some((entity, state)) = &apply.baseline {
            self.account.baselines.insert(entity.clone(), state.clone());
        }
        self.account.holes.sort();
        applied
    }
}

fn is(hole: &Hole, sequence: u64, key: &Key) -> bool {
    hole.sequence == sequence && hole.entity == key.0 && hole.key == key.1
}

fn cells(row: &Row) -> Vec<Option<String>> {
    vec![Some(row["state"].to_string())]
}

/// Delivery and target, with every event and its canonical result.
struct World {
    model: Model,
    standing: Standing,
    events: Vec<Event>,
    limits: Limits,
}

impl World {
    fn new(events: Vec<Event>, baselines: &[&str]) -> Self {
        let mut model = Model::default();
        for entity in TAKEN.iter().filter(|entity| !baselines.contains(entity)) {
            model.account.baselines.insert((*entity).to_owned(), BaselineState::Done);
        }
        // The target was in use before: a delete must remove what no baseline row will touch.
        for event in events.iter().filter(|event| TAKEN.contains(&event.entity.as_str())) {
            model.rows.insert((event.entity.clone(), event.key.clone()), "before".to_owned());
        }
        let standing = standing(&model);
        let limits = Limits { apply_events: 4, parked_events_max: 6, ..Limits::default() };
        Self { model, standing, events, limits }
    }

    /// The canonical rows of an entity after the event `upto`.
    fn canon(&self, entity: &str, upto: u64) -> BTreeMap<String, Row> {
        let mut rows = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.entity == entity) {
            if event.sequence <= upto {
                match &event.new {
                    Some(row) => rows.insert(event.key.clone(), row.clone()),
                    None => rows.remove(&event.key),
                };
            }
        }
        rows
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Deliver { read } => self.deliver(*read, true),
            Step::Toggle { entity, key } => {
                let key = (TAKEN[*entity].to_owned(), format!("k{key}"));
                if !self.model.refuses.remove(&key) {
                    self.model.refuses.insert(key);
                }
            }
            Step::Retry { place } => self.retry(*place, true),
            Step::Chunk { entity, rows } => self.chunk(TAKEN[*entity], *rows, true),
            Step::Crash => self.standing = standing(&self.model),
            Step::CrashAfter(step) => {
                match &**step {
                    Step::Deliver { read } => self.deliver(*read, false),
                    Step::Retry { place } => self.retry(*place, false),
                    Step::Chunk { entity, rows } => self.chunk(TAKEN[*entity], *rows, false),
                    other => self.take(other),
                }
                self.standing = standing(&self.model);
            }
        }
    }

    fn deliver(&mut self, read: usize, hears: bool) {
        // A reader may begin a little before the cursor: blocks are read whole.
        let after = self.events.partition_point(|event| event.sequence <= self.standing.cursor());
        let begin = after.saturating_sub(2);
        let run: Vec<Event> = self.events[begin..].iter().take(read + 2).cloned().collect();
        if let Decision::Apply(plan) = plan(&self.standing, run, &self.limits).unwrap() {
            let (apply, drafts) = plan.into_parts();
            self.apply(apply, drafts, hears);
        }
        assert!(self.standing.parked_count() <= self.limits.parked_events_max + TAKEN.len() * 4);
    }

    fn retry(&mut self, place: usize, hears: bool) {
        let Some((entity, key, sequences)) = self.standing.parked().nth(place) else { return };
        let run: Vec<Event> = self
            .events
            .iter()
            .filter(|event| sequences.contains(&event.sequence))
            .cloned()
            .collect();
        let drafts = if run.is_empty() {
            let mut rows = self.canon(entity, self.standing.cursor());
            let row = rows.remove(key).expect("a refused baseline row without later events");
            from_canon(&self.standing, entity, vec![(key.to_owned(), row)])
        } else {
            retry(&self.standing, run)
        };
        assert_eq!(drafts.len(), 1);
        self.apply(Apply::default(), drafts, hears);
    }

    fn chunk(&mut self, entity: &str, count: usize, hears: bool) {
        let after = match self.standing.baseline(entity) {
            Some(BaselineState::Done) => return,
            Some(BaselineState::Through(key)) => key.clone(),
            None => String::new(),
        };
        let read_at = self.standing.cursor();
        assert_eq!(self.standing.chunk(read_at), ChunkStanding::Fits);
        let rows = self.canon(entity, read_at).into_iter().filter(|(key, _)| *key > after);
        let rows: Vec<(String, Row)> = rows.take(count).collect();
        let state = match rows.last() {
            Some((key, _)) if rows.len() == count => BaselineState::Through(key.clone()),
            _ => BaselineState::Done,
        };
        let drafts = from_canon(&self.standing, entity, rows);
        let baseline = Some((entity.to_owned(), state));
        self.apply(Apply { baseline, ..Apply::default() }, drafts, hears);
    }

    fn apply(&mut self, mut apply: Apply, drafts: Vec<Draft>, hears: bool) {
        for draft in drafts {
            let cells = draft.row.as_ref().map(cells).unwrap_or_default();
            let key_cells = vec![Some(draft.key.clone())];
            apply.rows.push(draft.rendered(key_cells, cells));
        }
        let applied = self.model.apply(&apply);
        if hears {
            self.standing.settle(&apply, &applied);
            assert_eq!(self.standing, standing(&self.model), "settled is not what the target says");
        }
    }

    /// Nothing is refused any more, and everything is delivered.
    fn finish(&mut self) {
        self.model.refuses.clear();
        loop {
            let before = self.standing.clone();
            while self.standing.parked_count() > 0 {
                let parked = self.standing.parked_count();
                self.retry(0, true);
                assert!(self.standing.parked_count() < parked, "a retry that settles nothing");
            }
            for entity in TAKEN {
                self.chunk(entity, 2, true);
            }
            self.deliver(5, true);
            if self.standing == before {
                return;
            }
        }
    }
}

fn standing(model: &Model) -> Standing {
    Standing::new(TAKEN.map(str::to_owned).to_vec(), model.account.clone())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_event_reaches_its_row_exactly_once_and_in_order(
        events in events(), steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut world = World::new(events, &[]);
        steps.iter().for_each(|step| world.take(step));
        world.finish();
        let mut expected: BTreeMap<Key, Vec<u64>> = BTreeMap::new();
        for event in world.events.iter().filter(|event| TAKEN.contains(&event.entity.as_str())) {
            let key = (event.entity.clone(), event.key.clone());
            expected.entry(key).or_default().push(event.sequence);
        }
        prop_assert_eq!(&world.model.applied, &expected);
    }

    #[test]
    fn a_baseline_and_the_events_beside_it_end_in_the_canonical_rows(
        events in events(), steps in prop::collection::vec(step(), 0..60), both in any::<bool>(),
    ) {
        let mut world = World::new(events, if both { &TAKEN } else { &TAKEN[..1] });
        steps.iter().for_each(|step| world.take(step));
        world.finish();
        let mut expected: BTreeMap<Key, String> = BTreeMap::new();
        for entity in TAKEN {
            for (key, row) in world.canon(entity, u64::MAX) {
                expected.insert((entity.to_owned(), key), format!("{:?}", cells(&row)));
            }
        }
        prop_assert_eq!(&world.model.rows, &expected);
        for (key, sequences) in &world.model.applied {
            prop_assert!(sequences.is_sorted_by(|a, b| a < b), "{:?}: {:?}", key, sequences);
        }
    }
}

fn event(sequence: u64, entity: &str, key: &str) -> Event {
    Event {
        sequence,
        entity: entity.to_owned(),
        key: key.to_owned(),
        op: EventOp::Updated,
        time_micros: 0,
        correlation: String::new(),
        old: None,
        new: json!({ "state": sequence }).as_object().cloned(),
    }
}

fn ready(holes: Vec<Hole>) -> Standing {
    let baselines = TAKEN.map(|entity| (entity.to_owned(), BaselineState::Done)).into();
    Standing::new(TAKEN.map(str::to_owned).to_vec(), Account { cursor: 10, holes, baselines })
}

#[test]
fn referenced_entities_go_first_and_the_last_state_of_a_key_wins() {
    let events = vec![
        event(10, "entry", "passed over"),
        event(11, "entry", "a"),
        event(12, "other", "not taken"),
        event(14, "project", "p"),
        event(15, "entry", "a"),
    ];
    let decision = plan(&ready(vec![]), events, &Limits::default()).unwrap();
    let Decision::Apply(plan) = decision else { panic!("{decision:?}") };
    assert_eq!((plan.range, plan.skipped, plan.held), ((11, 15), 1, vec![]));
    let drafts: Vec<(&str, &[u64])> =
        plan.drafts.iter().map(|draft| (draft.key.as_str(), &draft.sequences[..])).collect();
    assert_eq!(drafts, [("p", &[14][..]), ("a", &[11, 15][..])]);
    assert_eq!(plan.drafts[1].row.as_ref().unwrap()["state"], 15);
}

#[test]
fn a_full_target_pauses_and_an_idle_one_waits() {
    let hole = Hole { sequence: 3, entity: "entry".to_owned(), key: "a".to_owned() };
    let limits = Limits { parked_events_max: 2, ..Limits::default() };
    let standing = ready(vec![hole]);
    let decide = |events| plan(&standing, events, &limits).unwrap();
    assert_eq!(decide(vec![]), Decision::Idle);
    assert_eq!(decide(vec![event(9, "entry", "b")]), Decision::Idle);
    // One place is left: for the follower, not for the one after it.
    let events = vec![event(11, "entry", "a"), event(12, "entry", "b")];
    let Decision::Apply(plan) = decide(events) else { panic!() };
    assert_eq!((plan.range, plan.held.len(), plan.drafts.len()), ((11, 11), 1, 0));
    let full = Limits { parked_events_max: 1, ..Limits::default() };
    let events = vec![event(11, "entry", "b")];
    assert_eq!(super::plan(&standing, events, &full).unwrap(), Decision::Full);
}

#[test]
fn a_run_out_of_order_is_a_bug_and_not_delivered() {
    let events = vec![event(12, "entry", "a"), event(11, "entry", "b")];
    let error = plan(&ready(vec![]), events, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Bug);
}

#[test]
fn a_key_is_tried_again_with_all_of_its_events_or_not() {
    let hole = |sequence| Hole { sequence, entity: "entry".to_owned(), key: "a".to_owned() };
    let standing = ready(vec![hole(3), hole(5), hole(0)]);
    let events = |sequences: &[u64]| -> Vec<Event> {
        sequences.iter().map(|sequence| event(*sequence, "entry", "a")).collect()
    };
    for half in [&[3][..], &[5], &[]] {
        assert_eq!(retry(&standing, events(half)), []);
    }
    // An event that is not parked brings nothing.
    let drafts = retry(&standing, events(&[3, 4, 5, 6]));
    assert_eq!(drafts.len(), 1);
    assert_eq!(drafts[0].sequences, [0, 3, 5]);
    assert_eq!(drafts[0].row.as_ref().unwrap()["state"], 5);
}

#[test]
fn a_chunk_fits_only_at_the_event_it_was_read_at() {
    let standing = ready(vec![]);
    let found = [9, 10, 11].map(|read_at| standing.chunk(read_at));
    assert_eq!(found, [ChunkStanding::Stale, ChunkStanding::Fits, ChunkStanding::Ahead]);
}

#[test]
fn rows_that_cannot_be_rendered_are_parked_like_refused_ones() {
    let hole = |sequence| Hole { sequence, entity: "entry".to_owned(), key: "a".to_owned() };
    let standing = ready(vec![hole(3)]);
    let draft = || {
        let row = json!({ "state": 1 }).as_object().cloned().unwrap();
        from_canon(&standing, "entry", vec![("a".to_owned(), row)]).remove(0)
    };
    let mut chunk =
        Apply { baseline: Some(("entry".to_owned(), BaselineState::Done)), ..Apply::default() };
    draft().park(&mut chunk);
    assert_eq!((chunk.dropped, chunk.held), (vec![hole(3)], vec![hole(0)]));
    let mut retry = Apply::default();
    draft().park(&mut retry);
    assert_eq!((retry.dropped, retry.held), (vec![], vec![]));
    let mut range = Apply { range: Some((11, 12)), ..Apply::default() };
    Draft { sequences: vec![11, 12], ..draft() }.park(&mut range);
    assert_eq!(range.held, [hole(11), hole(12)]);
}
