//! What a batch could not read when it was decided, and a later version can: a replay sets it aside again,
//! because the ledger has the events of a batch without it, and its table is copied again anyway.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use crate::change::{Change, Table, Unread};
use crate::config::SourceKind;
use crate::error::Result;
use crate::ledger::unread::UnreadRows;
use crate::source::decode;
use crate::store::mirror::Placed;

/// Puts what was noted as unread back in the place of the changes that are read of it by now.
pub(super) fn set_aside(
    placed: &mut [Placed],
    aside: &[UnreadRows],
    kinds: &HashMap<String, SourceKind>,
) -> Result<()> {
    // Up to where the changes of a transaction are done with: the same bytes may be there twice.
    let mut done: BTreeMap<usize, usize> = BTreeMap::new();
    for one in aside {
        let is_of = |placed: &Placed| {
            placed.seq == one.seq
                && placed.source == one.source
                && placed.transaction.position.to_string() == one.position
        };
        let Some(place) = placed.iter().position(is_of) else { continue };
        let (Some(of), Some(kind)) = (placed.get_mut(place), kinds.get(&one.source)) else {
            continue;
        };
        let changes = &mut of.transaction.changes;
        let from = done.get(&place).copied().unwrap_or(0);
        let read = decode::read_again(*kind, Bytes::copy_from_slice(&one.frames))?;
        match found(changes, from, &read) {
            Some(begin) => {
                let end = begin + read.len();
                if let Some(table) = read.first().and_then(table) {
                    changes.splice(begin..end, [unread(table, one)]);
                }
                done.insert(place, begin + 1);
            }
            None => all_of_table(changes, one),
        }
    }
    Ok(())
}

/// Where these changes stand among others.
fn found(changes: &[Change], from: usize, read: &[Change]) -> Option<usize> {
    let rest = changes.get(from..).filter(|_| !read.is_empty())?;
    rest.windows(read.len()).position(|some| some == read).map(|place| from + place)
}

/// Which of them it was is not known (its bytes were not kept): all rows of the table, in this transaction.
fn all_of_table(changes: &mut Vec<Change>, one: &UnreadRows) {
    let is_of = |change: &Change| {
        table(change).is_some_and(|table| table.name.to_string() == one.table)
            && matches!(change, Change::Row(_))
    };
    let Some(first) = changes.iter().position(is_of) else { return };
    if let Some(change) = changes.get_mut(first)
        && let Some(table) = table(change)
    {
        *change = unread(table, one);
    }
    changes.retain(|change| !is_of(change));
}

fn table(change: &Change) -> Option<Arc<Table>> {
    match change {
        Change::Row(row) => Some(Arc::clone(&row.table)),
        Change::Unread(unread) => Some(Arc::clone(&unread.table)),
        Change::Doubted(table) | Change::Replaced(table) => Some(Arc::clone(table)),
        Change::Truncate(tables) => tables.first().cloned(),
    }
}

fn unread(table: Arc<Table>, one: &UnreadRows) -> Change {
    let frames = Bytes::copy_from_slice(&one.frames);
    Change::Unread(Unread { table, why: one.why.clone(), frames })
}
