//! The command line as an operator meets it: the binary itself, without servers.
//!
//! Help, errors and the status text are reviewed snapshots. What needs servers is in the modules
//! below.

mod live;
mod startup;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use trueup::error::{Error, ErrorKind, Result};
use trueup::serve::http::{
    self, DiffRequest, DiffResult, Operator, ReconcileRequest, ReconcileResult, ResumeRequest,
    ResyncRequest, ResyncResult, SqlColumn, SqlRequest, SqlResult,
};
use trueup::status::{ArchiveStatus, ConformStatus, DaemonState, Status};

const SOURCE: &str = "[source.erp]\nkind = \"postgres\"\n\
                      url = \"postgres://t@127.0.0.1:1/erp\"\ntables = [\"public.*\"]\n";

/// What came out, in one text that can be reviewed.
struct Answer {
    code: i32,
    out: String,
    err: String,
}

fn trueup(folder: &Path, arguments: &[&str]) -> Answer {
    let output = Command::new(env!("CARGO_BIN_EXE_trueup"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("TRUEUP_CONFIG")
        .env_remove("TRUEUP_LOG")
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Answer::new(&output)
}

impl Answer {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let code = output.status.code().unwrap();
        Answer { code, out: text(&output.stdout), err: text(&output.stderr) }
    }

    fn review(&self) -> String {
        format!("exit {}\n--- out\n{}--- err\n{}", self.code, self.out, self.err)
    }
}

/// A folder with a configuration whose state lies in it, and a port nobody listens on.
fn folder(more: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    write(&folder, &free.to_string(), more);
    folder
}

fn write(folder: &TempDir, listen: &str, more: &str) {
    let state = folder.path().join("state");
    let text =
        format!("[daemon]\nstate_dir = {state:?}\nhttp_listen = \"{listen}\"\n{SOURCE}{more}");
    std::fs::write(folder.path().join("trueup.toml"), text).unwrap();
}

#[test]
fn help_is_as_reviewed() {
    let folder = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 10] = [
        &["-h"],
        &["run", "--help"],
        &["check", "--help"],
        &["init", "--help"],
        &["demo", "--help"],
        &["status", "--help"],
        &["sql", "--help"],
        &["mapping", "--help"],
        &["mapping", "test", "--help"],
        &["uninstall", "--help"],
    ];
    let mut all = String::new();
    for arguments in commands {
        let answer = trueup(folder.path(), arguments);
        assert_eq!(answer.code, 0, "{}", answer.err);
        all.push_str(&format!("$ trueup {}\n{}\n", arguments.join(" "), answer.out));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn first_lines_of_help_are_imperative_without_a_full_stop() {
    let folder = tempfile::tempdir().unwrap();
    let help = trueup(folder.path(), &["-h"]).out;
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for line in commands.lines() {
        let (_, words) = line.trim().split_once("  ").unwrap();
        let first = words.trim().chars().next().unwrap();
        assert!(first.is_uppercase() && !words.ends_with('.'), "{line}");
    }
}

#[test]
fn a_wrong_command_line_exits_64_and_names_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["statsu"][..], "'status'"),
        (&["status", "--jsn"], "'--json'"),
        (&[], "Usage: trueup"),
        (&["init"], "--source <NAME=URL>"),
        (&["sql", "SELECT 1", "--csv", "--json"], "cannot be used with"),
        (&["init", "--source", "erp:hunter2"], "expected NAME=URL"),
    ] {
        let answer = trueup(folder.path(), arguments);
        assert_eq!(answer.code, 64, "{arguments:?}: {}", answer.err);
        assert!(answer.err.contains(words), "{arguments:?}: {}", answer.err);
        assert_eq!(answer.out, "");
    }
}

#[test]
fn a_named_file_that_is_missing_is_one_error() {
    let folder = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(trueup(folder.path(), &["status", "-c", "nothing.toml"]).review());
}

#[test]
fn a_configuration_that_is_wrong_is_one_error_with_all_problems() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[source.erp]\nkind = \"postgre\"\nurl = \"postgres://t:hunter2@h/d\"\n\
                passwrd = \"x\"\n[limits]\nsql_rows_max = 0\n";
    std::fs::write(folder.path().join("trueup.toml"), text).unwrap();
    insta::assert_snapshot!(trueup(folder.path(), &["run"]).review());
    insta::assert_snapshot!(trueup(folder.path(), &["check", "--offline"]).review());
}

#[test]
fn check_leaves_out_what_it_is_told_to() {
    let folder = folder("");
    let answer = trueup(folder.path(), &["check", "--offline", "--skip", "mappings"]);
    insta::assert_snapshot!(answer.review());
    let json = trueup(folder.path(), &["check", "--offline", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(report["sections"][0]["stage"], "configuration");
    assert_eq!(report["sections"][0]["findings"][0]["severity"], "ok");
    assert_eq!(report["sections"][1]["stage"], "mappings");
    assert_eq!(report["sections"].as_array().unwrap().len(), 2);
}

#[test]
fn check_of_a_source_that_is_not_there_exits_78_with_a_remedy() {
    let folder = folder("");
    let answer = trueup(folder.path(), &["check", "--json"]);
    assert_eq!(answer.code, 78, "{}", answer.review());
    let report: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(report["ok"], false);
    let sections = report["sections"].as_array().unwrap();
    let source = sections.iter().find(|section| section["stage"] == "source").unwrap();
    assert_eq!(source["name"], "erp");
    assert_eq!(source["findings"][0]["severity"], "error");
    assert!(!source["findings"][0]["remedy"].as_str().unwrap().is_empty());
}

#[test]
fn status_without_daemon_and_state_exits_69() {
    let folder = folder("");
    let answer = trueup(folder.path(), &["status"]);
    assert_eq!(answer.code, 69, "{}", answer.review());
    let state = folder.path().join("state");
    let words = format!("and there is no state folder {}", state.display());
    assert!(answer.err.contains(&words) && answer.err.contains("hint: start the daemon"));
    assert!(!state.exists(), "looking made the folder");
}

#[test]
fn sql_without_a_daemon_exits_69() {
    let folder = folder("");
    let answer = trueup(folder.path(), &["sql", "SELECT 1"]);
    assert_eq!(answer.code, 69, "{}", answer.review());
    assert!(answer.err.starts_with("error: no daemon answers on 127.0.0.1:"), "{}", answer.err);
}

#[test]
fn a_busy_port_is_one_error_that_says_what_where_and_what_to_do() {
    let folder = folder("");
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    write(&folder, &address.to_string(), "");
    let answer = trueup(folder.path(), &["run", "--log-format", "json"]);
    assert_eq!(answer.code, 78, "{}", answer.review());
    assert!(answer.err.starts_with(&format!("error: could not listen on {address}: ")));
    assert!(answer.err.contains("  hint: set http_listen in [daemon]"), "{}", answer.err);
    assert_eq!(answer.err.lines().count(), 2, "{}", answer.err);
}

#[test]
fn a_held_state_folder_is_refused_with_the_name_of_its_holder() {
    let folder = folder("");
    let _held = trueup::state::StateDir::open(&folder.path().join("state")).unwrap();
    let pid = std::process::id();
    let run = trueup(folder.path(), &["run"]);
    assert_eq!(run.code, 74, "{}", run.review());
    assert!(run.err.contains(&format!("is held by process {pid} on ")), "{}", run.err);
    // Dropping a slot under a running daemon would be worse than waiting.
    let uninstall = trueup(folder.path(), &["uninstall", "--source", "erp"]);
    assert_eq!(uninstall.code, 78, "{}", uninstall.review());
    assert!(uninstall.err.contains(&format!("process {pid}")), "{}", uninstall.err);
}

#[test]
fn uninstall_of_an_unknown_source_names_the_nearest() {
    let folder = folder("");
    let answer = trueup(folder.path(), &["uninstall", "--source", "epr", "--dry-run"]);
    insta::assert_snapshot!(answer.review());
}

#[test]
fn init_refuses_to_overwrite_and_to_read_a_password_from_the_command_line() {
    let folder = folder("");
    let existing = trueup(folder.path(), &["init", "--source", "erp=postgres://t@h/d"]);
    insta::assert_snapshot!(existing.review());
    let source = "erp=postgres://t:hunter2@127.0.0.1:1/d";
    let secret = trueup(folder.path(), &["init", "--source", source, "--dry-run"]);
    assert_eq!(secret.code, 64, "{}", secret.review());
    assert!(!secret.review().contains("hunter2"), "{}", secret.review());
}

#[test]
fn a_bad_log_filter_is_refused_before_anything_starts() {
    let folder = folder("");
    let output = Command::new(env!("CARGO_BIN_EXE_trueup"))
        .arg("run")
        .current_dir(folder.path())
        .env("TRUEUP_LOG", "trueup=loud")
        .output()
        .unwrap();
    let answer = Answer::new(&output);
    assert_eq!(answer.code, 64, "{}", answer.review());
    assert!(!folder.path().join("state").exists());
}

/// A daemon of which only the HTTP side is real.
struct Daemon {
    conform_error: Option<&'static str>,
}

impl Operator for Daemon {
    fn status(&self) -> BoxFuture<'_, Status> {
        let error = self.conform_error.map(str::to_owned);
        Box::pin(async {
            Status {
                install: "5d1c".to_owned(),
                version: "0.1.0".to_owned(),
                daemon: DaemonState::Running,
                since: None,
                sources: Vec::new(),
                conform: ConformStatus { error, ..ConformStatus::default() },
                archive: ArchiveStatus::default(),
                entities: Vec::new(),
                targets: Vec::new(),
                dead_letters: Vec::new(),
                findings: Vec::new(),
            }
        })
    }

    fn ready(&self) -> BoxFuture<'_, std::result::Result<(), Vec<String>>> {
        Box::pin(async { Ok(()) })
    }

    fn metrics(&self) -> BoxFuture<'_, String> {
        Box::pin(async { String::new() })
    }

    fn diff(&self, _: DiffRequest) -> BoxFuture<'_, Result<DiffResult>> {
        Box::pin(async { Ok(DiffResult::default()) })
    }

    fn reconcile(&self, _: ReconcileRequest) -> BoxFuture<'_, Result<ReconcileResult>> {
        Box::pin(async { Ok(ReconcileResult::default()) })
    }

    fn resync(&self, _: ResyncRequest) -> BoxFuture<'_, Result<ResyncResult>> {
        Box::pin(async { Ok(ResyncResult::default()) })
    }

    fn resume(&self, _: ResumeRequest) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Err(Error::new(ErrorKind::Usage, "nothing is held")) })
    }

    fn sql(&self, request: SqlRequest) -> BoxFuture<'_, Result<SqlResult>> {
        Box::pin(async move {
            if request.query != "SELECT worker_no, hours" {
                return Err(Error::new(ErrorKind::Rejected, "syntax error at \"SELEC\"")
                    .hint("write one SELECT"));
            }
            let column = |name: &str, kind: &str| SqlColumn {
                name: name.to_owned(),
                r#type: kind.to_owned(),
            };
            Ok(SqlResult {
                columns: vec![column("worker_no", "VARCHAR"), column("hours", "DECIMAL(6,2)")],
                rows: vec![vec![json!("E-1"), json!("7.50")]],
                cut: request.rows_max.map(|rows| format!("at most {rows} rows were asked for")),
            })
        })
    }
}

/// Serves `daemon` while `ask` runs commands in a folder whose configuration names its port.
fn with_daemon(daemon: Daemon, ask: impl FnOnce(&Path)) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = trueup::serve::bind("127.0.0.1:0".parse().unwrap(), "").unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(&folder, &listener.local_addr().unwrap().to_string(), "");
    let shutdown = CancellationToken::new();
    let served = runtime.spawn(http::serve(listener, Arc::new(daemon), shutdown.clone()));
    ask(folder.path());
    shutdown.cancel();
    runtime.block_on(served).unwrap().unwrap();
}

#[test]
fn status_comes_from_the_running_daemon() {
    with_daemon(Daemon { conform_error: None }, |folder| {
        insta::assert_snapshot!(trueup(folder, &["status"]).review());
        let json = trueup(folder, &["status", "--json"]);
        let status: Status = serde_json::from_str(&json.out).unwrap();
        assert_eq!((json.code, status.install.as_str()), (0, "5d1c"));
    });
    with_daemon(Daemon { conform_error: Some("mapping worker fails") }, |folder| {
        let answer = trueup(folder, &["status"]);
        assert_eq!(answer.code, 1, "{}", answer.review());
        assert!(answer.out.contains("✖ conform stands still: mapping worker fails"));
    });
}

#[test]
fn sql_comes_from_the_running_daemon_and_says_what_was_cut() {
    with_daemon(Daemon { conform_error: None }, |folder| {
        let query = "SELECT worker_no, hours";
        let table = trueup(folder, &["sql", query, "--rows", "1"]);
        let csv = trueup(folder, &["sql", query, "--csv", "--rows", "1"]);
        let json = trueup(folder, &["sql", query, "--json"]);
        let wrong = trueup(folder, &["sql", "SELEC"]);
        let all = [table, csv, json, wrong].map(|answer| answer.review());
        insta::assert_snapshot!(all.join("\n"));
    });
}

#[test]
fn another_program_on_the_port_is_not_taken_for_a_daemon() {
    // GIVEN something that answers every request, but not as we do
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(&folder, &listener.local_addr().unwrap().to_string(), "");
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        assert!(std::io::Read::read(&mut stream, &mut request).unwrap() > 0);
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi";
        std::io::Write::write_all(&mut stream, answer).unwrap();
    });
    let answer = trueup(folder.path(), &["status"]);
    other.join().unwrap();
    assert_eq!(answer.code, 69, "{}", answer.review());
    assert!(answer.err.contains("is not a trueup of this version"), "{}", answer.err);
}

#[test]
fn mapping_test_finds_the_operators_own_packs() {
    // GIVEN a pack that is not built in, in the folder that the configuration names
    let folder = tempfile::tempdir().unwrap();
    let pack = folder.path().join("sql/mappings/ours");
    std::fs::create_dir_all(pack.join("fixture")).unwrap();
    let mapping = "-- entity: client\n-- version: 1\n-- unit: id\n-- driver: c\n\
        -- watch: c = customer.id\n\
        SELECT c.no AS client_no, c.id AS id, c.id AS _from_c FROM customer c\n";
    std::fs::write(pack.join("client.sql"), mapping).unwrap();
    let tables = "-- as_of: 2026-03-31 12:00:00\n\
        CREATE TABLE customer (id INTEGER PRIMARY KEY, no VARCHAR);\n\
        INSERT INTO customer VALUES (1, 'C1');\n";
    std::fs::write(pack.join("fixture/tables.sql"), tables).unwrap();
    let expected = r#"[{"client_no": "C1"}]"#;
    std::fs::write(pack.join("fixture/client.json"), expected).unwrap();
    let test = ["mapping", "test", "ours", "--batches", "3"];
    // WHEN no configuration names the folder, THEN only the built-in packs are known
    let answer = trueup(folder.path(), &test);
    assert_eq!(answer.code, 78, "{}", answer.review());
    assert!(answer.err.contains("unknown mapping pack `ours`"), "{}", answer.err);
    // WHEN one does, THEN the pack is tested
    let text = format!("[daemon]\nsql_dir = {:?}\n{SOURCE}", folder.path().join("sql"));
    std::fs::write(folder.path().join("trueup.toml"), text).unwrap();
    let answer = trueup(folder.path(), &test);
    assert_eq!(answer.code, 0, "{}", answer.review());
    assert!(answer.out.contains("client: 1 rows of the fixture"), "{}", answer.out);
}
