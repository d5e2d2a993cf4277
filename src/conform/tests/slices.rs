//! Transactions that are larger than a batch.

use bytes::BytesMut;

use super::rig::{Rig, WORKER, row_frame};
use super::*;

const NEVER: &str = "2999-01-01";
/// Rows of the large transaction.
const ROWS: usize = 30;

fn rig() -> Rig {
    in_slices(Rig::new())
}

/// From here on its batches hold four changes or so.
fn in_slices(mut rig: Rig) -> Rig {
    rig.conform.limits.batch_bytes = 220;
    rig.session().unwrap().drain();
    rig
}

/// Inserts rows, updates some of them and some older ones, deletes some, and gives two of them each
/// other's name.
fn changes() -> Vec<BytesMut> {
    let mut changes = Vec::new();
    let row = |id: usize, name: &str| -> BytesMut {
        let (id, no) = (id.to_string(), format!("W{id}"));
        row_frame(b'U', b'N', &[&id, &no, name, NEVER])
    };
    changes.push(row_frame(b'U', b'N', &["1", "A", "Anna", NEVER]));
    changes.extend((10..10 + ROWS).map(|id| row(id, "new")));
    changes.extend((10..20).map(|id| row(id, "newer")));
    changes.extend((15..18).map(|id| row_frame(b'D', b'K', &[&id.to_string(), "", "", NEVER])));
    changes.push(row(18, "nineteen"));
    changes.push(row(19, "eighteen"));
    changes.push(row_frame(b'U', b'N', &["1", "A", "Anne", NEVER]));
    changes
}

/// Rows without the time at which they were evaluated.
fn canon(session: &Session<'_>) -> Vec<String> {
    session.rows("SELECT worker_no, full_name, status FROM canon.worker ORDER BY 1")
}

/// What targets have after all events.
fn delivered(rig: &Rig) -> Vec<String> {
    let mut rows: BTreeMap<String, Option<Value>> = BTreeMap::new();
    for (place, event) in rig.events().into_iter().enumerate() {
        assert_eq!(event.sequence, place as u64 + 1, "no event twice, none left out");
        let was = rows.get(&event.key).cloned().flatten();
        let old = event.old.clone().map(Value::Object);
        assert!(was.is_none() || was == old, "an event builds on the one before it");
        rows.insert(event.key, event.new.map(Value::Object));
    }
    let line = |(key, row): (String, Option<Value>)| {
        row.map(|row| format!("{key} {} {}", of(&row, "full_name"), of(&row, "status")))
    };
    rows.into_iter().filter_map(line).collect()
}

fn open(session: &Session<'_>) -> Vec<String> {
    session.rows("SELECT source, conformed_entry FROM ops.open_transaction")
}

#[test]
fn a_large_transaction_in_slices_ends_as_if_it_were_one_batch() {
    let mut whole = Rig::new();
    whole.large(&changes());
    let mut session = whole.session().unwrap();
    session.drain();
    let expected = canon(&session);
    assert_eq!(expected.len(), 2 + ROWS - 3);
    assert!(expected.contains(&"W18 nineteen active".to_owned()), "{expected:?}");
    let whole_batches = session.mark.batch;

    let mut rig = rig();
    let entries = rig.large(&changes());
    let mut session = rig.session().unwrap();
    let last = *entries.last().unwrap();
    let mut parts = Vec::new();
    while let Some(run) = session.next_run() {
        let decided = session.decide(&run).unwrap();
        session.land(&decided).unwrap();
        session.finish(decided).unwrap();
        parts.push(session.mark.part);
        // THEN the store says that it is in the middle of something, and the mark where
        let found = open(&session);
        match session.mark.part {
            0 => assert_eq!((found.len(), session.mark.journal_seq), (0, last)),
            part => {
                assert_eq!(found, [format!("erp {part}")]);
                assert_eq!(session.mark.journal_seq, last - 1);
                assert!(entries.contains(&part));
            }
        }
    }
    assert!(parts.len() > 8, "{parts:?}");
    assert!(session.mark.batch > whole_batches + 8);
    assert_eq!(canon(&session), expected);
    // Raw changes are all there, once, in order.
    let raw =
        "SELECT count(*), count(DISTINCT (journal_seq, ordinal)), count(DISTINCT transaction) FROM
               changes.m202505";
    assert_eq!(session.rows(raw), [format!("{0} {0} 1", changes().len())]);
    drop(session);
    let told: Vec<String> = delivered(&rig);
    let of_it: Vec<String> = expected.into_iter().filter(|row| !row.starts_with("B ")).collect();
    assert_eq!(told, of_it);
}

#[test]
fn a_crash_between_or_within_slices_loses_nothing_and_tells_nothing_twice() {
    let mut whole = Rig::new();
    whole.large(&changes());
    let mut session = whole.session().unwrap();
    session.drain();
    let expected = canon(&session);

    let mut rig = rig();
    rig.large(&changes());
    rig.update(["2", "B", "Bert", NEVER]);
    let mut crashes = 0;
    loop {
        let mut session = rig.session().unwrap_or_else(|error| panic!("{}", error.chain()));
        if session.next_run().is_none() {
            let found: Vec<String> =
                canon(&session).into_iter().map(|row| row.replace("Bert", "Bob")).collect();
            assert_eq!(found, expected);
            assert_eq!(open(&session), Vec::<String>::new());
            break;
        }
        // WHEN the process dies with a slice in the ledger and not in the store, or with it in both
        if crashes % 3 == 2 {
            let run = session.next_run().unwrap();
            let decided = session.decide(&run).unwrap();
            session.land(&decided).unwrap();
            session.finish(decided).unwrap();
        } else {
            session.land_only();
        }
        drop(session);
        rig.restart();
        crashes += 1;
    }
    assert!(crashes > 8, "{crashes}");
    assert!(delivered(&rig).contains(&"W19 eighteen active".to_owned()));
}

#[test]
fn a_transaction_is_held_as_a_whole_however_small_its_slices() {
    let mut rig = rig();
    rig.conform.limits.hold_percent = 25;
    rig.conform.limits.hold_rows_min = 5;
    for id in 10..50 {
        rig.update([&id.to_string(), &format!("W{id}"), "old", NEVER]);
    }
    rig.session().unwrap().drain();
    // It also makes rows, and changes them: those were not there before.
    let renamed: Vec<BytesMut> = (60..100)
        .chain(60..100)
        .chain(10..40)
        .map(|id| row_frame(b'U', b'N', &[&id.to_string(), &format!("W{id}"), "new", NEVER]))
        .collect();
    let last = *rig.large(&renamed).last().unwrap();
    let mut session = rig.session().unwrap();
    let mut let_through = 0;
    let held = loop {
        let run = session.next_run().unwrap();
        let decided = session.decide(&run).unwrap();
        if let Some(held) = session.mass_change(&decided).unwrap() {
            break held;
        }
        let updates = decided.events.iter().filter(|event| event.key.as_str() < "W6");
        let_through += updates.count() as u64;
        session.land(&decided).unwrap();
        session.finish(decided).unwrap();
    };
    // THEN no more than the share went through, and what is shown is of all slices so far
    assert!(let_through > 0 && let_through * 100 <= 25 * 42, "{let_through}");
    assert_eq!((held.seq_upto, held.effect.rows), (last, 42));
    assert!(held.effect.updated > let_through && held.effect.updated * 100 > 25 * 42);
    // and whoever lets it go lets go all of it
    rig.conform.state.hold(held);
    assert!(rig.conform.state.release(last));
    session.store.rollback().unwrap();
    session.decoders.clear();
    while let Some(run) = session.next_run() {
        let decided = session.decide(&run).unwrap();
        assert_eq!(session.mass_change(&decided).unwrap(), None);
        session.land(&decided).unwrap();
        session.finish(decided).unwrap();
    }
    assert_eq!(session.rows("SELECT count(*) FROM canon.worker WHERE full_name = 'new'"), ["70"]);
}

#[test]
fn a_source_that_cannot_be_followed_in_the_middle_of_a_transaction_stands_still() {
    let mut rig = rig();
    let mut changes = changes();
    changes[20] = BytesMut::from(&b"?"[..]);
    let last = *rig.large(&changes).last().unwrap();
    rig.update(["2", "B", "Bert", NEVER]);
    rig.control(&Control::Tick { micros: 0 });
    let newest = *rig.conform.journal.news().borrow();
    let mut session = rig.session().unwrap();
    assert_eq!(session.drain_blaming(), 1);
    assert_eq!(open(&session), Vec::<String>::new());
    assert_eq!(session.mark.part, 0);
    // What came before the damage is there, nothing after it is.
    let names =
        session.rows("SELECT full_name FROM canon.worker WHERE worker_no IN ('A', 'B') ORDER BY 1");
    assert_eq!(names, ["Anna", "Bob"]);
    drop(session);
    let facts = rig.conform.ledger.source("erp").unwrap();
    let stands = rig.conform.ledger.standstills("erp").unwrap();
    assert!(facts.gap.is_some() && stands.len() == 1);
    assert!(stands[0].first < last && stands[0].upto.is_none());
    rig.restart();
    assert_eq!(rig.session().unwrap().mark.journal_seq, newest);
    // A store that is made anew takes the same slices, and leaves out the same.
    rig.lose_the_store();
    rig.restart();
    let session = rig.session().unwrap();
    assert_eq!(session.mark.journal_seq, newest);
    let again =
        session.rows("SELECT full_name FROM canon.worker WHERE worker_no IN ('A', 'B') ORDER BY 1");
    assert_eq!(again, names);
}

#[test]
fn a_mapping_that_fails_in_the_middle_of_a_transaction_is_tried_again_at_its_end() {
    // GIVEN a mapping that cannot bear a row that the transaction makes and mends
    let fails = "substr(s.name, CAST(CASE s.name WHEN 'bad' THEN 'x' ELSE '1' END AS BIGINT))";
    let mapping = WORKER.replace("s.name AS full_name", &format!("{fails} AS full_name"));
    assert_ne!(mapping, WORKER);
    let mut rig = in_slices(Rig::with_mapping(&mapping));
    let mut changes = changes();
    changes.insert(3, row_frame(b'U', b'N', &["2", "B", "bad", NEVER]));
    changes.push(row_frame(b'U', b'N', &["2", "B", "good", NEVER]));
    rig.large(&changes);
    let mut session = rig.session().unwrap();
    let mut was_parked = false;
    while let Some(run) = session.next_run() {
        let decided = session.decide(&run).unwrap();
        session.land(&decided).unwrap();
        session.finish(decided).unwrap();
        was_parked |= session.evaluator.has_failed();
    }
    // THEN it is evaluated once nothing is in the way any more
    assert!(was_parked && !session.evaluator.has_failed());
    assert_eq!(canon(&session).len(), 2 + ROWS - 3);
    let names = session.rows(
        "SELECT full_name FROM canon.worker WHERE worker_no IN ('A', 'B')
                              ORDER BY 1",
    );
    assert_eq!(names, ["Anne", "good"]);
}
