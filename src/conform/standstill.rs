//! One source whose log cannot be followed stands still; the others go on.
//!
//! Which source it is, is found by taking transactions one by one. Where it stands is in the
//! ledger before anything after it is conformed, so that a replay leaves out the same entries.
//! Capture asks the ledger, and stops reading from a source that stands.

use std::collections::HashMap;

use super::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::batch::Batch;
use crate::ledger::journal::{Portion, Run};
use crate::ledger::segment::Entry;
use crate::ledger::standing::SourceFacts;

impl Session<'_> {
    /// Reads from where sources stand.
    pub(super) fn read_standing(&mut self) -> Result<()> {
        for source in self.conform.kinds.keys() {
            if let Some(seq) = self.conform.ledger.source(source)?.stands_from {
                self.standing.insert(source.clone(), seq);
            }
        }
        Ok(())
    }

    /// The next run, after the store's mark, without what is not to be conformed any more. It
    /// may be empty and have moved on all the same.
    pub(super) fn read(&mut self, upto: u64) -> Result<Run> {
        let after = self.border();
        let transaction = self.conform.limits.batch_bytes;
        let run = if after.seq < self.singly_upto { 1 } else { transaction };
        let mut portion = Portion { run, transaction };
        let run = self.reader.read(after, upto, portion, |entry| stands(&self.standing, entry))?;
        if after.part > 0 || self.is_divisible(&run, portion)? {
            return Ok(run);
        }
        portion.transaction = usize::MAX;
        self.reader.read(after, upto, portion, |entry| stands(&self.standing, entry))
    }

    /// What a batch took, likewise.
    pub(super) fn read_again(&mut self, batch: &Batch) -> Result<Run> {
        let (after, upto) = (self.border(), batch.border());
        self.reader.between(after, upto, |entry| stands(&self.standing, entry))
    }

    /// A run failed. If that is the fault of what a source sent, finds the source and lets it
    /// stand still.
    ///
    /// # Errors
    /// The failure, if it is anybody else's.
    pub(super) fn blame(&mut self, run: &Run, failure: Error) -> Result<()> {
        if !matches!(failure.kind(), ErrorKind::Gap | ErrorKind::Decode) {
            return Err(failure);
        }
        let [parts] = run.transactions.as_slice() else {
            self.singly_upto = run.border.seq;
            return Ok(());
        };
        let Some(entry) = parts.first().filter(|entry| !entry.source.is_empty()) else {
            return Err(failure);
        };
        let why = failure.chain();
        let facts = self.conform.ledger.source(&entry.source)?;
        let facts = SourceFacts { gap: Some(why.clone()), stands_from: Some(entry.first), ..facts };
        self.conform.ledger.set_source(&entry.source, &facts)?;
        self.standing.insert(entry.source.clone(), entry.first);
        tracing::error!(
            source = %entry.source,
            entry = entry.first,
            error = %why,
            hint = failure.remedy().unwrap_or_default(),
            "a source's log cannot be followed, it stands still; the others go on"
        );
        Ok(())
    }
}

fn stands(standing: &HashMap<String, u64>, entry: &Entry) -> bool {
    standing.get(&entry.source).is_some_and(|from| entry.first >= *from)
}
