//! Keys of every kind, cut at every place: a part has its rows and no others, by the server's own order, and is
//! parted at a key of its own.

use trueup::change::condition::Condition;
use trueup::change::{Cell, TableName, tuple};
use trueup::config::{SourceConfig, SourceKind, Tls};
use trueup::source::{Chunk, Copier, Fence, Source, Span};

use super::Side;

/// Key columns, and values that are no more than a dozen.
type Keys<'a> = (&'a [&'a str], &'a [&'a str]);

const COMMON: &[Keys<'static>] = &[
    (&["bigint"], &["-9223372036854775808", "-1", "0", "7", "8", "9", "9007199254740993"]),
    (&["decimal(12,2)"], &["-1.5", "-1.25", "0", "3", "3.01", "99.99", "100000"]),
    (&["date"], &["'2023-12-31'", "'2024-01-01'", "'2024-02-29'", "'2025-01-01'", "'2400-01-01'"]),
    (
        &["varchar(9)"],
        &["'b'", "'Aa'", "'a1'", "'é'", "'ж'", "''", "'_'", "'a b'", "'zz'", "'Zeta'"],
    ),
    (&["int", "int"], &["1, 1", "1, 2", "1, 9", "2, 1", "2, 2", "2, 9", "7, 5"]),
    (
        &["varchar(9)", "bigint"],
        &["'a', 1", "'a', -1", "'aa', 2", "'b', 0", "'', 7", "'', 8", "'b', -5", "'c', 0"],
    ),
    (
        &["int", "varchar(9)", "date"],
        &[
            "1, 'a', '2024-01-01'",
            "1, 'a', '2023-01-01'",
            "1, 'B', '2022-01-01'",
            "0, 'z', '2025-01-01'",
            "2, '', '2020-01-01'",
            "2, 'é', '2024-01-01'",
        ],
    ),
];

const POSTGRES: &[Keys<'static>] = &[
    (&["text COLLATE \"C\""], &["'b'", "'B'", "'a'", "'A'", "'_'", "'é'", "''"]),
    (&["uuid"], &["gen_random_uuid()"; 9]),
    (&["bytea"], &["'\\x'", "'\\x00'", "'\\x0000'", "'\\xff'", "'\\x61626364'", "'\\x6162'"]),
    (
        &["timestamptz"],
        &["'2024-01-01 10:00:00+00'", "'2024-01-01 10:00:00.000001+00'", "'2030-01-01'"],
    ),
    (&["numeric"], &["1", "1.5", "1e30", "-7", "0"]),
    (&["inet", "float8"], &["'10.0.0.1', 1", "'10.0.0.1', 2.5", "'10.0.0.2', 0", "'::1', -1e300"]),
];

const BINLOG: &[Keys<'static>] = &[
    (&["bigint unsigned"], &["0", "9223372036854775808", "18446744073709551615", "10", "9"]),
    (&["double"], &["0.1", "0.30000000000000004", "0.3", "-1e300", "1e300"]),
    (&["datetime(3)"], &["'2024-01-01 10:00:00.123'", "'2024-01-01 10:00:00.124'", "'2030-01-01'"]),
    (&["time(2)"], &["'-838:59:59'", "'-00:00:00.01'", "'0'", "'10:00:00'", "'100:00:00'"]),
    (&["char(9) charset latin1"], &["'a'", "'Z'", "'é'", "'ef'", "'ß'", "''", "'y'"]),
    (&["varbinary(4)"], &["x''", "x'00'", "x'0000'", "x'ff'", "x'7f80'"]),
    (&["enum('z','a','m')"], &["'z'", "'a'", "'m'"]),
    (&["enum('z','a')", "date"], &["'z', '2024-01-01'", "'a', '2023-01-01'", "'z', '2022-01-01'"]),
];

fn source(side: &Side) -> Source {
    let (url, password) = side.url_and_password();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, password).unwrap();
    let kind = match side.kind {
        "postgres" => SourceKind::Postgres,
        "mariadb" => SourceKind::Mariadb,
        _ => SourceKind::Mysql,
    };
    let config = SourceConfig {
        kind,
        url,
        password: Some(format!("${{file:{}}}", file.display()).try_into().unwrap()),
        columns: Vec::new(),
        rows: std::collections::BTreeMap::new(),
        keyless: Vec::new(),
        tables: vec!["*".to_owned()],
        mapping: None,
        timezone: "UTC".to_owned(),
        tls: Tls::Auto,
        max_retained_bytes: 10 << 30,
        tls_ca: None,
    };
    Box::leak(Box::new(folder));
    Source::new("hr", "parts", &config).unwrap()
}

/// The keys of a chunk, in the server's order.
fn keys(chunk: &Chunk) -> Vec<Vec<Cell>> {
    let mut rest = chunk.rows.clone();
    let mut keys = Vec::new();
    while !rest.is_empty() {
        let row = tuple::read_row(&mut rest).unwrap();
        keys.push(chunk.table.key().map(|place| row[place].clone()).collect());
    }
    keys
}

async fn read(copier: &mut Copier, table: &TableName, span: Span<'_>) -> Chunk {
    let chunk = copier.chunk(table, span, 500, &|_| {}).await;
    chunk.unwrap_or_else(|error| panic!("{table} {span:?}: {}", error.chain()))
}

async fn cut_everywhere(side: &Side, types: &[&str], table: &TableName, copier: &mut Copier) {
    let whole = read(copier, table, Span::default()).await;
    let all = keys(&whole);
    let mut parted = 0;
    for (from, after) in all.iter().enumerate() {
        for (to, upto) in all.iter().enumerate().skip(from) {
            let span = Span { after: Some(after), upto: Some(upto), only: None };
            let part = read(copier, table, span).await;
            assert_eq!(keys(&part), all[from + 1..=to], "{} {types:?} {from} {to}", side.kind);
            let found = copier.part(&whole.table, after, Some(upto)).await.unwrap();
            let inner = &all[(from + 1).min(to)..to];
            let is_inner = found.as_ref().is_none_or(|found| inner.contains(found));
            assert!(is_inner, "{} {types:?} {from} {to}: {found:?}", side.kind);
            parted += usize::from(found.is_some());
        }
        let first = read(copier, table, Span { upto: Some(after), ..Span::default() }).await;
        assert_eq!(keys(&first), all[..=from], "{} {types:?}", side.kind);
        let found = copier.part(&whole.table, after, None).await.unwrap();
        assert!(found.is_none_or(|found| all[from + 1..].contains(&found)), "{types:?}");
    }
    let is_parted = !types
        .iter()
        .any(|one| one.starts_with("enum") || one.starts_with("time(") || *one == "double");
    let count = all.len();
    assert_eq!(parted > 0, is_parted, "{} {types:?}: {count} keys", side.kind);
}

async fn keys_of_every_kind_are_cut(kind: &'static str) {
    let Some(side) = Side::new(kind, "cut") else { return };
    let more = if kind == "postgres" { POSTGRES } else { BINLOG };
    let source = source(&side);
    let mut copier = source.copier(Fence::Open).await.unwrap();
    for (number, (types, tuples)) in COMMON.iter().chain(more).enumerate() {
        let columns: Vec<String> =
            types.iter().enumerate().map(|(at, of)| format!("k{at} {of} NOT NULL")).collect();
        let names: Vec<String> = (0..types.len()).map(|at| format!("k{at}")).collect();
        let (columns, names) = (columns.join(", "), names.join(", "));
        let table = format!("t{number}");
        side.sql(&format!("CREATE TABLE {table} ({columns}, filler int, PRIMARY KEY ({names}))"));
        for tuple in *tuples {
            side.sql(&format!("INSERT INTO {table} ({names}) VALUES ({tuple})"));
        }
        cut_everywhere(&side, types, &TableName::new(side.schema(), table), &mut copier).await;
    }
}

#[tokio::test]
async fn keys_of_every_kind_of_a_postgresql_are_cut_anywhere() {
    keys_of_every_kind_are_cut("postgres").await;
}

#[tokio::test]
async fn keys_of_every_kind_of_a_mariadb_are_cut_anywhere() {
    keys_of_every_kind_are_cut("mariadb").await;
}

#[tokio::test]
async fn keys_of_every_kind_of_a_mysql_are_cut_anywhere() {
    keys_of_every_kind_are_cut("mysql").await;
}

/// Of many rows a few are wanted: each statement looks at so many keys and no more, and the few are found.
async fn few_of_many_are_found(kind: &'static str) {
    let Some(side) = Side::new(kind, "few") else { return };
    side.sql("CREATE TABLE many (a int, b varchar(9), n int, PRIMARY KEY (a, b))");
    let rows: Vec<String> = (0..2_000).map(|i| format!("({i}, 'b', {})", i % 400)).collect();
    side.sql(&format!("INSERT INTO many VALUES {}", rows.join(", ")));
    let (table, source) = (TableName::new(side.schema(), "many"), source(&side));
    let mut copier = source.copier(Fence::Open).await.unwrap();
    let only = Condition::parse("n = 7").unwrap();
    let key = |a: usize| vec![Cell::text(&a.to_string()), Cell::text("b")];
    for (from, to, chunks) in [(None, None, 25), (Some(7), Some(1_207), 15), (Some(1_950), None, 1)]
    {
        let (mut after, upto) = (from.map(key), to.map(key));
        let (mut found, mut read) = (Vec::new(), 0);
        loop {
            let span = Span { after: after.as_deref(), upto: upto.as_deref(), only: Some(&only) };
            let chunk = copier.chunk(&table, span, 10, &|_| {}).await.unwrap();
            found.extend(keys(&chunk));
            read += 1;
            after = chunk.next_after;
            if after.is_none() {
                break;
            }
        }
        let is_within =
            |a: &usize| from.is_none_or(|from| *a > from) && to.is_none_or(|to| *a <= to);
        let expected: Vec<_> = (7..2_000).step_by(400).filter(is_within).map(key).collect();
        assert_eq!((found, read), (expected, chunks), "{kind} {from:?} {to:?}");
    }
}

#[tokio::test]
async fn few_of_many_of_a_postgresql_are_found() {
    few_of_many_are_found("postgres").await;
}

#[tokio::test]
async fn few_of_many_of_a_mariadb_are_found() {
    few_of_many_are_found("mariadb").await;
}

#[tokio::test]
async fn few_of_many_of_a_mysql_are_found() {
    few_of_many_are_found("mysql").await;
}
