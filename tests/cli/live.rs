//! The commands that reach databases, on real ones: `init`, `check` and `uninstall`.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::servers::{mariadb, mariadb_database, postgres, postgres_database};
use crate::support::wait::wait_until;

pub(super) const PATIENCE: Duration = Duration::from_secs(240);

pub(super) fn sql_file(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/demo").join(path)
}

pub(super) fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(super) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The configuration of a PostgreSQL source `erp`, with `more` in its table.
pub(super) fn erp(installation: &Installation, database: &str, more: &str) -> String {
    let password = installation.write("password", postgres().password());
    format!(
        "[source.erp]\nkind = \"postgres\"\nurl = \"{}\"\npassword = \"${{file:{}}}\"\n{more}\n",
        postgres().url(database),
        password.display()
    )
}

/// Writes the configuration anew: the `[daemon]` table and `rest`.
pub(super) fn configure(installation: &Installation, rest: &str) {
    let daemon = format!(
        "[daemon]\nstate_dir = {:?}\nhttp_listen = \"127.0.0.1:{}\"\n",
        installation.state_folder(),
        installation.http_port()
    );
    installation.write("trueup.toml", &format!("{daemon}{rest}"));
}

/// An installation with the demo's ERP schema as source `erp`.
pub(super) fn with_erp(label: &str, more: &str) -> (Installation, String) {
    let database = postgres_database(label);
    postgres().load(&database, &sql_file("erp/schema.sql")).unwrap();
    let installation = Installation::new("");
    let source = erp(&installation, &database, more);
    configure(&installation, &source);
    (installation, database)
}

#[test]
fn what_init_writes_passes_check_and_suggests_the_packs_that_fit() {
    if !require("postgres") || !require("mariadb") {
        return;
    }
    // GIVEN a live ERP with a table that cannot be mirrored, and a live HR
    let (erp, hr) = (postgres_database("init"), mariadb_database("init"));
    postgres().load(&erp, &sql_file("erp/schema.sql")).unwrap();
    postgres().sql(&erp, "ANALYZE kunde").unwrap();
    mariadb().load(&hr, &sql_file("hr/schema.sql")).unwrap();
    mariadb().sql(&hr, "CREATE TABLE keyless (a int)").unwrap();
    let installation = Installation::new("");
    let file = installation.write("written.toml", "");
    let passwords = [
        ("TRUEUP_ERP_PASSWORD", postgres().password()),
        ("TRUEUP_HR_PASSWORD", mariadb().password()),
    ];
    // WHEN init writes a configuration, and check reads it
    let mut init = std::process::Command::new(env!("CARGO_BIN_EXE_trueup"));
    init.args(["init", "--force", "--output"]).arg(&file).envs(passwords);
    init.args(["--source", &format!("erp={}", postgres().url(&erp))]);
    init.args(["--source", &format!("hr={}", mariadb().url(&hr))]);
    let written = init.output().unwrap();
    assert!(written.status.success(), "{}", err(&written));
    let text = std::fs::read_to_string(&file).unwrap();
    // THEN every usable table is in it, the others stand aside with their reason
    assert!(text.contains("\n    \"public.kunde\", # about 0 rows\n"), "{text}");
    assert!(text.contains("\n    # \"public.sys_protokoll\",\n    #     left out: "), "{text}");
    assert!(text.contains(&format!("\n    # \"{hr}.keyless\",\n    #     left out: ")), "{text}");
    assert!(text.contains("# mapping  = \"demo_erp\""), "{text}");
    assert!(text.contains("# mapping  = \"demo_hr\""), "{text}");
    assert!(!text.contains("\"tryton\"") && !text.contains(postgres().password()), "{text}");
    // Only the place of the state is not for this test to use.
    let state = format!("{:?}", installation.state_folder());
    std::fs::write(&file, text.replace("\"/var/lib/trueup\"", &state)).unwrap();
    let check = |file: &Path| {
        let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_trueup"));
        check.args(["check", "--config"]).arg(file).envs(passwords).output().unwrap()
    };
    let checked = check(&file);
    assert!(checked.status.success(), "{}", out(&checked));
    // THEN a suggested pack can be taken
    let text = std::fs::read_to_string(&file).unwrap();
    let taken = text.replace("# mapping  = \"demo_erp\"", "mapping  = \"demo_erp\"");
    assert_ne!(taken, text);
    std::fs::write(&file, taken).unwrap();
    let checked = check(&file);
    assert!(checked.status.success(), "{}", out(&checked));
    assert!(out(&checked).contains("the mappings fit its tables and columns"), "{}", out(&checked));
}

/// What `check` says before the first start is what `run` needs: the role owns nothing.
#[test]
fn a_role_that_owns_no_table_runs_once_the_owner_did_what_check_said() {
    if !require("postgres") {
        return;
    }
    // GIVEN a role that may read and replicate, and nothing else
    let database = postgres_database("owned");
    let role = format!("reader_{database}");
    let grants = format!(
        "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);
         CREATE ROLE {role} LOGIN REPLICATION PASSWORD 'reader'; GRANT SELECT ON t TO {role}"
    );
    postgres().sql(&database, &grants).unwrap();
    let installation = Installation::new("");
    let url = postgres().url(&database).replace("postgres@", &format!("{role}@"));
    let password = installation.write("password", "reader");
    let source = format!(
        "[source.erp]\nkind = \"postgres\"\nurl = \"{url}\"\npassword = \"${{file:{}}}\"\n\
         tables = [\"public.*\"]\n",
        password.display()
    );
    configure(&installation, &source);
    // WHEN check is asked before the first start THEN it names what the owner must do
    let checked = installation.output(&["check"]);
    assert_eq!(checked.status.code(), Some(78), "{}", out(&checked));
    let said = out(&checked);
    let statement = said.split_once("as the owner of the tables: ");
    let (_, statement) = statement.unwrap_or_else(|| panic!("{said}"));
    postgres().sql(&database, statement.split_inclusive(';').next().unwrap()).unwrap();
    let checked = installation.output(&["check"]);
    assert!(checked.status.success(), "{}", out(&checked));
    // and that is all that run needs, at every start
    let rows = |expected: &str| {
        wait_until("the mirror", PATIENCE, || {
            let answer = installation.output(&["sql", "--csv", "SELECT count(*) AS n FROM erp.t"]);
            let found = out(&answer);
            if found.trim_end().ends_with(expected) { Ok(()) } else { Err(found) }
        });
    };
    let mut daemon = installation.start(&["run"], &[]);
    rows("1");
    daemon.kill();
    postgres().sql(&database, "INSERT INTO t VALUES (2)").unwrap();
    let mut daemon = installation.start(&["run"], &[]);
    rows("2");
    daemon.kill();
    // WHEN that publication goes THEN it is a gap, and none of our own is made instead
    postgres().sql(&database, "DROP PUBLICATION trueup_erp").unwrap();
    let _daemon = installation.start(&["run"], &[]);
    wait_until("the gap", PATIENCE, || {
        let said = out(&installation.output(&["status"]));
        if said.contains("publication is gone") { Ok(()) } else { Err(said) }
    });
}

#[test]
fn uninstall_removes_slot_and_publication_and_then_finds_nothing() {
    if !require("postgres") {
        return;
    }
    // GIVEN a source on which the daemon ran
    let (installation, database) = with_erp("uninstall", "tables = [\"public.k*\"]");
    let ours = || {
        let sql = format!(
            "SELECT count(*) FROM pg_replication_slots WHERE database = '{database}';
             SELECT count(*) FROM pg_publication"
        );
        let counts = postgres().sql(&database, &sql).unwrap();
        counts.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let unknown = installation.output(&["uninstall", "--source", "erp"]);
    assert_eq!(unknown.status.code(), Some(69), "{}", err(&unknown));
    assert!(err(&unknown).contains("pg_replication_slots"), "{}", err(&unknown));
    let mut daemon = installation.start(&["run"], &[]);
    wait_until("the slot", PATIENCE, || {
        if ours() == ["1", "1"] { Ok(()) } else { Err(format!("{:?}", ours())) }
    });
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    // WHEN it is only asked what would be removed THEN nothing is
    let dry = installation.output(&["uninstall", "--source", "erp", "--dry-run"]);
    assert!(dry.status.success(), "{}", err(&dry));
    assert!(out(&dry).contains("would remove: SELECT pg_drop_replication_slot('trueup_"));
    assert!(out(&dry).contains("would remove: DROP PUBLICATION \"trueup_"), "{}", out(&dry));
    assert_eq!(ours(), ["1", "1"]);
    // WHEN it is removed THEN both are gone, and a second time nothing is left
    let removed = installation.output(&["uninstall", "--source", "erp"]);
    assert!(removed.status.success(), "{}", err(&removed));
    assert_eq!(out(&removed).lines().count(), 2, "{}", out(&removed));
    assert_eq!(ours(), ["0", "0"]);
    let again = installation.output(&["uninstall", "--source", "erp"]);
    assert_eq!(out(&again), "nothing of ours is left in source erp\n");
}

#[test]
fn the_lag_of_a_mariadb_source_is_known_and_ends_at_0() {
    if !require("mariadb") {
        return;
    }
    let database = mariadb_database("lag");
    mariadb().sql(&database, "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    let installation = Installation::new("");
    let password = installation.write("password", mariadb().password());
    configure(
        &installation,
        &format!(
            "[limits]\nidle_confirm_secs = 1\n[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\n\
             password = \"${{file:{}}}\"\ntables = [\"{database}.*\"]\n",
            mariadb().url(&database),
            password.display()
        ),
    );
    let _daemon = installation.start(&["run"], &[]);
    mariadb().sql(&database, "INSERT INTO t VALUES (1), (2)").unwrap();
    wait_until("the lag to be 0", PATIENCE, || {
        let status = out(&installation.output(&["status", "--json"]));
        let status: serde_json::Value = serde_json::from_str(&status).unwrap_or_default();
        let source = &status["sources"][0];
        let caught_up = source["state"] == "streaming" && source["lag_seconds"] == 0.0;
        if caught_up { Ok(()) } else { Err(status.to_string()) }
    });
}

#[test]
fn uninstall_of_a_mariadb_source_says_that_nothing_of_ours_is_there() {
    let installation = Installation::new("");
    configure(
        &installation,
        "[source.hr]\nkind = \"mariadb\"\nurl = \"mysql://u@127.0.0.1:1/hr\"\n\
         tables = [\"hr.*\"]\n",
    );
    let output = installation.output(&["uninstall", "--source", "hr"]);
    assert!(output.status.success(), "{}", err(&output));
    assert_eq!(out(&output), "nothing of ours is left in source hr\n");
}

#[test]
fn a_mapping_alone_says_what_is_mirrored_and_a_misfit_is_named() {
    if !require("postgres") {
        return;
    }
    // GIVEN a source that names a pack and no tables
    let (installation, database) = with_erp("misfit", "mapping = \"demo_erp\"");
    let check = installation.output(&["check"]);
    assert!(check.status.success(), "{}", out(&check));
    // THEN the daemon mirrors what the pack reads, and nothing else
    let mut daemon = installation.start(&["run"], &[]);
    let published =
        || postgres().sql(&database, "SELECT tablename FROM pg_publication_tables").unwrap();
    wait_until("the publication", PATIENCE, || {
        if published().contains("zeit_pos") { Ok(()) } else { Err(published()) }
    });
    assert!(!published().contains("sys_protokoll"), "{}", published());
    daemon.kill();
    // WHEN a column that a mapping reads goes THEN check names entity, table and column
    postgres().sql(&database, "ALTER TABLE kunde RENAME COLUMN kd_nr TO kdnr").unwrap();
    let check = installation.output(&["check"]);
    assert_eq!(check.status.code(), Some(78), "{}", out(&check));
    let line = out(&check);
    let line = line.lines().find(|line| line.contains("mapping client of erp: ")).unwrap();
    assert!(line.contains("\"kunde\"") && line.contains("kd_nr"), "{line}");
    // WHEN a table is not mirrored THEN check says which pattern to add
    let source = erp(&installation, &database, "tables = [\"public.k*\"]\nmapping = \"demo_erp\"");
    configure(&installation, &source);
    let check = out(&installation.output(&["check"]));
    assert!(check.contains("mapping project of erp reads tables that are not mirrored"), "{check}");
    assert!(check.contains("add \"public.projekt\""), "{check}");
    // WHEN a table is not there at all THEN both say so
    postgres().sql(&database, "ALTER TABLE spesen RENAME TO spesen_alt").unwrap();
    let source = erp(&installation, &database, "mapping = \"demo_erp\"");
    configure(&installation, &source);
    let check = out(&installation.output(&["check"]));
    assert!(check.contains("mapping expense of erp reads tables that the source lacks: spesen"));
    assert!(check.contains("source `erp` lacks tables that its mapping reads"), "{check}");
}
