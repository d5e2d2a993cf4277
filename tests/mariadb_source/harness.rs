//! Opens a source on a MariaDB (or a MySQL), journals its log as capture does, and replays it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::{Bytes, BytesMut};
use trueup::change::{
    Cell, Change, Op, Position, Reached, Row, Table, TableName, Transaction, tuple,
};
use trueup::config::{SourceConfig, SourceKind, Tls};
use trueup::demo::servers::BinlogServer;
use trueup::error::Result;
use trueup::source::decode::Decoder;
use trueup::source::mysql::Mysql;
use trueup::source::mysql::copy::MysqlCopier;
use trueup::source::mysql::stream::MysqlStream;
use trueup::source::{Captured, Chunk, Fence, Span, frame};

/// The configuration of a source on `server`; tables by patterns.
pub(super) fn config(server: &BinlogServer, database: &str, tables: &[&str]) -> SourceConfig {
    config_of(SourceKind::Mariadb, server, database, tables)
}

fn config_of(
    kind: SourceKind,
    server: &BinlogServer,
    database: &str,
    tables: &[&str],
) -> SourceConfig {
    // One file per call: tests run side by side.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("mariadb-{number}.password"));
    std::fs::write(&file, server.password()).unwrap();
    SourceConfig {
        kind,
        url: server.url(database),
        password: Some(format!("${{file:{}}}", file.display()).try_into().unwrap()),
        columns: Vec::new(),
        rows: std::collections::BTreeMap::new(),
        keyless: Vec::new(),
        tables: tables.iter().map(|&table| table.to_owned()).collect(),
        mapping: None,
        timezone: "UTC".to_owned(),
        tls: Tls::Auto,
        max_retained_bytes: 10 << 30,
        tls_ca: None,
    }
}

pub(crate) fn source(server: &BinlogServer, database: &str, tables: &[&str]) -> Mysql {
    source_of(SourceKind::Mariadb, server, database, tables)
}

pub(super) fn source_of(
    kind: SourceKind,
    server: &BinlogServer,
    database: &str,
    tables: &[&str],
) -> Mysql {
    Mysql::new("hr", "test", &config_of(kind, server, database, tables)).unwrap()
}

/// Where the server's log ends now.
pub(super) fn end_of_log(server: &BinlogServer) -> Position {
    let text = server.sql("", "SELECT @@GLOBAL.gtid_binlog_pos").unwrap();
    format!("gtid:{}", text.trim()).parse().unwrap()
}

fn end_of_log_of(kind: SourceKind, server: &BinlogServer) -> Position {
    match kind {
        SourceKind::Mysql => {
            let text = server.sql("", "SELECT @@GLOBAL.gtid_executed").unwrap();
            // The client shows a line break as two characters.
            format!("gtids:{}", text.replace("\\n", "").trim()).parse().unwrap()
        }
        _ => end_of_log(server),
    }
}

/// An open log with its decoder: what capture and conform do with it.
pub(crate) struct Log {
    pub(super) stream: MysqlStream,
    kind: SourceKind,
    decoder: Decoder,
    entry: BytesMut,
    /// The end of the last whole transaction.
    pub(super) position: Position,
    /// The same, once the log has told.
    pub(super) reached: Option<Reached>,
    /// Schemas that were handed over.
    pub(super) schemas: Vec<Table>,
}

impl Log {
    pub(super) async fn open(source: &Mysql, start: &Position, tables: &[TableName]) -> Self {
        let decoder = Decoder::new(SourceKind::Mariadb, std::collections::HashMap::new());
        Self::reopen(source, start, tables, decoder).await.unwrap()
    }

    /// The same for either kind.
    pub(super) async fn open_of(
        kind: SourceKind,
        source: &Mysql,
        start: &Position,
        tables: &[TableName],
    ) -> Self {
        let decoder = Decoder::new(kind, std::collections::HashMap::new());
        Self { kind, decoder, ..Self::open(source, start, tables).await }
    }

    /// Goes on with the decoder of an earlier connection.
    pub(super) async fn reopen(
        source: &Mysql,
        start: &Position,
        tables: &[TableName],
        decoder: Decoder,
    ) -> Result<Self> {
        let stream = source.stream(start, tables).await?;
        let (position, entry) = (start.clone(), BytesMut::new());
        let (kind, schemas) = (SourceKind::Mariadb, Vec::new());
        Ok(Self { stream, kind, decoder, entry, position, reached: None, schemas })
    }

    /// Prepares the source and opens its log where that says.
    pub(crate) async fn start(source: &Mysql) -> Self {
        Self::start_of(SourceKind::Mariadb, source).await
    }

    /// The same for either kind.
    pub(super) async fn start_of(kind: SourceKind, source: &Mysql) -> Self {
        let prepared = source.prepare(None).await.unwrap();
        let tables: Vec<TableName> =
            prepared.tables.iter().map(|table| table.name.clone()).collect();
        Self::open_of(kind, source, &prepared.start, &tables).await
    }

    pub(super) fn into_decoder(self) -> Decoder {
        self.decoder
    }

    /// Takes one piece; the transactions that became whole with it.
    pub(super) fn take(&mut self, captured: Captured) -> Result<Vec<Transaction>> {
        match captured {
            Captured::Frame(next) => frame::push(&mut self.entry, &next),
            Captured::Schema(table) => self.schemas.push(Table::clone(&table)),
            Captured::Idle(reached) => {
                assert!(self.entry.is_empty(), "idle with a transaction in flight");
                self.position = reached.position.clone();
                self.reached = Some(reached);
            }
            Captured::End(reached) => {
                let whole = self.decoder.feed(self.entry.split().freeze())?;
                assert!(!whole.is_empty(), "an end without a transaction");
                assert_eq!(whole.last().unwrap().position, reached.position);
                self.position = reached.position.clone();
                self.reached = Some(reached);
                return Ok(whole);
            }
        }
        Ok(Vec::new())
    }

    /// Reads until the log is at `until`.
    pub(super) async fn read_to(&mut self, until: &Position) -> Result<Vec<Transaction>> {
        let mut whole = Vec::new();
        while !self.position.covers(until)? {
            let captured = self.stream.next().await?;
            whole.extend(self.take(captured)?);
        }
        Ok(whole)
    }

    /// Reads what the server has now.
    pub(crate) async fn read_all(&mut self, server: &BinlogServer) -> Vec<Transaction> {
        self.read_to(&end_of_log_of(self.kind, server)).await.unwrap()
    }

    /// Reads what the server has now, and hopes to fail.
    pub(super) async fn failure(&mut self, server: &BinlogServer) -> trueup::error::Error {
        self.read_to(&end_of_log(server)).await.expect_err("the log should not be readable")
    }
}

/// An operation, the row before and the row after.
type Told = (Op, Option<Vec<Cell>>, Option<Vec<Cell>>);

/// Every row change in order.
pub(super) fn row_changes(transactions: &[Transaction]) -> Vec<Told> {
    let changes = transactions.iter().flat_map(|transaction| &transaction.changes);
    changes
        .filter_map(|change| match change {
            Change::Row(row) => {
                let cells = |row: &Option<Row>| row.as_ref().map(Row::to_cells);
                Some((row.op, cells(&row.old), cells(&row.new)))
            }
            Change::Truncate(_) | Change::Doubted(_) | Change::Replaced(_) => None,
            Change::Unread(unread) => {
                panic!("a row of {} is unread: {}", unread.table.name, unread.why)
            }
        })
        .collect()
}

/// A cell as text: `NULL`, `?` for missing.
pub(super) fn show(cell: &Cell) -> String {
    match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Missing => "?".to_owned(),
        Cell::Text(text) => String::from_utf8_lossy(text).into_owned(),
    }
}

pub(super) fn show_all(cells: &[Cell]) -> Vec<String> {
    cells.iter().map(show).collect()
}

/// The rows of a chunk.
pub(super) fn rows(chunk: &Chunk) -> Vec<Vec<Cell>> {
    let mut encoded: Bytes = chunk.rows.clone();
    let mut rows = Vec::new();
    while !encoded.is_empty() {
        rows.push(tuple::read_row(&mut encoded).unwrap());
    }
    assert_eq!(rows.len() as u64, chunk.row_count);
    rows
}

/// Copies a table in chunks of `rows_max`.
pub(super) async fn copy(source: &Mysql, table: &TableName, rows_max: u32) -> Vec<Chunk> {
    let mut copier = source.copier(Fence::Open).await.unwrap();
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut after = None;
    loop {
        let chunk = chunk(&mut copier, table, after.as_deref(), rows_max).await;
        after = chunk.next_after.clone();
        chunks.push(chunk);
        if after.is_none() {
            return chunks;
        }
    }
}

pub(super) async fn chunk(
    copier: &mut MysqlCopier,
    table: &TableName,
    after: Option<&[Cell]>,
    rows_max: u32,
) -> Chunk {
    copier.chunk(table, Span { after, ..Span::default() }, rows_max, &|_| {}).await.unwrap_or_else(
        |error| {
            panic!("{}", error.chain());
        },
    )
}

/// The rows of tables by key, as the mirror would keep them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mirror(pub(super) BTreeMap<String, BTreeMap<Vec<String>, Vec<String>>>);

impl Mirror {
    pub(super) fn apply(&mut self, transactions: &[Transaction]) {
        for change in transactions.iter().flat_map(|transaction| &transaction.changes) {
            match change {
                // What a new column has in rows that are there, this model does not know.
                Change::Doubted(_) | Change::Replaced(_) => {}
                Change::Unread(unread) => {
                    panic!("a row of {} is unread: {}", unread.table.name, unread.why)
                }
                Change::Truncate(tables) => {
                    for table in tables {
                        self.0.insert(table.name.to_string(), BTreeMap::new());
                    }
                }
                Change::Row(row) => {
                    let rows = self.0.entry(row.table.name.to_string()).or_default();
                    let key = |of: &Row| -> Vec<String> {
                        let shown = show_all(&of.to_cells());
                        row.table.key().map(|place| shown[place].clone()).collect()
                    };
                    let before = match (&row.old, &row.new) {
                        (Some(old), _) => rows.remove(&key(old)),
                        (None, Some(new)) => rows.remove(&key(new)),
                        (None, None) => None,
                    };
                    assert_eq!(before.is_some(), row.op != Op::Insert, "{:?}", row.op);
                    if let Some(new) = &row.new {
                        let mut shown = show_all(&new.to_cells());
                        for (cell, before) in shown.iter_mut().zip(before.unwrap_or_default()) {
                            if cell == "?" {
                                *cell = before;
                            }
                        }
                        rows.insert(key(new), shown);
                    }
                }
            }
        }
    }

    pub(super) fn table(&self, name: &str) -> Vec<Vec<String>> {
        self.0.get(name).map(|rows| rows.values().cloned().collect()).unwrap_or_default()
    }
}
