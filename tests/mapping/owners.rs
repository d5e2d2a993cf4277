//! Several sources for one entity: whose value counts, when a row exists, and what is left over.

use super::bench::{Bench, open};
use super::packs::{TABLES, WORKER, entities, write};

const NONE: [&str; 0] = [];

const RATE: &str = "-- entity: worker
-- version: 1
-- unit: staff_id
-- driver: s
-- watch: s = staff.id
SELECT s.no AS worker_no, s.rate AS cost_rate, s.printed_name AS full_name,
    s.id AS staff_id, s.id AS _from_s
FROM staff s
";

const STAFF: &str = "CREATE TABLE staff (
    id INTEGER PRIMARY KEY, no VARCHAR, rate DECIMAL(10,2), printed_name VARCHAR
);
INSERT INTO staff VALUES (1, 'A', 50, 'ANN'), (2, 'B', 40, 'BOB'), (9, 'X', 10, 'XEN');";

const PACKS: [(&str, &str, &str); 2] = [("hr", "hr_pack", TABLES), ("erp", "erp_pack", STAFF)];
const OWNERS: [(&str, &[(&str, &str)]); 1] = [("worker", &[("*", "hr"), ("cost_rate", "erp")])];

/// HR owns workers, the ERP their rate.
fn two_sources() -> (tempfile::TempDir, Bench) {
    let folder = entities();
    write(folder.path(), "mappings/hr_pack/worker.sql", WORKER);
    write(folder.path(), "mappings/erp_pack/worker.sql", RATE);
    let bench = open(folder.path(), &PACKS, &OWNERS);
    (folder, bench)
}

#[test]
fn each_attribute_is_its_owners_and_the_default_owner_decides_about_the_row() {
    let (_folder, mut bench) = two_sources();
    // Nothing exists before its default owner has spoken.
    assert_eq!(super::bench::lines(&bench.all("erp").differences), NONE);
    assert_eq!(bench.all("hr").differences.len(), 4);
    let rows = "SELECT worker_no, full_name, cost_rate FROM canon.worker ORDER BY 1";
    assert_eq!(bench.rows(rows), ["A Ann 50.00", "B Bob 40.00", "C Cid -", "D Dee -"]);
    assert_eq!(bench.rows("FROM ops.orphan"), ["worker erp X"]);
    // A value its source does not own is no update, but it is stored.
    let found = bench.batch(&["UPDATE erp_next.staff SET printed_name = 'ANNE' WHERE id = 1"]);
    assert_eq!(found, NONE);
    let stored = "SELECT full_name FROM contrib.erp__worker WHERE worker_no = 'A'";
    assert_eq!(bench.rows(stored), ["ANNE"]);
    // The owner's value is one.
    let found = bench.batch(&["UPDATE erp_next.staff SET rate = 55 WHERE id = 1"]);
    assert_eq!(found, ["~worker A cost_rate=55.00"]);
    // Both in one batch, and a contribution that finds its owner's row.
    let found = bench.batch(&[
        "UPDATE hr_next.party SET code = 'X', name = 'Xenia' WHERE id = 14",
        "UPDATE erp_next.staff SET rate = 11 WHERE id = 9",
    ]);
    assert_eq!(found, ["+worker X", "-worker D"]);
    assert_eq!(bench.rows("SELECT cost_rate FROM canon.worker WHERE worker_no = 'X'"), ["11.00"]);
    assert_eq!(bench.rows("FROM ops.orphan"), NONE);
}

#[test]
fn the_owners_delete_ends_the_row_and_leaves_an_orphan() {
    let (_folder, mut bench) = two_sources();
    bench.all("hr");
    bench.all("erp");
    let found = bench.batch(&["DELETE FROM hr_next.employee WHERE id = 2"]);
    assert_eq!(found, ["~worker D manager_no=null", "-worker B"]);
    assert_eq!(bench.rows("FROM ops.orphan ORDER BY key"), ["worker erp B", "worker erp X"]);
    // Another source's delete only takes its own attributes.
    let found = bench.batch(&["DELETE FROM erp_next.staff WHERE id = 1"]);
    assert_eq!(found, ["~worker A cost_rate=null"]);
}

#[test]
fn new_owner_rules_show_as_differences_of_a_full_evaluation() {
    let (folder, mut bench) = two_sources();
    bench.all("hr");
    bench.all("erp");
    let owners: [(&str, &[(&str, &str)]); 1] =
        [("worker", &[("*", "hr"), ("cost_rate", "erp"), ("full_name", "erp")])];
    bench.reopen(folder.path(), &PACKS, &owners);
    assert_eq!(bench.evaluator.waiting(), [], "contributions are the same");
    let found = super::bench::lines(&bench.all("hr").differences);
    assert_eq!(
        found,
        [
            "~worker A full_name=ANN",
            "~worker B full_name=BOB",
            "~worker C full_name=null",
            "~worker D full_name=null",
        ]
    );
}

/// Everything, as after a new set of mappings.
fn all_sources(bench: &mut Bench) -> Vec<String> {
    let moment = bench.moment();
    let sources = ["erp".to_owned(), "hr".to_owned()];
    bench.execute("BEGIN");
    let found = bench.evaluator.evaluate_all(&bench.connection, &sources, moment).unwrap();
    bench.execute("COMMIT");
    super::bench::lines(&found.differences)
}

const STATE: &str = "SELECT worker_no, full_name, cost_rate FROM canon.worker ORDER BY 1";

#[test]
fn a_new_shape_of_the_default_owners_mapping_deletes_nothing() {
    let (folder, mut bench) = two_sources();
    all_sources(&mut bench);
    let rows = bench.rows(STATE);
    // Its contributions are made anew, and with them they are empty.
    let other = WORKER.replace("unit: employee_id", "unit: staff_no");
    let other = other.replace("e.id AS employee_id", "e.id AS staff_no");
    assert_ne!(other, WORKER);
    write(folder.path(), "mappings/hr_pack/worker.sql", &other);
    bench.reopen(folder.path(), &PACKS, &OWNERS);
    assert_eq!(bench.rows("SELECT count(*) FROM contrib.hr__worker"), ["0"]);
    // Neither a batch of the other source nor its full evaluation touches the rows meanwhile.
    assert_eq!(bench.batch(&["UPDATE erp_next.staff SET rate = 55 WHERE id = 1"]), NONE);
    assert_eq!(super::bench::lines(&bench.all("erp").differences), NONE);
    assert_eq!(bench.rows(STATE), rows);
    // The source that sorts first must not be compared before the other has spoken.
    assert_eq!(all_sources(&mut bench), ["~worker A cost_rate=55.00"]);
    assert_eq!(bench.batch(&["DELETE FROM hr_next.employee WHERE id = 4"]), ["-worker D"]);
}

#[test]
fn a_default_owner_that_stays_parked_in_a_new_shape_deletes_nothing() {
    let (folder, mut bench) = two_sources();
    all_sources(&mut bench);
    let rows = bench.rows(STATE);
    // Mended in a way that fails again: another unit column, and a value that no row fits.
    let broken = WORKER
        .replace("unit: employee_id", "unit: staff_no")
        .replace("e.id AS employee_id", "e.id AS staff_no")
        .replace("p.name AS full_name", "CAST(p.name AS INTEGER)::VARCHAR AS full_name");
    write(folder.path(), "mappings/hr_pack/worker.sql", &broken);
    bench.reopen(folder.path(), &PACKS, &OWNERS);
    let moment = bench.moment();
    let sources = ["erp".to_owned(), "hr".to_owned()];
    bench.execute("BEGIN");
    bench.evaluator.evaluate_all(&bench.connection, &sources, moment).unwrap_err();
    bench.execute("ROLLBACK");
    let failed = bench.evaluator.take_failure().unwrap();
    assert!(!failed.cause.contains("Ann"), "{}", failed.cause);
    bench.evaluator.recall(&bench.connection).unwrap();
    bench.evaluator.park(&bench.connection, failed, moment.batch).unwrap();
    assert_eq!(all_sources(&mut bench), NONE);
    // A start later it is still parked, and its table still empty.
    bench.reopen(folder.path(), &PACKS, &OWNERS);
    assert_eq!(bench.evaluator.parked().len(), 1);
    assert_eq!(bench.batch(&["UPDATE erp_next.staff SET rate = 55 WHERE id = 1"]), NONE);
    assert_eq!(super::bench::lines(&bench.all("erp").differences), NONE);
    assert_eq!(bench.rows(STATE), rows);
    // Mended: only what happened meanwhile is a difference.
    write(folder.path(), "mappings/hr_pack/worker.sql", WORKER);
    bench.reopen(folder.path(), &PACKS, &OWNERS);
    bench.evaluator.let_back(&bench.connection, &sources, moment.batch + 10).unwrap();
    assert_eq!(all_sources(&mut bench), ["~worker A cost_rate=55.00"]);
}

#[test]
fn a_wrong_column_of_one_source_leaves_the_others_and_its_own_values_alone() {
    let (folder, mut bench) = two_sources();
    all_sources(&mut bench);
    // An attribute more, from a column that is not there: the contributions keep their old shape.
    let owners: [(&str, &[(&str, &str)]); 1] =
        [("worker", &[("*", "hr"), ("cost_rate", "erp"), ("status", "erp")])];
    let wrong = RATE.replace("s.rate AS cost_rate", "s.rate AS cost_rate, s.nothing AS status");
    write(folder.path(), "mappings/erp_pack/worker.sql", &wrong);
    bench.reopen(folder.path(), &PACKS, &owners);
    let parked = bench.evaluator.parked();
    assert!(parked.len() == 1 && parked[0].cause.contains("nothing"), "{parked:?}");
    let before = bench.rows("SELECT worker_no, status, cost_rate FROM canon.worker ORDER BY 1");
    let found = bench.batch(&[
        "UPDATE hr_next.party SET name = 'Anna' WHERE id = 11",
        "UPDATE erp_next.staff SET rate = 55 WHERE id = 1",
    ]);
    assert_eq!(found, ["~worker A full_name=Anna"], "the other source goes on");
    let after = bench.rows("SELECT worker_no, status, cost_rate FROM canon.worker ORDER BY 1");
    assert_eq!(before, after, "nobody said that the values of the one left out changed");
    // It comes back with what it missed.
    write(folder.path(), "mappings/erp_pack/worker.sql", RATE);
    bench.reopen(folder.path(), &PACKS, &OWNERS);
    assert_eq!(bench.evaluator.waiting(), [("erp", "worker")]);
    let found = all_sources(&mut bench);
    assert_eq!(found[0], "~worker A cost_rate=55.00", "{found:?}");
}
