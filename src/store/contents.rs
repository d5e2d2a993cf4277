//! Rows of tables without a key, by what they hold: how many equals the mirror has of each, and, while a
//! table is copied, what the log did and what the mirror owes.
//!
//! ```text
//!  track."moved:…"  what the log did since the copy began, by content and transaction
//!  track."scan:…"   the reading of the table that is under way, what it sees, its parts so far
//!  track."owed:…"   rows that the log took away and no part has brought yet
//! ```
//! It decides nothing: `mirror::keyless` does.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray, UInt64Array};
use bytes::BytesMut;
use duckdb::{Connection, OptionalExt, params};

use super::collapse::{Moved, Step, Swept};
use super::execute;
use super::mirror::{MirrorTable, qualified};
use super::stage::{batch_of, key_from_text, key_text};
use super::types::quoted;
use crate::change::keyless::{Content, OWN_NAMES};
use crate::change::{Cell, Visibility, tuple};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::store::refusal::InStore;

/// A reading of the table, as far as its parts are conformed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scan {
    /// Its name.
    pub(super) scan: String,
    /// The part that is due.
    pub(super) next: u64,
    /// What its snapshot could see.
    pub(super) visibility: Visibility,
    /// Its last part is there.
    pub(super) is_whole: bool,
}

/// Equals by the hash of what they hold.
pub(super) type Counts = HashMap<String, u64>;

fn bare_name(mirror: &MirrorTable, what: &str) -> String {
    format!("{what}:{}.{}", mirror.source, mirror.mirror)
}

fn name(mirror: &MirrorTable, what: &str) -> String {
    format!("track.{}", quoted(&bare_name(mirror, what)))
}

fn what(mirror: &MirrorTable) -> String {
    format!("could not follow the rows of {}", mirror.name())
}

fn damaged(mirror: &MirrorTable) -> Error {
    Error::new(ErrorKind::Store, format!("what is tracked for {} is damaged", mirror.name()))
        .hint("copy the table again")
}

/// A copy begins: nothing is known.
pub(super) fn create(connection: &Connection, mirror: &MirrorTable) -> Result<()> {
    remove(connection, mirror)?;
    for (table, columns) in [
        (
            "moved",
            // Without `more`: what a foreign key did to rows that refer by the values in `content`.
            "number BIGINT, content VARCHAR, more BIGINT, transaction VARCHAR, time BIGINT,
             places VARCHAR, became VARCHAR, ignores_case BOOLEAN",
        ),
        ("scan", "scan VARCHAR, next UBIGINT, visibility VARCHAR, whole BOOLEAN"),
        ("owed", "row VARCHAR, count UBIGINT, content VARCHAR"),
    ] {
        let sql = format!("CREATE TABLE {} ({columns})", name(mirror, table));
        execute(connection, &sql, || what(mirror))?;
    }
    Ok(())
}

/// The copy is over.
pub(super) fn remove(connection: &Connection, mirror: &MirrorTable) -> Result<()> {
    for table in ["moved", "scan", "owed"] {
        let sql = format!("DROP TABLE IF EXISTS {}", name(mirror, table));
        execute(connection, &sql, || what(mirror))?;
    }
    Ok(())
}

/// The table was truncated: what was before does not matter any more.
pub(super) fn forget_moved(connection: &Connection, mirror: &MirrorTable) -> Result<()> {
    execute(connection, &format!("DELETE FROM {}", name(mirror, "moved")), || what(mirror))
        .map(drop)
}

/// No row is owed any more.
pub(super) fn forget_owed(connection: &Connection, mirror: &MirrorTable) -> Result<()> {
    execute(connection, &format!("DELETE FROM {}", name(mirror, "owed")), || what(mirror)).map(drop)
}

/// Keeps what the log did, in its order, for readings that may not see it.
pub(super) fn keep(connection: &Connection, mirror: &MirrorTable, steps: &[&Step]) -> Result<()> {
    let sql = format!("SELECT coalesce(max(number), 0) FROM {}", name(mirror, "moved"));
    let last: i64 = connection.query_row(&sql, [], |row| row.get(0)).in_store(|| what(mirror))?;
    let kept: Vec<Kept> = steps.iter().filter_map(|step| Kept::of(step)).collect();
    let numbers: Int64Array = (last + 1..).zip(&kept).map(|(number, _)| Some(number)).collect();
    fn texts<'a>(kept: &'a [Kept], of: impl Fn(&'a Kept) -> Option<&'a String>) -> ArrayRef {
        Arc::new(kept.iter().map(of).collect::<StringArray>())
    }
    let more: Int64Array = kept.iter().map(|one| one.more).collect();
    let times: Int64Array = kept.iter().map(|one| Some(one.time_micros)).collect();
    let ignores: BooleanArray = kept.iter().map(|one| one.ignores_case).collect();
    let arrays: [ArrayRef; 8] = [
        Arc::new(numbers),
        texts(&kept, |one| Some(&one.content)),
        Arc::new(more),
        texts(&kept, |one| Some(&one.transaction)),
        Arc::new(times),
        texts(&kept, |one| one.places.as_ref()),
        texts(&kept, |one| one.became.as_ref()),
        Arc::new(ignores),
    ];
    append(connection, mirror, "moved", arrays.into())
}

/// A step as it is kept.
#[derive(Debug)]
struct Kept {
    content: String,
    more: Option<i64>,
    transaction: String,
    time_micros: i64,
    places: Option<String>,
    became: Option<String>,
    ignores_case: Option<bool>,
}

impl Kept {
    /// `None` for what is derived once more from the rest.
    fn of(step: &Step) -> Option<Self> {
        Some(match step {
            Step::Moved(one) if !one.derived => Self {
                content: key_text(&one.content),
                more: Some(one.more),
                transaction: one.transaction.to_string(),
                time_micros: one.time_micros,
                places: None,
                became: None,
                ignores_case: None,
            },
            Step::Swept(one) => {
                let places: Vec<String> = one.places.iter().map(ToString::to_string).collect();
                Self {
                    content: cells_text(&one.values),
                    more: None,
                    transaction: one.transaction.to_string(),
                    time_micros: one.time_micros,
                    places: Some(places.join(",")),
                    became: one.became.as_deref().map(cells_text),
                    ignores_case: Some(one.ignores_case),
                }
            }
            Step::Moved(_) | Step::Lost => return None,
        })
    }

    fn read(row: &duckdb::Row<'_>) -> duckdb::Result<Self> {
        Ok(Self {
            content: row.get(0)?,
            more: row.get(1)?,
            transaction: row.get(2)?,
            time_micros: row.get(3)?,
            places: row.get(4)?,
            became: row.get(5)?,
            ignores_case: row.get(6)?,
        })
    }

    /// `None` if it is damaged.
    fn step(self) -> Option<Step> {
        let transaction = self.transaction.parse().ok()?;
        let (content, time_micros) = (key_from_text(&self.content)?, self.time_micros);
        if let Some(more) = self.more {
            let (derived, hash) = (false, None);
            let moved = Moved { content, more, transaction, time_micros, derived, hash };
            return Some(Step::Moved(moved));
        }
        let places: std::result::Result<_, _> = self.places?.split(',').map(str::parse).collect();
        Some(Step::Swept(Swept {
            places: places.ok()?,
            values: tuple::read_row(&mut content.clone())?,
            ignores_case: self.ignores_case?,
            became: match self.became {
                Some(text) => Some(tuple::read_row(&mut key_from_text(&text)?)?),
                None => None,
            },
            transaction,
            time_micros,
        }))
    }
}

fn cells_text(cells: &[Cell]) -> String {
    let mut bytes = BytesMut::new();
    tuple::write_row(&mut bytes, cells);
    key_text(&bytes)
}

/// What the log did that a reading does not see, in its order. The rest is forgotten: later readings see it, too.
pub(super) fn unseen(
    connection: &Connection,
    mirror: &MirrorTable,
    visibility: &Visibility,
) -> Result<Vec<Step>> {
    let table = name(mirror, "moved");
    let sql = format!("SELECT DISTINCT transaction FROM {table}");
    let mut statement = connection.prepare(&sql).in_store(|| what(mirror))?;
    let texts = statement.query_map([], |row| row.get::<_, String>(0));
    let texts: Vec<String> = texts.and_then(Iterator::collect).in_store(|| what(mirror))?;
    let mut seen = Vec::new();
    for text in &texts {
        if visibility.sees(text.parse()?)? {
            seen.push(text);
        }
    }
    if !seen.is_empty() {
        ask(connection, mirror, &seen)?;
        let sql =
            format!("DELETE FROM {table} WHERE transaction IN (SELECT text FROM temp.main.asked)");
        execute(connection, &sql, || what(mirror))?;
    }
    steps(connection, mirror, "true")
}

/// What foreign keys did that a reading does not see, in the order of the log.
pub(super) fn sweeps(
    connection: &Connection,
    mirror: &MirrorTable,
    visibility: &Visibility,
) -> Result<Vec<Swept>> {
    let mut unseen = Vec::new();
    for step in steps(connection, mirror, "more IS NULL")? {
        let Step::Swept(one) = step else { continue };
        if !visibility.sees(one.transaction)? {
            unseen.push(one);
        }
    }
    Ok(unseen)
}

fn steps(connection: &Connection, mirror: &MirrorTable, which: &str) -> Result<Vec<Step>> {
    let sql = format!(
        "SELECT content, more, transaction, time, places, became, ignores_case FROM {}
         WHERE {which} ORDER BY number",
        name(mirror, "moved")
    );
    let mut statement = connection.prepare(&sql).in_store(|| what(mirror))?;
    let kept = statement.query_map([], Kept::read).in_store(|| what(mirror))?;
    kept.map(|one| one.in_store(|| what(mirror))?.step().ok_or_else(|| damaged(mirror))).collect()
}

/// The reading that is under way, once a part of it is there.
pub(super) fn scan(connection: &Connection, mirror: &MirrorTable) -> Result<Option<Scan>> {
    let sql = format!("SELECT scan, next, visibility, whole FROM {}", name(mirror, "scan"));
    let read = connection.query_row(&sql, [], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, u64>(1)?,
            row.get::<_, String>(2)?,
            row.get::<_, bool>(3)?,
        ))
    });
    let read = read.optional().in_store(|| what(mirror))?;
    let Some((scan, next, visibility, is_whole)) = read else { return Ok(None) };
    let visibility =
        serde_json::from_str(&visibility).context(ErrorKind::Store, || what(mirror))?;
    Ok(Some(Scan { scan, next, visibility, is_whole }))
}

/// Notes how far a reading is.
pub(super) fn set_scan(connection: &Connection, mirror: &MirrorTable, scan: &Scan) -> Result<()> {
    let table = name(mirror, "scan");
    execute(connection, &format!("DELETE FROM {table}"), || what(mirror))?;
    let visibility =
        serde_json::to_string(&scan.visibility).context(ErrorKind::Bug, || what(mirror))?;
    let values = params![scan.scan, scan.next, visibility, scan.is_whole];
    connection
        .execute(&format!("INSERT INTO {table} VALUES (?, ?, ?, ?)"), values)
        .map(drop)
        .in_store(|| what(mirror))
}

/// How many equals the mirror has of each of these, and how many it owes.
pub(super) fn counts(
    connection: &Connection,
    mirror: &MirrorTable,
    hashes: &[&String],
    is_copied: bool,
) -> Result<(Counts, Counts)> {
    ask(connection, mirror, hashes)?;
    let [row, nth] = OWN_NAMES.map(quoted);
    let standing = format!(
        "SELECT m.{row}::VARCHAR, max(m.{nth})::UBIGINT FROM {} AS m
         WHERE m.{row} IN (SELECT CAST(text AS UUID) FROM temp.main.asked) GROUP BY 1",
        qualified(mirror)
    );
    let standing = read_counts(connection, mirror, &standing)?;
    if !is_copied {
        return Ok((standing, Counts::new()));
    }
    let owed = format!(
        "SELECT row, count FROM {} WHERE row IN (SELECT text FROM temp.main.asked)",
        name(mirror, "owed")
    );
    Ok((standing, read_counts(connection, mirror, &owed)?))
}

/// Writes what is owed of those that [`counts`] was last asked for.
pub(super) fn set_owed(
    connection: &Connection,
    mirror: &MirrorTable,
    owed: &[(&String, u64, &Content)],
) -> Result<()> {
    let sql = format!(
        "DELETE FROM {} WHERE row IN (SELECT text FROM temp.main.asked)",
        name(mirror, "owed")
    );
    execute(connection, &sql, || what(mirror))?;
    let hashes: StringArray = owed.iter().map(|(hash, ..)| Some(hash.as_str())).collect();
    let counts: UInt64Array = owed.iter().map(|(_, count, _)| Some(*count)).collect();
    let contents: StringArray = owed.iter().map(|(.., content)| Some(key_text(content))).collect();
    let arrays: [ArrayRef; 3] = [Arc::new(hashes), Arc::new(counts), Arc::new(contents)];
    append(connection, mirror, "owed", arrays.into())
}

/// All that is owed: hash, content and how many.
pub(super) fn owed(
    connection: &Connection,
    mirror: &MirrorTable,
) -> Result<Vec<(String, Content, i64)>> {
    let sql = format!("SELECT row, content, count::BIGINT FROM {}", name(mirror, "owed"));
    let mut statement = connection.prepare(&sql).in_store(|| what(mirror))?;
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
    });
    let mut owed = Vec::new();
    for row in rows.in_store(|| what(mirror))? {
        let (hash, content, count) = row.in_store(|| what(mirror))?;
        owed.push((hash, key_from_text(&content).ok_or_else(|| damaged(mirror))?, count));
    }
    Ok(owed)
}

/// How many rows are owed in all.
pub(super) fn owed_in_all(connection: &Connection, mirror: &MirrorTable) -> Result<u64> {
    let sql = format!("SELECT coalesce(sum(count), 0)::UBIGINT FROM {}", name(mirror, "owed"));
    connection.query_row(&sql, [], |row| row.get(0)).in_store(|| what(mirror))
}

fn read_counts(connection: &Connection, mirror: &MirrorTable, sql: &str) -> Result<Counts> {
    let mut statement = connection.prepare(sql).in_store(|| what(mirror))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
    rows.and_then(Iterator::collect).in_store(|| what(mirror))
}

/// Fills the temp table `asked`.
fn ask(connection: &Connection, mirror: &MirrorTable, texts: &[&String]) -> Result<()> {
    let sql = "CREATE OR REPLACE TEMP TABLE asked (text VARCHAR)";
    execute(connection, sql, || what(mirror))?;
    let array: StringArray = texts.iter().map(|text| Some(text.as_str())).collect();
    let batch = batch_of(vec![Arc::new(array)], || what(mirror))?;
    let mut appender =
        connection.appender_to_catalog_and_db("asked", "temp", "main").in_store(|| what(mirror))?;
    appender.append_record_batch(batch).in_store(|| what(mirror))?;
    appender.flush().in_store(|| what(mirror))
}

fn append(
    connection: &Connection,
    mirror: &MirrorTable,
    table: &str,
    arrays: Vec<ArrayRef>,
) -> Result<()> {
    if arrays.first().is_none_or(|array| array.is_empty()) {
        return Ok(());
    }
    let batch = batch_of(arrays, || what(mirror))?;
    let mut appender =
        connection.appender_to_db(&bare_name(mirror, table), "track").in_store(|| what(mirror))?;
    appender.append_record_batch(batch).in_store(|| what(mirror))?;
    appender.flush().in_store(|| what(mirror))
}
