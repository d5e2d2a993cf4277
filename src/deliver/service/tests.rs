//! Runs without a target: what begins, what is complete, and what an account covers.

use serde_json::json;

use super::*;
use crate::canon::EventOp;
use crate::target::{Account, Hole};

fn workflow(requires: &[&str]) -> Workflow {
    let text = "-- entity: worker\n-- key: no\nCREATE TABLE worker (
        no VARCHAR, -- No.\n status VARCHAR, -- Status.\n mail VARCHAR -- Mail.\n);";
    let entity = Entity::parse("worker.sql", text).unwrap();
    let config = WorkflowConfig {
        entity: "worker".to_owned(),
        when: "new.status = 'active' AND old.status IS DISTINCT FROM 'active'".to_owned(),
        targets: vec!["psa".to_owned()],
        requires: requires.iter().map(ToString::to_string).collect(),
        sla: None,
    };
    Workflow::compile("hire", &config, &entity).unwrap()
}

/// An event of worker 1: its status before and after, and whether it has a mail address then.
fn event(sequence: u64, old: Option<&str>, new: Option<&str>, mail: bool) -> Event {
    let row = |status: &str| {
        let mail = mail.then_some("a@b");
        json!({"no": "1", "status": status, "mail": mail}).as_object().cloned().unwrap()
    };
    Event {
        sequence,
        entity: "worker".to_owned(),
        key: "1".to_owned(),
        op: if new.is_some() { EventOp::Updated } else { EventOp::Deleted },
        time_micros: i64::try_from(sequence).unwrap() * 1_000,
        correlation: "worker/1".to_owned(),
        old: old.map(row),
        new: new.map(row),
    }
}

/// A target that has everything up to `cursor` but the parked ones.
fn standing(cursor: u64, parked: &[u64], baseline: BaselineState) -> Standing {
    let hole = |sequence: &u64| Hole {
        sequence: *sequence,
        entity: "worker".to_owned(),
        key: "1".to_owned(),
    };
    let account = Account {
        cursor,
        holes: parked.iter().map(hole).collect(),
        baselines: [("worker".to_owned(), baseline)].into(),
    };
    Standing::new(vec!["worker".to_owned()], account)
}

fn done(services: &mut Services, cursor: u64, parked: &[u64]) -> Vec<(u64, Outcome)> {
    let ended = services.settle(&standing(cursor, parked, BaselineState::Done), 77);
    let one = |run: Run| {
        assert_eq!(run.done, Some(77));
        (run.event, run.complete.unwrap().1)
    };
    ended.into_iter().map(one).collect()
}

#[test]
fn a_run_begins_with_its_event_and_ends_with_the_account_that_covers_it() {
    let (workflows, mut services) = ([workflow(&[])], Services::default());
    let begun = services.take(
        &workflows,
        &[
            event(3, None, Some("pre"), false),
            event(4, Some("pre"), Some("active"), false),
            event(5, Some("active"), Some("active"), true),
        ],
    );
    let run = &begun[0];
    assert_eq!((begun.len(), run.event, run.started_micros), (1, 4, 4_000));
    assert_eq!(run.complete, Some((4, Outcome::Done)));
    assert_eq!(done(&mut services, 3, &[]), []);
    // not while it is parked, nor while the first copy of the entity is on its way
    assert_eq!(done(&mut services, 9, &[4]), []);
    let early = standing(9, &[], BaselineState::Through("0".to_owned()));
    assert_eq!(services.settle(&early, 1), []);
    // a later event of the same key that is parked does not matter
    assert_eq!(done(&mut services, 9, &[5]), [(4, Outcome::Done)]);
    assert_eq!(done(&mut services, 10, &[]), [], "once");
    // the same again begins another
    let again = services.take(&workflows, &[event(11, Some("left"), Some("active"), false)]);
    assert_eq!(again[0].event, 11);
}

#[test]
fn a_run_waits_for_what_it_requires_and_survives_a_restart() {
    let workflows = [workflow(&["mail"])];
    let mut services = Services::default();
    let begun = services.take(&workflows, &[event(1, None, Some("active"), false)]);
    assert_eq!(begun[0].complete, None);
    assert_eq!(done(&mut services, 5, &[]), []);
    // a restart knows it from the ledger
    let mut services = Services::new(begun);
    let later = services.take(&workflows, &[event(6, Some("active"), Some("active"), true)]);
    assert_eq!((later[0].event, later[0].complete), (1, Some((6, Outcome::Done))));
    assert_eq!(done(&mut services, 5, &[]), []);
    assert_eq!(done(&mut services, 6, &[]), [(1, Outcome::Done)]);
}

#[test]
fn a_row_that_goes_ends_its_run_otherwise() {
    let (workflows, mut services) = ([workflow(&["mail"])], Services::default());
    services.take(&workflows, &[event(1, None, Some("active"), false)]);
    let gone = services.take(&workflows, &[event(2, Some("active"), None, false)]);
    assert_eq!(gone[0].complete, Some((2, Outcome::Gone)));
    assert_eq!(done(&mut services, 2, &[]), [(1, Outcome::Gone)]);
}
