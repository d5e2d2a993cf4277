//! Mappings: how the tables of one source become the canonical rows of one entity, as SQL.
//!
//! A mapping is a file with a header and one SELECT. This module reads the files, keeps them as
//! a set with one hash, and judges each SELECT by its syntax tree ([`analyse`]). It does not know
//! DuckDB: the store hands it the tree and runs the result.

mod analyse;
mod expression;
mod header;
mod load;
mod outputs;
mod refuse;
mod rewrite;
mod scope;
mod set;
mod syntax;

use std::collections::BTreeMap;

use crate::error::Result;

pub use analyse::{AS_OF, DELTA, DRIVER, Plan, Provenance, Route, Unit, Way, analyse};
pub use expression::{expression, expressions, joined};
pub(crate) use load::fixture;
pub use load::packs;
pub use set::{Contribution, MappingSet, Pack};
pub use syntax::Syntax;

/// One mapping file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The file, for errors.
    pub path: String,
    /// The entity whose rows it gives.
    pub entity: String,
    /// Its version, for people and metrics.
    pub version: u32,
    /// Output columns that say what is re-evaluated together.
    pub unit: Vec<String>,
    /// The alias that is filtered to the touched units.
    pub driver: String,
    /// Aliases whose rows are found again by provenance.
    pub watch: BTreeMap<String, Watch>,
    /// Alias → SQL that gives the units touched by `delta`, its changed rows.
    pub affects: BTreeMap<String, String>,
    /// The SELECT.
    pub select: String,
    /// The line of the file on which the SELECT begins.
    pub select_line: usize,
}

/// The row identity of one watched alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The mirror table.
    pub table: String,
    /// Its key columns, in the order of the provenance columns.
    pub key: Vec<String>,
}

impl Mapping {
    /// Parses `sql/mappings/<pack>/<entity>.sql`; `path` is for the errors.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming file, line and remedy.
    pub fn parse(path: &str, text: &str) -> Result<Self> {
        header::mapping(path, text)
    }
}
