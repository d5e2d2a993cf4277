//! A transaction that is too large for one batch is conformed in slices, so that none needs more
//! memory, or a longer commit, than any other batch.
//!
//! ```text
//!  journal   … 7 │ 8  9  10  11  12  13 │ 14 …      entries 8 to 13 are one transaction
//!  borders       7    7/9    7/11    13             seq/part: parts up to `part` lie before it
//! ```
//! Each slice is a batch like any other: mirror, canon and targets pass through states that the
//! source never showed anybody, in the order in which the transaction made them. While they do,
//! `ops.open_transaction` and the status say so. What was taken back within the transaction is not in
//! PostgreSQL's log; a MariaDB transaction that takes something back is conformed whole.

use super::Session;
use crate::canon::Effect;
use crate::error::Result;
use crate::ledger::batch::Batch;
use crate::ledger::journal::{Border, Portion, Run};
use crate::source::decode::{self, Decoder};
use crate::store::OpenTransaction;
use crate::store::mirror::Placed;

impl Session<'_> {
    /// Whether the transaction of which `run` is the first slice may be taken in slices at all: looks
    /// through all of them. A run of whole transactions may.
    pub(super) fn is_divisible(&mut self, run: &Run, portion: Portion) -> Result<bool> {
        if run.border.part == 0 {
            return Ok(true);
        }
        let (mut border, ends) = (run.border, run.border.ends());
        let mut is_divisible = run.transactions.iter().all(|parts| self.may_divide(parts));
        while is_divisible && border.part > 0 {
            let next = self.reader.read(border, ends, portion, |_| false)?;
            is_divisible = next.transactions.iter().all(|parts| self.may_divide(parts));
            border = next.border;
        }
        Ok(is_divisible)
    }

    fn may_divide(&self, parts: &[crate::ledger::segment::Entry]) -> bool {
        parts.iter().all(|entry| {
            let kind = self.conform.kinds.get(&entry.source);
            kind.is_none_or(|kind| decode::is_divisible(*kind, &entry.bytes))
        })
    }

    /// What the decoder holds of a transaction whose end is not in `run`.
    pub(super) fn slice_of(&mut self, run: &Run) -> Result<Option<Placed>> {
        let last = run.transactions.last().and_then(|parts| parts.last());
        let Some(last) = last.filter(|_| run.border.part > 0) else { return Ok(None) };
        let transaction = self.decoder(last)?.take_open();
        let placed =
            |transaction| Placed { seq: last.seq, source: last.source.clone(), transaction };
        Ok(transaction.map(placed))
    }

    /// Brings a new decoder into the middle of the open transaction: what the slices before the mark
    /// said of tables counts, their changes are in the store.
    pub(super) fn skim(&mut self, decoder: &mut Decoder) -> Result<()> {
        let Border { seq, part } = self.border();
        let bytes = self.conform.limits.batch_bytes;
        let portion = Portion { run: bytes, transaction: bytes };
        let mut border = Border { seq, part: 0 };
        while border.seq == seq && border.part < part {
            let run = self.reader.read(border, seq + 1, portion, |_| false)?;
            for entry in run.transactions.into_iter().flatten().filter(|entry| entry.seq <= part) {
                decoder.feed(entry.bytes)?;
                decoder.take_open();
            }
            border = run.border;
        }
        Ok(())
    }

    /// Notes in the batch whether it ends in the middle of a transaction.
    pub(super) fn note_open(&mut self, run: &Run, batch: &Batch) -> Result<()> {
        let last = run.transactions.last().and_then(|parts| parts.last());
        let open = last.filter(|_| run.border.part > 0).map(|last| OpenTransaction {
            source: last.source.clone(),
            first: last.first,
            last: run.border.ends(),
            part: run.border.part,
            batch_first: self.open.as_ref().map_or(batch.id, |open| open.batch_first),
            since_micros: self.open.as_ref().map_or(batch.as_of_micros, |open| open.since_micros),
        });
        if open.is_some() || self.open.is_some() {
            self.store.set_open_transaction(open.as_ref())?;
        }
        Ok(())
    }

    /// In the middle of a transaction, puts in the place of a slice's effect that of all slices so
    /// far, on the rows that were there before the first.
    pub(super) fn judge_whole(&self, effect: &mut Effect) -> Result<()> {
        let Some(open) = &self.open else { return Ok(()) };
        let whole = self.store.effect_since(&effect.entity, open.batch_first)?;
        effect.created = whole.created;
        effect.updated = whole.updated;
        effect.deleted = whole.deleted;
        Ok(())
    }
}
