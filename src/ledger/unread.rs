//! What the decoder could not read of a source's log: kept byte for byte, so that a person can look at it
//! and a later version read it.
//!
//! Noted with the batch in which it was met. The store is right without it: its table is copied again.

use rusqlite::{Connection, Row, params};

use super::Ledger;
use crate::error::{Context, ErrorKind, Result};

/// What each counts besides its bytes, so that many small ones are bounded, too.
const OVERHEAD_BYTES: i64 = 4_096;

/// Rows of one message or event of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadRows {
    /// Counts up; 0 before it was noted.
    pub id: u64,
    /// The source.
    pub source: String,
    /// The table, as the source names it.
    pub table: String,
    /// Where the source's log continues after its transaction.
    pub position: String,
    /// The journal entry with which its transaction ends.
    pub seq: u64,
    /// When that was committed at the source, microseconds since 1970-01-01 UTC.
    pub at_micros: i64,
    /// Why, in words.
    pub why: String,
    /// Frames for [`read_again`](crate::source::decode::read_again).
    pub frames: Vec<u8>,
}

impl Ledger {
    /// What could not be read of `source`, or of all; the oldest first.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn unread(&self, source: Option<&str>) -> Result<Vec<UnreadRows>> {
        let what = || "could not list what could not be read".to_owned();
        self.lock()?
            .prepare_cached(
                "SELECT id, source, table_name, position, seq, at, why, frames FROM unread
                 WHERE ?1 IS NULL OR source = ?1 ORDER BY id",
            )
            .and_then(|mut statement| statement.query_map([source], read)?.collect())
            .context(ErrorKind::Ledger, what)
    }

    /// Those of transactions that end with these journal entries, in the order in which they were met.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn unread_within(&self, first: u64, last: u64) -> Result<Vec<UnreadRows>> {
        let what = || "could not list what a batch could not read".to_owned();
        self.lock()?
            .prepare_cached(
                "SELECT id, source, table_name, position, seq, at, why, frames FROM unread
                 WHERE seq BETWEEN ?1 AND ?2 ORDER BY id",
            )
            .and_then(|mut statement| statement.query_map([first, last], read)?.collect())
            .context(ErrorKind::Ledger, what)
    }

    /// How many there are of `source`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn count_unread(&self, source: &str) -> Result<u64> {
        self.lock()?
            .prepare_cached("SELECT count(*) FROM unread WHERE source = ?1")
            .and_then(|mut statement| statement.query_row([source], |row| row.get(0)))
            .context(ErrorKind::Ledger, || "could not count what could not be read".to_owned())
    }

    /// Forgets those of `source`, or of all, up to one of them. Returns how many there were.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn forget_unread(&self, source: Option<&str>, upto: u64) -> Result<usize> {
        self.lock()?
            .execute(
                "DELETE FROM unread WHERE (?1 IS NULL OR source = ?1) AND id <= ?2",
                params![source, upto],
            )
            .context(ErrorKind::Ledger, || "could not forget what could not be read".to_owned())
    }
}

/// Notes them within a transaction. The oldest go where all together are larger than `bytes_max`; the
/// newest stays.
pub(super) fn note(
    connection: &Connection,
    unread: &[UnreadRows],
    bytes_max: u64,
) -> rusqlite::Result<()> {
    if unread.is_empty() {
        return Ok(());
    }
    let mut insert = connection.prepare_cached(
        "INSERT INTO unread (source, table_name, position, seq, at, why, frames)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for one in unread {
        insert.execute(params![
            one.source,
            one.table,
            one.position,
            one.seq,
            one.at_micros,
            one.why,
            one.frames
        ])?;
    }
    let bytes_max = i64::try_from(bytes_max).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "DELETE FROM unread WHERE id < (SELECT max(id) FROM unread) AND id IN
             (SELECT id FROM
               (SELECT id, sum(length(frames) + ?1) OVER (ORDER BY id DESC) AS bytes FROM unread)
              WHERE bytes > ?2)",
        )?
        .execute(params![OVERHEAD_BYTES, bytes_max])
        .map(drop)
}

fn read(row: &Row<'_>) -> rusqlite::Result<UnreadRows> {
    Ok(UnreadRows {
        id: row.get(0)?,
        source: row.get(1)?,
        table: row.get(2)?,
        position: row.get(3)?,
        seq: row.get(4)?,
        at_micros: row.get(5)?,
        why: row.get(6)?,
        frames: row.get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(source: &str, seq: u64, size: usize) -> UnreadRows {
        UnreadRows {
            id: 0,
            source: source.to_owned(),
            table: "public.t".to_owned(),
            position: format!("lsn:0/{seq}"),
            seq,
            at_micros: 1,
            why: "cut short".to_owned(),
            frames: vec![7; size],
        }
    }

    #[test]
    fn the_oldest_go_when_there_is_no_room() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        let add = |unread: &[UnreadRows]| note(&ledger.lock().unwrap(), unread, 20_000).unwrap();
        let seqs = |source| -> Vec<u64> {
            ledger.unread(source).unwrap().iter().map(|one| one.seq).collect()
        };
        add(&[rows("a", 1, 3_000), rows("b", 2, 3_000)]);
        assert_eq!(
            ledger.unread(Some("b")).unwrap(),
            [UnreadRows { id: 2, ..rows("b", 2, 3_000) }]
        );
        add(&[rows("a", 3, 3_000)]);
        assert_eq!(seqs(None), [2, 3], "three times 7,096 are more than 20,000");
        add(&[rows("a", 4, 50_000)]);
        assert_eq!(seqs(None), [4], "the newest stays, however large it is");
        add(&[rows("b", 5, 1), rows("a", 6, 1)]);
        assert_eq!(seqs(None), [5, 6]);
        assert_eq!((ledger.count_unread("a").unwrap(), ledger.count_unread("c").unwrap()), (1, 0));
        let ids: Vec<u64> = ledger.unread(None).unwrap().iter().map(|one| one.id).collect();
        assert_eq!(ids, [5, 6], "numbers are not used twice");
        assert_eq!(ledger.forget_unread(Some("b"), 6).unwrap(), 1);
        assert_eq!(seqs(None), [6]);
        assert_eq!(ledger.forget_unread(None, 5).unwrap(), 0);
    }
}
