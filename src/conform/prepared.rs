//! XA transactions between PREPARE and COMMIT. MariaDB logs their rows at PREPARE, even those of one
//! that is rolled back later, so they stay pending by identity: in the decoder while it lives,
//! and by their place in the journal, which is kept for them, in the store.

use bytes::Bytes;

use super::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::journal::{Border, Portion};
use crate::ledger::segment::Entry;
use crate::source::decode::{Decoder, Tables};
use crate::store::prepared::Prepared;

/// The decoder of a source.
#[derive(Debug)]
pub(super) struct Decoding {
    pub(super) decoder: Decoder,
    /// What is prepared, as the store has it.
    prepared: Vec<Prepared>,
}

impl Session<'_> {
    /// A decoder that goes on with `entry`.
    pub(super) fn decoding(&mut self, entry: &Entry) -> Result<Decoding> {
        let mut decoder = self.new_decoder(entry)?;
        let prepared = self.store.prepared(&entry.source)?;
        for one in &prepared {
            self.adopt(&entry.source, one, &mut decoder)?;
        }
        Ok(Decoding { decoder, prepared })
    }

    /// A decoder of the entry's source with the tables as they were before it.
    fn new_decoder(&mut self, entry: &Entry) -> Result<Decoder> {
        let known = self.reader.tables_before(&entry.source, entry.first)?;
        let tables: Tables = known.into_iter().map(|table| (table.id, table)).collect();
        let kind = self.conform.kinds.get(&entry.source).copied().ok_or_else(|| {
            Self::bug(format!(
                "the journal holds entries of source {}, which is not configured",
                entry.source
            ))
            .hint("put the source back into the configuration until they are conformed")
        })?;
        Ok(Decoder::new(kind, tables))
    }

    /// Gives a new decoder what was prepared before its first entry, from the journal.
    fn adopt(&mut self, source: &str, one: &Prepared, decoder: &mut Decoder) -> Result<()> {
        let after = Border { seq: one.seq.saturating_sub(1), part: 0 };
        let run = self.reader.read(after, one.seq, Portion::WHOLE, |_| false)?;
        let parts = run.transactions.into_iter().next().unwrap_or_default();
        let first = parts.first().filter(|entry| entry.source == source);
        let mut other = self.new_decoder(first.ok_or_else(|| lost(source, one.seq))?)?;
        for part in parts {
            other.feed(part.bytes)?;
        }
        match decoder.adopt(&mut other, &one.xid) {
            true => Ok(()),
            false => Err(lost(source, one.seq)),
        }
    }

    /// Notes in the batch what is prepared now that `parts` were fed.
    pub(super) fn note_prepared(&mut self, parts: &[Entry]) -> Result<()> {
        let Some(last) = parts.last() else { return Ok(()) };
        let Some(decoding) = self.decoders.get_mut(&last.source) else { return Ok(()) };
        let now: Vec<&Bytes> = decoding.decoder.prepared().collect();
        let known = &decoding.prepared;
        let mut noted: Vec<Prepared> = Vec::with_capacity(now.len());
        for xid in now {
            let new = || Prepared { xid: xid.clone(), first: last.first, seq: last.seq };
            noted.push(known.iter().find(|one| one.xid == *xid).cloned().unwrap_or_else(new));
        }
        noted.sort_unstable_by(|a, b| (a.seq, &a.xid).cmp(&(b.seq, &b.xid)));
        if noted != *known {
            self.store.set_prepared(&last.source, &noted)?;
            decoding.prepared = noted;
        }
        Ok(())
    }
}

fn lost(source: &str, seq: u64) -> Error {
    let what = format!(
        "journal entry {seq} does not hold the XA transaction that source {source} prepared in it"
    );
    Error::new(ErrorKind::Gap, what).hint(
        "copy the source again while XA RECOVER lists nothing: stop the daemon, move the state \
         folder aside and start it",
    )
}
