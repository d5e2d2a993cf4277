//! Documents in full: random ones, extremes, and values of SQL types that JSON has not.

use std::collections::BTreeMap;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::{log, session};
use crate::support::random::seeded;
use crate::support::require::require;

/// Numbers at the edges of types and of how they are printed.
const NUMBERS: [&str; 40] = [
    "0",
    "-0",
    "0.0",
    "-0.0",
    "1.0",
    "-1.5",
    "0.1",
    "127",
    "128",
    "32767",
    "32768",
    "-32768",
    "-32769",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "-2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "100000000000000000000",
    "1e14",
    "1e15",
    "1e16",
    "1e20",
    "1e308",
    "1.7976931348623157e308",
    "5e-324",
    "2.2250738585072014e-308",
    "1e-14",
    "1e-15",
    "1e-16",
    "1234567890123456.7",
];

/// Names that paths must quote, and names that they need not.
const KEYS: [&str; 16] = [
    "a",
    "b",
    "c",
    "ab",
    "$x_1",
    "größe",
    "",
    " ",
    "a b",
    "a.b",
    "1a",
    "quote\"back\\slash",
    "\u{0}\u{1}\u{8}\t\n\u{c}\r\u{1f}\u{7f}",
    "😀",
    "[0]",
    "*",
];

/// A text for every row of `expected` in the log, the same as the server's.
async fn compare(database: &str, session: &mut Conn) -> usize {
    let printed: Vec<(u64, Option<String>)> =
        session.query("SELECT id, CAST(j AS CHAR) FROM t").await.unwrap();
    let printed: BTreeMap<u64, String> =
        printed.into_iter().map(|(id, text)| (id, text.unwrap_or("NULL".to_owned()))).collect();
    let rows = log::rows(database).await;
    assert_eq!(rows.len(), printed.len());
    for row in &rows {
        assert_eq!(row.json.text().as_ref(), printed.get(&row.id), "row {}", row.id);
    }
    rows.len()
}

async fn insert(session: &mut Conn, documents: &[String]) {
    let rows = documents.iter().map(|document| (document.as_str(),));
    session.exec_batch("INSERT INTO t (j) VALUES (?)", rows).await.unwrap();
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

pub(super) fn key(random: &mut StdRng) -> String {
    match random.random_range(0..10) {
        0 => "k".repeat(random.random_range(1..400)),
        1 => (0..random.random_range(0..6)).map(|_| random.random::<char>()).collect(),
        _ => (*KEYS.choose(random).unwrap()).to_owned(),
    }
}

fn double(random: &mut StdRng) -> String {
    let value = match random.random_range(0..5) {
        // Halfway between two that are as short.
        4 => random.random_range(1e14..4e15_f64).floor() + 0.125 * f64::from(random.random::<i8>()),
        0 => f64::from(random.random_range(-1_000_000..1_000_000)) / 1000.0,
        1 => random.random_range(-1e17..1e17),
        2 => random.random::<f64>() * 10_f64.powi(random.random_range(-20..20)),
        _ => f64::from_bits(random.random()),
    };
    if value.is_finite() { format!("{value:e}") } else { "1.5".to_owned() }
}

fn power_of_two(power: i32) -> f64 {
    let bits = match u64::try_from(power + 1023) {
        Ok(exponent) if exponent > 0 => exponent << 52,
        _ => 1 << (power + 1074),
    };
    f64::from_bits(bits)
}

fn scalar(random: &mut StdRng) -> String {
    match random.random_range(0..12) {
        0 => "null".to_owned(),
        1 => random.random::<bool>().to_string(),
        2 => random.random::<i64>().to_string(),
        3 => random.random::<u64>().to_string(),
        4 => random.random::<i32>().to_string(),
        5 => random.random::<i8>().to_string(),
        6 | 7 => double(random),
        8 => (*NUMBERS.choose(random).unwrap()).to_owned(),
        9 => quoted(&"é".repeat(random.random_range(0..300))),
        _ => quoted(&key(random)),
    }
}

/// The text of a document of at most `depth` containers within each other.
pub(super) fn document(random: &mut StdRng, depth: usize) -> String {
    let count = random.random_range(0..6);
    match random.random_range(0..6) {
        _ if depth == 0 => scalar(random),
        0 => scalar(random),
        1 | 2 => {
            let members: Vec<_> = (0..count).map(|_| document(random, depth - 1)).collect();
            format!("[{}]", members.join(","))
        }
        _ => {
            let mut member = || format!("{}:{}", quoted(&key(random)), document(random, depth - 1));
            let members: Vec<_> = (0..count).map(|_| member()).collect();
            format!("{{{}}}", members.join(","))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_documents_are_printed_as_the_server_prints_them() {
    if !require("mysql") {
        return;
    }
    let mut random = seeded();
    let mut session = session("json_random").await;
    let mut documents: Vec<String> = (0..800)
        .map(|_| {
            let depth = random.random_range(0..6);
            document(&mut random, depth)
        })
        .collect();
    // Ten thousand doubles, and the powers of two, where their density changes.
    documents.extend((0..100).map(|_| {
        let numbers: Vec<String> = (0..100).map(|_| double(&mut random)).collect();
        format!("[{}]", numbers.join(","))
    }));
    let powers: Vec<String> =
        (-1074..1024).map(|power| format!("{:e}", power_of_two(power))).collect();
    documents.push(format!("[{}]", powers.join(",")));
    insert(&mut session, &documents).await;
    assert_eq!(compare("json_random", &mut session).await, 901);
}

#[tokio::test(flavor = "multi_thread")]
async fn extremes_are_printed_as_the_server_prints_them() {
    if !require("mysql") {
        return;
    }
    let mut random = seeded();
    let mut session = session("json_extremes").await;
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut documents: Vec<String> = NUMBERS.map(str::to_owned).to_vec();
    documents.push(format!("[{}]", NUMBERS.join(",")));
    documents.extend(KEYS.map(quoted));
    documents
        .extend(["{}", "[]", "\"\"", "[[],{}]", "null", "{\"a\":1,\"a\":2}"].map(str::to_owned));
    documents.push(nested(100));
    documents.push(format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100)));
    // Large containers, whose entries are wider: by size, by count, and only the outer one.
    documents.push(format!(
        "[{}]",
        (0..30_000).map(|i| i * 7).map(|i: i32| i.to_string() + ",").collect::<String>() + "-1"
    ));
    documents
        .push(format!("[\"{}\",1,-70000,70000,5000000000,{{\"a\":[1.5]}}]", "x".repeat(70_000)));
    let members: Vec<_> =
        (0..9000).map(|i| format!("\"key{i}\":{}", scalar(&mut random))).collect();
    documents.push(format!("{{{}}}", members.join(",")));
    documents.push(format!(
        "{{\"{}\":70000,\"b\":\"{}\"}}",
        "k".repeat(65_535),
        "y".repeat(65_540)
    ));
    documents.push(format!("\"{}\"", "\\u0001é".repeat(50_000)));
    documents.push(format!("[{}0]", "[[[1,2],{\"a\":null}]],".repeat(20_000)));
    let all_controls: String = (0..=0x1f_u8).map(char::from).collect();
    documents.push(quoted(&all_controls));
    documents.push(format!("{{{}:{}}}", quoted(&all_controls), quoted(&all_controls)));
    insert(&mut session, &documents).await;
    session.query_drop("INSERT INTO t (j) VALUES (NULL)").await.unwrap();
    assert_eq!(compare("json_extremes", &mut session).await, documents.len() + 1);
    let too_deep = session.exec_drop("INSERT INTO t (j) VALUES (?)", (nested(101),)).await;
    let is_too_deep = |error: &mysql_async::Error| error.to_string().contains("maximum depth");
    assert!(too_deep.as_ref().is_err_and(is_too_deep), "it is {too_deep:?}");
}

/// Where NULL is not allowed, a server that is told to ignore that stores no bytes at all.
#[tokio::test(flavor = "multi_thread")]
async fn documents_without_bytes_are_null() {
    if !require("mysql") {
        return;
    }
    let mut session = session("json_empty").await;
    session.query_drop("ALTER TABLE t MODIFY j json NOT NULL").await.unwrap();
    session.query_drop("INSERT IGNORE INTO t (j) VALUES ('1'), (NULL)").await.unwrap();
    session.query_drop("SET sql_mode = ''").await.unwrap();
    session.query_drop("INSERT INTO t (n) VALUES (1)").await.unwrap();
    session.query_drop("INSERT INTO t (j) VALUES ('[]'), (NULL)").await.unwrap();
    compare("json_empty", &mut session).await;
    let rows = log::rows("json_empty").await;
    let is_empty = |row: &log::Row| matches!(&row.json, log::Json::Full(bytes) if bytes.is_empty());
    assert!(rows.iter().any(is_empty), "{rows:?}");
}

/// Values that JSON has no type for.
pub(super) fn expression(random: &mut StdRng) -> String {
    let digits = |random: &mut StdRng, count: u8| -> String {
        (0..count).map(|_| char::from(random.random_range(b'0'..=b'9'))).collect()
    };
    let sign = if random.random() { "-" } else { "" };
    let clock = format!(
        "{:02}:{:02}.{:06}",
        random.random_range(0..60),
        random.random_range(0..60),
        [0, 1, 500_000, 999_999][random.random_range(0..4)]
    );
    let date = format!(
        "{:04}-{:02}-{:02}",
        random.random_range(1..10_000),
        random.random_range(1..=12),
        random.random_range(1..=28)
    );
    match random.random_range(0..8) {
        0 => {
            let scale = random.random_range(0..=30);
            let precision = random.random_range(scale.max(1)..=65);
            let whole = random.random_range(0..=precision - scale);
            let (whole, part) = (digits(random, whole), digits(random, scale));
            format!("CAST('{sign}0{whole}.{part}' AS DECIMAL({precision},{scale}))")
        }
        1 => format!("{sign}{}.{}", random.random_range(0..100), digits(random, 2)),
        2 => format!("CAST('{date}' AS DATE)"),
        3 => format!("CAST('{date} {:02}:{clock}' AS DATETIME(6))", random.random_range(0..24)),
        4 => format!("CAST('{sign}{:02}:{clock}' AS TIME(6))", random.random_range(0..839)),
        5 => format!("b'{:b}'", random.random::<u16>()),
        6 => {
            let bytes: u8 = random.random();
            let hex: String =
                (0..bytes).map(|_| format!("{:02x}", random.random::<u8>())).collect();
            format!("x'{hex}'")
        }
        _ => "NOW(6)".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_sql_types_are_printed_as_the_server_prints_them() {
    if !require("mysql") {
        return;
    }
    let mut random = seeded();
    let mut session = session("json_sql").await;
    for _ in 0..300 {
        let values: Vec<String> = (0..5).map(|_| expression(&mut random)).collect();
        let sql = format!("INSERT INTO t (j) SELECT JSON_ARRAY({})", values.join(", "));
        session.query_drop(sql).await.unwrap();
    }
    // A document that is nothing but such a value.
    for _ in 0..60 {
        let sql = format!("INSERT INTO t (j) SELECT CAST({} AS JSON)", expression(&mut random));
        session.query_drop(sql).await.unwrap();
    }
    let columns = "CREATE TABLE s (a timestamp(6) NULL, b year, c enum('x', 'é'), d set('p', 'q'),
        e bit(9), f tinyblob, g mediumblob, h longblob, i binary(5), k varbinary(9), l date,
        m time(3), o datetime(2), p float, q double, r decimal(65,30), s char(3), u text,
        v geometry, x bigint unsigned, y tinyint, z bool, aa point,
        bb char(4) CHARACTER SET latin1, cc json, dd blob)";
    session.query_drop(columns).await.unwrap();
    session.query_drop("SET sql_mode = ''").await.unwrap();
    let rows = "INSERT INTO s VALUES
        (now(6), 2024, 'é', 'p,q', b'101', 'a', 'b', 'c', 'd', 'e', '0000-00-00', '-838:59:59.5',
         '9999-12-31 23:59:59.99', 0.1, 1e300, -0.1, 'ab', 'ü', ST_GeomFromText('POLYGON((0 0,
         0 1.5, 1 1, 0 0))'), 18446744073709551615, -128, true,
         point(1, 2), 'ü', '[1.0]', x'00ff'),
        ('1970-01-01 00:00:01.000001', 0, 1, 0, 0, '', '', '', '', '', '2024-00-00', '00:00:00',
         '0000-00-00', 3.4e38, -0.0, 0, '', '', NULL, 0, 0, false, NULL, '', 'null', '')";
    session.query_drop(rows).await.unwrap();
    let list = "'a', a, 'b', b, 'c', c, 'd', d, 'e', e, 'f', f, 'g', g, 'h', h, 'i', i, 'k', k,
        'l', l, 'm', m, 'o', o, 'p', p, 'q', q, 'r', r, 's', s, 'u', u, 'v', v, 'x', x,
        'y', y, 'z', z, 'aa', aa, 'bb', bb, 'cc', cc, 'dd', dd";
    session
        .query_drop(format!("INSERT INTO t (j) SELECT JSON_OBJECT({list}) FROM s"))
        .await
        .unwrap();
    let aggregate = "INSERT INTO t (j) SELECT JSON_OBJECTAGG(b, a) FROM s
        UNION ALL SELECT JSON_ARRAYAGG(l) FROM s UNION ALL SELECT JSON_ARRAYAGG(o) FROM s";
    session.query_drop(aggregate).await.unwrap();
    assert_eq!(compare("json_sql", &mut session).await, 365);
    let shown: Vec<String> =
        session.query("SELECT CAST(j AS CHAR) FROM t WHERE id IN (361, 362)").await.unwrap();
    for part in ["base64:type16:", "base64:type254:", "\"crs\"", "\"0000-00-00\"", "\"-838:59:59"] {
        assert!(shown.join("\n").contains(part), "{shown:?}");
    }
}
