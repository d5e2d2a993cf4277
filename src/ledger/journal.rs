//! The journal: what the sources sent, in the only order there is across sources.
//!
//! ```text
//!   capture (erp) ─┐ append, one fsync an entry            conform
//!   capture (hr)  ─┴─► [segment][segment][open segment] ─► Reader, own connections
//! ```
//! A transaction is one entry, or several of which only the last one *ends* it; readers see
//! transactions whole, or a large one in slices. Segments are dropped whole.

mod reader;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;

use super::copies::CopyProgress;
use super::segment::{NewEntry, Segment, file_name, first_seq_of, remove};
use crate::change::{Position, Reached, Table};
use crate::error::{Context, Error, ErrorKind, Result};
pub use reader::{Border, Portion, Reader, Run};

/// The writing side, shared by all captures.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    segment_bytes_max: u64,
    open: Mutex<Open>,
    /// The last durable entry, for whoever waits for news.
    news: watch::Sender<u64>,
}

#[derive(Debug)]
struct Open {
    segment: Segment,
    bytes: u64,
    last_seq: u64,
    /// The last entry that ends a transaction.
    last_whole: u64,
    /// Per source, the first entry of a transaction that has no end yet: it pins its segment.
    unfinished: HashMap<String, u64>,
}

impl Journal {
    /// Opens the journal, drops transactions a crash left without an end, and goes on.
    /// `seq_floor`: the last sequence the ledger knows; never used again.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] if the folder or a segment cannot be used.
    pub fn open(folder: &Path, segment_bytes_max: u64, seq_floor: u64) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .context(ErrorKind::Ledger, || format!("could not make {}", folder.display()))?;
        let mut last_seq = seq_floor;
        let mut newest: Option<Segment> = None;
        for path in segment_paths(folder)? {
            // A segment may be empty, when all it held was dropped: what follows still belongs
            // into it, so its name is a lower bound.
            last_seq = last_seq.max(first_seq_of(&path).unwrap_or(1) - 1);
            let segment = Segment::open(path)?;
            last_seq = last_seq.max(segment.last_seq()?.unwrap_or(0));
            newest = Some(segment);
        }
        let segment = match newest {
            Some(segment) => segment,
            None => Segment::create(folder.join(file_name(last_seq + 1)), None)?,
        };
        let last_whole = drop_open_tails(folder, None)?;
        let bytes = segment.content_bytes()?;
        let (news, _) = watch::channel(last_seq);
        let unfinished = HashMap::new();
        let open = Mutex::new(Open { segment, bytes, last_seq, last_whole, unfinished });
        Ok(Self { folder: folder.to_owned(), segment_bytes_max, open, news })
    }

    /// Writes an entry; it is on disk when this returns.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`]; nothing was written then.
    pub fn append(&self, entry: &NewEntry<'_>) -> Result<u64> {
        let mut open = self.lock()?;
        if open.bytes >= self.segment_bytes_max {
            self.roll(&mut open)?;
        }
        let seq = open.last_seq + 1;
        open.segment.append(seq, now_micros(), entry)?;
        crate::failpoint::reach("after-journal-commit");
        open.last_seq = seq;
        open.bytes += entry.bytes.len() as u64 + 256;
        if entry.ends {
            open.last_whole = seq;
            open.unfinished.remove(entry.source);
        } else {
            open.unfinished.entry(entry.source.to_owned()).or_insert(seq);
        }
        self.news.send_replace(seq);
        Ok(seq)
    }

    /// Drops what a broken session of `source` left without an end; the source sends it again.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn drop_open_tail(&self, source: &str) -> Result<()> {
        // The lock keeps other captures from writing to the files meanwhile.
        let mut open = self.lock()?;
        open.unfinished.remove(source);
        drop_open_tails(&self.folder, Some(source)).map(drop)
    }

    /// The last entry that ends a transaction: readers come as far as this, and no further.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`].
    pub fn last_whole(&self) -> Result<u64> {
        Ok(self.lock()?.last_whole)
    }

    /// No entry before this one is there any more.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn first_seq(&self) -> Result<u64> {
        let paths = segment_paths(&self.folder)?;
        Ok(paths.first().and_then(|path| first_seq_of(path)).unwrap_or(1))
    }

    /// Notes that everything of `source` up to there is journaled (an idle log moved on).
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn record_position(&self, source: &str, reached: &Reached) -> Result<()> {
        self.lock()?.segment.record_position(source, reached)
    }

    /// Up to where `source` is journaled; `None` if it never was.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn position(&self, source: &str) -> Result<Option<Position>> {
        Ok(self.reached(source)?.map(|reached| reached.position))
    }

    /// The same, with what tells its log from another one.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn reached(&self, source: &str) -> Result<Option<Reached>> {
        self.lock()?.segment.reached(source)
    }

    /// How far the copies of `source` are journaled.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn copies(&self, source: &str) -> Result<Vec<CopyProgress>> {
        self.lock()?.segment.copies(source)
    }

    /// The tables of `source` as they were seen last, those that left among them.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn tables(&self, source: &str) -> Result<Vec<Table>> {
        self.lock()?.segment.tables_before(source, i64::MAX.unsigned_abs())
    }

    /// Forgets how far the copy of a table was: it is mirrored no more.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn forget_copy(&self, source: &str, table: &str) -> Result<()> {
        self.lock()?.segment.forget_copy(source, table)
    }

    /// The last durable entry.
    #[must_use]
    pub fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// The reading side.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(self.folder.clone())
    }

    /// Bytes on disk.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        segment_paths(&self.folder)
            .map(|paths| paths.iter().map(|path| file_bytes(path)).sum())
            .unwrap_or(0)
    }

    /// Bytes of the segments that hold something after `conformed`; the last one does not count if
    /// it is all there is, because it is always there.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn bytes_needed(&self, conformed: u64) -> Result<u64> {
        let paths = segment_paths(&self.folder)?;
        let begins_before =
            |path: &&PathBuf| first_seq_of(path).is_some_and(|f| f <= conformed + 1);
        let done = paths.iter().take_while(begins_before).count().saturating_sub(1);
        let needed = paths.get(done..).unwrap_or_default();
        Ok(if needed.len() < 2 { 0 } else { needed.iter().map(|path| file_bytes(path)).sum() })
    }

    /// Unlinks closed segments of which nothing is needed after `conformed`: those last written
    /// longer than `keep` ago, and the oldest as long as the journal holds more than
    /// `bytes_kept`. A transaction is needed from its first part on until its end is conformed.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn discard(&self, conformed: u64, keep: Duration, bytes_kept: u64) -> Result<u64> {
        let open = self.lock()?;
        let paths = segment_paths(&self.folder)?;
        let mut bytes: u64 = paths.iter().map(|path| file_bytes(path)).sum();
        let mut needed = None;
        let mut discarded = 0;
        for pair in paths.windows(2) {
            let [path, next] = pair else { break };
            // The next one's name says where this one ends.
            let ends_before = first_seq_of(next).unwrap_or(0);
            let is_kept = age(path) < keep && bytes <= bytes_kept;
            if ends_before > conformed + 1 || is_kept {
                break;
            }
            let needed = match needed {
                Some(needed) => needed,
                None => *needed.insert(first_needed(&open, &paths, conformed)?),
            };
            if ends_before > needed {
                break;
            }
            bytes = bytes.saturating_sub(file_bytes(path));
            remove(path)?;
            discarded += 1;
        }
        Ok(discarded)
    }

    /// Closes the open segment if nothing in it is needed after `conformed`, so that it can be discarded.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn close(&self, conformed: u64) -> Result<()> {
        let mut open = self.lock()?;
        if open.bytes > 0 && open.last_seq <= conformed { self.roll(&mut open) } else { Ok(()) }
    }

    fn roll(&self, open: &mut Open) -> Result<()> {
        let path = self.folder.join(file_name(open.last_seq + 1));
        let next = Segment::create(path, Some(&open.segment))?;
        open.segment = next;
        open.bytes = 0;
        Ok(())
    }

    fn lock(&self) -> Result<MutexGuard<'_, Open>> {
        self.open.lock().map_err(|_| {
            Error::new(ErrorKind::Bug, "the journal was left by a thread that panicked")
        })
    }
}

pub(super) fn segment_paths(folder: &Path) -> Result<Vec<PathBuf>> {
    let what = || format!("could not list {}", folder.display());
    let mut paths = Vec::new();
    for item in std::fs::read_dir(folder).context(ErrorKind::Ledger, what)? {
        let path = item.context(ErrorKind::Ledger, what)?.path();
        if first_seq_of(&path).is_some() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Drops, per source, the transaction that a crash left without an end. Its parts may lie in
/// several segments; only a source's newest entry can be without one. `of`: one source only.
/// Returns the last entry that is left.
fn drop_open_tails(folder: &Path, of: Option<&str>) -> Result<u64> {
    let mut segments = Vec::new();
    for path in segment_paths(folder)? {
        segments.push(Segment::open(path)?);
    }
    let mut seen: Vec<String> = Vec::new();
    let mut tails = Vec::new();
    for segment in segments.iter().rev() {
        for (source, _, first, ends) in segment.newest()? {
            if seen.contains(&source) || of.is_some_and(|of| of != source) {
                continue;
            }
            if !ends {
                tails.push((source.clone(), first));
            }
            seen.push(source);
        }
    }
    for (source, first) in tails {
        for segment in &segments {
            segment.drop_parts(&source, first)?;
        }
    }
    for segment in segments.iter().rev() {
        if let Some(last) = segment.last_seq()? {
            return Ok(last);
        }
    }
    Ok(0)
}

/// The first entry of all transactions that are not conformed: those that have no end yet, and those
/// that began before `conformed` and end after it.
fn first_needed(open: &Open, paths: &[PathBuf], conformed: u64) -> Result<u64> {
    let mut needed = open.unfinished.values().copied().min().unwrap_or(u64::MAX);
    for (place, path) in paths.iter().enumerate() {
        let next = paths.get(place + 1).and_then(|next| first_seq_of(next));
        if next.is_none_or(|next| next > conformed + 1) {
            let first = Segment::open_reader(path.clone())?.first_spanning(conformed)?;
            needed = needed.min(first.unwrap_or(u64::MAX));
        }
    }
    Ok(needed)
}

fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map(|meta| meta.len()).unwrap_or(0)
}

fn age(path: &Path) -> Duration {
    let modified = std::fs::metadata(path).and_then(|meta| meta.modified());
    modified.ok().and_then(|at| at.elapsed().ok()).unwrap_or(Duration::ZERO)
}

fn now_micros() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests;
