//! The chunks of a Mysql source's copy.

use crate::change::{Cell, TableName};
use crate::error::Result;
use crate::source::Chunk;

/// An open copy session.
#[derive(Debug)]
pub struct MysqlCopier;

#[expect(clippy::unused_async, reason = "the signatures are the contract with `Copier`")]
impl MysqlCopier {
    /// See [`crate::source::Copier::chunk`].
    ///
    /// # Errors
    /// See there.
    pub async fn chunk(
        &mut self,
        _table: &TableName,
        _after: Option<&[Cell]>,
        _rows_max: u32,
        _waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Chunk> {
        Err(super::not_yet())
    }

    /// See [`crate::source::Copier::rows`].
    ///
    /// # Errors
    /// See there.
    pub async fn rows(&mut self, _table: &TableName, _keys: &[Vec<Cell>]) -> Result<Chunk> {
        Err(super::not_yet())
    }
}
