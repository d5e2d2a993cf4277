//! From canonical text to typed DuckDB columns: the one place where types are decided.
//!
//! Pure. A value that its column cannot hold exactly is never bent: [`fits`] says so and the
//! caller widens the column to text. (`CAST('0044-03-15 BC' AS DATE)` gives 44 *after* Christ
//! in DuckDB 1.5, so "it casts" is no proof that it fits.)

use std::borrow::Cow;

use crate::change::Kind;

/// The DuckDB type that keeps a column of this kind.
#[must_use]
pub fn sql_type(kind: Kind) -> Cow<'static, str> {
    Cow::Borrowed(match kind {
        Kind::Boolean => "BOOLEAN",
        Kind::Int { bytes: 1 } => "TINYINT",
        Kind::Int { bytes: 2 } => "SMALLINT",
        Kind::Int { bytes: 4 } => "INTEGER",
        Kind::Int { .. } => "BIGINT",
        Kind::Unsigned { bytes: 1 } => "UTINYINT",
        Kind::Unsigned { bytes: 2 } => "USMALLINT",
        Kind::Unsigned { bytes: 4 } => "UINTEGER",
        Kind::Unsigned { .. } => "UBIGINT",
        Kind::Decimal { precision, scale } => {
            return Cow::Owned(format!("DECIMAL({precision},{scale})"));
        }
        Kind::Float4 => "FLOAT",
        Kind::Float8 => "DOUBLE",
        Kind::Date => "DATE",
        Kind::Time => "TIME",
        Kind::Timestamp => "TIMESTAMP",
        Kind::TimestampTz => "TIMESTAMPTZ",
        Kind::Interval => "INTERVAL",
        Kind::Uuid => "UUID",
        Kind::Json => "JSON",
        Kind::Bytes => "BLOB",
        Kind::Text => "VARCHAR",
    })
}

/// SQL that turns the staged text in `column` into a value of `kind`.
#[must_use]
pub fn typed(kind: Kind, column: &str) -> String {
    match kind {
        Kind::Text => column.to_owned(),
        Kind::Bytes => format!("from_hex(substr({column}, 3))"),
        _ => format!("CAST({column} AS {})", sql_type(kind)),
    }
}

/// The same, but NULL where the text is no value of `kind`.
#[must_use]
pub fn tried(kind: Kind, column: &str) -> String {
    match kind {
        Kind::Text | Kind::Bytes => typed(kind, column),
        _ => format!("TRY_CAST({column} AS {})", sql_type(kind)),
    }
}

/// Whether there are values of a source that [`fits`] refuses for `kind`.
#[must_use]
pub fn may_not_fit(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Decimal { .. } | Kind::Date | Kind::Timestamp | Kind::TimestampTz | Kind::Time
    )
}

/// True if `text` can be kept exactly in a column of `kind`, as far as rules tell: these are values that
/// DuckDB would bend. What it refuses is found by asking it.
#[must_use]
pub fn fits(kind: Kind, text: &[u8]) -> bool {
    match kind {
        Kind::Decimal { .. } => {
            text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'.')) && !text.is_empty()
        }
        Kind::Date | Kind::Timestamp | Kind::TimestampTz => fits_calendar(text),
        Kind::Time => fits_time_of_day(text),
        _ => true,
    }
}

/// DuckDB reads an interval's `-3 days` but not PostgreSQL's `+3 days`; nothing else differs.
#[must_use]
pub fn spelled_for_duckdb(kind: Kind, text: &str) -> Cow<'_, str> {
    if kind == Kind::Interval && text.contains('+') {
        return Cow::Owned(text.replace('+', ""));
    }
    Cow::Borrowed(text)
}

/// An identifier, quoted for DuckDB.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal. No statement can hold a NUL byte.
#[must_use]
pub fn literal(text: &str) -> String {
    let parts = text.split('\0').map(|part| format!("'{}'", part.replace('\'', "''")));
    match text.contains('\0') {
        true => format!("({})", parts.collect::<Vec<_>>().join(" || chr(0) || ")),
        false => parts.collect(),
    }
}

/// Years before Christ and MariaDB's zero dates have no DuckDB value.
fn fits_calendar(text: &[u8]) -> bool {
    if text.ends_with(b"BC") {
        return false;
    }
    if text.ends_with(b"infinity") {
        return true;
    }
    let date = text.split(|byte| *byte == b' ').next().unwrap_or(text);
    let mut parts = date.split(|byte| *byte == b'-');
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    let is_zero = |part: Option<&[u8]>| part.is_none_or(|p| p.iter().all(|b| *b == b'0'));
    !(is_zero(year) || is_zero(month) || is_zero(day))
}

/// DuckDB's TIME ends at 24:00:00; MariaDB's goes from -838 to 838 hours.
fn fits_time_of_day(text: &[u8]) -> bool {
    let Some((hours, _)) = text.split_at_checked(2) else { return false };
    text.get(2) == Some(&b':')
        && hours.iter().all(u8::is_ascii_digit)
        && (hours < b"24".as_slice() || text.starts_with(b"24:00:00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_a_literal() {
        let connection = duckdb::Connection::open_in_memory().unwrap();
        for text in ["", "it's", "a\0b", "\0", "\0\0'", "é\n"] {
            let sql = format!("SELECT {}", literal(text));
            let found: String = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(found, text);
        }
    }

    #[test]
    fn what_duckdb_would_bend_does_not_fit() {
        let decimal = Kind::Decimal { precision: 5, scale: 2 };
        for (kind, text, expected) in [
            (decimal, "12.34", true),
            (decimal, "-0.01", true),
            (decimal, "NaN", false),
            (Kind::Date, "2026-11-22", true),
            (Kind::Date, "infinity", true),
            (Kind::Date, "-infinity", true),
            (Kind::Date, "0044-03-15 BC", false),
            (Kind::Date, "0000-00-00", false),
            (Kind::Date, "2026-00-10", false),
            (Kind::Timestamp, "2026-11-22 10:00:00.5", true),
            (Kind::Timestamp, "0000-00-00 00:00:00", false),
            (Kind::TimestampTz, "0044-03-15 10:00:00+00 BC", false),
            (Kind::Time, "24:00:00", true),
            (Kind::Time, "23:59:59.999999", true),
            (Kind::Time, "24:00:01", false),
            (Kind::Time, "838:59:59", false),
            (Kind::Time, "-01:00:00", false),
            (Kind::Text, "anything", true),
        ] {
            assert_eq!(fits(kind, text.as_bytes()), expected, "{kind:?} {text}");
        }
    }

    #[test]
    fn names_and_literals_are_quoted() {
        assert_eq!(quoted(r#"a"b"#), r#""a""b""#);
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(spelled_for_duckdb(Kind::Interval, "1 day +04:05"), "1 day 04:05");
    }
}
