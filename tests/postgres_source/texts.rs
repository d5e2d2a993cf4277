//! One value, one text: what the copy reads is what the log sends, for every type. The server's
//! own display, by a client of its own under the same settings, is the oracle for both.

use super::{Bench, Reader, chunk_rows, copy, lsn};
use trueup::change::Cell;

/// Types and their extremes, as SQL.
const VALUES: [(&str, &str); 40] = [
    ("boolean", "true"),
    ("boolean", "false"),
    ("smallint", "'-32768'"),
    ("integer", "2147483647"),
    ("bigint", "'-9223372036854775808'"),
    ("real", "'0.1'"),
    ("real", "'3.4028235e38'"),
    ("double precision", "0.1::float8 + 0.2::float8"),
    ("double precision", "'-Infinity'"),
    ("double precision", "'NaN'"),
    ("double precision", "'5e-324'"),
    ("numeric", "'1.10'"),
    ("numeric", "'NaN'"),
    ("numeric", "repeat('9', 200)::numeric + 0.5"),
    ("numeric(38,10)", "'-1234567890123456789012345678.0000000001'"),
    ("money", "'-1234567.89'"),
    ("text", "E'tab\\t nl\\n cr\\r bs\\\\ quote'' \\\\N ünïcödé 😀'"),
    ("text", "''"),
    ("varchar(10)", "'  pad '"),
    ("char(5)", "'ab'"),
    ("bytea", "'\\x00ff5c6e0a'"),
    ("date", "'-infinity'"),
    ("date", "'0044-03-15 BC'"),
    ("date", "'5874897-12-31'"),
    ("time", "'24:00:00'"),
    ("timetz", "'23:59:59.999999-15:59'"),
    ("timestamp", "'2026-03-29 02:30:00.000001'"),
    ("timestamp", "'294276-12-31 23:59:59.999999'"),
    ("timestamptz", "'2026-03-29 02:30:00 Europe/Berlin'"),
    ("timestamptz", "'infinity'"),
    ("interval", "'-1 year -2 mons +3 days -04:05:06.789'"),
    ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"),
    ("json", "'{\"b\": 1,  \"a\": \"\\u00e9\"}'"),
    ("jsonb", "'{\"b\": 1.10, \"a\": \"x\\\\ny\"}'"),
    ("text[]", "ARRAY['a,b', NULL, 'q\"uote', '']"),
    ("int[]", "'[2:3][1:2]={{1,2},{3,4}}'"),
    ("tstzrange", "'[2026-01-01 00:00+02,infinity)'"),
    ("inet", "'2001:db8::1/64'"),
    ("regclass", "'public.e'"),
    ("xml", "'<a>&lt;</a>'"),
];

/// Everything that changes a text, as the operator's server might have it.
const HOSTILE_SETTINGS: [&str; 6] = [
    "TimeZone TO 'Asia/Kathmandu'",
    "DateStyle TO 'German'",
    "IntervalStyle TO 'sql_standard'",
    "extra_float_digits TO '-15'",
    "bytea_output TO 'escape'",
    "xmlbinary TO 'hex'",
];

#[tokio::test(flavor = "multi_thread")]
async fn copy_and_log_say_the_same() {
    // GIVEN a column per value, in a database whose defaults change every text they can.
    let columns: Vec<String> =
        VALUES.iter().enumerate().map(|(n, (kind, _))| format!("c{n} {kind}")).collect();
    let literals: Vec<String> =
        VALUES.iter().map(|(kind, value)| format!("({value})::{kind}")).collect();
    let bench = Bench::new(&format!(
        "CREATE TABLE e (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, {});",
        columns.join(", ")
    ));
    for setting in HOSTILE_SETTINGS {
        bench.sql(&format!("ALTER DATABASE {} SET {setting}", bench.database));
    }
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    // WHEN one row is both logged and copied.
    bench.sql(&format!("INSERT INTO t VALUES (1, {})", literals.join(", ")));
    let chunks = copy(&source, prepared.fence, "t", 10).await;
    reader.read_to(lsn(&chunks[0].admit_after)).await;
    // THEN both are what the server shows.
    let copied = chunk_rows(&chunks[0]).remove(0);
    let logged = reader.rows()[0].new.as_ref().unwrap().to_cells();
    let pinned = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres';
                  SET extra_float_digits = 1; SET bytea_output = 'hex'; SET lc_monetary = 'C';
                  SET search_path = 'pg_catalog'; SET client_encoding = 'UTF8';";
    for (n, (kind, value)) in VALUES.iter().enumerate() {
        let shown = bench.sql(&format!("{pinned} SELECT c{n} FROM public.t"));
        let shown = shown.strip_suffix('\n').unwrap();
        assert_eq!(copied[n + 1].bytes(), Some(shown.as_bytes()), "copy of {kind} {value}");
        assert_eq!(logged[n + 1].bytes(), Some(shown.as_bytes()), "log of {kind} {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_canonical_texts_are_those_the_model_promises() {
    let bench = Bench::new(
        "CREATE TABLE t (id int PRIMARY KEY, b boolean, y bytea, d date, s timestamp, z timestamptz);
         INSERT INTO t VALUES (1, true, '\\xAB', '2026-2-3', '2026-02-03 4:05', '2026-02-03 4:05+02');",
    );
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let chunks = copy(&source, prepared.fence, "t", 10).await;
    let expected =
        ["1", "t", "\\xab", "2026-02-03", "2026-02-03 04:05:00", "2026-02-03 02:05:00+00"];
    assert_eq!(chunk_rows(&chunks[0])[0], expected.map(Cell::text));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_of_no_encoding_pass_untouched() {
    // GIVEN a database that declares no encoding and holds Latin-1, even in a key.
    let mut bench = Bench::new("");
    let raw = format!("{}_raw", bench.database);
    bench.sql(&format!("CREATE DATABASE {raw} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"));
    bench.database = raw;
    let latin = |hex: &str| format!("convert_from('\\x{hex}', 'SQL_ASCII')");
    bench.sql("CREATE TABLE t (k text PRIMARY KEY, v text)");
    bench.sql(&format!(
        "INSERT INTO t VALUES ({}, 'a'), ({}, 'b'), ('z', {})",
        latin("4de97e"),
        latin("4dfc"),
        latin("ff27")
    ));
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let chunks = copy(&source, prepared.fence, "t", 1).await;
    let keys: Vec<Vec<u8>> =
        chunks.iter().flat_map(chunk_rows).map(|row| row[0].bytes().unwrap().to_vec()).collect();
    assert_eq!(keys, [b"M\xe9~".to_vec(), b"M\xfc".to_vec(), b"z".to_vec()]);
    let mut reader = Reader::open(&source, &prepared.start).await;
    bench.sql("UPDATE t SET v = k");
    reader.read_to(bench.insert_lsn()).await;
    let logged = reader.rows();
    assert_eq!(logged[0].new.as_ref().unwrap().to_cells()[1].bytes(), Some(b"M\xe9~".as_slice()));
}
