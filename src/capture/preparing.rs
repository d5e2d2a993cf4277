//! What happens before a source's log is read: the source is compared with the ledger, and what is
//! missing is made. Copies begin here, behind their fence.
//!
//! It reads no log and no rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::asking::{Answer, Wish};
use super::tables::Seen;
use super::{Capture, on_disk};
use crate::change::condition::Condition;
use crate::change::{Table, TableName};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::copies::{CopyProgress, CopyState};
use crate::ledger::segment::{EntryKind, NewEntry};
use crate::ledger::standing::SourceFacts;
use crate::source::entry::Control;
use crate::source::{Fence, Identity, Prepared, Standing};

/// What the ledger keeps of tables, by name: which table it is, and of what it consists.
type Words = BTreeMap<String, (String, String)>;

/// A source with a gap is read no further, whoever found it: capture itself, or conform in what
/// it had journaled.
pub(super) fn refuse_gap(capture: &Capture) -> Result<()> {
    on_disk(|| remembered_gap(capture))?.map_or(Ok(()), Err)
}

/// The gap that the ledger knows of, if there is one.
pub(super) fn remembered_gap(capture: &Capture) -> Result<Option<Error>> {
    Ok(capture.ledger.source(&capture.name)?.gap.map(|why| gap(capture, &why)))
}

/// Compares the source with the ledger, and makes what is missing. Returns, besides, the tables as they are
/// noted from now on: like those that are chosen, but for parts that came or went under a copy.
pub(super) async fn prepare(
    capture: &Capture,
    chosen: &BTreeMap<TableName, Identity>,
) -> Result<(Prepared, Fence, BTreeMap<TableName, Identity>)> {
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
    let prepared = match known {
        None => capture.source.prepare(None).await?,
        Some(known) => {
            let copies = on_disk(|| capture.journal.copies(name))?;
            let mirrored: Vec<String> = copies.into_iter().map(|copy| copy.table).collect();
            capture.source.prepare_again(known, &mirrored).await?
        }
    };
    if capture.state.copies_begun() == 0 {
        // What an earlier process began.
        capture.state.began_copies(on_disk(|| capture.journal.last_whole())?);
    }
    let seen = on_disk(|| Seen::read(capture))?;
    for table in &prepared.tables {
        capture.source.follow(seen.table(table), table)?;
    }
    let is_chosen_anew = |table: &&Arc<Table>| seen.is_chosen_anew(table);
    let mut changed: Vec<Arc<Table>> =
        prepared.tables.iter().filter(is_chosen_anew).cloned().collect();
    on_disk(|| start_over(capture, &changed))?;
    let copies = on_disk(|| capture.journal.copies(name))?;
    let before = on_disk(|| capture.ledger.source_tables(name))?;
    let (has_other_parts, noted) = other_parts(&prepared, &before, chosen, &copies);
    changed.extend(has_other_parts.into_iter().filter(|table| !seen.is_chosen_anew(table)));
    // A table that left and comes back is copied anew, whatever happens in between: from now on
    // its changes are not in the log.
    for copy in &copies {
        if !prepared.tables.iter().any(|table| table.name.to_string() == copy.table) {
            on_disk(|| leave(capture, &copy.table))?;
        }
    }
    let outdated = on_disk(|| due(capture))?.anew;
    let told = with_foreign_keys(chosen, &before, &prepared);
    let begun = to_begin(&prepared, (&before, &told), &copies, (&outdated, &seen));
    let fence = on_disk(|| begin_copies(capture, &facts, &prepared, &begun))?;
    on_disk(|| copy_again(capture, &changed))?;
    let words = words(&with_foreign_keys(&noted, &before, &prepared));
    on_disk(|| capture.ledger.set_source_tables(name, &words))?;
    on_disk(|| answer(capture, &prepared))?;
    Ok((prepared, fence, noted))
}

/// The tables that are copied as if for the first time.
fn to_begin(
    prepared: &Prepared,
    (before, chosen): (&Words, &BTreeMap<TableName, Identity>),
    copies: &[CopyProgress],
    (outdated, seen): (&[String], &Seen),
) -> Vec<Arc<Table>> {
    let is_another = |table: &Table| {
        let was = before.get(&table.name.to_string()).zip(chosen.get(&table.name));
        was.is_some_and(|((word, _), now)| is_another(word, now, (seen.table(table), table)))
    };
    let is_new = |table: &&Arc<Table>| {
        let name = table.name.to_string();
        let known = copies.iter().any(|copy| copy.table == name);
        !known
            || prepared.added.contains(&table.name)
            || outdated.contains(&name)
            || is_another(table)
    };
    prepared.tables.iter().filter(is_new).cloned().collect()
}

/// Whether a table is not the one of which `word` was noted. Two that are mirrored may have taken each other's
/// names: neither log nor publication tells. Nor does the log tell that from somewhere on it says what foreign
/// keys do to the table's rows, or does not any more: what they did on either side may be in neither log nor
/// mirror.
fn is_another(word: &str, now: &Identity, (seen, table): (Option<&Table>, &Table)) -> bool {
    let derives = |one: &Table| !one.cascades.is_empty();
    match word {
        // (That foreign keys come or go is in the log.)
        _ if now.table.is_empty() => false,
        // Noted by a version that did not ask who tells.
        "" => seen.is_some_and(|seen| derives(seen) != derives(table)),
        word => !now.is_of_table(word),
    }
}

/// With what is kept in mind of who tells what foreign keys do.
fn with_foreign_keys(
    chosen: &BTreeMap<TableName, Identity>,
    before: &Words,
    prepared: &Prepared,
) -> BTreeMap<TableName, Identity> {
    let mut chosen = chosen.clone();
    for (name, is) in &mut chosen {
        let was = before.get(&name.to_string()).map_or("", |(word, _)| word.as_str());
        if let Some(word) = prepared.foreign_keys.word(name, was) {
            is.table = word;
        }
    }
    chosen
}

fn words(chosen: &BTreeMap<TableName, Identity>) -> Words {
    let word = |(name, is): (&TableName, &Identity)| {
        (name.to_string(), (is.table.clone(), is.parts.clone()))
    };
    chosen.iter().map(word).collect()
}

/// The tables that must be read again, because rows came or went with partitions, of which the log does not
/// tell; and the tables as they are noted. One whose copy is under way keeps the parts that it had: it is read
/// again once that copy is done, or partitions that come faster than a copy takes would never let one end.
fn other_parts(
    prepared: &Prepared,
    before: &Words,
    chosen: &BTreeMap<TableName, Identity>,
    copies: &[CopyProgress],
) -> (Vec<Arc<Table>>, BTreeMap<TableName, Identity>) {
    let (mut changed, mut noted) = (Vec::new(), chosen.clone());
    for table in &prepared.tables {
        let name = table.name.to_string();
        let (Some(now), Some((word, parts))) = (noted.get_mut(&table.name), before.get(&name))
        else {
            continue;
        };
        if !now.is_of_table(word) || *parts == now.parts {
            continue;
        }
        match copies.iter().find(|copy| copy.table == name) {
            Some(copy) if copy.state != CopyState::Done => now.parts.clone_from(parts),
            _ => changed.push(Arc::clone(table)),
        }
    }
    (changed, noted)
}

/// A copy of such a table that is under way begins anew, as if for the first time.
fn start_over(capture: &Capture, changed: &[Arc<Table>]) -> Result<()> {
    let copies = capture.journal.copies(&capture.name)?;
    for table in changed {
        let name = table.name.to_string();
        if copies.iter().any(|copy| copy.table == name && copy.state != CopyState::Done) {
            leave(capture, &name)?;
        }
    }
    Ok(())
}

/// One that was copied is copied again under its mirror: what is left out by now goes with that, what is
/// let in comes.
fn copy_again(capture: &Capture, changed: &[Arc<Table>]) -> Result<()> {
    let copies = capture.journal.copies(&capture.name)?;
    for table in changed {
        let name = table.name.to_string();
        let is_done = |copy: &&CopyProgress| copy.table == name && copy.state == CopyState::Done;
        if let Some(copied) = copies.iter().find(is_done) {
            let source = &capture.name;
            tracing::info!(source, table = name, "other columns or partitions, it is copied again");
            begin_resync(capture, table, copied.clone(), None)?;
        }
    }
    Ok(())
}

/// Does what people asked for, behind the fence that was just noted: the chunks see everything that is
/// in the journal by now.
fn answer(capture: &Capture, prepared: &Prepared) -> Result<()> {
    if let Some(why) = prepared.is_outgrown.as_ref().filter(|_| capture.state.asking.is_anew()) {
        // It is answered where a log begins anew: in a gap.
        return Err(gap(capture, why));
    }
    for table in due(capture)?.again {
        let copied = capture.journal.copies(&capture.name)?.into_iter();
        let copied = copied.into_iter().find(|copy| copy.table == table);
        let named = prepared.tables.iter().find(|one| one.name.to_string() == table);
        if let (Some(named), Some(copied)) = (named, copied) {
            tracing::info!(source = %capture.name, table, "columns changed, it is copied again");
            begin_resync(capture, named, copied, None)?;
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
            (Some((table, copied)), Wish::Resync) if copied.state == CopyState::Done => {
                begin_resync(capture, table, copied.clone(), asked.only.clone())?;
                Answer::Begun
            }
            (Some((_, copied)), Wish::Resync) if copied.only != asked.only => Answer::OfOthers,
            (Some(_), Wish::Resync) => Answer::Begun,
            (Some((_, copied)), Wish::Stop) if copied.state == CopyState::Done => {
                Answer::NotUnderWay
            }
            (Some((table, copied)), Wish::Stop) => {
                let ended = CopyProgress {
                    state: CopyState::Done,
                    ranges: Vec::new(),
                    only: None,
                    ..copied.clone()
                };
                say(capture, &Control::ResyncStop { table: table.name.clone() }, (table, ended))?;
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
#[derive(Debug, Default)]
pub(super) struct Due {
    /// Under their mirrors.
    again: Vec<String>,
    /// As if for the first time.
    anew: Vec<String>,
}

impl Due {
    pub(super) fn is_empty(&self) -> bool {
        self.again.is_empty() && self.anew.is_empty()
    }
}

pub(super) fn due(capture: &Capture) -> Result<Due> {
    let unproven = capture.unproven.borrow().clone();
    let Some(tables) = unproven.tables.get(&capture.name) else { return Ok(Due::default()) };
    let mut due = Due::default();
    // A copy that was begun shows when conform has come to its beginning.
    let has_seen_all = unproven.upto >= capture.state.copies_begun();
    for copy in capture.journal.copies(&capture.name)? {
        match tables.get(&copy.table) {
            Some(true) if has_seen_all => due.anew.push(copy.table),
            Some(false) if copy.state == CopyState::Done => due.again.push(copy.table),
            _ => {}
        }
    }
    Ok(due)
}

fn begin_resync(
    capture: &Capture,
    table: &Arc<Table>,
    copied: CopyProgress,
    only: Option<Condition>,
) -> Result<()> {
    if table.is_keyless() {
        // Nothing tells which of its rows a chunk has shown: it is copied as if for the first time.
        let begun = copied.begun_again(false, None);
        let word = Control::CopyBegin { tables: named(capture, std::slice::from_ref(table)) };
        let seq = say(capture, &word, (table, begun))?;
        capture.state.began_copies(seq);
        return Ok(());
    }
    let word = Control::Resync { table: table.name.clone(), only: only.clone() };
    let begun = copied.begun_again(true, only);
    say(capture, &word, (table, begun)).map(drop)
}

fn say(
    capture: &Capture,
    word: &Control,
    (table, progress): (&Arc<Table>, CopyProgress),
) -> Result<u64> {
    let bytes = word.encode();
    let entry = NewEntry::own(&capture.name, EntryKind::Control, &bytes);
    let (schemas, copies) = (std::slice::from_ref(table), [progress]);
    capture.journal.append(&NewEntry { schemas, copies: &copies, ..entry })
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
    let copies: Vec<CopyProgress> =
        tables.iter().map(|table| CopyProgress::first(table.name.to_string())).collect();
    let entry = NewEntry::own(&capture.name, EntryKind::Control, &bytes);
    let start = prepared.start.clone().into();
    let entry = NewEntry { reached: Some(&start), schemas: tables, copies: &copies, ..entry };
    capture.state.began_copies(capture.journal.append(&entry)?);
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
