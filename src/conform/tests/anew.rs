//! A log that cannot be conformed, and begins anew.

use super::rig::{Rig, table};
use crate::ledger::segment::EntryKind;
use crate::ledger::standing::Standstill;
use crate::source::entry::Control;

/// Conforms everything, blaming sources; the workers then.
fn all(rig: &Rig) -> Vec<String> {
    let mut session = rig.session().unwrap();
    session.drain_blaming();
    let sql =
        "SELECT concat(worker_no, full_name) FROM canon.worker WHERE worker_no < 'X' ORDER BY 1";
    session.rows(sql)
}

/// The log begins anew, and everything is copied.
fn anew(rig: &Rig) -> u64 {
    let word = Control::Anew { tables: vec![("staff".to_owned(), table())] };
    let seq = rig.append("erp", EntryKind::Control, &word.encode());
    rig.chunk(&[["1", "A", "Anna", "2999-01-01"], ["3", "C", "Cid", "2999-01-01"]]);
    rig.control(&Control::CopyDone { table: table().name, only: None });
    seq
}

#[test]
fn what_cannot_be_conformed_is_left_out_and_what_was_missed_comes_by_copies() {
    let mut rig = Rig::new();
    let bad = rig.append("erp", EntryKind::Log, b"no frame");
    rig.update(["2", "B", "Lost", "2999-01-01"]);
    // GIVEN a source that stands still
    assert_eq!(all(&rig), ["AAnn", "BBob"]);
    assert!(rig.conform.ledger.source("erp").unwrap().gap.is_some());
    // WHEN its log begins anew THEN it goes on, with what the copy shows
    let begins = anew(&rig);
    rig.update(["3", "C", "Carl", "2999-01-01"]);
    assert_eq!(all(&rig), ["AAnna", "CCarl"]);
    let still = Standstill { first: bad, after: 0, upto: Some(begins) };
    assert_eq!(rig.conform.ledger.standstills("erp").unwrap(), [still]);
    // and so does a store that is made anew
    rig.lose_the_store();
    rig.restart();
    assert_eq!(all(&rig), ["AAnna", "CCarl"]);
}

#[test]
fn what_cannot_be_conformed_before_the_log_begins_anew_is_no_gap() {
    let rig = Rig::new();
    rig.append("erp", EntryKind::Log, b"no frame");
    anew(&rig);
    assert_eq!(all(&rig), ["AAnna", "CCid"]);
    assert_eq!(rig.conform.ledger.standstills("erp").unwrap().len(), 1);
    assert_eq!(rig.conform.ledger.source("erp").unwrap().gap, None);
}
