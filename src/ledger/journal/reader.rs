//! The reading side of the journal: transactions whole, and large ones in slices.

use std::path::PathBuf;
use std::sync::Arc;

use super::segment_paths;
use crate::change::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::segment::{Entry, EntryKind, Segment, file_name, first_seq_of};

/// Where one batch ends and the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Border {
    /// Transactions that end with this entry or an earlier one lie before the border.
    pub seq: u64,
    /// The border runs through the transaction that ends with the entry after `seq`: its parts up
    /// to this entry lie before it. 0: it runs through none.
    pub part: u64,
}

impl Border {
    /// The entry that ends the last transaction before the border, or the one it runs through.
    #[must_use]
    pub fn ends(self) -> u64 {
        self.seq + u64::from(self.part > 0)
    }
}

/// How much is read at once, in bytes of entries. What exceeds a bound is still taken.
#[derive(Debug, Clone, Copy)]
pub struct Portion {
    /// All transactions of a run.
    pub run: usize,
    /// A larger transaction comes in slices of this size.
    pub transaction: usize,
}

impl Portion {
    /// No bound.
    pub const WHOLE: Self = Self { run: usize::MAX, transaction: usize::MAX };
}

/// A run of transactions, in journal order: whole ones, or a slice of one.
#[derive(Debug, Default)]
pub struct Run {
    /// Entries grouped by transaction: all parts of one, then all parts of the next.
    pub transactions: Vec<Vec<Entry>>,
    /// Where it ends: the border of a batch. Parts of a transaction that has no end yet lie behind
    /// it: a crash drops them, and a border among them would be one that no replay finds again.
    pub border: Border,
}

/// The reading side: own connections, so that reading never waits for a commit.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    current: Option<(u64, Segment)>,
    /// After which entry was looked last, and how far nothing but parts without an end lies: a
    /// large transaction on its way in is not looked through again for each of its parts.
    looked: (u64, u64),
}

impl Reader {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, current: None, looked: (0, 0) }
    }

    /// What lies after the border: whole transactions whose last entry is `upto` or an earlier one,
    /// until `portion` is exceeded. Copy chunks and control entries come alone, as the only
    /// transaction of a run, and so does each slice of a transaction that is larger than a portion.
    /// Those whose last entry is `left_out` are passed over.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn read(
        &mut self,
        after: Border,
        upto: u64,
        portion: Portion,
        left_out: impl Fn(&Entry) -> bool,
    ) -> Result<Run> {
        let mut run = Run { transactions: Vec::new(), border: after };
        let from = after.seq;
        let mut looked = if self.looked.0 == from { self.looked.1.max(from) } else { from };
        let mut bytes = 0_usize;
        while bytes < portion.run {
            let entries = self.entries(looked, upto, portion.run - bytes)?;
            if entries.is_empty() {
                break;
            }
            for entry in entries {
                looked = entry.seq;
                if !entry.ends {
                    continue;
                }
                if left_out(&entry) {
                    run.border = Border { seq: entry.seq, part: 0 };
                    if after.part > 0 {
                        return Ok(run);
                    }
                    continue;
                }
                let is_sliced = entry.first < entry.seq
                    && (after.part > 0 || self.size(&entry)? > portion.transaction);
                let alone = entry.kind != EntryKind::Log || is_sliced;
                if alone && !run.transactions.is_empty() {
                    return Ok(run);
                }
                if is_sliced {
                    return self.slice(after.part, entry, portion.transaction);
                }
                run.border = Border { seq: entry.seq, part: 0 };
                let transaction = self.whole(entry)?;
                bytes += transaction.iter().map(|part| part.bytes.len()).sum::<usize>();
                run.transactions.push(transaction);
                if alone || bytes >= portion.run {
                    return Ok(run);
                }
            }
        }
        if run.transactions.is_empty() {
            self.looked = (from, looked);
        }
        Ok(run)
    }

    /// What lies between two borders that [`Self::read`] once gave. The run ends elsewhere if the
    /// journal does not hold it any more.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn between(
        &mut self,
        after: Border,
        upto: Border,
        left_out: impl Fn(&Entry) -> bool,
    ) -> Result<Run> {
        if after.part == 0 && upto.part == 0 {
            return self.read(after, upto.seq, Portion::WHOLE, left_out);
        }
        let ends = upto.ends();
        let last = self.entries(ends.saturating_sub(1), ends, 1)?.pop();
        let Some(last) = last.filter(|last| last.ends) else {
            return Ok(Run { transactions: Vec::new(), border: after });
        };
        if left_out(&last) {
            return Ok(Run { transactions: Vec::new(), border: upto });
        }
        if upto.part == 0 {
            return self.slice(after.part, last, usize::MAX);
        }
        let parts = self.parts(&last, (after.part, upto.part + 1), usize::MAX)?;
        let part = parts.last().map_or(after.part, |part| part.seq);
        Ok(Run { transactions: vec![parts], border: Border { seq: upto.seq, part } })
    }

    /// Tables of `source` as they were just before the entry `seq`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn tables_before(&mut self, source: &str, seq: u64) -> Result<Vec<Arc<Table>>> {
        let Some(first) = self.segment_of(seq)? else { return Ok(Vec::new()) };
        let tables = self.segment(first)?.tables_before(source, seq)?;
        Ok(tables.into_iter().map(Arc::new).collect())
    }

    fn entries(&mut self, after: u64, upto: u64, bytes_max: usize) -> Result<Vec<Entry>> {
        let Some(mut first) = self.segment_of(after + 1)? else { return Ok(Vec::new()) };
        loop {
            let entries = self.segment(first)?.entries(after, upto, bytes_max)?;
            if !entries.is_empty() {
                return Ok(entries);
            }
            // Nothing left here: perhaps the journal went on in the next segment.
            match self.firsts()?.into_iter().find(|next| *next > first) {
                Some(next) => first = next,
                None => return Ok(entries),
            }
        }
    }

    /// Bytes of the transaction that `last` ends.
    fn size(&mut self, last: &Entry) -> Result<usize> {
        let mut bytes = last.bytes.len() as u64;
        for first in self.segments(last.first, last.seq)? {
            bytes += self.segment(first)?.part_bytes(&last.source, last.first, last.seq)?;
        }
        Ok(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// All parts of the transaction that `last` ends.
    fn whole(&mut self, last: Entry) -> Result<Vec<Entry>> {
        let mut parts = match last.first < last.seq {
            true => self.parts(&last, (0, last.seq), usize::MAX)?,
            false => Vec::new(),
        };
        parts.push(last);
        Ok(parts)
    }

    /// The parts after `after` of the transaction that `last` ends, until `bytes_max` are reached.
    fn slice(&mut self, after: u64, last: Entry, bytes_max: usize) -> Result<Run> {
        let mut parts = self.parts(&last, (after, last.seq), bytes_max)?;
        let bytes: usize = parts.iter().map(|part| part.bytes.len()).sum();
        let border = match parts.last() {
            Some(part) if bytes >= bytes_max => Border { seq: last.seq - 1, part: part.seq },
            _ => Border { seq: last.seq, part: 0 },
        };
        if border.part == 0 {
            parts.push(last);
        }
        Ok(Run { transactions: vec![parts], border })
    }

    /// Parts in `(after, before)` of the transaction that `last` ends.
    fn parts(
        &mut self,
        last: &Entry,
        (after, before): (u64, u64),
        bytes_max: usize,
    ) -> Result<Vec<Entry>> {
        let mut parts: Vec<Entry> = Vec::new();
        let mut bytes = 0_usize;
        for first in self.segments(last.first.max(after + 1), before)? {
            let segment = self.segment(first)?;
            let after = after.max(last.first.saturating_sub(1));
            let some =
                segment.parts(&last.source, last.first, (after, before), bytes_max - bytes)?;
            bytes += some.iter().map(|part| part.bytes.len()).sum::<usize>();
            parts.extend(some);
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(parts)
    }

    fn firsts(&self) -> Result<Vec<u64>> {
        Ok(segment_paths(&self.folder)?.iter().filter_map(|path| first_seq_of(path)).collect())
    }

    /// The segments that hold entries from `from` to `upto`, in order.
    fn segments(&self, from: u64, upto: u64) -> Result<Vec<u64>> {
        let oldest = self.segment_of(from)?.unwrap_or(0);
        let mut firsts = self.firsts()?;
        firsts.retain(|first| *first >= oldest && *first <= upto);
        Ok(firsts)
    }

    /// The segment that holds or would hold `seq`: the last one that begins at or before it, or
    /// the oldest.
    fn segment_of(&self, seq: u64) -> Result<Option<u64>> {
        let firsts = self.firsts()?;
        let holding = firsts.iter().rev().find(|first| **first <= seq);
        Ok(holding.or(firsts.first()).copied())
    }

    fn segment(&mut self, first: u64) -> Result<&Segment> {
        let reopen = self.current.as_ref().is_none_or(|(current, _)| *current != first);
        if reopen {
            let segment = Segment::open_reader(self.folder.join(file_name(first)))?;
            self.current = Some((first, segment));
        }
        match &self.current {
            Some((_, segment)) => Ok(segment),
            None => Err(Error::new(ErrorKind::Bug, "a journal segment was not opened")),
        }
    }
}
