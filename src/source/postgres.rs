//! Postgres as a source.

pub mod copy;
pub mod pgoutput;
pub mod stream;

use super::{Fence, Finding, Prepared, Standing};
use crate::change::{Position, TableName};
use crate::config::SourceConfig;
use crate::error::{Error, ErrorKind, Result};

/// A configured Postgres source.
#[derive(Debug, Clone)]
pub struct Postgres;

fn not_yet() -> Error {
    Error::new(ErrorKind::Config, "sources of kind postgres are not supported yet")
}

#[expect(clippy::unused_async, reason = "the signatures are the contract with `Source`")]
impl Postgres {
    /// See [`super::Source::new`].
    ///
    /// # Errors
    /// See there.
    pub fn new(_name: &str, _install: &str, _config: &SourceConfig) -> Result<Self> {
        Err(not_yet())
    }
    /// See [`super::Source::standing`].
    ///
    /// # Errors
    /// See there.
    pub async fn standing(
        &self,
        _ledger: Option<&Position>,
        _identity: Option<&str>,
    ) -> Result<Standing> {
        Err(not_yet())
    }
    /// See [`super::Source::prepare`].
    ///
    /// # Errors
    /// See there.
    pub async fn prepare(&self, _ledger: Option<&Position>) -> Result<Prepared> {
        Err(not_yet())
    }
    /// See [`super::Source::stream`].
    ///
    /// # Errors
    /// See there.
    pub async fn stream(
        &self,
        _start: &Position,
        _tables: &[TableName],
    ) -> Result<stream::PostgresStream> {
        Err(not_yet())
    }
    /// See [`super::Source::copier`].
    ///
    /// # Errors
    /// See there.
    pub async fn copier(&self, _fence: Fence) -> Result<copy::PostgresCopier> {
        Err(not_yet())
    }
    /// See [`super::Source::examine`].
    pub async fn examine(&self) -> Vec<Finding> {
        vec![Finding::error("sources of kind postgres are not supported yet", "remove the source")]
    }
}
