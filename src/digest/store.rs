//! Digests in DuckDB's SQL, over a mirror's columns. Pure text. The session's TimeZone is UTC.

use super::{Family, Hash, LANE_DIGITS};

/// The type that a golden vector is cast to.
#[must_use]
pub fn type_of(family: Family) -> &'static str {
    match family {
        Family::Number => "DECIMAL(38,6)",
        Family::Boolean => "BOOLEAN",
        Family::Date => "DATE",
        Family::Time => "TIME",
        Family::Timestamp => "TIMESTAMP",
        Family::TimestampTz => "TIMESTAMPTZ",
        Family::Text | Family::Stamp | Family::Padded => "VARCHAR",
        Family::Bytes => "BLOB",
    }
}

/// SQL for the canonical text of a value.
#[must_use]
pub fn text(family: Family, value: &str) -> String {
    match family {
        Family::Number => {
            let text = format!("CAST({value} AS VARCHAR)");
            // A DECIMAL(2,2) has no digit before its point.
            let trimmed = format!("rtrim(rtrim({text}, '0'), '.')");
            format!(
                "CASE WHEN contains({text}, '.') THEN CASE WHEN {trimmed} IN ('', '-0') THEN '0' \
                 ELSE regexp_replace({trimmed}, '^(-?)[.]', '\\10.') END ELSE {text} END"
            )
        }
        Family::Boolean => format!("CASE {value} WHEN true THEN '1' WHEN false THEN '0' END"),
        Family::TimestampTz => format!("CAST({value} AT TIME ZONE 'UTC' AS VARCHAR)"),
        Family::Padded => format!("rtrim(CAST({value} AS VARCHAR), ' ')"),
        Family::Bytes => format!("lower(hex({value}))"),
        Family::Stamp => format!("regexp_replace(CAST({value} AS VARCHAR), '[+]00$', '')"),
        Family::Date | Family::Time | Family::Timestamp | Family::Text => {
            format!("CAST({value} AS VARCHAR)")
        }
    }
}

/// SQL for the row text of canonical texts.
#[must_use]
pub fn row_text(texts: &[String]) -> String {
    let cell = |text: &String| format!("coalesce(strlen({text}) || ':' || ({text}), 'N')");
    texts.iter().map(cell).collect::<Vec<_>>().join(" || ")
}

/// SQL for the hash of a text, in hexadecimal digits.
#[must_use]
pub fn hash(hash: Hash, text: &str) -> String {
    match hash {
        Hash::Md5 => format!("md5({text})"),
        Hash::Sha256 => format!("sha256({text})"),
    }
}

/// SQL for the sums of both lanes over the hash in `hash`, as texts.
#[must_use]
pub fn sums(hash: &str) -> String {
    let lane = |from: usize| {
        format!(
            "CAST(sum(CAST('0x' || substr({hash}, {from}, {LANE_DIGITS}) AS BIGINT)) AS VARCHAR)"
        )
    };
    format!("{}, {}", lane(1), lane(1 + LANE_DIGITS))
}
