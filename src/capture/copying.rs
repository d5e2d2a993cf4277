//! The copy of a source's tables: reads chunks while the log is followed, several tables side by side and a
//! chunk ahead of the journal, and asks again for what no chunk could carry.
//!
//! A row that moved to a key already passed, by an update that did not carry an unchanged TOAST
//! value, lacks that cell after the last chunk. Conform knows which keys lack cells; they are
//! read again until none does. Only then is the table's copy done.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot, watch};

use super::pace::Pace;
use super::{Capture, RETRY_PAUSE, RETRY_PAUSE_MAX};
use crate::change::{Cell, Table, TableName, tuple};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::copies::{CopyProgress, CopyState};
use crate::source::entry::Lacking;
use crate::source::{Chunk, Copier, Fence};

/// Keys that are asked for again in one chunk.
const REREAD_KEYS_MAX: usize = 1_000;

/// What the copy wants in the journal; answered with the entry's sequence once it is durable.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) what: Want,
    pub(super) progress: CopyProgress,
    pub(super) done: oneshot::Sender<u64>,
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
    let copier = capture.source.copier(fence.clone()).await?;
    capture.state.update(|seen| seen.copying.clear());
    if progress.iter().any(CopyProgress::is_first_copy) {
        estimate(capture, tables).await;
    }
    let is_open = |table: &&Arc<Table>| {
        let name = table.name.to_string();
        progress.iter().any(|one| one.table == name && one.state != CopyState::Done)
    };
    let mut waiting: Vec<&Arc<Table>> = parents_first(tables).into_iter().filter(is_open).collect();
    let (mut under_way, mut idle) = (Vec::new(), vec![copier]);
    let pace = Mutex::new(Pace::new(capture.limits.copy_rows_per_sec));
    let mut copies = FuturesUnordered::new();
    loop {
        while copies.len() < capture.limits.copy_tables {
            let Some(place) = next_free(&waiting, &under_way) else { break };
            let table = waiting.remove(place);
            let name = table.name.to_string();
            let Some(progress) = progress.iter().find(|one| one.table == name) else { continue };
            under_way.push(table.name.clone());
            let copy = TableCopy {
                capture,
                name: table.name.clone(),
                progress: progress.clone(),
                looked_from,
                wanted,
                sent: None,
                pace: &pace,
            };
            copies.push(one(copy, idle.pop(), fence.clone()));
        }
        match copies.next().await {
            None => return Ok(()),
            Some(done) => {
                let (name, copier) = done?;
                under_way.retain(|other| *other != name);
                idle.push(copier);
            }
        }
    }
}

/// Copies one table; hands the session back for the next one.
async fn one(
    mut copy: TableCopy<'_>,
    copier: Option<Copier>,
    fence: Fence,
) -> Result<(TableName, Copier)> {
    let mut copier = match copier {
        Some(copier) => copier,
        None => copy.capture.source.copier(fence).await?,
    };
    copy.run(&mut copier).await?;
    Ok((copy.name, copier))
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

struct TableCopy<'a> {
    capture: &'a Capture,
    name: TableName,
    progress: CopyProgress,
    /// Conform's word counts from this journal entry on.
    looked_from: u64,
    wanted: &'a mpsc::Sender<Wanted>,
    /// A chunk that is on its way into the journal, and its rows: the next one is read meanwhile.
    sent: Option<(oneshot::Receiver<u64>, u64)>,
    pace: &'a Mutex<Pace>,
}

impl TableCopy<'_> {
    async fn run(&mut self, copier: &mut Copier) -> Result<()> {
        self.capture.state.update(|seen| seen.copying.push(self.name.to_string()));
        if self.progress.is_first_copy() {
            copier.outwait_prepared(&self.waiting()).await?;
        }
        while self.progress.state == CopyState::Copying {
            self.next_chunk(copier).await?;
        }
        self.settle().await?;
        loop {
            let lacking = self.lacking().await?;
            if lacking.is_empty() {
                break;
            }
            self.reread(copier, &lacking).await?;
        }
        let resync = self.progress.resync;
        self.progress.state = CopyState::Done;
        self.put(Want::Done(self.name.clone())).await?;
        self.capture.state.update(|seen| {
            seen.copying.retain(|table| *table != self.name.to_string());
            seen.tables_done += usize::from(!resync);
        });
        Ok(())
    }

    async fn next_chunk(&mut self, copier: &mut Copier) -> Result<()> {
        let after = match &self.progress.next_after {
            Some(bytes) => Some(decoded(&self.name, bytes)?),
            None => None,
        };
        let rows_max = self.capture.limits.copy_chunk_rows;
        let began = Instant::now();
        let only = self.progress.only.as_ref();
        let chunk =
            copier.chunk(&self.name, (after.as_deref(), only), rows_max, &self.waiting()).await?;
        let pause = self.paced(chunk.row_count, began.elapsed());
        crate::failpoint::reach("after-chunk");
        self.settle().await?;
        self.progress.row_count += chunk.row_count;
        self.progress.next_after = chunk.next_after.as_deref().map(encoded);
        let last = chunk.next_after.is_none();
        if last {
            self.progress.state = CopyState::Swept;
        }
        let rows = chunk.row_count;
        self.sent = Some((self.send(Want::Chunk(Box::new(chunk), last)).await?, rows));
        if !last && !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok(())
    }

    /// How long to leave the source alone after a chunk.
    fn paced(&self, rows: u64, took: Duration) -> Duration {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.after(Instant::now(), rows, took)
    }

    /// Waits until the chunk that was sent is durable.
    async fn settle(&mut self) -> Result<()> {
        let Some((durable, rows)) = self.sent.take() else { return Ok(()) };
        self.looked_from = durable.await.map_err(|_| ended())?;
        self.capture.state.update(|seen| {
            seen.waiting_for = None;
            seen.rows_copied += rows;
        });
        Ok(())
    }

    fn waiting(&self) -> impl Fn(String) + Send + Sync + 'static {
        let state = Arc::clone(&self.capture.state);
        move |whom: String| state.update(|seen| seen.waiting_for = Some(whom))
    }

    async fn reread(&mut self, copier: &mut Copier, keys: &[Vec<Cell>]) -> Result<()> {
        for some in keys.chunks(REREAD_KEYS_MAX) {
            let chunk = copier.reread(&self.name, some, &self.waiting()).await?;
            self.capture.state.update(|seen| seen.waiting_for = None);
            self.looked_from = self.put(Want::Chunk(Box::new(chunk), true)).await?;
        }
        Ok(())
    }

    /// Waits until conform has looked at everything so far.
    async fn lacking(&self) -> Result<Vec<Vec<Cell>>> {
        let key = (self.capture.name.clone(), self.name.clone());
        let mut told: watch::Receiver<Lacking> = self.capture.lacking.clone();
        let looked = |lacking: &Lacking| {
            lacking.get(&key).is_some_and(|(looked_upto, _)| *looked_upto >= self.looked_from)
        };
        let lacking = told.wait_for(looked).await.map_err(|_| ended())?;
        Ok(lacking.get(&key).map(|(_, keys)| keys.clone()).unwrap_or_default())
    }

    async fn put(&self, what: Want) -> Result<u64> {
        self.send(what).await?.await.map_err(|_| ended())
    }

    async fn send(&self, what: Want) -> Result<oneshot::Receiver<u64>> {
        let (done, durable) = oneshot::channel();
        let wanted = Wanted { what, progress: self.progress.clone(), done };
        self.wanted.send(wanted).await.map_err(|_| ended())?;
        Ok(durable)
    }
}

fn encoded(key: &[Cell]) -> Vec<u8> {
    let mut bytes = bytes::BytesMut::new();
    tuple::write_row(&mut bytes, key);
    bytes.to_vec()
}

fn decoded(name: &TableName, bytes: &[u8]) -> Result<Vec<Cell>> {
    tuple::read_row(&mut Bytes::copy_from_slice(bytes)).ok_or_else(|| {
        Error::new(
            ErrorKind::Ledger,
            format!("the journal does not tell where {name} was copied to"),
        )
    })
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
