//! A table changes while it is read in parts: columns come and go, it is emptied and filled again, and some of its
//! keys are read once more.

use super::writing::equal;
use super::{PATIENCE, RANGES, Side, copies, copy_is_done};
use crate::spine::{store_opens, store_rows};
use crate::support::process::Installation;
use crate::support::wait::wait_until;

const ROWS: usize = 4_000;
/// Chunks of ten rows until the daemon dies.
const DIES: [(&str, &str); 1] = [("TRUEUP_FAILPOINT", "after-chunk-commit:20")];

/// A daemon dies in the midst of several parts, which it reads by itself or because it is asked to.
fn dies_in_parts(installation: &Installation, asked: &[&str]) {
    let mut daemon = installation.start(&["run"], &DIES);
    let _asker = (!asked.is_empty()).then(|| {
        store_opens(installation);
        installation.start(asked, &[])
    });
    assert!(!daemon.wait(PATIENCE).success());
    let parts = copies(installation)["t"].ranges.len();
    assert!(parts > 1, "it died in {parts} parts");
}

/// Waits until at least so many resyncs were there, all are done, and none is due. (New columns ask for one of
/// their own.) Returns how many there were.
fn resyncs_are_done(installation: &Installation, count: usize) -> usize {
    wait_until("the resync to be done", PATIENCE, || {
        let rows = store_rows(
            installation,
            "SELECT state FROM ops.resync UNION ALL SELECT 'due' FROM ops.unproven",
        )?;
        let is_done =
            rows.len() >= count && rows.iter().all(|row| row[0].as_deref() == Some("done"));
        if is_done { Ok(rows.len()) } else { Err(format!("{rows:?}")) }
    })
}

fn change(side: &Side) {
    side.fill("t", ROWS);
    let more = |name: &str| side.sql(&format!("ALTER TABLE t ADD COLUMN {name} int DEFAULT 5"));
    let limits = format!("copy_chunk_rows = 10\ncopy_tables = 1\ncopy_ranges = {RANGES}");
    let installation = side.install(&limits);
    // GIVEN a first copy in parts, under which a column comes
    dies_in_parts(&installation, &[]);
    more("more");
    side.sql("UPDATE t SET more = 6 WHERE id % 70 = 0; DELETE FROM t WHERE id % 110 = 0");
    dies_in_parts(&installation, &[]);
    let daemon = installation.start(&["run"], &[]);
    copy_is_done(&installation);
    equal(side, &installation, &[("t", "concat_ws('|', id, k, v, more)")]);
    drop(daemon);
    // AND a copy of what was there before, under which one comes, one goes, and keys take another place
    dies_in_parts(&installation, &["resync", "hr.t"]);
    more("most");
    side.sql("UPDATE t SET most = 7 WHERE id % 130 = 0; UPDATE t SET id = id + 1000000 WHERE id % 170 = 0");
    let daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    // (Mostly while chunks are read.)
    side.sql("ALTER TABLE t DROP COLUMN more; UPDATE t SET most = 8 WHERE id % 190 = 0");
    let before = resyncs_are_done(&installation, 1);
    let columns = "concat_ws('|', id, k, v, most)";
    equal(side, &installation, &[("t", columns)]);
    drop(daemon);
    // AND one under which all rows go and others come
    dies_in_parts(&installation, &["resync", "hr.t"]);
    side.sql(
        "CREATE TEMPORARY TABLE kept AS SELECT * FROM t WHERE id % 30 = 0; TRUNCATE TABLE t;
         INSERT INTO t SELECT * FROM kept",
    );
    let _daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    resyncs_are_done(&installation, before + 1);
    equal(side, &installation, &[("t", columns)]);
}

const ROW: &str = "concat_ws('|', id, k, v)";

/// Rows of the source.
fn theirs(side: &Side, condition: &str) -> Vec<String> {
    let rows = side.sql(&format!("SELECT {ROW} FROM t WHERE {condition}"));
    rows.lines().map(ToOwned::to_owned).collect()
}

/// Some keys are read again in parts, and no others.
fn read_some_again(side: &Side) {
    side.fill("t", ROWS);
    let limits = format!("copy_chunk_rows = 10\ncopy_tables = 1\ncopy_ranges = {RANGES}");
    let installation = side.install(&limits);
    let daemon = installation.start(&["run"], &[]);
    copy_is_done(&installation);
    drop(daemon);
    // As they were where nobody reads them again, as they are by now where somebody does.
    let mut expected = theirs(side, "id < 10000 OR id >= 99999");
    side.unheard(
        "t",
        "DELETE FROM t WHERE id % 70 = 0; UPDATE t SET v = 'unheard' WHERE id % 110 = 0",
    );
    expected.append(&mut theirs(side, "id >= 10000 AND id < 99999"));
    expected.sort_unstable();
    dies_in_parts(&installation, &["resync", "hr.t", "--where", "id >= 10000 AND id < 99999"]);
    let _daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    resyncs_are_done(&installation, 1);
    let rows = store_rows(&installation, &format!("SELECT {ROW} FROM hr.t")).unwrap();
    let mut found: Vec<String> = rows.into_iter().filter_map(|mut row| row.remove(0)).collect();
    found.sort_unstable();
    let first = found.iter().zip(&expected).find(|(one, other)| one != other);
    assert!(found == expected, "{} rows for {}, first {first:?}", found.len(), expected.len());
    // The daemon's death may cost the chunks that were on their way, and no more.
    let read = "SELECT (rows_read BETWEEN 2500 AND 3200)::VARCHAR FROM ops.resync";
    assert_eq!(store_rows(&installation, read).unwrap()[0][0].as_deref(), Some("true"));
}

fn on(kind: &'static str, label: &str, run: fn(&Side)) {
    let Some(side) = Side::new(kind, label) else { return };
    tokio::task::block_in_place(|| run(&side));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_a_postgresql_changes_while_it_is_read_in_parts() {
    on("postgres", "changing", change);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_a_mariadb_changes_while_it_is_read_in_parts() {
    on("mariadb", "changing", change);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_a_mysql_changes_while_it_is_read_in_parts() {
    on("mysql", "changing", change);
}

#[tokio::test(flavor = "multi_thread")]
async fn some_keys_of_a_postgresql_are_read_again_in_parts() {
    on("postgres", "some_keys", read_some_again);
}

#[tokio::test(flavor = "multi_thread")]
async fn some_keys_of_a_mariadb_are_read_again_in_parts() {
    on("mariadb", "some_keys", read_some_again);
}
