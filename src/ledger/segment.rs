//! One file of the journal: entries, and beside them what must agree with them.
//!
//! It does not know which segment is open or when to roll: that is [`super::journal`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, params};

use super::copies::CopyProgress;
use super::sqlite;
use crate::change::{Reached, Table};
use crate::error::{Context, Error, ErrorKind, Result};

/// Names of segment files: the first sequence they may hold, so that the folder sorts by it.
pub(super) fn file_name(first_seq: u64) -> String {
    format!("{first_seq:020}.segment")
}

/// The first sequence a segment file may hold, from its name.
pub(super) fn first_seq_of(path: &Path) -> Option<u64> {
    if path.extension()? != "segment" {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

/// What an entry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Frames of a source's log.
    Log,
    /// A chunk of a copy.
    Copy,
    /// A word of our own: a copy begins or is done, time passes, mappings change.
    Control,
}

impl EntryKind {
    fn code(self) -> i64 {
        match self {
            EntryKind::Log => 0,
            EntryKind::Copy => 1,
            EntryKind::Control => 2,
        }
    }

    fn from_code(code: i64) -> Option<Self> {
        [EntryKind::Log, EntryKind::Copy, EntryKind::Control]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// A journal entry as it is read back.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place in the only order there is across sources.
    pub seq: u64,
    /// Whose it is.
    pub source: String,
    /// What it holds.
    pub kind: EntryKind,
    /// The entry with which its transaction begins; `seq` itself unless the transaction is
    /// larger than one entry.
    pub first: u64,
    /// True if the transaction is whole with this entry.
    pub ends: bool,
    /// When it was journaled, microseconds since 1970-01-01 UTC.
    pub at_micros: i64,
    /// The content.
    pub bytes: bytes::Bytes,
}

/// An entry to be written.
#[derive(Debug)]
pub struct NewEntry<'a> {
    /// Whose it is.
    pub source: &'a str,
    /// What it holds.
    pub kind: EntryKind,
    /// The entry with which its transaction began, if not with this one.
    pub first: Option<u64>,
    /// True if the transaction is whole with this entry.
    pub ends: bool,
    /// Where the source's log continues after it, if it ends a transaction of the log.
    pub reached: Option<&'a Reached>,
    /// The source's log begins anew there: nothing that was known of it counts.
    pub is_anew: bool,
    /// Tables as they are from this entry on.
    pub schemas: &'a [Arc<Table>],
    /// Copies this entry begins, moves on or ends.
    pub copies: &'a [CopyProgress],
    /// The content.
    pub bytes: &'a [u8],
}

impl<'a> NewEntry<'a> {
    /// An entry that is whole by itself and tells nothing of the log.
    #[must_use]
    pub fn own(source: &'a str, kind: EntryKind, bytes: &'a [u8]) -> Self {
        Self {
            source,
            kind,
            first: None,
            ends: true,
            reached: None,
            is_anew: false,
            schemas: &[],
            copies: &[],
            bytes,
        }
    }
}

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    connection: Connection,
    path: PathBuf,
}

impl Segment {
    /// Makes a segment under another name first, so that nobody ever sees half of one.
    pub(super) fn create(path: PathBuf, carried_from: Option<&Segment>) -> Result<Self> {
        let making = path.with_extension("making");
        remove(&making)?;
        let segment = Self { connection: sqlite::open_whole(&making)?, path: making.clone() };
        let schema = include_str!("../../sql/ledger/segment.sql");
        match carried_from {
            None => segment.write(|c| c.execute_batch(schema))?,
            Some(previous) => {
                let previous = previous.path.to_string_lossy().into_owned();
                let what = || format!("could not carry over from {previous}");
                let attach = segment.connection.execute("ATTACH ?1 AS previous", [&previous]);
                attach.context(ErrorKind::Ledger, what)?;
                let carry_over = include_str!("../../sql/ledger/carry_over.sql");
                segment.write(|c| {
                    c.execute_batch(schema)?;
                    c.execute_batch(carry_over)
                })?;
                segment
                    .connection
                    .execute("DETACH previous", [])
                    .context(ErrorKind::Ledger, what)?;
            }
        }
        drop(segment);
        std::fs::rename(&making, &path)
            .context(ErrorKind::Ledger, || format!("could not make {}", path.display()))?;
        Self::open(path)
    }

    pub(super) fn open(path: PathBuf) -> Result<Self> {
        Ok(Self { connection: sqlite::open(&path)?, path })
    }

    pub(super) fn open_reader(path: PathBuf) -> Result<Self> {
        Ok(Self { connection: sqlite::open_reader(&path)?, path })
    }

    /// Writes an entry and everything that must agree with it in one durable transaction.
    pub(super) fn append(&self, seq: u64, at_micros: i64, entry: &NewEntry<'_>) -> Result<()> {
        self.write(|c| {
            c.prepare_cached(
                "INSERT INTO entry (seq, source, kind, first, ends, position, at, bytes)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                seq,
                entry.source,
                entry.kind.code(),
                entry.first.unwrap_or(seq),
                entry.ends,
                entry.reached.map(|reached| reached.position.to_string()),
                at_micros,
                entry.bytes,
            ])?;
            for table in entry.schemas {
                let body = serde_json::to_string(table.as_ref())
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
                c.prepare_cached(
                    "INSERT INTO schema_history (source, table_id, seq, body) VALUES (?1, ?2, \
                        ?3, ?4)",
                )?
                .execute(params![entry.source, table.id.to_string(), seq, body])?;
            }
            for copy in entry.copies {
                c.prepare_cached(
                    "INSERT OR REPLACE INTO copy_progress
                     (source, table_name, next_after, state, row_count) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    entry.source,
                    copy.table,
                    copy.place(),
                    copy.code(),
                    copy.row_count
                ])?;
            }
            if entry.is_anew {
                c.prepare_cached("DELETE FROM source_position WHERE source = ?1")?
                    .execute([entry.source])?;
            }
            if let Some(reached) = entry.reached.filter(|_| entry.ends) {
                set_position(c, entry.source, reached)?;
            }
            crate::failpoint::reach("before-journal-commit");
            Ok(())
        })
    }

    pub(super) fn record_position(&self, source: &str, reached: &Reached) -> Result<()> {
        self.write(|c| set_position(c, source, reached))
    }

    pub(super) fn reached(&self, source: &str) -> Result<Option<Reached>> {
        let found: Option<(String, Option<String>)> = self.read("a position", |c| {
            c.prepare_cached("SELECT position, witness FROM source_position WHERE source = ?1")?
                .query_row([source], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })?;
        let whole = |(text, witness): (String, _)| Ok(Reached { position: text.parse()?, witness });
        found.map(whole).transpose()
    }

    pub(super) fn copies(&self, source: &str) -> Result<Vec<CopyProgress>> {
        self.read("copy progress", |c| {
            c.prepare_cached(
                "SELECT table_name, state, next_after, row_count FROM copy_progress
                 WHERE source = ?1 ORDER BY table_name",
            )?
            .query_map([source], |row| {
                let (table, code) = (row.get(0)?, row.get(1)?);
                let place = row.get(2)?;
                CopyProgress::of_code(table, code, place, row.get(3)?).ok_or_else(|| {
                    let what = "where a copy goes on cannot be read".into();
                    rusqlite::Error::FromSqlConversionFailure(2, Type::Blob, what)
                })
            })?
            .collect()
        })
    }

    /// Bytes of content, with a little for each row.
    pub(super) fn content_bytes(&self) -> Result<u64> {
        self.read("its size", |c| {
            c.query_row("SELECT coalesce(sum(length(bytes) + 256), 0) FROM entry", [], |row| {
                row.get(0)
            })
        })
    }

    pub(super) fn forget_copy(&self, source: &str, table: &str) -> Result<()> {
        self.write(|c| {
            c.execute(
                "DELETE FROM copy_progress WHERE source = ?1 AND table_name = ?2",
                params![source, table],
            )
            .map(drop)
        })
    }

    pub(super) fn last_seq(&self) -> Result<Option<u64>> {
        self.read("the last entry", |c| {
            c.query_row("SELECT max(seq) FROM entry", [], |row| row.get(0))
        })
    }

    /// The newest entry of each source here: (source, seq, first, ends).
    pub(super) fn newest(&self) -> Result<Vec<(String, u64, u64, bool)>> {
        self.read("the newest entries", |c| {
            c.prepare_cached(
                "SELECT source, seq, first, ends FROM entry
                 WHERE seq IN (SELECT max(seq) FROM entry GROUP BY source)",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect()
        })
    }

    /// Removes the parts of a transaction that has no end, with the schemas they brought. The
    /// source sends them again.
    pub(super) fn drop_parts(&self, source: &str, first: u64) -> Result<()> {
        self.write(|c| {
            c.execute(
                "DELETE FROM schema_history WHERE source = ?1 AND seq >= ?2",
                params![source, first],
            )?;
            c.execute("DELETE FROM entry WHERE source = ?1 AND first = ?2", params![source, first])
                .map(drop)
        })
    }

    /// Entries after `after`, in order, until `bytes_max` are exceeded. Parts that end nothing
    /// come without their bytes: they are read with their transaction's end.
    pub(super) fn entries(&self, after: u64, upto: u64, bytes_max: usize) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut bytes = 0_usize;
        self.read("entries", |c| {
            let mut statement = c.prepare_cached(
                "SELECT seq, source, kind, first, ends, at, iif(ends, bytes, x'')
                 FROM entry WHERE seq > ?1 AND seq <= ?2 ORDER BY seq",
            )?;
            let mut rows = statement.query(params![after, upto.min(i64::MAX.unsigned_abs())])?;
            while let Some(row) = rows.next()? {
                let entry = read_entry(row)?;
                bytes += entry.bytes.len();
                entries.push(entry);
                if bytes >= bytes_max {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(entries)
    }

    /// The parts that lie here of the transaction of `source` that begins with `first`: in
    /// `(after, before)`, in order, until `bytes_max` are reached; at least one, if there is any.
    pub(super) fn parts(
        &self,
        source: &str,
        first: u64,
        (after, before): (u64, u64),
        bytes_max: usize,
    ) -> Result<Vec<Entry>> {
        let mut parts = Vec::new();
        let mut bytes = 0_usize;
        self.read("parts of a transaction", |c| {
            let mut statement = c.prepare_cached(
                "SELECT seq, source, kind, first, ends, at, bytes FROM entry
                 WHERE source = ?1 AND first = ?2 AND seq > ?3 AND seq < ?4 ORDER BY seq",
            )?;
            let mut rows = statement.query(params![source, first, after, before])?;
            while let Some(row) = rows.next()? {
                let part = read_entry(row)?;
                bytes += part.bytes.len();
                parts.push(part);
                if bytes >= bytes_max {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(parts)
    }

    /// Bytes of those parts that lie here before the entry `before`.
    pub(super) fn part_bytes(&self, source: &str, first: u64, before: u64) -> Result<u64> {
        self.read("the size of a transaction", |c| {
            c.prepare_cached(
                "SELECT coalesce(sum(length(bytes)), 0) FROM entry
                 WHERE source = ?1 AND first = ?2 AND seq >= ?2 AND seq < ?3",
            )?
            .query_row(params![source, first, before], |row| row.get(0))
        })
    }

    /// The first entry of the transactions that are larger than one entry and have parts here after
    /// the entry `after`.
    pub(super) fn first_spanning(&self, after: u64) -> Result<Option<u64>> {
        self.read("where transactions begin", |c| {
            c.query_row(
                "SELECT min(first) FROM entry WHERE first < seq AND seq > ?1",
                [after],
                |row| row.get(0),
            )
        })
    }

    /// Tables of a source as they were just before the entry `seq`.
    pub(super) fn tables_before(&self, source: &str, seq: u64) -> Result<Vec<Table>> {
        let bodies: Vec<String> = self.read("the schema history", |c| {
            c.prepare_cached(
                "SELECT body FROM schema_history WHERE source = ?1 AND seq < ?2 ORDER BY seq",
            )?
            .query_map(params![source, seq], |row| row.get(0))?
            .collect()
        })?;
        bodies
            .iter()
            .map(|body| {
                serde_json::from_str(body).context(ErrorKind::Ledger, || {
                    format!("the schema history of {source} is damaged before entry {seq}")
                })
            })
            .collect()
    }

    /// Runs `work` in one durable transaction.
    fn write(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<()>) -> Result<()> {
        let run = || {
            let transaction = self.connection.unchecked_transaction()?;
            work(&transaction)?;
            transaction.commit()
        };
        run().map_err(|error| {
            Error::new(ErrorKind::Ledger, format!("could not write {}", self.path.display()))
                .caused_by(error)
                .hint("free disk space; capture goes on by itself and nothing is lost")
        })
    }

    fn read<T>(
        &self,
        what: &str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        work(&self.connection).context(ErrorKind::Ledger, || {
            format!("could not read {what} from {}", self.path.display())
        })
    }
}

/// Removes a segment's file with what SQLite keeps beside it.
pub(super) fn remove(path: &Path) -> Result<()> {
    for suffix in ["-wal", "-shm", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::new(
                    ErrorKind::Ledger,
                    format!("could not remove {}", path.display()),
                )
                .caused_by(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A position that knows of no new witness forgets none: an older transaction still tells.
fn set_position(c: &Connection, source: &str, reached: &Reached) -> rusqlite::Result<()> {
    c.prepare_cached(
        "INSERT INTO source_position (source, position, witness) VALUES (?1, ?2, ?3)
         ON CONFLICT (source) DO UPDATE SET
            witness = coalesce(excluded.witness, witness), position = excluded.position",
    )?
    .execute(params![source, reached.position.to_string(), reached.witness])
    .map(drop)
}

fn read_entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let code: i64 = row.get(2)?;
    let bytes: Vec<u8> = row.get(6)?;
    Ok(Entry {
        seq: row.get(0)?,
        source: row.get(1)?,
        kind: EntryKind::from_code(code)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(2, code))?,
        first: row.get(3)?,
        ends: row.get(4)?,
        at_micros: row.get(5)?,
        bytes: bytes.into(),
    })
}
