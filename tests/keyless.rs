//! Tables without a key: the mirror has every row as often as the server, whatever is written, copied,
//! killed and changed; what is tampered with is found. Of MariaDB and MySQL: `binlog`.

mod binlog;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio_postgres::Client;
use trueup::demo::servers::PostgresServer;

use crate::agreement::postgres::connect;
use crate::spine::{self, store_opens, store_rows};
use crate::support::process::Installation;
use crate::support::random::seeded;
use crate::support::servers;
use crate::support::versions::{Version, on_versions};
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);

/// `tally` and `parts` may change any of their rows; into `entries` one only inserts.
const TABLES: &str = "
    CREATE TABLE tally (n int, txt text, amount numeric(12,2), stamp timestamptz, doc jsonb, big text,
        f double precision);
    ALTER TABLE tally REPLICA IDENTITY FULL;
    ALTER TABLE tally ALTER big SET STORAGE EXTERNAL;
    CREATE UNIQUE INDEX ON tally (n, txt) WHERE n < 0;
    INSERT INTO tally SELECT g % 40, CASE g % 4 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'x' || g % 3 END,
        g % 3 / 4.0, '2026-10-25 00:30:00+00', '{\"a\": null}',
        CASE WHEN g % 9 = 0 THEN repeat(md5((g % 2)::text), 200) END, g % 2 / 7.0
    FROM generate_series(1, 3000) AS g;
    CREATE TABLE entries (n int, txt text);
    ALTER TABLE entries REPLICA IDENTITY NOTHING;
    INSERT INTO entries SELECT g % 5, NULL FROM generate_series(1, 1500) AS g;
    CREATE TABLE parts (n int, txt text) PARTITION BY LIST (n);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (0, 1);
    CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
    ALTER TABLE parts REPLICA IDENTITY FULL;
    ALTER TABLE parts_1 REPLICA IDENTITY FULL;
    ALTER TABLE parts_2 REPLICA IDENTITY FULL;
    INSERT INTO parts SELECT g % 4, 'p' FROM generate_series(1, 500) AS g;
    CREATE TABLE cut (n int, txt text);
    ALTER TABLE cut REPLICA IDENTITY FULL;
    INSERT INTO cut SELECT g % 4, 'c' FROM generate_series(1, 500) AS g;
    CREATE TABLE keyed (id int PRIMARY KEY, n int);
    INSERT INTO keyed SELECT g, g FROM generate_series(1, 500) AS g";

/// Every row of a table as a text, by table: the same for both engines.
const ROWS: [(&str, &str); 5] = [
    (
        "tally",
        "concat_ws('|', coalesce(n::text, '~'), coalesce(txt, '~'), coalesce(amount::text, '~'),
            coalesce(md5(big), '~'), extract(epoch FROM stamp)::bigint::text, round(f * 7)::int::text,
            replace(doc::text, ' ', ''))",
    ),
    ("entries", "concat_ws('|', coalesce(n::text, '~'), coalesce(txt, '~'))"),
    ("parts", "concat_ws('|', coalesce(n::text, '~'), coalesce(txt, '~'))"),
    ("cut", "concat_ws('|', coalesce(n::text, '~'), coalesce(txt, '~'))"),
    ("keyed", "concat_ws('|', id::text, n::text)"),
];

fn counted(table: &str, row: &str) -> String {
    format!("SELECT {row} AS r, count(*)::text AS c FROM {table} GROUP BY 1")
}

async fn on_server(client: &Client, table: &str, row: &str) -> Vec<Vec<Option<String>>> {
    let rows = client.query(&counted(table, row), &[]).await.unwrap();
    let mut rows: Vec<_> = rows.iter().map(|row| vec![row.get(0), row.get(1)]).collect();
    rows.sort();
    rows
}

/// Waits until the mirror has every row of the server as often. Nobody may be writing.
async fn agrees(installation: &Installation, client: &Client) {
    for (table, row) in ROWS {
        let expected = on_server(client, table, row).await;
        wait_until(&format!("{table} to be equal"), PATIENCE, || {
            let mut found = store_rows(installation, &counted(&format!("erp.{table}"), row))?;
            found.sort();
            let lacks = expected.iter().find(|row| !found.contains(row));
            let has = found.iter().find(|row| !expected.contains(row));
            if lacks.or(has).is_none() { Ok(()) } else { Err(format!("{lacks:?} {has:?}")) }
        });
    }
}

/// Compares every table; how many rows differ.
fn differing(installation: &Installation, rows: usize) -> u64 {
    let output = installation.output(&["reconcile", "--json"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer: serde_json::Value = serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let all = answer["compared"].as_array().unwrap();
    let sum = |field: &str| all.iter().map(|one| one[field].as_u64().unwrap()).sum::<u64>();
    assert_eq!((all.len(), sum("rows")), (ROWS.len(), rows as u64), "{said}");
    let is_clean = output.status.code() == Some(0);
    assert_eq!(is_clean, sum("differing") == 0, "{said}");
    sum("differing")
}

async fn rows_in_all(client: &Client) -> usize {
    let mut rows = 0;
    for (table, _) in ROWS {
        let row = client.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap();
        rows += usize::try_from(row.get::<_, i64>(0)).unwrap();
    }
    rows
}

fn installation(
    server: &PostgresServer,
    database: &str,
    limits: &str,
    keyless: &str,
) -> Installation {
    let installation = spine::installation(server, database, limits);
    let path = installation.write("password", server.password()).with_file_name("trueup.toml");
    let text = std::fs::read_to_string(path).unwrap();
    installation.write("trueup.toml", &format!("{text}keyless = [{keyless}]\n"));
    installation
}

const KEYLESS: &str = "\"public.tally\", \"public.entries\", \"public.part*\", \"public.cut\"";

struct Writers {
    stop: Arc<AtomicBool>,
    tasks: JoinSet<u64>,
}

impl Writers {
    async fn start(server: &Arc<PostgresServer>, database: &str, rng: &mut StdRng) -> Self {
        let (stop, mut tasks) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for _ in 0..3 {
            let client = connect(server, database).await;
            let (stop, mut rng) = (Arc::clone(&stop), StdRng::seed_from_u64(rng.random()));
            tasks.spawn(async move {
                let mut written = 0;
                while !stop.load(Ordering::Relaxed) {
                    let statements = statements(&mut rng);
                    // Two that change one row, or a TRUNCATE: the server may refuse one of them.
                    written += u64::from(client.batch_execute(&statements).await.is_ok());
                    client.batch_execute("ROLLBACK").await.unwrap();
                    tokio::time::sleep(Duration::from_millis(25)).await;
                }
                written
            });
        }
        Self { stop, tasks }
    }

    async fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let mut written = 0;
        while let Some(done) = self.tasks.join_next().await {
            written += done.unwrap();
        }
        written
    }
}

/// A transaction: mostly of one or few of several equal rows.
fn statements(rng: &mut StdRng) -> String {
    let mut all = vec!["BEGIN".to_owned()];
    for _ in 0..rng.random_range(1..5) {
        let (n, count) = (rng.random_range(0..40), rng.random_range(1..4));
        let some =
            |table: &str| format!("(SELECT ctid FROM ONLY {table} WHERE n = {n} LIMIT {count})");
        all.push(match rng.random_range(0..12) {
            0 | 1 => format!(
                "INSERT INTO tally (n, txt) SELECT {n}, NULL FROM generate_series(1, {count})"
            ),
            2 => format!("INSERT INTO tally SELECT * FROM tally WHERE n = {n} LIMIT {count}"),
            3 | 4 => format!(
                "UPDATE tally SET txt = 'w', amount = 0.5 WHERE ctid = ANY(ARRAY{})",
                some("tally")
            ),
            5 => format!("UPDATE tally SET n = n WHERE n = {n}"),
            6 | 7 => format!("DELETE FROM tally WHERE ctid = ANY(ARRAY{})", some("tally")),
            8 => format!("INSERT INTO entries VALUES ({n}, 'e'), ({n}, 'e'), (NULL, NULL)"),
            9 => format!(
                "UPDATE parts SET n = (n + 1) % 4 WHERE ctid = ANY(ARRAY{})",
                some("parts_1")
            ),
            10 => "SAVEPOINT s; DELETE FROM tally WHERE n = 3; ROLLBACK TO s".to_owned(),
            _ if rng.random_ratio(1, 40) => {
                "TRUNCATE cut; INSERT INTO cut VALUES (1, 'c')".to_owned()
            }
            _ => format!(
                "INSERT INTO parts VALUES ({count}, 'p'); INSERT INTO cut VALUES ({count}, 'c')"
            ),
        });
    }
    all.push(if rng.random_ratio(1, 8) { "ROLLBACK" } else { "COMMIT" }.to_owned());
    all.join("; ")
}

async fn tables_without_a_key_are_mirrored_through_kills(version: Version) {
    let (server, mut rng) = (servers::postgres_of(version), seeded());
    let database = servers::database_on(server, "keyless");
    let client = connect(server, &database).await;
    client.batch_execute(TABLES).await.unwrap();
    let limits = "compare_every_secs = 0\ncopy_chunk_rows = 200";
    let installation = installation(server, &database, limits, KEYLESS);
    let writing = Writers::start(server, &database, &mut rng).await;
    for failpoint in [
        "after-chunk:3",
        "after-chunk-commit:4",
        "before-store-commit:6",
        "after-store-commit:9",
        "after-outbox-commit:12",
        "after-journal-commit:30",
    ] {
        let mut daemon = installation.start(&["run"], &[("TRUEUP_FAILPOINT", failpoint)]);
        assert!(!daemon.wait(PATIENCE).success(), "{failpoint} must have crashed");
    }
    let mut daemon = installation.start(&["run"], &[]);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..1_500))).await;
        daemon.kill();
        daemon = installation.start(&["run"], &[]);
    }
    wait_until("the copy", PATIENCE, || {
        let ready = store_rows(&installation, "SELECT source FROM ops.source_ready")?;
        let status =
            || String::from_utf8_lossy(&installation.output(&["status"]).stdout).into_owned();
        ready.first().map(drop).ok_or_else(status)
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let written = writing.stop().await;
    assert!(written > 200, "the writers must have been busy: {written} transactions");
    agrees(&installation, &client).await;
    assert_eq!(differing(&installation, rows_in_all(&client).await), 0);
    let doubted = "SELECT count(*) FROM ops.unproven";
    assert_eq!(store_rows(&installation, doubted).unwrap()[0][0].as_deref(), Some("0"));
    eprintln!("{written} transactions, all is equal");
    // WHEN columns change THEN the table is copied anew
    client
        .batch_execute(
            "ALTER TABLE tally ADD COLUMN added int DEFAULT 7; DELETE FROM tally WHERE n = 1",
        )
        .await
        .unwrap();
    wait_until("the column to come", PATIENCE, || {
        let sql = "SELECT count(*) FROM erp.tally WHERE added IS DISTINCT FROM 7";
        let rows = store_rows(&installation, sql)?;
        if rows[0][0].as_deref() == Some("0") { Ok(()) } else { Err(format!("{rows:?}")) }
    });
    agrees(&installation, &client).await;
    client.batch_execute("TRUNCATE tally; INSERT INTO tally (n) VALUES (1), (1)").await.unwrap();
    agrees(&installation, &client).await;
    assert_eq!(differing(&installation, rows_in_all(&client).await), 0);
}

async fn what_is_tampered_with_in_a_table_without_a_key_is_counted_and_mended(version: Version) {
    let server = servers::postgres_of(version);
    let database = servers::database_on(server, "counted");
    let client = connect(server, &database).await;
    client.batch_execute(TABLES).await.unwrap();
    let installation = installation(server, &database, "compare_every_secs = 0", KEYLESS);
    let mut daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    agrees(&installation, &client).await;
    let rows = rows_in_all(&client).await;
    wait_until("the comparison", PATIENCE, || {
        let output = installation.output(&["reconcile"]);
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stdout).into())
        }
    });
    assert_eq!(differing(&installation, rows), 0);
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    {
        let store =
            duckdb::Connection::open(installation.state_folder().join("store.duckdb")).unwrap();
        for sql in [
            // One of equals less, two of another more, and one that is another by now.
            "DELETE FROM erp.entries WHERE n = 2 AND _nth = 300",
            "INSERT INTO erp.entries SELECT n, txt, _row, _nth + 300 FROM erp.entries
             WHERE n = 3 AND _nth <= 2",
            "UPDATE erp.parts SET txt = NULL WHERE n = 1 AND _nth = 1",
        ] {
            assert!(store.execute(sql, []).unwrap() > 0, "{sql}");
        }
    }
    let mut daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    assert_eq!(differing(&installation, rows), 1 + 2 + 2);
    let classes = "SELECT string_agg(class, ' ' ORDER BY class) FROM ops.drift";
    let found = store_rows(&installation, classes).unwrap();
    assert_eq!(found[0][0].as_deref(), Some("extra extra extra missing missing"));
    for table in ["entries", "parts"] {
        let done = installation.output(&["resync", &format!("erp.{table}")]);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let because = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(0), "{said}{because}");
        assert!(said.contains("copied anew"), "{said}");
    }
    agrees(&installation, &client).await;
    assert_eq!(differing(&installation, rows), 0);
    // WHEN a row goes that the mirror has lost THEN the table is copied again by itself
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    {
        let store =
            duckdb::Connection::open(installation.state_folder().join("store.duckdb")).unwrap();
        assert!(store.execute("DELETE FROM erp.tally WHERE n = 4", []).unwrap() > 0);
    }
    client.batch_execute("DELETE FROM tally WHERE n = 4 AND txt IS NULL").await.unwrap();
    let _daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    agrees(&installation, &client).await;
}

async fn a_table_without_a_key_needs_the_operators_word(version: Version) {
    let server = servers::postgres_of(version);
    let database = servers::database_on(server, "word");
    let client = connect(server, &database).await;
    client.batch_execute(TABLES).await.unwrap();
    client.batch_execute("CREATE TABLE odd (n int, \"_ROW\" text)").await.unwrap();
    let check = |installation: &Installation| {
        let output = installation.output(&["check"]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), said + &String::from_utf8_lossy(&output.stderr))
    };
    // WHEN nobody says so THEN each is refused, and the way is shown
    let (is_fine, said) = check(&installation(server, &database, "", ""));
    assert!(!is_fine, "{said}");
    assert!(said.contains("keyless = [\"public.tally\"]"), "{said}");
    // WHEN somebody does THEN the price is told, and what cannot be is refused by name
    let (is_fine, said) = check(&installation(server, &database, "", "\"public.*\""));
    assert!(!is_fine, "{said}");
    assert!(said.contains("table public.odd has no key, and a column named _row"), "{said}");
    // So is one whose rows the log would tell of some partitions only.
    let odd = "DROP TABLE odd; CREATE TABLE odd (n int) PARTITION BY LIST (n);
               CREATE TABLE odd_1 PARTITION OF odd DEFAULT; ALTER TABLE odd_1 REPLICA IDENTITY FULL";
    client.batch_execute(odd).await.unwrap();
    let (is_fine, said) = check(&installation(server, &database, "", "\"public.*\""));
    assert!(!is_fine, "{said}");
    assert!(said.contains("odd_1 of public.odd has a replica identity of its own"), "{said}");
    assert!(said.contains("ALTER TABLE \"public\".\"odd\" REPLICA IDENTITY FULL;"), "{said}");
    client.batch_execute("DROP TABLE odd").await.unwrap();
    let (is_fine, said) = check(&installation(server, &database, "", "\"public.*\""));
    assert!(is_fine, "{said}");
    assert!(said.contains("public.entries has no key and no REPLICA IDENTITY FULL"), "{said}");
    assert!(said.contains("table public.tally has no key: it is copied in one long"), "{said}");
    assert!(!said.contains("public.keyed has no key"), "{said}");
    // WHEN it is published THEN the server refuses what it was said to refuse
    let installation = installation(server, &database, "", "\"public.*\"");
    let _daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    agrees(&installation, &client).await;
    client.batch_execute("DELETE FROM entries").await.unwrap_err();
    client.batch_execute("INSERT INTO entries VALUES (0, NULL), (9, 'x')").await.unwrap();
    // WHEN it gets a key THEN it is copied as one that has one
    client
        .batch_execute(
            "TRUNCATE entries; INSERT INTO entries VALUES (1, 'a'), (2, 'b');
             ALTER TABLE entries REPLICA IDENTITY DEFAULT; ALTER TABLE entries ADD PRIMARY KEY (n);
             UPDATE entries SET txt = 'c' WHERE n = 2",
        )
        .await
        .unwrap();
    agrees(&installation, &client).await;
    wait_until("our columns to go", PATIENCE, || {
        let sql = "SELECT string_agg(column_name, ' ' ORDER BY column_index) FROM duckdb_columns()
                   WHERE schema_name = 'erp' AND table_name = 'entries'";
        let rows = store_rows(&installation, sql)?;
        if rows[0][0].as_deref() == Some("n txt") { Ok(()) } else { Err(format!("{rows:?}")) }
    });
}

/// Counts the rows of each `n`.
const MAPPING: &str = "-- entity: client
-- version: 1
-- unit: n
-- driver: t
-- affects t: SELECT n FROM delta
SELECT coalesce(CAST(t.n AS VARCHAR), 'none') AS client_no,
    CAST(count(*) AS INTEGER) AS payment_terms_days, t.n AS n
FROM tally t GROUP BY t.n
";

async fn a_mapping_reads_a_table_without_a_key(version: Version) {
    let server = servers::postgres_of(version);
    let database = servers::database_on(server, "counts");
    let client = connect(server, &database).await;
    client.batch_execute(TABLES).await.unwrap();
    let installation = installation(server, &database, "compare_every_secs = 0", KEYLESS);
    let own = installation.state_folder().with_file_name("sql");
    std::fs::create_dir_all(own.join("mappings/ours")).unwrap();
    std::fs::write(own.join("mappings/ours/client.sql"), MAPPING).unwrap();
    let path = installation.write("note", "").with_file_name("trueup.toml");
    let text = std::fs::read_to_string(path).unwrap() + "mapping = \"ours\"\n";
    let daemon = format!("[daemon]\nsql_dir = {own:?}\n");
    installation.write("trueup.toml", &text.replace("[daemon]\n", &daemon));
    let _daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    let agree = async || {
        let sql = "SELECT coalesce(n::text, 'none'), count(*)::text FROM tally GROUP BY n";
        let rows = client.query(sql, &[]).await.unwrap();
        let mut expected: Vec<Vec<Option<String>>> =
            rows.iter().map(|row| vec![row.get(0), row.get(1)]).collect();
        expected.sort();
        wait_until("the counts to agree", PATIENCE, || {
            let sql = "SELECT client_no, payment_terms_days::VARCHAR FROM canon.client";
            let mut found = store_rows(&installation, sql)?;
            found.sort();
            if found == expected { Ok(()) } else { Err(format!("{found:?}, not {expected:?}")) }
        });
    };
    agree().await;
    for change in [
        "DELETE FROM tally WHERE ctid = (SELECT min(ctid) FROM tally WHERE n = 7)",
        "UPDATE tally SET n = NULL WHERE ctid IN (SELECT ctid FROM tally WHERE n = 8 LIMIT 2)",
        "INSERT INTO tally SELECT * FROM tally WHERE n = 9; DELETE FROM tally WHERE n = 10",
        "UPDATE tally SET txt = 'other' WHERE n = 11",
    ] {
        client.batch_execute(change).await.unwrap();
        agree().await;
    }
    // WHEN it is copied anew THEN no event tells that its rows were away
    let events = "SELECT count(*)::VARCHAR FROM ops.event";
    let before = store_rows(&installation, events).unwrap();
    assert_ne!(before[0][0].as_deref(), Some("0"));
    let done = installation.output(&["resync", "erp.tally"]);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    agree().await;
    assert_eq!(store_rows(&installation, events).unwrap(), before);
}

/// DuckDB has no interval as long as some of PostgreSQL's: the column becomes text, with one copy more and no
/// other.
#[tokio::test(flavor = "multi_thread")]
async fn intervals_of_a_table_without_a_key_become_text_once() {
    let server = servers::postgres();
    let database = servers::database_on(server, "spans");
    let client = connect(server, &database).await;
    let long = "2562047788:00:54.775807";
    client
        .batch_execute(
            "CREATE TABLE spans (n int, span interval); ALTER TABLE spans REPLICA IDENTITY FULL;
             INSERT INTO spans SELECT g % 3, '1 year 2 mons 03:04:05' FROM generate_series(1, 500) AS g",
        )
        .await
        .unwrap();
    let insert = format!("INSERT INTO spans VALUES (1, '{long}'), (1, '{long}'), (2, NULL)");
    client.batch_execute(&insert).await.unwrap();
    let limits = "compare_every_secs = 0\ncopy_chunk_rows = 100";
    let installation = installation(server, &database, limits, "\"public.spans\"");
    let daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    let equal = async || {
        let row = "concat_ws('|', n::text, coalesce(span::text, '~'))";
        let expected = on_server(&client, "spans", row).await;
        wait_until("the spans to be equal", PATIENCE, || {
            let mut found = store_rows(&installation, &counted("erp.spans", row))?;
            found.sort();
            if found == expected { Ok(()) } else { Err(format!("{found:?}, not {expected:?}")) }
        });
    };
    equal().await;
    client.batch_execute("DELETE FROM spans WHERE n = 2").await.unwrap();
    client.batch_execute(&insert).await.unwrap();
    equal().await;
    // WHEN it is asked again and again THEN nothing is unproven, and nothing was copied meanwhile
    let copies = || daemon.output().matches("a table without a key is copied in one").count();
    let before = copies();
    assert!((1..=2).contains(&before), "{}", daemon.output());
    for _ in 0..10 {
        let unproven = store_rows(&installation, "SELECT count(*) FROM ops.unproven").unwrap();
        assert_eq!(unproven[0][0].as_deref(), Some("0"));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(copies(), before, "{}", daemon.output());
    assert_eq!(installation.output(&["reconcile"]).status.code(), Some(0));
}

on_versions! { [pg14 pg18]
    tables_without_a_key_are_mirrored_through_kills
}

on_versions! { [postgres]
    tables_without_a_key_are_mirrored_through_kills
    what_is_tampered_with_in_a_table_without_a_key_is_counted_and_mended
    a_table_without_a_key_needs_the_operators_word
    a_mapping_reads_a_table_without_a_key
}
