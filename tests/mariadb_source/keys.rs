//! Keys of every kind are walked to the end, each row once, whatever their order is.

use std::collections::BTreeSet;

use trueup::change::TableName;

use super::harness::{copy, rows, show_all, source};
use crate::support::require::require;
use crate::support::servers::{mariadb, mariadb_database};

/// Key columns and tuples of values; values that the key takes for the same are left out.
const KEYS: &[(&[&str], &[&str])] = &[
    (&["bigint"], &["-9223372036854775808", "-1", "0", "9007199254740993", "9007199254740992"]),
    (&["bigint unsigned"], &["0", "9223372036854775808", "18446744073709551615", "10", "9"]),
    (&["int zerofill"], &["7", "70", "700", "8", "80"]),
    (&["decimal(30,10)"], &["-1.5", "0", "1e10", "99999999999999999999.1", "0.0000000001"]),
    (&["decimal(65,30) unsigned"], &["0", "1.1", "12345678901234567890123456789012345.1"]),
    (&["float"], &["0.1", "0.2", "-1e10", "16777217", "3.4e38", "1e-30"]),
    (&["double"], &["0.1", "0.30000000000000004", "0.3", "-1e300", "1e300"]),
    (&["date"], &["'0000-00-00'", "'2024-02-00'", "'2024-01-31'", "'9999-12-31'", "'1000-01-01'"]),
    (&["datetime(3)"], &["'0000-00-00'", "'2024-01-01 10:00:00.123'", "'2024-01-01 10:00:00.124'"]),
    (&["timestamp(6)"], &["'1999-01-01'", "'2024-01-01 10:00:00.000001'", "'0000-00-00'"]),
    (&["time(2)"], &["'-838:59:59'", "'-00:00:00.01'", "'0'", "'10:00:00'", "'100:00:00'"]),
    (&["year"], &["0", "1901", "2024", "2155"]),
    (&["bit(9)"], &["0", "1", "255", "256", "511"]),
    (&["char(9) charset latin1"], &["'a'", "'Z'", "'é'", "'ef'", "'ß'", "'ss1'", "''", "'z'"]),
    (&["varchar(9)"], &["'b'", "'A'", "'a1'", "'😀'", "'é'", "'ж'", "''", "'_'", "'\\\\'"]),
    (&["varchar(9) collate utf8mb4_bin"], &["'a'", "'A'", "'é'", "'a b'", "''", "'~'"]),
    (&["varchar(9) collate utf8mb4_uca1400_as_cs"], &["'a'", "'A'", "'é'", "'e'", "'f'", "'E'"]),
    (&["varchar(9) charset ucs2"], &["'a'", "'Ж'", "'漢'", "'b'", "'é'"]),
    (&["varchar(9) charset utf8mb3 collate utf8mb3_swedish_ci"], &["'å'", "'a'", "'z'", "'ö'"]),
    (&["binary(4)"], &["x''", "x'00ff'", "x'ff'", "x'00'", "x'61626364'"]),
    (&["varbinary(4)"], &["x''", "x'00'", "x'0000'", "x'ff'", "x'7f80'"]),
    (&["enum('z','a','m')"], &["'z'", "'a'", "'m'"]),
    (&["set('z','a','m')"], &["'z'", "'a,m'", "'m'", "''", "'z,a'"]),
    (
        &["uuid"],
        &[
            "uuid()",
            "'123e4567-e89b-72d3-a456-426655440000'",
            "'ff000000-0000-1000-8000-000000000001'",
        ],
    ),
    (&["inet6"], &["'::'", "'::1'", "'ff::'", "'::ffff:1.2.3.4'", "'1::2'"]),
    (&["inet4"], &["'1.2.3.4'", "'255.0.0.1'", "'0.0.0.0'", "'10.0.0.1'"]),
    (
        &["varchar(9)", "int"],
        &["'a', 1", "'a', -1", "'A', 2", "'b', 0", "'', 7", "'', 8", "'b', -5"],
    ),
    (
        &["int", "varchar(9) charset latin1", "datetime(1)"],
        &[
            "1, 'a', '2024-01-01'",
            "1, 'a', '2023-01-01 00:00:00.5'",
            "1, 'B', '2022-01-01'",
            "0, 'z', '2025-01-01'",
            "2, '', '0000-00-00'",
            "2, 'é', '2024-01-01'",
        ],
    ),
    (
        &["enum('z','a')", "date"],
        &["'z', '2024-01-01'", "'a', '2023-01-01'", "'z', '2022-01-01'", "'a', '2025-01-01'"],
    ),
];

#[tokio::test]
async fn keys_of_every_kind_are_walked_to_the_end() {
    if !require("mariadb") {
        return;
    }
    let (server, database) = (mariadb(), mariadb_database("walked"));
    let mut statements = "SET sql_mode = '', time_zone = '+00:00';".to_owned();
    for (number, (types, tuples)) in KEYS.iter().enumerate() {
        let columns: Vec<String> =
            types.iter().enumerate().map(|(place, of)| format!("k{place} {of} NOT NULL")).collect();
        let names: Vec<String> = (0..types.len()).map(|place| format!("k{place}")).collect();
        statements.push_str(&format!(
            "CREATE TABLE `key {number}` ({}, filler int AUTO_INCREMENT UNIQUE,
                 PRIMARY KEY ({}));",
            columns.join(", "),
            names.join(", ")
        ));
        for tuple in *tuples {
            statements.push_str(&format!(
                "INSERT IGNORE INTO `key {number}` ({}) VALUES ({});",
                names.join(", "),
                tuple
            ));
        }
    }
    server.sql(&database, &statements).unwrap();
    let source = source(server, &database, &["*"]);
    for (number, (types, tuples)) in KEYS.iter().enumerate() {
        let count = server.sql(&database, &format!("SELECT count(*) FROM `key {number}`")).unwrap();
        let count: usize = count.trim().parse().unwrap();
        assert!(count > 1 && count + 1 >= tuples.len(), "{types:?} takes {count} values");
        let table = TableName::new(&database, format!("key {number}"));
        for rows_max in [1, 2, 100] {
            let chunks = copy(&source, &table, rows_max).await;
            let copied: Vec<Vec<String>> =
                chunks.iter().flat_map(rows).map(|row| show_all(&row)).collect();
            let fillers: BTreeSet<&String> = copied.iter().map(|row| row.last().unwrap()).collect();
            assert_eq!(fillers.len(), count, "{types:?} by {rows_max}: {copied:?}");
            assert_eq!(copied.len(), count, "{types:?} by {rows_max}: {copied:?}");
        }
    }
}
