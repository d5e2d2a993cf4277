//! How many sessions a copy has at its source, and how much memory its chunks may take: both are shared by
//! all that is read side by side.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::ended;
use crate::config::Limits;
use crate::error::Result;
use crate::source::{Copier, Fence, Source};

/// What a chunk may take, but for its last row, before it is known what it does.
const CHUNK_BYTES_MAX: usize = 16 << 20;
/// Room is counted in these, because a semaphore counts in 32 bits.
const UNIT: usize = 1 << 10;

/// The sessions of a source's copies.
pub(super) struct Sessions {
    source: Source,
    fence: Fence,
    count: usize,
    free: Arc<Semaphore>,
    idle: Mutex<Vec<Copier>>,
    /// Tables that wait for a session.
    waiting: AtomicUsize,
    room: Arc<Semaphore>,
    room_units: usize,
}

/// One of them, which need not be open yet.
pub(super) struct Session {
    copier: Option<Copier>,
    _seat: OwnedSemaphorePermit,
}

/// Memory that is set apart for a chunk.
#[derive(Debug)]
pub(in crate::capture) struct Room(OwnedSemaphorePermit);

impl Sessions {
    pub(super) fn new(source: &Source, fence: Fence, limits: &Limits) -> Self {
        let count = limits.copy_tables.max(limits.copy_ranges);
        let room_units = (limits.copy_bytes_max / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            source: source.clone(),
            fence,
            count,
            free: Arc::new(Semaphore::new(count)),
            idle: Mutex::default(),
            waiting: AtomicUsize::new(0),
            room: Arc::new(Semaphore::new(room_units)),
            room_units,
        }
    }

    /// A session for a table, which comes before any further part of another one.
    pub(super) async fn take(&self) -> Result<Session> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let seat = Arc::clone(&self.free).acquire_owned().await;
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        Ok(self.seated(seat.map_err(|_| ended())?))
    }

    /// A session that nobody needs, if there is one.
    pub(super) fn spare(&self) -> Option<Session> {
        // (One for which somebody waits is never free.)
        Arc::clone(&self.free).try_acquire_owned().ok().map(|seat| self.seated(seat))
    }

    pub(super) fn has_spare(&self) -> bool {
        self.free.available_permits() > 0
    }

    /// Whether tables wait for a session.
    pub(super) fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// How many are taken.
    pub(super) fn busy(&self) -> usize {
        self.count.saturating_sub(self.free.available_permits())
    }

    pub(super) fn give_back(&self, session: Session) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(session.copier);
    }

    fn seated(&self, seat: OwnedSemaphorePermit) -> Session {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        Session { copier: idle.pop(), _seat: seat }
    }

    /// Waits until there is room for any chunk.
    pub(super) async fn room(&self) -> Result<Room> {
        let wanted = (CHUNK_BYTES_MAX / UNIT).min(self.room_units);
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(wanted).await;
        room.map(Room).map_err(|_| ended())
    }
}

impl Session {
    /// The open session, to be put back.
    pub(super) async fn open(&mut self, sessions: &Sessions) -> Result<Copier> {
        match self.copier.take() {
            Some(copier) => Ok(copier),
            None => sessions.source.copier(sessions.fence.clone()).await,
        }
    }

    pub(super) fn put_back(&mut self, copier: Copier) {
        self.copier = Some(copier);
    }
}

impl Room {
    /// The chunk is read: what it does not take is for others.
    pub(super) fn shrink(&mut self, bytes: usize) {
        let kept = bytes.div_ceil(UNIT).max(1);
        drop(self.0.num_permits().checked_sub(kept).and_then(|rest| self.0.split(rest)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn chunks_that_are_read_and_wait_for_the_journal_have_room_and_no_more() {
        let room = Arc::new(Semaphore::new(4));
        let take = |units| Arc::clone(&room).try_acquire_many_owned(units).map(Room);
        let mut one = take(3).unwrap();
        assert!(take(2).is_err());
        one.shrink(UNIT + 1);
        assert_eq!(room.available_permits(), 2);
        // One that took more than was set apart keeps what it has.
        one.shrink(9 * UNIT);
        assert_eq!(room.available_permits(), 2);
        drop(one);
        assert_eq!(room.available_permits(), 4);
    }
}
