//! PostgreSQL as a source, against a real server: nothing lost, nothing invented, nothing in the
//! dark. Tables as `psql` shows them are the oracle.

mod copying;
mod failover;
mod faults;
mod logging;
mod standing;
mod texts;
mod transport;
mod types;
mod witness;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tempfile::TempDir;
use tokio_postgres::Client;
use trueup::change::position::parse_lsn;
use trueup::change::tuple::read_row;
use trueup::change::{Cell, Cells, Change, Op, Position, Reached, Table, TableName, Transaction};
use trueup::config::{SourceConfig, SourceKind, Tls};
use trueup::demo::servers::{Options, PostgresServer};
use trueup::source::decode::{Decoder, Tables};
use trueup::source::postgres::Postgres;
use trueup::source::{Captured, Chunk, Source, Span, Stream, frame};

use crate::support::servers;
use crate::support::versions::Version;

/// Longest wait for anything that must happen.
const SOON: Duration = Duration::from_secs(30);

/// A database of its own on a server, and a source over it.
struct Bench {
    server: Arc<PostgresServer>,
    database: String,
    install: String,
    folder: TempDir,
}

impl Bench {
    /// On the server that most tests share.
    fn new(schema: &str) -> Self {
        static SHARED: OnceLock<Arc<PostgresServer>> = OnceLock::new();
        let start = || Arc::new(PostgresServer::start(&Options::default()).unwrap());
        Self::on(Arc::clone(SHARED.get_or_init(start)), schema)
    }

    /// On the server of a version that tests share.
    fn of(version: Version, schema: &str) -> Self {
        match version {
            None => Self::new(schema),
            version => Self::on(Arc::clone(servers::postgres_of(version)), schema),
        }
    }

    /// On a server of its own, for tests that change settings or hold everybody up.
    fn alone(options: &Options, schema: &str) -> Self {
        Self::on(Arc::new(PostgresServer::start(options).unwrap()), schema)
    }

    fn on(server: Arc<PostgresServer>, schema: &str) -> Self {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let database = format!("db_{id}");
        server.create_database(&database).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("password"), server.password()).unwrap();
        let bench = Self { server, database, install: id[..8].to_owned(), folder };
        bench.sql(schema);
        bench
    }

    fn sql(&self, statements: &str) -> String {
        self.server.sql(&self.database, statements).unwrap()
    }

    fn config(&self, tables: &[&str]) -> SourceConfig {
        let password = format!("${{file:{}}}", self.folder.path().join("password").display());
        SourceConfig {
            kind: SourceKind::Postgres,
            url: self.server.url(&self.database),
            password: Some(password.try_into().unwrap()),
            columns: Vec::new(),
            rows: std::collections::BTreeMap::new(),
            keyless: Vec::new(),
            tables: tables.iter().map(|&pattern| pattern.to_owned()).collect(),
            mapping: None,
            timezone: "UTC".to_owned(),
            tls: Tls::Auto,
            max_retained_bytes: 10 << 30,
            tls_ca: None,
        }
    }

    fn postgres(&self, tables: &[&str]) -> Postgres {
        Postgres::new("erp", &self.install, &self.config(tables)).unwrap()
    }

    fn source(&self, tables: &[&str]) -> Source {
        Source::Postgres(self.postgres(tables))
    }

    fn slot(&self) -> String {
        self.postgres(&["*"]).slot_name().to_owned()
    }

    /// A session of somebody else's, whose transactions stay open between calls.
    async fn session(&self) -> Client {
        let mut config: tokio_postgres::Config = self.server.url(&self.database).parse().unwrap();
        config.password(self.server.password());
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    fn insert_lsn(&self) -> u64 {
        parse_lsn(self.sql("SELECT pg_current_wal_insert_lsn()").trim()).unwrap()
    }

    /// A table as the server shows it: key text to the other columns' text.
    fn table(&self, query: &str) -> BTreeMap<String, String> {
        let rows = self.sql(query);
        rows.lines()
            .map(|row| row.split_once('|').unwrap_or((row, "")))
            .map(|(key, rest)| (key.to_owned(), rest.to_owned()))
            .collect()
    }
}

/// Reads a stream as capture and conform do together, and holds it to its promises.
struct Reader {
    stream: Stream,
    decoder: Decoder,
    entry: BytesMut,
    transactions: Vec<Transaction>,
    schemas: Vec<Arc<Table>>,
    idles: Vec<u64>,
    reached: u64,
}

impl Reader {
    async fn open(source: &Source, start: &Position) -> Self {
        let stream = source.stream(start, &[]).await.unwrap();
        Self {
            stream,
            decoder: Decoder::new(SourceKind::Postgres, Tables::new()),
            entry: BytesMut::new(),
            transactions: Vec::new(),
            schemas: Vec::new(),
            idles: Vec::new(),
            reached: lsn(start),
        }
    }

    /// Reads until everything before `end` has been handed over.
    async fn read_to(&mut self, end: u64) {
        while self.reached < end {
            self.step().await;
        }
    }

    async fn step(&mut self) {
        let next = tokio::time::timeout(SOON, self.stream.next()).await;
        match next.expect("the log stands still").unwrap() {
            Captured::Frame(bytes) => frame::push(&mut self.entry, &bytes),
            Captured::Schema(table) => self.schemas.push(table),
            Captured::End(Reached { position, .. }) => {
                let entry = self.entry.split().freeze();
                let whole = self.decoder.feed(entry).unwrap();
                assert_eq!(whole.len(), 1, "one transaction ends at an end");
                assert_eq!(whole[0].position, position);
                self.transactions.extend(whole);
                self.advance(&position);
            }
            Captured::Idle(Reached { position, .. }) => {
                assert!(self.entry.is_empty(), "idle within a transaction");
                self.advance(&position);
                self.idles.push(self.reached);
            }
        }
    }

    fn advance(&mut self, position: &Position) {
        assert!(lsn(position) > self.reached, "positions go forward");
        self.reached = lsn(position);
    }

    fn changes(&self) -> impl Iterator<Item = &Change> {
        self.transactions.iter().flat_map(|transaction| &transaction.changes)
    }

    fn rows(&self) -> Vec<trueup::change::RowChange> {
        let row = |change: &Change| match change {
            Change::Row(row) => Some(row.clone()),
            Change::Truncate(_) | Change::Doubted(_) | Change::Replaced(_) => None,
            Change::Unread(unread) => {
                panic!("a row of {} is unread: {}", unread.table.name, unread.why)
            }
        };
        self.changes().filter_map(row).collect()
    }
}

fn lsn(position: &Position) -> u64 {
    match position {
        Position::Lsn(lsn) => *lsn,
        Position::Gtid(_) | Position::Gtids(_) | Position::File(_) => {
            panic!("a PostgreSQL position was expected")
        }
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Missing => "<missing>".to_owned(),
        Cell::Null => "<null>".to_owned(),
        Cell::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn texts(row: &(impl Cells + ?Sized)) -> Vec<String> {
    row.cells().map(|cell| text(&cell.to_cell())).collect()
}

fn name(table: &str) -> TableName {
    TableName::new("public", table)
}

fn chunk_rows(chunk: &Chunk) -> Vec<Vec<Cell>> {
    let mut rest: Bytes = chunk.rows.clone();
    let mut rows = Vec::new();
    while !rest.is_empty() {
        rows.push(read_row(&mut rest).unwrap());
    }
    assert_eq!(rows.len() as u64, chunk.row_count);
    rows
}

/// Copies a whole table, chunk by chunk.
async fn copy(
    source: &Source,
    fence: trueup::source::Fence,
    table: &str,
    rows_max: u32,
) -> Vec<Chunk> {
    let mut copier = source.copier(fence).await.unwrap();
    let table = name(table);
    let mut chunks: Vec<Chunk> = Vec::new();
    loop {
        let after = chunks.last().and_then(|chunk| chunk.next_after.clone());
        let span = Span { after: after.as_deref(), ..Span::default() };
        let chunk = copier.chunk(&table, span, rows_max, &|_| {});
        let chunk = tokio::time::timeout(SOON, chunk).await.expect("the copy hangs").unwrap();
        let is_last = chunk.next_after.is_none();
        chunks.push(chunk);
        if is_last {
            return chunks;
        }
    }
}

/// What the design says comes out of a copy and a log: chunks lie under the changes they could
/// not see; two text columns, the first is the key.
fn lay(chunks: &[Chunk], transactions: &[Transaction]) -> BTreeMap<String, String> {
    let mut under: HashMap<String, (String, usize)> = HashMap::new();
    for (place, chunk) in chunks.iter().enumerate() {
        for row in chunk_rows(chunk) {
            under.insert(text(&row[0]), (text(&row[1]), place));
        }
    }
    let mut rows: BTreeMap<String, String> =
        under.into_iter().map(|(key, (value, _))| (key, value)).collect();
    for transaction in transactions {
        let unseen = |chunk: &Chunk| !chunk.visibility.sees(transaction.id).unwrap();
        // These tests copy in one chunk, so one verdict counts for all keys.
        if !chunks.iter().all(unseen) {
            continue;
        }
        for change in &transaction.changes {
            match change {
                Change::Doubted(table) | Change::Replaced(table) => {
                    panic!("{} is doubted", table.name)
                }
                Change::Unread(unread) => {
                    panic!("a row of {} is unread: {}", unread.table.name, unread.why)
                }
                Change::Truncate(_) => rows.clear(),
                Change::Row(row) => {
                    if let Some(old) = &row.old {
                        rows.remove(&texts(old)[0]);
                    }
                    if let (Op::Insert | Op::Update, Some(new)) = (row.op, &row.new) {
                        let new = texts(new);
                        rows.insert(new[0].clone(), new[1].clone());
                    }
                }
            }
        }
    }
    rows
}
