//! The chunks of a PostgreSQL source's copy: one short transaction each, and exactly what its
//! snapshot could see.
//!
//! It does not know where in the journal a chunk goes; [`Chunk::admit_after`] says from when on.
//!
//! ```text
//! fence open? ─ no ─► tell who is waited for, pause, ask again
//!   └ BEGIN · LOCK · snapshot · columns · COPY · COMMIT ─► insert position ─► message in the log
//! ```

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::StreamExt;
use tokio_postgres::Client;

use super::catalog::{self, Listed, Server, quote, quoted};
use super::copy_text::CopyText;
use super::scan::Scan;
use super::session::{Asked, Place, lsn};
use super::slot::waited_for;
use super::stream::OUR_PREFIX;
use crate::change::keyless::Piece;
use crate::change::tuple::write_row;
use crate::change::{Cell, Column, Position, Table, TableName, Visibility};
use crate::error::{Error, ErrorKind, Result};
use crate::source::choice::Choice;
use crate::source::conditions::of_postgres;
use crate::source::span::{Bound, Span};
use crate::source::{Chunk, Fence};

/// Size a chunk aims at, so that wide rows cost no more memory than narrow ones.
const CHUNK_BYTES_GOAL: u64 = 8 << 20;
/// Size from which on further rows of a chunk are left to the next one: the rows of a table may be
/// of very different width.
const CHUNK_BYTES_MAX: usize = 16 << 20;
/// Rows of a table's first chunk, before the size of its rows is known.
const FIRST_ROWS_MAX: u64 = 1_000;
/// Pause before the fence is asked again. Short: most transactions are.
pub(super) const FENCE_PAUSE: Duration = Duration::from_millis(200);

/// An open copy session.
#[derive(Debug)]
pub struct PostgresCopier {
    pub(super) client: Client,
    pub(super) place: Arc<Place>,
    pub(super) fence: Fence,
    /// A chunk was begun and did not reach its end: its transaction is still open.
    pub(super) is_in_transaction: bool,
    row_bytes: HashMap<TableName, u64>,
    choice: Choice,
    /// Its texts may be anything.
    pub(super) is_raw: bool,
    /// The table without a key that is being read.
    pub(super) scan: Option<Scan>,
}

/// Which rows of a table are read.
#[derive(Debug, Clone, Copy)]
enum Which<'a> {
    /// At most so many in key order.
    Within(Span<'a>, u64),
    /// Those with these keys.
    Keys(&'a [Vec<Cell>]),
}

/// What one snapshot showed of a table.
struct Read {
    table: Arc<Table>,
    visibility: Visibility,
    rows: BytesMut,
    row_count: u64,
    last_key: Option<Vec<Cell>>,
    /// There were more rows than fit. (Keys that were asked for are asked for again.)
    is_cut: bool,
}

impl PostgresCopier {
    pub(crate) async fn open(
        client: Client,
        server: &Server,
        fence: Fence,
        (choice, place): (Choice, Arc<Place>),
    ) -> Result<Self> {
        // The message after a chunk must reach the log at once, and must not wait for standbys.
        let mut settings = "SET synchronous_commit = local".to_owned();
        if let Some(encoding) = server.raw_encoding() {
            settings.push_str(&format!("; SET client_encoding TO '{encoding}'"));
        }
        client.batch_execute(&settings).await.asking(|| "could not set up a copy".into())?;
        Ok(Self {
            client,
            place,
            fence,
            is_in_transaction: false,
            row_bytes: HashMap::new(),
            choice,
            is_raw: server.raw_encoding().is_some(),
            scan: None,
        })
    }

    /// Whether only some rows of a table are mirrored.
    pub(in crate::source) fn chooses_rows(&self, table: &TableName) -> bool {
        self.choice.chooses_rows(table)
    }

    /// See [`crate::source::Copier::chunk`].
    ///
    /// # Errors
    /// See there.
    pub async fn chunk(
        &mut self,
        table: &TableName,
        span: Span<'_>,
        rows_max: u32,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Chunk> {
        if self.choice.may_be_keyless(table)
            && let Some(piece) = self.piece(table, span.after, rows_max, waiting).await?
        {
            return Ok(piece);
        }
        // (A table that has a key by now: its rows show that, and it is copied anew.)
        let span = Span { after: span.after.filter(|after| !Piece::is_place(after)), ..span };
        let limit = self.row_limit(table, rows_max);
        let read = self.read_behind_fence(table, Which::Within(span, limit), waiting).await?;
        if let Some(size) = u64::try_from(read.rows.len()).ok().filter(|_| read.row_count > 0) {
            self.row_bytes.insert(table.clone(), size / read.row_count + 1);
        }
        let admit_after = self.mark().await?;
        Ok(Chunk {
            table: read.table,
            visibility: read.visibility,
            next_after: if read.row_count == limit || read.is_cut { read.last_key } else { None },
            rows: read.rows.freeze(),
            row_count: read.row_count,
            admit_after: Position::Lsn(admit_after),
            piece: None,
        })
    }

    /// See [`crate::source::Copier::reread`].
    ///
    /// # Errors
    /// See there.
    pub async fn reread(
        &mut self,
        table: &TableName,
        keys: &[Vec<Cell>],
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Chunk> {
        let read = self.read_behind_fence(table, Which::Keys(keys), waiting).await?;
        let admit_after = self.mark().await?;
        Ok(Chunk {
            table: read.table,
            visibility: read.visibility,
            next_after: None,
            rows: read.rows.freeze(),
            row_count: read.row_count,
            admit_after: Position::Lsn(admit_after),
            piece: None,
        })
    }

    /// Reads once the fence is open; `waiting` is told for whom it waits.
    async fn read_behind_fence(
        &mut self,
        table: &TableName,
        which: Which<'_>,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Read> {
        loop {
            match self.attempt(table, which).await? {
                Some(read) => return Ok(read),
                None => waiting(waited_for(&self.client).await?),
            }
            tokio::time::sleep(FENCE_PAUSE).await;
        }
    }

    /// How many rows the next chunk of a table may have.
    fn row_limit(&self, table: &TableName, rows_max: u32) -> u64 {
        let by_size = match self.row_bytes.get(table) {
            Some(row_bytes) => CHUNK_BYTES_GOAL / row_bytes,
            None => FIRST_ROWS_MAX,
        };
        by_size.clamp(1, u64::from(rows_max.max(1)))
    }

    /// One transaction; `None` if its snapshot is still before the fence.
    async fn attempt(&mut self, table: &TableName, which: Which<'_>) -> Result<Option<Read>> {
        let what = || format!("could not copy table {table}");
        if self.is_in_transaction {
            self.client.batch_execute("ROLLBACK").await.asking(what)?;
        }
        self.is_in_transaction = true;
        // Locked before the snapshot is taken: a table rewritten by ALTER in between would look
        // empty to an older snapshot. The lock stands in nobody's way but DDL's.
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; LOCK TABLE {} IN ACCESS SHARE MODE",
            quoted(table)
        );
        self.client.batch_execute(&begin).await.asking(what)?;
        let visibility = self.snapshot().await?;
        let read = if is_open(&self.fence, &visibility) {
            Some(self.read(table, which, visibility).await?)
        } else {
            None
        };
        self.client.batch_execute("COMMIT").await.asking(what)?;
        self.is_in_transaction = false;
        Ok(read)
    }

    async fn snapshot(&self) -> Result<Visibility> {
        let what = || "could not take a snapshot".to_owned();
        let sql = "SELECT pg_catalog.pg_current_snapshot()::text";
        let row = self.client.query_one(sql, &[]).await.asking(what)?;
        let text: String = row.try_get(0).asking(what)?;
        Visibility::parse_snapshot(&text).ok_or_else(|| Error::new(ErrorKind::Decode, what()))
    }

    async fn read(
        &self,
        name: &TableName,
        which: Which<'_>,
        visibility: Visibility,
    ) -> Result<Read> {
        let what = || format!("could not copy table {name}");
        let (listed, table) = self.described(name).await?;
        let sql = chunk_sql(&listed, &table, which)?;
        let mut data = pin!(self.client.copy_out(&sql).await.asking(what)?);
        let mut read = Read {
            table,
            visibility,
            rows: BytesMut::new(),
            row_count: 0,
            last_key: None,
            is_cut: false,
        };
        let mut text = CopyText::default();
        while let Some(piece) = data.next().await {
            text.push(&piece.asking(what)?);
            while let Some(row) = text.next_row() {
                read.take_in(row)?;
            }
        }
        if text.is_cut_short() {
            return Err(Error::new(ErrorKind::Decode, format!("the copy of {name} was cut short")));
        }
        Ok(read)
    }

    /// The table as the snapshot has it.
    pub(super) async fn described(&self, name: &TableName) -> Result<(Listed, Arc<Table>)> {
        let what = || format!("could not copy table {name}");
        let oid = "SELECT $1::text::pg_catalog.regclass::pg_catalog.oid";
        let row = self.client.query_one(oid, &[&quoted(name)]).await.asking(what)?;
        let listed = catalog::list(&self.client, Some(row.try_get(0).asking(what)?)).await?;
        let Some(listed) = listed.into_iter().next() else {
            return Err(Error::new(ErrorKind::Setup, format!("{name} cannot be copied"))
                .hint("only ordinary and partitioned tables can be mirrored"));
        };
        if let Some((why, sql)) = catalog::objection(&listed, &self.choice) {
            return Err(Error::new(ErrorKind::Setup, why).hint(sql));
        }
        let mut described = catalog::describe(&self.client, &[&listed], &self.choice).await?;
        let table = described.pop().ok_or_else(|| Error::new(ErrorKind::Bug, what()))?;
        Ok((listed, table))
    }

    /// Reads how far the log was written after the chunk, and writes a message that moves an
    /// idle log past it.
    async fn mark(&self) -> Result<u64> {
        let what = || "could not mark a chunk in the log".to_owned();
        let sql = "SELECT pg_catalog.pg_current_wal_insert_lsn()::text";
        let row = self.client.query_one(sql, &[]).await.asking(what)?;
        let position = lsn(row.try_get(0).asking(what)?)?;
        let sql = "SELECT pg_catalog.pg_logical_emit_message(true, $1, 'chunk')";
        self.client.execute(sql, &[&OUR_PREFIX]).await.asking(what)?;
        Ok(position)
    }
}

impl Read {
    fn take_in(&mut self, row: Vec<Cell>) -> Result<()> {
        if row.len() != self.table.columns.len() {
            let what = format!("a copied row of {} has another width", self.table.name);
            return Err(Error::new(ErrorKind::Decode, what));
        }
        self.is_cut |= self.rows.len() >= CHUNK_BYTES_MAX;
        if self.is_cut {
            return Ok(());
        }
        write_row(&mut self.rows, &row);
        self.row_count += 1;
        let key = self.table.key().filter_map(|place| row.get(place).cloned());
        self.last_key = Some(key.collect());
        Ok(())
    }
}

/// Everything that ran when slot or publication changed must be finished in the snapshot.
pub(super) fn is_open(fence: &Fence, visibility: &Visibility) -> bool {
    match (fence, visibility) {
        (Fence::Open, _) => true,
        (Fence::Xmin(fence), Visibility::Snapshot { xmin, .. }) => xmin >= fence,
        (Fence::Xmin(_) | Fence::Reached(_), _) => false,
    }
}

/// `COPY` of the rows after a key, in key order. `ONLY`, because children by plain inheritance
/// are tables of their own.
fn chunk_sql(listed: &Listed, table: &Table, which: Which<'_>) -> Result<String> {
    let names: Vec<String> = table.columns.iter().map(|column| quote(&column.name)).collect();
    let key: Vec<&Column> = table.key().filter_map(|place| table.columns.get(place)).collect();
    let key_names = key.iter().map(|column| quote(&column.name)).collect::<Vec<_>>().join(", ");
    let (mut conditions, limit) = match which {
        Which::Within(span, limit) => {
            let bounds = span.bounds().map(|bound| compared(table, &key, bound));
            let mut conditions = bounds.collect::<Result<Vec<_>>>()?;
            conditions.extend(span.only.map(|only| of_postgres(only, table, quote)));
            (conditions, format!("LIMIT {limit}"))
        }
        Which::Keys(keys) => {
            let keys: Vec<String> = keys
                .iter()
                .map(|cells| key_literals(table, &key, cells).map(|list| format!("({list})")))
                .collect::<Result<_>>()?;
            (vec![format!("({key_names}) IN ({})", keys.join(", "))], String::new())
        }
    };
    conditions.extend(table.rows.as_ref().map(|rows| of_postgres(rows, table, quote)));
    let condition = match conditions.is_empty() {
        true => String::new(),
        false => format!("WHERE {} ", conditions.join(" AND ")),
    };
    let only = if listed.is_partitioned { "" } else { "ONLY " };
    Ok(format!(
        "COPY (SELECT {} FROM {only}{} {condition}ORDER BY {key_names} {limit}) TO STDOUT",
        names.join(", "),
        quoted(&table.name)
    ))
}

/// The key, or so many of its first columns as the bound has, compared with it.
pub(super) fn compared(table: &Table, key: &[&Column], bound: Bound<'_>) -> Result<String> {
    let (cells, comparison) = bound.parts();
    let key = key.get(..cells.len()).unwrap_or(key);
    let names: Vec<String> = key.iter().map(|column| quote(&column.name)).collect();
    let literals = key_literals(table, key, cells)?;
    Ok(format!("({}) {comparison} ({literals})", names.join(", ")))
}

/// The cells of a key as a list of SQL literals.
fn key_literals(table: &Table, key: &[&Column], cells: &[Cell]) -> Result<String> {
    if cells.len() != key.len() {
        let what = format!("the key of table {} changed while it was copied", table.name);
        return Err(Error::new(ErrorKind::Setup, what).hint(crate::source::one_anew(&table.name)));
    }
    let literals: Option<Vec<String>> = cells
        .iter()
        .zip(key)
        .map(|(cell, column)| Some(literal(cell.bytes()?, &column.source_type)))
        .collect();
    let literals = literals.ok_or_else(|| {
        Error::new(ErrorKind::Bug, format!("a key of {} is not known", table.name))
    })?;
    Ok(literals.join(", "))
}

/// A value as SQL. COPY takes no parameters. Bytes that are no UTF-8 only come from databases
/// that convert nothing; there they go as hex.
fn literal(text: &[u8], source_type: &str) -> String {
    match std::str::from_utf8(text) {
        Ok(text) => format!("'{}'::{source_type}", text.replace('\'', "''")),
        Err(_) => {
            let hex: String = text.iter().map(|byte| format!("{byte:02x}")).collect();
            format!(
                "pg_catalog.convert_from('\\x{hex}', \
                    pg_catalog.getdatabaseencoding())::{source_type}"
            )
        }
    }
}
