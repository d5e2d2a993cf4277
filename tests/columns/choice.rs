//! `columns = ["*", "!salary"]` on every engine: what is left out is nowhere, neither in the store nor in the
//! files beside it; the choice may change; nothing slips through under another name.

use std::path::Path;
use std::time::Duration;

use trueup::demo::servers::BinlogServer;

use crate::agreement::store;
use crate::spine::store_rows;
use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);
/// What stands in every cell that is left out.
const SECRET: &str = "SECRET-7291";

/// A source and how it is written to.
struct Stage<'a> {
    installation: Installation,
    source: String,
    password: &'a str,
    sql: &'a dyn Fn(&str),
}

impl Stage<'_> {
    fn choose(&self, columns: &[&str]) {
        let source = format!("{}\ncolumns = {columns:?}", self.source);
        store::configure(&self.installation, (&source, self.password), None);
    }

    /// The columns that the mirror has.
    fn wait_for_columns(&self, expected: &str) {
        let sql = "SELECT string_agg(column_name, ' ' ORDER BY column_index) FROM duckdb_columns()
                   WHERE schema_name = 'hr' AND table_name = 'person'";
        wait_until(&format!("the columns {expected}"), PATIENCE, || {
            let found = store_rows(&self.installation, sql)?[0][0].clone().unwrap_or_default();
            if found == expected { Ok(()) } else { Err(found) }
        });
        let sql = "SELECT (SELECT count(*) FROM ops.unproven)
                   + (SELECT count(*) FROM ops.resync WHERE state = 'running')
                   + (SELECT count(*) FROM ops.mirror_table WHERE state <> 'done')";
        wait_until("everything to be copied", PATIENCE, || {
            let open = store_rows(&self.installation, sql)?[0][0].clone();
            if open.as_deref() == Some("0") { Ok(()) } else { Err(format!("{open:?} open")) }
        });
    }

    /// Source and store agree in these many rows, column by column.
    fn assert_agrees(&self, rows: usize) {
        let compared = self.installation.output(&["reconcile", "--json"]);
        let said = String::from_utf8_lossy(&compared.stdout).into_owned();
        let failed = String::from_utf8_lossy(&compared.stderr).into_owned();
        assert_eq!(compared.status.code(), Some(0), "{said}{failed}");
        let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(answer["compared"][0]["rows"], rows, "{said}");
    }

    /// No file of ours has what is left out, once what the sources sent is conformed.
    fn wait_for_no_secret(&self) {
        wait_until("no file to hold what is left out", PATIENCE, || {
            let mut found = Vec::new();
            search(&self.installation.state_folder(), SECRET, &mut found);
            if found.is_empty() { Ok(()) } else { Err(format!("{found:?}")) }
        });
    }
}

/// Adds the files below a folder that have the secret.
pub(crate) fn search(folder: &Path, secret: &str, found: &mut Vec<String>) {
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            search(&path, secret, found);
            continue;
        }
        // (One that is gone by now has nothing.)
        let bytes = std::fs::read(&path).unwrap_or_default();
        if bytes.windows(secret.len()).any(|window| window == secret.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
}

const ROWS: &str = "INSERT INTO person (id, salary, name, salary_note, note) VALUES
    (1, '{s}', 'Ada', '{s}', 'a'), (2, '{s}', 'Bo', NULL, 'b'), (3, '{s}', 'Cy', '{s}', NULL),
    (4, NULL, 'Di', '{s}', 'd')";
const CHANGES: &str = "INSERT INTO person VALUES (5, '{s}', 'Ed', '{s}', 'e', '{s}');
    UPDATE person SET salary = '{s}-more' WHERE id = 1;
    UPDATE person SET name = 'Bob', salary = NULL, note = 'b-no' WHERE id = 2;
    UPDATE person SET note = 'bb' WHERE id = 2;
    DELETE FROM person WHERE id = 3;
    UPDATE person SET id = 6, salary_note = '{s}' WHERE id = 4";
const PERSONS: &str =
    "SELECT string_agg(concat_ws(' ', id, name, coalesce(note, '-')), ', ' ORDER BY id)
    FROM hr.person";

fn left_out(stage: &Stage<'_>) {
    let sql = |text: &str| (stage.sql)(&text.replace("{s}", SECRET));
    // GIVEN rows with what is to be left out, of which a copy reads some and the log tells others
    sql(ROWS);
    stage.choose(&["*", "!salary*", "!person.last"]);
    let mut daemon = stage.installation.start(&["run"], &[]);
    stage.wait_for_columns("id name note");
    sql(CHANGES);
    let persons = |expected: &str| {
        wait_until(&format!("{expected} in the mirror"), PATIENCE, || {
            let found = store_rows(&stage.installation, PERSONS)?[0][0].clone();
            if found.as_deref() == Some(expected) { Ok(()) } else { Err(format!("{found:?}")) }
        });
    };
    // THEN the mirror is right without it, and agrees
    persons("1 Ada a, 2 Bob bb, 5 Ed e, 6 Di d");
    stage.assert_agrees(4);
    // AND through a kill
    daemon.kill();
    sql("UPDATE person SET name = 'Eda', salary = '{s}-9' WHERE id = 5");
    let mut daemon = stage.installation.start(&["run"], &[]);
    persons("1 Ada a, 2 Bob bb, 5 Eda e, 6 Di d");
    stage.assert_agrees(4);
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
}

/// Nothing slips through under another name; the operator's word lets it in or keeps it out.
fn renamed(stage: &Stage<'_>) {
    let mut daemon = stage.installation.start(&["run"], &[]);
    stage.wait_for_columns("id name note");
    (stage.sql)("ALTER TABLE person RENAME COLUMN salary TO pay");
    (stage.sql)(&format!("UPDATE person SET pay = '{SECRET}' WHERE id = 1"));
    wait_until("the source to be stopped", PATIENCE, || {
        let said = daemon.output();
        let is_said = said.contains(" is left out, and is gone by now, but pay of ");
        if is_said { Ok(()) } else { Err(said) }
    });
    // (One that had just started ends by it.)
    daemon.terminate();
    daemon.wait(PATIENCE);
    stage.choose(&["*", "!salary_note", "!pay", "!last"]);
    let mut daemon = stage.installation.start(&["run"], &[]);
    (stage.sql)("UPDATE person SET name = 'Adah' WHERE id = 1");
    wait_until("the source to go on", PATIENCE, || {
        let found = store_rows(&stage.installation, "SELECT name FROM hr.person WHERE id = 1")?;
        let found = found[0][0].clone();
        if found.as_deref() == Some("Adah") { Ok(()) } else { Err(format!("{found:?}")) }
    });
    stage.wait_for_columns("id name note");
    stage.assert_agrees(4);
    stage.wait_for_no_secret();
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
}

/// Other columns are chosen, without a row that changes.
fn chosen_anew(stage: &Stage<'_>) {
    for (columns, expected) in [
        (&["*", "!salary_note", "!note", "!last"][..], "id pay name"),
        (&["id", "person.na*"], "id name"),
        (&["*", "!salary_note"], "id pay name note last"),
    ] {
        stage.choose(columns);
        let mut daemon = stage.installation.start(&["run"], &[]);
        stage.wait_for_columns(expected);
        stage.assert_agrees(4);
        daemon.terminate();
        assert!(daemon.wait(PATIENCE).success());
    }
    for (columns, expected) in [
        (&["*", "!salry"][..], "`!salry` in `columns` of source `hr` matches no column"),
        (&["*", "!id"], "which is part of the key"),
    ] {
        stage.choose(columns);
        let checked = stage.installation.output(&["check"]);
        let said = String::from_utf8_lossy(&checked.stdout).into_owned();
        assert!(said.contains(expected), "{said}");
        assert_eq!(checked.status.code(), Some(78), "{said}");
    }
}

fn choices(stage: &Stage<'_>) {
    left_out(stage);
    renamed(stage);
    chosen_anew(stage);
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_a_postgresql_are_left_out() {
    if !require("postgres") {
        return;
    }
    let database = servers::postgres_database("choice");
    let server = servers::postgres();
    // (The whole old row is in the log, and a text that does not change is not.)
    let table = "CREATE TABLE person (id int PRIMARY KEY, salary text, name text, salary_note text,
                     note text, last text);
                 ALTER TABLE person REPLICA IDENTITY FULL";
    server.sql(&database, table).unwrap();
    let stage = Stage {
        installation: Installation::new(""),
        source: format!(
            "[source.hr]\nkind = \"postgres\"\nurl = \"{}\"\ntables = [\"public.*\"]",
            server.url(&database)
        ),
        password: server.password(),
        sql: &|sql: &str| drop(server.sql(&database, sql).unwrap()),
    };
    tokio::task::block_in_place(|| choices(&stage));
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_a_mariadb_are_left_out() {
    if require("mariadb") {
        of_a_binlog("mariadb", servers::mariadb());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_of_a_mysql_are_left_out() {
    if require("mysql") {
        of_a_binlog("mysql", servers::mysql());
    }
}

fn of_a_binlog(kind: &str, server: &BinlogServer) {
    let database = servers::binlog_database(server, "choice");
    // A character set that nobody here can convert is no obstacle where its column is left out.
    let table = "CREATE TABLE person (id int PRIMARY KEY, salary varchar(40), name varchar(40),
        salary_note varchar(40) CHARACTER SET big5, note varchar(40), last varchar(40))";
    server.sql(&database, table).unwrap();
    let stage = Stage {
        installation: Installation::new(""),
        source: format!(
            "[source.hr]\nkind = \"{kind}\"\nurl = \"{}\"\ntables = [\"{database}.*\"]",
            server.url(&database)
        ),
        password: server.password(),
        sql: &|sql: &str| drop(server.sql(&database, sql).unwrap()),
    };
    tokio::task::block_in_place(|| choices(&stage));
}
