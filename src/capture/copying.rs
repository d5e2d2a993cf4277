//! The copy of a source's tables while the log is followed: several tables side by side, and parts of one
//! where sessions are to spare.
//!
//! ```text
//!  tables, parents first ─► TableCopy ─┬─ part of its keys ─ chunk, chunk, … ─┐
//!                                      └─ part of its keys ─ chunk, chunk, … ─┴─► Wanted ─► the journal
//!        Sessions: so many in all; a table that begins comes before a further part
//! ```

mod parts;
mod sessions;
mod table;

use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};

use self::sessions::{Room, Sessions};
use self::table::TableCopy;
use super::pace::Pace;
use super::{Capture, RETRY_PAUSE, RETRY_PAUSE_MAX};
use crate::change::{Table, TableName};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::copies::{CopyProgress, CopyState};
use crate::source::{Chunk, Fence};

/// What the copy wants in the journal; answered with the entry's sequence once it is durable.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) what: Want,
    pub(super) progress: CopyProgress,
    pub(super) done: oneshot::Sender<u64>,
    /// What a chunk takes of the room that there is for chunks, until the journal has it.
    pub(super) _room: Option<Room>,
}

/// What the copies of a source's tables have in common.
struct Shared<'a> {
    capture: &'a Capture,
    wanted: &'a mpsc::Sender<Wanted>,
    sessions: Sessions,
    pace: Mutex<Pace>,
}

#[derive(Debug)]
pub(super) enum Want {
    /// A chunk; `true` if conform is to say what is still lacking after it.
    Chunk(Box<Chunk>, bool),
    /// The table's copy is done.
    Done(TableName),
}

/// Copies every table whose copy is not done, parents before their children. Ends when all are.
/// What fails is tried again, beside the log, which is not the worse for it.
pub(super) async fn run(
    capture: &Capture,
    fence: Fence,
    tables: &[Arc<Table>],
    wanted: mpsc::Sender<Wanted>,
) -> Result<()> {
    let mut pause = RETRY_PAUSE;
    loop {
        let before = capture.state.seen().rows_copied;
        let Err(error) = attempt(capture, fence.clone(), tables, &wanted).await else {
            return Ok(());
        };
        if matches!(error.kind(), ErrorKind::Gap | ErrorKind::Ledger | ErrorKind::Bug) {
            return Err(error);
        }
        if let Some(gone) = gone(capture).await {
            return Err(gone);
        }
        if capture.state.seen().rows_copied > before {
            pause = RETRY_PAUSE;
        }
        tracing::warn!(
            source = %capture.name,
            error = %error.chain(),
            hint = error.remedy().unwrap_or_default(),
            retry_ms = pause.as_millis(),
            "copying failed, it is retried"
        );
        let whom = format!("another attempt, after: {}", error.chain());
        capture.state.update(|seen| seen.waiting_for = Some(whom));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    }
}

async fn attempt(
    capture: &Capture,
    fence: Fence,
    tables: &[Arc<Table>],
    wanted: &mpsc::Sender<Wanted>,
) -> Result<()> {
    let progress = super::on_disk(|| capture.journal.copies(&capture.name))?;
    let looked_from = super::on_disk(|| capture.journal.last_whole())?;
    capture.state.update(|seen| seen.copying.clear());
    if progress.iter().any(CopyProgress::is_first_copy) {
        estimate(capture, tables).await;
    }
    let is_open = |table: &&Arc<Table>| {
        let name = table.name.to_string();
        progress.iter().any(|one| one.table == name && one.state != CopyState::Done)
    };
    let mut waiting: Vec<&Arc<Table>> = parents_first(tables).into_iter().filter(is_open).collect();
    let mut under_way = Vec::new();
    let shared = Shared {
        capture,
        wanted,
        sessions: Sessions::new(&capture.source, fence, &capture.limits),
        pace: Mutex::new(Pace::new(capture.limits.copy_rows_per_sec)),
    };
    let (mut copies, mut failed) = (FuturesUnordered::new(), None);
    loop {
        while copies.len() < capture.limits.copy_tables {
            let Some(place) = next_free(&waiting, &under_way) else { break };
            let table = waiting.remove(place);
            let name = table.name.to_string();
            let Some(progress) = progress.iter().find(|one| one.table == name) else { continue };
            under_way.push(table.name.clone());
            let may_be_parted = !is_in_circle(table, tables);
            let copy =
                TableCopy::new(&shared, &table.name, progress, (looked_from, may_be_parted))?;
            copies.push(async move { (&table.name, copy.run().await) });
        }
        match copies.next().await {
            None => return failed.map_or(Ok(()), Err),
            Some((name, Ok(()))) => under_way.retain(|other| other != name),
            Some((_, Err(error))) if is_everybodys(&error) => return Err(error),
            // What it is copied before waits for it, the others do not.
            Some((name, Err(error))) => {
                let (source, error_text) = (&capture.name, error.chain());
                tracing::warn!(source, table = %name, error = error_text, "a table is not copied, others are");
                capture
                    .state
                    .update(|seen| seen.copying.retain(|table| *table != name.to_string()));
                failed.get_or_insert(error);
            }
        }
    }
}

/// Whether an error in the copy of a table is no matter of that table.
fn is_everybodys(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Gap | ErrorKind::Ledger | ErrorKind::Bug | ErrorKind::Unreachable
    )
}

/// The first of those that wait, in the order of [`parents_first`], whose parents do not wait before it and
/// are not under way.
fn next_free(waiting: &[&Arc<Table>], under_way: &[TableName]) -> Option<usize> {
    (0..waiting.len()).find(|place| {
        let (before, rest) = waiting.split_at(*place);
        rest.first().is_some_and(|table| {
            table.cascades.iter().all(|cascade| {
                let parent = &cascade.parent;
                *parent == table.name
                    || !under_way.contains(parent)
                        && !before.iter().any(|other| other.name == *parent)
            })
        })
    })
}

/// A table that is to be copied and is not there any more: the session ends with it, and the next one goes
/// on without.
async fn gone(capture: &Capture) -> Option<Error> {
    let progress = super::on_disk(|| capture.journal.copies(&capture.name)).ok()?;
    let there = capture.source.catalog().await.ok()?;
    let is_there = |copy: &&CopyProgress| {
        there.iter().any(|one| one.is_mirrored && one.table.name.to_string() == copy.table)
    };
    let mut copied = progress.iter().filter(|copy| copy.state != CopyState::Done);
    let gone = copied.find(|copy| !is_there(copy))?;
    let what = format!("table {} is gone before its copy was done", gone.table);
    Some(Error::new(ErrorKind::Unreachable, what))
}

/// Shows how many rows the source's statistics guess, of the tables that they know. Nobody waits
/// for it.
async fn estimate(capture: &Capture, tables: &[Arc<Table>]) {
    match capture.source.offered().await {
        Ok(offered) => {
            let is_copied = |name: &TableName| tables.iter().any(|table| table.name == *name);
            let known = offered.iter().filter(|one| is_copied(&one.name));
            let rows: u64 = known.filter_map(|one| one.rows_estimated).sum();
            capture.state.update(|seen| seen.rows_estimated = (rows > 0).then_some(rows));
        }
        Err(error) => {
            let error = error.chain();
            tracing::debug!(source = %capture.name, error, "rows to copy are not known");
        }
    }
}

/// The tables in an order in which what a hidden foreign key removes from a table has not yet been
/// read from those that refer to it. Tables in a circle stand in the order given.
fn parents_first(tables: &[Arc<Table>]) -> Vec<&Arc<Table>> {
    let mut order: Vec<&Arc<Table>> = Vec::with_capacity(tables.len());
    while order.len() < tables.len() {
        let waits: Vec<&Arc<Table>> =
            tables.iter().filter(|table| !order.contains(table)).collect();
        let is_free = |table: &&Arc<Table>| {
            table.cascades.iter().all(|cascade| {
                cascade.parent == table.name
                    || !waits.iter().any(|other| other.name == cascade.parent)
            })
        };
        let mut free: Vec<&Arc<Table>> = waits.iter().copied().filter(is_free).collect();
        if free.is_empty() {
            free.extend(waits.first());
        }
        order.extend(free);
    }
    order
}

/// Whether rows of a table may go with other rows of it, over whatever tables, untold by the log. Those that
/// refer to such a row must be read after it, or it is a gap: not by another session at the same time.
fn is_in_circle(table: &Table, tables: &[Arc<Table>]) -> bool {
    let mut reached: Vec<&TableName> = table.cascades.iter().map(|one| &one.parent).collect();
    let mut next = 0;
    while let Some(parent) = reached.get(next).copied() {
        if *parent == table.name {
            return true;
        }
        next += 1;
        for above in tables.iter().filter(|one| one.name == *parent) {
            let parents = above.cascades.iter().map(|one| &one.parent);
            let new: Vec<&TableName> = parents.filter(|one| !reached.contains(one)).collect();
            reached.extend(new);
        }
    }
    false
}

/// The session this copy belongs to is over; its own error says why.
fn ended() -> Error {
    Error::new(ErrorKind::Unreachable, "the copy's session has ended")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::schema::Cascade;

    fn table(name: &str, parents: &[&str]) -> Arc<Table> {
        let cascade = |parent: &&str| Cascade {
            parent: TableName::new("hr", *parent),
            columns: vec![("p".to_owned(), "id".to_owned())],
            on_delete: "CASCADE".to_owned(),
            on_update: "RESTRICT".to_owned(),
            ignores_case: false,
        };
        let cascades = parents.iter().map(cascade).collect();
        Arc::new(Table {
            id: 1,
            name: TableName::new("hr", name),
            columns: Vec::new(),
            cascades,
            left_out: Vec::new(),
            rows: None,
        })
    }

    #[test]
    fn parents_are_copied_before_their_children_and_circles_come_to_an_end() {
        let tables = [
            table("a_grandchild", &["b_child"]),
            table("b_child", &["z_parent", "b_child", "not mirrored"]),
            table("c_circle", &["d_circle"]),
            table("d_circle", &["c_circle"]),
            table("z_parent", &[]),
        ];
        let names: Vec<&str> =
            parents_first(&tables).iter().map(|table| table.name.name.as_str()).collect();
        assert_eq!(names, ["z_parent", "b_child", "a_grandchild", "c_circle", "d_circle"]);
    }

    #[test]
    fn a_table_whose_rows_go_with_rows_of_its_own_is_not_parted() {
        let tables = [
            table("parent", &[]),
            table("child", &["parent", "not mirrored"]),
            table("itself", &["parent", "itself"]),
            table("c_circle", &["d_circle"]),
            table("d_circle", &["e_circle", "parent"]),
            table("e_circle", &["c_circle"]),
            table("below", &["c_circle"]),
        ];
        let circles = tables.iter().filter(|one| is_in_circle(one, &tables));
        let circles: Vec<&str> = circles.map(|one| one.name.name.as_str()).collect();
        assert_eq!(circles, ["itself", "c_circle", "d_circle", "e_circle"]);
    }

    #[test]
    fn side_by_side_no_child_begins_before_its_parents_are_done() {
        let tables = [
            table("parent", &[]),
            table("other", &[]),
            table("child", &["parent", "child"]),
            table("c_circle", &["d_circle"]),
            table("d_circle", &["c_circle"]),
        ];
        let name = |name: &str| TableName::new("hr", name);
        let [parent, other, child, c_circle, d_circle] = &tables;
        let free = |waiting: &[&Arc<Table>], under_way: &[&str]| {
            let under_way: Vec<TableName> = under_way.iter().map(|one| name(one)).collect();
            next_free(waiting, &under_way)
        };
        assert_eq!(free(&[parent, other, child], &[]), Some(0));
        assert_eq!(free(&[child, other], &["parent"]), Some(1));
        assert_eq!(free(&[child], &["other"]), Some(0));
        assert_eq!(free(&[child], &["parent", "other"]), None);
        assert_eq!(free(&[c_circle, d_circle], &["parent"]), Some(0), "a circle begins somewhere");
        assert_eq!(free(&[d_circle], &["c_circle"]), None);
    }
}
