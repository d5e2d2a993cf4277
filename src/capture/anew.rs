//! A source with a gap is followed anew, because a person asks for it: its log begins at another place, and
//! every table is copied again under the mirror that is there, so that targets get what differs.
//!
//! ```text
//!  the server: slot made anew ─► ledger: who it is, from when on chunks count ─► journal: one entry that
//!  says so, with the place and the copies ─► ledger: no gap
//! ```
//! A crash in between leaves the gap, and all of it is done once more.

use std::collections::BTreeMap;

use super::asking::{Answer, Wish};
use super::preparing::{fence_text, gap, named};
use super::session::ASK_PAUSE;
use super::{Capture, Phase, on_disk};
use crate::error::Result;
use crate::ledger::copies::CopyProgress;
use crate::ledger::segment::{EntryKind, NewEntry};
use crate::source::Prepared;
use crate::source::entry::Control;

/// Waits, in a gap, for whoever asks, and ends when the log begins anew.
pub(super) async fn asked(capture: &Capture) {
    loop {
        tokio::time::sleep(ASK_PAUSE).await;
        let mut has_begun = false;
        for asked in capture.state.asking.take() {
            let answer = match asked.wish {
                Wish::Anew if has_begun => Ok(Answer::Begun),
                Wish::Anew => begin(capture).await.map(|()| Answer::Begun),
                Wish::Resync | Wish::Stop => Err(gap(capture, "its log is not followed")),
            };
            if let Err(error) = &answer {
                tracing::warn!(source = %capture.name, error = %error.chain(), "the gap stays");
            }
            has_begun |= answer.is_ok();
            if has_begun {
                capture.state.entered(Phase::Preparing);
            }
            // Nobody may wait any more: what was done shows in the status.
            asked.answer.send(answer).ok();
        }
        if has_begun {
            return;
        }
    }
}

async fn begin(capture: &Capture) -> Result<()> {
    let gap = on_disk(|| capture.ledger.source(&capture.name))?.gap;
    // What a session left without an end has none in the new log.
    on_disk(|| capture.journal.drop_open_tail(&capture.name))?;
    let prepared = capture.source.prepare(None).await?;
    on_disk(|| journal(capture, gap, &prepared))
}

fn journal(capture: &Capture, why: Option<String>, prepared: &Prepared) -> Result<()> {
    let name = &capture.name;
    let mut copies = capture.journal.copies(name)?;
    let mut tables = prepared.tables.clone();
    // What came or went meanwhile is found by the next session, as always.
    tables.retain(|table| copies.iter().any(|copy| copy.table == table.name.to_string()));
    copies.retain(|copy| tables.iter().any(|table| copy.table == table.name.to_string()));
    let is_keyless = |name: &str| {
        tables.iter().any(|table| table.is_keyless() && table.name.to_string() == name)
    };
    let again = |copy: CopyProgress| {
        let resync = !copy.is_first_copy() && !is_keyless(&copy.table);
        copy.begun_again(resync, None)
    };
    let copies: Vec<CopyProgress> = copies.into_iter().map(again).collect();
    let fence = fence_text(&prepared.fence);
    capture.ledger.set_origin(name, &prepared.identity, fence.as_deref())?;
    // The server may have numbered its tables anew: they are copied again under their mirrors all the same.
    capture.ledger.set_source_tables(name, &BTreeMap::new())?;
    let bytes = Control::Anew { tables: named(capture, &tables) }.encode();
    let start = prepared.start.clone().into();
    let entry = NewEntry::own(name, EntryKind::Control, &bytes);
    let reached = Some(&start);
    let entry = NewEntry { reached, is_anew: true, schemas: &tables, copies: &copies, ..entry };
    capture.journal.append(&entry)?;
    let tables = copies.len();
    tracing::warn!(source = name, tables, gap = why, "the log begins anew, all is copied again");
    why.map_or(Ok(()), |why| capture.ledger.clear_gap(name, &why))
}
