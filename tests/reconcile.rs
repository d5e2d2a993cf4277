//! A source against its mirror while writers and daemon live, on every engine: no false alarm, every
//! type spelled alike, and everything that was tampered with found, named and told apart.

mod part;
mod tampering;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use trueup::demo::servers::{BinlogServer, MariadbServer, Options};

use crate::agreement::postgres::connect;
use crate::agreement::{mariadb, store};
use crate::spine;
use crate::support::process::{Installation, Running};
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);
/// Comparisons of one table under load, of 256 buckets each.
const COMPARISONS: u32 = 8;
/// Rows of the table.
const ROWS: u32 = 20_000;
/// Between two statements of a writer: writers that daemons on a busy machine cannot follow prove nothing.
const PAUSE: Duration = Duration::from_millis(30);

const POSTGRES: &str = "
    CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE TABLE t (id int PRIMARY KEY, n numeric(12,3), free numeric, txt varchar(60), pad char(6),
        ok boolean, d date, at timestamp, zoned timestamptz, tod time, raw bytea, doc jsonb, u uuid,
        many int[], m mood, f double precision, span interval);
    INSERT INTO t SELECT g, g / 8.0, CASE g % 3 WHEN 0 THEN 1.50 WHEN 1 THEN 'NaN' END,
        CASE g % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN ' ä☃ ' ELSE 'x' || g END,
        left('ab' || g, 1 + g % 6), g % 2 = 0, DATE '1999-12-28' + g % 9000,
        TIMESTAMP '2026-03-29 01:59:59.5' + g * interval '0.7 seconds',
        TIMESTAMPTZ '2026-10-25 00:30:00+00' + g * interval '61 seconds',
        TIME '23:59:00' - g % 80000 * interval '1.001 seconds', decode(md5(g::text), 'hex'),
        jsonb_build_object('a', g, 'b', NULL), md5(g::text)::uuid, ARRAY[g, NULL, 1],
        CASE WHEN g % 2 = 0 THEN 'glad'::mood END, g / 7.0, g * interval '1 minute'
    FROM generate_series(1, 20000) AS g;
    UPDATE t SET d = '0044-03-15 BC' WHERE id = 7;
    CREATE TABLE pair (a text, b int, v text, began timestamp, PRIMARY KEY (a, b));
    INSERT INTO pair SELECT 'k' || g % 50, g, 'v', TIMESTAMP '2026-11-02 08:00' + g * interval '15 minutes'
    FROM generate_series(1, 500) AS g";

const MARIADB: &str = "
    CREATE TABLE t (id int PRIMARY KEY, n decimal(12,3), big bigint unsigned, txt varchar(60),
        pad char(6), latin varchar(20) CHARACTER SET latin1, ok boolean, d date, at datetime,
        fine datetime(6), stamped timestamp(3) NULL, tod time(2), raw varbinary(20), doc json,
        mood enum('glad', 'sad'), bits bit(5), y year, f double);
    INSERT INTO t SELECT seq, seq / 8, 18446744073709551615 - seq,
        CASE seq % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN ' ä☃' ELSE concat('x', seq) END,
        left(concat('ab', seq), 1 + seq % 6), 'é', seq % 2, DATE '1999-12-28' + INTERVAL seq % 9000 DAY,
        '2026-03-29 01:59:59' + INTERVAL seq SECOND, '2026-03-29 01:59:59.25' + INTERVAL seq SECOND,
        '2026-10-25 00:30:00.125' + INTERVAL seq MINUTE, SEC_TO_TIME(seq % 80000 + 0.25),
        UNHEX(MD5(seq)), JSON_OBJECT('a', seq), IF(seq % 2, 'glad', NULL), seq % 32,
        1950 + seq % 150, seq / 7 FROM seq_1_to_20000;
    CREATE TABLE pair (a varchar(20), b int, v text, began datetime, PRIMARY KEY (a, b));
    INSERT INTO pair SELECT concat('k', seq % 50), seq, 'v', '2026-11-02 08:00' + INTERVAL 15 * seq MINUTE
    FROM seq_1_to_500";

/// Ten rows at once.
const CHANGE: &str =
    "UPDATE t SET n = n + 1, txt = concat('w', {r}) WHERE id BETWEEN {r} AND {r} + 9";

fn reconcile(installation: &Installation) -> serde_json::Value {
    let output = installation.output(&["reconcile", "--json"]);
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
    })
}

/// Rows, and rows that differ.
fn compared(installation: &Installation) -> (u64, u64) {
    let answer = reconcile(installation);
    let sum = |field: &str| {
        let all = answer["compared"].as_array().unwrap().iter();
        all.map(|one| one[field].as_u64().unwrap()).sum()
    };
    (sum("rows"), sum("differing"))
}

fn text(installation: &Installation, sql: &str) -> Vec<String> {
    let rows = spine::store_rows(installation, sql).unwrap();
    rows.into_iter().map(|mut row| row.remove(0).unwrap_or_default()).collect()
}

/// Compares while `writing`; then tampers with the mirror and compares again.
fn prove(installation: &Installation, source: &str, written: &AtomicU64, floats: &str) {
    let mut daemon = installation.start(&["run"], &[]);
    wait_until("the copy to be done", PATIENCE, || {
        let rows = spine::store_rows(installation, "SELECT source FROM ops.source_ready")?;
        rows.first().map(drop).ok_or_else(|| "not yet".to_owned())
    });
    let (began, before) = (Instant::now(), written.load(Ordering::Relaxed));
    for round in 0..COMPARISONS {
        let (rows, differing) = compared(installation);
        let drift = || text(installation, "SELECT to_json(d)::VARCHAR FROM ops.drift AS d LIMIT 3");
        assert_eq!(differing, 0, "{:?}", drift());
        assert_eq!(rows, u64::from(ROWS) + 500);
        if round == COMPARISONS / 2 {
            daemon.kill();
            daemon = installation.start(&["run"], &[]);
            spine::store_opens(installation);
        }
    }
    let rows = written.load(Ordering::Relaxed) - before;
    eprintln!(
        "{COMPARISONS} comparisons of 2 tables in 256 buckets, {rows} rows written meanwhile, {:.0} \
         a second: none differs",
        rows as f64 / began.elapsed().as_secs_f64()
    );
    assert!(rows > u64::from(COMPARISONS) * 100, "the writers were too slow to prove anything");
    let left_out = "SELECT left_out::VARCHAR FROM ops.comparison WHERE entity LIKE '%.t'";
    assert_eq!(text(installation, left_out), [floats]);
    // WHEN the mirror is changed behind everybody's back
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    let corruptions = tampering::corruptions();
    tampering::tamper(installation, source, &corruptions);
    let mut daemon = installation.start(&["run"], &[]);
    spine::store_opens(installation);
    // THEN each row is found and told apart from the others, and nothing else is
    compared(installation);
    tampering::prove_found(installation, &corruptions);
    // and a resync mends them while people write, even if the daemon is killed in its midst
    mend(installation, &mut daemon, source);
    assert_eq!(compared(installation), (u64::from(ROWS) + 500, 0));
    let open = "SELECT count(*) FROM ops.drift";
    assert_eq!(text(installation, open), ["0"]);
}

/// Copies both tables again.
fn mend(installation: &Installation, daemon: &mut Running, source: &str) {
    let schema =
        text(installation, "SELECT DISTINCT entity FROM ops.comparison WHERE entity LIKE '%.t'");
    let schema = schema[0].trim_end_matches(".t").to_owned();
    let of = |table: &str| format!("{source}.{table}");
    let plan = installation.output(&["resync", &of("t"), "--dry-run"]);
    let said = String::from_utf8_lossy(&plan.stdout).into_owned();
    let would = format!("would read {ROWS} rows of {source}.{schema}.t again and mend ");
    assert!(said.contains(&would), "{said}");
    assert_eq!(plan.status.code(), Some(1), "{said}");
    daemon.kill();
    *daemon = installation.start(&["run"], &[("TRUEUP_FAILPOINT", "after-chunk-commit")]);
    let began = Instant::now();
    spine::store_opens(installation);
    let refused = installation.output(&["resync", &of("t"), "--json"]);
    assert!(!refused.status.success(), "the daemon ended in its midst");
    assert!(!daemon.wait(PATIENCE).success());
    *daemon = installation.start(&["run"], &[]);
    for (table, rows) in [("t", ROWS), ("pair", 500)] {
        spine::store_opens(installation);
        let done = installation.output(&["resync", &of(table), "--json"]);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let because = String::from_utf8_lossy(&done.stderr).into_owned();
        let answer: serde_json::Value = serde_json::from_str(&said).expect(&because);
        assert_eq!(done.status.code(), Some(0), "{said}");
        assert_eq!(answer["table"], format!("{schema}.{table}"));
        // Rows that the log brought after a chunk was read are not held against it.
        let read = answer["rows_read"].as_u64().unwrap();
        assert!(read > u64::from(rows) / 2 && read <= u64::from(rows), "{said}");
    }
    eprintln!("mended in {:.1} s", began.elapsed().as_secs_f64());
    let noted = text(
        installation,
        // The one that was killed may have come to its end before it was asked for again.
        "SELECT concat(table_name, ' ', rows_mended, ' ', rows_removed) FROM ops.resync
         WHERE rows_mended + rows_removed > 0 ORDER BY 1",
    );
    assert_eq!(noted, tampering::mended(&schema));
    let states = "SELECT DISTINCT state FROM ops.resync WHERE ended_at >= began_at";
    assert_eq!(text(installation, states), ["done"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_and_its_mirror_agree_under_load_and_what_was_changed_is_found() {
    if !require("postgres") {
        return;
    }
    let database = servers::postgres_database("reconcile");
    let client = connect(servers::postgres(), &database).await;
    client.batch_execute(POSTGRES).await.unwrap();
    let installation =
        spine::installation(servers::postgres(), &database, "compare_every_secs = 0");
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..3_u32 {
        let (client, stop) = (connect(servers::postgres(), &database).await, Arc::clone(&stop));
        let written = Arc::clone(&written);
        tasks.spawn(async move {
            let mut at = task;
            while !stop.load(Ordering::Relaxed) {
                at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let row = (100 + at % (ROWS - 200)).to_string();
                let (begin, end) = match at % 7 {
                    0 => ("BEGIN;", "; ROLLBACK"),
                    1 => ("BEGIN; SAVEPOINT s;", "; RELEASE s; COMMIT"),
                    _ => ("", ""),
                };
                let sql = format!("{begin}{}{end}", CHANGE.replace("{r}", &row));
                client.batch_execute(&sql).await.unwrap();
                written.fetch_add(10, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    tokio::task::block_in_place(|| prove(&installation, "erp", &written, "[f, span]"));
    stop.store(true, Ordering::Relaxed);
    tasks.join_all().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mariadb_and_its_mirror_agree_under_load_and_what_was_changed_is_found() {
    if require("mariadb") {
        of_a_binlog("mariadb", servers::mariadb(), MARIADB).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_and_its_mirror_agree_under_load_and_what_was_changed_is_found() {
    if require("mysql") {
        of_a_mysql(servers::mysql()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_without_gtids_and_its_mirror_agree_under_load_and_what_was_changed_is_found() {
    if require("mysql") {
        of_a_mysql(servers::mysql_without_gtids()).await;
    }
}

async fn of_a_mysql(server: &'static BinlogServer) {
    let rows = |count: u32| {
        format!(
            "(WITH RECURSIVE s (seq) AS
                    (SELECT 1 UNION ALL SELECT seq + 1 FROM s WHERE seq < {count})
                  SELECT seq FROM s) AS numbers"
        )
    };
    let tables = MARIADB
        .replace("seq_1_to_20000", &rows(ROWS))
        .replace("seq_1_to_500", &rows(500))
        .replace("MD5(seq)", "left(SHA2(seq, 256), 40)");
    let tables = format!("SET SESSION cte_max_recursion_depth = 100000; {tables}");
    of_a_binlog("mysql", server, &tables).await;
}

async fn of_a_binlog(kind: &str, server: &'static BinlogServer, tables: &str) {
    let database = servers::binlog_database(server, "reconcile");
    server.sql(&database, tables).unwrap();
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"{kind}\"\nurl = \"{}\"\ntables = [\"{database}.*\"]",
        server.url(&database)
    );
    store::configure(&installation, (&source, server.password()), None);
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..3_u32 {
        let mut connection = mariadb::connect(server, &database).await;
        let (stop, written) = (Arc::clone(&stop), Arc::clone(&written));
        tasks.spawn(async move {
            let mut at = task;
            while !stop.load(Ordering::Relaxed) {
                at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let row = (100 + at % (ROWS - 200)).to_string();
                // Two writers of the same rows may meet: one of them is told to try again.
                let done = connection.query_drop(CHANGE.replace("{r}", &row)).await;
                written.fetch_add(if done.is_ok() { 10 } else { 0 }, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    tokio::task::block_in_place(|| prove(&installation, "hr", &written, "[f]"));
    stop.store(true, Ordering::Relaxed);
    tasks.join_all().await;
}

/// What is tried again by itself is a warning: an error calls a person.
#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_with_a_source_that_is_away_fails_and_calls_nobody() {
    if !require("mariadb") {
        return;
    }
    let server = MariadbServer::start(&Options::default()).unwrap();
    server.create_database("away").unwrap();
    server.sql("away", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").unwrap();
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\ntables = [\"away.*\"]",
        server.url("away")
    );
    store::configure(&installation, (&source, server.password()), None);
    let daemon = installation.start(&["run"], &[]);
    wait_until("the copy", PATIENCE, || {
        let rows = spine::store_rows(&installation, "SELECT source FROM ops.source_ready")?;
        rows.first().map(drop).ok_or_else(|| "not yet".to_owned())
    });
    server.kill().unwrap();
    let compared = installation.output(&["reconcile"]);
    assert_eq!(compared.status.code(), Some(69), "{compared:?}");
    let said = daemon.output();
    let failed = said.lines().find(|line| line.contains("a comparison failed"));
    assert!(failed.is_some_and(|line| line.contains("\"WARN\"")), "{said}");
    assert!(!said.contains("\"ERROR\""), "{said}");
}
