//! Tables without a key: rows that come and go by what they hold become rows of the mirror, under a key of
//! our own.
//!
//! ```text
//!  n equals in the mirror, as many come and go in the batch ─► the last ones go, or further ones come
//! ```
//! Equal rows cannot be told apart, so which of them goes does not matter, and their numbers stay dense.
//! A copy is one reading of the table in one snapshot. What the snapshot sees of the log lies in it; the
//! rest is added and taken away as it comes. A row that goes before its part of the reading has come is
//! owed, and never written when it comes: at the end of the copy nothing may be owed.

use std::collections::HashMap;

use super::reshape::Followed;
use super::{MirrorState, MirrorTable, Touched};
use crate::change::keyless::{Content, Piece, content_of, hash_of, row_of};
use crate::change::{Cell, Table, TransactionId, Visibility};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;
use crate::store::collapse::{Collapsed, Key, Moved, RowState, key_of};
use crate::store::contents::{self, Counts, Scan};

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
    for Moved { content, is_gone, transaction, time_micros } in moved {
        let more = if is_gone { -1 } else { 1 };
        net.entry(hash_of(&content))
            .and_modify(|one| {
                one.more += more;
                one.transaction = transaction;
                one.time_micros = time_micros;
            })
            .or_insert(Net { content, more, transaction, time_micros });
    }
    net
}

impl Store {
    /// Stages what the log did to a table without a key. `None` while its copy has shown nothing: what
    /// the log does is kept for it.
    pub(super) fn stage_contents(
        &mut self,
        mirror: &MirrorTable,
        collapsed: Collapsed,
    ) -> Result<Option<Touched>> {
        let Collapsed { truncated, contents: moved, .. } = collapsed;
        if mirror.state != MirrorState::Copying {
            return self.stage_moved(mirror, moved, truncated).map(Some);
        }
        if let Some((transaction, _)) = truncated {
            contents::forget_moved(&self.connection, mirror)?;
            self.mirrors.set_truncated(&self.connection, mirror, transaction)?;
        }
        contents::keep_moved(&self.connection, mirror, &moved)?;
        let Some(Scan { visibility, .. }) = contents::scan(&self.connection, mirror)? else {
            return Ok(None);
        };
        let mut unseen = Vec::with_capacity(moved.len());
        for one in moved {
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
            came = contents::unseen(&self.connection, &mirror, visibility)?;
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
        for cells in rows.iter().filter(|_| !is_emptied) {
            let content = content_of(table, cells).ok_or_else(|| damaged(&mirror))?;
            let transaction = TransactionId::Xid(0);
            came.push(Moved { content, is_gone: false, transaction, time_micros });
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
                owing.push((hash, now.owed));
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

fn damaged(mirror: &MirrorTable) -> Error {
    let what = format!("a row of {}, which has no key, is not known whole", mirror.name());
    Error::new(ErrorKind::Bug, what)
}

#[cfg(test)]
mod tests;
