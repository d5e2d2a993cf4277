//! What becomes of every type: values, in the store, and what the manual says of it.

pub(crate) mod values;

use std::time::Duration;

use rand::rngs::StdRng;

use crate::agreement::store;
use crate::mariadb_source::types;
use crate::spine::{self, store_rows};
use crate::support::process::{Installation, Running};
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(120);
const ROWS: u32 = 60;

fn counted(installation: &Installation, source: &str, table: &str, rows: u32) {
    let count = format!("SELECT count(*) FROM {source}.{table}");
    wait_until(&format!("{rows} rows of {table}"), PATIENCE, || {
        let found = store_rows(installation, &count)?[0][0].clone().unwrap_or_default();
        if found == rows.to_string() {
            return Ok(());
        }
        let status = installation.output(&["status"]);
        Err(format!("{found}; {}", String::from_utf8_lossy(&status.stdout)))
    });
}

/// Writes every type before and after the copy, and has both sides compared.
fn kept(
    installation: &Installation,
    (source, rows): (&str, u32),
    (random, listed): (&mut StdRng, &[(&str, &str)]),
    write: &dyn Fn(&mut StdRng, &str),
) -> Running {
    write(random, "early");
    let daemon = installation.start(&["run"], &[]);
    counted(installation, source, "early", rows);
    counted(installation, source, "late", 0);
    documented(installation, source, listed);
    write(random, "late");
    counted(installation, source, "late", rows);
    // (An interval's text is brought by a copy, where a column has become text.)
    let open = "SELECT (SELECT count(*) FROM ops.unproven)
                + (SELECT count(*) FROM ops.resync WHERE state = 'running')";
    wait_until("what is unproven to be copied", PATIENCE, || {
        let found = store_rows(installation, open)?[0][0].clone().unwrap_or_default();
        if found == "0" { Ok(()) } else { Err(found) }
    });
    let compared = installation.output(&["reconcile", "--json"]);
    let said = String::from_utf8_lossy(&compared.stdout).into_owned();
    let failed = String::from_utf8_lossy(&compared.stderr).into_owned();
    let drift = store_rows(installation, "SELECT to_json(d)::VARCHAR FROM ops.drift AS d").unwrap();
    let drift: Vec<String> = drift.into_iter().filter_map(|mut row| row.remove(0)).collect();
    assert_eq!(compared.status.code(), Some(0), "{said}{failed}{}", drift.join("\n"));
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
    let tables = answer["compared"].as_array().unwrap();
    for table in tables.iter().filter(|one| !one["entity"].as_str().unwrap().ends_with("elsewhere"))
    {
        assert_eq!(table["rows"], rows, "{said}");
        let left_out = table["left_out"].as_array().unwrap();
        let is_known = |name: &serde_json::Value| UNCOMPARED.contains(&name.as_str().unwrap());
        assert!(left_out.iter().all(is_known), "{said}");
    }
    daemon
}

/// Holds the manual against the columns of a table that has no row yet, or writes it.
fn documented(installation: &Installation, source: &str, listed: &[(&str, &str)]) {
    let sql = format!(
        "SELECT column_name, data_type FROM duckdb_columns()
         WHERE schema_name = '{source}' AND table_name = 'late'"
    );
    let rows = store_rows(installation, &sql).unwrap();
    let mut table = "| type | in the store |\n|---|---|\n".to_owned();
    let mut seen = Vec::new();
    for (name, source_type) in listed {
        let row = rows.iter().find(|row| row[0].as_deref() == Some(name));
        let line = match row {
            Some(row) => format!("| `{source_type}` | `{}` |\n", row[1].as_deref().unwrap()),
            None => format!("| `{source_type}` | not mirrored |\n"),
        };
        if !seen.contains(&line) {
            table += &line;
            seen.push(line);
        }
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/types.md");
    let manual = std::fs::read_to_string(&path).unwrap();
    let mark = if source == "erp" { "<!-- postgresql:" } else { "<!-- mariadb:" };
    let (before, rest) = manual.split_once(mark).unwrap();
    let (head, rest) = rest.split_once('\n').unwrap();
    let (written, after) = rest.split_once("<!-- end -->").unwrap();
    if std::env::var("TRUEUP_WRITE_DOCS").is_ok() {
        let all = format!("{before}{mark}{head}\n{table}<!-- end -->{after}");
        std::fs::write(&path, all).unwrap();
        return;
    }
    assert_eq!(written, table, "TRUEUP_WRITE_DOCS=1 writes docs/types.md");
}

/// Columns that no comparison in SQL can hold: floats, and intervals, of which `=` calls different ones equal.
const UNCOMPARED: [&str; 8] = ["f4", "f8", "iv", "ivy", "f", "f73", "db", "du"];

/// Months, days and microseconds of an interval, for either side.
fn parts(column: &str) -> String {
    let part = |name: &str| format!("extract({name} FROM {column})");
    format!(
        "concat_ws(' ', CAST({} * 12 + {} AS BIGINT), CAST({} AS BIGINT),
            CAST({} * 3600000000 + {} * 60000000 + {} AS BIGINT))",
        part("year"),
        part("month"),
        part("day"),
        part("hour"),
        part("minute"),
        part("microseconds"),
    )
}

/// What no comparison in SQL holds, value by value.
fn uncompared_are_kept(installation: &Installation, table: &str, server: &dyn Fn(&str) -> String) {
    let column = |sql: &str| -> Vec<String> {
        let rows = store_rows(installation, sql).unwrap();
        rows.into_iter().map(|mut row| row.remove(0).unwrap_or_default()).collect()
    };
    let of_server = |sql: &str| -> Vec<String> { server(sql).lines().map(str::to_owned).collect() };
    for float in ["f4", "f8"] {
        let ours =
            column(&format!("SELECT coalesce({float}::VARCHAR, '-') FROM erp.{table} ORDER BY id"));
        let theirs =
            of_server(&format!("SELECT coalesce({float}::text, '-') FROM {table} ORDER BY id"));
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let bits = |text: &str| match float {
                "f4" => text.parse::<f32>().map(|value| u64::from(value.to_bits())).ok(),
                _ => text.parse::<f64>().map(f64::to_bits).ok(),
            };
            assert_eq!(bits(ours), bits(theirs), "{float}: {ours} is {theirs}");
        }
    }
    for interval in ["iv", "ivy"] {
        let type_sql = format!(
            "SELECT data_type FROM duckdb_columns() WHERE schema_name = 'erp'
             AND table_name = '{table}' AND column_name = '{interval}'"
        );
        let (ours, theirs) = match column(&type_sql)[0].as_str() {
            "INTERVAL" => (parts(interval), parts(interval)),
            _ => (interval.to_owned(), format!("{interval}::text")),
        };
        let null =
            |sql: &str| format!("SELECT CASE WHEN {interval} IS NULL THEN '-' ELSE {sql} END FROM");
        let ours = column(&format!("{} erp.{table} ORDER BY id", null(&ours)));
        let theirs = of_server(&format!("{} {table} ORDER BY id", null(&theirs)));
        assert_eq!(ours, theirs, "{interval} of {table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_every_type_of_a_postgresql() {
    if !require("postgres") {
        return;
    }
    let mut random = seeded();
    let database = servers::postgres_database("types");
    let server = servers::postgres();
    let (early, late) = (values::table("early"), values::table("late"));
    server.sql(&database, &format!("{} {early} {late}", values::SETUP)).unwrap();
    let installation = spine::installation(&database, "compare_every_secs = 0");
    let write = |random: &mut StdRng, table: &str| {
        let writes = values::writes(random, table, ROWS);
        server.sql(&database, &format!("SET lc_monetary = 'C'; {writes}")).unwrap();
    };
    let listed = values::CASES.iter().map(|(name, source_type, _)| (*name, *source_type));
    let listed: Vec<(&str, &str)> = listed.chain(values::GENERATED).collect();
    tokio::task::block_in_place(|| {
        let _daemon = kept(&installation, ("erp", ROWS), (&mut random, &listed), &write);
        let sql = |sql: &str| server.sql(&database, sql).unwrap();
        for table in ["early", "late"] {
            uncompared_are_kept(&installation, table, &sql);
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_every_type_of_a_mariadb() {
    if !require("mariadb") {
        return;
    }
    let mut random = seeded();
    let (server, database) = (servers::mariadb(), servers::mariadb_database("types"));
    server.sql(&database, &format!("{}{}", types::table("early"), types::table("late"))).unwrap();
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\ntables = [\"{database}.*\"]",
        server.url(&database)
    );
    store::configure(&installation, (&source, server.password()), None);
    let write = |random: &mut StdRng, table: &str| {
        server.sql(&database, &types::writes(random, table)).unwrap();
    };
    let listed = types::CASES.iter().map(|(name, source_type, ..)| (*name, *source_type));
    let generated = types::GENERATED.iter().map(|(name, source_type, _)| (*name, *source_type));
    let listed: Vec<(&str, &str)> = listed.chain(generated).collect();
    tokio::task::block_in_place(|| {
        let _daemon = kept(&installation, ("hr", types::ROWS), (&mut random, &listed), &write);
        for table in ["early", "late"] {
            for (column, kind) in [("f", "f32"), ("f73", "f32"), ("db", "f64"), ("du", "f64")] {
                let ours = format!(
                    "SELECT coalesce({column}::DOUBLE::VARCHAR, '-') FROM hr.{table} ORDER BY id"
                );
                let ours = store_rows(&installation, &ours).unwrap();
                let theirs =
                    format!("SELECT coalesce({column} + 0e0, '-') FROM {table} ORDER BY id");
                let theirs = server.sql(&database, &theirs).unwrap();
                let theirs: Vec<&str> = theirs.lines().collect();
                assert_eq!(ours.len(), theirs.len());
                for (ours, theirs) in ours.iter().zip(theirs) {
                    let ours = ours[0].as_deref().unwrap();
                    let value = |text: &str| text.parse::<f64>().ok();
                    assert_eq!(value(ours), value(theirs), "{column} ({kind}): {ours} is {theirs}");
                }
            }
        }
    });
}
