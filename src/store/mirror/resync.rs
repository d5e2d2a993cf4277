//! A resync: a table that was copied once is copied again, under the mirror that is there.
//!
//! The mirror goes on: the log is followed and mappings are evaluated. A chunk lies under the log as in
//! the first copy; where a row of it is not what the mirror has, the mirror was wrong and is mended.
//! What neither a chunk nor the log has shown by the end of the copy is not in the source any more: it
//! goes. Everybody waits for two statements over the whole mirror, at the beginning (keys that are
//! there twice) and at the end (keys that nobody has shown).
//!
//! ```text
//!  begin ─► chunk: rows that differ are staged ─► … ─► end: rows of keys nobody has shown go
//!             log: its keys are shown, too                  ops.resync says how many
//! ```

mod shown;

use std::collections::{HashMap, HashSet};

use duckdb::{Connection, params};

use super::reshape::has_same_key;
use super::sql;
use super::{Goes, MirrorState, MirrorTable, Mirrors, Touched, touched};
use crate::change::condition::Condition;
use crate::change::{Cell, Table, TableName};
use crate::error::{Error, ErrorKind, Result};
use crate::store::collapse::{Key, RowState};
use crate::store::overlay::{Placement, Tracked};
use crate::store::reader::Reader;
use crate::store::refusal::InStore;
use crate::store::{Store, execute, optional, track};
pub(super) use shown::{forget, shown_by_log, widen};

/// Tables that an error names.
const NAMED_MAX: usize = 20;

/// How far a resync is, in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resyncing {
    /// The source.
    pub source: String,
    /// The table, as text.
    pub table: String,
    /// Rows of its chunks so far.
    pub rows_read: u64,
    /// Those of them that were not in the mirror as they are.
    pub rows_mended: u64,
}

/// The resyncs that the store has begun and not ended.
///
/// # Errors
/// [`ErrorKind::Store`].
pub fn under_way(reader: &Reader) -> Result<Vec<Resyncing>> {
    let what = || "could not read which tables are copied again".to_owned();
    reader.snapshot(|connection| {
        let sql = "SELECT source, table_name, rows_read, rows_mended FROM ops.resync
                   WHERE state = 'running' ORDER BY source, table_name";
        let mut statement = connection.prepare(sql).in_store(what)?;
        let number = |count: i64| u64::try_from(count).unwrap_or(0);
        let rows = statement.query_map([], |row| {
            Ok(Resyncing {
                source: row.get(0)?,
                table: row.get(1)?,
                rows_read: number(row.get(2)?),
                rows_mended: number(row.get(3)?),
            })
        });
        rows.and_then(Iterator::collect).in_store(what)
    })
}

/// The mirror of a table that is to be copied again, by one of its names.
///
/// # Errors
/// [`ErrorKind::Usage`] if there is none, if there are several, or if the source is being copied for the
/// first time; the hint says what there is.
pub fn find(reader: &Reader, source: &str, table: &str) -> Result<MirrorTable> {
    let mirrors = reader.snapshot(Mirrors::load)?;
    if !mirrors.is_ready(source) {
        let what = format!("source {source} is being copied for the first time");
        return Err(Error::new(ErrorKind::Usage, what)
            .hint("`trueup status` shows how far it is; ask again then"));
    }
    let is_it = |mirror: &&MirrorTable| {
        let name = mirror.name();
        name.to_string() == table || name.name == table || mirror.mirror == table
    };
    let found: Vec<&MirrorTable> = mirrors.of_source(source).filter(is_it).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let names = mirrors.of_source(source).map(|one| one.name().to_string());
            let names: Vec<String> = names.take(NAMED_MAX).collect();
            Err(Error::new(ErrorKind::Usage, format!("source {source} mirrors no table {table}"))
                .hint(format!("it mirrors {}", names.join(", "))))
        }
        several => {
            let names: Vec<String> = several.iter().map(|one| one.name().to_string()).collect();
            Err(Error::new(ErrorKind::Usage, format!("{table} may be {}", names.join(" or ")))
                .hint("name it with its schema"))
        }
    }
}

impl Store {
    /// The table is copied once more, or a part of it (which proves nothing of it). Stages the rows of keys
    /// of which the mirror has several: one of each stays. `None` if its first copy is still under way, or it
    /// is not mirrored any more: then there is nothing to mend.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn begin_resync(
        &mut self,
        (source, name): (&str, &TableName),
        is_whole: bool,
        at_micros: i64,
    ) -> Result<Option<Touched>> {
        let mirror = self.mirrors.of(source, name)?.clone();
        if !mirror.state.is_whole() {
            return Ok(None);
        }
        if mirror.table.is_keyless() {
            // Nothing tells which of its rows a chunk has shown.
            self.begin_copy(source, &mirror.mirror, &mirror.table)?;
            return Ok(None);
        }
        let what = || what(&mirror);
        if is_whole {
            self.begin_proof(source, &name.to_string())?;
        }
        self.forget_shape(source, name)?;
        shown::create(&self.connection, &mirror)?;
        track::create(&self.connection, &mirror)?;
        self.forget_hidden(&mirror)?;
        let begun = MirrorTable { state: MirrorState::Resync, truncated: None, ..mirror.clone() };
        self.mirrors.put(&self.connection, begun)?;
        let doubled = self.stage(&mirror, sql::fill_doubled(&mirror, at_micros))?;
        let (before, after) = (sql::before_name(&mirror), sql::after_name(&mirror));
        let removed = self.count(&before)? - self.count(&after)?;
        self.connection
            .execute(
                "INSERT INTO ops.resync
                 VALUES (?, ?, 'running', make_timestamp(?), NULL, 0, 0, ?)",
                params![source, name.to_string(), at_micros, removed],
            )
            .in_store(what)?;
        Ok(Some(doubled))
    }

    /// The log of the source begins anew: a table that was copied is copied again, one that was not, or
    /// that has another key by now, for the first time. Returns what [`Store::begin_resync`] does.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn begin_anew(
        &mut self,
        source: &str,
        mirror_name: &str,
        table: &Table,
        at_micros: i64,
    ) -> Result<Option<Touched>> {
        let is_kept = |mirror: &&MirrorTable| {
            mirror.state.is_whole() && has_same_key(table, mirror) && !table.is_keyless()
        };
        let kept = self.mirrors.find(source, &table.name).filter(is_kept).cloned();
        let Some(mut mirror) = kept else {
            self.begin_copy(source, mirror_name, table)?;
            return Ok(None);
        };
        self.give_up_resync(source, &table.name)?;
        // Foreign keys may be what changed, and it may be another table by now.
        mirror.table.cascades.clone_from(&table.cascades);
        mirror.table.id = table.id;
        self.mirrors.put(&self.connection, mirror)?;
        // A resync that somebody stops is begun once more: nothing else knows what was missed.
        self.note_unproven(source, &table.name.to_string(), "a gap")?;
        self.begin_resync((source, &table.name), true, at_micros)
    }

    /// What a chunk has shown: takes out the staged rows that the mirror has as they are. `None` if that
    /// was all of them.
    pub(super) fn shown_by_chunk(
        &self,
        mirror: &MirrorTable,
        chunk: Touched,
    ) -> Result<Option<Touched>> {
        let shown::Found { read, mended } = shown::shown_by_chunk(&self.connection, mirror)?;
        let table = mirror.name().to_string();
        self.move_on(mirror, &table, "running", None, [read, mended, 0])?;
        if mended > 0 {
            return Ok(Some(chunk));
        }
        self.forget_staged(&[chunk])?;
        Ok(None)
    }

    /// Stages the rows of keys that neither a chunk nor the log has shown, of those that were copied (`only`;
    /// `None`: all): they go. `None` unless the copy that ends is a resync. With it the resync is over, but for
    /// writing that.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn end_resync(
        &mut self,
        (source, name): (&str, &TableName),
        only: Option<&Condition>,
        at_micros: i64,
    ) -> Result<Option<Touched>> {
        let mirror = self.mirrors.of(source, name)?.clone();
        if mirror.state != MirrorState::Resync {
            return Ok(None);
        }
        if only.is_some_and(|only| only.fits_key(&mirror.table).is_err()) {
            // The key's columns changed meanwhile: which rows are left over nobody can tell here.
            self.stop_resync(source, name, at_micros)?;
            self.note_unproven(source, &name.to_string(), "the key of a part that was copied")?;
            return Ok(None);
        }
        let leftover = self.stage(&mirror, [shown::fill_leftover(&mirror, only, at_micros)])?;
        let removed = self.count(&sql::before_name(&mirror))?;
        self.move_on(&mirror, &name.to_string(), "done", Some(at_micros), [0, 0, removed])?;
        if only.is_none() {
            self.prove(source, &name.to_string(), true)?;
        }
        Ok(Some(leftover))
    }

    /// The resync is given up: what it has mended stays.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn stop_resync(&mut self, source: &str, name: &TableName, at_micros: i64) -> Result<()> {
        let mirror = self.mirrors.of(source, name)?.clone();
        if mirror.state == MirrorState::Copying {
            // After a gap, with another key: it is not whole without its chunks.
            return self.note_unproven(source, &name.to_string(), "a gap");
        }
        if mirror.state != MirrorState::Resync {
            return Ok(());
        }
        self.move_on(&mirror, &name.to_string(), "stopped", Some(at_micros), [0, 0, 0])?;
        self.give_up_proof(source, &name.to_string())?;
        self.forget_copy(&mirror)?;
        let done = MirrorTable { state: MirrorState::Done, truncated: None, ..mirror };
        self.mirrors.put(&self.connection, done)
    }

    /// The table is copied as if for the first time, or leaves: a resync of it is over.
    pub(super) fn give_up_resync(&self, source: &str, name: &TableName) -> Result<()> {
        let end = "UPDATE ops.resync SET state = 'stopped',
                   ended_at = make_timestamp(epoch_us(now())) WHERE state = 'running' \
                   AND source = ? AND table_name = ?";
        let what = || format!("could not end the resync of {name}");
        self.connection.execute(end, params![source, name.to_string()]).map(drop).in_store(what)
    }

    /// Notes what more was read, mended and removed.
    pub(super) fn move_on(
        &self,
        mirror: &MirrorTable,
        table: &str,
        state: &str,
        ended_micros: Option<i64>,
        [read, mended, removed]: [i64; 3],
    ) -> Result<()> {
        let what = || what(mirror);
        let running = "state = 'running' AND source = ? AND table_name = ?";
        let sums = format!(
            "SELECT epoch_us(began_at), rows_read, rows_mended, rows_removed FROM ops.resync \
             WHERE {running}"
        );
        let sums = self.connection.query_row(&sums, params![mirror.source, table], |row| {
            Ok::<[i64; 4], _>([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?])
        });
        let [began, of_read, of_mended, of_removed] = sums.in_store(what)?;
        let delete = format!("DELETE FROM ops.resync WHERE {running}");
        self.connection.execute(&delete, params![mirror.source, table]).in_store(what)?;
        let now = [of_read + read, of_mended + mended, of_removed + removed];
        self.connection
            .execute(
                "INSERT INTO ops.resync
                 VALUES (?, ?, ?, make_timestamp(?), make_timestamp(?), ?, ?, ?)",
                params![mirror.source, table, state, began, ended_micros, now[0], now[1], now[2]],
            )
            .in_store(what)?;
        if ended_micros.is_some() {
            let ([rows_read, rows_mended, rows_removed], source) = (now, &mirror.source);
            tracing::info!(
                source,
                table,
                state,
                rows_read,
                rows_mended,
                rows_removed,
                "a resync ends"
            );
        }
        Ok(())
    }

    /// Stages the rows that `fill` puts into the temp tables.
    fn stage(
        &self,
        mirror: &MirrorTable,
        fill: impl IntoIterator<Item = String>,
    ) -> Result<Touched> {
        for statement in sql::prepare_temporary(mirror).into_iter().chain(fill) {
            execute(&self.connection, &statement, || what(mirror))?;
        }
        Ok(touched(mirror, Goes::Before))
    }

    fn count(&self, table: &str) -> Result<i64> {
        let what = || format!("could not count rows of {table}");
        let sql = format!("SELECT count(*) FROM {table}");
        Ok(optional(&self.connection, &sql, what)?.unwrap_or(0))
    }
}

/// Those of `keys`, which have rows in the mirror, whose rows are as in the source: a chunk has shown
/// them, or the log did what is `tracked`, which says what it did not carry. Cells of others are only
/// what the mirror says, and are not proven.
pub(super) fn proven(
    connection: &Connection,
    mirror: &MirrorTable,
    tracked: &HashMap<Key, Tracked>,
    keys: HashSet<Key>,
) -> Result<HashSet<Key>> {
    let (known, unknown): (Vec<Key>, Vec<Key>) =
        keys.into_iter().partition(|key| tracked.contains_key(key));
    let mut proven: HashSet<Key> = known.into_iter().collect();
    proven.extend(shown::among_chunks(connection, mirror, &unknown)?);
    Ok(proven)
}

/// Keys that nothing is known of but what a foreign key did to rows that only the mirror says were
/// there: neither have chunks shown these rows nor the log. A chunk decides about them.
pub(super) fn unproven(
    connection: &Connection,
    mirror: &MirrorTable,
    tracked: &HashMap<Key, Tracked>,
    rows: &HashMap<Key, RowState>,
) -> Result<HashSet<Key>> {
    let from = |key: &Key, state: &RowState| {
        let left = state.left.first().map(|(left, _)| left);
        state.base.as_ref().or(left).unwrap_or(key).clone()
    };
    let derived: Vec<(&Key, Key)> = rows
        .iter()
        .filter(|(_, state)| state.derived)
        .map(|(key, state)| (key, from(key, state)))
        .filter(|(_, from)| !tracked.contains_key(from))
        .collect();
    let asked: Vec<Key> = derived.iter().map(|(_, from)| from.clone()).collect();
    let shown = shown::among_chunks(connection, mirror, &asked)?;
    let unknown = derived.into_iter().filter(|(_, from)| !shown.contains(from));
    Ok(unknown.map(|(key, _)| key.clone()).collect())
}

/// Leaves those placements out that would only fill cells of rows that are not there: rows that the
/// mirror had lost when the log changed them. They are not written in parts, because events would be
/// made of them; a chunk that has seen the change brings all of each.
pub(super) fn without_parts(
    connection: &Connection,
    mirror: &MirrorTable,
    placements: Vec<Placement>,
) -> Result<Vec<Placement>> {
    let is_part = |(_, cells): &Placement| cells.iter().any(Cell::is_missing);
    let parts = placements.iter().filter(|one| is_part(one));
    let keys: Vec<Key> = parts.map(|(key, _)| key.clone()).collect();
    let present = track::present(connection, mirror, &keys)?;
    // A chunk's own row has its key; what lacks in it are columns that the chunk did not have.
    let is_own = |cells: &[Cell]| {
        mirror.table.key().all(|place| cells.get(place).is_some_and(|cell| !cell.is_missing()))
    };
    let whole = |(key, cells): Placement| {
        let is_part = cells.iter().any(Cell::is_missing) && !present.contains(&key);
        match (is_part, is_own(&cells)) {
            (false, _) => Some((key, cells)),
            (true, false) => None,
            (true, true) => {
                let known = |cell| if matches!(cell, Cell::Missing) { Cell::Null } else { cell };
                Some((key, cells.into_iter().map(known).collect()))
            }
        }
    };
    Ok(placements.into_iter().filter_map(whole).collect())
}

fn what(mirror: &MirrorTable) -> String {
    format!("could not copy {} of {} again", mirror.name(), mirror.source)
}
