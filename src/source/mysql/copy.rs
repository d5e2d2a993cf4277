//! The chunks of a MariaDB or MySQL source's copy: one short transaction each.
//!
//! What a chunk says that it has seen is a lower bound, read before its snapshot (`committed`).
//! What it has seen beyond is laid over it once more, which changes nothing: the log goes on
//! until the chunk is admitted. Keys are ordered and compared by the server, never by us.

use std::collections::HashMap;
use std::time::Duration;

use bytes::BytesMut;
use mysql_async::consts::ColumnType;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, Row, Value};

use super::catalog::{self, Described};
use super::charset::Charset;
use super::committed::{self, Committed};
use super::dialect::Dialect;
use super::following::Following;
use super::key::{Keys, quote};
use super::scan::Scan;
use super::session::Address;
use super::value::{self, Moment};
use crate::change::keyless::Piece;
use crate::change::{Cell, Column, Kind, Position, Table, TableName, Visibility, tuple};
use crate::error::{Error, ErrorKind, Result};
use crate::source::span::{Bound, Edge, Span};
use crate::source::{Chunk, Fence};

/// A chunk ends early when its rows take more than this.
pub(super) const CHUNK_BYTES_MAX: usize = 8 << 20;
/// Pause before it is looked again whether the fence is open. Short: most commits are.
const FENCE_PAUSE: Duration = Duration::from_millis(20);
/// Pause before it is looked again whether what was prepared is over: that takes as long as people like.
const PREPARED_PAUSE: Duration = Duration::from_millis(200);

/// An open copy session.
#[derive(Debug)]
pub struct MysqlCopier {
    pub(super) address: Address,
    pub(super) connection: Conn,
    pub(super) following: Following,
    pub(super) committed: Committed,
    fence: Fence,
    /// XA transactions that were prepared when the session was opened, and may be still.
    prepared: Vec<Vec<u8>>,
    /// Rows that fitted into the last chunk of a table that ended early.
    rows_fit: HashMap<TableName, u32>,
    /// The table without a key that is being read.
    pub(super) scan: Option<Scan>,
}

impl MysqlCopier {
    pub(super) async fn open(address: Address, fence: Fence) -> Result<Self> {
        let mut connection = address.connect().await?;
        let prepared = super::prepared_xa(&address, &mut connection).await?;
        let read = match &fence {
            Fence::Reached(read) => Some(read),
            Fence::Open | Fence::Xmin(_) => None,
        };
        let following = Following::asked(&address, &mut connection, read).await?;
        let committed = Committed::new(following);
        let rows_fit = HashMap::new();
        Ok(Self {
            address,
            connection,
            following,
            committed,
            fence,
            prepared,
            rows_fit,
            scan: None,
        })
    }

    /// See [`crate::source::Copier::outwait_prepared`].
    ///
    /// # Errors
    /// See there.
    pub async fn outwait_prepared(
        &mut self,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<()> {
        while !self.prepared.is_empty() {
            let now = super::prepared_xa(&self.address, &mut self.connection).await?;
            self.prepared.retain(|known| now.contains(known));
            if let Some(count) = std::num::NonZero::new(self.prepared.len()) {
                waiting(format!(
                    "{count} XA transactions that are prepared (XA RECOVER lists them)"
                ));
                tokio::time::sleep(PREPARED_PAUSE).await;
            }
        }
        Ok(())
    }

    /// Whether only some rows of a table are mirrored.
    pub(in crate::source) fn chooses_rows(&self, table: &TableName) -> bool {
        self.address.choice().chooses_rows(table)
    }

    /// See [`crate::source::Copier::chunk`]; `waiting` is told of commits that are under way.
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
        let described = described(&self.address, &mut self.connection, table).await?;
        if described.table.is_keyless() {
            return self.piece(table, span.after, rows_max, waiting).await;
        }
        // (A table that has a key by now: its rows show that, and it is copied anew.)
        let span = Span { after: span.after.filter(|after| !Piece::is_place(after)), ..span };
        let fits = self.rows_fit.get(table).map_or(rows_max, |rows| rows.saturating_mul(2));
        let rows_max = rows_max.min(fits).max(1);

        let seen = self.seen_behind_fence(waiting).await?;
        self.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
        let rows = self.rows(&described, span, rows_max).await?;
        self.run("COMMIT").await?;
        let admit_after =
            committed::visible_by(&self.address, &mut self.connection, self.following, waiting)
                .await?;

        if rows.is_cut {
            self.rows_fit.insert(table.clone(), rows.count);
        }
        let is_done = rows.count < rows_max && !rows.is_cut;
        Ok(Chunk {
            table: described.table.into(),
            visibility: Visibility::UpTo(seen),
            rows: rows.encoded.freeze(),
            row_count: u64::from(rows.count),
            admit_after,
            next_after: if is_done { None } else { rows.last_key },
            piece: None,
        })
    }

    /// What every snapshot taken from now on has seen, once the fence is open.
    pub(super) async fn seen_behind_fence(
        &mut self,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<Position> {
        loop {
            let seen =
                self.committed.position(&self.address, &mut self.connection, waiting).await?;
            let Fence::Reached(fence) = &self.fence else { return Ok(seen) };
            if seen.covers(fence)? {
                return Ok(seen);
            }
            if let (Position::File(seen), Position::File(fence)) = (&seen, fence)
                && !seen.is_of_the_log_of(fence)
            {
                let what = format!("the log ends at {seen} by now, which is another one's place");
                return Err(Error::new(ErrorKind::Unreachable, what).hint("it is tried again"));
            }
            waiting(format!("the server to have committed its log up to {fence}"));
            tokio::time::sleep(FENCE_PAUSE).await;
        }
    }

    async fn run(&mut self, statement: &str) -> Result<()> {
        let failed = |error| self.address.explain(error, format!("{statement} failed"));
        self.connection.query_drop(statement).await.map_err(failed)
    }

    async fn rows(&mut self, described: &Described, span: Span<'_>, rows_max: u32) -> Result<Rows> {
        let table = &described.table;
        let keys = Keys::new(described)?;
        let (sql, parameters) = keys.select(span, rows_max)?;
        let parameters =
            if parameters.is_empty() { Params::Empty } else { Params::Positional(parameters) };
        let explain = |error| self.address.explain(error, format!("could not copy {}", table.name));
        let mut result = self.connection.exec_iter(sql, parameters).await.map_err(explain)?;
        let formats: Vec<Format> = result
            .columns_ref()
            .iter()
            .zip(&table.columns)
            .map(|(sent, column)| Format::new(sent, column, self.address.dialect()))
            .collect();
        let mut rows = Rows::default();
        let mut last = Vec::new();
        while let Some(row) = result.next().await.map_err(explain)? {
            let cells = row_cells(&row, &formats, table)?;
            tuple::write_row(&mut rows.encoded, &cells);
            rows.count += 1;
            last = cells;
            if rows.encoded.len() > CHUNK_BYTES_MAX && rows.count < rows_max {
                rows.is_cut = true;
                break;
            }
        }
        result.drop_result().await.map_err(explain)?;
        if rows.count > 0 {
            rows.last_key =
                Some(table.key().filter_map(|place| last.get(place).cloned()).collect());
        }
        Ok(rows)
    }

    /// See [`crate::source::Copier::part`]. One entry of the index is looked at, or so many as are passed over;
    /// whether it lies `within` the bounds is asked of that one.
    ///
    /// # Errors
    /// As [`MysqlCopier::chunk`].
    pub(in crate::source) async fn key(
        &mut self,
        name: &TableName,
        which: (Option<Bound<'_>>, Edge, u32),
        within: &[Bound<'_>],
    ) -> Result<Option<Vec<Cell>>> {
        let names = [name.clone()];
        let described = catalog::describe(&self.address, &mut self.connection, &names).await?;
        let Some(described) = described.first() else { return Ok(None) };
        let keys = Keys::new(described)?;
        let Some((sql, parameters)) = keys.probe(which, within)? else { return Ok(None) };
        let parameters =
            if parameters.is_empty() { Params::Empty } else { Params::Positional(parameters) };
        let explain =
            |error| self.address.explain(error, format!("could not look for a key of {name}"));
        let mut result = self.connection.exec_iter(sql, parameters).await.map_err(explain)?;
        let formats: Vec<Format> = result
            .columns_ref()
            .iter()
            .zip(keys.columns())
            .map(|(sent, column)| Format::new(sent, column, self.address.dialect()))
            .collect();
        let row = result.next().await.map_err(explain)?;
        result.drop_result().await.map_err(explain)?;
        // One that cannot be found again is no place to go on at.
        let cell = |(place, format): (usize, &Format)| {
            let value = row.as_ref()?.as_ref(place)?;
            if format.is_ambiguous(value) { None } else { format.cell(value) }
        };
        Ok(formats.iter().enumerate().map(cell).collect())
    }

    /// See [`crate::source::Copier::reread`]. Row images are whole here (`check` demands
    /// `binlog_row_image = FULL`), so no cell is ever asked for again.
    ///
    /// # Errors
    /// Always: see above.
    pub fn reread(&self, table: &TableName) -> Result<Chunk> {
        Err(Error::new(ErrorKind::Setup, format!("rows of {table} lack cells"))
            .hint("set binlog_row_image = FULL and copy the source again"))
    }
}

#[derive(Debug, Default)]
struct Rows {
    encoded: BytesMut,
    count: u32,
    last_key: Option<Vec<Cell>>,
    /// There were more rows than fit.
    is_cut: bool,
}

/// A table as it is now.
pub(super) async fn described(
    address: &Address,
    connection: &mut Conn,
    table: &TableName,
) -> Result<Described> {
    let found = catalog::describe(address, connection, std::slice::from_ref(table)).await?;
    found.into_iter().next().ok_or_else(|| {
        Error::new(ErrorKind::Setup, format!("table {table} is not there any more"))
            .hint("take it out of `tables`, or make it again")
    })
}

/// The canonical texts of a row; `formats` is one for each column of the result.
pub(super) fn row_cells(row: &Row, formats: &[Format], table: &Table) -> Result<Vec<Cell>> {
    let mut cells = Vec::with_capacity(formats.len());
    for (place, format) in formats.iter().enumerate() {
        let value = row.as_ref(place).ok_or_else(|| unreadable(&table.name))?;
        if format.is_ambiguous(value) {
            return Err(ambiguous(table, place));
        }
        cells.push(format.cell(value).ok_or_else(|| unreadable(&table.name))?);
    }
    Ok(cells)
}

fn unreadable(table: &TableName) -> Error {
    Error::new(ErrorKind::Decode, format!("could not read a copied row of {table}"))
}

/// A key that the server does not find by its text: whoever goes on after it might pass others over.
fn ambiguous(table: &Table, place: usize) -> Error {
    let name = &table.name;
    let column = table.columns.get(place).map_or("?", |column| column.name.as_str());
    let what = format!(
        "a key of {name} has characters in {column} that its character set has twice, or bytes that are no \
         character of it: the row cannot be told apart by them"
    );
    Error::new(ErrorKind::Setup, what).hint(format!(
        "ALTER TABLE {}.{} MODIFY {} … CHARACTER SET utf8mb4, or add \"!{name}\" to `tables`",
        quote(&name.schema),
        quote(&name.name),
        quote(column)
    ))
}

/// How the values of one column of a result become canonical text.
#[derive(Debug)]
pub(super) struct Format {
    kind: Kind,
    sent: ColumnType,
    charset: Charset,
    is_key: bool,
    /// Digits of a second.
    digits: u8,
}

impl Format {
    pub(super) fn new(sent: &mysql_async::Column, column: &Column, dialect: Dialect) -> Self {
        let charset = Charset::of_collation(sent.character_set());
        Self {
            kind: column.kind,
            sent: sent.column_type(),
            charset: charset.map_or(Charset::Unsupported, |charset| charset.in_dialect(dialect)),
            is_key: column.key.is_some(),
            digits: sent.decimals(),
        }
    }

    /// Whether it is of a key and cannot be found again. (Labels are found by their text.)
    fn is_ambiguous(&self, value: &Value) -> bool {
        let has_text = self.is_key && self.kind == Kind::Text;
        match value {
            Value::Bytes(bytes) if has_text => !self.charset.converts_back(bytes),
            _ => false,
        }
    }

    /// `None` for a value that such a column cannot have.
    fn cell(&self, value: &Value) -> Option<Cell> {
        let mut text = Vec::new();
        match value {
            Value::NULL => return Some(Cell::Null),
            Value::Bytes(bytes) => self.bytes(bytes, &mut text)?,
            Value::Int(number) if self.sent == ColumnType::MYSQL_TYPE_YEAR => {
                value::write_year(u64::try_from(*number).ok()?, &mut text);
            }
            Value::UInt(number) if self.sent == ColumnType::MYSQL_TYPE_YEAR => {
                value::write_year(*number, &mut text);
            }
            Value::Int(number) => value::write_integer(number, &mut text),
            Value::UInt(number) => value::write_integer(number, &mut text),
            Value::Float(number) => value::write_float(*number, &mut text),
            Value::Double(number) => value::write_double(*number, &mut text),
            Value::Date(year, month, day, hour, minute, second, micros) => {
                let at = Moment {
                    year: (*year).into(),
                    month: (*month).into(),
                    day: (*day).into(),
                    hour: (*hour).into(),
                    minute: (*minute).into(),
                    second: (*second).into(),
                    micros: (*micros).into(),
                };
                match self.kind {
                    Kind::Date => value::write_date(at, &mut text),
                    Kind::Timestamp => value::write_datetime(at, self.digits, &mut text),
                    Kind::TimestampTz => value::write_timestamp(at, self.digits, &mut text),
                    _ => return None,
                }
            }
            Value::Time(negative, days, hours, minutes, seconds, micros) => {
                let at = Moment {
                    hour: u64::from(*days) * 24 + u64::from(*hours),
                    minute: (*minutes).into(),
                    second: (*seconds).into(),
                    micros: (*micros).into(),
                    ..Moment::default()
                };
                value::write_time(*negative, at, self.digits, &mut text);
            }
        }
        Some(Cell::Text(text.into()))
    }

    fn bytes(&self, bytes: &[u8], text: &mut Vec<u8>) -> Option<()> {
        match (self.sent, self.kind) {
            (ColumnType::MYSQL_TYPE_BIT, _) => {
                let number =
                    bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
                value::write_integer(number, text);
            }
            (ColumnType::MYSQL_TYPE_NEWDECIMAL | ColumnType::MYSQL_TYPE_DECIMAL, _) => {
                decimal(bytes, text);
            }
            (_, Kind::Bytes) => value::write_bytes(bytes, 0, text),
            (_, Kind::Uuid) => text.extend_from_slice(bytes),
            // MariaDB's own types come as text, whatever they say about their bytes.
            _ => match self.charset.is_supported() {
                true => self.charset.write_utf8(bytes, text),
                false => return None,
            },
        }
        Some(())
    }
}

/// Without the zeros that ZEROFILL puts in front.
fn decimal(bytes: &[u8], text: &mut Vec<u8>) {
    let (sign, digits) = match bytes.split_first() {
        Some((b'-', digits)) => (&b"-"[..], digits),
        _ => (&b""[..], bytes),
    };
    let zeros = digits.windows(2).take_while(|pair| matches!(pair, [b'0', b'0'..=b'9'])).count();
    text.extend_from_slice(sign);
    text.extend_from_slice(digits.get(zeros..).unwrap_or_default());
}
