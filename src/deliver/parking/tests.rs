//! Why keys are parked, against a simple model, under random deliveries, chunks and restarts.
//!
//! What is parked is taken from `Standing`, which has a model of its own; the ledger is a map that
//! takes settlements as `Ledger::settle` does.

use proptest::prelude::*;

use super::*;
use crate::target::{Account, BaselineState, Refused, TargetRow};

const KEYS: usize = 4;

fn limits() -> Limits {
    Limits {
        attempts_max: 3,
        retry_delay_ms: 1_000,
        retry_delay_ms_max: 4_000,
        dead_retry_secs: 60,
        ..Limits::default()
    }
}

/// What the target, or the renderer before it, says to a row.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Taken,
    Refused(Refusal),
    Unrendered,
}

#[derive(Debug, Clone)]
enum Step {
    Event {
        key: usize,
        answer: Answer,
    },
    /// A baseline row, which replaces what is parked of its key.
    Chunk {
        key: usize,
        answer: Answer,
    },
    /// Whatever is due; each key by its own answer.
    Retry {
        answers: [Answer; KEYS],
    },
    Drop {
        key: usize,
    },
    Wait {
        ms: i64,
    },
    Restart,
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Taken),
        Just(Answer::Refused(Refusal::Rejected)),
        Just(Answer::Refused(Refusal::Dependency)),
        Just(Answer::Refused(Refusal::Incomplete)),
        Just(Answer::Unrendered),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = || 0..KEYS;
    prop_oneof![
        4 => (key(), answer()).prop_map(|(key, answer)| Step::Event { key, answer }),
        2 => (key(), answer()).prop_map(|(key, answer)| Step::Chunk { key, answer }),
        4 => prop::array::uniform4(answer()).prop_map(|answers| Step::Retry { answers }),
        1 => key().prop_map(|key| Step::Drop { key }),
        4 => (0..5_000_i64).prop_map(|ms| Step::Wait { ms }),
        1 => Just(Step::Restart),
    ]
}

/// What the model knows of a parked key.
#[derive(Debug, Clone, Copy)]
struct Known {
    attempts: u32,
    class: Refusal,
    refused: i64,
    since: i64,
    has_follower: bool,
    is_fresh: bool,
}

struct World {
    standing: Standing,
    parking: Parking,
    ledger: BTreeMap<(Place, u64), Parked>,
    known: BTreeMap<Place, Known>,
    now: i64,
    applied: i64,
}

fn place(key: usize) -> Place {
    ("project".to_owned(), format!("k{key}"))
}

impl World {
    fn new() -> Self {
        let standing = Standing::new(vec!["project".to_owned()], Account::default());
        let (parking, settlement) = Parking::new(&standing, Vec::new(), 0);
        assert_eq!(settlement, Settlement::default());
        let (ledger, known) = (BTreeMap::new(), BTreeMap::new());
        Self { standing, parking, ledger, known, now: 0, applied: 0 }
    }

    fn sequences(&self, place: &Place) -> Vec<u64> {
        let parked = self.standing.sequences(&place.0, &place.1);
        parked.map(|s| s.iter().copied().collect()).unwrap_or_default()
    }

    fn take(&mut self, step: &Step) {
        self.now += 1_000;
        match *step {
            Step::Event { key, answer } => {
                let next = self.standing.cursor() + 1;
                let range = Some((next, next));
                let (place, apply) = (place(key), Apply { range, ..Apply::default() });
                if self.sequences(&place).is_empty() {
                    self.apply(apply, &[(place, vec![next], answer)], Reason::Time);
                } else {
                    let (entity, key) = place.clone();
                    let held = vec![Hole { sequence: next, entity, key }];
                    self.apply(Apply { held, ..apply }, &[], Reason::Time);
                    self.known.get_mut(&place).unwrap().has_follower = true;
                }
            }
            Step::Chunk { key, answer } => {
                let place = place(key);
                let baseline = Some((place.0.clone(), BaselineState::Through(place.1.clone())));
                let sequences = self.sequences(&place);
                let apply = Apply { baseline, ..Apply::default() };
                self.apply(apply, &[(place, sequences, answer)], Reason::Time);
            }
            Step::Retry { answers } => self.retry(answers),
            Step::Drop { key } => {
                let (entity, key) = place(key);
                let hole = |sequence| Hole { sequence, entity: entity.clone(), key: key.clone() };
                let sequences = self.sequences(&(entity.clone(), key.clone()));
                let dropped = sequences.into_iter().map(hole).collect();
                self.apply(Apply { dropped, ..Apply::default() }, &[], Reason::Time);
            }
            Step::Wait { ms } => self.now += ms * 1_000,
            Step::Restart => {
                let known = self.ledger.values().cloned().collect();
                let (parking, settlement) = Parking::new(&self.standing, known, self.now);
                self.parking = parking;
                self.applied = 0;
                self.write(settlement);
                // Followers are forgotten: everything is tried anyway.
                for known in self.known.values_mut() {
                    (known.is_fresh, known.has_follower, known.refused) = (true, false, self.now);
                }
            }
        }
    }

    fn retry(&mut self, answers: [Answer; KEYS]) {
        let due = self.parking.due(&self.standing, &limits(), self.now);
        assert!(due.baseline.iter().all(|(_, events)| events.is_empty()));
        assert!(due.events.iter().all(|(_, events)| !events.contains(&Hole::BASELINE)));
        let due: BTreeSet<Place> =
            due.events.into_iter().chain(due.baseline).map(|(place, _)| place).collect();
        let expected: Vec<_> = self
            .known
            .iter()
            .map(|(p, known)| (p.clone(), *known, self.expected(*known)))
            .collect();
        for (place, known, (must, may, reason)) in expected {
            let is_due = due.contains(&place);
            assert!(is_due || !must, "{place:?} must be tried: {known:?}, {}", self.now);
            assert!(!is_due || may, "{place:?} must wait: {known:?}, {}", self.now);
            if is_due {
                let number: usize = place.1[1..].parse().unwrap();
                let row = (place.clone(), self.sequences(&place), answers[number]);
                self.known.get_mut(&place).unwrap().has_follower = false;
                self.apply(Apply::default(), &[row], reason);
            }
        }
    }

    /// Whether a key must be tried now, whether it may, and why.
    fn expected(&self, known: Known) -> (bool, bool, Reason) {
        let waited = self.now - known.refused;
        let full_ms = if known.attempts >= 3 { 60_000 } else { 1_000 << (known.attempts - 1) };
        let full = full_ms * 1_000;
        let has_applied =
            known.class != Refusal::Rejected && self.applied > known.refused && waited >= 1_000_000;
        if known.has_follower {
            (true, true, Reason::Followed)
        } else if has_applied {
            (true, true, Reason::Applied)
        } else {
            (known.is_fresh || waited >= full, known.is_fresh || waited >= full / 2, Reason::Time)
        }
    }

    fn apply(&mut self, mut apply: Apply, rows: &[(Place, Vec<u64>, Answer)], reason: Reason) {
        let (mut applied, mut unrendered) = (Applied::default(), Vec::new());
        for (place, sequences, answer) in rows {
            let (entity, key) = place.clone();
            let draft = plan::Draft {
                entity: entity.clone(),
                key: key.clone(),
                row: None,
                old: None,
                sequences: sequences.clone(),
            };
            if *answer == Answer::Unrendered {
                draft.park(&mut apply);
                unrendered.push(Unrendered { entity, key, words: "unrendered".to_owned() });
                continue;
            }
            let row: TargetRow = draft.rendered(vec![], vec![]);
            apply.rows.push(row.clone());
            if let Answer::Refused(class) = *answer {
                applied.refused.push(Refused { row, class, words: class.word().to_owned() });
            }
        }
        self.standing.settle(&apply, &applied);
        let done = (&apply, &applied);
        let settlement = self.parking.settle(&self.standing, done, unrendered, &limits(), self.now);
        self.write(settlement);
        for (place, _, answer) in rows {
            self.learn(place, *answer, reason);
        }
        let standing = &self.standing;
        self.known.retain(|(entity, key), _| standing.sequences(entity, key).is_some());
    }

    fn learn(&mut self, place: &Place, answer: Answer, reason: Reason) {
        let class = match answer {
            Answer::Taken => {
                self.applied = self.now;
                return;
            }
            Answer::Refused(class) => class,
            Answer::Unrendered => Refusal::Rejected,
        };
        let before = self.known.get(place);
        let is_new = reason == Reason::Followed
            || before.is_none_or(|before| before.class != Refusal::Incomplete);
        if class == Refusal::Incomplete && is_new {
            self.applied = self.now;
        }
        let known = Known {
            attempts: before.map_or(1, |before| reason.attempts_after(before.attempts)),
            class,
            refused: self.now,
            since: before.map_or(self.now, |before| before.since),
            has_follower: false,
            is_fresh: false,
        };
        self.known.insert(place.clone(), known);
    }

    fn write(&mut self, settlement: Settlement) {
        for key in &settlement.keys {
            self.ledger.retain(|(place, _), _| place != key);
        }
        for row in settlement.parked {
            let place = (row.entity.clone(), row.key.clone());
            assert!(self.ledger.insert((place, row.sequence), row).is_none(), "written twice");
        }
    }

    /// The ledger has exactly the target's holes, with the reasons that the model knows.
    fn check(&self) {
        let mut holes = Vec::new();
        for (entity, key, sequences) in self.standing.parked() {
            let place = (entity.to_owned(), key.to_owned());
            holes.extend(sequences.iter().map(|sequence| (place.clone(), *sequence)));
        }
        let rows: Vec<_> = self.ledger.keys().cloned().collect();
        assert_eq!(rows, holes);
        assert_eq!(
            self.parking.why.keys().collect::<Vec<_>>(),
            self.known.keys().collect::<Vec<_>>()
        );
        let mut dead = 0;
        for ((place, _), row) in &self.ledger {
            let known = self.known[place];
            assert_eq!((row.attempts, row.since_micros), (known.attempts, known.since));
            assert_eq!(row.class, known.class.word());
            assert_eq!(row.state == ParkedState::Dead, known.attempts >= 3);
            dead += u64::from(row.state == ParkedState::Dead);
        }
        assert_eq!(self.parking.counts(&self.standing), (holes.len() as u64 - dead, dead));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_ledger_knows_the_holes_and_every_key_is_tried_in_time(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut world = World::new();
        world.check();
        for step in &steps {
            world.take(step);
            world.check();
        }
        // Nothing waits longer than a dead letter does, and then the target is mended.
        world.take(&Step::Wait { ms: 60_000 });
        world.take(&Step::Retry { answers: [Answer::Taken; KEYS] });
        prop_assert!(world.ledger.is_empty() && world.known.is_empty());
    }
}

#[test]
fn more_keys_than_are_tried_at_once_take_turns() {
    let mut standing = Standing::new(vec!["project".to_owned()], Account::default());
    let (mut parking, _) = Parking::new(&standing, Vec::new(), 0);
    let row = |n: usize| TargetRow {
        entity: "project".to_owned(),
        key: format!("k{n:04}"),
        key_cells: vec![],
        cells: Some(vec![]),
        sequences: vec![],
        soft: vec![],
    };
    let refused = |rows: &[TargetRow]| Applied {
        refused: rows
            .iter()
            .map(|row| Refused { row: row.clone(), class: Refusal::Rejected, words: String::new() })
            .collect(),
    };
    let rows: Vec<TargetRow> = (0..RETRY_KEYS_MAX + 7).map(row).collect();
    let (apply, applied) = (Apply { rows: rows.clone(), ..Apply::default() }, refused(&rows));
    standing.settle(&apply, &applied);
    parking.settle(&standing, (&apply, &applied), vec![], &limits(), 0);
    let mut tried = BTreeSet::new();
    let mut now = 0;
    for _ in 0..2 {
        // So late that every key is due each time.
        now += 100_000_000;
        let due = parking.due(&standing, &limits(), now).baseline;
        assert_eq!(due.len(), RETRY_KEYS_MAX);
        let rows: Vec<TargetRow> =
            rows.iter().filter(|row| due.iter().any(|(p, _)| p.1 == row.key)).cloned().collect();
        tried.extend(due.into_iter().map(|(place, _)| place));
        let rows: Vec<TargetRow> =
            rows.into_iter().map(|row| TargetRow { sequences: vec![0], ..row }).collect();
        let (apply, applied) = (Apply { rows: rows.clone(), ..Apply::default() }, refused(&rows));
        standing.settle(&apply, &applied);
        parking.settle(&standing, (&apply, &applied), vec![], &limits(), now);
    }
    assert_eq!(tried.len(), RETRY_KEYS_MAX + 7);
}
