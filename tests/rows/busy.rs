//! Rows that are chosen, written to all the time while they are copied: first, and once more.
//!
//! Where the log does not tell of a long text that stays, a row may leave what is chosen, get another text and
//! come back, of which the log says nothing but that it is there.

use std::time::Duration;

use crate::agreement::store;
use crate::spine::store_rows;
use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);
const ROWS: u32 = 6_000;
/// The copy takes some seconds.
const ROWS_PER_SEC: u32 = 800;
/// Writes of one round.
const WRITES: u32 = 16_000;

/// The rows, and who writes to them: each write is a transaction of its own, and one in four takes a row out of
/// the choice, followed by one that brings it back.
const SETUP: &str = "
    CREATE TABLE t (id int PRIMARY KEY, company int, n int, note text);
    ALTER TABLE t ALTER COLUMN note SET STORAGE EXTERNAL;
    CREATE PROCEDURE churn(writes int, seed float8) LANGUAGE plpgsql AS $$
    DECLARE of int;
    BEGIN
        PERFORM setseed(seed);
        FOR i IN 1..writes LOOP
            of := 1 + floor(random() * ROWS);
            IF i % 4 = 0 THEN
                UPDATE t SET company = 2, note = repeat(i || ' ' || seed || ' ', 400) WHERE id = of;
                COMMIT;
                UPDATE t SET company = 1 WHERE id = of;
            ELSE
                UPDATE t SET n = n + 1 WHERE id = of;
            END IF;
            COMMIT;
        END LOOP;
    END $$;";

/// What every row is, as one text.
const DIGEST: &str = "md5(string_agg(concat_ws(' ', id, company, n, md5(note)), ',' ORDER BY id))";

fn told(installation: &Installation, sql: &str) -> Result<String, String> {
    Ok(store_rows(installation, sql)?[0][0].clone().unwrap_or_default())
}

fn wait_for(installation: &Installation, what: &str, theirs: &str) {
    wait_until(what, PATIENCE, || {
        let ours = told(installation, &format!("SELECT {DIGEST} FROM hr.t"))?;
        let open = "SELECT (SELECT count(*) FROM ops.unproven)
                    + (SELECT count(*) FROM ops.resync WHERE state = 'running')
                    + (SELECT count(*) FROM ops.mirror_table WHERE state <> 'done')";
        let open = told(installation, open)?;
        if ours == theirs && open == "0" { Ok(()) } else { Err(format!("{open} open, {ours}")) }
    });
}

fn chosen_amid_writes() {
    let database = servers::postgres_database("rows_busy");
    let server = servers::postgres();
    let sql = |text: &str| server.sql(&database, text).unwrap();
    sql(&SETUP.replace("ROWS", &ROWS.to_string()));
    sql(&format!(
        "INSERT INTO t SELECT i, 1, 0, repeat('first ', 400) FROM generate_series(1, {ROWS}) AS i"
    ));
    let installation = Installation::new("");
    let source = format!(
        "copy_rows_per_sec = {ROWS_PER_SEC}\ncopy_chunk_rows = 500\n
         [source.hr]\nkind = \"postgres\"\nurl = \"{}\"\ntables = [\"public.t\"]
         rows = {{ t = \"company = 1 AND note IS NOT NULL\" }}",
        server.url(&database)
    );
    store::configure(&installation, (&source, server.password()), None);
    let churn = |seed: &str| sql(&format!("CALL churn({WRITES}, {seed})"));
    let theirs = || sql(&format!("SELECT {DIGEST} FROM t")).trim().to_owned();
    // WHEN rows are written to while they are copied first
    let mut daemon = installation.start(&["run"], &[]);
    wait_until("the first copy", PATIENCE, || {
        let began = "SELECT count(*) FROM ops.mirror_table WHERE mirror_name = 't'";
        let began = told(&installation, began)?;
        if began == "1" { Ok(()) } else { Err(began) }
    });
    churn("0.1");
    wait_for(&installation, "the first copy amid writes", &theirs());
    // AND while they are copied again
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| churn("0.2"));
        let resync = installation.output(&["resync", "hr.public.t", "--json"]);
        writer.join().unwrap();
        assert!(resync.status.success(), "{}", String::from_utf8_lossy(&resync.stderr));
    });
    // THEN every row is what it is at the server
    wait_for(&installation, "a copy beside amid writes", &theirs());
    let compared = installation.output(&["reconcile", "--json"]);
    assert_eq!(compared.status.code(), Some(0), "{}", String::from_utf8_lossy(&compared.stdout));
    let said = daemon.output();
    assert!(!said.contains("it is copied anew"), "{said}");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_leave_and_come_back_while_they_are_copied_are_what_they_are() {
    if require("postgres") {
        tokio::task::block_in_place(chosen_amid_writes);
    }
}
