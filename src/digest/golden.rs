//! Golden vectors: values whose canonical text was written down by hand. Each engine spells them with
//! its own generated SQL before anything is compared, so that a difference of encoding is found
//! before it is called drift.

use super::Family;

/// A value as a SQL literal's text, and its canonical text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vector {
    /// Its family.
    pub family: Family,
    /// What is cast to the family's type, not yet quoted.
    pub value: &'static str,
    /// What must come out.
    pub canonical: &'static str,
}

const fn vector(family: Family, value: &'static str, canonical: &'static str) -> Vector {
    Vector { family, value, canonical }
}

/// The vectors, in order of families.
pub const VECTORS: [Vector; 40] = [
    vector(Family::Number, "0", "0"),
    vector(Family::Number, "-0.00", "0"),
    vector(Family::Number, "1.50", "1.5"),
    vector(Family::Number, "-0.10", "-0.1"),
    vector(Family::Number, "100", "100"),
    vector(Family::Number, "1000.000", "1000"),
    vector(Family::Number, "0.000001", "0.000001"),
    vector(Family::Number, "9223372036854775807", "9223372036854775807"),
    vector(Family::Number, "99999999999999999999.99", "99999999999999999999.99"),
    vector(Family::Boolean, "true", "1"),
    vector(Family::Boolean, "false", "0"),
    vector(Family::Date, "2026-02-28", "2026-02-28"),
    vector(Family::Date, "1899-12-31", "1899-12-31"),
    vector(Family::Date, "9999-12-31", "9999-12-31"),
    vector(Family::Time, "00:00:00", "00:00:00"),
    vector(Family::Time, "10:20:30.500", "10:20:30.5"),
    vector(Family::Time, "23:59:59.999999", "23:59:59.999999"),
    vector(Family::Timestamp, "2026-03-29 02:30:00", "2026-03-29 02:30:00"),
    vector(Family::Timestamp, "2026-11-26 10:20:30.500000", "2026-11-26 10:20:30.5"),
    vector(Family::Timestamp, "2026-11-26 10:20:30.000001", "2026-11-26 10:20:30.000001"),
    vector(Family::Timestamp, "1969-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"),
    vector(Family::Timestamp, "9999-12-31 23:59:59", "9999-12-31 23:59:59"),
    vector(Family::TimestampTz, "2026-03-29 02:30:00+02", "2026-03-29 00:30:00"),
    vector(Family::TimestampTz, "2026-10-25 00:30:00.25+00", "2026-10-25 00:30:00.25"),
    vector(Family::TimestampTz, "1970-01-01 00:00:00+00", "1970-01-01 00:00:00"),
    vector(Family::Text, "", ""),
    vector(Family::Text, " ", " "),
    vector(Family::Text, "a ", "a "),
    vector(Family::Text, "N", "N"),
    vector(Family::Text, "\u{e9}", "\u{e9}"),
    vector(Family::Text, "e\u{301}", "e\u{301}"),
    vector(Family::Text, "\u{1f600}\u{2603}", "\u{1f600}\u{2603}"),
    vector(Family::Text, "it's \\ a | b", "it's \\ a | b"),
    vector(Family::Stamp, "0000-00-00 00:00:00", "0000-00-00 00:00:00"),
    vector(Family::Stamp, "2026-11-27 01:02:03.50", "2026-11-27 01:02:03.50"),
    vector(Family::Padded, "EUR", "EUR"),
    vector(Family::Padded, "EU  ", "EU"),
    vector(Family::Padded, "", ""),
    vector(Family::Bytes, "\\x", ""),
    vector(Family::Bytes, "\\x00ff", "00ff"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_spell_ourselves_is_what_was_written_down() {
        for one in VECTORS {
            let found = one.family.canonical(one.value);
            assert_eq!(found.as_deref(), Some(one.canonical), "{one:?}");
        }
        for family in Family::ALL {
            assert!(VECTORS.iter().any(|one| one.family == family), "{family:?} has no vector");
        }
    }

    #[test]
    fn what_is_no_value_of_a_family_has_no_text() {
        for (family, value) in [
            (Family::Number, "NaN"),
            (Family::Number, ""),
            (Family::Number, "1e5"),
            (Family::Boolean, "maybe"),
            (Family::Date, "2026-02-30"),
            (Family::Timestamp, "yesterday"),
            (Family::Bytes, "ff"),
        ] {
            assert_eq!(family.canonical(value), None, "{family:?} {value}");
        }
    }
}
