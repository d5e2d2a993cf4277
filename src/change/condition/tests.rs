//! What conditions say, as a server would have it.

use proptest::prelude::*;

use super::*;
use crate::change::{Cell, TableName};

fn table() -> Table {
    let column = |name: &str, source_type: &str, kind| Column {
        name: name.to_owned(),
        source_type: source_type.to_owned(),
        kind,
        key: None,
    };
    Table {
        id: 1,
        name: TableName::new("public", "t"),
        columns: vec![
            column("company", "integer", Kind::Int { bytes: 4 }),
            column("kind", "character varying(9)", Kind::Text),
            column("day", "date", Kind::Date),
            column("at", "timestamp with time zone", Kind::TimestampTz),
            column("active", "boolean", Kind::Boolean),
            column("ref", "uuid", Kind::Uuid),
            column("code", "character(3)", Kind::Text),
            column("tags", "text[]", Kind::Text),
            column("price", "numeric(9,2)", Kind::Decimal { precision: 9, scale: 2 }),
        ],
        cascades: Vec::new(),
        left_out: Vec::new(),
        rows: None,
    }
}

/// The row has `text` in the column that the condition is about: `~` is NULL, `-` is missing.
fn said(condition: &str, text: &str) -> Option<bool> {
    let condition = Condition::parse(condition).unwrap();
    let table = table();
    condition.fits(&table).unwrap();
    let cell = || match text {
        "~" => Cell::Null,
        "-" => Cell::Missing,
        text => Cell::text(text),
    };
    let cells: Vec<Cell> = table.columns.iter().map(|_| cell()).collect();
    condition.admits(&table, &cells, false)
}

#[test]
fn a_value_is_compared_as_what_it_is() {
    for (condition, text, expected) in [
        ("company = 3", "3", true),
        ("company = 3", "30", false),
        ("company < 20", "3", true),
        ("company >= -5", "-5", true),
        ("company > -5", "-6", false),
        ("company <= 9223372036854775807", "18446744073709551615", false),
        ("kind = 'a'", "a", true),
        ("kind = 'a'", "A", false),
        ("kind = 'a'", "a ", false),
        ("kind NOT IN ('a', 'b')", "c", true),
        ("kind not in ('a', 'b')", "b", false),
        ("kind = 'it''s'", "it's", true),
        ("day < '2020-01-01'", "2019-12-31", true),
        ("day < '2020-01-01'", "0044-03-15 BC", true),
        ("day < '2020-01-01'", "10000-01-01", false),
        ("day < '2020-01-01'", "-infinity", true),
        ("day > '2020-01-01'", "infinity", true),
        ("day > '2020-01-01'", "0000-00-00", false),
        ("at >= '2020-01-01'", "2020-01-01 00:00:00+00", true),
        ("at > '2020-01-01'", "2020-01-01 00:00:00.000000+00", false),
        ("at > '2020-01-01'", "2020-01-01 00:00:00.000001+00", true),
        ("at <= '2020-01-01 10:00:00'", "2020-01-01 09:59:59.9+00", true),
        ("at < '2020-01-01'", "0044-03-15 10:00:00+00 BC", true),
        ("active = true", "t", true),
        ("active = FALSE", "t", false),
        (
            "ref = '00000000-0000-0000-0000-00000000000A'",
            "00000000-0000-0000-0000-00000000000a",
            true,
        ),
        ("\"kind\" IS NOT NULL", "", true),
        ("`kind` is null", "x", false),
    ] {
        assert_eq!(said(condition, text), Some(expected), "{condition}: {text}");
    }
}

#[test]
fn nothing_stands_in_any_relation_to_null_and_what_is_missing_is_not_known() {
    for condition in ["company = 1", "company <> 1", "company NOT IN (1)", "company < 1"] {
        assert_eq!(said(condition, "~"), Some(false), "{condition}");
        assert_eq!(said(condition, "-"), None, "{condition}");
    }
    assert_eq!(said("company IS NULL", "~"), Some(true));
    assert_eq!(said("company IS NULL", "-"), None);
    let both = Condition::parse("company = 1 AND kind = 'a'").unwrap();
    let row = |company: &str, kind| vec![Cell::text(company), kind];
    assert_eq!(both.admits(&table(), &row("1", Cell::Missing), false), None);
    assert_eq!(
        both.admits(&table(), &row("2", Cell::Missing), false),
        Some(false),
        "one is enough"
    );
    assert_eq!(
        both.admits(&table(), &row("none", Cell::text("a")), false),
        None,
        "no number at all"
    );
}

#[test]
fn what_servers_compare_otherwise_is_refused() {
    for (condition, expected) in [
        ("compny = 1", "there is no column compny"),
        ("company = '1'", "company, a integer, cannot be compared with '1'"),
        ("kind < 'a'", "can only be compared by"),
        ("kind = 1", "cannot be compared with 1"),
        ("code = 'a'", "code, a character(3), cannot be compared"),
        ("tags = '{a}'", "tags, a text[], cannot be compared"),
        ("price > 1", "price, a numeric(9,2), cannot be compared"),
        ("day > '2020-02-30'", "cannot be compared with '2020-02-30'"),
        ("at > '2020-02-01 25:00:00'", "cannot be compared with"),
        ("ref = 'x'", "cannot be compared with 'x'"),
        ("active > TRUE", "can only be compared by"),
    ] {
        let why = Condition::parse(condition).unwrap().fits(&table()).unwrap_err();
        assert!(why.contains(expected), "{condition}: {why}");
    }
    Condition::parse("price IS NOT NULL AND tags IS NULL").unwrap().fits(&table()).unwrap();
}

#[test]
fn what_is_no_condition_says_where() {
    for (text, expected) in [
        ("", "its end stands where a column should"),
        ("a", "a is not compared with anything"),
        ("a = ", "its end stands where a value should"),
        ("a = 1 OR b = 2", "`OR` is not understood; terms are joined by AND"),
        ("a = 'x", "a ' is not closed"),
        ("a IN 1", "IN is followed by a list"),
        ("a IN (1", "a list of at most"),
        ("a IN ()", "`)` stands where a value should"),
        ("a IS 1", "1 follows IS"),
        ("a NOT 1", "1 follows NOT"),
        ("a = 99999999999999999999", "is no number"),
        ("a = 1; DROP TABLE b", "`;` is not understood"),
        ("a ( 1", "( follows a"),
        ("lower(a) = 'b'", "( follows lower"),
    ] {
        let why = Condition::parse(text).unwrap_err();
        assert!(why.contains(expected), "{text}: {why}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-zA-Z_'\"`0-9<>=!(), -]{0,60}|.{0,40}") {
        if let Ok(read) = Condition::parse(&text) {
            prop_assert!(!read.terms.is_empty(), "no condition would choose everything");
        }
    }

    #[test]
    fn any_cell_is_judged(text in ".{0,30}", number in any::<i64>()) {
        let table = table();
        for condition in ["company = 1", "day < '2020-01-01'", "at >= '2020-01-01'", "kind = 'a'"] {
            let condition = Condition::parse(condition).unwrap();
            let cells: Vec<Cell> = table.columns.iter().map(|_| Cell::text(&text)).collect();
            let is_text = condition.is_about("kind");
            let admitted = condition.admits(&table, &cells, false);
            prop_assert!(admitted.is_some() || !is_text, "any text is a text");
        }
        let more = Condition::parse(&format!("company > {number}")).unwrap();
        let next = Cell::text(&number.saturating_add(1).to_string());
            let is_more = more.admits(&table, &vec![next], false);
        prop_assert_eq!(is_more, Some(number < i64::MAX));
    }
}
