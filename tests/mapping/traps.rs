//! The ways in which an obvious incremental engine misses or invents rows; one test each.

use trueup::store::evaluate::Conflict;

use super::bench::{DAY, START, erp, lines};
use super::packs::{BADGE, COST_RATE, LOCKER, MAPPINGS, MEMBER, TIME_ENTRY, TOTAL, WORKER, pack};

const NONE: [&str; 0] = [];

#[test]
fn a_rate_that_is_inserted_closes_the_one_before_it() {
    let folder = pack(&[("cost_rate", COST_RATE)]);
    let mut bench = erp(folder.path());
    let found = bench.batch(&["INSERT INTO erp_next.cost VALUES (9, 1, '2026-09-01', '70')"]);
    assert_eq!(found, ["~cost_rate A|2026-06-01 valid_to=2026-09-01", "+cost_rate A|2026-09-01"]);
    // A rate moves to another employee: both histories change.
    let found = bench.batch(&["UPDATE erp_next.cost SET employee = 2 WHERE id = 2"]);
    assert_eq!(
        found,
        [
            "~cost_rate A|2026-01-01 valid_to=2026-09-01",
            "~cost_rate B|2026-01-01 valid_to=2026-06-01",
            "+cost_rate B|2026-06-01",
            "-cost_rate A|2026-06-01",
        ]
    );
    // The key of a whole history changes because a joined row does.
    let found = bench.batch(&["UPDATE erp_next.party SET code = 'A2' WHERE id = 11"]);
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn the_right_side_of_an_outer_join_touches_only_its_rows() {
    let folder = pack(&[("worker", WORKER)]);
    let mut bench = erp(folder.path());
    let found = bench.batch(&["UPDATE erp_next.party SET name = 'Bert' WHERE id = 12"]);
    assert_eq!(found, ["~worker B full_name=Bert"]);
    // A manager who was not there appears, and goes again.
    let found = bench.batch(&["UPDATE erp_next.employee SET supervisor = 77 WHERE id = 4"]);
    assert_eq!(found, ["~worker D manager_no=null"]);
    let found = bench.batch(&[
        "INSERT INTO erp_next.party VALUES (177, 'M', 'Mia')",
        "INSERT INTO erp_next.employee VALUES (77, 177, NULL, NULL)",
    ]);
    assert_eq!(found, ["~worker D manager_no=M", "+worker M"]);
    let found = bench.batch(&["DELETE FROM erp_next.employee WHERE id = 77"]);
    assert_eq!(found, ["~worker D manager_no=null", "-worker M"]);
}

#[test]
fn the_two_roles_of_a_self_join_are_both_followed() {
    let folder = pack(&[("worker", WORKER)]);
    let mut bench = erp(folder.path());
    let found = bench.batch(&["UPDATE erp_next.party SET code = 'A2' WHERE id = 11"]);
    assert_eq!(
        found,
        ["+worker A2", "~worker B manager_no=A2", "~worker C manager_no=A2", "-worker A"]
    );
}

#[test]
fn what_exists_elsewhere_hides_and_shows_rows() {
    let folder = pack(&[("badge", BADGE), ("locker", LOCKER)]);
    let mut bench = erp(folder.path());
    let found = bench.batch(&["INSERT INTO erp_next.blocked VALUES (2, 1)"]);
    assert_eq!(found, ["-locker L1", "-badge B1"]);
    let found = bench.batch(&["UPDATE erp_next.blocked SET employee = 2 WHERE id = 1"]);
    assert_eq!(found, ["+badge B3", "+locker L3", "-locker L2", "-badge B2"]);
    let found = bench.batch(&["DELETE FROM erp_next.blocked"]);
    assert_eq!(found, ["+badge B1", "+badge B2", "+locker L1", "+locker L2"]);
}

#[test]
fn a_row_that_moves_between_groups_changes_both() {
    let folder = pack(&[("total", TOTAL)]);
    let mut bench = erp(folder.path());
    let found = bench.batch(&["UPDATE erp_next.item SET employee = 2 WHERE id = 2"]);
    assert_eq!(found, ["~total 1 hours=8.00 entries=1", "~total 2 hours=12.25 entries=3"]);
    // NULL is a group like any other.
    let found = bench.batch(&["UPDATE erp_next.item SET employee = NULL WHERE id = 1"]);
    assert_eq!(found, ["~total nobody hours=9.50 entries=2", "-total 1"]);
    let found = bench.batch(&["DELETE FROM erp_next.item WHERE employee IS NULL"]);
    assert_eq!(found, ["-total nobody"]);
}

#[test]
fn time_alone_terminates_a_worker() {
    let folder = pack(&[("worker", WORKER)]);
    let mut bench = erp(folder.path());
    let due = START - DAY / 2 + 5 * DAY;
    assert_eq!(bench.evaluator.next_due(&bench.connection).unwrap(), Some(due));
    bench.as_of = due - 1;
    assert_eq!(bench.tick(), NONE);
    bench.as_of = due;
    assert_eq!(bench.tick(), ["~worker B status=terminated"]);
    assert_eq!(bench.evaluator.next_due(&bench.connection).unwrap(), None);
    bench.verify();
}

#[test]
fn approval_of_the_parent_fans_out_to_its_children() {
    let folder = pack(&[("time_entry", TIME_ENTRY)]);
    let mut bench = erp(folder.path());
    let found = bench.batch(&["UPDATE erp_next.sheet SET state = 'APPROVED' WHERE id = 2"]);
    assert_eq!(found, ["~time_entry 3 approved=true", "~time_entry 4 approved=true"]);
    // Both sides of the join change in one batch.
    let found = bench.batch(&[
        "UPDATE erp_next.item SET sheet = 2 WHERE id = 5",
        "DELETE FROM erp_next.sheet WHERE id = 1",
        "UPDATE erp_next.party SET code = 'B2' WHERE id = 12",
    ]);
    assert_eq!(
        found,
        ["~time_entry 3 worker_no=B2", "+time_entry 5", "-time_entry 1", "-time_entry 2"]
    );
}

#[test]
fn a_key_that_moves_takes_its_rows_along() {
    let folder = pack(&[("member", MEMBER), ("worker", WORKER)]);
    let mut bench = erp(folder.path());
    let found = bench.batch(&[
        "UPDATE erp_next.membership SET project_id = 2 WHERE project_id = 1 AND employee = 1",
    ]);
    assert_eq!(
        found,
        ["~member P1|2 peers=0", "+member P2|1", "~member P2|2 peers=1", "-member P1|1"]
    );
    // The source's own key is not the business key: nothing canonical changes.
    let found = bench.batch(&["UPDATE erp_next.employee SET id = 44 WHERE id = 4"]);
    assert_eq!(found, NONE);
    let unit = bench
        .rows("SELECT _unit_employee_id, _from_e FROM contrib.erp__worker WHERE worker_no = 'D'");
    assert_eq!(unit, ["44 44"]);
    let found = bench.batch(&["DELETE FROM erp_next.employee WHERE id = 44"]);
    assert_eq!(found, ["-worker D"]);
}

#[test]
fn coming_and_going_within_a_batch_leaves_only_the_end() {
    let folder = pack(&[("worker", WORKER)]);
    let mut bench = erp(folder.path());
    let found = bench.batch(&[
        "INSERT INTO erp_next.employee VALUES (9, 14, NULL, NULL)",
        "DELETE FROM erp_next.employee WHERE id IN (4, 9)",
        "INSERT INTO erp_next.employee VALUES (9, 14, 1, NULL)",
    ]);
    assert_eq!(found, ["~worker D manager_no=A"]);
    let found = bench.batch(&[
        "INSERT INTO erp_next.employee VALUES (10, 14, NULL, NULL)",
        "DELETE FROM erp_next.employee WHERE id = 10",
    ]);
    assert_eq!(found, NONE);
}

#[test]
fn two_rows_that_claim_a_key_are_a_conflict_and_the_first_counts() {
    let folder = pack(&[("worker", WORKER)]);
    let mut bench = erp(folder.path());
    let evaluated =
        bench.try_batch(&["UPDATE erp_next.party SET code = 'B' WHERE id = 11"]).unwrap();
    let conflict = Conflict { entity: "worker".into(), source: "erp".into(), key: "B".into() };
    assert_eq!(evaluated.conflicts, [conflict]);
    // Employee 1 comes before employee 2.
    let names = "SELECT worker_no, full_name FROM canon.worker WHERE worker_no <= 'B'";
    assert_eq!(bench.rows(names), ["B Ann"]);
    assert_eq!(bench.rows("FROM ops.conflict"), ["worker erp B 2"]);
    let found = bench.batch(&["DELETE FROM erp_next.employee WHERE id = 1"]);
    assert!(found.iter().any(|line| line.starts_with("~worker B full_name=Bob")), "{found:?}");
    assert_eq!(bench.rows("FROM ops.conflict"), NONE);
    // Without a key a row is no contribution, but it is not hidden either.
    let found = bench.batch(&["UPDATE erp_next.party SET code = NULL WHERE id = 14"]);
    assert_eq!(found, ["-worker D"]);
    assert_eq!(bench.rows("FROM ops.conflict"), ["worker erp - 1"]);
}

#[test]
fn all_mappings_together_go_in_delivery_order_and_twice_the_same() {
    let folder = pack(&MAPPINGS);
    let run = || {
        let mut bench =
            super::bench::open(folder.path(), &[("erp", "own", super::packs::TABLES)], &[]);
        let mut all = vec![bench.all("erp")];
        all.push(
            bench
                .try_batch(&[
                    "DELETE FROM erp_next.employee WHERE id = 2",
                    "INSERT INTO erp_next.employee VALUES (5, 12, 1, NULL)",
                    "UPDATE erp_next.cost SET employee = 5 WHERE id = 3",
                ])
                .unwrap(),
        );
        all.push(bench.try_batch(&["DELETE FROM erp_next.employee"]).unwrap());
        all
    };
    let first = run();
    assert_eq!(first, run());
    let rank = |line: &String| {
        let entity = line[1..].split(' ').next().unwrap();
        usize::from(entity == "cost_rate")
    };
    let created: Vec<usize> = lines(&first[0].differences).iter().map(rank).collect();
    assert!(created.is_sorted() && created.contains(&1), "rates come after workers");
    let deleted = lines(&first[2].differences);
    let deleted: Vec<&String> = deleted.iter().filter(|line| line.starts_with('-')).collect();
    let place = |entity: &str| deleted.iter().position(|line| line[1..].starts_with(entity));
    assert!(place("cost_rate").unwrap() < place("worker").unwrap(), "{deleted:?}");
}

#[test]
fn commit_times_follow_the_rows_and_history_closes_validity() {
    let folder = pack(&[("worker", WORKER)]);
    let mut bench = erp(folder.path());
    bench.as_of += DAY;
    let evaluated =
        bench.try_batch(&["UPDATE erp_next.party SET name = 'Bert' WHERE id = 12"]).unwrap();
    assert_eq!(evaluated.differences[0].time_micros, START + DAY - 1_000);
    bench.as_of += DAY;
    bench.batch(&["DELETE FROM erp_next.employee WHERE id = 2"]);
    let history = "SELECT full_name, _valid_from, _valid_to, _batch FROM history.worker
        WHERE worker_no = 'B' ORDER BY _valid_from";
    assert_eq!(
        bench.rows(history),
        [
            "Bob 2026-03-31 12:00:00 2026-04-01 11:59:59.999 1",
            "Bert 2026-04-01 11:59:59.999 2026-04-02 11:59:59.999 2",
        ]
    );
    let comment = "SELECT comment FROM duckdb_columns()
        WHERE schema_name = 'canon' AND table_name = 'worker' AND column_name = 'full_name'";
    assert_eq!(bench.rows(comment), ["Name."]);
}
