//! `trueup resync SOURCE.TABLE --where …`: of a mirror that is wrong everywhere, what was asked for is mended and
//! the rest is as wrong as before, also where the daemon is killed in its midst.

use duckdb::Connection;

use super::{PATIENCE, text};
use crate::agreement::store;
use crate::spine::store_rows;
use crate::support::process::{Installation, Running};
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

/// Of each hundred keys: one is lost, one is wrong, one is a ghost; and those of the key's other half.
const TAMPERED: &str =
    "DELETE FROM hr.t WHERE id % 100 = 7; UPDATE hr.t SET v = 'wrong' WHERE id % 100 = 8;
    INSERT INTO hr.t SELECT g * 100 + 9, 2, 'ghost' FROM range(0, 9) AS s(g)";
const PART: &str = "id >= 200 and id < 500";

fn is_open(installation: &Installation) -> Result<(), String> {
    let sql = "SELECT source FROM ops.source_ready";
    store_rows(installation, sql)?.first().map(drop).ok_or_else(|| "not ready".to_owned())
}

fn asked(installation: &Installation, arguments: &[&str]) -> (i32, String) {
    let table = ["resync", "hr.t"];
    let output = installation.output(&[&table[..], arguments].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().unwrap(), said)
}

/// Keys that differ, by hundreds.
fn differing(installation: &Installation) -> Vec<String> {
    let compared = installation.output(&["reconcile"]);
    assert!(compared.status.code().is_some_and(|code| code < 2), "{compared:?}");
    let sql = "SELECT concat(split_part(key, '|', 1)::INT // 100, ': ', string_agg(class, ' ' ORDER BY key))
               FROM ops.drift GROUP BY split_part(key, '|', 1)::INT // 100 ORDER BY 1";
    text(installation, sql)
}

fn a_part_is_mended(installation: &Installation, write: &dyn Fn(&str)) {
    let mut daemon: Running = installation.start(&["run"], &[]);
    wait_until("the copy to be done", PATIENCE, || is_open(installation));
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    let store = Connection::open(installation.state_folder().join("store.duckdb")).unwrap();
    store.execute_batch(TAMPERED).unwrap();
    drop(store);
    daemon = installation.start(&["run"], &[("TRUEUP_FAILPOINT", "after-chunk-commit:4")]);
    wait_until("the store to open", PATIENCE, || is_open(installation));
    let all = |hundreds: &[u32]| -> Vec<String> {
        hundreds.iter().map(|n| format!("{n}: missing diverged extra")).collect()
    };
    assert_eq!(differing(installation), all(&[0, 1, 2, 3, 4, 5, 6, 7, 8]));
    // What it cannot be asked for
    for (only, expected) in [
        ("v = 'wrong'", "v is not one of the key's numbers, dates, times and UUIDs"),
        ("nobody = 1", "there is no column nobody"),
        ("id = ", "its end stands where a value should"),
        ("id > 1 OR id < 2", "terms are joined by AND"),
    ] {
        let (code, said) = asked(installation, &["--where", only]);
        assert!(
            said.contains(expected) && said.contains("a condition over its key (id, k)"),
            "{said}"
        );
        assert_eq!(code, 1, "{said}");
    }
    let (code, said) = asked(installation, &["--where", PART, "--dry-run"]);
    assert!(said.contains("of which id >= 200 and id < 500, and mend those of the 27"), "{said}");
    assert_eq!(code, 1);
    // WHEN it is asked for, dies in its midst, and goes on
    let (code, _) = asked(installation, &["--where", PART]);
    assert_ne!(code, 0, "the daemon ended in its midst");
    assert!(!daemon.wait(PATIENCE).success());
    write(
        "UPDATE t SET v = 'meanwhile' WHERE id IN (150, 250); DELETE FROM t WHERE id IN (151, 251)",
    );
    let _daemon = installation.start(&["run"], &[]);
    wait_until("the part to be copied", PATIENCE, || {
        let sql = "SELECT state FROM ops.resync";
        let states = store_rows(installation, sql)?;
        if states == [[Some("done".to_owned())]] { Ok(()) } else { Err(format!("{states:?}")) }
    });
    // THEN that part of it is as it should be, and no other
    assert_eq!(differing(installation), all(&[0, 1, 5, 6, 7, 8]));
    let counts =
        text(installation, "SELECT concat(rows_mended, ' ', rows_removed) FROM ops.resync");
    assert_eq!(counts, ["6 3"]);
    let (code, said) = asked(installation, &["--where", "id IN (7, 8, 9, 107) AND k IN (1, 2)"]);
    assert!(said.contains("3 rows read, 3 mended, 1 removed"), "{said}");
    assert_eq!(code, 1, "the rest differs: {said}");
    let expected = [&["1: diverged extra".to_owned()], all(&[5, 6, 7, 8]).as_slice()].concat();
    assert_eq!(differing(installation), expected);
    let (code, said) = asked(installation, &[]);
    assert_eq!(code, 0, "{said}");
    assert_eq!(differing(installation), [""; 0]);
}

fn configured(kind: &str, url: &str, password: &str, tables: &str) -> Installation {
    let installation = Installation::new("");
    let source = format!(
        "compare_every_secs = 0\ncopy_chunk_rows = 40\n[source.hr]\nkind = \"{kind}\"\nurl = \"{url}\"\n\
         tables = [\"{tables}\"]"
    );
    store::configure(&installation, (&source, password), None);
    installation
}

const TABLE: &str = "CREATE TABLE t (id int, k int, v varchar(20), PRIMARY KEY (id, k));";

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_postgresqls_table_is_copied_again() {
    if !require("postgres") {
        return;
    }
    let (server, database) = (servers::postgres(), servers::postgres_database("part"));
    let rows =
        "INSERT INTO t SELECT g, 1, 'v' || g FROM generate_series(1, 899) AS g WHERE g % 100 <> 9";
    server.sql(&database, &format!("{TABLE} {rows}")).unwrap();
    let installation =
        configured("postgres", &server.url(&database), server.password(), "public.t");
    let write = |sql: &str| drop(server.sql(&database, sql).unwrap());
    tokio::task::block_in_place(|| a_part_is_mended(&installation, &write));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_mariadbs_table_is_copied_again() {
    if !require("mariadb") {
        return;
    }
    let server = servers::mariadb();
    let database = servers::binlog_database(server, "part");
    let rows =
        "INSERT INTO t SELECT seq, 1, concat('v', seq) FROM seq_1_to_899 WHERE seq % 100 <> 9";
    server.sql(&database, &format!("{TABLE} {rows}")).unwrap();
    let tables = format!("{database}.t");
    let installation = configured("mariadb", &server.url(&database), server.password(), &tables);
    let write = |sql: &str| drop(server.sql(&database, sql).unwrap());
    tokio::task::block_in_place(|| a_part_is_mended(&installation, &write));
}
