//! The copy of a table without a key: one reading, in one snapshot, because there is no key to go on after.
//!
//! ```text
//! BEGIN · LOCK · snapshot ─ fence open? ─ columns · cursor ─► FETCH … FETCH ─► COMMIT
//!                                └ message in the log, over a connection of its own
//! ```
//! The transaction stays open from the first chunk to the last: it holds back VACUUM and, by its lock, DDL.
//! What breaks it off starts it over.

use std::sync::Arc;

use bytes::BytesMut;
use tokio_postgres::SimpleQueryMessage;

use super::catalog::{quote, quoted};
use super::copy::{FENCE_PAUSE, PostgresCopier, is_open};
use super::session::{Asked, lsn};
use super::slot::waited_for;
use super::stream::OUR_PREFIX;
use crate::change::keyless::Piece;
use crate::change::tuple::write_row;
use crate::change::{Cell, Position, Table, TableName, Visibility};
use crate::error::{Error, ErrorKind, Result};
use crate::source::Chunk;

/// Most rows that are fetched at once: the client holds them all, beside what a chunk has, and the next ones
/// may be wider than those before.
const FETCH_ROWS_MAX: usize = 64;
/// Size of what is fetched at once, as the rows before were.
const FETCH_BYTES_GOAL: usize = 1 << 20;
/// Size at which a chunk ends.
const CHUNK_BYTES_GOAL: usize = 8 << 20;
/// Longest pause between two chunks: a journal that is full may take a while. After it the server ends the
/// transaction, and the copy of the table begins again.
const IDLE_MAX: &str = "SET LOCAL idle_in_transaction_session_timeout = '15min'";

/// A reading that is under way.
#[derive(Debug)]
pub(super) struct Scan {
    table: Arc<Table>,
    visibility: Visibility,
    /// Everything that the snapshot has seen is in the log up to here.
    covered_by: u64,
    name: String,
    /// Chunks so far.
    number: u64,
    /// Rows that are fetched next.
    fetch_rows: usize,
}

/// How many rows to fetch after some that took so much: no more than twice as many.
fn fetched_next(rows: usize, bytes: usize) -> usize {
    let fit = rows.saturating_mul(FETCH_BYTES_GOAL) / bytes.max(1);
    fit.min(rows.saturating_mul(2)).clamp(1, FETCH_ROWS_MAX)
}

impl PostgresCopier {
    /// The next chunk of a table without a key, or the first if the scan was broken off. `None` if the table
    /// has a key.
    pub(super) async fn piece(
        &mut self,
        table: &TableName,
        after: Option<&[Cell]>,
        rows_max: u32,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Option<Chunk>> {
        let goes_on = after.is_some_and(Piece::is_place);
        let known = self.scan.take().filter(|scan| goes_on && scan.table.name == *table);
        let scan = match known {
            Some(scan) => scan,
            None => match self.begin_scan(table, waiting).await? {
                Some(scan) => scan,
                None => return Ok(None),
            },
        };
        self.fetch(scan, rows_max).await.map(Some)
    }

    async fn begin_scan(
        &mut self,
        name: &TableName,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Option<Scan>> {
        let what = || format!("could not copy table {name}");
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {IDLE_MAX}; \
             LOCK TABLE {} IN ACCESS SHARE MODE",
            quoted(name)
        );
        loop {
            if self.is_in_transaction {
                self.client.batch_execute("ROLLBACK").await.asking(what)?;
            }
            self.is_in_transaction = true;
            self.client.batch_execute(&begin).await.asking(what)?;
            // The position behind the snapshot: what it sees was written before.
            let sql = "SELECT pg_catalog.pg_current_snapshot()::text,
                              pg_catalog.pg_current_wal_insert_lsn()::text,
                              pg_catalog.gen_random_uuid()::text";
            let row = self.client.query_one(sql, &[]).await.asking(what)?;
            let text = |place: usize| row.try_get::<_, String>(place).asking(what);
            let visibility = Visibility::parse_snapshot(&text(0)?)
                .ok_or_else(|| Error::new(ErrorKind::Decode, what()))?;
            if !is_open(&self.fence, &visibility) {
                waiting(waited_for(&self.client).await?);
                tokio::time::sleep(FENCE_PAUSE).await;
                continue;
            }
            let (covered_by, scan) = (lsn(&text(1)?)?, text(2)?);
            let Some(table) = self.open_cursor(name).await? else {
                self.client.batch_execute("ROLLBACK").await.asking(what)?;
                self.is_in_transaction = false;
                return Ok(None);
            };
            let beside = self.place.connect().await?;
            beside.batch_execute("SET synchronous_commit = local").await.asking(what)?;
            let sql = "SELECT pg_catalog.pg_logical_emit_message(true, $1, 'chunk')";
            beside.execute(sql, &[&OUR_PREFIX]).await.asking(what)?;
            tracing::info!(table = %name, "a table without a key is copied in one transaction");
            return Ok(Some(Scan {
                table,
                visibility,
                covered_by,
                name: scan,
                number: 0,
                fetch_rows: 1,
            }));
        }
    }

    /// `None` if the table has a key.
    async fn open_cursor(&self, name: &TableName) -> Result<Option<Arc<Table>>> {
        let what = || format!("could not copy table {name}");
        let (listed, table) = self.described(name).await?;
        if !table.is_keyless() {
            return Ok(None);
        }
        if self.is_raw {
            let why = format!(
                "{name} has no key, and its database has no encoding that its rows could be read in"
            );
            let hint = "give it a primary key, or exclude it in `tables`";
            return Err(Error::new(ErrorKind::Setup, why).hint(hint));
        }
        let sent = table.columns.iter().take(table.sent_count());
        let names: Vec<String> = sent.map(|column| quote(&column.name)).collect();
        let only = if listed.is_partitioned { "" } else { "ONLY " };
        let sql = format!(
            "DECLARE trueup_scan NO SCROLL CURSOR FOR SELECT {} FROM {only}{}",
            names.join(", "),
            quoted(&table.name)
        );
        self.client.batch_execute(&sql).await.asking(what)?;
        Ok(Some(table))
    }

    async fn fetch(&mut self, mut scan: Scan, rows_max: u32) -> Result<Chunk> {
        let what = || format!("could not copy table {}", scan.table.name);
        let (mut rows, mut row_count, mut is_over) = (BytesMut::new(), 0, false);
        let width = scan.table.sent_count();
        while !is_over && rows.len() < CHUNK_BYTES_GOAL && row_count < u64::from(rows_max.max(1)) {
            let asked = scan.fetch_rows;
            let sql = format!("FETCH FORWARD {asked} FROM trueup_scan");
            let (mut fetched, before) = (0, rows.len());
            for message in self.client.simple_query(&sql).await.asking(what)? {
                let SimpleQueryMessage::Row(row) = message else { continue };
                let cell = |place| {
                    let text = row.try_get(place).asking(what)?;
                    Ok(text.map_or(Cell::Null, Cell::text))
                };
                write_row(&mut rows, &(0..width).map(cell).collect::<Result<Vec<_>>>()?);
                fetched += 1;
            }
            row_count += fetched as u64;
            is_over = fetched < asked;
            scan.fetch_rows = fetched_next(asked, rows.len() - before);
        }
        if is_over {
            self.client.batch_execute("COMMIT").await.asking(what)?;
            self.is_in_transaction = false;
        }
        let piece = Piece { scan: scan.name.clone(), number: scan.number };
        scan.number += 1;
        let chunk = Chunk {
            table: Arc::clone(&scan.table),
            visibility: scan.visibility.clone(),
            rows: rows.freeze(),
            row_count,
            admit_after: Position::Lsn(scan.covered_by),
            next_after: (!is_over).then(|| Piece::place(scan.number)),
            piece: Some(piece),
        };
        self.scan = (!is_over).then_some(scan);
        Ok(chunk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_fetched_than_fits_by_the_rows_before() {
        assert_eq!(fetched_next(1, 100), 2);
        assert_eq!(fetched_next(32, 3_200), FETCH_ROWS_MAX);
        assert_eq!(fetched_next(FETCH_ROWS_MAX, 0), FETCH_ROWS_MAX);
        assert_eq!(fetched_next(64, 64 << 20), 1);
        assert_eq!(fetched_next(64, 16 << 20), 4);
        assert_eq!(fetched_next(1, 64 << 20), 1);
    }
}
