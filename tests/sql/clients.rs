//! Drivers and tools of other languages, as they are.

use std::path::Path;
use std::process::Command;

use super::stage::{PASSWORD, Stage};
use crate::support::require::{Clients, require};

/// What `command` says it has checked.
fn checked(stage: &Stage, mut command: Command) -> Vec<String> {
    command.env("PGHOST", "127.0.0.1").env("PGPORT", stage.port.to_string());
    command.env("PGUSER", "analyst").env("PGPASSWORD", PASSWORD);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{error}");
    said.lines().filter_map(|line| line.strip_prefix("checked: ")).map(str::to_owned).collect()
}

fn program(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sql").join(name)
}

#[tokio::test(flavor = "multi_thread")]
async fn pythons_drivers_and_sqlalchemy_work_as_they_are() {
    if !require("clients") {
        return;
    }
    let stage = Stage::new("", "").await;
    let mut python = Command::new(Clients::unpacked().unwrap().python);
    python.arg(program("clients.py"));
    let found = checked(&stage, python);
    let mut expected: Vec<String> = [
        "psycopg connects and asks",
        "psycopg prepares a statement",
        "psycopg binds values as text and in binary",
        "psycopg begins, ends and recovers",
        "psycopg reads through a server-side cursor",
        "psycopg streams rows",
        "psycopg looks types up",
        "psycopg sends statements in a pipeline",
        "psycopg asks for a transaction that only reads",
        "psycopg2 binds values",
        "psycopg2 reads through a server-side cursor",
        "psycopg2 sets its session",
    ]
    .map(str::to_owned)
    .to_vec();
    for driver in ["psycopg", "psycopg2"] {
        for what in [
            "lists schemas, tables, views and columns",
            "finds no keys, no indexes and no sequences",
            "reads comments",
            "reflects a table and asks it",
            "reflects all schemas",
        ] {
            expected.push(format!("sqlalchemy with {driver} {what}"));
        }
    }
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn jdbc_works_as_it_is() {
    if !require("clients") {
        return;
    }
    let stage = Stage::new("", "").await;
    let clients = Clients::unpacked().unwrap();
    let mut command = Command::new(clients.java);
    command.arg("-cp").arg(clients.jdbc);
    command.arg(program("Clients.java"));
    let found = checked(&stage, command);
    let mut expected = Vec::new();
    for mode in ["extended", "simple", "extendedForPrepared"] {
        for what in [
            "connects and asks",
            "lists schemas, tables and columns",
            "finds no keys, no indexes and no functions",
            "lists types and keywords",
        ] {
            expected.push(format!("jdbc {what}, {mode}"));
        }
    }
    for what in [
        "prepares a statement and asks it twelve times",
        "binds values as text and in binary",
        "fetches rows in portions",
        "is refused, and goes on",
    ] {
        expected.push(format!("jdbc {what}"));
    }
    assert_eq!(found, expected);
}
