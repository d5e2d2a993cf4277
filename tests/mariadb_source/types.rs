//! Every type: what the log says, what a copy says, and what the server itself prints.

use rand::Rng;
use rand::rngs::StdRng;
use trueup::change::TableName;
use trueup::config::SourceKind;
use trueup::demo::servers::{BinlogServer, MariadbServer, Options};

use super::harness::{Log, Mirror, copy, rows, show_all, source, source_of};
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::servers;
use crate::support::versions::{Version, on_versions};

/// How the server is asked for a value's text.
#[derive(Clone, Copy)]
pub(crate) enum Witness {
    /// As it prints it.
    Plain,
    /// As bytes in hex.
    Hex,
    /// With the zone that its session has.
    Utc,
    /// As a number without zeros in front.
    Number,
    /// As a number that must be the same one, however it is spelt.
    Float,
    /// A float of 4 bytes.
    Float4,
}

/// Name, type, how the server is asked, and SQL for a value.
pub(crate) type Case = (&'static str, &'static str, Witness, fn(&mut StdRng) -> String);

fn pick(random: &mut StdRng, values: &[&str]) -> String {
    values[random.random_range(0..values.len())].to_owned()
}

fn between(random: &mut StdRng, least: i128, most: i128) -> String {
    match random.random_range(0..6) {
        0 => least.to_string(),
        1 => most.to_string(),
        2 => "0".to_owned(),
        _ => random.random_range(least..=most).to_string(),
    }
}

fn text(random: &mut StdRng, alphabet: &str, length_max: usize) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let length = random.random_range(0..=length_max);
    let text: String =
        (0..length).map(|_| alphabet[random.random_range(0..alphabet.len())]).collect();
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

fn hex(random: &mut StdRng, length_max: usize) -> String {
    let length = random.random_range(0..=length_max);
    let bytes: Vec<String> =
        (0..length).map(|_| format!("{:02x}", random.random::<u8>())).collect();
    format!("x'{}'", bytes.concat())
}

fn decimal(random: &mut StdRng, whole: usize, part: usize) -> String {
    let sign = if random.random_bool(0.4) { "-" } else { "" };
    let mut digits = |count: usize| -> String {
        let count = if random.random_bool(0.3) { count } else { random.random_range(0..=count) };
        (0..count).map(|_| char::from(b'0' + random.random_range(0..10_u8))).collect()
    };
    format!("{sign}0{}.{}0", digits(whole), digits(part.max(1) - 1))
}

fn moment(random: &mut StdRng, first_year: u32, last_year: u32) -> String {
    format!(
        "'{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}'",
        random.random_range(first_year..=last_year),
        random.random_range(1..=12),
        random.random_range(1..=28),
        random.random_range(0..24),
        random.random_range(0..60),
        random.random_range(0..60),
        random.random_range(0..1_000_000)
    )
}

fn stamp(random: &mut StdRng) -> String {
    match random.random_range(0..8) {
        0 => "'0000-00-00 00:00:00'".to_owned(),
        1 => "'1970-01-01 00:00:01'".to_owned(),
        2 => "'2038-01-19 03:14:07'".to_owned(),
        _ => moment(random, 1971, 2037),
    }
}

fn datetime(random: &mut StdRng) -> String {
    match random.random_range(0..8) {
        0 => "'0000-00-00 00:00:00'".to_owned(),
        1 => "'2024-00-00 00:00:00'".to_owned(),
        2 => "'9999-12-31 23:59:59'".to_owned(),
        _ => moment(random, 1, 9999),
    }
}

fn date(random: &mut StdRng) -> String {
    match random.random_range(0..8) {
        0 => "'0000-00-00'".to_owned(),
        1 => "'2024-02-00'".to_owned(),
        2 => "'9999-12-31'".to_owned(),
        _ => format!("{}'", &moment(random, 1, 9999)[..11]),
    }
}

fn time(random: &mut StdRng) -> String {
    match random.random_range(0..8) {
        0 => "'838:59:59.999999'".to_owned(),
        1 => "'-838:59:59.999999'".to_owned(),
        2 => "'-00:00:00.500000'".to_owned(),
        3 => "'00:00:00'".to_owned(),
        _ => {
            let sign = if random.random_bool(0.5) { "-" } else { "" };
            format!(
                "'{sign}{:02}:{:02}:{:02}.{:06}'",
                random.random_range(0..800),
                random.random_range(0..60),
                random.random_range(0..60),
                random.random_range(0..1_000_000)
            )
        }
    }
}

fn uuid(random: &mut StdRng) -> String {
    let mut bytes: [u8; 16] = random.random();
    if random.random_bool(0.8) {
        bytes[8] = bytes[8] & 0x3f | 0x80;
        bytes[6] = bytes[6] & 0x0f | random.random_range(1..=8_u8) << 4;
    }
    format!("'{}'", uuid::Uuid::from_bytes(bytes))
}

fn inet6(random: &mut StdRng) -> String {
    let mut bytes: [u8; 16] = random.random();
    for pair in bytes.chunks_mut(2) {
        if random.random_bool(0.6) {
            pair.fill(0);
        }
    }
    if random.random_bool(0.2) {
        bytes[..10].fill(0);
        bytes[10..12].fill(if random.random_bool(0.5) { 0xff } else { 0 });
    }
    format!("'{}'", std::net::Ipv6Addr::from(bytes))
}

const LATIN: &str = "aZ09 _'\\%éñÿ€ß¼";
const ANY: &str = "aZ09 _'\\%é漢😀\u{7f}\u{200b}ж\n\t";
const PLANE_ZERO: &str = "aZ09 _'\\%é漢ж\u{200b}";
const POLISH: &str = "aZ ąćęłńóśźż";
const RUSSIAN: &str = "aZ Мирёъ№";

const CHINESE: &str = "aZ09 _'\\%中文漢字許功蓋。";
const JAPANESE: &str = "aZ09 _'~%日本語表示能ｱｲ、。";
const KOREAN: &str = "aZ09 _'\\%한글똠漢。";

const CASES: &[Case] = &[
    ("ti", "tinyint", Witness::Plain, |r| between(r, -128, 127)),
    ("tiu", "tinyint unsigned", Witness::Plain, |r| between(r, 0, 255)),
    ("ti1", "tinyint(1)", Witness::Plain, |r| between(r, -128, 127)),
    ("si", "smallint", Witness::Plain, |r| between(r, -32_768, 32_767)),
    ("siu", "smallint unsigned", Witness::Plain, |r| between(r, 0, 65_535)),
    ("mi", "mediumint", Witness::Plain, |r| between(r, -8_388_608, 8_388_607)),
    ("miu", "mediumint unsigned", Witness::Plain, |r| between(r, 0, 16_777_215)),
    ("i", "int", Witness::Plain, |r| between(r, -(1 << 31), (1 << 31) - 1)),
    ("iu", "int unsigned", Witness::Plain, |r| between(r, 0, (1 << 32) - 1)),
    ("bi", "bigint", Witness::Plain, |r| between(r, -(1 << 63), (1 << 63) - 1)),
    ("biu", "bigint unsigned", Witness::Plain, |r| between(r, 0, (1 << 64) - 1)),
    ("zf", "int(9) unsigned zerofill", Witness::Number, |r| between(r, 0, (1 << 32) - 1)),
    ("bo", "boolean", Witness::Plain, |r| between(r, 0, 1)),
    ("y", "year", Witness::Plain, |r| pick(r, &["0", "1901", "2155", "2024", "1999"])),
    ("b1", "bit(1)", Witness::Number, |r| between(r, 0, 1)),
    ("b13", "bit(13)", Witness::Number, |r| between(r, 0, 8_191)),
    ("b64", "bit(64)", Witness::Number, |r| between(r, 0, (1 << 64) - 1)),
    ("d10", "decimal(10,2)", Witness::Plain, |r| decimal(r, 8, 2)),
    ("d5", "decimal(5,0)", Witness::Plain, |r| decimal(r, 5, 0)),
    ("d22", "decimal(2,2)", Witness::Plain, |r| decimal(r, 0, 2)),
    ("d38", "decimal(38,9)", Witness::Plain, |r| decimal(r, 29, 9)),
    ("d65", "decimal(65,30)", Witness::Plain, |r| decimal(r, 35, 30)),
    ("dz", "decimal(12,3) unsigned zerofill", Witness::Number, |r| {
        decimal(r, 9, 3).replace('-', "")
    }),
    ("f", "float", Witness::Float4, |r| format!("{:e}", r.random::<f32>() * 1e6 - 5e5)),
    ("f73", "float(7,3)", Witness::Float4, |r| format!("{:.3}", r.random::<f32>() * 2e3 - 1e3)),
    ("db", "double", Witness::Float, |r| match r.random_range(0..4) {
        0 => "1.7976931348623157e308".to_owned(),
        1 => "-2.2250738585072014e-308".to_owned(),
        2 => "0.1".to_owned(),
        _ => format!("{:e}", r.random::<f64>() * 1e12 - 5e11),
    }),
    ("du", "double(12,4) unsigned", Witness::Float, |r| format!("{:.4}", r.random::<f64>() * 1e6)),
    ("dt", "date", Witness::Plain, date),
    ("dt0", "datetime", Witness::Plain, datetime),
    ("dt3", "datetime(3)", Witness::Plain, datetime),
    ("dt6", "datetime(6)", Witness::Plain, datetime),
    ("ts0", "timestamp", Witness::Utc, stamp),
    ("ts1", "timestamp(1)", Witness::Utc, stamp),
    ("ts6", "timestamp(6)", Witness::Utc, stamp),
    ("t0", "time", Witness::Plain, time),
    ("t2", "time(2)", Witness::Plain, time),
    ("t3", "time(3)", Witness::Plain, time),
    ("t6", "time(6)", Witness::Plain, time),
    ("c", "char(20)", Witness::Plain, |r| text(r, ANY, 20)),
    ("cl", "char(20) charset latin1", Witness::Plain, |r| text(r, LATIN, 20)),
    ("cb", "char(9) charset utf8mb4 collate utf8mb4_bin", Witness::Plain, |r| text(r, ANY, 9)),
    ("cn", "char(9) collate utf8mb4_nopad_bin", Witness::Plain, |r| text(r, ANY, 9)),
    ("c200", "char(200)", Witness::Plain, |r| text(r, ANY, 200)),
    ("v", "varchar(50)", Witness::Plain, |r| text(r, ANY, 50)),
    ("v300", "varchar(300)", Witness::Plain, |r| text(r, ANY, 300)),
    ("vl", "varchar(50) charset latin1", Witness::Plain, |r| text(r, LATIN, 50)),
    ("v3", "varchar(50) charset utf8mb3", Witness::Plain, |r| text(r, PLANE_ZERO, 50)),
    ("vlb", "varchar(50) charset latin1 collate latin1_bin", Witness::Plain, |r| {
        text(r, LATIN, 50)
    }),
    ("v2", "varchar(50) charset latin2", Witness::Plain, |r| text(r, POLISH, 50)),
    ("v1251", "varchar(50) charset cp1251", Witness::Plain, |r| text(r, RUSSIAN, 50)),
    ("vu2", "varchar(50) charset ucs2", Witness::Plain, |r| text(r, PLANE_ZERO, 50)),
    ("vu16", "varchar(50) charset utf16", Witness::Plain, |r| text(r, ANY, 50)),
    ("vule", "varchar(50) charset utf16le", Witness::Plain, |r| text(r, ANY, 50)),
    ("vu32", "char(10) charset utf32", Witness::Plain, |r| text(r, ANY, 10)),
    ("vb5", "varchar(50) charset big5", Witness::Plain, |r| text(r, "aZ \\中許功蓋。", 50)),
    ("vgb", "char(20) charset gb2312", Witness::Plain, |r| text(r, "aZ \\中文汉字。", 20)),
    ("vgbk", "varchar(50) charset gbk", Witness::Plain, |r| text(r, CHINESE, 50)),
    ("vkr", "varchar(50) charset euckr", Witness::Plain, |r| text(r, KOREAN, 50)),
    ("vsj", "varchar(50) charset sjis", Witness::Plain, |r| text(r, JAPANESE, 50)),
    ("v932", "char(20) charset cp932", Witness::Plain, |r| text(r, "aZ \\①纊髙ｱ、", 20)),
    ("vuj", "text charset ujis", Witness::Plain, |r| text(r, "aZ \\丂日ｱ、", 400)),
    ("vejp", "varchar(50) charset eucjpms", Witness::Plain, |r| text(r, "aZ \\丂①ⅰ日ｱ、", 50)),
    ("va", "varchar(50) charset ascii", Witness::Plain, |r| text(r, "aZ09 _'\\%", 50)),
    ("vuca", "varchar(50) collate utf8mb4_uca1400_ai_ci", Witness::Plain, |r| text(r, ANY, 50)),
    ("tt", "tinytext", Witness::Plain, |r| text(r, ANY, 40)),
    ("tx", "text charset latin1", Witness::Plain, |r| text(r, LATIN, 400)),
    ("mt", "mediumtext", Witness::Plain, |r| text(r, ANY, 400)),
    ("lt", "longtext charset utf16", Witness::Plain, |r| text(r, ANY, 400)),
    ("js", "json", Witness::Plain, |r| {
        pick(r, &["'{}'", "'[1, 2.50, \"é😀\"]'", "'{\"b\":1,  \"a\":null}'"])
    }),
    ("bn", "binary(12)", Witness::Hex, |r| hex(r, 12)),
    ("bn300", "binary(255)", Witness::Hex, |r| hex(r, 255)),
    ("vb", "varbinary(40)", Witness::Hex, |r| hex(r, 40)),
    ("vb300", "varbinary(300)", Witness::Hex, |r| hex(r, 300)),
    ("tb", "tinyblob", Witness::Hex, |r| hex(r, 200)),
    ("bl", "blob", Witness::Hex, |r| hex(r, 400)),
    ("lb", "longblob", Witness::Hex, |r| hex(r, 400)),
    ("e", "enum('a','ä','it''s','z,y') charset latin1", Witness::Plain, |r| {
        pick(r, &["'a'", "'ä'", "'it''s'", "'z,y'", "''"])
    }),
    ("e9", "enum('a','表','ｱ①') charset cp932", Witness::Plain, |r| {
        pick(r, &["'a'", "'表'", "'ｱ①'"])
    }),
    ("e4", "enum('x','漢','😀')", Witness::Plain, |r| pick(r, &["'x'", "'漢'", "'😀'"])),
    ("s", "set('x','ü','z') charset latin1", Witness::Plain, |r| {
        pick(r, &["''", "'x'", "'x,ü'", "'x,ü,z'", "'z'"])
    }),
    ("s9", "set('許','功') charset big5", Witness::Plain, |r| {
        pick(r, &["''", "'許'", "'許,功'"])
    }),
    ("s4", "set('1','2','3','4','5','6','7','8','9','漢')", Witness::Plain, |r| {
        pick(r, &["''", "'1,9'", "'漢'", "'2,漢'"])
    }),
    ("g", "geometry", Witness::Hex, |r| {
        pick(r, &["point(1,2.5)", "st_geomfromtext('LINESTRING(0 0,1 1,2 2)', 4326)"])
    }),
    ("pt", "point", Witness::Hex, |r| pick(r, &["point(-1,1e9)", "point(0,0)"])),
    ("u", "uuid", Witness::Plain, uuid),
    ("i6", "inet6", Witness::Plain, inet6),
    ("i4", "inet4", Witness::Plain, |r| {
        format!("'{}'", std::net::Ipv4Addr::from(r.random::<u32>()))
    }),
    ("inv", "int invisible", Witness::Plain, |r| between(r, 0, 9)),
];

/// Types that MySQL does not have, or has as others.
const OF_MARIADB: [&str; 6] = ["cn", "vuca", "js", "u", "i6", "i4"];

/// Those that only MySQL has.
const OF_MYSQL: &[Case] = &[
    ("vg18", "varchar(50) charset gb18030", Witness::Plain, |r| text(r, "aZ \\中丂😀é、", 50)),
    ("v9", "varchar(50) collate utf8mb4_0900_as_cs", Witness::Plain, |r| text(r, ANY, 50)),
    ("c9", "char(20) collate utf8mb4_ja_0900_as_cs", Witness::Plain, |r| text(r, ANY, 20)),
    ("js", "json", Witness::Plain, |r| {
        let texts = ["'{}'", "'null'", "'\"é😀\\\\n\"'", "'{\"b\":1,  \"a\":null}'", "'-0.0'"];
        let numbers = [
            "'[1, 2.50, 1e300, 18446744073709551615, -9223372036854775808, 1e16, 0.1]'",
            "json_object('d', cast(1.50 as decimal(10,2)), 'at', cast('2024-02-29 10:00:00' as datetime))",
            "json_array(x'00ff', true, cast('10:00:00.5' as time(1)), year('2024-01-01'))",
        ];
        pick(r, &[&texts[..], &numbers[..]].concat())
    }),
    ("vec", "vector(3)", Witness::Hex, |r| pick(r, &["to_vector('[1,2.5,-3]')"])),
];

/// The columns of a table with every type of a kind of server.
pub(crate) fn cases(kind: SourceKind) -> Vec<Case> {
    let is_common = |case: &&Case| kind != SourceKind::Mysql || !OF_MARIADB.contains(&case.0);
    let own = if kind == SourceKind::Mysql { OF_MYSQL } else { &[] };
    CASES.iter().filter(is_common).chain(own).copied().collect()
}

/// Columns that the server fills.
pub(crate) const GENERATED: &[(&str, &str, Witness)] = &[
    ("gv", "bigint as (id * 2) virtual", Witness::Plain),
    ("gs", "varchar(20) charset latin1 as (concat('é', id)) stored", Witness::Plain),
];

fn witnessed(name: &str, witness: Witness) -> String {
    let column = format!("`{name}`");
    let text = match witness {
        Witness::Plain => format!("convert({column} using utf8mb4)"),
        Witness::Hex => format!("concat('\\\\x', lower(hex({column})))"),
        Witness::Utc => format!("concat({column}, '+00')"),
        Witness::Number => format!("convert({column} + 0 using utf8mb4)"),
        Witness::Float => format!("convert({column} using utf8mb4)"),
        Witness::Float4 => format!("convert(cast({column} as double) using utf8mb4)"),
    };
    format!("coalesce(hex(convert({text} using utf8mb4)), 'NULL')")
}

/// Zero dates may be written; times are UTC.
const SESSION: &str = "SET sql_mode = '', time_zone = '+00:00'; ";

/// What the server prints, row by row.
fn server_rows(kind: SourceKind, server: &BinlogServer, database: &str) -> Vec<Vec<String>> {
    let mut columns = vec!["hex(id)".to_owned()];
    columns.extend(cases(kind).iter().map(|(name, _, witness, _)| witnessed(name, *witness)));
    columns.extend(GENERATED.iter().map(|(name, _, witness)| witnessed(name, *witness)));
    columns[0] = witnessed("id", Witness::Plain);
    let query =
        format!("SET time_zone = '+00:00'; SELECT {} FROM every ORDER BY id", columns.join(", "));
    let unhex = |field: &str| match field {
        "NULL" => "NULL".to_owned(),
        hex => {
            let digits: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect();
            String::from_utf8(digits).unwrap()
        }
    };
    let answer = server.sql(database, &query).unwrap();
    answer.lines().map(|line| line.split('\t').map(unhex).collect()).collect()
}

/// The same value, spelt in another way.
fn agrees(witness: Witness, ours: &str, theirs: &str) -> bool {
    match witness {
        _ if ours == "NULL" || theirs == "NULL" => ours == theirs,
        Witness::Float => ours.parse::<f64>().unwrap() == theirs.parse::<f64>().unwrap(),
        // The server prints the 4 bytes as the 8 they widen to, exactly.
        Witness::Float4 => {
            f64::from(ours.parse::<f32>().unwrap()) == theirs.parse::<f64>().unwrap()
        }
        _ => ours == theirs,
    }
}

/// Rows that [`writes`] leaves.
pub(crate) const ROWS: u32 = 114;

/// Inserts, updates and deletes; one value in ten is NULL.
pub(crate) fn writes(kind: SourceKind, random: &mut StdRng, table: &str) -> String {
    let cases = cases(kind);
    let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).collect();
    let value = |random: &mut StdRng, case: &Case| match random.random_bool(0.1) {
        true => "NULL".to_owned(),
        false => case.3(random),
    };
    let mut statements = SESSION.to_owned();
    for id in 0..120 {
        let values: Vec<String> = cases.iter().map(|case| value(random, case)).collect();
        statements.push_str(&format!(
            "INSERT INTO {table} (id, `{}`) VALUES ({id}, {});",
            names.join("`, `"),
            values.join(", ")
        ));
    }
    for _ in 0..120 {
        let case = &cases[random.random_range(0..cases.len())];
        let value = value(random, case);
        let id = random.random_range(0..120);
        statements.push_str(&format!("UPDATE {table} SET `{}` = {value} WHERE id = {id};", case.0));
    }
    statements.push_str(&format!("DELETE FROM {table} WHERE id % 20 = 7;"));
    // What is computed of it changes, too.
    statements.push_str(&format!("UPDATE {table} SET id = id + 500 WHERE id % 10 = 3;"));
    statements
}

/// A table with a column of every type.
pub(crate) fn table(kind: SourceKind, name: &str) -> String {
    let columns: Vec<String> = cases(kind)
        .iter()
        .map(|(name, source_type, ..)| format!("`{name}` {source_type} NULL"))
        .chain(GENERATED.iter().map(|(name, source_type, _)| format!("`{name}` {source_type}")))
        .collect();
    format!("{SESSION}CREATE TABLE {name} (id int PRIMARY KEY, {});", columns.join(", "))
}

async fn every_type_reads_the_same_in_copy_log_and_server(version: Version) {
    every_type_reads_the_same(SourceKind::Mariadb, servers::mariadb_of(version), version).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_type_reads_the_same_in_copy_log_and_server_of_a_mysql() {
    if require("mysql") {
        every_type_reads_the_same(SourceKind::Mysql, servers::mysql(), None).await;
    }
}

async fn every_type_reads_the_same(kind: SourceKind, server: &BinlogServer, version: Version) {
    let mut random = seeded();
    let database = servers::binlog_database(server, "types");
    server.sql(&database, &table(kind, "every")).unwrap();
    let source = source_of(kind, server, &database, &["every"]);
    let mut log = Log::start_of(kind, &source).await;

    // GIVEN rows written, changed and removed, one in ten values NULL
    server.sql(&database, &writes(kind, &mut random, "every")).unwrap();

    // WHEN the log is replayed and the table copied
    let mut mirror = Mirror::default();
    mirror.apply(&log.read_all(server).await);
    let name = TableName::new(&database, "every");
    let chunks = copy(&source, &name, 17).await;
    let copied: Vec<Vec<String>> = chunks.iter().flat_map(rows).map(|row| show_all(&row)).collect();

    // THEN all three agree, and the log's schema is the catalog's
    let mut logged = mirror.table(&name.to_string());
    logged.sort_by_key(|row| row[0].parse::<i64>().unwrap());
    let printed = server_rows(kind, server, &database);
    assert_eq!(copied.len(), ROWS as usize);
    let columns = &chunks[0].table.columns;
    // (MariaDB 11 does not tell all of what it computes: that is left out.)
    let are_told = version != Some("11.8");
    for (name, ..) in GENERATED {
        assert_eq!(columns.iter().any(|column| column.name == *name), are_told, "{name}");
    }
    let witness = |name: &str| {
        let cases = cases(kind).into_iter().map(|(name, _, witness, _)| (name, witness));
        let generated = GENERATED.iter().map(|(name, _, witness)| (*name, *witness));
        cases.chain(generated).find(|(known, _)| *known == name).map_or(Witness::Plain, |c| c.1)
    };
    let mut wrong = Vec::new();
    for ((copied, logged), printed) in copied.iter().zip(&logged).zip(&printed) {
        for (place, column) in columns.iter().enumerate() {
            let (copied, logged, printed) = (&copied[place], &logged[place], &printed[place]);
            if copied != logged || !agrees(witness(&column.name), copied, printed) {
                let name = &column.name;
                wrong.push(format!("{name}: copy {copied:?}, log {logged:?}, server {printed:?}"));
            }
        }
    }
    wrong.sort_unstable();
    assert!(wrong.is_empty(), "{} cells differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(copied.len(), logged.len());
    assert_eq!(copied.len(), printed.len());
    assert_eq!(log.schemas, [chunks[0].table.as_ref().clone()]);
}

/// Texts are those of UTC, whatever the server's zone and that of whoever writes.
async fn a_server_in_another_zone_tells_the_same_times_in_copy_and_log(version: Version) {
    // GIVEN a server, and a writer, three quarters of an hour beside every full hour
    let server = MariadbServer::start(&Options::default().version(version)).unwrap();
    server.create_database("zoned").unwrap();
    server.sql("", "SET GLOBAL time_zone = '+05:45'").unwrap();
    let table = "CREATE TABLE t (id int PRIMARY KEY, stamped timestamp(3) NULL, local datetime)";
    server.sql("zoned", table).unwrap();
    let source = source(&server, "zoned", &["t"]);
    let mut log = Log::start(&source).await;
    let row = "INSERT INTO t VALUES (1, '2026-03-29 02:30:00.125', '2026-03-29 02:30:00')";
    server.sql("zoned", row).unwrap();
    // WHEN the row is read from the log and by a copy THEN both say what it was in UTC
    let mut mirror = Mirror::default();
    mirror.apply(&log.read_all(&server).await);
    let name = TableName::new("zoned", "t");
    let chunks = copy(&source, &name, 17).await;
    let copied: Vec<Vec<String>> = chunks.iter().flat_map(rows).map(|row| show_all(&row)).collect();
    assert_eq!(copied, [["1", "2026-03-28 20:45:00.125+00", "2026-03-29 02:30:00"]]);
    assert_eq!(mirror.table(&name.to_string()), copied);
}

on_versions! {
    [mariadb mariadb118]
    every_type_reads_the_same_in_copy_log_and_server
    a_server_in_another_zone_tells_the_same_times_in_copy_and_log
}
