//! What is read on a side, and in which words: columns, key and order, as SQL of that side.
//!
//! Pure; `postgres`, `mariadb` and `store` carry it out.

use super::merge::Row;
use super::text::Column;
use crate::error::{Error, ErrorKind, Result};

/// A reading of one side.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// A table's name, or a statement in parentheses with a name of its own.
    pub(super) from: String,
    /// The columns of the key, in order; also among `columns`.
    pub(super) key: Vec<String>,
    /// What is read.
    pub(super) columns: Vec<Column>,
}

impl Reading {
    /// Names of the columns.
    pub(super) fn names(&self) -> Vec<String> {
        self.columns.iter().map(|column| column.name.clone()).collect()
    }

    /// The same with these columns in this order, and with this key.
    pub(super) fn reordered(&self, names: &[String], key: &[String]) -> Result<Self> {
        let one = |name: &String| {
            let found = self.columns.iter().find(|column| column.name == *name).cloned();
            found.ok_or_else(|| {
                Error::new(ErrorKind::Bug, format!("{} has no column {name}", self.from))
            })
        };
        let columns = names.iter().map(one).collect::<Result<_>>()?;
        Ok(Self { from: self.from.clone(), key: key.to_vec(), columns })
    }

    /// SQL of the key's parts and of all columns, each as a list.
    pub(super) fn lists(&self) -> (String, String) {
        let part = |name: &String| {
            let column = self.columns.iter().find(|column| column.name == *name);
            column.map(|column| column.sql.clone()).unwrap_or_default()
        };
        let parts: Vec<String> = self.key.iter().map(part).collect();
        let cells: Vec<&str> = self.columns.iter().map(|column| column.sql.as_str()).collect();
        (parts.join(", "), cells.join(", "))
    }

    /// A row from its texts: the key first, then the cells.
    pub(super) fn row(&self, mut texts: impl Iterator<Item = Option<String>>) -> Row {
        let key = texts.next().flatten().unwrap_or_default();
        let mut cells: Vec<Option<String>> = texts.collect();
        for (cell, column) in cells.iter_mut().zip(&self.columns) {
            if let (Some(text), Some(fraction)) = (cell.as_mut(), column.fraction) {
                *text = fraction.respell(text);
            }
        }
        Row { key, cells }
    }
}

/// A statement of `sql/demo/compare`, with what its head says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Script(pub(super) &'static str);

impl Script {
    /// The key's columns (`-- key: a, b`).
    pub(super) fn key(self) -> Vec<String> {
        self.head("key").split(',').map(|name| name.trim().to_owned()).collect()
    }

    /// The table it is compared with (`-- table: x`).
    pub(super) fn table(self) -> &'static str {
        self.head("table")
    }

    /// The statement as something to select from. On lines of its own: it begins with comments.
    pub(super) fn from(self) -> String {
        format!("(\n{}\n) AS script", self.0.trim_end())
    }

    fn head(self, name: &str) -> &'static str {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix("-- "));
        let values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        values.map(str::trim).next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_a_script_is_read() {
        let script = Script("-- key: a, b\n-- table: x\n-- About keys: and tables.\nSELECT 1\n");
        assert_eq!(script.key(), ["a", "b"]);
        assert_eq!(script.table(), "x");
        assert!(script.from().contains("\nSELECT 1\n) AS script"));
    }
}
