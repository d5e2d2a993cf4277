//! The error that serde meets while it reads a configuration: what was expected, and where.
//!
//! It never repeats the value that was found: it may be a secret in the wrong place.

use std::fmt;

use serde::de;

use super::document::Path;
use super::problem::nearest;
use super::read::place;

/// Why a value could not be read.
#[derive(Debug, Default)]
pub(super) struct Fault {
    /// The value, or the table whose key is missing. Set on the way up, innermost first.
    pub(super) path: Path,
    /// Whether `path` is set; an empty path is the whole document.
    pub(super) placed: bool,
    /// The required key that is missing from the table at `path`.
    pub(super) missing: Option<&'static str>,
    /// What to do.
    pub(super) remedy: Option<String>,
    /// What is wrong with the value.
    reason: String,
}

impl Fault {
    /// The whole sentence, without the line.
    pub(super) fn what(&self) -> String {
        if let Some(field) = self.missing {
            return format!("missing key `{field}` {}", place(&self.path));
        }
        let (key, table) =
            self.path.split_last().map_or(("", self.path.as_slice()), |(key, t)| (key, t));
        format!("wrong value of `{key}` {}: {}", place(table), self.reason)
    }

    /// Notes where it happened, unless a place further in is known.
    pub(super) fn at(mut self, path: &[String]) -> Self {
        if !self.placed {
            self.path = path.to_vec();
            self.placed = true;
        }
        self
    }

    fn because(reason: String) -> Self {
        Fault { reason, ..Fault::default() }
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        match message.to_string().as_str() {
            "invalid socket address syntax" => {
                Fault::because("expected an address such as 127.0.0.1:9847".to_owned())
            }
            reason => Fault::because(reason.to_owned()),
        }
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Fault::because(format!("expected {}, found {}", plain(expected), kind(&found)))
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Fault::because(format!("expected {}", plain(expected)))
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        let list: Vec<String> = expected.iter().map(|name| format!("`{name}`")).collect();
        Fault {
            remedy: nearest(found, expected.iter().copied())
                .map(|name| format!("did you mean `{name}`?")),
            ..Fault::because(format!("expected one of {}", list.join(", ")))
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Fault { missing: Some(field), ..Fault::default() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what())
    }
}

impl std::error::Error for Fault {}

/// serde speaks Rust; the operator does not have to.
fn plain(expected: &dyn de::Expected) -> String {
    match expected.to_string().as_str() {
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        "path string" => "a path, as text".to_owned(),
        "a string" => "text".to_owned(),
        words if words.starts_with("struct ") => "a table".to_owned(),
        words if words.starts_with("enum ") => "text".to_owned(),
        words => words.to_owned(),
    }
}

fn kind(found: &de::Unexpected<'_>) -> &'static str {
    match found {
        de::Unexpected::Bool(_) => "true or false",
        de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) => "a whole number",
        de::Unexpected::Float(_) => "a number",
        de::Unexpected::Str(_) => "text",
        de::Unexpected::Seq => "a list",
        de::Unexpected::Map => "a table",
        _ => "something else",
    }
}
