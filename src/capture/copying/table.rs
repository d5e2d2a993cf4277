//! The copy of one table: its chunks, part by part, a chunk ahead of the journal each; then what no chunk
//! could carry.
//!
//! A row that moved to a key already passed, by an update that did not carry an unchanged TOAST
//! value, lacks that cell after the last chunk. Conform knows which keys lack cells; they are
//! read again until none does. Only then is the table's copy done.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use super::parts::{Key, PartId, Parts, Shape};
use super::sessions::{Room, Session};
use super::{Shared, Want, Wanted, ended};
use crate::capture::Capture;
use crate::change::{Cell, TableName};
use crate::error::Result;
use crate::ledger::copies::{CopyProgress, CopyState};
use crate::source::entry::Lacking;
use crate::source::{Chunk, Copier, Span};

/// Keys that are asked for again in one chunk.
const REREAD_KEYS_MAX: usize = 1_000;

pub(super) struct TableCopy<'a> {
    shared: &'a Shared<'a>,
    capture: &'a Capture,
    name: &'a TableName,
    parts: Mutex<Parts>,
    /// Held while a chunk is sent: the journal takes them in the order in which they are noted.
    sending: tokio::sync::Mutex<Shape>,
    /// Conform's word counts from this journal entry on.
    looked_from: Mutex<u64>,
}

/// A session that reads a part.
struct Reader {
    session: Session,
    part: PartId,
    /// Its chunk that is on its way into the journal: the next one is read meanwhile.
    sent: Option<Sent>,
    /// The part is read to its end.
    is_over: bool,
}

/// When a chunk is durable, and its rows.
type Sent = (oneshot::Receiver<u64>, u64);

impl<'a> TableCopy<'a> {
    pub(super) fn new(
        shared: &'a Shared<'a>,
        name: &'a TableName,
        progress: &CopyProgress,
        (looked_from, may_be_parted): (u64, bool),
    ) -> Result<Self> {
        let capture = shared.capture;
        let count_max = if may_be_parted { capture.limits.copy_ranges } else { 1 };
        Ok(Self {
            shared,
            capture,
            name,
            parts: Mutex::new(Parts::new(name, progress, count_max)?),
            sending: tokio::sync::Mutex::default(),
            looked_from: Mutex::new(looked_from),
        })
    }

    pub(super) async fn run(&self) -> Result<()> {
        self.capture.state.update(|seen| seen.copying.push(self.name.to_string()));
        let begun = self.parts().progress().clone();
        let mut session = self.shared.sessions.take().await?;
        if begun.state == CopyState::Copying {
            // (Also where it was copied before: then other columns or rows may have been wanted.)
            let mut copier = session.open(&self.shared.sessions).await?;
            copier.outwait_prepared(&self.waiting()).await?;
            session.put_back(copier);
        }
        if begun.state == CopyState::Copying {
            self.sweep(session).await?;
        } else {
            self.shared.sessions.give_back(session);
        }
        loop {
            let lacking = self.lacking().await?;
            if lacking.is_empty() {
                break;
            }
            self.reread(&lacking).await?;
        }
        let done = self.parts().is_done();
        self.put(Want::Done(self.name.clone()), done, None).await?;
        self.capture.state.update(|seen| {
            seen.copying.retain(|table| *table != self.name.to_string());
            seen.tables_done += usize::from(!begun.resync);
        });
        Ok(())
    }

    /// Reads what is left of the table, with as many sessions as there are to spare.
    async fn sweep(&self, session: Session) -> Result<()> {
        let sessions = &self.shared.sessions;
        let (mut readers, mut sent) = (FuturesUnordered::new(), Vec::new());
        let mut free = Some(session);
        loop {
            while readers.len() < self.capture.limits.copy_ranges.max(1) {
                let Some(session) = free.take().or_else(|| sessions.spare()) else { break };
                let Some(part) = self.parts().take() else {
                    sessions.give_back(session);
                    break;
                };
                readers.push(self.step(Reader { session, part, sent: None, is_over: false }));
            }
            let Some(reader) = readers.next().await else { break };
            let reader = reader?;
            let is_needed = sessions.is_short() && !readers.is_empty();
            if !reader.is_over && !is_needed {
                readers.push(self.step(reader));
                continue;
            }
            sent.extend(reader.sent);
            self.parts().leave(reader.part);
            match is_needed {
                true => sessions.give_back(reader.session),
                false => free = Some(reader.session),
            }
        }
        for one in sent {
            self.settle(one).await?;
        }
        Ok(())
    }

    /// The next chunk of a part, and, where a session is to spare, a further part for that.
    async fn step(&self, mut reader: Reader) -> Result<Reader> {
        let keys = self.parts().keys(reader.part)?;
        let mut room = self.shared.sessions.room().await?;
        let mut copier = reader.session.open(&self.shared.sessions).await?;
        let began = Instant::now();
        let (back, chunk) = self.read(copier, keys).await?;
        copier = back;
        let chunk = chunk?;
        let now = Instant::now();
        let pause = self.paced(now, chunk.row_count, now - began);
        room.shrink(chunk.rows.len());
        crate::failpoint::reach("after-chunk");
        if let Some(sent) = reader.sent.take() {
            self.settle(sent).await?;
        }
        let is_keyless = chunk.piece.is_some();
        let (table, next_after) = (Arc::clone(&chunk.table), chunk.next_after.clone());
        if let Some(sent) = self.send_chunk(reader.part, chunk, (began, now), room).await? {
            reader.is_over = next_after.is_none();
            reader.sent = Some(sent);
            if !reader.is_over && !pause.is_zero() {
                tokio::time::sleep(pause).await;
            } else if let Some(after) = next_after.filter(|_| !is_keyless && self.has_help()) {
                let (_, upto) = self.parts().keys(reader.part)?;
                let found = copier.part(&table, &after, upto.as_deref()).await;
                self.divide(reader.part, found);
            }
        }
        reader.session.put_back(copier);
        Ok(reader)
    }

    /// Reads a chunk in a task of its own: rows of several are decoded at once.
    async fn read(
        &self,
        mut copier: Copier,
        (after, upto): (Option<Key>, Option<Key>),
    ) -> Result<(Copier, Result<Chunk>)> {
        let (name, rows_max) = (self.name.clone(), self.capture.limits.copy_chunk_rows);
        let (only, waiting) = (self.parts().progress().only.clone(), self.waiting());
        // (Ends with us, unlike a task that is merely spawned.)
        let mut task = JoinSet::new();
        task.spawn(async move {
            let span = Span { after: after.as_deref(), upto: upto.as_deref(), only: only.as_ref() };
            let chunk = copier.chunk(&name, span, rows_max, &waiting).await;
            (copier, chunk)
        });
        match task.join_next().await {
            Some(Ok(read)) => Ok(read),
            Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Some(Err(_)) | None => Err(ended()),
        }
    }

    /// Whether another session is to read some of a part: then it is divided.
    fn has_help(&self) -> bool {
        self.shared.sessions.has_spare() && self.parts().begin_dividing()
    }

    /// Divides a part where the source has `found` a key. What fails there fails in the next chunk, too, if it
    /// is more than a guess that the server does not understand.
    fn divide(&self, part: PartId, found: Result<Option<Key>>) {
        let at = found.unwrap_or_else(|error| {
            let (table, error) = (self.name.to_string(), error.chain());
            tracing::debug!(source = %self.capture.name, table, error, "a part is not divided");
            None
        });
        self.parts().divide(part, at);
    }

    /// How long to leave the source alone after a chunk.
    fn paced(&self, now: Instant, rows: u64, took: Duration) -> Duration {
        let side_by_side = self.shared.sessions.busy();
        let mut pace = self.shared.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.after(now, rows, took, side_by_side)
    }

    /// `None`: it has to be read once more.
    async fn send_chunk(
        &self,
        part: PartId,
        chunk: Chunk,
        (began, ended): (Instant, Instant),
        room: Room,
    ) -> Result<Option<Sent>> {
        let mut shape = self.sending.lock().await;
        if !shape.allows(&chunk.table, began) {
            return Ok(None);
        }
        shape.is(&chunk.table, ended);
        let rows = chunk.row_count;
        let (progress, is_last) = self.parts().moved(part, rows, chunk.next_after.as_ref());
        let what = Want::Chunk(Box::new(chunk), is_last);
        Ok(Some((self.send(what, progress, Some(room)).await?, rows)))
    }

    /// Waits until a chunk that was sent is durable.
    async fn settle(&self, (durable, rows): Sent) -> Result<()> {
        self.looked_from(durable.await.map_err(|_| ended())?);
        self.capture.state.update(|seen| {
            seen.waiting_for = None;
            seen.rows_copied += rows;
        });
        Ok(())
    }

    /// The entry from which on conform's word counts: at least this one. Returns which.
    fn looked_from(&self, entry: u64) -> u64 {
        let mut from = self.looked_from.lock().unwrap_or_else(PoisonError::into_inner);
        *from = entry.max(*from);
        *from
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> impl Fn(String) + Send + Sync + 'static {
        let state = Arc::clone(&self.capture.state);
        move |whom: String| state.update(|seen| seen.waiting_for = Some(whom))
    }

    async fn reread(&self, keys: &[Vec<Cell>]) -> Result<()> {
        let sessions = &self.shared.sessions;
        let mut session = sessions.take().await?;
        let mut copier = session.open(sessions).await?;
        for some in keys.chunks(REREAD_KEYS_MAX) {
            let mut room = sessions.room().await?;
            let chunk = copier.reread(self.name, some, &self.waiting()).await?;
            room.shrink(chunk.rows.len());
            self.capture.state.update(|seen| seen.waiting_for = None);
            let progress = self.parts().progress().clone();
            let durable =
                self.put(Want::Chunk(Box::new(chunk), true), progress, Some(room)).await?;
            self.looked_from(durable);
        }
        session.put_back(copier);
        sessions.give_back(session);
        Ok(())
    }

    /// Waits until conform has looked at everything so far.
    async fn lacking(&self) -> Result<Vec<Vec<Cell>>> {
        let key = (self.capture.name.clone(), self.name.clone());
        let looked_from = self.looked_from(0);
        let mut told: watch::Receiver<Lacking> = self.capture.lacking.clone();
        let looked = |lacking: &Lacking| {
            lacking.get(&key).is_some_and(|(looked_upto, _)| *looked_upto >= looked_from)
        };
        let lacking = told.wait_for(looked).await.map_err(|_| ended())?;
        Ok(lacking.get(&key).map(|(_, keys)| keys.clone()).unwrap_or_default())
    }

    async fn put(&self, what: Want, progress: CopyProgress, room: Option<Room>) -> Result<u64> {
        self.send(what, progress, room).await?.await.map_err(|_| ended())
    }

    async fn send(
        &self,
        what: Want,
        progress: CopyProgress,
        room: Option<Room>,
    ) -> Result<oneshot::Receiver<u64>> {
        let (done, durable) = oneshot::channel();
        let wanted = Wanted { what, progress, done, _room: room };
        self.shared.wanted.send(wanted).await.map_err(|_| ended())?;
        Ok(durable)
    }
}
