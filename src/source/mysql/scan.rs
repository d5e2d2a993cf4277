//! The copy of a table without a key: one reading, in one snapshot, because there is no key to go on after.
//!
//! ```text
//! snapshot, what it has seen ─ SELECT … LIMIT 0 (no DDL from here on) ─ columns ─► SELECT: rows … rows ─► COMMIT
//! ```
//! It has a connection of its own. The server sends as fast as we read: between two chunks it waits, with its
//! transaction open, which holds back purge and DDL. What breaks it off starts it over.

use std::sync::Arc;

use bytes::BytesMut;
use futures_util::FutureExt;
use mysql_async::prelude::Queryable;
use mysql_async::{BinaryProtocol, Conn, QueryResult};

use super::copy::{CHUNK_BYTES_MAX, Format, MysqlCopier, described, row_cells};
use super::key::quote;
use super::snapshot;
use crate::change::keyless::Piece;
use crate::change::{Cell, Position, Table, TableName, Visibility, tuple};
use crate::error::{Error, ErrorKind, Result};
use crate::source::Chunk;

/// A reading that is under way.
#[derive(Debug)]
pub(super) struct Scan {
    /// It has rows that are still to be read.
    connection: Option<Conn>,
    table: Arc<Table>,
    formats: Vec<Format>,
    /// What the snapshot has seen, exactly.
    seen: Position,
    name: String,
    /// Chunks so far.
    number: u64,
}

impl Drop for Scan {
    /// A connection that is dropped would read all that is left first, which may be a whole table. One that
    /// was asked once to end is closed as it is.
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.disconnect().now_or_never();
        }
    }
}

impl MysqlCopier {
    /// The next chunk of a table without a key, or the first if the scan was broken off.
    pub(super) async fn piece(
        &mut self,
        table: &TableName,
        after: Option<&[Cell]>,
        rows_max: u32,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Chunk> {
        let goes_on = after.is_some_and(Piece::is_place);
        let known = self.scan.take().filter(|scan| goes_on && scan.table.name == *table);
        let scan = match known {
            Some(scan) => scan,
            None => self.begin_scan(table, waiting).await?,
        };
        self.read_on(scan, rows_max).await
    }

    async fn begin_scan(
        &mut self,
        name: &TableName,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Scan> {
        // Whatever a later snapshot sees is behind the fence, too.
        self.seen_behind_fence(waiting).await?;
        let mut connection = self.address.connect().await?;
        let beside = (&mut self.committed, &mut self.connection);
        let of = (name, waiting);
        let seen =
            snapshot::of_table(&self.address, &mut connection, beside, self.following, of).await?;
        let from = format!("{}.{}", quote(&name.schema), quote(&name.name));
        // From here on nobody changes the table's columns. What changed them since the snapshot makes the
        // server refuse to read it.
        let begin = format!("SELECT 1 FROM {from} LIMIT 0");
        snapshot::run(&self.address, &mut connection, &begin).await?;
        let described = described(&self.address, &mut self.connection, name).await?;
        if !described.table.is_keyless() {
            let what = format!("{name} got a key before it was read without one");
            return Err(Error::new(ErrorKind::Unreachable, what));
        }
        let table = Arc::new(described.table);
        let sent = || table.columns.iter().take(table.sent_count());
        let names: Vec<String> = sent().map(|column| quote(&column.name)).collect();
        let explain = |error| self.address.explain(error, format!("could not copy {name}"));
        let sql = format!("SELECT {} FROM {from}", names.join(", "));
        let result = connection.exec_iter(sql, ()).await.map_err(explain)?;
        let formats: Vec<Format> = result
            .columns_ref()
            .iter()
            .zip(sent())
            .map(|(sent, column)| Format::new(sent, column, self.address.dialect()))
            .collect();
        drop(result);
        tracing::info!(table = %name, "a table without a key is copied in one transaction");
        let random = [rand::random::<u64>(), rand::random::<u64>()];
        let name = format!("{:016x}{:016x}", random[0], random[1]);
        Ok(Scan { connection: Some(connection), table, formats, seen, name, number: 0 })
    }

    async fn read_on(&mut self, mut scan: Scan, rows_max: u32) -> Result<Chunk> {
        let name = &scan.table.name;
        let explain = |error| self.address.explain(error, format!("could not copy {name}"));
        // (It stays in the scan: whoever stops waiting here must not read all that is left.)
        let Some(connection) = scan.connection.as_mut() else {
            return Err(Error::new(ErrorKind::Bug, format!("the reading of {name} is over")));
        };
        let (mut rows, mut row_count, mut is_over) = (BytesMut::new(), 0, false);
        let mut result = QueryResult::<BinaryProtocol>::new(&mut *connection);
        while rows.len() < CHUNK_BYTES_MAX && row_count < u64::from(rows_max.max(1)) {
            let Some(row) = result.next().await.map_err(explain)? else {
                is_over = true;
                break;
            };
            tuple::write_row(&mut rows, &row_cells(&row, &scan.formats, &scan.table)?);
            row_count += 1;
        }
        drop(result);
        if is_over {
            snapshot::run(&self.address, connection, "COMMIT").await?;
        }
        let piece = Piece { scan: scan.name.clone(), number: scan.number };
        scan.number += 1;
        let chunk = Chunk {
            table: Arc::clone(&scan.table),
            visibility: Visibility::UpTo(scan.seen.clone()),
            rows: rows.freeze(),
            row_count,
            admit_after: scan.seen.clone(),
            next_after: (!is_over).then(|| Piece::place(scan.number)),
            piece: Some(piece),
        };
        self.scan = (!is_over).then_some(scan);
        Ok(chunk)
    }
}
