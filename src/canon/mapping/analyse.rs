//! Judges a mapping by its syntax tree.

use super::{Mapping, Syntax};
use crate::canon::entity::Entity;
use crate::error::Result;

/// How a mapping is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {}

/// How changed rows of one alias lead to units.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {}

/// Judges `mapping` by its trees.
///
/// # Errors
/// The construct that cannot be evaluated incrementally, with its line and the remedy.
pub fn analyse(_mapping: &Mapping, _entity: &Entity, _syntax: &Syntax) -> Result<Plan> {
    Ok(Plan {})
}
