//! What a table looked like at one place in the log: names, keys, and how each column is kept.
//!
//! This is also the body of the schema history, so it carries everything a decoder and the
//! store need: nothing is looked up later.

use std::fmt;

use super::condition::Condition;
use serde::{Deserialize, Serialize};

/// A table of a source, by the name its owner knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableName {
    /// The schema (PostgreSQL) or the database (MariaDB).
    pub schema: String,
    /// The table.
    pub name: String,
}

impl TableName {
    /// A name from its two parts.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    /// The name of its mirror: bare in the source's default schema, qualified elsewhere.
    #[must_use]
    pub fn mirror_name(&self, default_schema: &str) -> String {
        if self.schema == default_schema { self.name.clone() } else { self.to_string() }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// A table at one place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The number by which the log names it (PostgreSQL: the oid; MariaDB: the table map id).
    pub id: u64,
    /// Its name.
    pub name: TableName,
    /// Columns in the order in which the log sends them.
    pub columns: Vec<Column>,
    /// Foreign keys that remove or change rows of this table without a row event in the log;
    /// empty on sources that log cascades themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cascades: Vec<Cascade>,
    /// Columns that the log sends and the configuration leaves out, in the order of their places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Which of its rows are mirrored; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Condition>,
}

/// A column that is not mirrored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its place in the rows of the log, which have it among the columns that are mirrored.
    pub place: usize,
    /// Its name.
    pub name: String,
}

impl Table {
    /// Whether all that the log says of it is mirrored.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.left_out.is_empty() && self.rows.is_none()
    }

    /// Places of the key columns in `columns`, in key order.
    pub fn key(&self) -> impl Iterator<Item = usize> + '_ {
        let mut key: Vec<(u16, usize)> = Vec::new();
        for (place, column) in self.columns.iter().enumerate() {
            key.extend(column.key.map(|rank| (rank, place)));
        }
        key.sort_unstable();
        key.into_iter().map(|(_, place)| place)
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The type as the source spells it, for people (`numeric(12,2)`).
    pub source_type: String,
    /// How its text is to be understood, and so how the mirror keeps it.
    pub kind: Kind,
    /// Its rank in the table's key (0 is first); `None` outside the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u16>,
}

/// A foreign key whose effect on this table (the child) the log hides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cascade {
    /// The referenced table.
    pub parent: TableName,
    /// Pairs of (column here, column of the parent).
    pub columns: Vec<(String, String)>,
    /// What a delete of the parent does: `CASCADE`, `SET NULL`, or anything else for nothing.
    pub on_delete: String,
    /// What a change of the parent's columns does.
    pub on_update: String,
    /// True if its texts are compared without regard to case, by their collation.
    #[serde(default)]
    pub ignores_case: bool,
}

/// How the canonical text of a column is to be understood (see [`Cell`](super::Cell)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `t` or `f`.
    Boolean,
    /// Signed integer of 1, 2, 4 or 8 bytes.
    Int {
        /// Width in bytes.
        bytes: u8,
    },
    /// Unsigned integer of 1, 2, 4 or 8 bytes.
    Unsigned {
        /// Width in bytes.
        bytes: u8,
    },
    /// Exact decimal with at most 38 digits.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// IEEE 754, 4 bytes, shortest round-trip text.
    Float4,
    /// IEEE 754, 8 bytes, shortest round-trip text.
    Float8,
    /// A calendar date.
    Date,
    /// A time of day.
    Time,
    /// Date and time without a zone.
    Timestamp,
    /// A point in time; the text carries `+00`.
    TimestampTz,
    /// Months, days and microseconds.
    Interval,
    /// A UUID.
    Uuid,
    /// JSON text, exactly as the source prints it.
    Json,
    /// Bytes, `\x` and lowercase hex.
    Bytes,
    /// Everything else: the source's own text, exactly. Also decimals without bounds, because
    /// no typed column could hold all of their values.
    Text,
}
