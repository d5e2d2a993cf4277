//! The log of a Mysql source as frames.

use crate::change::Position;
use crate::error::Result;
use crate::source::Captured;

/// An open log.
#[derive(Debug)]
pub struct MysqlStream;

#[expect(clippy::unused_async, reason = "the signatures are the contract with `Stream`")]
impl MysqlStream {
    /// See [`crate::source::Stream::next`].
    ///
    /// # Errors
    /// See there.
    pub async fn next(&mut self) -> Result<Captured> {
        Err(super::not_yet())
    }
    /// See [`crate::source::Stream::confirm`].
    pub fn confirm(&self, _position: &Position) {}
}
