//! Real schemas: every table of a dump is copied by chunks and compared with the server's rows.

use trueup::change::{Kind, TableName};

use super::harness::{copy, rows, show_all, source};
use crate::support::require::{data_file, require};
use crate::support::servers::{load_gzipped, mariadb, mariadb_database};

/// Copies every table that has a key, and compares with what the client prints.
async fn copies_whole(dump: &str, label: &str, rows_max: u32) -> (usize, usize) {
    let (server, database) = (mariadb(), mariadb_database(label));
    load_gzipped(server.client(&database), &data_file(dump));
    // Only what has no key is left out; the dump may hold such tables.
    let keyless = format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES t WHERE TABLE_SCHEMA = '{database}'
         AND TABLE_TYPE = 'BASE TABLE' AND NOT EXISTS (SELECT 1 FROM
         information_schema.STATISTICS s WHERE s.TABLE_SCHEMA = '{database}'
         AND s.TABLE_NAME = t.TABLE_NAME AND s.INDEX_NAME = 'PRIMARY')"
    );
    let mut patterns = vec!["*".to_owned()];
    patterns.extend(server.sql("", &keyless).unwrap().lines().map(|name| format!("!{name}")));
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let source = source(server, &database, &patterns);
    let prepared = source.prepare(None).await.unwrap_or_else(|error| panic!("{}", error.chain()));
    let mut count = 0;
    for table in &prepared.tables {
        let chunks = copy(&source, &table.name, rows_max).await;
        assert_eq!(chunks[0].table, *table);
        let mut copied: Vec<String> =
            chunks.iter().flat_map(rows).map(|row| show_all(&row).join("\t")).collect();
        let mut printed = printed_rows(&database, &table.name, &chunks[0].table.columns);
        count += copied.len();
        copied.sort();
        printed.sort();
        assert_eq!(copied.len(), printed.len(), "{}", table.name);
        for (copied, printed) in copied.iter().zip(&printed) {
            assert_eq!(copied, printed, "{}", table.name);
        }
    }
    (prepared.tables.len(), count)
}

fn printed_rows(
    database: &str,
    table: &TableName,
    columns: &[trueup::change::Column],
) -> Vec<String> {
    let columns: Vec<String> = columns
        .iter()
        .map(|column| {
            let name = format!("`{}`", column.name);
            let text = match column.kind {
                Kind::Bytes => format!("concat('\\\\x', lower(hex({name})))"),
                Kind::TimestampTz => format!("concat({name}, '+00')"),
                _ => format!("convert({name} using utf8mb4)"),
            };
            format!("coalesce({text}, 'NULL')")
        })
        .collect();
    // One row per line, whatever the texts hold.
    let query = format!(
        "SET time_zone = '+00:00'; SELECT hex(concat_ws('\\t', {})) FROM `{}`",
        columns.join(", "),
        table.name
    );
    let unhex = |line: &str| {
        let byte = |at| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
        String::from_utf8((0..line.len()).step_by(2).map(byte).collect()).unwrap()
    };
    mariadb().sql(database, &query).unwrap().lines().map(unhex).collect()
}

#[tokio::test]
async fn the_employees_sample_is_copied_whole() {
    if !require("mariadb") || !require("data") {
        return;
    }
    let (tables, rows) = copies_whole("employees-10k.sql.gz", "employees", 7_000).await;
    assert!(tables >= 6 && rows > 130_000, "{tables} tables, {rows} rows");
}

#[tokio::test]
async fn orangehrm_is_copied_whole() {
    if !require("mariadb") || !require("data") {
        return;
    }
    let (tables, rows) = copies_whole("orangehrm-5.7.sql.gz", "orangehrm", 13).await;
    assert!(tables > 150 && rows > 1_000, "{tables} tables, {rows} rows");
}
