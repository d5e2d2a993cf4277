//! Whether the sides agree on a real system: source, mirror, canonical rows and target, row by
//! row, and what each target transaction said it was.
//!
//! No test lies here; `tryton.rs`, `orangehrm.rs` and `employees.rs` are the tests. Expected rows
//! come from the servers themselves: their catalogs say which tables and columns there are, their
//! own text is the oracle for the mirror, a hand-written query on the source for canonical rows.

pub(crate) mod postgres;
pub(crate) mod replay;
pub(crate) mod store;
pub(crate) mod target;

use std::time::Duration;

/// How long a side may take to follow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A row as text; `None` is NULL.
pub(crate) type Row = Vec<Option<String>>;

/// A table of a source, with SQL that gives the same text on both sides.
pub(crate) struct Table {
    /// Its name, the same in source and mirror.
    pub(crate) name: String,
    /// All of them.
    pub(crate) columns: Vec<Column>,
}

/// One column of it.
pub(crate) struct Column {
    /// Its text on the source server.
    pub(crate) source_sql: String,
    /// The same text in the store.
    pub(crate) store_sql: String,
}

/// The first difference of two sets of rows, or `None`. Order does not count, repetition does.
pub(crate) fn difference(
    what: &str,
    mut expected: Vec<Row>,
    mut found: Vec<Row>,
) -> Option<String> {
    expected.sort();
    found.sort();
    if expected == found {
        return None;
    }
    let lacks = expected.iter().find(|row| found.binary_search(row).is_err());
    let has_more = found.iter().find(|row| expected.binary_search(row).is_err());
    Some(format!(
        "{what}: {} rows of {}; lacks {lacks:?}; has {has_more:?}",
        found.len(),
        expected.len()
    ))
}
