//! A store that is behind the ledger: decides the missing batches again, equal and checked.

use super::{Done, Session, mappings};
use crate::error::Result;
use crate::ledger::batch::{Batch, digest};

impl Session<'_> {
    /// Brings the store to the ledger's last batch. No event is made: the ledger has them.
    pub(super) fn catch_up(&mut self) -> Result<()> {
        let Some(last) = self.conform.ledger.last_batch()? else { return Ok(()) };
        if self.mark.batch > last.id {
            return Err(Self::bug(format!(
                "the store has batch {}, the ledger only {}",
                self.mark.batch, last.id
            ))
            .hint("ledger and store do not belong together: restore both from one backup"));
        }
        while self.mark.batch < last.id {
            let batch = self.conform.ledger.batch(self.mark.batch + 1)?;
            tracing::info!(batch = batch.id, "the store is behind the ledger, replaying");
            self.replay(&batch)?;
        }
        Ok(())
    }

    fn replay(&mut self, batch: &Batch) -> Result<()> {
        let before = mappings::before(self.conform, batch)?;
        before.hash().clone_into(&mut self.in_force);
        if before.hash() != self.mappings.hash() {
            self.evaluator = mappings::evaluator(self.conform, &before)?;
            self.mappings = before;
            self.is_stale = true;
        }
        self.prepare_evaluator()?;
        let run = self.read_again(batch)?;
        if run.border != batch.border() {
            return Err(Self::bug(format!(
                "batch {} ends at journal entry {}, the journal at {}",
                batch.id,
                batch.seq_upto.max(batch.part),
                run.border.seq.max(run.border.part)
            ))
            .hint(
                "the store is older than the journal: move store.duckdb and store.duckdb.wal aside \
                 and start, then it is made anew from the archive",
            ));
        }
        // What could not be read then is set aside again, whatever this version can read.
        let (first, last) = (self.mark.journal_seq + 1, batch.seq_upto.max(batch.part));
        let aside = self.conform.ledger.unread_within(first, last)?;
        let Done { events, .. } = self.conform_batch(batch, &run, &aside)?;
        let found = digest(&events);
        if found != batch.digest {
            self.store.rollback()?;
            return Err(Self::bug(format!(
                "replaying batch {} gave other events than the ledger holds",
                batch.id
            ))
            .hint(
                "nothing of it was written: keep a copy of the state folder, and report this with \
                 the log of the daemon",
            ));
        }
        self.commit(batch)
    }
}
