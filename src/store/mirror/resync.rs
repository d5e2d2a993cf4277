//! A resync: a table that was copied once is copied again, under the mirror that is there.
//!
//! The mirror goes on: the log is followed, mappings are evaluated, nobody waits. A chunk lies under
//! the log as in the first copy; where a row of it is not what the mirror has, the mirror was wrong
//! and is mended. What neither a chunk nor the log has shown by the end of the copy is not in the
//! source any more: it goes. The keys that were shown are in `track` until then.
//!
//! ```text
//!  begin ─► chunk: rows that differ are staged ─► … ─► end: rows of keys nobody has shown go
//!             log: its keys are shown, too                  ops.resync says how many
//! ```

use std::collections::{HashMap, HashSet};

use duckdb::{Connection, params};

use super::sql::{self, temporary};
use super::{Goes, MirrorState, MirrorTable, Touched, touched};
use crate::change::{Cell, Kind, TableName};
use crate::error::{Error, ErrorKind, Result};
use crate::store::collapse::Key;
use crate::store::overlay::{Placement, Tracked};
use crate::store::reader::Reader;
use crate::store::refusal::InStore;
use crate::store::types::{quoted, typed};
use crate::store::{Store, execute, optional, track};

/// Stands for a time in microseconds in generated SQL.
const TIME: &str = "{time}";
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

/// The resyncs that are under way.
///
/// # Errors
/// [`ErrorKind::Store`].
pub fn under_way(reader: &Reader) -> Result<Vec<Resyncing>> {
    reader.snapshot(|connection| {
        let mirrors = super::Mirrors::load(connection)?;
        let of = |mirror: &MirrorTable| {
            let (rows_read, rows_mended) = counts(connection, mirror)?;
            let (source, table) = (mirror.source.clone(), mirror.name().to_string());
            Ok(Resyncing { source, table, rows_read, rows_mended })
        };
        let all = mirrors.all().filter(|mirror| mirror.state == MirrorState::Resync);
        all.map(of).collect()
    })
}

impl Store {
    /// The table is copied once more. Stages the rows of keys of which the mirror has several: one of
    /// each stays. `None` if its first copy is still under way, or it is not mirrored any more: then
    /// there is nothing to mend.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn begin_resync(
        &mut self,
        source: &str,
        name: &TableName,
        at_micros: i64,
    ) -> Result<Option<Touched>> {
        let mirror = self.mirrors.of(source, name)?.clone();
        if !mirror.state.is_whole() {
            return Ok(None);
        }
        let what = || what(&mirror);
        let keys: Vec<String> = key_names(&mirror).map(|name| format!("{name} VARCHAR")).collect();
        let seen = seen_name(&mirror);
        execute(&self.connection, &format!("DROP TABLE IF EXISTS {seen}"), what)?;
        let create = format!("CREATE TABLE {seen} ({}, shown VARCHAR)", keys.join(", "));
        execute(&self.connection, &create, what)?;
        track::create(&self.connection, &mirror)?;
        self.forget_hidden(&mirror)?;
        let begun = MirrorTable { state: MirrorState::Resync, truncated: None, ..mirror.clone() };
        self.mirrors.put(&self.connection, begun)?;
        for statement in sql::prepare_temporary(&mirror).into_iter().chain(doubled(&mirror)) {
            let statement = statement.replace(TIME, &at_micros.to_string());
            execute(&self.connection, &statement, what)?;
        }
        let removed =
            self.count(&sql::before_name(&mirror))? - self.count(&sql::after_name(&mirror))?;
        self.connection
            .execute(
                "INSERT INTO ops.resync VALUES (?, ?, make_timestamp(?), NULL, NULL, NULL, ?)",
                params![source, name.to_string(), at_micros, removed],
            )
            .in_store(what)?;
        Ok(Some(touched(&mirror, Goes::Before)))
    }

    /// Stages the rows of keys that neither a chunk nor the log has shown: they go. `None` unless
    /// the copy that ends is a resync.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn stage_leftover(
        &mut self,
        source: &str,
        name: &TableName,
        time_micros: i64,
    ) -> Result<Option<Touched>> {
        let mirror = self.mirrors.of(source, name)?;
        if mirror.state != MirrorState::Resync {
            return Ok(None);
        }
        let what = || what(mirror);
        for statement in sql::prepare_temporary(mirror) {
            execute(&self.connection, &statement, what)?;
        }
        let shown = columns_alike(mirror, "m", "s");
        let fill = format!(
            "INSERT INTO {} SELECT m.*, {time_micros} FROM {} AS m \
             WHERE NOT EXISTS (SELECT 1 FROM {} AS s WHERE {shown})",
            sql::before_name(mirror),
            sql::mirror_name(mirror),
            seen_name(mirror),
        );
        execute(&self.connection, &fill, what)?;
        Ok(Some(touched(mirror, Goes::Before)))
    }

    /// The resync is over, but for what [`Store::stage_leftover`] staged and is still to be written.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn note_resync(&self, leftover: &Touched, at_micros: i64) -> Result<()> {
        let (source, table) = (leftover.source.as_str(), leftover.table.to_string());
        let mirror = self.mirrors.of(source, &leftover.table)?;
        let (rows_read, rows_mended) = counts(&self.connection, mirror)?;
        let rows_left = self.count(&temporary(&leftover.before))?;
        let what = || what(mirror);
        let open = "ended_at IS NULL AND source = ? AND table_name = ?";
        let begun = format!(
            "SELECT epoch_us(max(began_at)), coalesce(max(rows_removed), 0) FROM ops.resync \
             WHERE {open}"
        );
        let read = |row: &duckdb::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let (began, removed): (Option<i64>, i64) =
            self.connection.query_row(&begun, params![source, table], read).in_store(what)?;
        let rows_removed = removed + rows_left;
        let end = format!("DELETE FROM ops.resync WHERE {open}");
        self.connection.execute(&end, params![source, table]).in_store(what)?;
        self.connection
            .execute(
                "INSERT INTO ops.resync
                 VALUES (?, ?, make_timestamp(?), make_timestamp(?), ?, ?, ?)",
                params![source, table, began, at_micros, rows_read, rows_mended, rows_removed],
            )
            .in_store(what)?;
        tracing::info!(source, table, rows_read, rows_mended, rows_removed, "a resync is done");
        Ok(())
    }

    fn count(&self, table: &str) -> Result<i64> {
        let what = || format!("could not count rows of {table}");
        let sql = format!("SELECT count(*) FROM {table}");
        Ok(optional(&self.connection, &sql, what)?.unwrap_or(0))
    }
}

/// Fills the temp tables with the rows of doubled keys, and with one of each. A replay must choose the
/// same.
fn doubled(mirror: &MirrorTable) -> Vec<String> {
    let (before, after) = (sql::before_name(mirror), sql::after_name(mirror));
    let key: Vec<String> = mirror
        .table
        .key()
        .filter_map(|place| mirror.table.columns.get(place))
        .map(|column| quoted(&column.name))
        .collect();
    let all: Vec<String> = mirror.table.columns.iter().map(|column| quoted(&column.name)).collect();
    let (key, all) = (key.join(", "), all.join(", "));
    let of = sql::mirror_name(mirror);
    vec![
        format!(
            "INSERT INTO {before} SELECT *, {TIME} FROM {of} WHERE ({key}) IN \
             (SELECT ({key}) FROM {of} GROUP BY {key} HAVING count(*) > 1)"
        ),
        format!(
            "INSERT INTO {after} SELECT * FROM {before} \
             QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {all}) = 1"
        ),
    ]
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
    let alike = mirror.table.key().enumerate();
    let alike = alike.map(|(rank, _)| format!("m.k{rank} = CAST(v.k{rank} AS VARCHAR)"));
    let alike = format!("m.shown <> 'log' AND {}", alike.collect::<Vec<_>>().join(" AND "));
    let (mut proven, unknown): (HashSet<Key>, Vec<Key>) = {
        let (known, unknown): (Vec<Key>, Vec<Key>) =
            keys.into_iter().partition(|key| tracked.contains_key(key));
        (known.into_iter().collect(), unknown)
    };
    let seen = seen_name(mirror);
    proven.extend(track::found_in(connection, mirror, &unknown, &seen, &alike)?);
    Ok(proven)
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
    let stays = |one: &Placement| !is_part(one) || present.contains(&one.0);
    Ok(placements.into_iter().filter(stays).collect())
}

/// The log has shown the staged keys: what chunks show of them, or do not, is older.
pub(super) fn shown_by_log(connection: &Connection, mirror: &MirrorTable) -> Result<()> {
    let show = format!(
        "INSERT INTO {} SELECT {}, 'log' FROM {} AS s",
        seen_name(mirror),
        staged_keys(mirror).join(", "),
        temporary(&sql::stage_name(mirror)),
    );
    execute(connection, &show, || what(mirror)).map(drop)
}

/// A chunk has shown the staged keys. Takes out what the mirror has as it is; false if that was
/// everything. A key under which the mirror has several rows has none as it is.
pub(super) fn shown_by_chunk(connection: &Connection, mirror: &MirrorTable) -> Result<bool> {
    let what = || what(mirror);
    let stage = temporary(&sql::stage_name(mirror));
    let (before, after) = (sql::before_name(mirror), sql::after_name(mirror));
    let keys = key_names(mirror).collect::<Vec<_>>().join(", ");
    let (row, key) = (comparable(mirror), keys_as_text(mirror, "r"));
    let same = temporary("same");
    let mut statements = vec![format!(
        "CREATE OR REPLACE TEMP TABLE same AS SELECT {keys} FROM \
         (SELECT {row} FROM {before} AS r INTERSECT SELECT {row} FROM {after} AS r) \
         EXCEPT SELECT {} FROM {before} AS r GROUP BY ALL HAVING count(*) > 1",
        key.join(", "),
    )];
    for table in [&before, &after] {
        let alike = columns_alike(mirror, "r", "s");
        statements.push(format!("DELETE FROM {table} AS r USING {same} AS s WHERE {alike}"));
    }
    let pairs = staged_keys(mirror).into_iter().zip(key_names(mirror));
    let alike: Vec<String> = pairs.map(|(staged, key)| format!("{staged} = q.{key}")).collect();
    let alike = alike.join(" AND ");
    statements.push(format!("DELETE FROM {stage} AS s USING {same} AS q WHERE {alike}"));
    let seen = seen_name(mirror);
    statements.push(format!("INSERT INTO {seen} SELECT *, 'same' FROM {same}"));
    let staged = staged_keys(mirror).join(", ");
    statements.push(format!("INSERT INTO {seen} SELECT {staged}, 'mended' FROM {stage} AS s"));
    statements.push(format!("DROP TABLE {same}"));
    for statement in statements {
        execute(connection, &statement, what)?;
    }
    let left: Option<i64> = optional(connection, &format!("SELECT count(*) FROM {stage}"), what)?;
    Ok(left.unwrap_or(0) > 0)
}

/// The copy is over: forgets which keys were shown.
pub(super) fn forget(connection: &Connection, mirror: &MirrorTable) -> Result<()> {
    let sql = format!("DROP TABLE IF EXISTS {}", seen_name(mirror));
    execute(connection, &sql, || what(mirror)).map(drop)
}

/// Rows of chunks, and those of them that were mended.
fn counts(connection: &Connection, mirror: &MirrorTable) -> Result<(u64, u64)> {
    let sql = format!(
        "SELECT count(*) FILTER (shown <> 'log'), count(*) FILTER (shown = 'mended') FROM {}",
        seen_name(mirror)
    );
    let number = |count: i64| u64::try_from(count).unwrap_or(0);
    connection
        .query_row(&sql, [], |row| Ok((number(row.get(0)?), number(row.get(1)?))))
        .in_store(|| what(mirror))
}

/// The table of keys that were shown. No source's name holds a colon.
fn seen_name(mirror: &MirrorTable) -> String {
    format!("track.{}", quoted(&format!("seen:{}.{}", mirror.source, mirror.mirror)))
}

fn key_names(mirror: &MirrorTable) -> impl Iterator<Item = String> + '_ {
    mirror.table.key().enumerate().map(|(rank, _)| format!("k{rank}"))
}

/// The key of a row `alias` as text. Text, because a column may become text meanwhile.
fn keys_as_text(mirror: &MirrorTable, alias: &str) -> Vec<String> {
    let columns = mirror.table.key().filter_map(|place| mirror.table.columns.get(place));
    columns.map(|column| format!("CAST({alias}.{} AS VARCHAR)", quoted(&column.name))).collect()
}

/// The same of a row staged as `s`.
fn staged_keys(mirror: &MirrorTable) -> Vec<String> {
    let places = mirror.table.key();
    let staged = |place: usize| {
        let column = mirror.table.columns.get(place)?;
        Some(format!("CAST({} AS VARCHAR)", typed(column.kind, &format!("s.c{place}"))))
    };
    places.filter_map(staged).collect()
}

/// The row `alias` has the key that is kept as text in `other`.
fn columns_alike(mirror: &MirrorTable, alias: &str, other: &str) -> String {
    let keys = keys_as_text(mirror, alias).into_iter().zip(key_names(mirror));
    let pairs: Vec<String> = keys.map(|(mine, name)| format!("{mine} = {other}.{name}")).collect();
    pairs.join(" AND ")
}

/// All columns of a row `r`, the key first, so that two rows are equal if these are. Where DuckDB
/// calls different values equal (−0 and 0, a month and 30 days), their texts count.
fn comparable(mirror: &MirrorTable) -> String {
    let keys = keys_as_text(mirror, "r").into_iter().zip(key_names(mirror));
    let keys = keys.map(|(text, name)| format!("{text} AS {name}"));
    let others = mirror.table.columns.iter().filter(|column| column.key.is_none());
    let others = others.map(|column| {
        let name = quoted(&column.name);
        match column.kind {
            Kind::Float4 | Kind::Float8 | Kind::Interval => format!("CAST(r.{name} AS VARCHAR)"),
            _ => format!("r.{name}"),
        }
    });
    keys.chain(others).collect::<Vec<_>>().join(", ")
}

fn what(mirror: &MirrorTable) -> String {
    format!("could not copy {} of {} again", mirror.name(), mirror.source)
}

/// The mirror has no table of this name, or one that cannot be copied again.
///
/// # Errors
/// [`ErrorKind::Usage`], with the tables that there are.
pub fn find(reader: &Reader, source: &str, table: &str) -> Result<TableName> {
    let mirrors = reader.snapshot(super::Mirrors::load)?;
    let is_it = |mirror: &&MirrorTable| {
        let name = mirror.name();
        name.to_string() == table || name.name == table || mirror.mirror == table
    };
    let found: Vec<&MirrorTable> = mirrors.of_source(source).filter(is_it).collect();
    match found.as_slice() {
        [one] if one.state.is_whole() => Ok(one.name().clone()),
        [one] => {
            let what = format!("{} of {source} is being copied for the first time", one.name());
            Err(Error::new(ErrorKind::Usage, what).hint("see `trueup status`; ask again then"))
        }
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
