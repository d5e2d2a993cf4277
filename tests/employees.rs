//! Show 5: the employees sample on MariaDB mirrors completely and stays equal under updates,
//! through kills of the daemon. No mapping and no target.
//!
//! Parents are not deleted here: `orangehrm.rs` does that.

use mysql_async::prelude::Queryable;
use rand::Rng;

use crate::agreement::replay::Victim;
use crate::agreement::{self, mariadb, store};
use crate::support::process::Installation;
use crate::support::random::seeded;
use crate::support::require::{data_file, require};
use crate::support::servers::{self, load_gzipped};

/// Each is one transaction; `{n}` is an employee.
const CHANGES: [&str; 8] = [
    "UPDATE salaries SET salary = salary + 1 WHERE emp_no = {n}",
    "UPDATE salaries SET from_date = from_date + INTERVAL 1 DAY WHERE emp_no = {n}
     ORDER BY from_date DESC",
    "UPDATE titles SET title = concat(title, ' ä'), to_date = NULL WHERE emp_no = {n}",
    "UPDATE employees SET last_name = 'Ærø ☃', gender = 'F' WHERE emp_no = {n}",
    "DELETE FROM salaries WHERE emp_no = {n} ORDER BY from_date LIMIT 2",
    "DELETE FROM dept_emp WHERE emp_no = {n}",
    "REPLACE INTO titles VALUES ({n}, 'Staff', '2020-02-29', '9999-01-01')",
    "INSERT IGNORE INTO dept_emp VALUES ({n}, 'd005', '2026-01-01', '9999-01-01')",
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
    let before = mariadb::contents(&mut connection, "hr").await;
    let mut victim = Victim::start(&installation, rng.clone());
    agreement::mirror_agrees(&installation, &before);
    assert!(before.tables.len() == 6 && before.row_count() > 130_000);
    eprintln!("{} rows of {} tables copied", before.row_count(), before.tables.len());
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
