//! Show 5: the employees sample on MariaDB mirrors completely and stays equal under updates,
//! through kills of the daemon. No mapping and no target.
//!
//! Employees are deleted while their salaries are copied: what goes with them is in no log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rand::Rng;
use rand::rngs::StdRng;

use crate::agreement::replay::Victim;
use crate::agreement::{self, mariadb, store};
use crate::support::process::Installation;
use crate::support::random::seeded;
use crate::support::require::{data_file, require};
use crate::support::servers::{self, load_gzipped};
use crate::support::wait::wait_until;

/// Each is one transaction; `{n}` is an employee.
const CHANGES: [&str; 9] = [
    "UPDATE salaries SET salary = salary + 1 WHERE emp_no = {n}",
    "UPDATE salaries SET from_date = from_date + INTERVAL 1 DAY WHERE emp_no = {n}
     ORDER BY from_date DESC",
    "UPDATE titles SET title = concat(title, ' ä'), to_date = NULL WHERE emp_no = {n}",
    "UPDATE employees SET last_name = 'Ærø ☃', gender = 'F' WHERE emp_no = {n}",
    "DELETE FROM salaries WHERE emp_no = {n} ORDER BY from_date LIMIT 2",
    "DELETE FROM dept_emp WHERE emp_no = {n}",
    "REPLACE INTO titles SELECT emp_no, 'Staff', '2020-02-29', '9999-01-01'
     FROM employees WHERE emp_no = {n}",
    "INSERT IGNORE INTO dept_emp VALUES ({n}, 'd005', '2026-01-01', '9999-01-01')",
    "DELETE FROM employees WHERE emp_no = {n}",
];
#[tokio::test(flavor = "multi_thread")]
async fn employees_mirror_completely_and_stay_equal() {
    if !require("mariadb") || !require("data") {
        return;
    }
    let server = servers::mariadb();
    let database = servers::mariadb_database("employees");
    load_gzipped(server.client(&database), &data_file("employees-10k.sql.gz"));
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\ntables = [\"{database}.*\"]",
        server.url(&database)
    );
    store::configure(&installation, (&source, server.password()), None);
    agreement::check(&installation);
    let mut rng = seeded();
    let mut connection = mariadb::connect(server, &database).await;
    let mut victim = Victim::start(&installation, rng.clone());
    let stop = Arc::new(AtomicBool::new(false));
    let deleting = mariadb::connect(server, &database).await;
    let deleting = tokio::spawn(delete_employees(deleting, rng.clone(), Arc::clone(&stop)));
    let mut progress = false;
    wait_until("the copy", 2 * agreement::PATIENCE, || {
        let status = installation.output(&["status"]);
        let said = String::from_utf8_lossy(&status.stdout).into_owned();
        progress |= said.contains("of 6 tables") && said.contains("of about ");
        if said.contains("streaming") { Ok(()) } else { Err(said) }
    });
    assert!(progress, "the copy never said how far it was");
    stop.store(true, Ordering::Relaxed);
    let deleted = deleting.await.unwrap();
    assert!(deleted > 300, "too few parents went during the copy: {deleted}");
    let before = mariadb::contents(&mut connection, "hr").await;
    agreement::mirror_agrees(&installation, &before);
    assert!(before.tables.len() == 6 && before.row_count() > 60_000);
    eprintln!("{} rows copied while {deleted} employees went", before.row_count());
    // WHEN rows change, one transaction of many among them, and the daemon is killed
    for round in 0..4 {
        for _ in 0..60 {
            let change = CHANGES[rng.random_range(0..CHANGES.len())];
            let employee = rng.random_range(10_001..20_000).to_string();
            connection.query_drop(change.replace("{n}", &employee)).await.unwrap();
        }
        let many = format!("UPDATE salaries SET salary = salary + 7 WHERE emp_no % 9 = {round}");
        connection.query_drop(many).await.unwrap();
        victim.kill(1, "among changes").await;
    }
    let new =
        "INSERT INTO employees VALUES (999001, '1990-01-01', 'Zoë', 'O''Neil', 'F', '2026-11-22')";
    connection.query_drop(new).await.unwrap();
    // THEN the mirror is equal again
    let after = mariadb::contents(&mut connection, "hr").await;
    agreement::mirror_agrees(&installation, &after);
    assert_ne!(before.rows, after.rows);
}

/// One after the other until it is stopped, or half of them are gone. How many.
async fn delete_employees(mut connection: Conn, mut rng: StdRng, stop: Arc<AtomicBool>) -> u64 {
    let mut deleted = 0;
    while !stop.load(Ordering::Relaxed) && deleted < 5_000 {
        let employee = rng.random_range(10_001..20_000);
        let delete = format!("DELETE FROM employees WHERE emp_no = {employee}");
        connection.query_drop(delete).await.unwrap();
        deleted += connection.affected_rows();
        // So that they last through the copy.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    deleted
}
