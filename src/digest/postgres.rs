//! Digests in PostgreSQL's SQL. Pure text. The session's TimeZone is UTC and its DateStyle ISO.

use super::{Family, LANE_DIGITS};

/// The family of a type, as `format_type` names it without its length; `None`: values of it are not
/// compared in SQL.
#[must_use]
pub fn family(type_name: &str) -> Option<Family> {
    Some(match type_name {
        "smallint" | "integer" | "bigint" | "numeric" => Family::Number,
        "boolean" => Family::Boolean,
        "date" => Family::Date,
        "time without time zone" => Family::Time,
        "timestamp without time zone" => Family::Timestamp,
        "timestamp with time zone" => Family::TimestampTz,
        "text" | "character varying" | "name" | "uuid" => Family::Text,
        "character" | "bpchar" => Family::Padded,
        "bytea" => Family::Bytes,
        _ => return None,
    })
}

/// The type that a golden vector is cast to.
#[must_use]
pub fn type_of(family: Family) -> &'static str {
    match family {
        Family::Number => "numeric",
        Family::Boolean => "boolean",
        Family::Date => "date",
        Family::Time => "time",
        Family::Timestamp => "timestamp",
        Family::TimestampTz => "timestamptz",
        Family::Text | Family::Stamp => "text",
        Family::Padded => "character(8)",
        Family::Bytes => "bytea",
    }
}

/// SQL for the canonical text of a value.
#[must_use]
pub fn text(family: Family, value: &str) -> String {
    match family {
        Family::Number => format!("trim_scale({value}::numeric)::text"),
        Family::Boolean => format!("CASE {value} WHEN true THEN '1' WHEN false THEN '0' END"),
        Family::TimestampTz => format!("({value} AT TIME ZONE 'UTC')::text"),
        Family::Padded => format!("rtrim({value}::text, ' ')"),
        Family::Bytes => format!("encode({value}, 'hex')"),
        Family::Stamp => format!("regexp_replace({value}::text, '[+]00$', '')"),
        Family::Date | Family::Time | Family::Timestamp | Family::Text => format!("{value}::text"),
    }
}

/// SQL for the row text of canonical texts.
#[must_use]
pub fn row_text(texts: &[String]) -> String {
    let cell = |text: &String| format!("coalesce(octet_length({text}) || ':' || ({text}), 'N')");
    texts.iter().map(cell).collect::<Vec<_>>().join(" || ")
}

/// SQL for the sums of both lanes over the md5 in `hash`, as texts.
#[must_use]
pub fn sums(hash: &str) -> String {
    let lane = |from: usize| {
        format!("sum(('x' || substr({hash}, {from}, {LANE_DIGITS}))::bit(60)::bigint)::text")
    };
    format!("{}, {}", lane(1), lane(1 + LANE_DIGITS))
}

/// SQL for the canonical text of a value whose text is compared as the server prints it, of whatever
/// type: with the blanks of `character`, which a cast would take away.
#[must_use]
pub fn output(family: Family, value: &str) -> String {
    match family {
        // A composite value of which a part is NULL is neither NULL nor NOT NULL.
        Family::Text => format!("CASE num_nulls({value}) WHEN 0 THEN format('%s', {value}) END"),
        other => text(other, value),
    }
}

/// SQL for the digests of a table `t` by bucket: bucket, count, and the sums of both lanes.
#[must_use]
pub fn digests(table: &str, all: &[String], key: &[String], digits: usize) -> String {
    format!(
        "SELECT substr(md5(k), 1, {digits}), count(*), {} FROM (SELECT k, md5(r) AS h FROM \
         (SELECT {} AS k, {} AS r FROM {table} AS t) AS rows) AS hashed GROUP BY 1",
        sums("h"),
        row_text(key),
        row_text(all),
    )
}

/// SQL for what rows of some buckets of a table `t` hold, and how many hold the same: an array of canonical
/// texts, and a count.
#[must_use]
pub fn equals(table: &str, all: &[String], digits: usize, buckets: &[String]) -> String {
    let rows = rows(table, all, all, digits, buckets);
    format!("SELECT cells, count(*) FROM ({rows}) AS found (cells) GROUP BY cells")
}

/// SQL for the rows of some buckets of a table `t`: an array of their canonical texts.
#[must_use]
pub fn rows(
    table: &str,
    all: &[String],
    key: &[String],
    digits: usize,
    buckets: &[String],
) -> String {
    // Hexadecimal digits: nothing to be quoted.
    let wanted: Vec<String> = buckets.iter().map(|bucket| format!("'{bucket}'")).collect();
    format!(
        "SELECT ARRAY[{}]::text[] FROM {table} AS t WHERE substr(md5({}), 1, {digits}) IN ({})",
        all.join(", "),
        row_text(key),
        wanted.join(", "),
    )
}
