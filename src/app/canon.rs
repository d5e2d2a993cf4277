//! Canonical rows for delivery, read from the running store.

use std::sync::Arc;

use crate::canon::Entity;
use crate::conform::ConformState;
use crate::deliver::{Canon, CanonChunk};
use crate::error::Result;
use crate::store::evaluate::canonical;
use crate::store::reader;

/// Reads through whatever connection conform has open.
#[derive(Debug)]
pub(super) struct StoreCanon {
    conform: Arc<ConformState>,
}

impl StoreCanon {
    pub(super) fn new(conform: Arc<ConformState>) -> Self {
        Self { conform }
    }
}

impl Canon for StoreCanon {
    fn chunk(
        &self,
        entity: &Entity,
        after: Option<&str>,
        rows_max: usize,
    ) -> Result<Option<CanonChunk>> {
        let Some(reader) = self.conform.canon() else { return Ok(None) };
        reader.snapshot(|connection| {
            if !reader::is_ready(connection, &entity.name)? {
                return Ok(None);
            }
            let read_at = reader::mark(connection)?.event_sequence;
            let rows = canonical::after(connection, entity, after, rows_max)?;
            let is_last = rows.len() < rows_max;
            Ok(Some(CanonChunk { entity: entity.name.clone(), read_at, rows, is_last }))
        })
    }

    fn rows(&self, entity: &Entity, keys: &[String]) -> Result<Option<CanonChunk>> {
        let Some(reader) = self.conform.canon() else { return Ok(None) };
        reader.snapshot(|connection| {
            let read_at = reader::mark(connection)?.event_sequence;
            let rows = canonical::of_keys(connection, entity, keys)?;
            let entity = entity.name.clone();
            Ok(Some(CanonChunk { entity, read_at, rows, is_last: true }))
        })
    }
}
