//! How `run` starts, or says in one error why it cannot, and what it makes of trouble later.

use trueup::demo::servers::{MariadbServer, Options, PostgresServer};

use super::live::{PATIENCE, configure, erp, err, out, with_erp};
use crate::support::process::{Installation, Running};
use crate::support::require::require;
use crate::support::servers::{postgres, postgres_database};
use crate::support::wait::wait_until;

/// The one error of a `run` that ends by itself: exit code, error and hint.
fn refused(installation: &Installation) -> (i32, String, String) {
    let mut daemon = installation.start(&["run", "--log-format", "json"], &[]);
    let code = daemon.wait(PATIENCE).code().unwrap();
    let output = daemon.output();
    // Log lines are JSON; everything else is for the person at the terminal.
    let words: Vec<&str> = output.lines().filter(|line| !line.starts_with('{')).collect();
    let errors: Vec<&&str> = words.iter().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{output}");
    let hint: Vec<&str> = words.iter().skip(1).copied().collect();
    (code, (*errors[0]).to_owned(), hint.join("\n"))
}

fn assert_refused(installation: &Installation, what: &[&str], remedy: &str) {
    let (code, error, hint) = refused(installation);
    assert_eq!(code, 78, "{error}");
    for words in what {
        assert!(error.contains(words), "`{words}` is not in `{error}`");
    }
    assert!(hint.starts_with("  hint: ") && hint.contains(remedy), "`{remedy}` is not in `{hint}`");
}

/// A target table `resource` on a database of its own, wired to worker.
fn target(installation: &Installation, columns: &str) -> String {
    let database = postgres_database("psa");
    let table = "CREATE TABLE resource (code text PRIMARY KEY, name text)";
    postgres().sql(&database, table).unwrap();
    let password = installation.write("target.password", postgres().password());
    format!(
        "[target.psa]\nkind = \"postgres\"\nurl = \"{}\"\npassword = \"${{file:{}}}\"\n\
         [target.psa.entity.worker]\ntable = \"resource\"\nkey = {{ code = \"worker_no\" }}\n\
         columns = {{ {columns} }}\n",
        postgres().url(&database),
        password.display()
    )
}

#[test]
fn a_source_that_cannot_be_used_ends_run_with_one_error() {
    if !require("postgres") {
        return;
    }
    let (installation, database) =
        with_erp("refused", "tables = [\"public.*\", \"!public.sys_*\"]");
    let tables = "tables = [\"public.k*\"]";
    // A wrong password.
    let source = erp(&installation, &database, tables);
    configure(&installation, &source);
    installation.write("password", "hunter2");
    assert_refused(
        &installation,
        &["source erp", "127.0.0.1", "password authentication failed"],
        "set the password of source role",
    );
    // A database that is not there.
    let source = erp(&installation, "nowhere", tables);
    configure(&installation, &source);
    assert_refused(&installation, &["source erp", "\"nowhere\" does not exist"], "create database");
    // A table that is not there.
    let source = erp(&installation, &database, "tables = [\"public.kunden\"]");
    configure(&installation, &source);
    assert_refused(&installation, &["`public.kunden`", "matches no table"], "public.kunde,");
    // A table without a key.
    let source = erp(&installation, &database, "tables = [\"public.sys_protokoll\"]");
    configure(&installation, &source);
    assert_refused(&installation, &["sys_protokoll has no primary key"], "ADD PRIMARY KEY");
}

#[test]
fn a_server_without_the_log_we_need_ends_run_with_one_error() {
    if !require("postgres") || !require("mariadb") {
        return;
    }
    let installation = Installation::new("");
    let server =
        PostgresServer::start(&Options::default().setting("wal_level", "replica")).unwrap();
    server.create_database("erp").unwrap();
    server.sql("erp", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    let password = installation.write("password", server.password());
    let source = format!(
        "[source.erp]\nkind = \"postgres\"\nurl = \"{}\"\npassword = \"${{file:{}}}\"\n\
         tables = [\"public.t\"]\n",
        server.url("erp"),
        password.display()
    );
    configure(&installation, &source);
    assert_refused(&installation, &["wal_level is replica"], "ALTER SYSTEM SET wal_level");
    let server = MariadbServer::start(&Options::default().setting("skip_log_bin", "")).unwrap();
    server.create_database("hr").unwrap();
    server.sql("hr", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    let password = installation.write("password", server.password());
    let source = format!(
        "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\npassword = \"${{file:{}}}\"\n\
         tables = [\"hr.t\"]\n",
        server.url("hr"),
        password.display()
    );
    configure(&installation, &source);
    assert_refused(&installation, &["source `hr` is not ready", "log_bin"], "log_bin");
}

#[test]
fn a_target_that_cannot_be_used_ends_run_with_one_error_and_check_finds_it() {
    if !require("postgres") {
        return;
    }
    let (installation, database) = with_erp("target", "");
    let source = erp(&installation, &database, "mapping = \"demo_erp\"");
    let with = |target: &str| configure(&installation, &format!("{source}{target}"));
    // A column that the target lacks.
    let wrong = target(&installation, "nam = \"full_name\"");
    with(&wrong);
    assert_refused(&installation, &["target psa", "nam"], "");
    // SQL that does not fit the canonical row: check finds it without reaching anything.
    with(&target(&installation, "name = \"ful_name\""));
    assert_refused(&installation, &["column `name` of worker"], "full_name");
    let check = installation.output(&["check", "--offline"]);
    assert_eq!(check.status.code(), Some(78), "{}", out(&check));
    assert!(out(&check).contains("✖ column `name` of worker"), "{}", out(&check));
    // An entity that no mapping gives.
    let source = erp(&installation, &database, "tables = [\"public.k*\"]");
    let target = target(&installation, "name = \"full_name\"");
    configure(&installation, &format!("{source}{target}"));
    assert_refused(&installation, &["[target.psa.entity.worker] has no source"], "mapping pack");
    let check = installation.output(&["check", "--offline"]);
    assert_eq!(check.status.code(), Some(78), "{}", out(&check));
    assert!(out(&check).contains("✖ [target.psa.entity.worker] has no source"), "{}", out(&check));
}

fn status(installation: &Installation) -> serde_json::Value {
    let output = installation.output(&["status", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn until_state(installation: &Installation, state: &str, words: &str) {
    wait_until(&format!("the source to be {state}"), PATIENCE, || {
        let status = status(installation);
        let source = &status["sources"][0];
        let said = source["message"].as_str().unwrap_or_default().contains(words);
        if source["state"] == state && said { Ok(()) } else { Err(status.to_string()) }
    });
}

#[test]
fn a_source_that_is_away_is_waited_for_and_a_password_may_change_under_way() {
    if !require("postgres") {
        return;
    }
    // GIVEN a role of its own, and at first the wrong port
    let role = postgres_database("role");
    let (installation, database) = with_erp("rotate", "");
    let sql = |sql: &str| postgres().sql(&database, sql).unwrap();
    sql(&format!("CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'first'"));
    let source = erp(&installation, &database, "tables = [\"public.k*\"]")
        .replace("postgres@", &format!("{role}@"));
    let port = format!(":{}/", postgres().port());
    configure(&installation, &source.replace(&port, ":1/"));
    installation.write("password", "first");
    let mut daemon = installation.start(&["run"], &[]);
    // THEN it is waited for, and says so
    until_state(&installation, "retrying", "127.0.0.1:1");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    configure(&installation, &source);
    let mut daemon = installation.start(&["run"], &[]);
    until_state(&installation, "streaming", "");
    // WHEN the password changes and the sessions end THEN it goes on trying, visibly
    sql(&format!("ALTER ROLE {role} PASSWORD 'second'"));
    sql(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
    ));
    until_state(&installation, "retrying", "password authentication failed");
    assert!(daemon.ended().is_none());
    // WHEN the new password is in its file THEN it streams again
    installation.write("password", "second");
    until_state(&installation, "streaming", "");
}

#[test]
fn a_loop_that_breaks_ends_the_daemon_and_is_named() {
    if !require("postgres") {
        return;
    }
    for (point, name) in [
        ("before-store-commit:1:unwind", "the conform loop"),
        ("before-confirm:1:unwind", "the capture (erp) loop"),
    ] {
        let (installation, _) = with_erp("broken", "tables = [\"public.k*\"]");
        let mut daemon = installation.start(&["run"], &[("TRUEUP_FAILPOINT", point)]);
        let ended = daemon.wait(PATIENCE);
        let output = daemon.output();
        assert_eq!(ended.code(), Some(70), "{output}");
        let error = format!("error: {name} has ended by itself");
        assert!(output.contains(&error), "{output}");
    }
}

#[test]
fn statements_are_bounded_in_number_and_time_and_hold_nobody_up() {
    if !require("postgres") {
        return;
    }
    let (installation, database) = with_erp("busy", "");
    let source = erp(&installation, &database, "tables = [\"public.k*\"]");
    configure(&installation, &format!("{source}[limits]\nsql_timeout_secs = 8\n"));
    let _daemon = installation.start(&["run"], &[]);
    until_state(&installation, "streaming", "");
    wait_until("the store to answer", PATIENCE, || {
        let answer = installation.output(&["sql", "SELECT 1"]);
        if answer.status.success() { Ok(()) } else { Err(err(&answer)) }
    });
    // WHEN more statements are sent at once than may run, each of them without an end
    let long = "SELECT sum(a.n * b.n) FROM range(100000000) a(n), range(100000000) b(n)";
    let mut sent: Vec<_> = (0..6).map(|_| installation.start(&["sql", long], &[])).collect();
    // THEN those beyond the bound are refused clearly, and the status is answered meanwhile
    wait_until("statements to be refused", PATIENCE, || {
        let ended = sent.iter_mut().filter_map(Running::ended).count();
        if ended >= 2 { Ok(()) } else { Err(format!("{ended} have ended")) }
    });
    assert_eq!(status(&installation)["sources"][0]["state"], "streaming");
    // THEN each of the others ends at its limit
    let mut ends = Vec::new();
    for one in &mut sent {
        let code = one.wait(PATIENCE).code();
        let output = one.output();
        let words = ["4 statements run already", "took longer than 8 s"];
        let said = words.map(|words| output.contains(words));
        ends.push((code, said));
    }
    ends.sort();
    let (late, busy) = ((Some(1), [false, true]), (Some(69), [true, false]));
    assert_eq!(ends, [late, late, late, late, busy, busy]);
    wait_until("statements to be let in again", PATIENCE, || {
        let answer = installation.output(&["sql", "SELECT 1"]);
        if answer.status.success() { Ok(()) } else { Err(err(&answer)) }
    });
}
