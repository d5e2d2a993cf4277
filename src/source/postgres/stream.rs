//! The log of a PostgreSQL source as frames, in order, undecoded.
//!
//! It looks at the first byte of a message only, except that a Relation message is read to look
//! up what the log does not say. Feedback to the server runs in the client's own task, whatever
//! our consumer does. It journals nothing and confirms only what it is told to.
//!
//! ```text
//! receive ─► pending ─► look up (may wait; dropped and repeated safely) ─► take in ─► ready ─► next
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use pgwire_replication::Lsn;
use pgwire_replication::client::{ReplicationClient, ReplicationEvent};
use tokio::time::Instant;
use tokio_postgres::Client;

use super::catalog::{self, Server};
use super::recent_xid;
use super::relation::Relation;
use super::session::{Asked, Place, log_error, lsn};
use super::witness::Witness;
use crate::change::{Position, Reached, Table};
use crate::error::{Error, ErrorKind, Result};
use crate::source::choice::Choice;
use crate::source::{Captured, frame};

/// Prefix of the logical messages that are ours.
pub(crate) const OUR_PREFIX: &str = "trueup";
/// Silence after which we ask whether the server is still there: twice the pause between its
/// keepalives under the default `wal_sender_timeout`.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long the answer to that may take.
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Age at which the reference for widening transaction ids is read again. Ids are widened right
/// as long as fewer than 2^31 are used within it: 600,000 a second.
const REFERENCE_AGE_MAX: Duration = Duration::from_secs(3600);

/// An open log.
pub struct PostgresStream {
    log: ReplicationClient,
    /// For what the log does not say.
    catalog: Client,
    choice: Choice,
    /// What has been taken in and not been handed out.
    ready: VecDeque<Captured>,
    /// What has been received and not been taken in: kept here while something is looked up, so
    /// that a dropped call loses nothing.
    pending: Option<ReplicationEvent>,
    transaction: Option<InFlight>,
    /// Up to where everything has been handed over.
    reached: u64,
    /// A transaction id near those of the log, all 64 bits of it, and when it was read.
    reference: (u64, Instant),
    foreign_messages: u64,
}

/// The transaction in flight.
struct InFlight {
    xid: u32,
    /// Its first frames, until one follows that makes it worth emitting.
    held: Vec<Bytes>,
    is_emitted: bool,
}

impl PostgresStream {
    /// Opens the log at `start`, after seeing in the same session that it is the same server and
    /// that the slot is not beyond `start`.
    ///
    /// # Errors
    /// [`ErrorKind::Gap`] if it is; otherwise the server cannot be reached or refuses.
    pub(crate) async fn open(
        place: &Place,
        (slot, publication): (&str, &str),
        start: u64,
        server: &Server,
        (catalog, choice): (Client, Choice),
    ) -> Result<Self> {
        let reference = (recent_xid(&catalog).await?, Instant::now());
        let config = place.replication(slot, publication, start)?;
        let mut log = ReplicationClient::connect_gated(config)
            .await
            .map_err(|error| log_error(&error, || format!("could not open the log of {place}")))?;
        let identified = place.within_connect_timeout(log.identify_system()).await?;
        if server.identity.split('/').next() != Some(identified.system_id.as_str()) {
            let what = format!("the log of {place} comes from another server than its catalog");
            return Err(Error::new(ErrorKind::Unreachable, what)
                .hint("name one server in the source's url, not a pool of several"));
        }
        check_slot(place, slot, start, &mut log).await?;
        if let Some(encoding) = server.raw_encoding() {
            let sql = format!("SET client_encoding TO '{encoding}'");
            place.within_connect_timeout(log.simple_query(&sql)).await?;
        }
        place.within_connect_timeout(log.start()).await?;
        place.within_connect_timeout(log.wait_started()).await?;
        Ok(Self {
            log,
            catalog,
            choice,
            ready: VecDeque::new(),
            pending: None,
            transaction: None,
            reached: start,
            reference,
            foreign_messages: 0,
        })
    }

    /// See [`crate::source::Stream::next`].
    ///
    /// # Errors
    /// See there.
    pub async fn next(&mut self) -> Result<Captured> {
        loop {
            if let Some(captured) = self.ready.pop_front() {
                return Ok(captured);
            }
            if self.pending.is_none() {
                self.pending = Some(self.receive().await?);
            }
            // Everything that waits comes before the message is taken in.
            let schema = self.look_up().await?;
            if let Some(event) = self.pending.take() {
                self.take_in(event, schema);
            }
        }
    }

    /// See [`crate::source::Stream::confirm`].
    pub fn confirm(&self, position: &Position) {
        if let Position::Lsn(lsn) = position {
            self.log.update_applied_lsn(Lsn::from_u64(*lsn));
        }
    }

    /// Logical messages of others that were left out, since this stream was opened.
    #[must_use]
    pub fn foreign_messages(&self) -> u64 {
        self.foreign_messages
    }

    async fn receive(&mut self) -> Result<ReplicationEvent> {
        let broke = || "the log ended".to_owned();
        loop {
            match tokio::time::timeout(SILENCE_MAX, self.log.recv()).await {
                Ok(Ok(Some(event))) => return Ok(event),
                Ok(Ok(None)) => return Err(Error::new(ErrorKind::Unreachable, broke())),
                Ok(Err(error)) => return Err(log_error(&error, broke)),
                Err(_) => self.ask_alive().await?,
            }
        }
    }

    /// A dead host looks like an idle one on the log's connection; the other one can be asked.
    async fn ask_alive(&self) -> Result<()> {
        let gone = || "the source is silent and does not answer".to_owned();
        match tokio::time::timeout(ANSWER_WAIT, self.catalog.batch_execute("SELECT 1")).await {
            Ok(answer) => answer.asking(gone),
            Err(_) => Err(Error::new(ErrorKind::Unreachable, gone())),
        }
    }

    /// Asks the catalog what the pending message needs: nothing, mostly.
    async fn look_up(&mut self) -> Result<Option<Arc<Table>>> {
        match &self.pending {
            Some(ReplicationEvent::Begin { .. })
                if self.reference.1.elapsed() > REFERENCE_AGE_MAX =>
            {
                self.reference = (recent_xid(&self.catalog).await?, Instant::now());
                Ok(None)
            }
            Some(ReplicationEvent::XLogData { data, .. }) if data.first() == Some(&b'R') => {
                let relation = Relation::parse(data)?;
                let typed = catalog::type_columns(&self.catalog, &relation.columns).await?;
                let listed = catalog::list(&self.catalog, Some(relation.oid)).await?;
                let key = listed.first().map(|table| table.key.as_slice());
                Ok(Some(Arc::new(self.choice.narrow(relation.table(typed, key), &[]))))
            }
            _ => Ok(None),
        }
    }

    fn take_in(&mut self, event: ReplicationEvent, schema: Option<Arc<Table>>) {
        match event {
            ReplicationEvent::KeepAlive { wal_end, .. } => self.idle(wal_end.as_u64()),
            ReplicationEvent::Begin { final_lsn, xid, commit_time_micros } => {
                let begin = begin_frame(final_lsn.as_u64(), commit_time_micros, xid);
                let wide = wide_xid_frame(widen(self.reference.0, xid));
                let held = vec![begin, wide];
                self.transaction = Some(InFlight { xid, held, is_emitted: false });
            }
            ReplicationEvent::Commit { lsn, end_lsn, commit_time_micros } => {
                let end = end_lsn.as_u64();
                match self.transaction.take().filter(|transaction| transaction.is_emitted) {
                    Some(InFlight { xid, .. }) => {
                        let commit = commit_frame(lsn.as_u64(), end, commit_time_micros);
                        self.ready.push_back(Captured::Frame(commit));
                        let witness = Witness { end, xid, committed: commit_time_micros };
                        let witness = Some(witness.to_string());
                        let reached = Reached { position: Position::Lsn(end), witness };
                        self.ready.push_back(Captured::End(reached));
                        self.reached = self.reached.max(end);
                    }
                    None => self.idle(end),
                }
            }
            ReplicationEvent::XLogData { data, .. } => self.message(data, schema),
            ReplicationEvent::Message { transactional, lsn, prefix, content } => {
                if transactional && prefix == OUR_PREFIX {
                    self.keep(message_frame(lsn.as_u64(), &prefix, &content));
                } else {
                    self.foreign_messages += 1;
                }
            }
            // Only sent to those who ask for a stop position.
            ReplicationEvent::StoppedAt { .. } => {}
        }
    }

    fn message(&mut self, data: Bytes, schema: Option<Arc<Table>>) {
        // Where a transaction came from: no reason to emit it if nothing else is in it.
        if data.first() == Some(&b'O') {
            match &mut self.transaction {
                Some(transaction) if !transaction.is_emitted => transaction.held.push(data),
                _ => self.ready.push_back(Captured::Frame(data)),
            }
            return;
        }
        self.keep(data);
        if let Some(table) = schema {
            let carried = frame::schema(&table);
            self.ready.push_back(Captured::Schema(table));
            self.ready.push_back(Captured::Frame(carried));
        }
    }

    /// Hands out a frame of the transaction in flight, and before it those that were held.
    fn keep(&mut self, frame: Bytes) {
        if let Some(transaction) = &mut self.transaction {
            transaction.is_emitted = true;
            self.ready.extend(transaction.held.drain(..).map(Captured::Frame));
        }
        self.ready.push_back(Captured::Frame(frame));
    }

    /// The server says that nothing before `end` is to come. Not while a transaction is in
    /// flight: `end` then lies behind what is still to come of it.
    fn idle(&mut self, end: u64) {
        if self.transaction.is_none() && end > self.reached {
            self.reached = end;
            self.ready.push_back(Captured::Idle(Position::Lsn(end).into()));
        }
    }
}

/// Shows no settings: they hold the password.
impl fmt::Debug for PostgresStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStream")
            .field("reached", &Position::Lsn(self.reached))
            .field("is_in_transaction", &self.transaction.is_some())
            .finish_non_exhaustive()
    }
}

/// The last look before the log opens, in its own session: the server skips what was confirmed
/// without a word, so nobody else would notice.
async fn check_slot(
    place: &Place,
    slot: &str,
    start: u64,
    log: &mut ReplicationClient,
) -> Result<()> {
    let sql = format!(
        "SELECT confirmed_flush_lsn::text FROM pg_catalog.pg_replication_slots WHERE slot_name = \
            '{slot}' AND wal_status <> 'lost'"
    );
    let rows = place.within_connect_timeout(log.simple_query(&sql)).await?;
    let cell = rows.first().and_then(|row| row.first()).cloned().flatten();
    let lost = |why: &str| {
        Error::new(ErrorKind::Gap, format!("replication slot \"{slot}\" {why}"))
            .hint(crate::source::all_anew(&place.source))
    };
    let Some(text) = cell else { return Err(lost("is gone or has lost its WAL")) };
    let confirmed = lsn(&String::from_utf8_lossy(&text))?;
    if confirmed > start {
        let (confirmed, start) = (Position::Lsn(confirmed), Position::Lsn(start));
        return Err(lost(&format!("is confirmed up to {confirmed}, beyond the ledger's {start}")));
    }
    Ok(())
}

/// Widens a 32-bit transaction id: the one nearest to `reference`. The slot itself keeps the
/// server from getting 2^31 ahead of what is still in the log.
fn widen(reference: u64, xid: u32) -> u64 {
    let low = u32::try_from(reference & u64::from(u32::MAX)).unwrap_or_default();
    let distance = xid.wrapping_sub(low).cast_signed();
    reference.saturating_add_signed(i64::from(distance))
}

fn wide_xid_frame(xid: u64) -> Bytes {
    let mut out = BytesMut::with_capacity(9);
    out.put_u8(frame::WIDE_XID);
    out.put_u64(xid);
    out.freeze()
}

// The client takes these three messages apart; here they are put together again, byte for byte.

fn begin_frame(final_lsn: u64, commit_time_micros: i64, xid: u32) -> Bytes {
    let mut out = BytesMut::with_capacity(21);
    out.put_u8(b'B');
    out.put_u64(final_lsn);
    out.put_i64(commit_time_micros);
    out.put_u32(xid);
    out.freeze()
}

fn commit_frame(lsn: u64, end_lsn: u64, commit_time_micros: i64) -> Bytes {
    let mut out = BytesMut::with_capacity(26);
    out.put_u8(b'C');
    // Flags: none are defined.
    out.put_u8(0);
    out.put_u64(lsn);
    out.put_u64(end_lsn);
    out.put_i64(commit_time_micros);
    out.freeze()
}

fn message_frame(lsn: u64, prefix: &str, content: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u8(b'M');
    // Flags: transactional.
    out.put_u8(1);
    out.put_u64(lsn);
    out.put_slice(prefix.as_bytes());
    out.put_u8(0);
    out.put_u32(u32::try_from(content.len()).unwrap_or(u32::MAX));
    out.put_slice(content);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_widened_to_the_nearest() {
        const EPOCH: u64 = 1 << 32;
        for (reference, xid, expected) in [
            (1_000, 990, 990),
            (1_000, 1_010, 1_010),
            (5 * EPOCH + 1_000, 990, 5 * EPOCH + 990),
            // Begun before the wraparound, read after it, and the other way round.
            (5 * EPOCH + 10, u32::MAX - 5, 5 * EPOCH - 6),
            (5 * EPOCH - 6, 20, 5 * EPOCH + 20),
        ] {
            assert_eq!(widen(reference, xid), expected);
        }
    }
}
