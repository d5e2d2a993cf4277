//! Which rows of a table are mirrored: a condition over its columns, which servers and we understand alike.
//! Pure.
//!
//! ```text
//!  condition = term { AND term }
//!  term      = column ( = | <> | < | <= | > | >= ) literal
//!            | column [NOT] IN ( literal, … ) | column IS [NOT] NULL
//!  literal   = whole number | 'text' | TRUE | FALSE
//! ```
//! Like a server we compare nothing with NULL: such a row is not chosen. Nothing depends on a collation:
//! text is only equal to the same characters, and only numbers and points in time come before others.

mod parse;

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CellRef, Cells, Column, Kind, Table};

/// Terms that must all be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// At least one.
    pub terms: Vec<Term>,
}

/// What one column must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The column's name.
    pub column: String,
    /// What is asked of it.
    pub test: Test,
}

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// There is none; or, if false, there is one.
    Null(bool),
    /// It is one of these; or, if false, none of them.
    Among(bool, Vec<Literal>),
    /// It stands so to this one.
    Compared(Operator, Literal),
}

/// How two values stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

/// A value as the operator writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Literal {
    /// A whole number.
    Number(i64),
    /// Text, or a point in time as text.
    Text(String),
    /// `TRUE` or `FALSE`.
    Boolean(bool),
}

/// How a server says a condition.
pub struct Words<'a> {
    /// How a column is compared.
    pub column: &'a dyn Fn(Kind, &str) -> String,
    /// What a literal is there.
    pub value: &'a dyn Fn(Kind, &Literal) -> String,
    /// That something is NULL.
    pub null: &'a dyn Fn(&str) -> String,
}

/// What a value is compared as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Comparable {
    Number(i128),
    Text(Vec<u8>),
    /// Before all others or after them; the year; the rest of the text.
    Moment(i8, i64, String),
}

impl Operator {
    /// As SQL writes it.
    #[must_use]
    pub fn sql(self) -> &'static str {
        match self {
            Operator::Less => "<",
            Operator::AtMost => "<=",
            Operator::More => ">",
            Operator::AtLeast => ">=",
        }
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Operator::Less => ordering.is_lt(),
            Operator::AtMost => ordering.is_le(),
            Operator::More => ordering.is_gt(),
            Operator::AtLeast => ordering.is_ge(),
        }
    }
}

impl Condition {
    /// Reads what an operator wrote.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse::condition(text)
    }

    /// Whether `column` is one of those that it is about.
    #[must_use]
    pub fn is_about(&self, column: &str) -> bool {
        self.terms.iter().any(|term| term.column == column)
    }

    /// Whether it can be asked of a table: it has the columns, and they are of types that servers and we
    /// compare alike.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn fits(&self, table: &Table) -> Result<(), String> {
        for Term { column: name, test } in &self.terms {
            let column = table.columns.iter().find(|column| column.name == *name);
            let column = column.ok_or_else(|| format!("there is no column {name}"))?;
            let literals: &[Literal] = match test {
                Test::Null(_) => &[],
                Test::Among(_, literals) => literals,
                Test::Compared(_, literal) => std::slice::from_ref(literal),
            };
            let is_ordered = !matches!(column.kind, Kind::Text | Kind::Uuid | Kind::Boolean);
            if matches!(test, Test::Compared(..)) && !is_ordered {
                let wrong = "can only be compared by =, <>, IN and IS NULL";
                return Err(format!("{name}, a {}, {wrong}", column.source_type));
            }
            for literal in literals {
                if !is_comparable(column) || literal.as_kind(column.kind).is_none() {
                    let is = &column.source_type;
                    return Err(format!("{name}, a {is}, cannot be compared with {literal}"));
                }
            }
        }
        Ok(())
    }

    /// It in a server's words.
    #[must_use]
    pub fn sql(&self, table: &Table, words: &Words<'_>) -> String {
        let Words { column, value, null } = words;
        let terms = self.terms.iter().map(|term| {
            let known = table.columns.iter().find(|column| column.name == term.column);
            let kind = known.map_or(Kind::Text, |column| column.kind);
            let left = column(kind, &term.column);
            match &term.test {
                Test::Null(true) => null(&left),
                Test::Null(false) => format!("NOT ({})", null(&left)),
                Test::Among(is_in, literals) => {
                    let values: Vec<String> =
                        literals.iter().map(|literal| value(kind, literal)).collect();
                    let not = if *is_in { "" } else { "NOT " };
                    format!("{left} {not}IN ({})", values.join(", "))
                }
                Test::Compared(operator, literal) => {
                    format!("{left} {} {}", operator.sql(), value(kind, literal))
                }
            }
        });
        terms.collect::<Vec<_>>().join(" AND ")
    }

    /// Whether it only asks for keys that everybody tells apart alike: whole numbers, points in time and
    /// UUIDs. A row has its key on every side, whatever else is wrong with it.
    ///
    /// # Errors
    /// Why not, for people.
    pub fn fits_key(&self, table: &Table) -> Result<(), String> {
        self.fits(table)?;
        for term in &self.terms {
            let column = table.columns.iter().find(|column| column.name == term.column);
            let is_key = column.is_some_and(|column| {
                column.key.is_some() && !matches!(column.kind, Kind::Text | Kind::Boolean)
            });
            if !is_key {
                let name = &term.column;
                return Err(format!(
                    "{name} is not one of the key's numbers, dates, times and UUIDs"
                ));
            }
        }
        Ok(())
    }

    /// Whether a row is chosen; cells stand in the order of the table's columns. `None` if a cell that
    /// decides about it is missing, or is no value of its type. `is_there`: what is missing has a value.
    #[must_use]
    pub fn admits(
        &self,
        table: &Table,
        row: &(impl Cells + ?Sized),
        is_there: bool,
    ) -> Option<bool> {
        let mut is_known = true;
        for term in &self.terms {
            let place = table.columns.iter().position(|column| column.name == term.column);
            let found = place.and_then(|place| table.columns.get(place).zip(row.cell(place)));
            match found.and_then(|(column, cell)| term.holds(column, cell, is_there)) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => is_known = false,
            }
        }
        is_known.then_some(true)
    }
}

impl Term {
    fn holds(&self, column: &Column, cell: CellRef<'_>, is_there: bool) -> Option<bool> {
        let text = match (cell, &self.test) {
            (CellRef::Missing, Test::Null(is_none)) if is_there => return Some(!is_none),
            (CellRef::Missing, _) => return None,
            (CellRef::Null, Test::Null(is_none)) => return Some(*is_none),
            (CellRef::Text(_), Test::Null(is_none)) => return Some(!is_none),
            (CellRef::Null, _) => return Some(false),
            (CellRef::Text(text), _) => text,
        };
        let value = comparable(column.kind, text)?;
        match &self.test {
            Test::Null(_) => None,
            Test::Among(is_in, literals) => {
                let mut found = false;
                for literal in literals {
                    found |= literal.as_kind(column.kind)? == value;
                }
                Some(found == *is_in)
            }
            Test::Compared(operator, literal) => {
                Some(operator.holds(value.cmp(&literal.as_kind(column.kind)?)))
            }
        }
    }
}

impl Literal {
    /// What it is in a column of this kind; `None` if it is no value there.
    fn as_kind(&self, kind: Kind) -> Option<Comparable> {
        match (self, kind) {
            (Literal::Number(number), Kind::Int { .. } | Kind::Unsigned { .. }) => {
                Some(Comparable::Number((*number).into()))
            }
            (Literal::Boolean(is), Kind::Boolean) => {
                Some(Comparable::Text(if *is { b"t" } else { b"f" }.to_vec()))
            }
            (Literal::Text(text), Kind::Text) => Some(Comparable::Text(text.as_bytes().to_vec())),
            (Literal::Text(text), Kind::Uuid) => {
                let hyphens = text.char_indices().filter(|(_, char)| *char == '-');
                let is_whole = text.len() == 36 && hyphens.map(|(at, _)| at).eq([8, 13, 18, 23]);
                let is_hex = text.chars().all(|char| char.is_ascii_hexdigit() || char == '-');
                (is_whole && is_hex).then(|| Comparable::Text(text.to_lowercase().into_bytes()))
            }
            (Literal::Text(_), Kind::Date | Kind::Timestamp | Kind::TimestampTz) => {
                moment(&self.moment(kind)?)
            }
            _ => None,
        }
    }

    /// A point in time in full, as servers read it: `2020-01-01` is its midnight.
    #[must_use]
    pub fn moment(&self, kind: Kind) -> Option<String> {
        let Literal::Text(text) = self else { return None };
        if kind == Kind::Date {
            return is_date(text).then(|| text.clone());
        }
        let (date, time) = match text.split_once(' ') {
            Some((date, time)) => (date, time.strip_suffix("+00").unwrap_or(time)),
            None => (text.as_str(), "00:00:00"),
        };
        let is_time = time.len() == 8
            && time.chars().enumerate().all(|(at, char)| match at {
                2 | 5 => char == ':',
                _ => char.is_ascii_digit(),
            });
        let (hour, minute, second) = (time.get(0..2)?, time.get(3..5)?, time.get(6..8)?);
        let is_valid = hour <= "23" && minute <= "59" && second <= "59";
        let zone = if kind == Kind::TimestampTz { "+00" } else { "" };
        (is_date(date) && is_time && is_valid).then(|| format!("{date} {time}{zone}"))
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Number(number) => write!(f, "{number}"),
            Literal::Text(text) => write!(f, "'{text}'"),
            Literal::Boolean(is) => f.write_str(if *is { "TRUE" } else { "FALSE" }),
        }
    }
}

/// Whether servers and we compare values of a column alike. (`character` is padded by one and trimmed by
/// another; enumerations and types of one's own have no literals that all of them know; a year of MariaDB is
/// another one with two digits.)
fn is_comparable(column: &Column) -> bool {
    let name = column.source_type.to_lowercase();
    let is = |names: &[&str]| names.iter().any(|prefix| name.starts_with(prefix));
    column.kind != Kind::Text && !is(&["year"])
        || column.kind == Kind::Text
            && !name.ends_with(']')
            && (is(&["text", "character varying", "varchar", "char(", "enum(", "set("])
                || is(&["tinytext", "mediumtext", "longtext"]))
}

fn comparable(kind: Kind, text: &[u8]) -> Option<Comparable> {
    let string = || std::str::from_utf8(text).ok();
    match kind {
        Kind::Int { .. } | Kind::Unsigned { .. } => string()?.parse().ok().map(Comparable::Number),
        Kind::Text | Kind::Boolean => Some(Comparable::Text(text.to_vec())),
        Kind::Uuid => Some(Comparable::Text(text.to_ascii_lowercase())),
        Kind::Date | Kind::Timestamp | Kind::TimestampTz => moment(string()?),
        _ => None,
    }
}

/// `2020-01-31`, a day that there was.
fn is_date(text: &str) -> bool {
    // (PostgreSQL has no year 0.)
    text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok_and(|date| date.year() > 0)
}

/// The canonical text of a point in time, as something that is ordered like it.
fn moment(text: &str) -> Option<Comparable> {
    match text {
        "-infinity" => return Some(Comparable::Moment(-1, 0, String::new())),
        "infinity" => return Some(Comparable::Moment(1, 0, String::new())),
        _ => {}
    }
    let (text, is_before_christ) = match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let text = text.strip_suffix("+00").unwrap_or(text);
    let (year, rest) = text.split_once('-')?;
    let year: i64 = year.parse().ok()?;
    let year = if is_before_christ { 1 - year } else { year };
    let rest = match rest.split_once('.') {
        Some((rest, fraction)) => match fraction.trim_end_matches('0') {
            "" => rest.to_owned(),
            fraction => format!("{rest}.{fraction}"),
        },
        None => rest.to_owned(),
    };
    Some(Comparable::Moment(0, year, rest))
}

#[cfg(test)]
mod tests;
