//! A source against its mirror, as of one snapshot of the source.
//!
//! ```text
//!  conform stops ─► snapshot V of the source ─► capture has read what V saw
//!        │                                          │ the journal: which transactions V saw
//!        └─ goes on to exactly there ◄──────────────┘
//!           snapshot of the store ─► conform goes on ─► digests of both, at leisure
//! ```
//! Conform pauses for as long as capture needs to read on, mostly some tens of milliseconds; the
//! source is never asked to pause. What V saw is told by transaction, never by position: if what was
//! conformed is not exactly what V saw, nothing is compared and another snapshot is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::drill::{Cells, Expected, Judge, differing, rows_of};
use super::{Outcome, Reconcile};
use crate::change::{Position, Visibility};
use crate::config::SourceKind;
use crate::conform::fence::Fence;
use crate::digest::{Equals, Family, bucket, row_text};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::ledger::drift::{Comparison, Drift};
use crate::ledger::journal::{Border, Journal, Portion, Reader as JournalReader};
use crate::ledger::segment::{Entry, EntryKind};
use crate::source::decode::{Decoder, Tables};
use crate::source::entry::Control;
use crate::source::{Source, Survey};
use crate::store::mirror::survey::{Compared, MirrorSurvey, is_ready, survey};
use crate::store::{MirrorTable, Reader};

/// Longest wait for capture to read what the snapshot saw.
const READ_SECS_MAX: u64 = 10;
/// Between two looks at how far it is.
const READ_LOOK: Duration = Duration::from_millis(5);
/// Entries before the mark that are looked at: a commit can be decoded before snapshots see it, but
/// not for longer than so many others take.
const ENTRIES_BACK: u64 = 500;
/// Bytes of the journal that are looked through at once.
const PORTION: usize = 8 << 20;
/// Snapshots that are taken until one is what was conformed.
const ATTEMPTS: usize = 5;
/// After so long no other snapshot is taken.
const AGAIN_WITHIN: Duration = Duration::from_secs(10);
/// Digits of a bucket: 256 buckets.
const DIGITS: usize = 2;
/// Digits of the hash by which people tell rows without a key from each other.
const KEY_DIGITS: usize = 16;
/// Buckets whose rows are held at once.
const BUCKETS_AT_ONCE: usize = 16;

/// Says how far the log of a source is read; everything of it up to there is in the journal.
pub type ReadUpto = dyn Fn(&str) -> Option<Position> + Send + Sync;
/// Puts a fence before conform.
pub type Fences = dyn Fn() -> Fence + Send + Sync;

/// A source as it is compared.
pub struct SourceSide {
    /// Its name.
    pub name: String,
    /// Which kind.
    pub kind: SourceKind,
    /// The system itself.
    pub source: Source,
}

impl SourceSide {
    /// `source:<name>`
    #[must_use]
    pub fn pair(&self) -> String {
        format!("source:{}", self.name)
    }
}

impl Reconcile {
    /// Compares a source with its mirror, one table or all, in one snapshot of it.
    pub(super) async fn source(
        &self,
        side: &SourceSide,
        table: Option<&str>,
    ) -> Result<Vec<Outcome>> {
        let reader = (self.readers)().ok_or_else(|| unlike("the store is not open"))?;
        // Its tables are still being copied for the first time.
        if !tokio::task::block_in_place(|| is_ready(&reader, &side.name))? {
            return Ok(Vec::new());
        }
        drop(reader);
        let began = Instant::now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.attempt(side, table).await {
                // What takes long is not the moment's fault.
                Err(error)
                    if error.kind() == ErrorKind::Unreachable
                        && attempts < ATTEMPTS
                        && began.elapsed() < AGAIN_WITHIN => {}
                found => return found,
            }
        }
    }

    async fn attempt(&self, side: &SourceSide, table: Option<&str>) -> Result<Vec<Outcome>> {
        let reader = (self.readers)().ok_or_else(|| unlike("the store is not open"))?;
        let fence = (self.fences)();
        fence.reached().await?;
        let read = (self.read_upto)(&side.name);
        let survey_of = side.source.survey(read.as_ref()).await?;
        self.read_what_it_saw(side, survey_of.covered_by()).await?;
        let conformed = fence.reached().await?;
        let seen = tokio::task::block_in_place(|| {
            last_seen(&self.journal, side, survey_of.visibility(), conformed)
        })?;
        fence.move_to(seen.upto);
        fence.reached().await?;
        let work = Work {
            pair: side.pair(),
            source: side.name.clone(),
            table: table.map(str::to_owned),
            survey: survey_of,
            runtime: Handle::current(),
            seen,
            drift_max: self.limits.drift_rows_max,
        };
        let (pinned, is_pinned) = oneshot::channel();
        let compared = tokio::task::spawn_blocking(move || work.compare(&reader, pinned));
        // The store's snapshot is taken, or the comparison is over: conform may go on.
        is_pinned.await.ok();
        drop(fence);
        compared.await.context(ErrorKind::Bug, || "a comparison ended badly".to_owned())?
    }

    async fn read_what_it_saw(&self, side: &SourceSide, upto: &Position) -> Result<()> {
        let waiting = async {
            loop {
                let read = (self.read_upto)(&side.name);
                if read.is_some_and(|read| read.covers(upto).unwrap_or(false)) {
                    return;
                }
                tokio::time::sleep(READ_LOOK).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(READ_SECS_MAX), waiting).await;
        waited.map_err(|_| unlike(&format!("capture did not read on within {READ_SECS_MAX} s")))
    }
}

/// What of the journal a snapshot saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// The entry that ends the last transaction that was seen; 0: none of those looked at.
    last: u64,
    /// The entry up to which nothing ends that was not seen.
    upto: u64,
}

/// What the snapshot saw of the journal, if that is everything up to somewhere and nothing later.
fn last_seen(
    journal: &Journal,
    side: &SourceSide,
    visibility: &Visibility,
    conformed: u64,
) -> Result<Seen> {
    let upto = *journal.news().borrow();
    let mut reader = journal.reader();
    let mut border = Border { seq: conformed.saturating_sub(ENTRIES_BACK), part: 0 };
    if let Some(seq) = last_beginning(journal.reader(), side, border, upto)? {
        if seq > conformed {
            return Err(unlike("its log begins anew"));
        }
        border.seq = seq;
    }
    let mut decoder: Option<Decoder> = None;
    let (mut seen, mut unseen) = (0, None);
    let portion = Portion { run: PORTION, transaction: usize::MAX };
    while border.seq < upto {
        let run = reader.read(border, upto, portion, |entry| entry.source != side.name)?;
        if run.border == border {
            break;
        }
        border = run.border;
        for parts in run.transactions {
            let Some(last) = parts.last().map(|entry| entry.seq) else { continue };
            for entry in parts.into_iter().filter(|entry| entry.kind == EntryKind::Log) {
                let decoder = match &mut decoder {
                    Some(decoder) => decoder,
                    None => {
                        let known = reader.tables_before(&side.name, entry.first)?;
                        let tables: Tables =
                            known.into_iter().map(|table| (table.id, table)).collect();
                        decoder.insert(Decoder::new(side.kind, tables).of_order())
                    }
                };
                for transaction in decoder.feed(entry.bytes)? {
                    match (visibility.sees(transaction.id)?, unseen) {
                        (true, Some(_)) => return Err(unlike("a later transaction was seen")),
                        (true, None) => seen = last,
                        (false, None) => unseen = Some(last),
                        (false, Some(_)) => {}
                    }
                }
            }
        }
    }
    match unseen {
        None => Ok(Seen { last: seen, upto }),
        Some(seq) if seq <= conformed => Err(unlike("what is conformed was not seen yet")),
        Some(seq) => Ok(Seen { last: seen, upto: seq - 1 }),
    }
}

/// The last entry after `border` with which the source's log begins anew: what lies before it is another
/// log, and may be what cannot be read.
fn last_beginning(
    mut reader: JournalReader,
    side: &SourceSide,
    mut border: Border,
    upto: u64,
) -> Result<Option<u64>> {
    let portion = Portion { run: PORTION, transaction: usize::MAX };
    let is_other = |entry: &Entry| entry.source != side.name || entry.kind != EntryKind::Control;
    let mut last = None;
    while border.seq < upto {
        let run = reader.read(border, upto, portion, is_other)?;
        if run.border == border {
            break;
        }
        border = run.border;
        for entry in run.transactions.iter().flatten() {
            if matches!(Control::decode(&entry.bytes)?, Control::Anew { .. }) {
                last = Some(entry.seq);
            }
        }
    }
    Ok(last)
}

fn unlike(why: &str) -> Error {
    let what = format!("the source and its mirror could not be seen as of one moment: {why}");
    Error::new(ErrorKind::Unreachable, what)
        .hint("the daemon compares again by itself; whoever asked may ask again in a moment")
}

/// One comparison.
struct Work {
    pair: String,
    source: String,
    table: Option<String>,
    survey: Survey,
    runtime: Handle,
    /// Where the mirror must be.
    seen: Seen,
    drift_max: usize,
}

impl Work {
    fn compare(self, reader: &Reader, pinned: oneshot::Sender<()>) -> Result<Vec<Outcome>> {
        survey(reader, &self.source, |mirror| {
            // The snapshot of the store is taken by what was read of it.
            pinned.send(()).ok();
            let (at, Seen { last, upto }) = (mirror.journal_seq, self.seen);
            if at < last || at > upto || mirror.is_divided {
                return Err(unlike("conform is in the middle of a transaction"));
            }
            let mut misspelled = mirror.misspelled()?;
            misspelled.extend(self.runtime.block_on(self.survey.misspelled())?);
            let is_meant = |table: &&MirrorTable| {
                let name = table.name();
                self.table.as_ref().is_none_or(|one| *one == name.to_string() || *one == name.name)
            };
            let tables = mirror.tables.iter().filter(is_meant);
            tables.map(|table| self.table(mirror, table, &misspelled)).collect()
        })
    }

    fn table(
        &self,
        mirror: &MirrorSurvey<'_>,
        table: &MirrorTable,
        misspelled: &BTreeSet<Family>,
    ) -> Result<Outcome> {
        let compared = Compared::of(table, misspelled, self.survey.hash())?;
        let digits = if mirror.count(table)? < 1 << 20 { DIGITS } else { DIGITS + 1 };
        let at_micros = jiff::Timestamp::now().as_microsecond();
        let (name, columns, keys) = (table.name(), &compared.columns, compared.key_count);
        let theirs = self.survey.digests(name, columns, keys, digits);
        let theirs = self.runtime.block_on(theirs)?;
        let ours = mirror.digests(table, &compared, digits)?;
        let (mut drifts, mut rows_differ) = (Vec::new(), 0);
        for buckets in differing(&theirs, &ours).chunks(BUCKETS_AT_ONCE) {
            let room = self.drift_max.saturating_sub(drifts.len());
            if compared.is_keyless {
                let must = self.survey.equals(name, columns, digits, buckets);
                let must = self.runtime.block_on(must)?;
                let is = mirror.equals(table, &compared, digits, buckets)?;
                let surplus = surplus(must, is);
                rows_differ += surplus.iter().map(Surplus::count).sum::<u64>();
                drifts.extend(counted(&compared, surplus).take(room));
            } else {
                let must = self.survey.rows(name, columns, keys, digits, buckets);
                let must = self.runtime.block_on(must)?;
                let is = mirror.rows(table, &compared, digits, buckets)?;
                let found = judged(&compared, must, is);
                rows_differ += found.len() as u64;
                drifts.extend(found.into_iter().take(room));
            }
        }
        let comparison = Comparison {
            pair: self.pair.clone(),
            entity: name.to_string(),
            at_micros,
            rows: theirs.values().map(|digest| digest.count).sum(),
            differing: rows_differ,
            pending: 0,
            left_out: compared.left_out,
        };
        Ok(Outcome { comparison, drifts })
    }
}

/// Rows that hold the same, of which one side has more than the other.
struct Surplus {
    cells: Cells,
    /// How many the source has.
    must: u64,
    /// How many the mirror has.
    is: u64,
}

impl Surplus {
    fn count(&self) -> u64 {
        self.must.abs_diff(self.is)
    }
}

/// What one side has more often than the other, in the order of what it is.
fn surplus(must: Vec<Equals>, is: Vec<Equals>) -> Vec<Surplus> {
    let mut all: BTreeMap<String, Surplus> = BTreeMap::new();
    let text = |cells: &Cells| row_text(cells.iter().map(Option::as_deref));
    let new = |cells| Surplus { cells, must: 0, is: 0 };
    for (cells, count) in must {
        all.entry(text(&cells)).or_insert(new(cells)).must += count;
    }
    for (cells, count) in is {
        all.entry(text(&cells)).or_insert(new(cells)).is += count;
    }
    all.into_values().filter(|one| one.count() > 0).collect()
}

/// Each row of a table without a key that one side has and the other has not.
fn counted(compared: &Compared, surplus: Vec<Surplus>) -> impl Iterator<Item = Drift> {
    let names: Vec<String> = compared.columns.iter().map(|(name, _)| name.clone()).collect();
    let key_count = compared.key_count;
    surplus.into_iter().flat_map(move |Surplus { cells, must, is }| {
        let text = row_text(cells.iter().map(Option::as_deref));
        let names = names.clone();
        (must.min(is)..must.max(is)).filter_map(move |nth| {
            // Many rows of a long table may be equal: each has a key of its own, which tells no value.
            let key = format!("{} {}", bucket(&text, KEY_DIGITS), nth + 1);
            let judge = Judge { columns: &names, key_count, is_shared: false };
            if must > is {
                let expected = Expected { key, cells: cells.clone() };
                judge.judge(Some(&expected), &[], |_| Vec::new())
            } else {
                let found = judge.judge(None, std::slice::from_ref(&cells), |_| Vec::new());
                found.map(|drift| Drift { key, ..drift })
            }
        })
    })
}

/// Rows as the source has them, and as the mirror does.
fn judged(
    compared: &Compared,
    must: Vec<Vec<Option<String>>>,
    is: Vec<Vec<Option<String>>>,
) -> Vec<Drift> {
    let key_count = compared.key_count;
    let text =
        |cells: &[Option<String>]| row_text(cells.iter().take(key_count).map(Option::as_deref));
    let mut expected: BTreeMap<String, Expected> = BTreeMap::new();
    for cells in must {
        let parts = cells.iter().take(key_count).map(|cell| cell.as_deref().unwrap_or_default());
        let key = parts.collect::<Vec<_>>().join("|");
        expected.insert(text(&cells), Expected { key, cells });
    }
    let mut found: BTreeMap<String, Vec<Cells>> = BTreeMap::new();
    for cells in is {
        found.entry(text(&cells)).or_default().push(cells);
    }
    let names: Vec<String> = compared.columns.iter().map(|(name, _)| name.clone()).collect();
    let judge = Judge { columns: &names, key_count, is_shared: false };
    let keys: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    let judge_key =
        |key: &String| judge.judge(expected.get(key), rows_of(&found, key), |_| Vec::new());
    keys.into_iter().filter_map(judge_key).collect()
}
