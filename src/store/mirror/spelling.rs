//! A value of the mirror as the log would spell it. Pure text.

use crate::change::{Column, Kind};
use crate::store::types::quoted;

/// SQL of a column's text as a log writes it (see [`Cell`]): two spellings of a key would be two keys.
pub(super) fn canonical(column: &Column) -> String {
    let name = quoted(&column.name);
    let text = format!("CAST({name} AS VARCHAR)");
    match (column.kind, digits(&column.source_type)) {
        (Kind::Boolean, _) => format!("CASE WHEN {name} THEN 't' WHEN NOT {name} THEN 'f' END"),
        // A DECIMAL(2,2) has no digit before its point.
        (Kind::Decimal { precision, scale }, _) if precision == scale => {
            format!("regexp_replace({text}, '^(-?)[.]', '\\10.')")
        }
        (Kind::Bytes, _) => format!("'\\x' || lower(hex({name}))"),
        (Kind::Time | Kind::Timestamp, Some(digits)) => with_fraction(&text, digits),
        (Kind::TimestampTz, Some(digits)) => {
            let without_zone = format!("left({text}, -3)");
            format!("{} || right({text}, 3)", with_fraction(&without_zone, digits))
        }
        _ => text,
    }
}

/// Digits of a second of a MariaDB type such as `datetime(3)`; `None` if it has none.
fn digits(source_type: &str) -> Option<u8> {
    let (name, rest) = source_type.split_once('(')?;
    let is_time = matches!(name.to_ascii_lowercase().as_str(), "datetime" | "timestamp" | "time");
    // (PostgreSQL's have words behind it, and no zeros at the end of a fraction.)
    rest.strip_suffix(')')?.parse().ok().filter(|digits| is_time && *digits > 0)
}

/// DuckDB leaves zeros at the end of a fraction away, and the log does not.
fn with_fraction(text: &str, digits: u8) -> String {
    format!("split_part({text}, '.', 1) || '.' || rpad(split_part({text}, '.', 2), {digits}, '0')")
}
