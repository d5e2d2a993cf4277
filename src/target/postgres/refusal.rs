//! What an error of the server means: a row it refuses, or a failure of the whole connection.
//! Also the server's words, cleaned of row values.
//!
//! Pure: it judges errors and retries nothing.

use tokio_postgres::error::DbError;

use crate::error::{Error, ErrorKind};
use crate::target::Refusal;

/// The server's answer to a row it does not want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What delivery is told if nothing helps.
    pub class: Refusal,
    /// True if other rows of the same apply may clear the way: a unique value that is freed, a
    /// referenced row that arrives.
    pub may_pass_later: bool,
    /// The violated constraint or unique index.
    pub constraint: Option<String>,
    /// The server's own words, without row values.
    pub words: String,
}

impl Verdict {
    /// A refusal of our own, before the server is asked.
    pub(super) fn ours(words: String) -> Self {
        Self { class: Refusal::Rejected, may_pass_later: false, constraint: None, words }
    }

    /// The row is written without what it refers to.
    pub(super) fn make_incomplete(&mut self) {
        self.class = Refusal::Incomplete;
        self.words = format!("written without what it refers to: {}", self.words);
    }

    /// True for a unique violation, the only one that [untangling](super::write) can help.
    pub(super) fn is_unique(&self) -> bool {
        self.may_pass_later && self.class == Refusal::Rejected
    }
}

/// Judges an error raised by a statement that writes rows: `None` if it is not about a row.
pub(super) fn verdict(error: &tokio_postgres::Error) -> Option<Verdict> {
    let error = error.as_db_error()?;
    let code = error.code().code();
    if !is_about_a_row(code, error.routine()) {
        return None;
    }
    let dependency = matches!(code, "23503" | "23001");
    let crowded = matches!(code, "23505" | "23P01");
    Some(Verdict {
        class: if dependency { Refusal::Dependency } else { Refusal::Rejected },
        may_pass_later: dependency || crowded,
        constraint: error.constraint().map(str::to_owned),
        words: words(error),
    })
}

/// A failure of the connection or of the whole statement, as an error that carries no row value.
/// `what`: what was being done, and to which target.
pub(super) fn failure(what: String, error: &tokio_postgres::Error) -> Error {
    let Some(cause) = error.as_db_error() else {
        // Without an answer of the server these hold no data, only the state of the connection.
        return Error::new(ErrorKind::Unreachable, what).caused_by(with_causes(error));
    };
    let (kind, hint) = kind_and_hint(cause.code().code());
    let failure = Error::new(kind, what).caused_by(words(cause));
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// A client error with its causes, or the server's message if it is one: never its DETAIL.
pub(super) fn with_causes(error: &tokio_postgres::Error) -> String {
    if let Some(answer) = error.as_db_error() {
        return answer.message().to_owned();
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

/// Classes whose failure says nothing about a row. All others can be raised by a row's value or
/// by a trigger with a code of its own, so they are the row's.
fn is_about_a_row(code: &str, routine: Option<&str>) -> bool {
    // Row level security shares its code with missing privileges; only the first is about a row.
    if code == "42501" {
        return routine == Some("ExecWithCheckOptions");
    }
    let class = code.get(..2).unwrap_or(code);
    !matches!(
        class,
        // Connection, not supported, transaction state, authentication, catalog names.
        "00" | "01" | "02" | "08" | "0A" | "25" | "28" | "2D" | "3B" | "3D" | "3F"
        // Rollback, syntax or privilege, resources, object state, operator, system,
        // configuration, internal. (54, limits, is a row's: a text too long for its index.)
            | "40" | "42" | "53" | "55" | "57" | "58" | "F0" | "XX"
    )
}

fn kind_and_hint(code: &str) -> (ErrorKind, Option<&'static str>) {
    match (code.get(..2).unwrap_or(code), code) {
        (_, "42501") => (ErrorKind::Setup, Some("run `trueup check`: it prints the grants")),
        ("42" | "3F" | "0A", _) => {
            (ErrorKind::Setup, Some("run `trueup check`: it compares table and mapping"))
        }
        ("28", _) => (ErrorKind::Setup, Some("correct user, password or pg_hba.conf")),
        ("3D", _) => (ErrorKind::Setup, Some("correct the database name in the target's url")),
        (_, "25006") => (ErrorKind::Setup, Some("point the url at the primary server")),
        ("22" | "23" | "P0", _) => (ErrorKind::Rejected, None),
        _ => (ErrorKind::Unreachable, None),
    }
}

/// The primary message with the names it belongs to. Never DETAIL, which quotes the row.
fn words(error: &DbError) -> String {
    let code = error.code().code();
    // Messages about a value that cannot be read quote it; no other class does.
    let mut words = match code.get(..2) {
        Some("22") => without_quotes(error.message()),
        _ => error.message().to_owned(),
    };
    let names =
        [("table", error.table()), ("column", error.column()), ("constraint", error.constraint())];
    for (kind, name) in names {
        if let Some(name) = name.filter(|name| !words.contains(*name)) {
            words.push_str(&format!(", {kind} {name}"));
        }
    }
    words.push_str(&format!(" (SQLSTATE {code})"));
    words
}

/// Cuts out everything from the first quotation mark to the last: a value may itself hold
/// quotation marks, and servers speak many languages.
fn without_quotes(message: &str) -> String {
    const MARKS: &[char] =
        &['"', '\'', '`', '«', '»', '‹', '›', '„', '“', '”', '‚', '‘', '’', '「', '」'];
    let Some((start, _)) = message.char_indices().find(|(_, c)| MARKS.contains(c)) else {
        return message.to_owned();
    };
    let head = message.get(..start).unwrap_or_default();
    // An unpaired mark hides everything after it.
    let tail = match message.rsplit_once(MARKS) {
        Some((before, tail)) if before.len() > start => tail,
        _ => "",
    };
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_out_whatever_they_hold() {
        for (message, clean) in [
            (
                r#"invalid input syntax for type integer: "abc""#,
                "invalid input syntax for type integer: …",
            ),
            (
                r#"value "9"9" is out of range for type integer"#,
                "value … is out of range for type integer",
            ),
            (
                "ungültige Eingabesyntax für Typ integer: »abc«",
                "ungültige Eingabesyntax für Typ integer: …",
            ),
            (r#"cut "short"#, "cut …"),
            ("division by zero", "division by zero"),
        ] {
            assert_eq!(without_quotes(message), clean);
        }
    }

    #[test]
    fn classes_part_rows_from_connections() {
        for code in
            ["22001", "22P02", "23502", "23505", "23514", "P0001", "21000", "44000", "ERP01"]
        {
            assert!(is_about_a_row(code, None), "{code}");
        }
        for code in
            ["08006", "40001", "40P01", "53100", "55P03", "57014", "57P01", "58030", "42P01"]
        {
            assert!(!is_about_a_row(code, None), "{code}");
        }
        assert!(is_about_a_row("42501", Some("ExecWithCheckOptions")));
        assert!(!is_about_a_row("42501", Some("aclcheck_error")));
    }

    #[test]
    fn failures_tell_a_person_from_a_wait() {
        assert_eq!(kind_and_hint("28P01").0, ErrorKind::Setup);
        assert_eq!(kind_and_hint("42703").0, ErrorKind::Setup);
        assert_eq!(kind_and_hint("25006").0, ErrorKind::Setup);
        for code in ["57P01", "40P01", "53300", "08006", "XX000"] {
            assert_eq!(kind_and_hint(code).0, ErrorKind::Unreachable, "{code}");
        }
    }
}
