//! A lost store is made anew: rows, history and events from the archive and the queue, the mirror by
//! copying its sources again. What the sources say then is compared with what was last told to
//! everybody, and only the differences are events.
//!
//! Before the loops start: copies begin with their captures.

use super::{Conform, mappings};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::batch::{Batch, digest};
use crate::ledger::seal::Seal;
use crate::store::rebuild::{Rebuild, SealedFile};
use crate::store::{self, StoreLimits};

/// Events of a batch that are read at once.
const EVENTS_READ_MAX: usize = 10_000;

/// True if there is no store, although there was one, and the journal does not reach back to its
/// first batch: nothing but the archive knows what was in it.
///
/// # Errors
/// [`ErrorKind::Ledger`].
pub fn is_lost(conform: &Conform) -> Result<bool> {
    if store::file(&conform.state_dir).exists() || conform.ledger.last_batch()?.is_none() {
        return Ok(false);
    }
    Ok(conform.ledger.oldest_batch()? > 1 || conform.journal.first_seq()? > 1)
}

/// Makes it anew. `seal` is the newest, `files` are those of all seals. Every source is copied
/// again afterwards.
///
/// # Errors
/// [`ErrorKind::Store`], [`ErrorKind::Ledger`]: the store is still lost then, and this can be
/// tried again.
pub fn rebuild(conform: &Conform, seal: &Seal, files: &[SealedFile]) -> Result<()> {
    let set = mappings::in_force(conform)?;
    let mut evaluator = mappings::evaluator(conform, &set)?;
    let Some(last) = conform.ledger.last_batch()? else { return Ok(()) };
    let limits = StoreLimits {
        memory_bytes: conform.limits.store_memory_bytes,
        threads: conform.limits.store_threads,
    };
    tracing::warn!(
        seal = %seal.folder,
        batches = last.id - seal.batch_upto,
        "the store is lost: it is made anew from the archive and the queue"
    );
    let place = store::file(&conform.state_dir);
    let making = Rebuild::begin(&place.with_extension("new"), limits, seal.batch_upto)?;
    making.take_in(&mut evaluator, files)?;
    for id in seal.batch_upto + 1..=last.id {
        take_batch(conform, &making, &conform.ledger.batch(id)?)?;
    }
    // What is in the journal and in no batch is in the copies that begin now.
    let seq_upto = conform.journal.last_whole()?.max(last.seq_upto);
    let batch = Batch {
        id: last.id + 1,
        seq_after: last.seq_upto,
        seq_upto,
        part: 0,
        as_of_micros: jiff::Timestamp::now().as_microsecond(),
        event_first: last.event_last + 1,
        digest: digest(&[]),
        ..last
    };
    let mark = super::mark_of(&batch);
    making.finish(&evaluator, mark, batch.as_of_micros)?;
    forget_copies(conform)?;
    conform.ledger.commit_batch(&batch, &[], 1, (&[], u64::MAX))?;
    crate::failpoint::reach("before-rebuilt");
    making.put_in_place(&place)
}

fn take_batch(conform: &Conform, making: &Rebuild, batch: &Batch) -> Result<()> {
    let install = conform.ledger.install();
    making.note_batch(batch.id, batch.as_of_micros)?;
    let mut sequence = batch.event_first - 1;
    while sequence < batch.event_last {
        let events = conform.ledger.events(sequence, batch.event_last, EVENTS_READ_MAX)?;
        sequence = events.last().map_or(batch.event_last, |event| event.sequence);
        making.take_events(install, batch.id, &events)?;
    }
    Ok(())
}

/// Every table is copied anew, as if it had just been chosen.
fn forget_copies(conform: &Conform) -> Result<()> {
    for source in conform.kinds.keys() {
        for copy in conform.journal.copies(source)? {
            conform.journal.forget_copy(source, &copy.table)?;
        }
    }
    Ok(())
}

/// Nothing knows what was in it.
#[must_use]
pub fn beyond_help() -> Error {
    Error::new(
        ErrorKind::Store,
        "the store is gone, the capture log does not reach back to its beginning, and nothing was \
         sealed in the archive",
    )
    .hint(
        "restore the state folder from a backup; or run `trueup uninstall` for each source, move \
         the state folder aside and start: all is copied anew",
    )
}
