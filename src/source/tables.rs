//! What a source says of its tables, besides their rows.

use std::sync::Arc;

use crate::change::{Table, TableName};

/// What tells whether a table is the one that it was, where the log does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Another one when another table comes under the name, or when it can be mirrored.
    pub table: String,
    /// Another one when rows came or went with partitions.
    pub parts: String,
}

impl Identity {
    /// Whether `word`, which [`Identity::table`] once was, is of the same table, mirrored or not.
    pub(crate) fn is_of_table(&self, word: &str) -> bool {
        self.table.split(' ').next() == word.split(' ').next()
    }
}

/// A table that could be mirrored, for whoever chooses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its name.
    pub name: TableName,
    /// What the server's statistics guess; `None` if they have not counted it.
    pub rows_estimated: Option<u64>,
    /// Why it cannot be mirrored as it is, and the remedy.
    pub unusable: Option<String>,
}

/// A table of the catalog.
#[derive(Debug, Clone)]
pub struct Cataloged {
    /// As the catalog shows it now.
    pub table: Arc<Table>,
    /// Whether the configuration chooses it.
    pub is_mirrored: bool,
}
