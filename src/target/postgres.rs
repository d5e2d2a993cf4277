//! PostgreSQL as a target.

use super::{Account, Applied, Apply};
use crate::config::TargetConfig;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Finding;

/// A configured PostgreSQL target.
#[derive(Debug)]
pub struct PostgresTarget;

fn not_yet() -> Error {
    Error::new(ErrorKind::Config, "targets of kind postgres are not supported yet")
}

#[expect(clippy::unused_async, reason = "the signatures are the contract with `Target`")]
impl PostgresTarget {
    /// See [`super::Target::new`].
    ///
    /// # Errors
    /// See there.
    pub fn new(_name: &str, _install: &str, _config: &TargetConfig) -> Result<Self> {
        Err(not_yet())
    }
    /// See [`super::Target::open`].
    ///
    /// # Errors
    /// See there.
    pub async fn open(&mut self, _epoch: u64) -> Result<Account> {
        Err(not_yet())
    }
    /// See [`super::Target::apply`].
    ///
    /// # Errors
    /// See there.
    pub async fn apply(&mut self, _apply: Apply) -> Result<Applied> {
        Err(not_yet())
    }
    /// See [`super::Target::examine`].
    pub async fn examine(&mut self) -> Vec<Finding> {
        Vec::new()
    }
}
