//! What happens before a source's log is read: the source is compared with the ledger, and what is
//! missing is made. Copies begin here, behind their fence.
//!
//! It reads no log and no rows.

use std::sync::Arc;

use super::asking::{Answer, Wish};
use super::{Capture, on_disk};
use crate::change::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::copies::{CopyProgress, CopyState};
use crate::ledger::segment::{EntryKind, NewEntry};
use crate::ledger::standing::SourceFacts;
use crate::source::entry::Control;
use crate::source::{Fence, Prepared, Standing};

/// A source with a gap is read no further, whoever found it: capture itself, or conform in what
/// it had journaled.
pub(super) fn refuse_gap(capture: &Capture) -> Result<()> {
    on_disk(|| remembered_gap(capture))?.map_or(Ok(()), Err)
}

/// The gap that the ledger knows of, if there is one.
pub(super) fn remembered_gap(capture: &Capture) -> Result<Option<Error>> {
    Ok(capture.ledger.source(&capture.name)?.gap.map(|why| gap(capture, &why)))
}

/// Compares the source with the ledger, and makes what is missing.
pub(super) async fn prepare(capture: &Capture) -> Result<(Prepared, Fence)> {
    let name = &capture.name;
    let facts = on_disk(|| capture.ledger.source(name))?;
    let reached = on_disk(|| capture.journal.reached(name))?;
    let known = reached.as_ref().map(|reached| &reached.position);
    let mut standing = capture.source.standing(known, facts.identity.as_deref()).await?;
    if let (Standing::Continues, Some(reached)) = (&standing, &reached) {
        standing = capture.source.recognize(reached).await?;
    }
    if let Standing::Gap(why) = standing {
        return Err(gap(capture, &why));
    }
    let prepared = capture.source.prepare(known).await?;
    let copies = on_disk(|| capture.journal.copies(name))?;
    // A table that left and comes back is copied anew, whatever happens in between: from now on
    // its changes are not in the log.
    for copy in &copies {
        if !prepared.tables.iter().any(|table| table.name.to_string() == copy.table) {
            on_disk(|| leave(capture, &copy.table))?;
        }
    }
    let is_new = |table: &&Arc<Table>| {
        let known = copies.iter().any(|copy| copy.table == table.name.to_string());
        !known || prepared.added.contains(&table.name)
    };
    let begun: Vec<Arc<Table>> = prepared.tables.iter().filter(is_new).cloned().collect();
    let fence = on_disk(|| begin_copies(capture, &facts, &prepared, &begun))?;
    on_disk(|| answer(capture, &prepared))?;
    Ok((prepared, fence))
}

/// Does what people asked for, behind the fence that was just noted: the chunks see everything that is
/// in the journal by now.
fn answer(capture: &Capture, prepared: &Prepared) -> Result<()> {
    for table in due(capture)? {
        let copied = capture.journal.copies(&capture.name)?.into_iter();
        let copied = copied.into_iter().find(|copy| copy.table == table);
        let named = prepared.tables.iter().find(|one| one.name.to_string() == table);
        if let (Some(named), Some(copied)) = (named, copied) {
            tracing::info!(source = %capture.name, table, "columns changed, it is copied again");
            begin_resync(capture, named, copied)?;
        }
    }
    for asked in capture.state.asking.take() {
        let copies = capture.journal.copies(&capture.name)?;
        let copied = copies.iter().find(|copy| copy.table == asked.table);
        let table = prepared.tables.iter().find(|table| table.name.to_string() == asked.table);
        let answer = match (table.zip(copied), asked.wish) {
            (_, Wish::Anew) => Answer::NoGap,
            (None, _) => Answer::NotMirrored,
            (Some((_, copied)), _) if copied.is_first_copy() => Answer::FirstCopy,
            (Some((table, copied)), Wish::Resync) => {
                if copied.state == CopyState::Done {
                    begin_resync(capture, table, copied.clone())?;
                }
                Answer::Begun
            }
            (Some((_, copied)), Wish::Stop) if copied.state == CopyState::Done => {
                Answer::NotUnderWay
            }
            (Some((table, copied)), Wish::Stop) => {
                let ended = CopyProgress { state: CopyState::Done, ..copied.clone() };
                say(capture, &Control::ResyncStop { table: table.name.clone() }, ended)?;
                Answer::Stopped
            }
        };
        tracing::info!(source = %capture.name, table = asked.table, ?answer, "a resync is asked for");
        // Nobody may wait any more: what was done shows in the status.
        asked.answer.send(Ok(answer)).ok();
    }
    Ok(())
}

/// Tables that must be copied again, and are not yet.
pub(super) fn due(capture: &Capture) -> Result<Vec<String>> {
    let unproven = capture.unproven.borrow().get(&capture.name).cloned().unwrap_or_default();
    if unproven.is_empty() {
        return Ok(Vec::new());
    }
    let copies = capture.journal.copies(&capture.name)?.into_iter();
    let is_due =
        |copy: &CopyProgress| copy.state == CopyState::Done && unproven.contains(&copy.table);
    Ok(copies.filter(is_due).map(|copy| copy.table).collect())
}

fn begin_resync(capture: &Capture, table: &Table, copied: CopyProgress) -> Result<()> {
    let begun =
        CopyProgress { state: CopyState::Copying, next_after: None, resync: true, ..copied };
    say(capture, &Control::Resync { table: table.name.clone() }, begun)
}

fn say(capture: &Capture, word: &Control, progress: CopyProgress) -> Result<()> {
    let bytes = word.encode();
    let entry = NewEntry::own(&capture.name, EntryKind::Control, &bytes);
    capture.journal.append(&NewEntry { copies: &[progress], ..entry }).map(drop)
}

/// A table is mirrored no more. Said first and forgotten then: said twice does no harm.
fn leave(capture: &Capture, table: &str) -> Result<()> {
    let bytes = Control::Leave { table: table.to_owned() }.encode();
    capture.journal.append(&NewEntry::own(&capture.name, EntryKind::Control, &bytes))?;
    capture.journal.forget_copy(&capture.name, table)
}

/// Notes the fence, then begins the copies: in this order, so that no chunk is ever read
/// without its fence.
fn begin_copies(
    capture: &Capture,
    facts: &SourceFacts,
    prepared: &Prepared,
    tables: &[Arc<Table>],
) -> Result<Fence> {
    let known = facts.fence.as_deref().map_or(Fence::Open, parse_fence);
    let fence = later(known, prepared.fence.clone());
    let text = fence_text(&fence);
    capture.ledger.set_origin(&capture.name, &prepared.identity, text.as_deref())?;
    if tables.is_empty() {
        return Ok(fence);
    }
    let bytes = Control::CopyBegin { tables: named(capture, tables) }.encode();
    let copies: Vec<CopyProgress> = tables
        .iter()
        .map(|table| CopyProgress {
            table: table.name.to_string(),
            state: CopyState::Copying,
            next_after: None,
            row_count: 0,
            resync: false,
        })
        .collect();
    let entry = NewEntry::own(&capture.name, EntryKind::Control, &bytes);
    let start = prepared.start.clone().into();
    capture.journal.append(&NewEntry { reached: Some(&start), copies: &copies, ..entry })?;
    Ok(fence)
}

/// Tables with the names of their mirrors.
pub(super) fn named(capture: &Capture, tables: &[Arc<Table>]) -> Vec<(String, Table)> {
    let named = |table: &Arc<Table>| {
        (table.name.mirror_name(&capture.default_schema), table.as_ref().clone())
    };
    tables.iter().map(named).collect()
}

/// Changes are lost or may be, for this reason.
pub(super) fn gap(capture: &Capture, why: &str) -> Error {
    Error::new(ErrorKind::Gap, format!("source {}: {why}", capture.name))
        .hint(crate::source::all_anew(&capture.name))
}

fn later(a: Fence, b: Fence) -> Fence {
    match (a, b) {
        (Fence::Xmin(a), Fence::Xmin(b)) => Fence::Xmin(a.max(b)),
        (other, Fence::Open) | (_, other) => other,
    }
}

pub(super) fn fence_text(fence: &Fence) -> Option<String> {
    match fence {
        Fence::Open => None,
        Fence::Xmin(xmin) => Some(xmin.to_string()),
        Fence::Reached(position) => Some(position.to_string()),
    }
}

fn parse_fence(text: &str) -> Fence {
    let position = || text.parse().map_or(Fence::Open, Fence::Reached);
    text.parse().map_or_else(|_| position(), Fence::Xmin)
}
