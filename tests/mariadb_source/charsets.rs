//! East Asian character sets: every code of each, and bytes that are none, are read from log and copy as the server
//! itself converts them; keys in them are walked to the end, or refused.

use std::path::PathBuf;

use rand::Rng;
use rand::rngs::StdRng;
use trueup::change::{Change, TableName};
use trueup::config::SourceKind;
use trueup::demo::servers::{BinlogServer, MariadbServer, MysqlServer, Options};
use trueup::source::{Fence, Span};

use super::harness::{Log, Mirror, copy, rows, show_all, source_of};
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::servers;
use crate::support::versions::{Version, on_versions};

/// Sets, and the most bytes that a character takes.
const SETS: [(&str, usize); 9] = [
    ("big5", 2),
    ("gbk", 2),
    ("gb2312", 2),
    ("euckr", 2),
    ("sjis", 2),
    ("cp932", 2),
    ("ujis", 3),
    ("eucjpms", 3),
    ("gb18030", 4),
];

/// Servers of their own: nobody else opens a table while its files are changed.
fn mariadb(version: Version) -> MariadbServer {
    MariadbServer::start(&Options::default().version(version)).unwrap()
}

fn mysql() -> MysqlServer {
    MysqlServer::start(&Options::default()).unwrap()
}

fn sets(kind: SourceKind) -> impl Iterator<Item = (&'static str, usize)> {
    SETS.into_iter().filter(move |(set, _)| kind == SourceKind::Mysql || *set != "gb18030")
}

/// Bytes of one or two that could be a code, and those of three or four that a set may have.
fn codes(longest: usize) -> Vec<Vec<u8>> {
    let mut codes: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    for first in 0x80..=0xff {
        codes.extend((0..=0xff).map(|last| vec![first, last]));
    }
    if longest == 3 {
        for middle in 0..=0xff {
            codes.extend((0..=0xff).map(|last| vec![0x8f, middle, last]));
        }
    }
    codes
}

/// Every code of four bytes, in texts of some hundred.
fn four_bytes() -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    for first in 0x81..=0xfe {
        for second in b'0'..=b'9' {
            let third = 0x81..=0xfe_u8;
            let text: Vec<u8> = third
                .flat_map(|third| (b'0'..=b'9').flat_map(move |last| [first, second, third, last]))
                .collect();
            texts.extend(text.chunks(1_200).map(<[u8]>::to_vec));
        }
    }
    texts
}

/// Bytes in which anything may come behind anything.
fn garbage(random: &mut StdRng) -> Vec<u8> {
    let length = random.random_range(1..=9);
    let byte = |random: &mut StdRng| match random.random_range(0..4) {
        0 => random.random(),
        1 => [b'a', b'0', b'\\', b'~', 0x8e, 0x8f, 0x80, 0xa0, 0xff][random.random_range(0..9)],
        _ => random.random_range(0x80..=0xff),
    };
    (0..length).map(|_| byte(random)).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Fills a table with texts of any bytes, which a server takes from nobody any more: it gets them with the files of
/// another table, whose bytes were no text.
fn fill(server: &BinlogServer, database: &str, (set, longest): (&str, usize), texts: &[Vec<u8>]) {
    let run = |sql: &str| server.sql(database, sql).unwrap();
    run(&format!(
        "CREATE TABLE raw_{set} (id int PRIMARY KEY, v varbinary({})) ENGINE=MyISAM;
         CREATE TABLE any_{set} (id int PRIMARY KEY, v varchar(2000) CHARACTER SET {set}) ENGINE=MyISAM",
        2_000 * longest
    ));
    for (part, texts) in texts.chunks(5_000).enumerate() {
        let row = |(place, text): (usize, &Vec<u8>)| {
            format!("({},x'{}')", part * 5_000 + place, hex(text))
        };
        let values: Vec<String> = texts.iter().enumerate().map(row).collect();
        run(&format!("INSERT INTO raw_{set} VALUES {}", values.join(",")));
    }
    run(&format!("FLUSH TABLES raw_{set}, any_{set}"));
    let folder = PathBuf::from(run("SELECT @@datadir").trim()).join(database);
    for kind in ["MYD", "MYI"] {
        let [raw, any] = ["raw", "any"].map(|name| folder.join(format!("{name}_{set}.{kind}")));
        std::fs::write(&any, std::fs::read(&raw).unwrap()).unwrap();
    }
    let kept = format!(
        "FLUSH TABLES;
         SELECT count(*) FROM any_{set} t JOIN raw_{set} USING (id) WHERE HEX(t.v) = HEX(raw_{set}.v)"
    );
    assert_eq!(
        run(&kept).trim(),
        texts.len().to_string(),
        "{set}: the bytes are there as they are"
    );
}

/// Sequences side by side, what one of them takes for itself of the next being limited; and each of one byte, and
/// garbage, at the end of a text.
fn any_texts(random: &mut StdRng, longest: usize) -> Vec<Vec<u8>> {
    let codes = codes(longest);
    let mut texts: Vec<Vec<u8>> = codes.chunks(250).map(|some| some.join(&b"||||"[..])).collect();
    texts.extend(codes.iter().take(256).cloned());
    texts.extend((0..2_000).map(|_| garbage(random)));
    if longest == 4 {
        texts.extend(four_bytes());
    }
    texts
}

async fn every_code_is_read_as_the_server_converts_it(version: Version) {
    read_as_the_server_converts(SourceKind::Mariadb, &mariadb(version)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_is_read_as_a_mysql_converts_it() {
    if require("mysql") {
        read_as_the_server_converts(SourceKind::Mysql, &mysql()).await;
    }
}

async fn read_as_the_server_converts(kind: SourceKind, server: &BinlogServer) {
    let mut random = seeded();
    for (set, longest) in sets(kind) {
        // GIVEN columns with each character of the set, and with any bytes
        let database = servers::binlog_database(server, "codes");
        let characters: Vec<String> = known(server, &database, (set, longest)).concat();
        let database = servers::binlog_database(server, "codes");
        let table = format!("CREATE TABLE {set} (id int PRIMARY KEY, v text CHARACTER SET {set})");
        server.sql(&database, &table).unwrap();
        let source = source_of(kind, server, &database, &[set]);
        let mut log = Log::start_of(kind, &source).await;
        for (id, some) in characters.chunks(500).enumerate() {
            let insert = format!("INSERT INTO {set} VALUES ({id}, _{set} x'{}')", some.concat());
            server.sql(&database, &insert).unwrap();
        }
        fill(server, &database, (set, longest), &any_texts(&mut random, longest));
        if kind == SourceKind::Mariadb {
            // (MySQL looks again.)
            let all = format!("INSERT INTO {set} SELECT 1000 + id, v FROM any_{set}");
            server.sql(&database, &all).unwrap();
        }
        // WHEN they are read THEN copy and log have what the server says
        let mut mirror = Mirror::default();
        mirror.apply(&log.read_all(server).await);
        let mut logged = mirror.table(&format!("{database}.{set}"));
        logged.sort_by_key(|row| row[0].parse::<u64>().unwrap());
        agree(server, &database, set, logged, "log");
        for table in [set, &format!("any_{set}")] {
            let chunks = copy(&source, &TableName::new(&database, table), 5_000).await;
            let copied = chunks.iter().flat_map(rows).map(|row| show_all(&row)).collect();
            agree(server, &database, table, copied, "copy");
        }
    }
}

/// Rows, as somebody has read them, are those that the server shows when it converts them itself.
fn agree(server: &BinlogServer, database: &str, table: &str, read: Vec<Vec<String>>, who: &str) {
    let sql = format!("SELECT HEX(v), HEX(CONVERT(v USING utf8mb4)) FROM {table} ORDER BY id");
    let said = server.sql(database, &sql).unwrap();
    let said: Vec<(&str, &str)> = said.lines().map(|line| line.split_once('\t').unwrap()).collect();
    assert_eq!(said.len(), read.len(), "the {who} of {table}");
    for (row, (bytes, said)) in read.iter().zip(said) {
        assert_eq!(hex(row[1].as_bytes()), said, "the {who} of {table}, {bytes}");
    }
}

async fn keys_in_every_set_are_walked_or_refused(version: Version) {
    walked_or_refused(SourceKind::Mariadb, &mariadb(version)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_in_every_set_of_a_mysql_are_walked_or_refused() {
    if require("mysql") {
        walked_or_refused(SourceKind::Mysql, &mysql()).await;
    }
}

/// Codes of the set that have a character: whether the server makes the same bytes of it.
fn known(server: &BinlogServer, database: &str, (set, longest): (&str, usize)) -> [Vec<String>; 2] {
    let mut codes: Vec<Vec<u8>> = codes(longest);
    codes.retain(|code| code.len() > 1 || code[0] > b' ');
    if longest == 4 {
        let some = four_bytes().into_iter().step_by(7);
        codes.extend(
            some.flat_map(|text| text.chunks(4).take(9).map(<[u8]>::to_vec).collect::<Vec<_>>()),
        );
    }
    fill(server, database, (set, longest), &codes);
    // One character, not the one that stands for none, and no code that only the converter takes for one.
    let sql = format!(
        "SELECT HEX(v), HEX(CONVERT(CONVERT(v USING utf8mb4) USING {set})) = HEX(v) FROM any_{set}
         WHERE CHAR_LENGTH(v) = 1 AND CHAR_LENGTH(CONVERT(v USING utf8mb4)) = 1
           AND HEX(CONVERT(v USING utf8mb4)) <> '3F'"
    );
    let said = server.sql(database, &sql).unwrap();
    let mut sorted = [Vec::new(), Vec::new()];
    for line in said.lines() {
        let (code, is_same) = line.split_once('\t').unwrap();
        sorted[usize::from(is_same == "1")].push(code.to_owned());
    }
    sorted
}

async fn walked_or_refused(kind: SourceKind, server: &BinlogServer) {
    for (set, longest) in sets(kind) {
        let database = servers::binlog_database(server, "keyed");
        let [ambiguous, exact] = known(server, &database, (set, longest));
        assert!(exact.len() > 6_000, "{set} has {} codes", exact.len());
        // GIVEN a key with every character of the set, in the order of its codes and in that of people
        let table = |name: &str, collation: &str| {
            format!(
                "CREATE TABLE {name} (k varchar(3) CHARACTER SET {set} {collation} PRIMARY KEY);"
            )
        };
        let made = table("bin", &format!("COLLATE {set}_bin")) + &table("ci", "");
        server.sql(&database, &made).unwrap();
        let source = source_of(kind, server, &database, &["bin", "ci"]);
        let mut log = Log::start_of(kind, &source).await;
        for some in exact.chunks(2_000) {
            let values: Vec<String> =
                some.iter().map(|code| format!("(_{set} x'{code}')")).collect();
            for name in ["bin", "ci"] {
                let sql = format!("INSERT IGNORE INTO {name} VALUES {}", values.join(","));
                server.sql(&database, &sql).unwrap();
            }
        }
        // WHEN it is walked THEN each row comes once, and the log has the same
        let mut mirror = Mirror::default();
        mirror.apply(&log.read_all(server).await);
        for name in ["bin", "ci"] {
            let count = server.sql(&database, &format!("SELECT count(*) FROM {name}")).unwrap();
            let count: usize = count.trim().parse().unwrap();
            assert!(name == "ci" || count == exact.len(), "{set}: {count}");
            let name = TableName::new(&database, name);
            let chunks = copy(&source, &name, 997).await;
            let mut copied: Vec<Vec<String>> =
                chunks.iter().flat_map(rows).map(|row| show_all(&row)).collect();
            copied.sort();
            assert_eq!(copied.len(), count, "{set} {name}");
            assert_eq!(copied, mirror.table(&name.to_string()), "{set} {name}");
        }
        // WHEN a key has a character that is there twice THEN the log sets it aside, and a copy refuses it
        for code in &ambiguous {
            server.sql(&database, &format!("INSERT INTO bin VALUES (_{set} x'{code}')")).unwrap();
        }
        let told = log.read_all(server).await;
        let unread = told.iter().flat_map(|transaction| &transaction.changes);
        let unread = unread.filter(|change| matches!(change, Change::Unread(_))).count();
        assert_eq!(unread, ambiguous.len(), "{set}");
        let mut copier = source.copier(Fence::Open).await.unwrap();
        let name = TableName::new(&database, "bin");
        let refused = copier.chunk(&name, Span::default(), 1_000_000, &|_| {}).await;
        assert_eq!(refused.is_err(), !ambiguous.is_empty(), "{set}");
        if let Err(error) = refused {
            assert!(error.chain().contains("cannot be told apart"), "{}", error.chain());
            assert!(error.remedy().unwrap().contains("CHARACTER SET utf8mb4"));
        }
    }
}

on_versions! {
    [mariadb mariadb118]
    every_code_is_read_as_the_server_converts_it
    keys_in_every_set_are_walked_or_refused
}
