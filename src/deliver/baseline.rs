//! Baselines: the rows that were there before an entity's first event, brought chunk by chunk.
//!
//! A chunk is read from canon at the newest event of that moment and applied when the cursor is
//! exactly there; events of keys it has not reached yet are passed over, because it will bring
//! them. So a baseline needs no long snapshot, survives any crash, and never brings a row back.

use super::plan::{self, ChunkStanding};
use super::{DeliverPhase, Session};
use crate::canon::Entity;
use crate::canon::event::Row;
use crate::error::Result;
use crate::target::{Apply, BaselineState};

/// Where baselines are read from.
pub trait Canon: Send + Sync {
    /// Rows of `entity` after the key `after`, at most `rows_max`, with the newest event of the
    /// snapshot; `None` while the entity is not ready or the store is not open.
    ///
    /// # Errors
    /// The store cannot be read.
    fn chunk(
        &self,
        entity: &Entity,
        after: Option<&str>,
        rows_max: usize,
    ) -> Result<Option<CanonChunk>>;

    /// As [`Canon::chunk`], for particular keys; keys without a row are left out.
    ///
    /// # Errors
    /// As [`Canon::chunk`].
    fn rows(&self, entity: &Entity, keys: &[String]) -> Result<Option<CanonChunk>>;
}

/// Canonical rows of one snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct CanonChunk {
    /// The entity.
    pub entity: String,
    /// The last event that is in them.
    pub read_at: u64,
    /// Rows by key, in key order.
    pub rows: Vec<(String, Row)>,
    /// There are no more after them.
    pub is_last: bool,
}

/// What a chunk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The next rows of a baseline.
    Baseline,
    /// Rows of a baseline that were refused.
    Retry,
    /// Rows that were found to differ.
    Repair,
}

impl Session<'_> {
    /// Reads or applies the next chunk; false if there is nothing to do now.
    pub(super) async fn baseline(&mut self, newest: u64) -> Result<bool> {
        let Some((chunk, purpose)) = self.chunk.take() else { return self.read_chunk(newest) };
        match self.standing.chunk(chunk.read_at) {
            ChunkStanding::Stale => Ok(true),
            ChunkStanding::Ahead => {
                self.chunk = Some((chunk, purpose));
                Ok(false)
            }
            ChunkStanding::Fits => {
                match purpose {
                    Purpose::Baseline => self.apply_chunk(chunk).await?,
                    Purpose::Repair => self.apply_repair(chunk).await?,
                    Purpose::Retry => {
                        let drafts = plan::from_canon(&self.standing, &chunk.entity, chunk.rows);
                        self.apply(Apply::default(), drafts).await?;
                    }
                }
                Ok(true)
            }
        }
    }

    /// Reads baseline rows again that were refused: like a chunk, they are applied once the cursor
    /// is where they were read.
    pub(super) fn read_refused(&mut self, entity: &str, keys: &[String]) -> Result<bool> {
        let Some(known) = self.deliver.entities.iter().find(|e| e.name == entity) else {
            return Ok(false);
        };
        let canon = &self.deliver.canon;
        let Some(chunk) = super::on_disk(|| canon.rows(known, keys))? else { return Ok(false) };
        if chunk.rows.is_empty() || self.standing.chunk(chunk.read_at) == ChunkStanding::Stale {
            return Ok(false);
        }
        self.chunk = Some((chunk, Purpose::Retry));
        Ok(true)
    }

    fn read_chunk(&mut self, newest: u64) -> Result<bool> {
        // Behind by more than a delivery: catch up first, or the chunk would wait for long.
        let behind = newest.saturating_sub(self.standing.cursor());
        if behind > self.deliver.limits.apply_events as u64 {
            return Ok(false);
        }
        for entity in &self.deliver.entities {
            let after = match self.standing.baseline(&entity.name) {
                Some(BaselineState::Done) => continue,
                Some(BaselineState::Through(key)) => Some(key.clone()),
                None => None,
            };
            let rows_max = self.deliver.limits.apply_events;
            let canon = &self.deliver.canon;
            let chunk = super::on_disk(|| canon.chunk(entity, after.as_deref(), rows_max))?;
            let Some(chunk) = chunk else {
                // Entities after it may refer to it: in order.
                return Ok(false);
            };
            self.deliver.state.entered(DeliverPhase::Baseline);
            self.chunk = Some((chunk, Purpose::Baseline));
            return Ok(true);
        }
        Ok(false)
    }

    async fn apply_chunk(&mut self, chunk: CanonChunk) -> Result<()> {
        let CanonChunk { entity, rows, is_last, .. } = chunk;
        let state = match rows.last() {
            Some((key, _)) if !is_last => BaselineState::Through(key.clone()),
            _ => BaselineState::Done,
        };
        let is_done = state == BaselineState::Done;
        let drafts = plan::from_canon(&self.standing, &entity, rows);
        let apply = Apply { baseline: Some((entity, state)), ..Apply::default() };
        self.apply(apply, drafts).await?;
        crate::failpoint::reach("after-baseline-apply");
        if is_done {
            self.deliver.state.entered(DeliverPhase::Delivering);
        }
        Ok(())
    }
}

/// How far a baseline is, for people.
pub(super) fn shown(state: Option<&BaselineState>) -> String {
    match state {
        None => "not begun".to_owned(),
        Some(BaselineState::Through(key)) => format!("through {key}"),
        Some(BaselineState::Done) => "done".to_owned(),
    }
}
