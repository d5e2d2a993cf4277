//! A TOML text as a tree that knows the line of every key and value.
//!
//! It knows TOML and nothing about our options.

use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// The way to a value: table and key names, from the top.
pub(super) type Path = Vec<String>;

/// A value and the line it stands in.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: usize,
    /// What stands there.
    pub(super) value: Value,
}

/// A TOML value, or a stand-in for one that is missing.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    /// Dates and times: we have no option of that type, so the value itself is not needed.
    Datetime,
    Array(Vec<Node>),
    Table(Vec<Entry>),
    /// Stands for whatever is asked for: a required key that is missing, so that reading can go
    /// on and find the other problems; or, for the list of all options, the whole document.
    Any,
}

/// One key of a table.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The key.
    pub(super) name: String,
    /// The line of the key.
    pub(super) line: usize,
    /// Its value.
    pub(super) node: Node,
}

impl Node {
    /// A stand-in.
    pub(super) fn any(line: usize) -> Self {
        Node { line, value: Value::Any }
    }

    /// The entry at `path` below this node.
    pub(super) fn find(&self, path: &[String]) -> Option<&Entry> {
        let (first, rest) = path.split_first()?;
        let Value::Table(entries) = &self.value else { return None };
        let entry = entries.iter().find(|entry| entry.name == *first)?;
        if rest.is_empty() { Some(entry) } else { entry.node.find(rest) }
    }

    /// The line of the deepest part of `path` that exists.
    pub(super) fn line_of(&self, path: &[String]) -> usize {
        (1..=path.len())
            .rev()
            .find_map(|depth| self.find(path.get(..depth)?))
            .map_or(self.line, |entry| entry.line)
    }
}

/// Reads TOML, or says everything that is wrong with its syntax.
pub(super) fn document(text: &str) -> Result<Node, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::new(text);
    if errors.is_empty() {
        let table = table.get_ref().iter();
        return Ok(Node { line: 1, value: Value::Table(lines.entries(table)) });
    }
    let problems = errors.iter().map(|error| Problem {
        line: lines.of(error.span().map_or(0, |span| span.start)),
        // Only the reason: the long form quotes the line, which may hold a secret.
        what: error.message().to_owned(),
        remedy: None,
    });
    Err(problems.collect())
}

/// Where lines begin, to turn offsets into line numbers.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Lines(text.match_indices('\n').map(|(offset, _)| offset + 1).collect())
    }

    fn of(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset) + 1
    }

    fn entries<'a, 'i: 'a>(
        &self,
        table: impl Iterator<
            Item = (&'a toml::Spanned<std::borrow::Cow<'i, str>>, &'a toml::Spanned<DeValue<'i>>),
        >,
    ) -> Vec<Entry> {
        let mut entries: Vec<Entry> = table
            .map(|(key, value)| Entry {
                name: key.get_ref().to_string(),
                line: self.of(key.span().start),
                node: self.node(value),
            })
            .collect();
        entries.sort_by_key(|entry| entry.line);
        entries
    }

    fn node(&self, value: &toml::Spanned<DeValue<'_>>) -> Node {
        let line = self.of(value.span().start);
        let value = match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => {
                let digits = i64::from_str_radix(number.as_str(), number.radix());
                digits.map_or(Value::Float(f64::INFINITY), Value::Integer)
            }
            DeValue::Float(number) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Value::Boolean(*value),
            DeValue::Datetime(_) => Value::Datetime,
            DeValue::Array(array) => {
                Value::Array(array.iter().map(|value| self.node(value)).collect())
            }
            DeValue::Table(table) => Value::Table(self.entries(table.iter())),
        };
        Node { line, value }
    }
}
