//! Small pieces of SQL text and the one way a statement of the evaluation is run.

use duckdb::Connection;

use crate::error::Result;
use crate::store::refusal::failed;

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
