//! Tables without a key: rows that come and go by what they hold become rows of the mirror, under a key of
//! our own.
//!
//! ```text
//!  n equals in the mirror, as many come and go in the batch ─► the last ones go, or further ones come
//! ```
//! Equal rows cannot be told apart, so which of them goes does not matter, and their numbers stay dense.
//! A copy is one reading of the table in one snapshot. What the snapshot sees of the log lies in it; the
//! rest is added and taken away as it comes. A row that goes before its part of the reading has come is
//! owed, and never written when it comes: at the end of the copy nothing may be owed. What foreign keys did
//! unseen to all rows that referred to one (see `cascade::sweeping`) is done to rows of later parts, too.

use std::collections::{BTreeMap, HashMap};

use bytes::BytesMut;

use super::reshape::Followed;
use super::{MirrorState, MirrorTable, Touched};
use crate::change::keyless::{Content, Piece, content_of, hash_of, row_of};
use crate::change::{Cell, Table, TransactionId, Visibility, tuple};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;
use crate::store::collapse::{Collapsed, Key, Moved, RowState, Step, Swept, key_of};
use crate::store::contents::{self, Counts, Scan};

/// Why a table is copied again of which a row cannot be followed.
const LOST: &str = "a foreign key, in a row whose texts are not known as the log spells them";

/// What happened to the rows of one content.
#[derive(Debug, PartialEq)]
struct Net {
    content: Content,
    /// How many more there are.
    more: i64,
    transaction: TransactionId,
    time_micros: i64,
}

/// The equals of one content, by the numbers of those that come or go.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    before: u64,
    after: u64,
    /// Rows that should have gone and are not there.
    owed: u64,
}

/// `n` rows are there, of which some may be owed; `more` come (or go).
fn moved(before: u64, owed: u64, more: i64) -> Standing {
    let all = i128::from(before) - i128::from(owed) + i128::from(more);
    let count = |count: i128| u64::try_from(count.max(0)).unwrap_or(u64::MAX);
    Standing { before, after: count(all), owed: count(-all) }
}

fn net(moved: impl IntoIterator<Item = Moved>) -> HashMap<String, Net> {
    let mut net: HashMap<String, Net> = HashMap::new();
    for Moved { content, more, transaction, time_micros, hash, .. } in moved {
        let is_the_logs = hash.is_none();
        let one = net.entry(hash.unwrap_or_else(|| hash_of(&content))).or_insert_with(|| Net {
            content: content.clone(),
            more: 0,
            transaction,
            time_micros,
        });
        one.more += more;
        one.transaction = transaction;
        one.time_micros = time_micros;
        if is_the_logs {
            one.content = content;
        }
    }
    net
}

/// What is left of what the log did, once foreign keys did what they did in its course.
fn folded(steps: Vec<Step>) -> Option<Vec<Moved>> {
    let mut left: BTreeMap<Content, Moved> = BTreeMap::new();
    let add = |left: &mut BTreeMap<Content, Moved>, one: Moved| {
        let known = left.entry(one.content.clone()).or_insert(Moved { more: 0, ..one.clone() });
        *known = Moved { more: known.more + one.more, ..one };
    };
    for step in steps {
        match step {
            Step::Moved(one) => add(&mut left, one),
            Step::Lost => return None,
            Step::Swept(swept) => {
                let mut concerned = Vec::new();
                for content in left.keys() {
                    let cells = tuple::read_row(&mut content.clone())?;
                    if swept.concerns(&cells) {
                        concerned.push((content.clone(), swept.done_to(cells)));
                    }
                }
                for (content, becomes) in concerned {
                    let Some(was) = left.remove(&content) else { continue };
                    if let Some(cells) = becomes {
                        let mut bytes = BytesMut::new();
                        tuple::write_row(&mut bytes, &cells);
                        add(&mut left, Moved { content: bytes.freeze(), ..was });
                    }
                }
            }
        }
    }
    Some(left.into_values().collect())
}

/// A row of a reading after what foreign keys did since; `None` if it went.
fn swept(mut cells: Vec<Cell>, sweeps: &[Swept]) -> Option<Vec<Cell>> {
    for one in sweeps {
        if one.concerns(&cells) {
            cells = one.done_to(cells)?;
        }
    }
    Some(cells)
}

impl Store {
    /// Stages what the log did to a table without a key. `None` while its copy has shown nothing: what
    /// the log does is kept for it.
    pub(super) fn stage_contents(
        &mut self,
        mirror: &MirrorTable,
        collapsed: Collapsed,
    ) -> Result<Option<Touched>> {
        let Collapsed { truncated, contents: steps, .. } = collapsed;
        let (source, name) = (&mirror.source, mirror.name());
        let is_lost = steps.contains(&Step::Lost);
        if mirror.state != MirrorState::Copying {
            if is_lost {
                self.note_unproven(source, &name.to_string(), LOST)?;
            }
            return self.stage_moved(mirror, moves(steps), truncated).map(Some);
        }
        if is_lost {
            self.outdate(source, name, LOST, &mut Followed::default())?;
            return Ok(None);
        }
        if let Some((transaction, _)) = truncated {
            contents::forget_moved(&self.connection, mirror)?;
            self.mirrors.set_truncated(&self.connection, mirror, transaction)?;
        }
        contents::keep(&self.connection, mirror, &steps.iter().collect::<Vec<_>>())?;
        let Some(Scan { visibility, .. }) = contents::scan(&self.connection, mirror)? else {
            return Ok(None);
        };
        let mut unseen = Vec::with_capacity(steps.len());
        for one in moves(steps) {
            if !visibility.sees(one.transaction)? {
                unseen.push(one);
            }
        }
        let truncated = match truncated {
            Some((transaction, _)) if visibility.sees(transaction)? => None,
            other => other,
        };
        let mirror = self.mirrors.of(&mirror.source, mirror.name())?.clone();
        self.stage_moved(&mirror, unseen, truncated).map(Some)
    }

    /// Stages a part of a copy of a table without a key. Nothing comes of a part of another reading than
    /// the last one that began: what was given up is read once more, from its beginning.
    ///
    /// # Errors
    /// As [`Store::stage_log`].
    pub fn stage_piece(
        &mut self,
        source: &str,
        table: &Table,
        (visibility, piece, is_last): (&Visibility, Option<&Piece>, bool),
        rows: &[Vec<Cell>],
        time_micros: i64,
    ) -> Result<Option<Touched>> {
        if self.mirrors.is_passed_by(source, &table.name) {
            return Ok(None);
        }
        let mirror = self.mirrors.of(source, &table.name)?.clone();
        self.mirrors.judge(source, table, "a chunk of its copy was read")?;
        if mirror.state != MirrorState::Copying {
            return Ok(None);
        }
        let piece = piece.ok_or_else(|| damaged(&mirror))?;
        let (mut came, mut emptied) = (Vec::with_capacity(rows.len()), None);
        let known = contents::scan(&self.connection, &mirror)?;
        if piece.number == 0 {
            let steps = contents::unseen(&self.connection, &mirror, visibility)?;
            came = folded(steps).ok_or_else(|| damaged(&mirror))?;
            contents::forget_owed(&self.connection, &mirror)?;
            emptied = Some((TransactionId::Xid(0), time_micros));
        } else if known.is_none_or(|known| known.scan != piece.scan || known.next != piece.number) {
            let (scan, number) = (&piece.scan, piece.number);
            tracing::warn!(source, table = %table.name, scan, number, "a part of a given up copy");
            return Ok(None);
        }
        let scan = Scan {
            scan: piece.scan.clone(),
            next: piece.number + 1,
            visibility: visibility.clone(),
            is_whole: is_last,
        };
        contents::set_scan(&self.connection, &mirror, &scan)?;
        let is_emptied = match mirror.truncated {
            Some(transaction) => !visibility.sees(transaction)?,
            None => false,
        };
        let sweeps = contents::sweeps(&self.connection, &mirror, visibility)?;
        let left =
            rows.iter().filter(|_| !is_emptied).filter_map(|row| swept(row.clone(), &sweeps));
        for cells in left {
            let content = content_of(table, &cells).ok_or_else(|| damaged(&mirror))?;
            let (transaction, derived, hash) = (TransactionId::Xid(0), false, None);
            came.push(Moved { content, more: 1, transaction, time_micros, derived, hash });
        }
        self.stage_moved(&mirror, came, emptied).map(Some)
    }

    /// Whether every row that the log took away in the course of a copy was there, and every part of it.
    /// Otherwise the table is outdated: it is copied once more.
    pub(super) fn is_explained(&mut self, mirror: &MirrorTable) -> Result<bool> {
        let is_whole = contents::scan(&self.connection, mirror)?.is_some_and(|scan| scan.is_whole);
        let owed = contents::owed_in_all(&self.connection, mirror)?;
        if is_whole && owed == 0 {
            return Ok(true);
        }
        let (source, name) = (&mirror.source, mirror.name());
        tracing::warn!(source, table = %name, is_whole, owed, "a copy does not fit the log");
        self.outdate(
            source,
            name,
            "rows that its copy does not explain",
            &mut Followed::default(),
        )?;
        Ok(false)
    }

    /// Stages the rows that come and go. A row that goes and is not there was lost before: the table is
    /// copied again.
    fn stage_moved(
        &mut self,
        mirror: &MirrorTable,
        moved_rows: Vec<Moved>,
        truncated: Option<(TransactionId, i64)>,
    ) -> Result<Touched> {
        let is_copied = mirror.state == MirrorState::Copying;
        if is_copied && truncated.is_some() {
            contents::forget_owed(&self.connection, mirror)?;
        }
        let net = net(moved_rows);
        let mut hashes: Vec<&String> = net.keys().collect();
        hashes.sort_unstable();
        let (mut standing, owed) = contents::counts(&self.connection, mirror, &hashes, is_copied)?;
        if truncated.is_some() {
            standing = Counts::new();
        }
        let (mut rows, mut owing) = (HashMap::new(), Vec::new());
        for (hash, one) in &net {
            let of = |counts: &Counts| counts.get(hash).copied().unwrap_or(0);
            let now = moved(of(&standing), of(&owed), one.more);
            if now.owed > 0 {
                owing.push((hash, now.owed, &one.content));
            }
            place(mirror, hash, one, &now, &mut rows)?;
        }
        if is_copied {
            owing.sort_unstable();
            contents::set_owed(&self.connection, mirror, &owing)?;
        } else if !owing.is_empty() {
            let lost = "a row that went was not there";
            self.note_unproven(&mirror.source, &mirror.name().to_string(), lost)?;
        }
        self.stage_rows(mirror, (&rows, false), truncated)
    }
}

/// The rows of one content that come or go.
fn place(
    mirror: &MirrorTable,
    hash: &str,
    one: &Net,
    now: &Standing,
    rows: &mut HashMap<Key, RowState>,
) -> Result<()> {
    let touched = now.before.min(now.after)..now.before.max(now.after);
    for nth in touched {
        let cells = row_of(&one.content, hash, nth + 1).ok_or_else(|| damaged(mirror))?;
        let key = key_of(&mirror.table, &cells).ok_or_else(|| damaged(mirror))?;
        let state = RowState {
            cells: (now.after > now.before).then(|| cells.into()),
            base: None,
            transaction: one.transaction,
            time_micros: one.time_micros,
            left: Vec::new(),
            derived: false,
        };
        rows.insert(key, state);
    }
    Ok(())
}

/// The rows that come and go.
fn moves(steps: Vec<Step>) -> Vec<Moved> {
    let moved = |step| match step {
        Step::Moved(one) => Some(one),
        Step::Swept(_) | Step::Lost => None,
    };
    steps.into_iter().filter_map(moved).collect()
}

fn damaged(mirror: &MirrorTable) -> Error {
    let what = format!("a row of {}, which has no key, is not known whole", mirror.name());
    Error::new(ErrorKind::Bug, what)
}

#[cfg(test)]
mod tests;
