//! Mappings end to end, without servers: every way in which a naive engine misses a row, refused
//! constructs, owners, and the fuzz over all of it. Packs of the test's own.

use std::path::Path;

use trueup::store::mapping_test::{Options, run};

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn smoke() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    write(
        f,
        "canonical/worker.sql",
        "-- entity: worker\n-- key: worker_no\n-- refs: manager_no -> worker soft\nCREATE TABLE worker (\n worker_no VARCHAR, -- No.\n full_name VARCHAR, -- Name.\n status VARCHAR, -- active or terminated.\n manager_no VARCHAR -- Manager.\n);\n",
    );
    write(
        f,
        "mappings/own/worker.sql",
        "-- entity: worker
-- version: 1
-- unit: employee_id
-- driver: e
-- watch: e = employee.id, p = party.id, m = employee.id, mp = party.id
SELECT p.code AS worker_no, p.name AS full_name, mp.code AS manager_no,
    CASE WHEN e.end_date <= $as_of THEN 'terminated' ELSE 'active' END AS status,
    CAST(e.end_date AS TIMESTAMP) AS _next_at,
    e.id AS employee_id, e.id AS _from_e, p.id AS _from_p, m.id AS _from_m, mp.id AS _from_mp
FROM employee e JOIN party p ON p.id = e.party
LEFT JOIN employee m ON m.id = e.supervisor LEFT JOIN party mp ON mp.id = m.party
",
    );
    write(f, "mappings/own/fixture/tables.sql", "-- as_of: 2026-03-31 12:00:00
CREATE TABLE party (id INTEGER PRIMARY KEY, code VARCHAR, name VARCHAR);
CREATE TABLE employee (id INTEGER PRIMARY KEY, party INTEGER NOT NULL, supervisor INTEGER, end_date DATE);
INSERT INTO party VALUES (1, 'A', 'Ann'), (2, 'B', 'Bob'), (3, 'C', 'Cid');
INSERT INTO employee VALUES (1, 1, NULL, NULL), (2, 2, 1, '2026-04-05'), (3, 3, 1, '2026-01-05');
");
    write(
        f,
        "mappings/own/fixture/worker.json",
        r#"[
{"worker_no": "A", "full_name": "Ann", "status": "active"},
{"worker_no": "B", "full_name": "Bob", "status": "active", "manager_no": "A"},
{"worker_no": "C", "full_name": "Cid", "status": "terminated", "manager_no": "A"}]"#,
    );
    let start = std::time::Instant::now();
    let report = run(Some(f), "own", Options { batches: 200, seed: 1 }).unwrap();
    println!("{report:#?} {:?}", start.elapsed());
    assert!(report.is_fine());
}
