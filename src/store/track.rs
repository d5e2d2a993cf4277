//! While a table is copied: per key, what the log did to it. Kept in the store, so that the
//! decision of [`super::overlay`] is repeatable after a crash, and dropped with the copy's end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use duckdb::Connection;

use super::collapse::Key;
use super::execute;
use super::mirror::MirrorTable;
use super::overlay::Tracked;
use super::stage::{batch_of, key_from_text, key_text, staged_text};
use super::types::{fits, literal, quoted, sql_type, tried};
use crate::change::{Cell, tuple};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::store::refusal::InStore;

/// Keys that are looked up in one statement.
const KEYS_AT_ONCE: usize = 500;

/// A key and what the log did to it.
pub(super) type TrackRow = (Key, Tracked);

fn bare_name(mirror: &MirrorTable) -> String {
    format!("{}.{}", mirror.source, mirror.mirror)
}

fn name(mirror: &MirrorTable) -> String {
    format!("track.{}", quoted(&bare_name(mirror)))
}

/// Makes an empty track for a copy that begins.
pub(super) fn create(connection: &Connection, mirror: &MirrorTable) -> Result<()> {
    remove(connection, mirror)?;
    let sql = format!(
        "CREATE TABLE {} (row_key VARCHAR, transaction VARCHAR, gone BOOLEAN,
         missing VARCHAR, moves VARCHAR)",
        name(mirror)
    );
    execute(connection, &sql, || what(mirror)).map(drop)
}

/// The copy is done: forgets everything.
pub(super) fn remove(connection: &Connection, mirror: &MirrorTable) -> Result<()> {
    let sql = format!("DROP TABLE IF EXISTS {}", name(mirror));
    execute(connection, &sql, || what(mirror)).map(drop)
}

/// The table was truncated: forgets every key.
pub(super) fn forget_all(connection: &Connection, mirror: &MirrorTable) -> Result<()> {
    execute(connection, &format!("DELETE FROM {}", name(mirror)), || what(mirror)).map(drop)
}

/// Writes what the log did to keys, in place of what was known.
pub(super) fn write(
    connection: &Connection,
    mirror: &MirrorTable,
    rows: &[TrackRow],
) -> Result<()> {
    delete_keys(connection, mirror, rows.iter().map(|(key, _)| key))?;
    let keys: StringArray = rows.iter().map(|(key, _)| Some(key_text(key))).collect();
    let by: StringArray = rows.iter().map(|(_, t)| Some(t.transaction.to_string())).collect();
    let gone: BooleanArray = rows.iter().map(|(_, t)| Some(t.gone)).collect();
    let missing: StringArray = rows.iter().map(|(_, t)| places_text(&t.missing)).collect();
    let moves: StringArray = rows.iter().map(|(_, t)| moves_text(t)).collect();
    let arrays: Vec<ArrayRef> =
        vec![Arc::new(keys), Arc::new(by), Arc::new(gone), Arc::new(missing), Arc::new(moves)];
    let batch = batch_of(arrays, || what(mirror))?;
    let mut appender =
        connection.appender_to_db(&bare_name(mirror), "track").in_store(|| what(mirror))?;
    appender.append_record_batch(batch).in_store(|| what(mirror))?;
    appender.flush().in_store(|| what(mirror))
}

/// What is known of `keys`, and of every key whose row lacks cells.
pub(super) fn of_keys<'a>(
    connection: &Connection,
    mirror: &MirrorTable,
    keys: impl Iterator<Item = &'a Key>,
) -> Result<HashMap<Key, Tracked>> {
    stage_keys(connection, keys)?;
    let sql = format!(
        "SELECT row_key, transaction, gone, missing, moves FROM {}
         WHERE missing IS NOT NULL OR row_key IN (SELECT row_key FROM temp.main.asked_keys)",
        name(mirror)
    );
    let mut statement = connection.prepare(&sql).in_store(|| what(mirror))?;
    let rows = statement
        .query_map([], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, bool>(2)?,
                row.get::<_, Option<String>>(3)?,
                row.get::<_, Option<String>>(4)?,
            ))
        })
        .in_store(|| what(mirror))?;
    let mut tracked = HashMap::new();
    for row in rows {
        let (key, by, gone, missing, moves) = row.in_store(|| what(mirror))?;
        let key = key_from_text(&key).ok_or_else(|| damaged(mirror))?;
        let missing = missing.map_or_else(Vec::new, |text| {
            text.split(',').filter_map(|place| place.parse().ok()).collect()
        });
        let left = moves.map_or(Some(Vec::new()), |text| parse_moves(&text));
        let left = left.ok_or_else(|| damaged(mirror))?;
        tracked.insert(key, Tracked { transaction: by.parse()?, gone, missing, left });
    }
    Ok(tracked)
}

/// A chunk completed the rows under these keys.
pub(super) fn forget_missing(
    connection: &Connection,
    mirror: &MirrorTable,
    keys: &[Key],
) -> Result<()> {
    stage_keys(connection, keys.iter())?;
    // The keys stay known: chunks of other parts may come that have an older snapshot, and re-reads.
    // Only what they lacked is forgotten.
    let table = name(mirror);
    let statements = [
        format!(
            "CREATE OR REPLACE TEMP TABLE completed AS
             SELECT row_key, transaction, gone, NULL::VARCHAR AS missing, moves FROM {table}
             WHERE missing IS NOT NULL AND row_key IN (SELECT row_key FROM temp.main.asked_keys)"
        ),
        format!("DELETE FROM {table} WHERE row_key IN (SELECT row_key FROM temp.main.completed)"),
        format!("INSERT INTO {table} SELECT * FROM temp.main.completed"),
    ];
    for sql in statements {
        execute(connection, &sql, || what(mirror))?;
    }
    Ok(())
}

/// Columns stand elsewhere by now: `places` says where each one is. What a row lacked of one that is gone,
/// it lacks no more.
pub(super) fn move_places(
    connection: &Connection,
    mirror: &MirrorTable,
    places: &[Option<usize>],
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET missing = nullif({}, '') WHERE missing IS NOT NULL",
        name(mirror),
        moved("missing", places),
    );
    execute(connection, &sql, || what(mirror)).map(drop)
}

/// Places in a text as [`places_text`] writes them, after columns moved.
pub(super) fn moved(text: &str, places: &[Option<usize>]) -> String {
    let to = |place: &Option<usize>| place.map_or("NULL".to_owned(), |place| format!("'{place}'"));
    let to: Vec<String> = places.iter().map(to).collect();
    let to = format!("[{}][CAST(p AS INTEGER) + 1]", to.join(", "));
    format!("array_to_string([{to} FOR p IN string_split({text}, ',') IF {to} IS NOT NULL], ',')")
}

/// Keys whose rows lack cells, decoded.
pub(super) fn lacking_keys(
    connection: &Connection,
    mirror: &MirrorTable,
) -> Result<Vec<Vec<Cell>>> {
    let sql = format!(
        "SELECT row_key FROM {} WHERE missing IS NOT NULL AND NOT gone ORDER BY row_key",
        name(mirror)
    );
    let mut statement = connection.prepare(&sql).in_store(|| what(mirror))?;
    let keys: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .and_then(Iterator::collect)
        .in_store(|| what(mirror))?;
    keys.iter()
        .map(|text| {
            let mut key = key_from_text(text).ok_or_else(|| damaged(mirror))?;
            tuple::read_row(&mut key).ok_or_else(|| damaged(mirror))
        })
        .collect()
}

/// Those of `keys` that have a row in the mirror.
pub(super) fn present(
    connection: &Connection,
    mirror: &MirrorTable,
    keys: &[Key],
) -> Result<HashSet<Key>> {
    let columns = mirror.table.key().filter_map(|place| mirror.table.columns.get(place));
    let alike =
        columns.enumerate().map(|(rank, column)| format!("m.{} = v.k{rank}", quoted(&column.name)));
    let alike = alike.collect::<Vec<_>>().join(" AND ");
    found_in(connection, mirror, keys, &super::mirror::qualified(mirror), &alike)
}

/// Those of `keys`, typed `v.k0, v.k1, …`, for which `table` has a row `m` that is `alike`.
pub(super) fn found_in(
    connection: &Connection,
    mirror: &MirrorTable,
    keys: &[Key],
    table: &str,
    alike: &str,
) -> Result<HashSet<Key>> {
    let mut found = HashSet::new();
    for some in keys.chunks(KEYS_AT_ONCE) {
        let values: Vec<String> =
            some.iter().enumerate().map(|key| numbered(mirror, key)).collect::<Result<_>>()?;
        let names: Vec<String> =
            mirror.table.key().enumerate().map(|(rank, _)| format!("k{rank}")).collect();
        let sql = format!(
            "SELECT v.number FROM (VALUES {}) AS v(number, {}) SEMI JOIN {table} AS m ON {alike}",
            values.join(", "),
            names.join(", "),
        );
        let mut statement = connection.prepare(&sql).in_store(|| what(mirror))?;
        let numbers = statement.query_map([], |row| row.get::<_, i64>(0));
        for number in numbers.in_store(|| what(mirror))? {
            let number = usize::try_from(number.in_store(|| what(mirror))?).unwrap_or(usize::MAX);
            found.extend(some.get(number).cloned());
        }
    }
    Ok(found)
}

/// `(number, key, …)` for VALUES.
fn numbered(mirror: &MirrorTable, (number, key): (usize, &Key)) -> Result<String> {
    let cells = tuple::read_row(&mut key.clone()).ok_or_else(|| damaged(mirror))?;
    let mut values = vec![format!("{number}::BIGINT")];
    for (place, cell) in mirror.table.key().zip(&cells) {
        let Some(column) = mirror.table.columns.get(place) else { continue };
        let bytes = cell.bytes().unwrap_or_default();
        let text = staged_text(column.kind, bytes);
        // A value that the mirror cannot have is not there.
        values.push(match fits(column.kind, bytes) {
            true => tried(column.kind, &literal(&text)),
            false => format!("CAST(NULL AS {})", sql_type(column.kind)),
        });
    }
    Ok(format!("({})", values.join(", ")))
}

fn delete_keys<'a>(
    connection: &Connection,
    mirror: &MirrorTable,
    keys: impl Iterator<Item = &'a Key>,
) -> Result<()> {
    stage_keys(connection, keys)?;
    let sql = format!(
        "DELETE FROM {} WHERE row_key IN (SELECT row_key FROM temp.main.asked_keys)",
        name(mirror)
    );
    execute(connection, &sql, || what(mirror)).map(drop)
}

/// Fills the temp table `asked_keys`.
pub(super) fn stage_keys<'a>(
    connection: &Connection,
    keys: impl Iterator<Item = &'a Key>,
) -> Result<()> {
    let failed = || "could not stage keys".to_owned();
    // Made anew: rows that are only deleted from a temp table keep their memory.
    execute(connection, "CREATE OR REPLACE TEMP TABLE asked_keys (row_key VARCHAR)", failed)?;
    let array: StringArray = keys.map(|key| Some(key_text(key))).collect();
    if array.is_empty() {
        return Ok(());
    }
    let schema = Arc::new(Schema::new(vec![Field::new("row_key", DataType::Utf8, false)]));
    let batch =
        RecordBatch::try_new(schema, vec![Arc::new(array)]).context(ErrorKind::Bug, failed)?;
    let mut appender =
        connection.appender_to_catalog_and_db("asked_keys", "temp", "main").in_store(failed)?;
    appender.append_record_batch(batch).in_store(failed)?;
    appender.flush().in_store(failed)
}

fn places_text(places: &[usize]) -> Option<String> {
    let texts: Vec<String> = places.iter().map(ToString::to_string).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

/// `key@transaction key@transaction`, oldest first.
fn moves_text(tracked: &Tracked) -> Option<String> {
    let moves: Vec<String> =
        tracked.left.iter().map(|(key, by)| format!("{}@{by}", key_text(key))).collect();
    (!moves.is_empty()).then(|| moves.join(" "))
}

fn parse_moves(text: &str) -> Option<Vec<(Key, crate::change::TransactionId)>> {
    text.split(' ')
        .map(|one| {
            let (key, by) = one.split_once('@')?;
            Some((key_from_text(key)?, by.parse().ok()?))
        })
        .collect()
}

fn what(mirror: &MirrorTable) -> String {
    format!("could not follow the copy of {}", mirror.name())
}

fn damaged(mirror: &MirrorTable) -> Error {
    Error::new(ErrorKind::Store, format!("what is tracked for {} is damaged", mirror.name()))
        .hint("copy the table again")
}
