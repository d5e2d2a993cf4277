//! One source whose log cannot be followed stands still; the others go on.
//!
//! Which source it is, is found by taking transactions one by one. Where it stands is in the
//! ledger before anything after it is conformed, so that a replay leaves out the same entries.
//! Capture asks the ledger, and stops reading from a source that stands, until a person has its log
//! begin anew: the word that says so ends the standstill.

use std::collections::HashMap;

use super::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::batch::Batch;
use crate::ledger::journal::{Border, Portion, Run};
use crate::ledger::segment::{Entry, EntryKind};
use crate::ledger::standing::Standstill;
use crate::source::entry::Control;

impl Session<'_> {
    /// Reads from where sources stand.
    pub(super) fn read_standing(&mut self) -> Result<()> {
        for source in self.conform.kinds.keys() {
            let stands = self.conform.ledger.standstills(source)?;
            self.standing.insert(source.clone(), stands);
        }
        Ok(())
    }

    /// The log of a source begins anew with this entry.
    pub(super) fn end_standstill(&mut self, entry: &Entry) -> Result<()> {
        self.conform.ledger.move_on(&entry.source, entry.seq)?;
        self.read_standing()
    }

    /// The next run, after the store's mark, without what is not to be conformed any more. It
    /// may be empty and have moved on all the same.
    pub(super) fn read(&mut self, upto: u64) -> Result<Run> {
        let after = self.border();
        let transaction = self.conform.limits.batch_bytes;
        let run = if after.seq < self.singly_upto { 1 } else { transaction };
        let mut portion = Portion { run, transaction };
        let run =
            self.reader.read(after, upto, portion, |entry| stands(&self.standing, entry, 0))?;
        if after.part > 0 || self.is_divisible(&run, portion)? {
            return Ok(run);
        }
        portion.transaction = usize::MAX;
        self.reader.read(after, upto, portion, |entry| stands(&self.standing, entry, 0))
    }

    /// What a batch took, likewise.
    pub(super) fn read_again(&mut self, batch: &Batch) -> Result<Run> {
        let (after, upto) = (self.border(), batch.border());
        self.reader.between(after, upto, |entry| stands(&self.standing, entry, upto.part))
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
        let after = self.open.as_ref().filter(|open| open.first == entry.first);
        let after = after.map_or(0, |open| open.part);
        let upto = self.next_beginning(entry)?;
        let still = Standstill { first: entry.first, after, upto };
        // A log that begins anew later is mended there already.
        let gap = upto.is_none().then_some(why.as_str());
        self.conform.ledger.stand_still(&entry.source, still, gap)?;
        self.read_standing()?;
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

impl Session<'_> {
    /// The next entry after `entry` with which its source's log begins anew.
    fn next_beginning(&self, entry: &Entry) -> Result<Option<u64>> {
        let upto = self.conform.journal.last_whole()?;
        let mut reader = self.conform.journal.reader();
        let mut border = Border { seq: entry.seq, part: 0 };
        let is_other = |other: &Entry| other.source != entry.source || !begins_anew(other);
        loop {
            let run = reader.read(border, upto, Portion::WHOLE, is_other)?;
            if let Some(found) = run.transactions.first().and_then(|parts| parts.first()) {
                return Ok(Some(found.seq));
            }
            if run.border == border {
                return Ok(None);
            }
            border = run.border;
        }
    }
}

/// Whether the transaction that the entry ends is left out; `part`: of its slice up to there, which a
/// replay takes again.
fn stands(standing: &HashMap<String, Vec<Standstill>>, entry: &Entry, part: u64) -> bool {
    let is_left_out = |one: &Standstill| {
        let was_conformed = entry.first == one.first && part > 0 && part <= one.after;
        let is_within = match one.upto {
            Some(upto) => entry.first < upto,
            None => !begins_anew(entry),
        };
        entry.first >= one.first && !was_conformed && is_within
    };
    standing.get(&entry.source).is_some_and(|stands| stands.iter().any(is_left_out))
}

fn begins_anew(entry: &Entry) -> bool {
    let word = (entry.kind == EntryKind::Control).then(|| Control::decode(&entry.bytes));
    matches!(word, Some(Ok(Control::Anew { .. })))
}
