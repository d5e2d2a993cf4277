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

/// HR owns workers, the ERP their rate.
fn two_sources() -> (tempfile::TempDir, Bench) {
    let folder = entities();
    write(folder.path(), "mappings/hr_pack/worker.sql", WORKER);
    write(folder.path(), "mappings/erp_pack/worker.sql", RATE);
    let packs = [("hr", "hr_pack", TABLES), ("erp", "erp_pack", STAFF)];
    let owners: [(&str, &[(&str, &str)]); 1] = [("worker", &[("*", "hr"), ("cost_rate", "erp")])];
    let bench = open(folder.path(), &packs, &owners);
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
    let packs = [("hr", "hr_pack", TABLES), ("erp", "erp_pack", STAFF)];
    let owners: [(&str, &[(&str, &str)]); 1] =
        [("worker", &[("*", "hr"), ("cost_rate", "erp"), ("full_name", "erp")])];
    let set = super::bench::set(folder.path(), &packs, &owners);
    bench.evaluator =
        trueup::store::evaluate::Evaluator::new(&set, &std::collections::BTreeMap::new()).unwrap();
    let created = bench.evaluator.create_tables(&bench.connection).unwrap();
    assert_eq!(created.rebuilt, [], "contributions are the same");
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
