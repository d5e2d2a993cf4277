//! Small pieces of SQL text and the one way a statement of the evaluation is run.

use duckdb::Connection;

use crate::error::{Error, ErrorKind, Result};

/// An SQL identifier in quotes.
pub(in crate::store) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// An SQL text literal.
pub(in crate::store) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `a.x = b.y AND …`; with `nulls`, NULL equals NULL.
pub(super) fn equal(pairs: &[(String, String)], nulls: bool) -> String {
    let sign = if nulls { "IS NOT DISTINCT FROM" } else { "=" };
    let terms: Vec<String> = pairs.iter().map(|(a, b)| format!("{a} {sign} {b}")).collect();
    terms.join(" AND ")
}

/// The names in quotes, each with `prefix` before it, joined by commas.
pub(super) fn list<S: AsRef<str>>(prefix: &str, names: impl IntoIterator<Item = S>) -> String {
    let quoted = names.into_iter().map(|name| format!("{prefix}{}", quote(name.as_ref())));
    quoted.collect::<Vec<_>>().join(", ")
}

/// The template with every `{name}` replaced.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |sql, (name, value)| sql.replace(&format!("{{{name}}}"), value))
}

/// Runs one statement; gives the number of rows it changed.
pub(super) fn run(connection: &Connection, sql: &str, what: &str) -> Result<usize> {
    connection.execute(sql, []).map_err(|error| failed(what.to_owned(), &error))
}

/// A DuckDB failure as ours, without the row values its text may quote.
pub(in crate::store) fn failed(what: String, error: &duckdb::Error) -> Error {
    Error::new(ErrorKind::Store, what).caused_by(without_values(&error.to_string()))
}

/// The first line of DuckDB's message. Errors about values show them in quotes or after `value`;
/// errors about names (binder, catalog) keep theirs.
pub(in crate::store) fn without_values(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let about_values = ["Conversion Error", "Out of Range Error", "Invalid Input Error"];
    if !about_values.iter().any(|class| line.contains(class)) {
        return line.to_owned();
    }
    let mut kept = String::new();
    let mut quoted: Option<char> = None;
    for letter in line.chars() {
        match quoted {
            Some(quote) if quote == letter => quoted = None,
            None if letter == '\'' || letter == '"' => {
                quoted = Some(letter);
                kept.push('…');
            }
            None => kept.push(letter),
            Some(_) => {}
        }
    }
    let words: Vec<&str> = kept.split(' ').collect();
    let masked = words.iter().enumerate().map(|(place, word)| {
        let after_value = place > 0 && words.get(place - 1) == Some(&"value");
        if after_value && word.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            "…"
        } else {
            word
        }
    });
    masked.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_show_names_but_no_values() {
        let text = "Conversion Error: Could not convert string 'Ada Lovelace' to INT32\nLINE 1: …";
        assert_eq!(without_values(text), "Conversion Error: Could not convert string … to INT32");
        let text = "Conversion Error: Type INT64 with value 3000 can't be cast";
        assert!(!without_values(text).contains("3000"));
        let text = "Binder Error: Referenced column \"nam\" not found in FROM clause!";
        assert_eq!(without_values(text), text);
    }
}
