//! What becomes of every type: values, in the store, and what the manual says of it.

pub(crate) mod values;

use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use trueup::config::SourceKind;
use trueup::demo::servers::BinlogServer;

use crate::agreement::store;
use crate::mariadb_source::types;
use crate::spine::{self, store_rows};
use crate::support::process::{Installation, Running};
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::servers;
use crate::support::versions::{Version, on_versions};
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);
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

/// Writes every type before and after the copy, and has both sides compared. The manual is that of
/// the servers that people have; for others nothing is `listed`.
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
    if !listed.is_empty() {
        documented(installation, source, listed);
    }
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
    let mark = match source {
        "erp" => "<!-- postgresql:",
        "hr" => "<!-- mariadb:",
        _ => "<!-- mysql:",
    };
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
const UNCOMPARED: [&str; 9] = ["f4", "f8", "iv", "ivy", "ivl", "f", "f73", "db", "du"];

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
fn uncompared_are_kept(
    (installation, table): (&Installation, &str),
    server: &dyn Fn(&str) -> String,
    version: Version,
) {
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
    let cases = values::cases(version);
    for (interval, ..) in cases.iter().filter(|case| case.1.starts_with("interval")) {
        let type_sql = format!(
            "SELECT data_type FROM duckdb_columns() WHERE schema_name = 'erp'
             AND table_name = '{table}' AND column_name = '{interval}'"
        );
        let (ours, theirs) = match column(&type_sql)[0].as_str() {
            "INTERVAL" => (parts(interval), parts(interval)),
            _ => ((*interval).to_owned(), format!("{interval}::text")),
        };
        let null =
            |sql: &str| format!("SELECT CASE WHEN {interval} IS NULL THEN '-' ELSE {sql} END FROM");
        let ours = column(&format!("{} erp.{table} ORDER BY id", null(&ours)));
        let theirs = of_server(&format!("{} {table} ORDER BY id", null(&theirs)));
        assert_eq!(ours, theirs, "{interval} of {table}");
    }
}

async fn the_store_keeps_every_type_of_a_postgresql(version: Version) {
    let mut random = seeded();
    let server = servers::postgres_of(version);
    let database = servers::database_on(server, "types");
    let (early, late) = (values::table("early", version), values::table("late", version));
    server.sql(&database, &format!("{} {early} {late}", values::SETUP)).unwrap();
    let installation = spine::installation(server, &database, "compare_every_secs = 0");
    let write = |random: &mut StdRng, table: &str| {
        let writes = values::writes(random, (table, ROWS), version);
        server.sql(&database, &format!("SET lc_monetary = 'C'; {writes}")).unwrap();
    };
    let listed = values::CASES.iter().map(|(name, source_type, _)| (*name, *source_type));
    let listed = listed.chain(values::GENERATED).filter(|_| version.is_none());
    let listed: Vec<(&str, &str)> = listed.collect();
    tokio::task::block_in_place(|| {
        let _daemon = kept(&installation, ("erp", ROWS), (&mut random, &listed), &write);
        let sql = |sql: &str| server.sql(&database, sql).unwrap();
        for table in ["early", "late"] {
            uncompared_are_kept((&installation, table), &sql, version);
        }
    });
}

async fn the_store_keeps_every_type_of_a_mariadb(version: Version) {
    let is_listed = version.is_none();
    keeps_every_type(SourceKind::Mariadb, servers::mariadb_of(version), is_listed);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_every_type_of_a_mysql() {
    if require("mysql") {
        keeps_every_type(SourceKind::Mysql, servers::mysql(), true);
    }
}

fn keeps_every_type(kind: SourceKind, server: &BinlogServer, is_listed: bool) {
    let mut random = seeded();
    let database = servers::binlog_database(server, "types");
    let tables = ["early", "late"].map(|name| types::table(kind, name));
    server.sql(&database, &tables.concat()).unwrap();
    let installation = Installation::new("");
    let (name, word) = match kind {
        SourceKind::Mysql => ("crm", "mysql"),
        _ => ("hr", "mariadb"),
    };
    let source = format!(
        "[source.{name}]\nkind = \"{word}\"\nurl = \"{}\"\ntables = [\"{database}.*\"]",
        server.url(&database)
    );
    store::configure(&installation, (&source, server.password()), None);
    let write = |random: &mut StdRng, table: &str| {
        server.sql(&database, &types::writes(kind, random, table)).unwrap();
    };
    let cases = types::cases(kind);
    let listed = cases.iter().map(|(name, source_type, ..)| (*name, *source_type));
    let generated = types::GENERATED.iter().map(|(name, source_type, _)| (*name, *source_type));
    let listed = listed.chain(generated).filter(|_| is_listed);
    let listed: Vec<(&str, &str)> = listed.collect();
    tokio::task::block_in_place(|| {
        let _daemon = kept(&installation, (name, types::ROWS), (&mut random, &listed), &write);
        for table in ["early", "late"] {
            for (column, kind) in [("f", "f32"), ("f73", "f32"), ("db", "f64"), ("du", "f64")] {
                let ours = format!(
                    "SELECT coalesce({column}::DOUBLE::VARCHAR, '-') FROM {name}.{table} ORDER BY id"
                );
                let ours = store_rows(&installation, &ours).unwrap();
                // (MySQL cuts the last digits of a long one, but not in JSON.)
                let number = match name {
                    "crm" => format!("cast(cast({column} AS json) AS char)"),
                    _ => format!("{column} + 0e0"),
                };
                let theirs = format!("SELECT coalesce({number}, '-') FROM {table} ORDER BY id");
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

on_versions! {
    [postgres pg14 pg16 pg17 pg18]
    the_store_keeps_every_type_of_a_postgresql
}

on_versions! {
    [mariadb mariadb118]
    the_store_keeps_every_type_of_a_mariadb
}

/// PostGIS, whose values are hexadecimal text to everybody who does not have it.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_keeps_what_postgis_has() {
    if !require("postgis") {
        return;
    }
    let mut random = seeded();
    let server = servers::postgres_of(Some("postgis"));
    let database = servers::database_on(server, "shapes");
    let table = |name: &str| {
        format!(
            "CREATE TABLE {name} (id int PRIMARY KEY, g geometry, p geometry(PointZ, 4326),
                 w geography(LineString), many geometry[], b box2d, b3 box3d, area geometry(Polygon) NOT NULL);"
        )
    };
    let tables = format!("CREATE EXTENSION postgis; {} {}", table("early"), table("late"));
    server.sql(&database, &tables).unwrap();
    let installation = Installation::new("");
    let source = format!(
        "[source.erp]\nkind = \"postgres\"\nurl = \"{}\"\ntables = [\"public.early\", \"public.late\"]",
        server.url(&database)
    );
    store::configure(&installation, (&source, server.password()), None);
    let write = |random: &mut StdRng, table: &str| {
        let mut number = || random.random_range(-80.0..80.0_f64);
        let mut rows = Vec::new();
        for id in 1..=ROWS {
            let (x, y, z) = (number(), number(), number());
            let corners = format!("{x} {y}, {} {y}, {x} {}, {x} {y}", x + 1.0, y + 2.0);
            let point = format!("'SRID=4326;POINT Z ({x} {y} {z})'");
            let optional = |value: String| if id % 7 == 0 { "NULL".to_owned() } else { value };
            rows.push(format!(
                "({id}, {}, {}, {}, {}, {}, {}, 'POLYGON(({corners}))')",
                optional(format!("ST_Collect({point}, 'SRID=4326;LINESTRING Z EMPTY')")),
                optional(point.clone()),
                optional(format!("'LINESTRING({x} {y}, {y} {x})'")),
                optional(format!("ARRAY['POINT({x} {y})'::geometry, NULL, 'POINT EMPTY']")),
                optional(format!("'BOX({x} {y}, {} {})'", x + 3.0, y + 4.0)),
                optional(format!("'BOX3D({x} {y} {z}, {} {} {z})'", x + 3.0, y + 4.0)),
            ));
        }
        let update = format!("UPDATE {table} SET g = area, p = NULL WHERE id % 5 = 0");
        let insert = format!("INSERT INTO {table} VALUES {}; {update}", rows.join(", "));
        server.sql(&database, &insert).unwrap();
    };
    tokio::task::block_in_place(|| {
        let _daemon = kept(&installation, ("erp", ROWS), (&mut random, &[]), &write);
        for table in ["early", "late"] {
            let texts = |cast: &str| {
                let of = |name: &str| format!("coalesce({name}{cast}, '-')");
                ["g", "p", "w", "many", "b", "b3", "area"].map(of).join(" || '|' || ")
            };
            let ours = format!("SELECT {} FROM erp.{table} ORDER BY id", texts("::VARCHAR"));
            let ours = store_rows(&installation, &ours).unwrap();
            let ours: Vec<String> =
                ours.into_iter().map(|mut row| row.remove(0).unwrap()).collect();
            let theirs = format!("SELECT {} FROM {table} ORDER BY id", texts("::text"));
            let theirs = server.sql(&database, &theirs).unwrap();
            assert_eq!(ours, theirs.lines().collect::<Vec<_>>(), "{table}");
            assert_eq!(ours.len(), ROWS as usize);
        }
    });
}
