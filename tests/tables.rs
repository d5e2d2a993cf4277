//! Tables that come, go and take each other's places while they are mirrored and written to, on every
//! engine: the mirror ends as the source, nobody has to ask for it, and nothing is a gap.

mod denied;
mod partitions;

use std::time::Duration;

use trueup::demo::servers::BinlogServer;

use crate::agreement::store;
use crate::spine::store_rows;
use crate::support::process::{Installation, Running};
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);
const ROWS: usize = 150;

/// A source, its writer, and how its rows are read as one text.
struct Stage<'a> {
    installation: Installation,
    sql: &'a dyn Fn(&str) -> String,
    /// All rows of `{t}`, columns `{a}`, `{b}` and `{c}`, in order, in the source's SQL.
    rows: &'a str,
}

impl Stage<'_> {
    /// The mirror has these tables and no others, each with the rows of the source.
    fn wait_for(&self, what: &str, tables: &[(&str, [&str; 3])]) {
        wait_until(what, PATIENCE, || {
            let sql = "SELECT string_agg(table_name, ' ' ORDER BY table_name) FROM duckdb_tables()
                       WHERE schema_name = 'hr'";
            let found = store_rows(&self.installation, sql)?[0][0].clone().unwrap_or_default();
            let names: Vec<&str> = tables.iter().map(|(name, _)| *name).collect();
            if found != names.join(" ") {
                return Err(format!("the mirror has {found}"));
            }
            for (table, columns) in tables {
                self.compare(table, columns)?;
            }
            let sql = "SELECT (SELECT count(*) FROM ops.unproven)
                       + (SELECT count(*) FROM ops.mirror_table WHERE state NOT IN ('done', 'left'))";
            let open = store_rows(&self.installation, sql)?[0][0].clone();
            if open.as_deref() == Some("0") { Ok(()) } else { Err(format!("{open:?} open")) }
        });
        let compared = self.installation.output(&["reconcile"]);
        let said = String::from_utf8_lossy(&compared.stdout).into_owned();
        assert_eq!(compared.status.code(), Some(0), "{what}: {said}");
    }

    fn compare(&self, table: &str, [a, b, c]: &[&str; 3]) -> Result<(), String> {
        let fill = |sql: &str, table: &str| {
            sql.replace("{t}", table).replace("{a}", a).replace("{b}", b).replace("{c}", c)
        };
        let theirs = (self.sql)(&fill(self.rows, table)).trim().to_owned();
        let ours =
            "SELECT coalesce(string_agg(concat_ws(' ', {a}, {b}, {c}), ',' ORDER BY {a}), '')
                    FROM {t}";
        let ours = store_rows(&self.installation, &fill(ours, &format!("hr.{table}")))?;
        let ours = ours[0][0].clone().unwrap_or_default();
        if ours == theirs { Ok(()) } else { Err(format!("{table}: {ours:.300} for {theirs:.300}")) }
    }

    fn assert_no_gap(&self, daemon: &Running) {
        let said = daemon.output();
        assert!(!said.contains("changes may be lost"), "{said}");
    }
}

const T: (&str, [&str; 3]) = ("t", ["id", "k", "v"]);
const U: (&str, [&str; 3]) = ("u", ["id", "k", "v"]);
const OLD: (&str, [&str; 3]) = ("t_old", ["id", "k", "v"]);
const W: (&str, [&str; 3]) = ("w", ["a", "b", "c"]);

/// What is done, and the tables afterwards. Each writes to what it made.
type Steps<'a> = [(&'a str, &'a [(&'a str, [&'a str; 3])])];

const POSTGRES: &Steps<'static> = &[
    (
        "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (k);
         UPDATE t SET v = 'key' WHERE k = 2; DELETE FROM t WHERE k = 3",
        &[T, U],
    ),
    // As those do who change a table on line: a copy takes the place of the first, in which a row differs.
    (
        "CREATE TABLE t_new (LIKE t INCLUDING ALL); INSERT INTO t_new SELECT id, k, v FROM t;
         UPDATE t_new SET v = 'swapped' WHERE k = 7;
         BEGIN; ALTER TABLE t RENAME TO t_old; ALTER TABLE t_new RENAME TO t; COMMIT;
         UPDATE t SET v = 'new' WHERE k = 8; UPDATE t_old SET v = 'old' WHERE k = 9",
        &[T, OLD, U],
    ),
    ("DROP TABLE t_old", &[T, U]),
    (
        "BEGIN; ALTER TABLE t RENAME TO x; ALTER TABLE u RENAME TO t; ALTER TABLE x RENAME TO u; COMMIT;
         UPDATE t SET v = 'was u' WHERE id = 11; UPDATE u SET v = 'was t' WHERE id = 12",
        &[T, U],
    ),
    ("CREATE TABLE w (a int PRIMARY KEY, b int, c text); INSERT INTO w VALUES (1, 2, 'w')", &[T, U, W]),
    (
        "DROP TABLE w; CREATE TABLE w (a text PRIMARY KEY, b text, c text); INSERT INTO w VALUES ('x', 'y', 'z')",
        &[T, U, W],
    ),
    // One that cannot be mirrored holds up nobody, and joins when it can be.
    ("CREATE TABLE keyless (a int NOT NULL, b int, c int); UPDATE t SET v = 'on' WHERE id = 20", &[T, U, W]),
    (
        "INSERT INTO keyless VALUES (1, 2, 3); ALTER TABLE keyless ADD PRIMARY KEY (a)",
        &[("keyless", ["a", "b", "c"]), T, U, W],
    ),
];

const BINLOG: &Steps<'static> = &[
    (
        "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (k); UPDATE t SET v = 'key' WHERE k = 2;
         DELETE FROM t WHERE k = 3",
        &[T, U],
    ),
    (
        "CREATE TABLE t_new LIKE t; INSERT INTO t_new SELECT id, k, v FROM t;
         UPDATE t_new SET v = 'swapped' WHERE k = 7; RENAME TABLE t TO t_old, t_new TO t;
         UPDATE t SET v = 'new' WHERE k = 8; UPDATE t_old SET v = 'old' WHERE k = 9",
        &[T, OLD, U],
    ),
    ("DROP TABLE t_old", &[T, U]),
    (
        "RENAME TABLE t TO x, u TO t, x TO u;
         UPDATE t SET v = 'was u' WHERE id = 11; UPDATE u SET v = 'was t' WHERE id = 12",
        &[T, U],
    ),
    (
        "CREATE TABLE w (a int PRIMARY KEY, b int, c varchar(9)); INSERT INTO w VALUES (1, 2, 'w')",
        &[T, U, W],
    ),
    (
        "DROP TABLE w; CREATE TABLE w (a varchar(9) PRIMARY KEY, b varchar(9), c varchar(9));
         INSERT INTO w VALUES ('x', 'y', 'z')",
        &[T, U, W],
    ),
    ("CREATE TABLE keyless (a int NOT NULL, b int, c int); UPDATE t SET v = 'on' WHERE id = 20", &[T, U, W]),
    // A foreign key whose work the log may hide comes and goes.
    (
        "CREATE TABLE child (a int PRIMARY KEY, b int, c int); INSERT INTO child VALUES (1, 30, 1), (2, 31, 2);
         ALTER TABLE child ADD CONSTRAINT fk FOREIGN KEY (b) REFERENCES t (id) ON DELETE CASCADE;
         DELETE FROM t WHERE id = 30",
        &[("child", ["a", "b", "c"]), T, U, W],
    ),
    // Another parent under the name: rows that go there take no children along, who follow the old one.
    (
        "CREATE TABLE t_new LIKE t; INSERT INTO t_new SELECT * FROM t; RENAME TABLE t TO z_old, t_new TO t;
         DELETE FROM t WHERE id IN (31, 40); DELETE FROM z_old WHERE id = 41",
        &[("child", ["a", "b", "c"]), T, U, W, ("z_old", ["id", "k", "v"])],
    ),
    (
        "ALTER TABLE child DROP FOREIGN KEY fk; DROP TABLE z_old; DELETE FROM child WHERE a = 9;
         ALTER TABLE child ADD CONSTRAINT fk FOREIGN KEY (b) REFERENCES u (k) ON DELETE CASCADE;
         DELETE FROM u WHERE k = 31",
        &[("child", ["a", "b", "c"]), T, U, W],
    ),
    (
        "INSERT INTO u VALUES (31, 31, 'u31'); INSERT INTO child VALUES (2, 31, 2);
         ALTER TABLE child DROP FOREIGN KEY fk; DELETE FROM u WHERE k = 31; UPDATE t SET v = 'x' WHERE id = 32",
        &[("child", ["a", "b", "c"]), T, U, W],
    ),
    // Rows that change places between two tables of ours.
    (
        "CREATE TABLE parted (id int PRIMARY KEY, k int NOT NULL, v varchar(20));
         INSERT INTO parted VALUES (1, 1, 'a'), (2, 2, 'b'); CREATE TABLE spare LIKE parted;
         INSERT INTO spare VALUES (3, 3, 'c'); ALTER TABLE parted
         PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (99))",
        &[("child", ["a", "b", "c"]), ("parted", ["id", "k", "v"]), ("spare", ["id", "k", "v"]), T, U, W],
    ),
    (
        "ALTER TABLE parted EXCHANGE PARTITION p0 WITH TABLE spare",
        &[("child", ["a", "b", "c"]), ("parted", ["id", "k", "v"]), ("spare", ["id", "k", "v"]), T, U, W],
    ),
];

fn follow(stage: &Stage<'_>, steps: &Steps<'_>) {
    let mut daemon = stage.installation.start(&["run"], &[]);
    stage.wait_for("the first copy", &[T, U]);
    for (number, (change, tables)) in steps.iter().enumerate() {
        (stage.sql)(change);
        if number % 3 == 2 {
            stage.assert_no_gap(&daemon);
            daemon.kill();
            daemon = stage.installation.start(&["run"], &[]);
        }
        stage.wait_for(change, tables);
    }
    stage.assert_no_gap(&daemon);
}

/// Nothing but a number in PostgreSQL's log tells these tables apart.
fn look_alikes(stage: &Stage<'_>) {
    let mut daemon = stage.installation.start(&["run"], &[]);
    stage.wait_for("the first copy", &[T, U]);
    for (number, change) in [
        "BEGIN; ALTER TABLE t RENAME TO x; ALTER TABLE u RENAME TO t; ALTER TABLE x RENAME TO u; COMMIT",
        "BEGIN; ALTER TABLE t RENAME TO x; INSERT INTO x VALUES (900, 900, 'x'); DELETE FROM x WHERE id = 5;
         ALTER TABLE x RENAME TO t; COMMIT; UPDATE t SET v = 'back' WHERE id = 6",
        "INSERT INTO t VALUES (901, 901, 'of the old one'); DROP TABLE t;
         CREATE TABLE t (LIKE u INCLUDING ALL); INSERT INTO t SELECT * FROM u WHERE id < 100",
        "INSERT INTO u VALUES (902, 902, 'of t'); BEGIN; ALTER TABLE t RENAME TO x; ALTER TABLE u RENAME TO t;
         ALTER TABLE x RENAME TO u; COMMIT; INSERT INTO u VALUES (903, 903, 'of u')",
    ]
    .into_iter()
    .enumerate()
    {
        if number >= 2 {
            daemon.kill();
            (stage.sql)(change);
            daemon = stage.installation.start(&["run"], &[]);
        } else {
            (stage.sql)(change);
        }
        stage.wait_for(change, &[T, U]);
    }
    stage.assert_no_gap(&daemon);
}

/// Columns change while a table is copied for the first time.
fn change_in_first_copy(stage: &Stage<'_>) {
    let daemon = stage.installation.start(&["run"], &[]);
    let under_way = |name: &str| {
        wait_until("a copy that is under way", PATIENCE, || {
            let sql = format!(
                "SELECT count(*) > 0 FROM ops.mirror_table
                 WHERE table_name = '{name}' AND state = 'copying' AND (SELECT count(*) FROM hr.{name}) > 0"
            );
            let found = store_rows(&stage.installation, &sql)?[0][0].clone();
            if found.as_deref() == Some("true") { Ok(()) } else { Err(format!("{found:?}")) }
        });
    };
    under_way("t");
    (stage.sql)(
        "ALTER TABLE t ADD COLUMN more int DEFAULT 5; UPDATE t SET v = 'more' WHERE id IN (3, 140)",
    );
    (stage.sql)("ALTER TABLE u DROP COLUMN v; UPDATE u SET k = 77 WHERE id IN (3, 140)");
    stage.wait_for("the copy", &[("t", ["id", "more", "v"]), ("u", ["id", "k", "k"])]);
    let said = daemon.output();
    assert!(said.contains("its mirror cannot follow: it is copied anew"), "{said}");
    stage.assert_no_gap(&daemon);
}

/// Two tables at once, each by chunks, through a kill.
fn side_by_side(stage: &Stage<'_>) {
    let mut daemon = stage.installation.start(&["run"], &[]);
    let under_way = |more_than: usize| {
        wait_until("both tables to be copied side by side", PATIENCE, || {
            let sql = format!(
                "SELECT (SELECT count(*) FROM hr.t) > {more_than} AND (SELECT count(*) FROM hr.u) > {more_than}
                     AND (SELECT count(*) FROM ops.mirror_table WHERE state = 'copying') = 2"
            );
            let found = store_rows(&stage.installation, &sql)?[0][0].clone();
            if found.as_deref() == Some("true") { Ok(()) } else { Err(format!("{found:?}")) }
        });
    };
    under_way(1);
    (stage.sql)(
        "UPDATE t SET v = 'beside' WHERE id IN (1, 140); DELETE FROM u WHERE id IN (2, 139)",
    );
    daemon.kill();
    daemon = stage.installation.start(&["run"], &[]);
    under_way(3);
    stage.wait_for("the copies", &[T, U]);
    stage.assert_no_gap(&daemon);
}

fn configure(kind: &str, url: &str, password: &str, limits: &str) -> Installation {
    let installation = Installation::new("");
    let database = url.rsplit('/').next().unwrap();
    let schema = if kind == "postgres" { "public" } else { database };
    let source = format!(
        "{limits}\n[source.hr]\nkind = \"{kind}\"\nurl = \"{url}\"\ntables = [\"{schema}.*\"]"
    );
    store::configure(&installation, (&source, password), None);
    installation
}

fn postgres(label: &str, limits: &str, run: fn(&Stage<'_>)) {
    let database = servers::postgres_database(label);
    let server = servers::postgres();
    let sql = |text: &str| server.sql(&database, text).unwrap();
    for table in ["t", "u"] {
        sql(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, k int NOT NULL, v text);
             INSERT INTO {table} SELECT g, g, '{table}' || g FROM generate_series(1, {ROWS}) AS g"
        ));
    }
    let url = server.url(&database);
    let installation = configure("postgres", &url, server.password(), limits);
    let rows =
        "SELECT coalesce(string_agg(concat_ws(' ', {a}, {b}, {c}), ',' ORDER BY {a}), '') FROM {t}";
    run(&Stage { installation, sql: &sql, rows });
}

fn binlog(kind: &str, server: &BinlogServer, label: &str, limits: &str, run: fn(&Stage<'_>)) {
    let database = servers::binlog_database(server, label);
    let sql = |text: &str| server.sql(&database, text).unwrap();
    for table in ["t", "u"] {
        let row = |id: usize| format!("({id}, {id}, '{table}{id}')");
        let rows: Vec<String> = (1..=ROWS).map(row).collect();
        sql(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, k int NOT NULL, v varchar(20));
             INSERT INTO {table} VALUES {}",
            rows.join(", ")
        ));
    }
    let url = server.url(&database);
    let installation = configure(kind, &url, server.password(), limits);
    let rows = "SET SESSION group_concat_max_len = 1000000;
        SELECT coalesce(group_concat(concat_ws(' ', {a}, {b}, {c}) ORDER BY {a} SEPARATOR ','), '') FROM {t}";
    run(&Stage { installation, sql: &sql, rows });
}

const OFTEN: &str = "tables_every_secs = 1";
/// A few hundred chunks, so that there is time between two of them.
const SLOWLY: &str = "tables_every_secs = 1\ncopy_chunk_rows = 1";

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_postgresql_become_others() {
    if require("postgres") {
        tokio::task::block_in_place(|| postgres("others", OFTEN, |stage| follow(stage, POSTGRES)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_mariadb_become_others() {
    if require("mariadb") {
        let run = || {
            binlog("mariadb", servers::mariadb(), "others", OFTEN, |stage| follow(stage, BINLOG));
        };
        tokio::task::block_in_place(run);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_mysql_become_others() {
    if require("mysql") {
        let run =
            || binlog("mysql", servers::mysql(), "others", OFTEN, |stage| follow(stage, BINLOG));
        tokio::task::block_in_place(run);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_postgresql_that_look_alike_are_told_apart() {
    if require("postgres") {
        tokio::task::block_in_place(|| postgres("alike", OFTEN, look_alikes));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_a_postgresql_change_during_its_first_copy() {
    if require("postgres") {
        tokio::task::block_in_place(|| postgres("midcopy", SLOWLY, change_in_first_copy));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_a_mariadb_change_during_its_first_copy() {
    if require("mariadb") {
        let run = || binlog("mariadb", servers::mariadb(), "midcopy", SLOWLY, change_in_first_copy);
        tokio::task::block_in_place(run);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_postgresql_are_copied_side_by_side() {
    if require("postgres") {
        tokio::task::block_in_place(|| postgres("beside", SLOWLY, side_by_side));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_mysql_are_copied_side_by_side() {
    if require("mysql") {
        let run = || binlog("mysql", servers::mysql(), "beside", SLOWLY, side_by_side);
        tokio::task::block_in_place(run);
    }
}
