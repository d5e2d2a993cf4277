//! The tests' own entities, pack and fixture: small, and each mapping a trap of its own.

use std::path::Path;

use tempfile::TempDir;

pub(crate) fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Entities as `(name, key, refs, columns)`.
const ENTITIES: [(&str, &str, &str, &str); 7] = [
    (
        "worker",
        "worker_no",
        "manager_no -> worker soft",
        "worker_no VARCHAR, -- No.\n full_name VARCHAR, -- Name.\n status VARCHAR, -- Status.\n \
         manager_no VARCHAR, -- Manager.\n cost_rate DECIMAL(10,2) -- Rate.",
    ),
    (
        "cost_rate",
        "worker_no, valid_from",
        "worker_no -> worker",
        "worker_no VARCHAR, -- No.\n valid_from DATE, -- First day.\n \
         valid_to DATE, -- First day of the next.\n amount DECIMAL(10,2) -- Per hour.",
    ),
    ("badge", "badge_no", "", "badge_no VARCHAR, -- No.\n holder VARCHAR -- Name."),
    ("locker", "locker_no", "", "locker_no VARCHAR, -- No.\n holder VARCHAR -- Name."),
    (
        "total",
        "employee_no",
        "",
        "employee_no VARCHAR, -- No.\n hours DECIMAL(10,2), -- Sum.\n entries BIGINT -- Count.",
    ),
    (
        "time_entry",
        "entry_no",
        "",
        "entry_no BIGINT, -- No.\n hours DECIMAL(10,2), -- Hours.\n \
         approved BOOLEAN, -- By the sheet.\n worker_no VARCHAR -- Who.",
    ),
    (
        "member",
        "project_code, member_no",
        "",
        "project_code VARCHAR, -- Project.\n member_no VARCHAR, -- Who.\n \
         project_name VARCHAR, -- Name.\n peers BIGINT -- Others in the project.",
    ),
];

pub(crate) const WORKER: &str = "-- entity: worker
-- version: 1
-- unit: employee_id
-- driver: e
-- watch: e = employee.id, p = party.id, m = employee.id, mp = party.id
SELECT p.code AS worker_no, p.name AS full_name, mp.code AS manager_no,
    CASE WHEN e.end_date <= $as_of THEN 'terminated' ELSE 'active' END AS status,
    CAST(e.end_date AS TIMESTAMP) AS _next_at,
    e.id AS employee_id, e.id AS _from_e, p.id AS _from_p, m.id AS _from_m, mp.id AS _from_mp
FROM employee e
JOIN party p ON p.id = e.party
LEFT JOIN employee m ON m.id = e.supervisor
LEFT JOIN party mp ON mp.id = m.party
";

/// A window: inserting a rate changes the row before it.
pub(crate) const COST_RATE: &str = "-- entity: cost_rate
-- version: 1
-- unit: employee
-- driver: c
-- affects c: SELECT employee FROM delta
-- affects e: SELECT id FROM delta
-- affects p: SELECT owner.id FROM delta JOIN employee AS owner ON owner.party = delta.id
SELECT p.code AS worker_no, c.day AS valid_from, c.amount AS amount,
    lead(c.day) OVER (PARTITION BY c.employee ORDER BY c.day, c.id) AS valid_to,
    c.employee AS employee
FROM cost c JOIN employee e ON e.id = c.employee JOIN party p ON p.id = e.party
";

/// NOT EXISTS: the row that decides has no place in the result.
pub(crate) const BADGE: &str = "-- entity: badge
-- version: 1
-- unit: employee_id
-- driver: e
-- watch: e = employee.id, p = party.id
-- affects b: SELECT employee FROM delta
SELECT 'B' || e.id AS badge_no, p.name AS holder,
    e.id AS employee_id, e.id AS _from_e, p.id AS _from_p
FROM employee e JOIN party p ON p.id = e.party
WHERE NOT EXISTS (SELECT 1 FROM blocked b WHERE b.employee = e.id)
";

/// The same by an outer join: what hides a row leaves no provenance.
pub(crate) const LOCKER: &str = "-- entity: locker
-- version: 1
-- unit: employee_id
-- driver: e
-- watch: e = employee.id, b = blocked.id
SELECT 'L' || e.id AS locker_no, 'employee ' || e.id AS holder,
    e.id AS employee_id, e.id AS _from_e, b.id AS _from_b
FROM employee e LEFT JOIN blocked b ON b.employee = e.id
WHERE b.id IS NULL
";

/// An aggregate: a row that moves touches two groups; NULL is a group.
pub(crate) const TOTAL: &str = "-- entity: total
-- version: 1
-- unit: employee
-- driver: i
-- affects i: SELECT employee FROM delta
SELECT coalesce(CAST(i.employee AS VARCHAR), 'nobody') AS employee_no,
    sum(i.hours) AS hours, count(*) AS entries, i.employee AS employee
FROM item i GROUP BY i.employee
";

/// Approval stands on the parent row.
pub(crate) const TIME_ENTRY: &str = "-- entity: time_entry
-- version: 1
-- unit: item_id
-- driver: i
-- watch: i = item.id, s = sheet.id, e = employee.id, p = party.id
SELECT i.id AS entry_no, i.hours AS hours, s.state = 'APPROVED' AS approved, p.code AS worker_no,
    i.id AS item_id, i.id AS _from_i, s.id AS _from_s, e.id AS _from_e, p.id AS _from_p
FROM item i JOIN sheet s ON s.id = i.sheet
LEFT JOIN (employee e JOIN party p ON p.id = e.party) ON e.id = i.employee
";

/// A composite key and a scalar subquery over other rows of the same table.
pub(crate) const MEMBER: &str = "-- entity: member
-- version: 1
-- unit: project_id, employee
-- driver: m
-- watch: m = membership.(project_id, employee), r = project.id
-- affects o: SELECT peer.project_id, peer.employee
--    FROM delta JOIN membership AS peer ON peer.project_id = delta.project_id
SELECT r.code AS project_code, CAST(m.employee AS VARCHAR) AS member_no, r.name AS project_name,
    (SELECT count(*) FROM membership o
     WHERE o.project_id = m.project_id AND o.employee <> m.employee) AS peers,
    m.project_id AS project_id, m.employee AS employee,
    row(m.project_id, m.employee) AS _from_m, r.id AS _from_r
FROM membership m JOIN project r ON r.id = m.project_id
";

pub(crate) const TABLES: &str = "-- as_of: 2026-03-31 12:00:00
CREATE TABLE party (id INTEGER PRIMARY KEY, code VARCHAR, name VARCHAR);
CREATE TABLE employee (
    id INTEGER PRIMARY KEY, party INTEGER NOT NULL, supervisor INTEGER, end_date DATE
);
CREATE TABLE cost (id INTEGER PRIMARY KEY, employee INTEGER, day DATE NOT NULL, amount VARCHAR);
CREATE TABLE blocked (id INTEGER PRIMARY KEY, employee INTEGER);
CREATE TABLE sheet (id INTEGER PRIMARY KEY, state VARCHAR);
CREATE TABLE item (
    id BIGINT PRIMARY KEY, sheet INTEGER, employee INTEGER, hours DECIMAL(6,2) NOT NULL
);
CREATE TABLE project (id INTEGER PRIMARY KEY, code VARCHAR NOT NULL, name VARCHAR);
CREATE TABLE membership (project_id INTEGER, employee INTEGER, PRIMARY KEY (project_id, employee));
INSERT INTO party VALUES (11, 'A', 'Ann'), (12, 'B', 'Bob'), (13, 'C', 'Cid'), (14, 'D', 'Dee');
INSERT INTO employee VALUES
    (1, 11, NULL, NULL), (2, 12, 1, '2026-04-05'), (3, 13, 1, '2026-01-05'), (4, 14, 2, NULL);
INSERT INTO cost VALUES
    (1, 1, '2026-01-01', '50'), (2, 1, '2026-06-01', '60.50'), (3, 2, '2026-01-01', '40');
INSERT INTO blocked VALUES (1, 3);
INSERT INTO sheet VALUES (1, 'APPROVED'), (2, 'SUBMITTED');
INSERT INTO item VALUES
    (1, 1, 1, 8), (2, 1, 1, 4.25), (3, 2, 2, 6), (4, 2, NULL, 1.5), (5, NULL, 2, 2);
INSERT INTO project VALUES (1, 'P1', 'Bridge'), (2, 'P2', 'Tunnel');
INSERT INTO membership VALUES (1, 1), (1, 2), (2, 2);
";

const EXPECTED: [(&str, &str); 7] = [
    (
        "worker",
        r#"[{"worker_no": "A", "full_name": "Ann", "status": "active"},
        {"worker_no": "B", "full_name": "Bob", "status": "active", "manager_no": "A"},
        {"worker_no": "C", "full_name": "Cid", "status": "terminated", "manager_no": "A"},
        {"worker_no": "D", "full_name": "Dee", "status": "active", "manager_no": "B"}]"#,
    ),
    (
        "cost_rate",
        r#"[{"worker_no": "A", "valid_from": "2026-01-01", "valid_to": "2026-06-01", "amount": "50.00"},
        {"worker_no": "A", "valid_from": "2026-06-01", "amount": "60.50"},
        {"worker_no": "B", "valid_from": "2026-01-01", "amount": "40.00"}]"#,
    ),
    (
        "badge",
        r#"[{"badge_no": "B1", "holder": "Ann"}, {"badge_no": "B2", "holder": "Bob"},
        {"badge_no": "B4", "holder": "Dee"}]"#,
    ),
    (
        "locker",
        r#"[{"locker_no": "L1", "holder": "employee 1"}, {"locker_no": "L2", "holder": "employee 2"},
        {"locker_no": "L4", "holder": "employee 4"}]"#,
    ),
    (
        "total",
        r#"[{"employee_no": "1", "hours": "12.25", "entries": 2},
        {"employee_no": "2", "hours": "8.00", "entries": 2},
        {"employee_no": "nobody", "hours": "1.50", "entries": 1}]"#,
    ),
    (
        "time_entry",
        r#"[{"entry_no": 1, "hours": "8.00", "approved": true, "worker_no": "A"},
        {"entry_no": 2, "hours": "4.25", "approved": true, "worker_no": "A"},
        {"entry_no": 3, "hours": "6.00", "approved": false, "worker_no": "B"},
        {"entry_no": 4, "hours": "1.50", "approved": false}]"#,
    ),
    (
        "member",
        r#"[{"project_code": "P1", "member_no": "1", "project_name": "Bridge", "peers": 1},
        {"project_code": "P1", "member_no": "2", "project_name": "Bridge", "peers": 1},
        {"project_code": "P2", "member_no": "2", "project_name": "Tunnel", "peers": 0}]"#,
    ),
];

pub(crate) const MAPPINGS: [(&str, &str); 7] = [
    ("worker", WORKER),
    ("cost_rate", COST_RATE),
    ("badge", BADGE),
    ("locker", LOCKER),
    ("total", TOTAL),
    ("time_entry", TIME_ENTRY),
    ("member", MEMBER),
];

/// The entities alone.
pub(crate) fn entities() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, key, refs, columns) in ENTITIES {
        let refs = if refs.is_empty() { String::new() } else { format!("-- refs: {refs}\n") };
        let text = format!(
            "-- entity: {name}\n-- key: {key}\n{refs}-- For tests.\nCREATE TABLE {name} (\n \
             {columns}\n);\n"
        );
        write(folder.path(), &format!("canonical/{name}.sql"), &text);
    }
    folder
}

/// The pack `own` with these mappings and their fixture.
pub(crate) fn pack(mappings: &[(&str, &str)]) -> TempDir {
    let folder = entities();
    write(folder.path(), "mappings/own/fixture/tables.sql", TABLES);
    for (entity, mapping) in mappings {
        write(folder.path(), &format!("mappings/own/{entity}.sql"), mapping);
        let (_, expected) = EXPECTED.iter().find(|(name, _)| name == entity).unwrap();
        write(folder.path(), &format!("mappings/own/fixture/{entity}.json"), expected);
    }
    folder
}
