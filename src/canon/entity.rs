//! Canonical entities as `sql/canonical/<entity>.sql` declares them: attributes, key, references.
//!
//! A new entity is a new file, never new Rust. This file parses one entity and orders all of them
//! by their references; it makes no tables (the store does) and knows no source.

mod parse;
mod rank;

use crate::error::Result;

pub(crate) use parse::split_outside_parentheses;
pub use rank::Entities;

/// A canonical entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// Its name, also that of its table.
    pub name: String,
    /// What it is, in the file's own words.
    pub comment: String,
    /// Attributes in the order of the file.
    pub attributes: Vec<Attribute>,
    /// Names of the key attributes, in key order.
    pub key: Vec<String>,
    /// What it refers to.
    pub references: Vec<Reference>,
}

/// An attribute of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: AttributeType,
    /// False for `NOT NULL`.
    pub nullable: bool,
    /// Meaning, unit, usual owner, PII.
    pub comment: String,
}

/// The types an attribute may have: few, and each with one exact text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// Text.
    Varchar,
    /// Truth.
    Boolean,
    /// 32 bits.
    Integer,
    /// 64 bits.
    Bigint,
    /// Exact decimal.
    Decimal {
        /// Digits in all, at most 38.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// A calendar date.
    Date,
    /// A point in time, UTC.
    Timestamp,
}

impl AttributeType {
    /// The type as SQL spells it.
    #[must_use]
    pub fn sql(self) -> String {
        match self {
            AttributeType::Varchar => "VARCHAR".to_owned(),
            AttributeType::Boolean => "BOOLEAN".to_owned(),
            AttributeType::Integer => "INTEGER".to_owned(),
            AttributeType::Bigint => "BIGINT".to_owned(),
            AttributeType::Decimal { precision, scale } => format!("DECIMAL({precision},{scale})"),
            AttributeType::Date => "DATE".to_owned(),
            AttributeType::Timestamp => "TIMESTAMP".to_owned(),
        }
    }
}

/// One reference: these attributes hold the key of that entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Attributes here, in the order of the other entity's key.
    pub attributes: Vec<String>,
    /// The entity referred to.
    pub entity: String,
    /// May be delivered as NULL first and patched when the other row arrives.
    pub soft: bool,
}

impl Entity {
    /// Parses `sql/canonical/<entity>.sql`; `path` is for the errors.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming file, line and remedy.
    pub fn parse(path: &str, text: &str) -> Result<Self> {
        parse::entity(path, text)
    }

    /// The attribute of that name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.name == name)
    }

    /// True if `name` is part of the key.
    #[must_use]
    pub fn is_key(&self, name: &str) -> bool {
        self.key.iter().any(|key| key == name)
    }

    /// The attribute whose name is nearest to `name`, for "did you mean".
    #[must_use]
    pub fn nearest(&self, name: &str) -> Option<&str> {
        nearest(name, self.attributes.iter().map(|attribute| attribute.name.as_str()))
    }
}

/// The candidate that looks most like `name`, if any does.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let scored = candidates.map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    // Below this a suggestion confuses more than it helps.
    (best.0 > 0.7).then_some(best.1)
}

/// "did you mean …", or `otherwise`.
pub(crate) fn suggest<'a>(
    name: &str,
    candidates: impl Iterator<Item = &'a str>,
    otherwise: &str,
) -> String {
    match nearest(name, candidates) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => otherwise.to_owned(),
    }
}
