//! One session with a source: from the connect to the first failure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::assembler::{Assembler, Piece};
use super::copying::{self, Want, Wanted};
use super::tables::{self, Seen};
use super::{Capture, Phase, on_disk, preparing};
use crate::change::{Position, Reached};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::segment::{EntryKind, NewEntry};
use crate::source::entry::{Control, encode_chunk};
use crate::source::{Captured, Stream};

/// How often the ledger is asked whether conform found a gap, and people for what they want.
pub(super) const ASK_PAUSE: Duration = Duration::from_secs(1);
/// How often its size is looked at while the journal fills, besides by the clock: it holds at most one
/// part more than it may.
const LOOKS_PER_JOURNAL: u64 = 16;
/// Whole transactions wait at most this long for others to share their entry.
const FLUSH_PAUSE: Duration = Duration::from_millis(20);

/// Why a session ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was cancelled.
    Cancelled,
    /// Somebody asks for something that is done where a session begins.
    Asked,
}

/// Runs until cancelled, asked, or until something fails.
pub(super) async fn run(capture: &Capture, cancel: &CancellationToken) -> Result<Ended> {
    preparing::refuse_gap(capture)?;
    if capture.state.asking.is_empty() {
        capture.state.entered(Phase::Preparing);
    }
    // What an earlier session left without an end is sent again.
    on_disk(|| capture.journal.drop_open_tail(&capture.name))?;
    let chosen = capture.source.chosen().await?;
    let (prepared, fence, noted) = preparing::prepare(capture, &chosen).await?;
    let seen = on_disk(|| Seen::read(capture))?;
    let names: Vec<_> = prepared.tables.iter().map(|table| table.name.clone()).collect();
    let stream = capture.source.stream(&prepared.start, &names).await?;
    let (wanted, wants) = mpsc::channel(1);
    let mut session = Session {
        capture,
        stream,
        assembler: Assembler::new(capture.limits.chunk_bytes),
        seen,
        first: None,
        journaled: prepared.start.clone(),
        flushed: Instant::now(),
        idle: None,
        wants,
        is_copying: true,
        pending: None,
        grown: 0,
        is_full: false,
    };
    show_copies(capture)?;
    let copy = copying::run(capture, fence, &prepared.tables, wanted);
    let mut copy = std::pin::pin!(copy.fuse());
    let mut others = std::pin::pin!(tables::moved(capture, &noted).fuse());
    let (mut copied, mut is_asked, mut have_moved) = (false, false, false);
    let mut asked = tokio::time::interval(ASK_PAUSE);
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return session.drain().map(|()| Ended::Cancelled),
            _ = asked.tick() => {
                preparing::refuse_gap(capture)?;
                session.look_at_the_journal()?;
                is_asked = !capture.state.asking.is_empty()
                    || !on_disk(|| preparing::due(capture))?.is_empty();
            }
            () = &mut others, if !have_moved => have_moved = true,
            done = &mut copy, if !copied => {
                done?;
                copied = true;
                capture.state.entered(Phase::Streaming);
            }
            step = session.step(), if !session.is_full => step?,
        }
        if (is_asked || have_moved) && session.assembler.is_between_transactions() {
            return session.drain().map(|()| Ended::Asked);
        }
    }
}

struct Session<'a> {
    capture: &'a Capture,
    stream: Stream,
    assembler: Assembler,
    /// Tables as the log showed them last.
    seen: Seen,
    /// The entry with which the transaction in flight begins, once a piece of it is journaled.
    first: Option<u64>,
    /// The log is durable in the journal up to here.
    journaled: Position,
    /// When what is whole was last made durable.
    flushed: Instant,
    /// The log moved on to here without anything of ours; not yet recorded.
    idle: Option<(Reached, Instant)>,
    wants: mpsc::Receiver<Wanted>,
    /// The copy may still want something.
    is_copying: bool,
    pending: Option<Wanted>,
    /// Bytes that were written since the journal's size was looked at.
    grown: u64,
    /// The journal has no room: nothing is taken, and nothing more is confirmed.
    is_full: bool,
}

impl Session<'_> {
    /// Takes one thing from the log or the copy and journals what became whole. Cancel-safe: it
    /// awaits only where nothing is held.
    async fn step(&mut self) -> Result<()> {
        let captured = match self.stream.next().now_or_never() {
            // A log that never pauses must not hold back what is whole, nor the copy.
            Some(captured) if self.flushed.elapsed() < FLUSH_PAUSE => Some(captured?),
            captured => {
                // What is whole becomes durable and is confirmed.
                self.flush()?;
                self.flushed = Instant::now();
                self.admit()?;
                if self.idle_due().is_some_and(|due| due.is_zero()) {
                    self.record_idle()?;
                }
                match captured {
                    Some(captured) => Some(captured?),
                    None => self.wait().await?,
                }
            }
        };
        if let Some(captured) = captured {
            self.take(captured)?;
        }
        Ok(())
    }

    /// Pauses where the journal has grown to its limit, and goes on where it has room again.
    fn look_at_the_journal(&mut self) -> Result<()> {
        let (capture, limit) = (self.capture, self.capture.limits.journal_bytes_max);
        self.grown = 0;
        let bytes = capture.journal.bytes();
        match (self.is_full, bytes >= limit) {
            (false, true) => {
                self.is_full = true;
                let full = full(&capture.name, bytes, limit);
                tracing::error!(source = %capture.name, bytes, limit, "the journal is full");
                capture.state.failed(Phase::Paused, &full);
            }
            (true, false) => {
                self.is_full = false;
                tracing::info!(source = %capture.name, "the journal has room again");
                show_copies(capture)?;
            }
            _ => {}
        }
        Ok(())
    }

    async fn wait(&mut self) -> Result<Option<Captured>> {
        let idle_due = self.idle_due();
        tokio::select! {
            captured = self.stream.next() => captured.map(Some),
            wanted = self.wants.recv(), if self.is_copying && self.pending.is_none() => {
                self.is_copying = wanted.is_some();
                self.pending = wanted;
                Ok(None)
            }
            () = tokio::time::sleep(idle_due.unwrap_or(Duration::MAX)), if idle_due.is_some() => {
                self.record_idle()?;
                Ok(None)
            }
        }
    }

    /// How long until an idle log's position is recorded and confirmed.
    fn idle_due(&self) -> Option<Duration> {
        let (_, since) = self.idle.as_ref()?;
        let pause = Duration::from_secs(self.capture.limits.idle_confirm_secs);
        Some(pause.saturating_sub(since.elapsed()))
    }

    fn take(&mut self, captured: Captured) -> Result<()> {
        crate::failpoint::reach("after-read");
        match captured {
            Captured::Frame(frame) => self.assembler.frame(&frame),
            Captured::Schema(table) => {
                self.capture.source.follow(self.seen.table(&table), &table)?;
                self.seen.note(Arc::clone(&table));
                self.assembler.schema(table);
            }
            Captured::End(reached) => self.assembler.end(reached),
            Captured::Idle(reached) => {
                self.flush()?;
                self.capture.state.update(|seen| seen.read = Some(reached.position.clone()));
                let since = self.idle.take().map_or_else(Instant::now, |(_, since)| since);
                self.idle = Some((reached, since));
                self.admit()?;
            }
        }
        self.write_pieces()
    }

    fn flush(&mut self) -> Result<()> {
        self.assembler.flush();
        self.write_pieces()
    }

    fn write_pieces(&mut self) -> Result<()> {
        while let Some(piece) = self.assembler.pop() {
            self.write(&piece)?;
        }
        Ok(())
    }

    fn write(&mut self, piece: &Piece) -> Result<()> {
        let first = if piece.continues { self.first } else { None };
        let entry = NewEntry {
            source: &self.capture.name,
            kind: EntryKind::Log,
            first,
            ends: piece.end.is_some(),
            reached: piece.end.as_ref(),
            is_anew: false,
            schemas: &piece.schemas,
            copies: &[],
            bytes: &piece.bytes,
        };
        let seq = on_disk(|| self.capture.journal.append(&entry))?;
        self.capture.state.journaled(piece.bytes.len(), piece.transactions);
        match &piece.end {
            Some(reached) => {
                self.first = None;
                self.idle = None;
                self.moved_to(reached.position.clone());
                self.confirm();
            }
            None => self.first = first.or(Some(seq)),
        }
        self.grown += piece.bytes.len() as u64;
        if self.grown < self.capture.limits.journal_bytes_max / LOOKS_PER_JOURNAL {
            return Ok(());
        }
        self.look_at_the_journal()
    }

    /// Only what is durable in the journal is confirmed, and only whole transactions.
    fn confirm(&self) {
        crate::failpoint::reach("before-confirm");
        self.stream.confirm(&self.journaled);
    }

    fn moved_to(&mut self, position: Position) {
        self.capture.state.update(|seen| {
            seen.position = Some(position.clone());
            seen.read = Some(position.clone());
            seen.heard_micros = jiff::Timestamp::now().as_microsecond();
        });
        self.journaled = position;
    }

    /// A position is in the ledger before it is sent as confirmed, an idle log's too.
    fn record_idle(&mut self) -> Result<()> {
        let Some((reached, _)) = self.idle.take() else { return Ok(()) };
        on_disk(|| self.capture.journal.record_position(&self.capture.name, &reached))?;
        self.moved_to(reached.position);
        self.confirm();
        Ok(())
    }

    /// Journals what the copy wants, once the log is journaled past the chunk.
    fn admit(&mut self) -> Result<()> {
        if !self.assembler.is_between_transactions() {
            return Ok(());
        }
        if self.pending.is_none() && self.is_copying {
            // Closed for good is seen where it is waited for.
            self.pending = self.wants.try_recv().ok();
        }
        // An attempt that failed has taken its wishes with it: the next one has begun where the journal was,
        // and would wait for ever for a word of conform about a table that is done.
        let Some(wanted) = self.pending.take().filter(|wanted| !wanted.done.is_closed()) else {
            return Ok(());
        };
        if let Want::Chunk(chunk, _) = &wanted.what {
            let idle = self.idle.as_ref().map(|(reached, _)| &reached.position);
            let here = idle.unwrap_or(&self.journaled);
            if !here.covers(&chunk.admit_after)? {
                self.pending = Some(wanted);
                return Ok(());
            }
        }
        let bytes = match &wanted.what {
            Want::Chunk(chunk, last) => encode_chunk(chunk, *last),
            Want::Done(table) => {
                let only = wanted.progress.only.clone();
                Control::CopyDone { table: table.clone(), only }.encode()
            }
        };
        let kind = match &wanted.what {
            Want::Chunk(..) => EntryKind::Copy,
            Want::Done(_) => EntryKind::Control,
        };
        let copies = std::slice::from_ref(&wanted.progress);
        let entry = NewEntry { copies, ..NewEntry::own(&self.capture.name, kind, &bytes) };
        let seq = on_disk(|| self.capture.journal.append(&entry))?;
        crate::failpoint::reach("after-chunk-commit");
        self.capture.state.journaled(bytes.len(), 0);
        // Nobody may wait any more: the journal has the progress.
        wanted.done.send(seq).ok();
        Ok(())
    }

    /// A normal end: what is whole becomes durable, and an idle log's position is kept.
    fn drain(&mut self) -> Result<()> {
        self.flush()?;
        if self.assembler.is_between_transactions() {
            self.record_idle()?;
        }
        Ok(())
    }
}

fn full(source: &str, bytes: u64, limit: u64) -> Error {
    let what = format!(
        "the capture log holds {bytes} bytes, its limit is {limit}: nothing more of source \
         {source} is taken or confirmed, and its server keeps its log meanwhile"
    );
    Error::new(ErrorKind::Ledger, what).hint(
        "see why conforming is behind (`trueup status`), or give limits.journal_bytes_max more \
         room; it goes on by itself",
    )
}

fn show_copies(capture: &Capture) -> Result<()> {
    let copies = on_disk(|| capture.journal.copies(&capture.name))?;
    let done = copies.iter().filter(|copy| !copy.is_first_copy()).count();
    capture.state.update(|seen| {
        seen.tables = copies.len();
        seen.tables_done = done;
        seen.rows_copied = copies.iter().map(|copy| copy.row_count).sum();
    });
    let phase = if done == copies.len() { Phase::Streaming } else { Phase::Copying };
    capture.state.entered(phase);
    Ok(())
}
