//! The mirror: the sources' tables, row for row, typed like the source.
//!
//! A batch goes through four steps, so that whoever evaluates mappings sees the mirror before
//! and after it:
//!
//! ```text
//!  changes ─collapse─► RowState per key ─stage─► temp "stage…"
//!                          temp "before…"  = the mirror's rows under the touched keys
//!                          temp "after…"   = those rows as they will be (missing cells filled)
//!  [routes on the old mirror]   write: DELETE touched keys, INSERT after   [routes on the new one]
//! ```

mod cascade;
mod keyless;
mod outdate;
mod proof;
mod registry;
pub mod reshape;
pub mod resync;
mod spelling;
mod sql;
pub mod survey;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::collapse::{Collapsed, Key, RowState};
use super::overlay::{self, Tracked};
use super::stage;
use super::track::{self, TrackRow};
use super::types::{fits, may_not_fit};
use super::{Store, execute};
use crate::change::{
    Cell, CellRef, Cells, Change, Kind, Row, Table, TableName, Transaction, TransactionId,
    Visibility, tuple,
};
use crate::error::{Error, Result};
pub use registry::{MirrorState, MirrorTable, Mirrors};

/// A mirror table a batch touches, with the temp tables that hold its rows before and after.
/// Both have the mirror table's columns and `_time` (source commit, microseconds since 1970);
/// both are named bare, unquoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The source, which is also the DuckDB schema.
    pub source: String,
    /// The source's name for the table.
    pub table: TableName,
    /// The table's name in the mirror.
    pub mirror: String,
    /// Temp table: touched rows before the batch.
    pub before: String,
    /// Temp table: touched rows after the batch.
    pub after: String,
    goes: Goes,
}

/// Which rows of the mirror go before those after the batch come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    /// Those of the staged keys.
    Staged,
    /// All: the table was truncated.
    All,
    /// Those that are in the temp table `before`.
    Before,
}

/// A transaction with its place in the journal.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The entry that ends it, or the slice of it that this is.
    pub seq: u64,
    /// The source.
    pub source: String,
    /// The transaction.
    pub transaction: Transaction,
}

/// What a batch did to each table of each source.
type PerTable = BTreeMap<(String, TableName), Collapsed>;

impl Store {
    /// Stages the changes of whole transactions, appends them to `changes`, and prepares the
    /// rows before and after. The mirror itself is not changed yet.
    ///
    /// # Errors
    /// [`ErrorKind::Gap`] if a change does not fit the mirror (an unknown table, changed
    /// columns, no key); [`ErrorKind::Store`].
    pub fn stage_log(&mut self, mut batch: Vec<Placed>) -> Result<Vec<Touched>> {
        let mut per_table = PerTable::new();
        let mut hidden = Vec::new();
        for placed in &mut batch {
            let (source, transaction) = (&placed.source, &placed.transaction);
            let all =
                self.collapse_with_cascades(source, transaction, &mut per_table, &mut hidden)?;
            if let Some(all) = all {
                placed.transaction.changes = all;
            }
        }
        super::changes::append(&self.connection, &batch)?;
        // Of every key only the last state is needed from here on.
        drop(batch);
        self.remember_hidden(&hidden)?;
        let mut touched = Vec::new();
        for ((source, name), mut collapsed) in per_table {
            let mut mirror = self.mirrors.of(&source, &name)?.clone();
            let mut shown = Vec::new();
            if collapsed.table.is_keyless() {
                touched.extend(self.stage_contents(&mirror, collapsed)?);
                continue;
            }
            // (While it is copied, what is not told whole waits for a chunk, whoever it is.)
            let comes = collapsed.table.rows.is_some() && !mirror.state.is_tracked();
            if mirror.state.is_tracked() {
                shown = self.follow_copy(&mirror, &mut collapsed)?;
                // It knows of a TRUNCATE now.
                mirror = self.mirrors.of(&source, &name)?.clone();
            } else if comes {
                self.keep_away(&source, &name, &mut collapsed)?;
            } else if let Some(table) = lacks_a_base(&collapsed) {
                return Err(registry::lost_row(&source, table));
            }
            let rows = (&collapsed.rows, comes);
            touched.push(self.stage_rows(&mirror, rows, collapsed.truncated)?);
            if mirror.state == MirrorState::Resync {
                let mirror = self.mirrors.of(&source, &name)?;
                resync::shown_by_log(&self.connection, mirror, &shown)?;
            }
        }
        Ok(touched)
    }

    /// Stages a copy's chunk, laid under what the log did to its keys.
    ///
    /// # Errors
    /// As [`Store::stage_log`].
    pub fn stage_chunk(
        &mut self,
        source: &str,
        table: &Table,
        visibility: &Visibility,
        rows: Vec<(Key, Vec<Cell>)>,
        time_micros: i64,
    ) -> Result<Vec<Touched>> {
        if self.mirrors.is_passed_by(source, &table.name) {
            return Ok(Vec::new());
        }
        let mirror = self.mirrors.of(source, &table.name)?.clone();
        let (rows, lacks) =
            if mirror.state == MirrorState::Resync && reshape::has_same_key(table, &mirror) {
                reshape::fit_chunk(rows, table, &mirror)
            } else {
                self.mirrors.judge(source, table, "a chunk of its copy was read")?;
                (rows, false)
            };
        if lacks {
            let what = "read before they changed";
            self.note_unproven(source, &table.name.to_string(), what)?;
        }
        let tracked = track::of_keys(&self.connection, &mirror, rows.iter().map(|(key, _)| key))?;
        let rows = self.hidden_from_chunk(&mirror, visibility, &tracked, rows)?;
        // A row that left what is chosen may have changed where nobody saw it: what it lacks is read again.
        let is_told = table.rows.is_none();
        let mut placements =
            overlay::place(rows, visibility, (&tracked, is_told), mirror.truncated)?;
        if mirror.state == MirrorState::Resync {
            placements = resync::without_parts(&self.connection, &mirror, placements)?;
        }
        let mut states = HashMap::new();
        let mut complete = Vec::new();
        for (key, cells) in placements {
            let lacks = cells.iter().any(Cell::is_missing);
            let base = lacks.then(|| key.clone());
            complete.push(key.clone());
            let transaction = TransactionId::Xid(0);
            let (cells, left, derived) = (Some(Row::from(cells)), Vec::new(), false);
            let state = RowState { cells, base, transaction, time_micros, left, derived };
            states.insert(key, state);
        }
        track::forget_missing(&self.connection, &mirror, &complete)?;
        let touched = self.stage_rows(&mirror, (&states, false), None)?;
        if mirror.state == MirrorState::Resync {
            // Not as it was: columns may have become text.
            let mirror = self.mirrors.of(source, &table.name)?;
            return Ok(Vec::from_iter(self.shown_by_chunk(mirror, touched)?));
        }
        Ok(vec![touched])
    }

    /// Writes the staged rows: after this the mirror is as the sources were at the batch's end.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn write_staged(&mut self, touched: &[Touched]) -> Result<()> {
        for one in touched {
            let mirror = self.mirrors.of(&one.source, &one.table)?;
            let what = || format!("could not write the mirror of {}", one.table);
            let delete = match one.goes {
                Goes::Staged => sql::delete_staged(mirror),
                Goes::All => sql::delete_all(mirror),
                Goes::Before => sql::delete_before(mirror),
            };
            execute(&self.connection, &delete, what)?;
            execute(&self.connection, &sql::insert_after(mirror), what)?;
        }
        Ok(())
    }

    /// Drops the temp tables of a batch that is over: each holds half a megabyte.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn forget_staged(&self, touched: &[Touched]) -> Result<()> {
        for one in touched {
            let mirror = self.mirrors.of(&one.source, &one.table)?;
            for statement in sql::drop_temporary(mirror) {
                execute(&self.connection, &statement, || {
                    format!("could not drop temp tables of {}", one.table)
                })?;
            }
        }
        Ok(())
    }

    /// Keys whose rows still lack cells; the copy reads them again.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn lacking_keys(&self, source: &str, name: &TableName) -> Result<Vec<Vec<Cell>>> {
        track::lacking_keys(&self.connection, self.mirrors.of(source, name)?)
    }

    fn collapse(
        &self,
        source: &str,
        transaction: &Transaction,
        (change, derived): (&Change, bool),
        per_table: &mut PerTable,
    ) -> Result<()> {
        let time = transaction.committed_at_micros;
        let tables: &[Arc<Table>] = match change {
            Change::Row(row) => std::slice::from_ref(&row.table),
            Change::Truncate(tables) => tables,
            // Their tables are noted as unproven.
            Change::Doubted(_) | Change::Replaced(_) | Change::Unread(_) => return Ok(()),
        };
        for table in tables {
            if self.mirrors.is_passed_by(source, &table.name)
                || self.mirrors.is_of_another(source, table)
            {
                continue;
            }
            self.mirrors.judge(source, table, &transaction.position.to_string())?;
            let collapsed = per_table
                .entry((source.to_owned(), table.name.clone()))
                .or_insert_with(|| Collapsed::new(Arc::clone(table)));
            match change {
                Change::Truncate(_) => collapsed.truncate(transaction.id, time),
                Change::Doubted(_) | Change::Replaced(_) | Change::Unread(_) => {}
                Change::Row(row) => {
                    collapsed
                        .row(row, derived, (transaction.id, time))
                        .map_err(|_| registry::no_key(source, table, &transaction.position))?;
                }
            }
        }
        Ok(())
    }

    /// While a table is copied: remembers per key what the log did, and which cells nobody has
    /// carried yet. Returns the keys that the log has shown to a resync for the first time.
    fn follow_copy(&mut self, mirror: &MirrorTable, collapsed: &mut Collapsed) -> Result<Vec<Key>> {
        if let Some((transaction, _)) = collapsed.truncated {
            track::forget_all(&self.connection, mirror)?;
            self.mirrors.set_truncated(&self.connection, mirror, transaction)?;
        }
        let is_resync = mirror.state == MirrorState::Resync;
        let bases: Vec<Key> = collapsed.rows.values().filter_map(|row| row.base.clone()).collect();
        let own = collapsed.rows.keys().filter(|_| is_resync);
        let tracked = track::of_keys(&self.connection, mirror, bases.iter().chain(own))?;
        let mut present = track::present(&self.connection, mirror, &bases)?;
        let mut unproven = HashSet::new();
        if is_resync {
            present = resync::proven(&self.connection, mirror, &tracked, present)?;
            unproven = resync::unproven(&self.connection, mirror, &tracked, &collapsed.rows)?;
        }
        let is_shown = |(key, state): &(&Key, &RowState)| {
            !tracked.contains_key(*key) && (!unproven.contains(*key) || !state.left.is_empty())
        };
        let shown = collapsed.rows.iter().filter(is_shown).map(|(key, _)| key.clone()).collect();
        let mut rows: Vec<TrackRow> = Vec::with_capacity(collapsed.rows.len());
        for (key, state) in collapsed.rows.iter().filter(|(key, _)| !unproven.contains(*key)) {
            let before = state.left.first().map_or(key, |(first, _)| first);
            let was = tracked.get(state.base.as_ref().unwrap_or(before));
            rows.push((key.clone(), track_row(state, was, &present)));
        }
        rows.sort_by(|a, b| a.0.cmp(&b.0));
        track::write(&self.connection, mirror, &rows)?;
        Ok(shown)
    }

    /// `comes`: rows of which the log does not tell all may be there that were not chosen before.
    fn stage_rows(
        &mut self,
        mirror: &MirrorTable,
        (rows, comes): (&HashMap<Key, RowState>, bool),
        truncated: Option<(TransactionId, i64)>,
    ) -> Result<Touched> {
        let widened = unfitting(mirror, rows);
        let mirror =
            if widened.is_empty() { mirror.clone() } else { self.widen(mirror, &widened)? };
        self.stage_cells(&mirror, rows)?;
        let refused = if self.is_careful { self.refused(&mirror)? } else { Vec::new() };
        let mirror = if refused.is_empty() {
            mirror
        } else {
            let mirror = self.widen(&mirror, &refused)?;
            self.stage_cells(&mirror, rows)?;
            mirror
        };
        let what = || format!("could not stage rows of {}", mirror.name());
        let before = match truncated {
            Some((_, time)) => sql::fill_before_truncate(&mirror, time),
            None => sql::fill_before(&mirror),
        };
        execute(&self.connection, &before, what)?;
        let lacks = rows.values().any(|row| row.base.is_some() || is_orphan(row));
        execute(&self.connection, &sql::fill_after(&mirror, lacks, comes), what)?;
        if lacks && mirror.state == MirrorState::Done {
            let lost: Option<i64> =
                super::optional(&self.connection, &sql::count_lost_bases(&mirror), what)?;
            // Of an unproven table the row that is lacking may be one that could not be read: the copy that
            // is due brings it.
            if lost.unwrap_or(0) > 0 && !self.is_unproven(&mirror.source, mirror.name())? {
                if !comes {
                    return Err(registry::lost_row(&mirror.source, &mirror.table));
                }
                self.note_unproven(&mirror.source, &mirror.name().to_string(), proof::COMES)?;
            }
        }
        Ok(touched(&mirror, if truncated.is_some() { Goes::All } else { Goes::Staged }))
    }
}

impl Store {
    /// A value of the last attempt was refused by DuckDB: the next one tries each value first, and widens
    /// the columns of those that are refused. False if that is no remedy.
    pub fn take_care(&mut self, failed: &Error) -> bool {
        let is_new = !self.is_careful && super::refusal::is_about_a_value(failed);
        self.is_careful |= is_new;
        is_new
    }

    /// Whether a column became text since this was last asked: what is evaluated has other types.
    pub fn take_widened(&mut self) -> bool {
        std::mem::take(&mut self.is_widened)
    }

    /// The batch is through.
    pub fn trust(&mut self) {
        self.is_careful = false;
    }

    /// Turns columns into text, those values that are there, too.
    fn widen(&mut self, mirror: &MirrorTable, places: &[usize]) -> Result<MirrorTable> {
        self.is_widened = true;
        let kind = |place: &usize| mirror.table.columns.get(*place).map(|column| column.kind);
        if places.iter().any(|place| kind(place) == Some(Kind::Interval)) {
            // DuckDB spells them otherwise than the server: a copy brings the server's texts.
            self.note_unproven(&mirror.source, &mirror.name().to_string(), "became text")?;
        }
        self.mirrors.widen(&self.connection, mirror, places)
    }

    /// The text of each cell, in the temp table.
    fn stage_cells(&self, mirror: &MirrorTable, rows: &HashMap<Key, RowState>) -> Result<()> {
        let what = || format!("could not stage rows of {}", mirror.name());
        for statement in sql::prepare_temporary(mirror) {
            execute(&self.connection, &statement, what)?;
        }
        let kinds: Vec<Kind> = mirror.table.columns.iter().map(|column| column.kind).collect();
        stage::append(&self.connection, &sql::stage_name(mirror), &mirror.table, &kinds, rows)
    }

    /// Columns with a staged value that DuckDB takes for none of their type.
    fn refused(&self, mirror: &MirrorTable) -> Result<Vec<usize>> {
        let what = || format!("could not try the values of {}", mirror.name());
        let mut refused = Vec::new();
        for place in 0..mirror.table.columns.len() {
            let count =
                super::optional::<i64>(&self.connection, &sql::count_refused(mirror, place), what)?;
            if count.unwrap_or(0) > 0 {
                refused.push(place);
            }
        }
        Ok(refused)
    }
}

fn touched(mirror: &MirrorTable, goes: Goes) -> Touched {
    Touched {
        source: mirror.source.clone(),
        table: mirror.name().clone(),
        mirror: mirror.mirror.clone(),
        before: sql::before_bare(mirror),
        after: sql::after_bare(mirror),
        goes,
    }
}

/// What to remember of a key: its missing cells are those the batch lacks and the mirror lacks
/// too (no row under the base key yet, or a row that lacks them itself, or in a resync a row that
/// nobody has shown).
fn track_row(state: &RowState, was: Option<&Tracked>, present: &HashSet<Key>) -> Tracked {
    let cells = state.cells.iter().flat_map(Cells::cells).enumerate();
    let lacking = cells.filter(|(_, cell)| cell.is_missing()).map(|(at, _)| at);
    let has_base = state.base.as_ref().is_some_and(|base| present.contains(base));
    let missing = lacking
        .filter(|place| !has_base || was.is_some_and(|was| was.missing.contains(place)))
        .collect();
    let mut left = was.map(|was| was.left.clone()).unwrap_or_default();
    left.extend(state.left.iter().cloned());
    Tracked { transaction: state.transaction, gone: state.cells.is_none(), missing, left }
}

/// Columns with a value their type cannot hold exactly, in a row or in the key of one that goes.
fn unfitting(mirror: &MirrorTable, rows: &HashMap<Key, RowState>) -> Vec<usize> {
    let columns = &mirror.table.columns;
    let mut widened = Vec::new();
    for (rank, place) in mirror.table.key().enumerate() {
        let Some(kind) = columns.get(place).map(|column| column.kind) else { continue };
        if !may_not_fit(kind) {
            continue;
        }
        let bases = rows.values().filter_map(|row| row.base.as_ref());
        let bad = rows.keys().chain(bases).any(|key| {
            let cells = tuple::read_row(&mut key.clone()).unwrap_or_default();
            cells.get(rank).and_then(Cell::bytes).is_some_and(|text| !fits(kind, text))
        });
        if bad {
            widened.push(place);
        }
    }
    for (place, column) in columns.iter().enumerate() {
        if !may_not_fit(column.kind) || widened.contains(&place) {
            continue;
        }
        let bad = rows.values().any(|row| {
            let cell = row.cells.as_ref().and_then(|row| row.cell(place));
            cell.and_then(CellRef::bytes).is_some_and(|text| !fits(column.kind, text))
        });
        if bad {
            widened.push(place);
        }
    }
    widened
}

/// A table whose copy is done has every row: a change that relies on a row before it, where
/// cells are missing, must name one. (That it is there is seen when the after-image is made.)
fn lacks_a_base(collapsed: &Collapsed) -> Option<&Table> {
    collapsed.rows.values().any(is_orphan).then_some(collapsed.table.as_ref())
}

fn is_orphan(row: &RowState) -> bool {
    let lacks = row.cells.as_ref().is_some_and(|row| !row.is_whole());
    lacks && row.base.is_none()
}

/// The mirror table, qualified and quoted.
pub(super) fn qualified(mirror: &MirrorTable) -> String {
    sql::mirror_name(mirror)
}

#[cfg(test)]
mod tests;
