//! MySQL in the soak: what `mariadb.rs` says, spelled for it. It has no sequences as tables, no md5, and
//! other types.

use super::world::Kind;

/// As many as the longest series; in a database of their own, which nobody mirrors.
pub(super) const NUMBERS: &str = "
    CREATE DATABASE numbers;
    CREATE TABLE numbers.numbers (n int PRIMARY KEY);
    SET SESSION cte_max_recursion_depth = 200000;
    INSERT INTO numbers.numbers
        WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 150000)
        SELECT n FROM s";

/// MariaDB's, but for its own types.
pub(super) const KINDS: &[Kind] = &[
    Kind { sql: "int", value: "({g} * 7 + {s}) % 100000" },
    Kind { sql: "text", value: "repeat(left(sha2({g} + {s}, 256), 32), abs({g} + {s}) % 4)" },
    Kind { sql: "decimal(12,2)", value: "(({g} * 31 + {s}) % 1000000) / 100" },
    Kind { sql: "bigint unsigned", value: "abs({g}) * {s} * 100003" },
    Kind { sql: "varchar(60)", value: "concat('ä☃', left(sha2({g} * {s}, 256), 20))" },
    Kind { sql: "boolean", value: "({g} + {s}) % 2 = 0" },
    Kind { sql: "date", value: "DATE '2020-01-01' + INTERVAL (({g} + {s}) % 4000) DAY" },
    Kind {
        sql: "datetime(3)",
        value: "TIMESTAMP'2020-01-01 00:00:00' + INTERVAL ({g} + {s}) * 7125000 MICROSECOND",
    },
    Kind {
        sql: "timestamp(6) NULL",
        value: "TIMESTAMP'2020-01-01 00:00:00' - INTERVAL ({g} + {s}) * 9500001 MICROSECOND",
    },
    Kind { sql: "json", value: "JSON_OBJECT('a', {g} + {s}, 'b', NULL, 'c', 'ü')" },
    Kind { sql: "varbinary(40)", value: "UNHEX(SHA2({g} + {s}, 256))" },
    Kind { sql: "double", value: "({g} + {s}) / 7e0" },
    Kind { sql: "enum('a','b','ü')", value: "elt(1 + abs({g} + {s}) % 3, 'a', 'b', 'ü')" },
    Kind { sql: "time(2)", value: "SEC_TO_TIME(abs({g} + {s}) % 80000 + 0.25)" },
    Kind { sql: "char(12)", value: "IF({g} % 5 <> 0, left(sha2({g} + {s}, 256), 10), NULL)" },
    Kind { sql: "bit(9)", value: "abs({g} + {s}) % 512" },
    Kind { sql: "year", value: "1950 + abs({g} + {s}) % 150" },
];

/// A statement of MariaDB's.
pub(super) fn spelled(sql: &str) -> String {
    let sql = sql.replace("DROP INDEX IF EXISTS", "DROP INDEX");
    let mut parts = sql.split("seq_");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (first, rest) = number(part);
        let (last, rest) = number(rest.strip_prefix("_to_").unwrap());
        // Where it has no name yet.
        let is_named = [" b", " n", " AS"].iter().any(|name| {
            rest.strip_prefix(name).is_some_and(|after| !after.starts_with(char::is_alphanumeric))
        });
        let name = if is_named { "" } else { " AS series" };
        out += &format!(
            "(SELECT {first} + n AS seq FROM numbers.numbers WHERE n <= {last} - {first}){name}{rest}"
        );
    }
    // Only ever of a column or a number.
    let mut parts = out.split("md5(");
    let mut spelled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (of, rest) = part.split_once(')').unwrap();
        spelled += &format!("left(sha2({of}, 256), 32){rest}");
    }
    spelled
}

/// A number at the beginning of a text, and what follows it.
fn number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    text.split_at(end)
}
