//! SQL for analysts: PostgreSQL's own clients against a daemon's store. What must not happen is tried.

mod clients;
mod grafana;
mod stage;

use std::time::{Duration, Instant};

use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::agreement::postgres;
use crate::support::servers;
use stage::{PASSWORD, PATIENCE, Stage};

/// Statements that must be refused, whoever sends them.
const ESCAPES: [&str; 48] = [
    "DROP TABLE erp.t",
    "DELETE FROM erp.t",
    "INSERT INTO erp.t VALUES (9, 'x', true, 1.5)",
    "UPDATE erp.t SET name = 'x'",
    "TRUNCATE erp.t",
    "MERGE INTO erp.t USING (SELECT 1 AS id) AS s ON t.id = s.id WHEN MATCHED THEN DELETE",
    "CREATE TABLE x (a int)",
    "CREATE TEMP TABLE x (a int)",
    "CREATE VIEW x AS SELECT 1",
    "CREATE MACRO f() AS 1",
    "CREATE SEQUENCE s",
    "CREATE SECRET s (TYPE s3)",
    "CREATE SCHEMA s",
    "ALTER TABLE erp.t ADD COLUMN x int",
    "COMMENT ON TABLE erp.t IS 'x'",
    "SELECT 1; DROP TABLE erp.t",
    "BEGIN; DROP TABLE erp.t",
    "COMMIT; DELETE FROM erp.t",
    "SHOW timezone; DELETE FROM erp.t",
    "WITH d AS (DELETE FROM erp.t RETURNING *) SELECT * FROM d",
    "EXPLAIN ANALYZE DELETE FROM erp.t",
    "SELECT * FROM query('DROP TABLE erp.t')",
    "SELECT * FROM query('SELECT 1; DROP TABLE erp.t')",
    "COPY erp.t TO '/tmp/trueup-escaped.csv'",
    "COPY (SELECT 1) TO '/tmp/trueup-escaped.csv'",
    "COPY erp.t FROM '/etc/passwd'",
    "EXPORT DATABASE '/tmp/trueup-escaped.csv'",
    "IMPORT DATABASE '/tmp'",
    "ATTACH ':memory:' AS m",
    "ATTACH '/tmp/trueup-escaped.csv' AS m",
    "DETACH store",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM read_json('/etc/passwd')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT getenv('HOME')",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "VACUUM",
    "PREPARE p AS DELETE FROM erp.t",
];

/// A cell as it came: its type and its bytes.
#[derive(Debug, PartialEq)]
struct Raw(String, Option<Vec<u8>>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(
        kind: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(kind.name().to_owned(), Some(raw.to_vec())))
    }

    fn from_sql_null(kind: &Type) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(kind.name().to_owned(), None))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn code(error: &tokio_postgres::Error) -> String {
    error.code().map_or_else(|| error.to_string(), |code| code.code().to_owned())
}

async fn cells(client: &Client, sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    for message in client.simple_query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}")) {
        if let SimpleQueryMessage::Row(row) = message {
            let cells = (0..row.len()).map(|at| row.get(at).unwrap_or("-").to_owned());
            found.push(cells.collect::<Vec<_>>().join(" "));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_read_the_store_with_the_protocol_they_know() {
    let stage = Stage::new("", "").await;
    // psql, as it is
    let (exit, said) =
        stage.psql(&[], "SELECT id, name, ok, amount FROM erp.t ORDER BY id LIMIT 2");
    assert_eq!((exit, said.as_str()), (Some(0), "1|n1|f|0.5\n2|n2|t|1.0\n"));
    let (exit, said) = stage.psql(&[], "SELECT nonsense FROM erp.t");
    assert!(exit == Some(1) && said.contains("nonsense"), "{said}");
    // a driver that prepares, binds, and takes binary
    let client = stage.analyst().await;
    let rows = client
        .query(
            "SELECT id, name, ok, amount, count(*) OVER (), NULL FROM erp.t
             WHERE id > $1::int AND name LIKE $2 ORDER BY id",
            &[&97_i32, &"n%"],
        )
        .await
        .unwrap();
    let row = &rows[0];
    assert_eq!(rows.len(), 3);
    assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1)), (98, "n98"));
    assert_eq!((row.get::<_, bool>(2), row.get::<_, f64>(3)), (true, 49.0));
    assert_eq!(row.get::<_, i64>(4), 3);
    let name = "O'Hara'); DROP TABLE erp.t; --";
    let row = client.query_one("SELECT $1 || '!' AS said", &[&name]).await.unwrap();
    let said: Result<&str, _> = row.try_get("said");
    assert_eq!(said.unwrap_or_else(|e| panic!("{e:?}")), format!("{name}!"));
    // what drivers say of the session
    client.batch_execute("BEGIN").await.unwrap();
    assert_eq!(cells(&client, "SHOW transaction isolation level").await, ["repeatable read"]);
    assert_eq!(cells(&client, "SELECT count(*) FROM erp.t;").await, ["100"]);
    client.batch_execute("ROLLBACK").await.unwrap();
    client.batch_execute("SET application_name = 'x'").await.unwrap();
    // every answer is of one moment, and a later one of a later
    let types = "SELECT DATE '2026-01-02', TIMESTAMP '2026-01-02 03:04:05.5', 1.50::DECIMAL(9,2),
                 [1, 2], 'x'::BLOB, INTERVAL 1 DAY, 170141183460469231731687303715884105727::HUGEINT";
    let text = "2026-01-02 2026-01-02 03:04:05.5 1.50 [1, 2] x 1 day \
                170141183460469231731687303715884105727";
    assert_eq!(cells(&client, types).await, [text]);
}

/// What a person types first.
#[tokio::test(flavor = "multi_thread")]
async fn psql_shows_what_there_is() {
    let stage = Stage::new("", "").await;
    for (ask, has) in [
        ("\\dt erp.*", &["erp|t|table|trueup"][..]),
        ("\\d", &["ops|mark|table|trueup", "ops|cloud_event|view|trueup", "erp|t|table|trueup"]),
        ("\\dv", &["ops|cloud_event|view|trueup"]),
        ("\\dn", &["canon|trueup", "erp|trueup", "ops|trueup"]),
        ("\\dn+", &["erp|trueup|"]),
        (
            "\\d erp.t",
            &["id|integer|||", "name|text|||", "ok|boolean|||", "amount|double precision"],
        ),
        ("\\d+ erp.t", &["id|integer|||"]),
        ("\\d+ ops.cloud_event", &["event|text"]),
        ("\\l", &["|trueup|UTF8|"]),
        ("\\du", &["trueup"]),
        ("SELECT pg_catalog.version()", &["15.0"]),
    ] {
        let (exit, said) = stage.psql(&[], ask);
        assert_eq!(exit, Some(0), "{ask}: {said}");
        assert!(has.iter().all(|line| said.contains(line)), "{ask}: {said}");
        assert!(!said.contains("ERROR") && !said.contains("track"), "{ask}: {said}");
    }
}

/// SHOW is answered without the store.
#[tokio::test(flavor = "multi_thread")]
async fn settings_are_the_same_by_show_and_in_the_catalogs() {
    let stage = Stage::new("", "").await;
    let client = stage.analyst().await;
    let all = cells(&client, "SELECT name, setting FROM pg_settings ORDER BY name").await;
    assert!(all.len() > 20, "{all:?}");
    for row in all {
        let (name, value) = row.split_once(' ').unwrap();
        let show = match name {
            "transaction_isolation" => "transaction isolation level",
            name => name,
        };
        assert_eq!(cells(&client, &format!("SHOW {show}")).await, [value], "{name}");
        assert_eq!(cells(&client, &format!("SELECT current_setting('{name}')")).await, [value]);
    }
    let error = client.simple_query("SELECT current_setting('nothing')").await.err().unwrap();
    assert!(format!("{error:?}").contains("unrecognized configuration parameter"), "{error:?}");
}

/// Values that both servers know by the same words.
const VALUES: [&str; 33] = [
    "0::numeric(3,2)",
    "1::numeric(1,0)",
    "(-1.50)::numeric(9,2)",
    "12345.678::numeric(9,3)",
    "0.0001::numeric(9,4)",
    "100000000::numeric(12,0)",
    "(-99999999.99)::numeric(12,2)",
    "10000.0001::numeric(12,4)",
    "NULL::numeric(9,2)",
    "true",
    "false",
    "(-32768)::smallint",
    "2147483647::integer",
    "(-9223372036854775807)::bigint",
    "1.5::real",
    "(-0.1)::double precision",
    "'NaN'::double precision",
    "'-infinity'::double precision",
    "DATE '2000-01-01'",
    "DATE '1999-12-31'",
    "DATE '0001-01-01'",
    "DATE '9999-12-31'",
    "TIME '00:00:00'",
    "TIME '23:59:59.999999'",
    "TIMESTAMP '2026-03-29 02:30:00.123456'",
    "TIMESTAMP '1899-12-31 23:59:59'",
    "TIMESTAMP WITH TIME ZONE '2026-03-29 02:30:00.5+02'",
    "TIMESTAMP WITH TIME ZONE '1969-12-31 23:59:59+00'",
    "'Ærø ☃'::text",
    "''::text",
    "NULL::text",
    "NULL::date",
    "NULL::boolean",
];

/// The oracle is PostgreSQL itself.
#[tokio::test(flavor = "multi_thread")]
async fn values_come_as_postgresql_would_send_them() {
    let stage = Stage::new("", "").await;
    let ours = stage.analyst().await;
    let real = postgres::connect(servers::postgres(), &servers::postgres_database("values")).await;
    real.batch_execute("SET TimeZone = 'UTC'").await.unwrap();
    for value in VALUES {
        let sql = format!("SELECT {value} AS v");
        let (found, expected) = (cells(&ours, &sql).await, cells(&real, &sql).await);
        let is_float = value.contains("real") || value.contains("double");
        if is_float {
            // The same number may be spelled in two ways.
            let number = |cells: &[String]| cells[0].to_lowercase().replace("infinity", "inf");
            let numbers = [number(&found), number(&expected)].map(|text| text.parse::<f64>());
            let [Ok(found), Ok(expected)] = numbers else { panic!("{value}: {numbers:?}") };
            assert_eq!(found.to_bits(), expected.to_bits(), "{value}");
        } else {
            assert_eq!(found, expected, "{value} as text");
        }
        let raw = |row: tokio_postgres::Row| row.get::<_, Raw>(0);
        let found = raw(ours.query_one(&sql, &[]).await.unwrap());
        let expected = raw(real.query_one(&sql, &[]).await.unwrap());
        assert_eq!(found, expected, "{value} in binary");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_in_without_the_password_and_nothing_gets_out_but_rows() {
    let stage = Stage::new("", "").await;
    for (user, password) in [("analyst", "wrong"), ("nobody", PASSWORD), ("analyst", "")] {
        let error = stage.login(user, password).await.err().unwrap();
        assert!(
            ["28P01", "password missing"]
                .iter()
                .any(|known| format!("{error:?}{}", code(&error)).contains(known)),
            "{user}: {error:?}"
        );
    }
    let client = stage.analyst().await;
    for escape in ESCAPES {
        let simple = client.simple_query(escape).await;
        assert!(simple.is_err(), "{escape} was not refused");
        let prepared = client.query(escape, &[]).await;
        assert!(prepared.is_err(), "{escape} was not refused when prepared");
    }
    // Settings are taken politely and change nothing.
    for setting in ["enable_external_access", "lock_configuration", "threads"] {
        let ask = format!("SELECT value FROM duckdb_settings() WHERE name = '{setting}'");
        let before = cells(&client, &ask).await;
        client.batch_execute(&format!("SET {setting} = 'true'")).await.unwrap();
        assert_eq!(cells(&client, &ask).await, before, "{setting}");
    }
    let ask = "SELECT value FROM duckdb_settings() WHERE name = 'enable_external_access'";
    assert_eq!(cells(&client, ask).await, ["false"]);
    assert_eq!(cells(&client, "SELECT count(*), sum(id) FROM erp.t").await, ["100 5050"]);
    assert!(!std::path::Path::new("/tmp/trueup-escaped.csv").exists());
    let failed = "a login to the sql listener failed";
    assert!(stage.installation.output(&["status"]).status.success());
    assert!(stage.daemon.output().contains(failed), "{}", stage.daemon.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_endless_huge_or_left_behind_disturbs_nobody() {
    let stage = Stage::new("sql_timeout_secs = 3\nsql_rows_max = 20000", "").await;
    let endless = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r)
                   SELECT count(*) FROM r";
    let other = stage.analyst().await;
    // WHEN a statement has no end THEN it is cut off, and others are answered meanwhile
    let client = stage.analyst().await;
    let began = Instant::now();
    let asked = tokio::spawn(async move { client.simple_query(endless).await.err() });
    while !asked.is_finished() {
        assert_eq!(cells(&other, "SELECT count(*) FROM erp.t").await, ["100"]);
    }
    let error = asked.await.unwrap().unwrap();
    assert_eq!(code(&error), "57014", "{error:?}");
    assert!(began.elapsed() < PATIENCE);
    // WHEN its owner cancels it THEN it ends at once
    let client = stage.analyst().await;
    let cancel = client.cancel_token();
    let asked = tokio::spawn(async move { client.simple_query(endless).await.err() });
    tokio::time::sleep(Duration::from_millis(300)).await;
    cancel.cancel_query(NoTls).await.unwrap();
    assert_eq!(code(&asked.await.unwrap().unwrap()), "57014");
    // WHEN an answer is too long THEN that is an error and no shorter answer
    let error = other.simple_query("SELECT * FROM range(20001)").await.err().unwrap();
    assert_eq!(code(&error), "54000", "{error:?}");
    assert_eq!(cells(&other, "SELECT * FROM range(20000)").await.len(), 20_000);
    // WHEN clients vanish in the middle of theirs THEN their places are free again
    for _ in 0..20 {
        let client = stage.analyst().await;
        let wide = "SELECT repeat('x', 5000) FROM range(15000)";
        let asked = tokio::spawn(async move { client.simple_query(wide).await.map(drop) });
        tokio::time::sleep(Duration::from_millis(30)).await;
        asked.abort();
    }
    let began = Instant::now();
    loop {
        match other.simple_query("SELECT count(*) FROM erp.t").await {
            Ok(_) => break,
            Err(error) => assert_eq!(code(&error), "53300", "{error:?}"),
        }
        assert!(began.elapsed() < PATIENCE, "places are not given back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // WHEN too many ask at once THEN those who are too many are told so
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let client = stage.analyst().await;
        asked.spawn(async move { client.simple_query(endless).await.err().map(|e| code(&e)) });
    }
    let codes: Vec<_> = asked.join_all().await.into_iter().flatten().collect();
    assert_eq!(codes.len(), 12);
    assert!(codes.iter().any(|code| code == "53300"), "{codes:?}");
    assert!(codes.iter().any(|code| code == "57014"), "{codes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_everything_is_encrypted() {
    let tls = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/postgres_target/tls");
    let tls =
        format!("tls_cert = {:?}\ntls_key = {:?}", tls.join("server.pem"), tls.join("server.key"));
    let stage = Stage::new("", &tls).await;
    let (exit, said) = stage.psql(&[("PGSSLMODE", "require")], "SELECT count(*) FROM erp.t");
    assert_eq!((exit, said.as_str()), (Some(0), "100\n"));
    let (exit, said) = stage.psql(&[("PGSSLMODE", "disable")], "SELECT 1");
    assert!(exit == Some(2) && said.contains("sslmode=require"), "{exit:?} {said}");
}
