//! Conform over a real ledger, journal and store, without a server.

mod anew;
mod rig;
mod slices;
mod verify;

use std::collections::BTreeMap;

use serde_json::Value;

use self::rig::{DAY_MICROS, Rig, WORKER};
use super::verify::Verified;
use super::*;
use crate::ledger::segment::{EntryKind, NewEntry};
use crate::ledger::standing::TargetFacts;
use crate::source::entry::Control;

fn of(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or("-").to_owned()
}

#[test]
fn a_replay_uses_the_time_of_the_first_run_and_makes_no_event() {
    let mut rig = Rig::new();
    rig.session().unwrap().drain();
    rig.update(["1", "A", "Anna", "2999-01-01"]);
    let batch = rig.session().unwrap().land_only();
    let events = rig.events();
    assert_eq!(events.len(), 1);
    rig.restart();
    // The row says at which time it was evaluated: only the batch's own gives the same digest.
    let session = rig.session().unwrap_or_else(|error| panic!("{}", error.chain()));
    assert_eq!(session.mark.batch, batch.id);
    let as_of = jiff::Timestamp::from_microsecond(batch.as_of_micros).unwrap();
    let as_of = as_of.strftime("%Y-%m-%d %H:%M:%S").to_string();
    let found = session.rows("SELECT job_title FROM canon.worker WHERE worker_no = 'A'");
    assert!(found[0].starts_with(&as_of), "{found:?}, not {as_of}");
    assert_eq!(rig.events(), events);
    // Its border is the same, too: what came after it is another batch.
    assert_eq!(session.mark.journal_seq, batch.seq_upto);
}

#[test]
fn a_replay_that_gives_something_else_is_refused() {
    let mut rig = Rig::new();
    rig.session().unwrap().drain();
    rig.update(["1", "A", "Anna", "2999-01-01"]);
    let mut session = rig.session().unwrap();
    let run = session.next_run().unwrap();
    let mut decided = session.decide(&run).unwrap();
    // As if the replay came at another time: one microsecond is enough.
    decided.batch.as_of_micros += 1;
    session.land(&decided).unwrap();
    session.store.rollback().unwrap();
    let batch = decided.batch;
    drop(session);
    rig.restart();
    let error = rig.session().err().unwrap();
    let text = error.chain();
    assert!(text.contains(&format!("replaying batch {} gave other events", batch.id)), "{text}");
    assert!(error.remedy().is_some_and(|hint| hint.contains("state folder")), "{error:?}");
    // Nothing of it is in the store, also at the next start.
    assert!(rig.session().is_err());
}

#[test]
fn what_could_not_be_read_is_set_aside_in_a_replay_that_can_read_it() {
    for are_kept in [true, false] {
        let mut rig = Rig::new();
        rig.session().unwrap().drain();
        // GIVEN a batch with a row that its version cannot read: the ledger has its events, the store not
        let good = rig::row_frame(b'U', b'N', &["1", "A", "Anna", "2999-01-01"]);
        let mut bad = good.clone();
        let kind = bad.windows(5).position(|some| some == b"t\0\0\0\x04").unwrap();
        bad[kind] = b'?';
        rig.change(bad.clone());
        let batch = rig.session().unwrap().land_only();
        assert_eq!(rig.conform.ledger.count_unread("erp").unwrap(), 1);
        if !are_kept {
            rig.forget_unread_bytes();
        }
        // WHEN a version that can read it replays it
        assert_eq!(rig.rewrite(&bad, &good), 1 + usize::from(are_kept));
        rig.restart();
        let session = rig.session().unwrap_or_else(|error| panic!("{}", error.chain()));
        // THEN nothing else comes of it: a copy brings the row
        assert_eq!(session.mark.batch, batch.id);
        assert_eq!(rig.events(), []);
        assert_eq!(session.rows("SELECT name FROM erp.staff ORDER BY id"), ["Ann", "Bob"]);
        assert_eq!(session.rows("SELECT table_name FROM ops.unproven"), ["public.staff"]);
        assert_eq!(rig.conform.ledger.count_unread("erp").unwrap(), 1, "it is noted once");
    }
}

#[test]
fn the_event_log_is_what_the_outbox_holds_as_cloud_events() {
    let mut rig = Rig::new();
    rig.session().unwrap().drain();
    rig.update(["1", "A", "Anna \"the\" O'Hara", "2999-01-01"]);
    rig.update(["3", "C|x", "Cid", "2999-01-01"]);
    rig.session().unwrap().drain();
    rig.update(["1", "A2", "Anna", "2999-01-01"]);
    // The last batch is replayed: its events are there once.
    rig.session().unwrap().land_only();
    rig.restart();
    let session = rig.session().unwrap();
    let install = rig.conform.ledger.install();
    let events = rig.events();
    assert!(events.len() >= 4, "{events:?}");
    let expected: Vec<Value> = events.iter().map(|event| event.cloud_event(install)).collect();
    let found = session.rows("SELECT event FROM ops.cloud_event ORDER BY sequence");
    let found: Vec<Value> = found.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(found, expected);
    let sql = "SELECT sequence, id, type, entity, key, epoch_us(time), batch FROM ops.event
               ORDER BY sequence";
    let last = rig.conform.ledger.last_batch().unwrap().unwrap();
    let found = session.rows(sql);
    for (row, event) in found.iter().zip(&events) {
        let batch = if event.sequence >= last.event_first { last.id } else { last.id - 1 };
        let (id, kind) = (event.id(install), event.kind());
        let Event { sequence, entity, key, time_micros, .. } = event;
        assert_eq!(*row, format!("{sequence} {id} {kind} {entity} {key} {time_micros} {batch}"));
    }
}

#[test]
fn time_alone_makes_an_event_and_a_replay_makes_the_same() {
    let mut rig = Rig::new();
    rig.session().unwrap().drain();
    let mut session = rig.session().unwrap();
    // Nothing is due: the clock says nothing.
    session.look_at_clock(Duration::ZERO).unwrap();
    assert!(session.next_run().is_none());
    drop(session);
    // The day after tomorrow comes by a word in the journal, as the clock would say it.
    let now = jiff::Timestamp::now().as_microsecond();
    let leaves = jiff::Timestamp::from_microsecond(now + DAY_MICROS).unwrap();
    rig.update(["2", "B", "Bob", &leaves.strftime("%Y-%m-%d").to_string()]);
    rig.session().unwrap().drain();
    rig.control(&Control::Tick { micros: now + 2 * DAY_MICROS });
    rig.session().unwrap().land_only();
    rig.restart();
    let session = rig.session().unwrap_or_else(|error| panic!("{}", error.chain()));
    let events = rig.events();
    let last = events.last().unwrap();
    assert_eq!((last.key.as_str(), events.len()), ("B", 2));
    let new = Value::Object(last.new.clone().unwrap());
    assert_eq!((of(&new, "status"), of(&new, "full_name")), ("terminated".into(), "Bob".into()));
    let rows = session.rows("SELECT worker_no, status FROM canon.worker ORDER BY 1");
    assert_eq!(rows, ["A active", "B terminated"]);
}

#[test]
fn the_clock_is_looked_at_while_the_journal_is_never_drained() {
    let mut rig = Rig::new();
    rig.session().unwrap().drain();
    // Due at once: yesterday is over, but the row was written as if it were not.
    rig.update(["2", "B", "Bob", "2999-01-01"]);
    let mut session = rig.session().unwrap();
    session.drain();
    let due =
        "UPDATE contrib.erp__worker SET _next_at = TIMESTAMP '2020-01-01' WHERE worker_no = 'B'";
    session.store.connection().execute(due, []).unwrap();
    session.looked_at_clock = Instant::now().checked_sub(CLOCK_PAUSE).unwrap();
    let before = *rig.conform.journal.news().borrow();
    // WHEN there is always something to take
    let (journal, cancel) = (&rig.conform.journal, CancellationToken::new());
    let again = || {
        let word = Control::Tick { micros: 0 }.encode();
        journal.append(&NewEntry::own("", EntryKind::Control, &word)).unwrap()
    };
    again();
    assert!(session.take(&cancel).unwrap().is_some());
    // THEN the clock has spoken, once, although it was not conformed yet
    assert_eq!(*journal.news().borrow(), before + 2);
    session.look_at_clock(Duration::ZERO).unwrap();
    assert_eq!(*journal.news().borrow(), before + 2);
    session.drain();
    assert_eq!(session.next_run().map(|run| run.border.seq), None);
}

#[test]
fn raw_changes_are_kept_for_their_time() {
    let mut rig = Rig::new();
    rig.update(["1", "A", "Ann", "2999-01-01"]);
    let mut session = rig.session().unwrap();
    session.drain();
    let months = "SELECT string_agg(table_name) FROM duckdb_tables() WHERE schema_name = 'changes'";
    assert_eq!(session.rows(months), ["m202505"]);
    session.keep_house(Duration::ZERO).unwrap();
    assert_eq!(session.rows(months), ["-"]);
}

/// Nothing is kept for its age.
fn forgetful(archive_every_secs: u64) -> Rig {
    let mut rig = Rig::new();
    rig.conform.limits.outbox_retention_hours = 0;
    rig.conform.limits.archive_every_secs = archive_every_secs;
    rig
}

#[test]
fn what_is_not_sealed_is_kept_whatever_its_age() {
    let mut rig = forgetful(86_400);
    rig.conform.targets.clear();
    let mut seal = crate::ledger::seal::Seal {
        batch_upto: 0,
        batch_after: 0,
        event_upto: 0,
        at_micros: 0,
        folder: String::new(),
        entities: Vec::new(),
        digest: String::new(),
    };
    rig.session().unwrap().drain();
    for round in 0..6 {
        rig.update(["1", "A", &format!("Ann {round}"), "2999-01-01"]);
        let mut session = rig.session().unwrap();
        session.drain();
        session.keep_house(Duration::ZERO).unwrap();
        let newest = session.mark.batch;
        drop(session);
        let kept = (1..=newest).filter(|id| rig.conform.ledger.batch(*id).is_ok()).min();
        assert_eq!(kept, Some(seal.batch_upto + 1), "round {round}");
        if round == 3 {
            seal.batch_upto = newest - 2;
            rig.conform.ledger.note_seal(&seal).unwrap();
        }
    }
}

#[test]
fn what_store_and_targets_have_is_thrown_away_and_a_replay_still_works() {
    let mut rig = forgetful(0);
    let target = |cursor| TargetFacts { cursor, ..TargetFacts::default() };
    rig.session().unwrap().drain();
    // Every event is a batch of its own here.
    let counts = |rig: &Rig| {
        let ledger = &rig.conform.ledger;
        let last = ledger.last_batch().unwrap().unwrap().id;
        (rig.events().len(), (1..=last).filter(|id| ledger.batch(*id).is_ok()).count())
    };
    let mut largest = (0, 0);
    for round in 0..20 {
        rig.update(["1", "A", &format!("Ann {round}"), "2999-01-01"]);
        let mut session = rig.session().unwrap();
        session.drain();
        session.keep_house(Duration::ZERO).unwrap();
        let found = counts(&rig);
        if round < 10 {
            // A target that was never opened, and one that stands still, need everything.
            assert_eq!(found.0, round + 1);
        } else {
            largest = (largest.0.max(found.0), largest.1.max(found.1));
        }
        let cursor = if round < 9 { 0 } else { session.mark.event_sequence };
        drop(session);
        if round > 3 {
            rig.conform.ledger.set_target("psa", &target(cursor)).unwrap();
        }
    }
    assert!(largest.0 <= 2 && largest.1 <= 3, "it grows: {largest:?}");
    // A parked event is needed, whatever the cursor says.
    let newest = rig.conform.ledger.last_batch().unwrap().unwrap().event_last;
    let parked = crate::ledger::parked::Parked {
        sequence: newest,
        entity: "worker".to_owned(),
        key: "A".to_owned(),
        state: crate::ledger::parked::ParkedState::Dead,
        class: "rejected".to_owned(),
        words: String::new(),
        attempts: 1,
        next_at_micros: 0,
        since_micros: 0,
    };
    let keys = [("worker".to_owned(), "A".to_owned())];
    rig.conform.ledger.settle("psa", newest, &keys, &[parked]).unwrap();
    for round in 0..3 {
        rig.update(["2", "B", &format!("Bob {round}"), "2999-01-01"]);
        let mut session = rig.session().unwrap();
        session.drain();
        session.keep_house(Duration::ZERO).unwrap();
    }
    assert_eq!(rig.conform.ledger.events_by_sequence(&[newest]).unwrap()[0].key, "A");
    rig.conform.ledger.settle("psa", newest + 3, &keys, &[]).unwrap();
    // A crash after housekeeping: the batch is replayed with what is left.
    rig.update(["1", "A", "Anna", "2999-01-01"]);
    let mut session = rig.session().unwrap();
    session.keep_house(Duration::ZERO).unwrap();
    let batch = session.land_only();
    drop(session);
    rig.restart();
    let mut session = rig.session().unwrap_or_else(|error| panic!("{}", error.chain()));
    assert_eq!(session.mark.batch, batch.id);
    session.keep_house(Duration::ZERO).unwrap();
    drop(session);
    // A target that is new begins with the oldest event there is, not with an error.
    let oldest = rig.conform.ledger.events(0, batch.event_last, 10).unwrap();
    assert_eq!(oldest.last().map(|event| event.sequence), Some(batch.event_last));
    assert!(oldest[0].sequence > 1);
    let error = rig.conform.ledger.events(1, batch.event_last, 10).unwrap_err();
    assert!(error.chain().contains("not in the ledger any more"), "{}", error.chain());
}

/// DuckDB casts it to a year after Christ: no event may say so.
#[test]
fn a_year_before_christ_reaches_no_attribute_as_one_after() {
    let hired = WORKER.replace("CAST($as_of AS VARCHAR) AS job_title", "s.leaves AS hire_date");
    let hired = hired
        .replace("CAST(s.leaves AS TIMESTAMP) AS _next_at, ", "")
        .replace("CASE WHEN s.leaves <= $as_of THEN 'terminated' ELSE 'active' END", "'active'");
    let mut rig = Rig::with_mapping(&hired);
    rig.session().unwrap().drain();
    let hired = "SELECT concat(worker_no, ' ', hire_date) FROM canon.worker ORDER BY 1";
    assert_eq!(rig.session().unwrap().rows(hired), ["A 2999-01-01", "B 2999-01-01"]);
    rig.update(["2", "B", "Bob", "0044-03-15 BC"]);
    rig.update(["1", "A", "Ann", "2026-11-27"]);
    let mut session = rig.session().unwrap();
    session.drain();
    // The mirror has it; the mapping is parked, and what it gave before stands.
    assert_eq!(session.rows("SELECT leaves FROM erp.staff WHERE no = 'B'"), ["0044-03-15 BC"]);
    assert!(
        session.rows(hired).iter().all(|row| !row.contains("0044")),
        "{:?}",
        session.rows(hired)
    );
    assert_eq!(session.evaluator.parked().len(), 1);
}
