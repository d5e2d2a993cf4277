//! Writing rows again that were found to differ in a target.
//!
//! Like a chunk of a baseline they are read from canon at some event and applied exactly there, so
//! that no row ever goes back. A row that nobody has any more is removed by its key.

use std::collections::BTreeSet;

use tokio::sync::{mpsc, oneshot};

use super::baseline::Purpose;
use super::{CanonChunk, Session, on_disk, plan};
use crate::error::{Error, ErrorKind, Result};
use crate::target::{Apply, Hole, TargetRow};

/// Rows to be written again.
#[derive(Debug)]
pub struct Repair {
    /// Their entity.
    pub entity: String,
    /// Their canonical keys.
    pub keys: Vec<String>,
    /// Of keys that may have no row: the cells of the key in the target, in its columns' order.
    pub extra: Vec<(String, Vec<Option<String>>)>,
    /// How many rows were written or removed.
    pub answer: oneshot::Sender<Result<u64>>,
}

/// Repairs that wait; one at a time is asked for.
pub type Repairs = tokio::sync::Mutex<mpsc::Receiver<Repair>>;

impl Session<'_> {
    /// Takes up the next repair; false if there is none.
    pub(super) async fn take_repair(&mut self) -> Result<bool> {
        if self.chunk.is_some() {
            return Ok(false);
        }
        let next = match self.repair.take() {
            // Its rows were read too early: once more.
            Some(repair) => Some(repair),
            None => self.deliver.repairs.lock().await.try_recv().ok(),
        };
        let Some(repair) = next else { return Ok(false) };
        let Some(entity) = self.deliver.entities.iter().find(|e| e.name == repair.entity) else {
            let what = format!("{} does not take {}", self.deliver.name, repair.entity);
            repair.answer.send(Err(Error::new(ErrorKind::Usage, what))).ok();
            return Ok(false);
        };
        let Some(chunk) = on_disk(|| self.deliver.canon.rows(entity, &repair.keys))? else {
            let error = Error::new(ErrorKind::Unreachable, "the store is not open");
            repair.answer.send(Err(error.hint("try again"))).ok();
            return Ok(false);
        };
        self.repair = Some(repair);
        self.chunk = Some((chunk, Purpose::Repair));
        Ok(true)
    }

    /// The cursor is where the rows were read.
    pub(super) async fn apply_repair(&mut self, chunk: CanonChunk) -> Result<()> {
        let Some(repair) = self.repair.take() else { return Ok(()) };
        let there: BTreeSet<&String> = chunk.rows.iter().map(|(key, _)| key).collect();
        let gone = repair.extra.iter().filter(|(key, _)| !there.contains(key));
        let removed: Vec<TargetRow> = gone
            .map(|(key, key_cells)| TargetRow {
                entity: repair.entity.clone(),
                key: key.clone(),
                key_cells: key_cells.clone(),
                cells: None,
                sequences: Vec::new(),
                soft: Vec::new(),
            })
            .collect();
        let keys: Vec<String> = removed.iter().map(|row| row.key.clone()).collect();
        let written: Vec<String> = chunk.rows.iter().map(|(key, _)| key.clone()).collect();
        let drafts = plan::from_canon(&self.standing, &chunk.entity, chunk.rows);
        self.apply(Apply { rows: removed, ..Apply::default() }, drafts).await?;
        let is_parked = |key: &&String| self.standing.sequences(&repair.entity, key).is_some();
        // What the target did not take is tried again like any other row.
        let parked = written.iter().filter(is_parked).count() as u64;
        let rows = (written.len() + keys.len()) as u64;
        let refused = parked + self.give_up(&repair.entity, &keys).await?;
        tracing::info!(
            target_name = %self.deliver.name,
            entity = %repair.entity,
            rows,
            refused,
            "rows that differed were written again"
        );
        repair.answer.send(Ok(rows - refused)).ok();
        Ok(())
    }

    /// A row that could not be removed is owed to nobody: the next comparison finds it again.
    async fn give_up(&mut self, entity: &str, keys: &[String]) -> Result<u64> {
        let is_parked = |key: &&String| {
            self.standing.sequences(entity, key).is_some_and(|s| s.contains(&Hole::BASELINE))
        };
        let hole = |key: &String| Hole {
            sequence: Hole::BASELINE,
            entity: entity.to_owned(),
            key: key.clone(),
        };
        let dropped: Vec<Hole> = keys.iter().filter(is_parked).map(hole).collect();
        let refused = dropped.len() as u64;
        if refused > 0 {
            self.apply(Apply { dropped, ..Apply::default() }, Vec::new()).await?;
        }
        Ok(refused)
    }
}
