//! One source whose log cannot be followed stands still; the others go on.
//!
//! Which source it is, is found by taking transactions one by one. Where it stands is in the
//! ledger before anything after it is conformed, so that a replay leaves out the same entries.
//! Capture asks the ledger, and stops reading from a source that stands.

use super::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::journal::Run;
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
    pub(super) fn read(&mut self, upto: u64, bytes_max: usize) -> Result<Run> {
        let after = self.mark.journal_seq;
        let bytes_max = if after < self.singly_upto { 1 } else { bytes_max };
        let mut run = self.reader.read(after, upto, bytes_max)?;
        run.transactions.retain(|parts| !parts.first().is_some_and(|entry| self.stands(entry)));
        Ok(run)
    }

    fn stands(&self, entry: &Entry) -> bool {
        self.standing.get(&entry.source).is_some_and(|from| entry.first >= *from)
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
            self.singly_upto = run.upto;
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
