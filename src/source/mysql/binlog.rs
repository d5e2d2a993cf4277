//! Decoding of binlog: pure.

use bytes::Bytes;

use crate::change::Transaction;
use crate::error::Result;
use crate::source::decode::Tables;

/// Decodes the log of one Mysql source.
#[derive(Debug)]
pub struct BinlogDecoder {
    _tables: Tables,
}

impl BinlogDecoder {
    /// See [`crate::source::decode::Decoder::new`].
    #[must_use]
    pub fn new(tables: Tables) -> Self {
        Self { _tables: tables }
    }
    /// See [`crate::source::decode::Decoder::feed`].
    ///
    /// # Errors
    /// See there.
    pub fn feed(&mut self, _entry: Bytes) -> Result<Vec<Transaction>> {
        Err(super::not_yet())
    }
}
