//! SQL expressions over a canonical row, offered to delivery: compiled once, run set-wise.
//!
//! Each `Expr` has an in-memory DuckDB of its own that reaches nothing outside: no file, no
//! network, no table but the batch.

use crate::canon::entity::Entity;
use crate::canon::event::Row;
use crate::error::{Error, ErrorKind, Result};

/// A list of named expressions over one entity's rows.
pub struct Expr {}

impl Expr {
    /// Compiles `columns` (name, SQL over the entity's attributes).
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the column, what is wrong with its SQL, and the nearest
    /// attribute.
    pub fn compile(_entity: &Entity, _columns: &[(String, String)]) -> Result<Self> {
        Err(Error::new(ErrorKind::Bug, "expressions are not built yet"))
    }

    /// One text per row and column, in PostgreSQL's input syntax; `None` is NULL.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if an expression fails on a row.
    pub fn render(&self, _rows: &[&Row]) -> Result<Vec<Vec<Option<String>>>> {
        Err(Error::new(ErrorKind::Bug, "expressions are not built yet"))
    }
}
