//! `rows = { "booking" = "company IN (1, 3)" }` on every engine: copies, the log and comparisons choose the same
//! rows, which come and go as they change; of the others nothing is left anywhere.
//!
//! What is right is asked of the server, in its own words, not in those that the program makes.

mod busy;

use std::time::Duration;

use trueup::demo::servers::BinlogServer;

use crate::agreement::store;
use crate::columns::search;
use crate::spine::store_rows;
use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);
/// What rows have that are never chosen.
const SECRET: &str = "SECRET-5518";

/// A condition as the operator writes it, and as SQL of PostgreSQL and of MariaDB, by hand.
type Asked = (&'static str, &'static str, &'static str);

/// Each is of a table of its own; all tables have the same rows.
const ASKED: &[Asked] = &[
    ("company = 1", "company = 1", "company = 1"),
    ("company <> 1", "company <> 1", "company <> 1"),
    (
        "company in (1, -5) AND kind IS NOT NULL",
        "company = ANY ('{1,-5}') AND kind IS NOT NULL",
        "(company = 1 OR company = -5) AND NOT kind <=> NULL",
    ),
    ("company NOT IN (1, 2)", "NOT company IN (1, 2)", "NOT company IN (1, 2)"),
    ("company >= 2", "company > 1", "company > 1"),
    ("company is null", "company IS NULL", "company IS NULL"),
    ("kind = 'a'", "convert_to(kind, 'UTF8') = 'a'::bytea", "BINARY kind = 'a'"),
    ("kind != 'a'", "convert_to(kind, 'UTF8') <> 'a'::bytea", "NOT (BINARY kind = 'a')"),
    (
        "kind IN ('o''x', 'a\\b', '', 'ä')",
        "convert_to(kind, 'UTF8') IN ('o''x'::bytea, '\\x615c62'::bytea, '', '\\xc3a4'::bytea)",
        "HEX(kind) IN ('6F2778', '615C62', '', 'C3A4')",
    ),
    ("day < '2020-01-01'", "day < '2020-01-01'", "day < '2020-01-01'"),
    ("day = '2020-01-01'", "day = '2020-01-01'", "day = '2020-01-01'"),
    ("day > '2020-01-01'", "day > '2020-01-01'", "day > '2020-01-01'"),
    ("at >= '2020-01-01'", "at >= '2020-01-01'", "at >= '2020-01-01'"),
    ("at <= '2020-01-01 00:00:01'", "at <= '2020-01-01 00:00:01'", "at <= '2020-01-01 00:00:01'"),
    (
        "zoned < '2020-01-01 12:00:00'",
        "zoned < '2020-01-01 12:00:00Z'",
        "zoned < '2020-01-01 12:00:00'",
    ),
    ("zoned <> '2020-01-01'", "zoned <> '2020-01-01 00:00:00Z'", "zoned <> '2020-01-01'"),
];

/// What only one kind of server has: a boolean and a UUID, or labels.
const OWN: [&[Asked]; 2] = [
    &[
        ("ok = TRUE", "ok", ""),
        ("ok <> TRUE AND ref IS NOT NULL", "NOT ok AND ref IS NOT NULL", ""),
        (
            "ref = '00000000-0000-0000-0000-00000000000A'",
            "ref::text = '00000000-0000-0000-0000-00000000000a'",
            "",
        ),
        ("note IS NOT NULL", "NOT note IS NULL", ""),
        ("note IS NULL", "note IS NULL", ""),
    ],
    &[
        ("ok = 't'", "", "ok + 0 = 2"),
        ("ok NOT IN ('t', 'x')", "", "ok + 0 = 1"),
        ("ref = '00000000-0000-0000-0000-00000000000a'", "", "right(ref, 1) = 'a'"),
        // (IS NULL is true of a zero date, where a column may not be NULL.)
        ("since IS NULL", "", "since <=> NULL"),
        ("since IS NOT NULL", "", "NOT since <=> NULL"),
    ],
];

/// Tables, one for each that is asked.
const TABLES: usize = ASKED.len() + OWN[0].len();
/// Columns of each table, between its key and a note.
const COLUMNS: [&str; 7] = ["company", "kind", "day", "at", "zoned", "ok", "ref"];
/// Of the first five; `{bc}` and `{far}` are what only one server has.
const VALUES: [&str; 10] = [
    "1, 'a', '2019-12-31', '2019-12-31 23:59:59.999', '2020-01-01 00:00:00'",
    "2, 'A', '2020-01-01', '2020-01-01 00:00:00', '2020-01-01 12:00:00'",
    "3, 'a ', '2020-01-02', '2020-01-01 00:00:00.5', '2020-01-01 11:59:59.999'",
    "-5, 'ä', NULL, '2020-01-01 00:00:01', '2019-12-31 23:59:59'",
    "NULL, 'o''x', '2020-01-01', NULL, '2020-06-30 10:00:00'",
    "1, '{back}', {bc}, '2020-01-01 00:00:01.001', '2020-01-01 12:00:00.001'",
    "2, '', {far}, {bc}, '2021-01-01 00:00:00'",
    "1, NULL, '2020-01-01', {far}, '1999-01-01 00:00:00'",
    "-5, 'aa', '9999-12-31', '9999-12-31 00:00:00', '2030-01-01 00:00:00'",
    "1, 'a', {bc}, '2020-01-01 00:00:00', '2020-01-01 00:00:00'",
];

struct Stage<'a> {
    installation: Installation,
    source: String,
    password: &'a str,
    sql: &'a dyn Fn(&str) -> String,
    is_postgres: bool,
}

impl Stage<'_> {
    fn values(&self, row: usize) -> String {
        let (bc, far, back) = match self.is_postgres {
            true => ("'0044-03-15 BC'", "'infinity'", "a\\b"),
            false => ("'0000-00-00'", "'2020-01-01'", "a\\\\b"),
        };
        let text = VALUES[row % VALUES.len()];
        let text = text.replace("{bc}", bc).replace("{far}", far).replace("{back}", back);
        let ok = match (row % 3, self.is_postgres) {
            (0, _) => "NULL",
            (1, true) => "true",
            (_, true) => "false",
            (1, false) => "'t'",
            (_, false) => "'f'",
        };
        let last = ["a", "b", "0"][row % 4 % 3];
        format!("{text}, {ok}, '00000000-0000-0000-0000-00000000000{last}'")
    }

    /// The row becomes what another one is.
    fn becomes(&self, row: usize) -> String {
        let values = self.values(row);
        let pairs = COLUMNS.iter().zip(values.split(", "));
        pairs.map(|(column, value)| format!("{column} = {value}")).collect::<Vec<_>>().join(", ")
    }

    /// What is asked of this kind of server.
    fn asked(&self) -> Vec<Asked> {
        [ASKED, OWN[usize::from(!self.is_postgres)]].concat()
    }

    fn choose(&self, rows: &[(String, String)]) {
        let chosen = rows.iter().map(|(table, condition)| format!("{table} = {condition:?}"));
        let chosen = chosen.collect::<Vec<_>>().join(", ");
        let source = format!("{}\nrows = {{ {chosen} }}", self.source);
        store::configure(&self.installation, (&source, self.password), None);
    }

    /// Writes to all tables.
    fn write(&self, statements: &dyn Fn(&str) -> String) {
        let all: Vec<String> = (0..TABLES).map(|n| statements(&format!("c{n}"))).collect();
        (self.sql)(&all.join(";\n"));
    }

    fn insert(&self, from: usize) {
        self.write(&|table| {
            let row = |n: usize| {
                let note = if n % 4 == 1 { "repeat('long ', 9000)" } else { "'short'" };
                format!("({}, {}, {note})", from + n, self.values(n))
            };
            let rows: Vec<String> = (0..VALUES.len()).map(row).collect();
            format!(
                "INSERT INTO {table} VALUES {}, ({}, 9, 'zz', NULL, NULL, '2020-01-01', NULL, NULL, '{SECRET}')",
                rows.join(", "),
                from + VALUES.len(),
            )
        });
    }

    /// Every mirror has the rows that the server chooses, in this many tables.
    fn wait_for(&self, what: &str, asked: &[(String, &str)]) {
        wait_until(what, PATIENCE, || {
            for (table, condition) in asked {
                let list = match self.is_postgres {
                    true => {
                        "string_agg(concat_ws(' ', id, encode(sha256(convert_to(kind, 'UTF8')), 'hex'),
                             encode(sha256(convert_to(note, 'UTF8')), 'hex')), ',' ORDER BY id)"
                    },
                    false => {
                        "group_concat(concat_ws(' ', id, sha2(kind, 256), sha2(note, 256)) ORDER BY id SEPARATOR ',')"
                    }
                };
                let sql = format!("SELECT coalesce({list}, '') FROM {table} WHERE {condition}");
                let theirs = (self.sql)(&sql).trim().to_owned();
                let ours = format!(
                    "SELECT coalesce(string_agg(concat_ws(' ', id, sha256(kind), sha256(note)), ',' ORDER BY id), '')
                     FROM hr.{table}"
                );
                let ours = store_rows(&self.installation, &ours)?[0][0].clone().unwrap_or_default();
                if ours != theirs {
                    return Err(format!("{table} {condition}: {ours:.400} for {theirs:.400}"));
                }
            }
            let open = "SELECT (SELECT count(*) FROM ops.unproven)
                        + (SELECT count(*) FROM ops.resync WHERE state = 'running')
                        + (SELECT count(*) FROM ops.mirror_table WHERE state <> 'done')";
            let open = store_rows(&self.installation, open)?[0][0].clone();
            if open.as_deref() == Some("0") { Ok(()) } else { Err(format!("{open:?} open")) }
        });
        let compared = self.installation.output(&["reconcile", "--json"]);
        let said = String::from_utf8_lossy(&compared.stdout).into_owned();
        assert_eq!(compared.status.code(), Some(0), "{what}: {said}");
        let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
        let compared: u64 = answer["compared"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["rows"].as_u64().unwrap())
            .sum();
        let count = |(table, condition): &(String, &str)| -> u64 {
            let count = (self.sql)(&format!("SELECT count(*) FROM {table} WHERE {condition}"));
            count.trim().parse().unwrap()
        };
        let chosen: u64 = asked.iter().map(count).sum();
        assert_eq!(compared, chosen, "{what}: only what is chosen is compared");
    }
}

/// Tables, with conditions in our words and in the server's.
type Tables<T> = Vec<(String, T)>;

fn asked(stage: &Stage<'_>) -> (Tables<String>, Tables<&'static str>) {
    let named = |n: usize| format!("c{n}");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for (n, (condition, postgres, mariadb)) in stage.asked().iter().enumerate() {
        ours.push((named(n), (*condition).to_owned()));
        theirs.push((named(n), if stage.is_postgres { *postgres } else { *mariadb }));
    }
    (ours, theirs)
}

fn rows_are_chosen(stage: &Stage<'_>) {
    let (ours, theirs) = asked(stage);
    // GIVEN rows that a copy reads, and the same ones of which the log tells
    stage.insert(0);
    stage.choose(&ours);
    let mut daemon = stage.installation.start(&["run"], &[]);
    stage.wait_for("what the copy reads", &theirs);
    stage.insert(100);
    stage.wait_for("what the log tells", &theirs);
    // WHEN rows become what others are, under their keys and under new ones
    for step in 0..3 {
        if step == 1 {
            daemon.kill();
        }
        for row in 0..VALUES.len() {
            let becomes = stage.becomes(row * 3 + step + 1);
            let id = 100 + row;
            let key = if row % 3 == step { 1_000 * (step + 1) + id } else { id };
            stage.write(&|table| {
                format!("UPDATE {table} SET id = {key}, {becomes} WHERE id = {id} AND note <> '{SECRET}'")
            });
        }
        stage.write(&|table| format!("DELETE FROM {table} WHERE id IN ({step}, {})", 5 + step));
        if step == 1 {
            daemon = stage.installation.start(&["run"], &[]);
        }
        stage.wait_for("rows that come and go", &theirs);
    }
    // AND when one leaves, becomes another, and comes back before anybody looks
    let becomes = stage.becomes(1);
    let begin = if stage.is_postgres { "BEGIN" } else { "START TRANSACTION" };
    stage.write(&|table| {
        format!(
            "{begin}; UPDATE {table} SET company = 77, kind = 'none', day = '0400-01-01',
                 at = '0400-01-01 00:00:00', zoned = '2002-02-02 00:00:00', ok = NULL,
                 ref = NULL, note = repeat('new ', 9000)
             WHERE id % 1000 = 101;
             UPDATE {table} SET {becomes} WHERE id % 1000 = 101; COMMIT"
        )
    });
    stage.wait_for("a row that left and is back", &theirs);
    let said = daemon.output();
    assert!(!said.contains("changes may be lost"), "{said}");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
}

/// Other rows are chosen, without a row that changes; and what cannot be chosen is told.
fn chosen_anew(stage: &Stage<'_>) {
    let only = |condition: &str| vec![("c0".to_owned(), condition.to_owned())];
    for (condition, theirs) in
        [("company = 2", "company = 2"), ("id > 100 AND company <> 2", "id > 100 AND company <> 2")]
    {
        stage.choose(&only(condition));
        let mut daemon = stage.installation.start(&["run"], &[]);
        stage.wait_for(condition, &every(theirs));
        daemon.terminate();
        assert!(daemon.wait(PATIENCE).success());
    }
    for (table, condition, expected) in [
        ("c0", "compny = 1", "there is no column compny"),
        ("c0", "company = 'x'", "company, a"),
        ("c0", "kind > 'x'", "can only be compared by =, <>, IN and IS NULL"),
        ("c0", "company = 1 OR company = 2", "terms are joined by AND"),
        (
            "c0",
            if stage.is_postgres { "day > '0000-01-01'" } else { "y >= 1" },
            if stage.is_postgres { "cannot be compared with" } else { "y, a year" },
        ),
        ("nobody", "company = 1", "it is not among the tables that are mirrored"),
    ] {
        stage.choose(&[(table.to_owned(), condition.to_owned())]);
        let checked = stage.installation.output(&["check"]);
        let said = String::from_utf8_lossy(&checked.stdout).into_owned()
            + &String::from_utf8_lossy(&checked.stderr);
        assert!(said.contains(expected), "{condition}: {said}");
        assert_eq!(checked.status.code(), Some(78), "{said}");
    }
}

/// All tables, the first one chosen from.
fn every(first: &str) -> Vec<(String, &str)> {
    (0..TABLES).map(|n| (format!("c{n}"), if n == 0 { first } else { "1 = 1" })).collect()
}

/// Rows that are never chosen are in no file, once they were conformed.
fn nothing_is_left(stage: &Stage<'_>) {
    stage.choose(
        &(0..TABLES).map(|n| (format!("c{n}"), "company <> 9".to_owned())).collect::<Vec<_>>(),
    );
    stage.insert(0);
    let mut daemon = stage.installation.start(&["run"], &[]);
    let all: Vec<(String, &str)> = (0..TABLES).map(|n| (format!("c{n}"), "company <> 9")).collect();
    stage.wait_for("the copy", &all);
    stage.insert(100);
    stage.wait_for("the log", &all);
    wait_until("no file to hold what is not chosen", PATIENCE, || {
        let mut found = Vec::new();
        search(&stage.installation.state_folder(), SECRET, &mut found);
        if found.is_empty() { Ok(()) } else { Err(format!("{found:?}")) }
    });
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
}

fn on_postgres(label: &str, identity: &str, run: fn(&Stage<'_>)) {
    if !require("postgres") {
        return;
    }
    let database = servers::postgres_database(label);
    let server = servers::postgres();
    for n in 0..TABLES {
        // (What is long lies beside the row, and is not in the log if it stays. For the collation "a" and "A"
        // are equal.)
        let table = format!(
            "CREATE COLLATION IF NOT EXISTS blind
                 (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
             CREATE TABLE c{n} (id int PRIMARY KEY, company int, kind varchar(9) COLLATE blind, day date,
                 at timestamp, zoned timestamptz, ok boolean, ref uuid, note text);
             ALTER TABLE c{n} REPLICA IDENTITY {identity};
             ALTER TABLE c{n} ALTER COLUMN note SET STORAGE EXTERNAL"
        );
        server.sql(&database, &table).unwrap();
    }
    let stage = Stage {
        installation: Installation::new(""),
        source: format!(
            "[source.hr]\nkind = \"postgres\"\nurl = \"{}\"\ntables = [\"public.*\"]",
            server.url(&database)
        ),
        password: server.password(),
        sql: &|sql: &str| server.sql(&database, &format!("SET TimeZone = 'UTC'; {sql}")).unwrap(),
        is_postgres: true,
    };
    tokio::task::block_in_place(|| run(&stage));
}

fn on_a_binlog(kind: &str, server: &BinlogServer, label: &str, run: fn(&Stage<'_>)) {
    let database = servers::binlog_database(server, label);
    for n in 0..TABLES {
        let table = format!(
            "SET SESSION sql_mode = '';
             CREATE TABLE c{n} (id int PRIMARY KEY, company int,
                 kind varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, day date, at datetime(3) NULL,
                 zoned timestamp(3) NULL, ok enum('f', 't'), ref char(36), note text,
                 since date NOT NULL DEFAULT '0000-00-00' INVISIBLE, y year DEFAULT 1999 INVISIBLE)"
        );
        server.sql(&database, &table).unwrap();
    }
    let stage = Stage {
        installation: Installation::new(""),
        source: format!(
            "[source.hr]\nkind = \"{kind}\"\nurl = \"{}\"\ntables = [\"{database}.*\"]",
            server.url(&database)
        ),
        password: server.password(),
        sql: &|sql: &str| {
            let settings = "SET NAMES utf8mb4; SET SESSION time_zone = '+00:00', sql_mode = '',
                            group_concat_max_len = 1000000;";
            server.sql(&database, &format!("{settings} {sql}")).unwrap()
        },
        is_postgres: false,
    };
    tokio::task::block_in_place(|| run(&stage));
}

fn all(stage: &Stage<'_>) {
    rows_are_chosen(stage);
    chosen_anew(stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_postgresql_are_chosen() {
    on_postgres("rows", "FULL", all);
}

/// Where the log does not tell what a long text is that came into the choice unchanged.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_postgresql_whose_log_tells_less_are_chosen() {
    on_postgres("rows_less", "DEFAULT", rows_are_chosen);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_mariadb_are_chosen() {
    if require("mariadb") {
        on_a_binlog("mariadb", servers::mariadb(), "rows", all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_mysql_are_chosen() {
    if require("mysql") {
        on_a_binlog("mysql", servers::mysql(), "rows", all);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_rows_that_are_not_chosen_nothing_is_left() {
    on_postgres("rows_left", "FULL", nothing_is_left);
}
