//! The live store held against full evaluations.

use super::rig::{Rig, WORKER};
use super::*;
use crate::store::evaluate::Mismatch;

/// Nothing in a row says when it was evaluated.
fn rig() -> Rig {
    let mapping = WORKER.replace("CAST($as_of AS VARCHAR) AS job_title,", "");
    assert_ne!(mapping, WORKER);
    Rig::with_mapping(&mapping)
}

fn verify(session: &Session<'_>) -> Option<Vec<Mismatch>> {
    let set = &session.conform.mappings;
    let mut evaluator = mappings::evaluator(session.conform, set).unwrap();
    let statement = session.store.reader().unwrap().statement().unwrap();
    statement.apart(|connection| evaluator.verify_entity(connection, "worker")).unwrap()
}

fn mismatch(table: &str, keys: &[&str]) -> Mismatch {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    Mismatch { table: table.to_owned(), keys }
}

#[test]
fn a_stored_row_that_no_mapping_gives_is_found() {
    let mut rig = rig();
    assert_eq!(verify(&rig.session().unwrap()), None, "nothing is copied yet");
    rig.update(["3", "C", "Cid", "2999-01-01"]);
    let mut session = rig.session().unwrap();
    session.drain();
    assert_eq!(verify(&session), Some(Vec::new()));
    for (damage, expected) in [
        (
            "UPDATE canon.worker SET full_name = 'x' WHERE worker_no = 'A'",
            mismatch("canon.worker", &["A"]),
        ),
        ("DELETE FROM canon.worker WHERE worker_no = 'B'", mismatch("canon.worker", &["B"])),
        ("INSERT INTO canon.worker (worker_no) VALUES ('Z')", mismatch("canon.worker", &["Z"])),
        // Contributions are named by unit.
        (
            "UPDATE contrib.erp__worker SET status = 'x' WHERE worker_no = 'C'",
            mismatch("contrib.erp__worker", &["3"]),
        ),
    ] {
        session.store.begin().unwrap();
        session.store.connection().execute(damage, []).unwrap();
        session.store.commit_beside().unwrap();
        let found = verify(&session).unwrap();
        assert!(found.iter().any(|one| one.table == expected.table), "{damage}: {found:?}");
        let of = found.iter().find(|one| one.table == expected.table).unwrap();
        let is_named = expected.keys.iter().all(|key| of.keys.contains(key));
        assert!(is_named, "{damage}: {found:?}");
    }
    // WHEN a set of mappings comes into force THEN everything is as it should be again
    let entity = rig.conform.mappings.contributed().next().unwrap();
    let found = Verified { at_micros: 1, mismatches: verify(&session).unwrap() };
    rig.conform.state.verified(&entity.name, found.clone());
    assert_eq!(rig.conform.state.verifications()["worker"], found);
    drop(session);
    rig.change_mapping("version: 1", "version: 2");
    let mut session = rig.session().unwrap();
    session.drain();
    assert_eq!(verify(&session), Some(Vec::new()));
}

#[test]
fn what_is_due_by_time_is_verified_later() {
    let mut rig = rig();
    rig.session().unwrap().drain();
    let now = jiff::Timestamp::now().as_microsecond();
    let tomorrow = jiff::Timestamp::from_microsecond(now + DAY_MICROS).unwrap();
    rig.update(["2", "B", "Bob", &tomorrow.strftime("%Y-%m-%d").to_string()]);
    let mut session = rig.session().unwrap();
    session.drain();
    assert_eq!(verify(&session), Some(Vec::new()));
    let due = "UPDATE contrib.erp__worker SET _next_at = TIMESTAMP '2020-01-01'";
    session.store.connection().execute(due, []).unwrap();
    assert_eq!(verify(&session), None);
}
