//! PostgreSQL's partitions: what its log leaves out of them is found, also while nobody looks and while a table
//! is copied; and they are mirrored by their own names.

use super::*;

/// Rows that come and go with partitions, of which the log says nothing; also while nobody looks.
fn partitions(stage: &Stage<'_>) {
    (stage.sql)(
        "CREATE TABLE p (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
         CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
         CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3);
         INSERT INTO p SELECT g, 1 + g % 3, 'v' || g FROM generate_series(1, 90) AS g;
         CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.p4 (id int, k int, v text, PRIMARY KEY (id, k));
         INSERT INTO elsewhere.p4 VALUES (400, 4, 'x'), (401, 4, 'y')",
    );
    const P: (&str, [&str; 3]) = ("p", ["id", "k", "v"]);
    let mut daemon = stage.installation.start(&["run"], &[]);
    stage.wait_for("the first copy", &[P, T, U]);
    for (number, change) in [
        "ALTER TABLE p DETACH PARTITION p1; ALTER TABLE p1 SET SCHEMA elsewhere; UPDATE p SET v = 'a' WHERE id = 4",
        "TRUNCATE p2; INSERT INTO p VALUES (1000, 2, 'b')",
        "ALTER TABLE p ATTACH PARTITION elsewhere.p4 FOR VALUES IN (4); DELETE FROM p WHERE id = 400",
        "DROP TABLE p3; INSERT INTO p VALUES (1001, 2, 'c')",
    ]
    .into_iter()
    .enumerate()
    {
        if number % 2 == 1 {
            daemon.kill();
            (stage.sql)(change);
            daemon = stage.installation.start(&["run"], &[]);
        } else {
            (stage.sql)(change);
        }
        stage.wait_for(change, &[P, T, U]);
    }
    stage.assert_no_gap(&daemon);
}

/// Partitions that come while a table is copied, and faster than that goes: the copy comes to its end, and
/// what it has missed comes after it.
fn partitions_under_a_copy(stage: &Stage<'_>) {
    (stage.sql)(
        "CREATE TABLE p (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
         CREATE TABLE p0 PARTITION OF p FOR VALUES IN (0); CREATE SCHEMA elsewhere;
         INSERT INTO p SELECT g, 0, 'v' || g FROM generate_series(1, 400) AS g",
    );
    let mut daemon = stage.installation.start(&["run"], &[]);
    let is_copied = |so_far: usize| {
        let count = "SELECT (SELECT count(*) FROM hr.p) || ' ' || (state = 'copying')
                     FROM ops.mirror_table WHERE table_name = 'p'";
        let found = store_rows(&stage.installation, count)?;
        let found = found.first().and_then(|row| row[0].clone()).ok_or("there is no mirror")?;
        let (rows, is_copying) = found.split_once(' ').ok_or("two words")?;
        let rows: usize = rows.parse().map_err(|_| found.clone())?;
        if is_copying == "true" && rows > so_far { Ok(rows) } else { Err(found) }
    };
    // Each has a row that the copy has passed by then, of which no log tells.
    let mut so_far = 20;
    for part in 1..=4 {
        wait_until("a copy that goes on", PATIENCE, || is_copied(so_far).map(|rows| so_far = rows));
        (stage.sql)(&format!(
            "CREATE TABLE elsewhere.p{part} (id int, k int, v text, PRIMARY KEY (id, k));
             INSERT INTO elsewhere.p{part} VALUES (-{part}, {part}, 'early'), (50{part}, {part}, 'late');
             ALTER TABLE p ATTACH PARTITION elsewhere.p{part} FOR VALUES IN ({part})"
        ));
        if part == 2 {
            daemon.kill();
            daemon = stage.installation.start(&["run"], &[]);
        }
    }
    stage.wait_for("the copy, and what it missed", &[("p", ["id", "k", "v"]), T, U]);
    let again = "SELECT count(*) FROM ops.resync WHERE table_name = 'public.p' AND state = 'done'";
    let again = store_rows(&stage.installation, again).unwrap()[0][0].clone();
    assert_eq!(again.as_deref(), Some("1"), "one copy under the mirror is enough");
    stage.assert_no_gap(&daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_come_and_go_with_partitions_are_found() {
    if require("postgres") {
        tokio::task::block_in_place(|| postgres("parts", OFTEN, partitions));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_come_under_a_copy_do_not_begin_it_anew() {
    if require("postgres") {
        tokio::task::block_in_place(|| {
            postgres("parts_mid", SLOWLY, partitions_under_a_copy);
        });
    }
}

/// Partitions that are mirrored under their own names, the others of their table not.
fn by_name(stage: &Stage<'_>) {
    let mut daemon = stage.installation.start(&["run"], &[]);
    const ONE: (&str, [&str; 3]) = ("p1", ["id", "k", "v"]);
    const DEEP: (&str, [&str; 3]) = ("p3", ["id", "k", "v"]);
    stage.wait_for("the first copy", &[ONE, DEEP, T]);
    for (number, change) in [
        // Through the root, through itself, and from one partition to the next.
        "INSERT INTO p VALUES (100, 1, 'a'), (101, 2, 'b'), (102, 3, 'c'); UPDATE p1 SET v = 'own' WHERE id = 3;
         UPDATE p SET k = 2 WHERE id = 6; UPDATE p SET k = 1 WHERE id = 7; UPDATE p SET k = 30 WHERE id = 8;
         DELETE FROM p WHERE id IN (9, 10, 11)",
        // What it is a partition of is no matter to its rows.
        "ALTER TABLE p DETACH PARTITION p1; INSERT INTO p1 VALUES (200, 1, 'alone'); DELETE FROM p1 WHERE id = 12",
        "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES IN (1); INSERT INTO p VALUES (201, 1, 'again')",
        "TRUNCATE p; INSERT INTO p VALUES (1, 1, 'x'), (2, 2, 'y'), (3, 3, 'z'), (4, 30, 'z')",
    ]
    .into_iter()
    .enumerate()
    {
        (stage.sql)(change);
        if number == 1 {
            daemon.kill();
            daemon = stage.installation.start(&["run"], &[]);
        }
        stage.wait_for(change, &[ONE, DEEP, T]);
    }
    stage.assert_no_gap(&daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_mirrored_by_their_names() {
    if !require("postgres") {
        return;
    }
    let database = servers::postgres_database("leaves");
    let server = servers::postgres();
    let sql = |text: &str| server.sql(&database, text).unwrap();
    sql("CREATE TABLE t (id int PRIMARY KEY, k int, v text); INSERT INTO t VALUES (1, 1, 'a');
         CREATE TABLE p (id int, k int, v text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
         CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
         CREATE TABLE p3 PARTITION OF p FOR VALUES IN (3, 30) PARTITION BY LIST (k);
         CREATE TABLE p3_3 PARTITION OF p3 FOR VALUES IN (3); CREATE TABLE p3_30 PARTITION OF p3 FOR VALUES IN (30);
         INSERT INTO p SELECT g, 1 + g % 3, 'v' || g FROM generate_series(1, 90) AS g");
    let installation = Installation::new("");
    let url = server.url(&database);
    let configure = |tables: &str| {
        let source = format!(
            "tables_every_secs = 1\n[source.hr]\nkind = \"postgres\"\nurl = \"{url}\"\ntables = [{tables}]"
        );
        store::configure(&installation, (&source, server.password()), None);
    };
    // A wildcard chooses none of them, and each change has one place.
    configure("\"public.*\", \"public.p1\"");
    let checked = installation.output(&["check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("names public.p and public.p1, which is a partition of it"), "{said}");
    configure("\"public.*\", \"!public.p\", \"public.p1\", \"public.p3\"");
    let rows =
        "SELECT coalesce(string_agg(concat_ws(' ', {a}, {b}, {c}), ',' ORDER BY {a}), '') FROM {t}";
    tokio::task::block_in_place(|| by_name(&Stage { installation, sql: &sql, rows }));
}
