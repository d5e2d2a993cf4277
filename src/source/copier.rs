//! A session for copying, whatever the source: chunks, single rows, and where a table may be parted.

use super::span::{Bound, Edge, Span};
use super::{Chunk, middle, mysql, postgres};
use crate::change::keyless::Piece;
use crate::change::{Cell, Table, TableName};
use crate::error::Result;

/// Where only some rows are wanted, so many keys for each that a chunk may have are looked at for it: no
/// statement walks a long table for a few.
const KEYS_PER_ROW: u32 = 8;

/// An open copy session: one short transaction per chunk, never a long one.
#[derive(Debug)]
pub enum Copier {
    /// PostgreSQL.
    Postgres(Box<postgres::copy::PostgresCopier>),
    /// MariaDB.
    Mysql(Box<mysql::copy::MysqlCopier>),
}

impl Copier {
    /// Reads the next chunk of `table`: the first rows of `span`, at most `rows_max`. Waits until the fence is
    /// open; `waiting` is told for whom.
    ///
    /// # Errors
    /// The connection broke, or the table cannot be read.
    pub async fn chunk(
        &mut self,
        table: &TableName,
        span: Span<'_>,
        rows_max: u32,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Chunk> {
        let chooses = match self {
            Copier::Postgres(copier) => copier.chooses_rows(table),
            Copier::Mysql(copier) => copier.chooses_rows(table),
        };
        let last = match chooses || span.only.is_some() {
            true => self.nth_key(table, span, rows_max.saturating_mul(KEYS_PER_ROW)).await?,
            false => None,
        };
        let span = Span { upto: last.as_deref().or(span.upto), ..span };
        let mut chunk = match self {
            Copier::Postgres(copier) => copier.chunk(table, span, rows_max, waiting).await?,
            Copier::Mysql(copier) => copier.chunk(table, span, rows_max, waiting).await?,
        };
        if chunk.next_after.is_none() {
            chunk.next_after = last;
        }
        Ok(chunk)
    }

    /// The key before which so many others of a part lie, whatever rows are wanted; `None` if it has no more.
    async fn nth_key(
        &mut self,
        table: &TableName,
        span: Span<'_>,
        nth: u32,
    ) -> Result<Option<Vec<Cell>>> {
        let after = span.after.filter(|after| !Piece::is_place(after)).map(Bound::After);
        let upto = span.upto.map(Bound::UpTo);
        self.key(table, (after, Edge::First, nth), upto.as_slice()).await
    }

    /// A key of `table` at which what lies after `after`, up to `upto`, may be parted: up to it, and after it.
    /// Three keys are looked up in the index, no more. `None` if it cannot be parted cheaply.
    ///
    /// # Errors
    /// As [`Copier::chunk`].
    pub async fn part(
        &mut self,
        table: &Table,
        after: &[Cell],
        upto: Option<&[Cell]>,
    ) -> Result<Option<Vec<Cell>>> {
        let last;
        let high = match upto {
            Some(upto) => upto,
            None => {
                last = self.key(&table.name, (None, Edge::Last, 0), &[Bound::After(after)]).await?;
                let Some(last) = last.as_deref() else { return Ok(None) };
                last
            }
        };
        let Some(middle) = middle::middle(table, after, high) else { return Ok(None) };
        let within = [Bound::After(after), Bound::Before(high)];
        let (below, above) = (Bound::UpTo(&middle), Bound::After(&middle));
        match self.key(&table.name, (Some(below), Edge::Last, 0), &within).await? {
            Some(key) => Ok(Some(key)),
            None => self.key(&table.name, (Some(above), Edge::First, 0), &within).await,
        }
    }

    /// The first or last key of those on one side of a bound, or the one so many after it, whatever rows are
    /// wanted; `None` if it does not lie `within` all of these.
    async fn key(
        &mut self,
        table: &TableName,
        which: (Option<Bound<'_>>, Edge, u32),
        within: &[Bound<'_>],
    ) -> Result<Option<Vec<Cell>>> {
        match self {
            Copier::Postgres(copier) => copier.key(table, which, within).await,
            Copier::Mysql(copier) => copier.key(table, which, within).await,
        }
    }

    /// Before the first chunk of a table: waits until what was prepared when the session was opened is over.
    /// A log holds rows at the place where they were prepared, so those of a table that was not mirrored
    /// then, or of which fewer columns or rows were, come nowhere.
    ///
    /// # Errors
    /// As [`Copier::chunk`].
    pub async fn outwait_prepared(
        &mut self,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<()> {
        match self {
            Copier::Postgres(_) => Ok(()),
            Copier::Mysql(copier) => copier.outwait_prepared(waiting).await,
        }
    }

    /// Reads particular rows of `table` by their keys; keys without a row are left out. Its
    /// `next_after` is `None`. Waits for the fence as [`Copier::chunk`] does: it may be a later
    /// one than that of the table's chunks.
    ///
    /// # Errors
    /// As [`Copier::chunk`].
    pub async fn reread(
        &mut self,
        table: &TableName,
        keys: &[Vec<Cell>],
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Chunk> {
        match self {
            Copier::Postgres(copier) => copier.reread(table, keys, waiting).await,
            Copier::Mysql(copier) => copier.reread(table),
        }
    }
}
