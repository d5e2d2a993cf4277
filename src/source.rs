//! Sources: the legacy databases, read through their own replication logs.
//!
//! A source is two things that never meet: an I/O side ([`Source`]: connect, stream, copy,
//! examine) that hands capture **undecoded** frames, and a pure side ([`decode`]) that conform
//! uses to turn journaled frames into [`Transaction`]s. Nothing on the I/O side can fail on a
//! value, so a poison row never holds the source.

pub(crate) mod choice;
pub(crate) mod conditions;
mod copier;
pub mod decode;
pub mod entry;
pub mod foreign_keys;
pub mod frame;
mod log_end;
mod middle;
pub mod mysql;
pub mod postgres;
mod span;
mod survey;
mod tables;
pub mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;

use crate::change::{Cell, Position, Reached, Table, TableName, Visibility};
use crate::config::{SourceConfig, SourceKind};
use crate::error::{Error, ErrorKind, Result};
pub use crate::finding::{self, Finding};
pub use copier::Copier;
pub use foreign_keys::ForeignKeys;
pub use log_end::LogEnd;
pub use span::Span;
pub use survey::Survey;
pub use tables::{Cataloged, Identity, Offered};

/// What a stream hands to capture, in log order.
#[derive(Debug)]
pub enum Captured {
    /// A piece of the transaction in flight, not to be looked into (see [`frame`]).
    Frame(Bytes),
    /// A table as it is from here on in the log; goes into the schema history with the journal
    /// entry that holds its frame. The frame that carries it for the decoder follows as
    /// [`Captured::Frame`].
    Schema(Arc<Table>),
    /// The transaction in flight is whole; the log continues at this position.
    End(Reached),
    /// Nothing is in flight and everything up to this position has been handed over.
    Idle(Reached),
}

/// How a slot, a binlog position or a server identity stands to what the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing of ours exists yet: prepare and copy everything.
    New,
    /// The stream can continue exactly where the ledger ends.
    Continues,
    /// Changes are lost or may be lost; the text says why, for people.
    Gap(String),
}

/// A prepared source: what capture needs to know before it reads.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Where the stream begins (a new slot's consistent point, or the ledger's position).
    pub start: Position,
    /// The tables to mirror, as the catalog shows them now.
    pub tables: Vec<Arc<Table>>,
    /// A chunk counts only if its snapshot began after everything that ran when the slot or the
    /// publication last changed (design §2, "Publication and slot").
    pub fence: Fence,
    /// Tables whose changes are in the log from now on only: whatever was copied of them before,
    /// they need a new copy. (PostgreSQL: what joined the publication just now.)
    pub added: Vec<TableName>,
    /// Who tells of what foreign keys do.
    pub foreign_keys: ForeignKeys,
    /// What the server calls itself (PostgreSQL: the system identifier, and the publication if its
    /// owner made it). Another one later means a clone or a restore: a gap.
    pub identity: String,
    /// Why it would be followed better if its log began anew, at the operator's word; for people.
    pub is_outgrown: Option<String>,
}

/// When a chunk may begin to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fence {
    /// At once.
    Open,
    /// PostgreSQL: only with a snapshot whose xmin is at least this (a transaction id assigned
    /// after the change).
    Xmin(u64),
    /// MariaDB: only with a snapshot that has seen everything up to here. What is in the log is not
    /// yet visible to every snapshot.
    Reached(Position),
}

/// A chunk of a copy: rows of one table in key order, and what its snapshot could see.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// The table as the chunk read it.
    pub table: Arc<Table>,
    /// What the chunk's snapshot could see.
    pub visibility: Visibility,
    /// The rows, each in the encoding of [`crate::change::tuple`], one after the other.
    pub rows: Bytes,
    /// How many rows.
    pub row_count: u64,
    /// The chunk may enter the journal once the log is journaled up to here.
    pub admit_after: Position,
    /// The key of its last row; the next chunk begins after it. `None`: the table is done.
    pub next_after: Option<Vec<Cell>>,
    /// Of a table without a key: which part of its one snapshot it is.
    pub piece: Option<crate::change::keyless::Piece>,
}

/// A configured source. A closed list: the compiler names what a new kind must answer.
#[derive(Debug, Clone)]
pub enum Source {
    /// PostgreSQL by logical replication.
    Postgres(postgres::Postgres),
    /// MariaDB or MySQL by its binlog.
    Mysql(mysql::Mysql),
}

impl Source {
    /// A source from its configuration; connects to nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) for an unusable URL or secret.
    pub fn new(name: &str, install: &str, config: &SourceConfig) -> Result<Self> {
        Ok(match config.kind {
            SourceKind::Postgres => {
                Source::Postgres(postgres::Postgres::new(name, install, config)?)
            }
            SourceKind::Mariadb | SourceKind::Mysql => {
                Source::Mysql(mysql::Mysql::new(name, install, config)?)
            }
        })
    }

    /// What the server is, where the configuration of a `mysql://` may be wrong about it.
    ///
    /// # Errors
    /// The source cannot be reached.
    pub async fn actual_kind(&self) -> Result<SourceKind> {
        match self {
            Source::Postgres(_) => Ok(SourceKind::Postgres),
            Source::Mysql(source) => source.actual_kind().await,
        }
    }

    /// Tells what its mapping reads (names as in the mirror): mirrored if the configuration names
    /// no tables itself.
    #[must_use]
    pub fn reading(self, tables: &BTreeSet<String>) -> Self {
        match self {
            Source::Postgres(source) => Source::Postgres(source.reading(tables)),
            Source::Mysql(source) => Source::Mysql(source.reading(tables)),
        }
    }

    /// Compares slot or binlog with what the ledger knows; changes nothing.
    ///
    /// # Errors
    /// The source cannot be reached or answers with an error.
    pub async fn standing(
        &self,
        ledger: Option<&Position>,
        identity: Option<&str>,
    ) -> Result<Standing> {
        match self {
            Source::Postgres(source) => source.standing(ledger, identity).await,
            Source::Mysql(source) => source.standing(ledger, identity).await,
        }
    }

    /// Makes or adopts what the source needs (slot, publication) and reads the tables.
    /// `ledger` is `None` when nothing was ever captured: then whatever exists under our name
    /// is made anew.
    ///
    /// # Errors
    /// The source cannot be reached, or is not set up as we need it; the hint says how.
    pub async fn prepare(&self, ledger: Option<&Position>) -> Result<Prepared> {
        match self {
            Source::Postgres(source) => source.prepare(ledger).await,
            Source::Mysql(source) => source.prepare(ledger).await,
        }
    }

    /// The same for a source that was captured before: a table that is not among the `mirrored` (names as
    /// text) and cannot be mirrored as it is must not hold up the others. It is left out, with a warning.
    ///
    /// # Errors
    /// As [`Source::prepare`].
    pub async fn prepare_again(&self, ledger: &Position, mirrored: &[String]) -> Result<Prepared> {
        match self {
            Source::Postgres(source) => source.prepare_among(Some(ledger), Some(mirrored)).await,
            Source::Mysql(source) => source.prepare_among(Some(ledger), Some(mirrored)).await,
        }
    }

    /// The tables that the configuration chooses, as the catalog shows them now. Cheap: asked again and
    /// again.
    ///
    /// # Errors
    /// As [`Source::prepare`].
    pub async fn chosen(&self) -> Result<BTreeMap<TableName, Identity>> {
        match self {
            Source::Postgres(source) => source.chosen().await,
            Source::Mysql(source) => source.chosen().await,
        }
    }

    /// Refuses a table as it is `now` if a column that the configuration left out of it `before` may have
    /// come back under another name, or if its rows cannot be followed without one that is left out.
    ///
    /// # Errors
    /// [`ErrorKind::Config`].
    pub fn follow(&self, before: Option<&Table>, now: &Table) -> Result<()> {
        match self {
            Source::Postgres(source) => source.choice().follow(before, now),
            Source::Mysql(source) => source.choice().follow(before, now),
        }
    }

    /// Opens the log at `start`.
    ///
    /// # Errors
    /// As [`Source::prepare`].
    pub async fn stream(&self, start: &Position, tables: &[TableName]) -> Result<Stream> {
        Ok(match self {
            Source::Postgres(source) => {
                Stream::Postgres(Box::new(source.stream(start, tables).await?))
            }
            Source::Mysql(source) => Stream::Mysql(Box::new(source.stream(start, tables).await?)),
        })
    }

    /// Opens a session for copying.
    ///
    /// # Errors
    /// As [`Source::prepare`].
    pub async fn copier(&self, fence: Fence) -> Result<Copier> {
        Ok(match self {
            Source::Postgres(source) => Copier::Postgres(Box::new(source.copier(fence).await?)),
            Source::Mysql(source) => Copier::Mysql(Box::new(source.copier(fence).await?)),
        })
    }

    /// A snapshot of the source to compare with, known by positions of the kind by which it is `read`. It
    /// reads only, and its transaction is open until it is dropped: keep it for seconds.
    ///
    /// # Errors
    /// `Unreachable`, or `Setup` if the server cannot say what a snapshot has seen.
    pub async fn survey(&self, read: Option<&Position>) -> Result<Survey> {
        Ok(match self {
            Source::Postgres(source) => Survey::Postgres(source.survey().await?),
            Source::Mysql(source) => Survey::Mysql(source.survey(read).await?),
        })
    }

    /// Examines the source for `check`: every finding names its remedy.
    pub async fn examine(&self) -> Vec<Finding> {
        match self {
            Source::Postgres(source) => source.examine().await,
            Source::Mysql(source) => source.examine().await,
        }
    }

    /// Every table that could be mirrored, by name; changes nothing.
    ///
    /// # Errors
    /// As [`Source::prepare`].
    pub async fn offered(&self) -> Result<Vec<Offered>> {
        match self {
            Source::Postgres(source) => source.offered().await,
            Source::Mysql(source) => source.offered().await,
        }
    }

    /// Every table with its columns, and whether it is chosen; changes nothing.
    ///
    /// # Errors
    /// As [`Source::prepare`].
    pub async fn catalog(&self) -> Result<Vec<Cataloged>> {
        match self {
            Source::Postgres(source) => source.catalog().await,
            Source::Mysql(source) => source.catalog().await,
        }
    }

    /// Opens a session that looks at the end of the log; changes nothing.
    ///
    /// # Errors
    /// As [`Source::prepare`].
    pub async fn log_end(&self) -> Result<LogEnd> {
        Ok(match self {
            Source::Postgres(source) => LogEnd::Postgres(Box::new(source.log_end().await?)),
            Source::Mysql(source) => LogEnd::Mysql(Box::new(source.log_end().await?)),
        })
    }

    /// True unless the log that the server has is another one than what was read, under the same
    /// positions: then [`Standing::Gap`]. Asked when [`Source::standing`] found nothing.
    ///
    /// # Errors
    /// As [`Source::prepare`].
    pub async fn recognize(&self, reached: &Reached) -> Result<Standing> {
        match self {
            Source::Postgres(source) => source.recognize(reached).await,
            Source::Mysql(source) => source.recognize(reached).await,
        }
    }

    /// Makes the server keep no more log for us. What is not captured is lost with it.
    ///
    /// # Errors
    /// As [`Source::uninstall`].
    pub async fn give_up(&self) -> Result<()> {
        match self {
            Source::Postgres(source) => source.give_up().await,
            Source::Mysql(_) => Ok(()),
        }
    }

    /// Removes what we made on the server, or with `dry_run` only says what: one line of SQL per
    /// thing. Nothing of ours lies in MariaDB.
    ///
    /// # Errors
    /// As [`Source::prepare`]; somebody uses the slot, or the role may not drop what it made.
    pub async fn uninstall(&self, dry_run: bool) -> Result<Vec<String>> {
        match self {
            Source::Postgres(source) => source.uninstall(dry_run).await,
            Source::Mysql(_) => Ok(Vec::new()),
        }
    }
}

/// What mends a gap.
#[must_use]
pub fn all_anew(source: &str) -> String {
    format!(
        "mend what led to it, then run `trueup resync {source} --gap`: its log is followed anew, every \
         table is copied again under its mirror, and what was missed is made up for"
    )
}

/// What brings back a table whose mirror is not right any more.
fn one_anew(table: &TableName) -> String {
    format!(
        "add \"!{table}\" to `tables` and start the daemon, then take it out and start it again: \
         the table is copied anew"
    )
}

/// Refuses a source that lacks tables which its mapping reads.
fn refuse_lacking(
    source: &str,
    default_schema: &str,
    needed: &BTreeSet<String>,
    known: &[TableName],
) -> Result<()> {
    let is_missing =
        |needed: &&String| !known.iter().any(|name| name.mirror_name(default_schema) == **needed);
    let lacking: Vec<&str> = needed.iter().filter(is_missing).map(String::as_str).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let what = format!(
        "source `{source}` lacks tables that its mapping reads, or they may not be seen: {}",
        lacking.join(", ")
    );
    Err(Error::new(ErrorKind::Config, what)
        .hint("name the right database in its url, or the mapping pack that was made for it"))
}

/// An open log. Feedback to the server runs on its own, whatever the consumer does.
#[derive(Debug)]
pub enum Stream {
    /// PostgreSQL.
    Postgres(Box<postgres::stream::PostgresStream>),
    /// MariaDB.
    Mysql(Box<mysql::stream::MysqlStream>),
}

impl Stream {
    /// The next piece of the log. Cancel-safe: a dropped call loses nothing.
    ///
    /// # Errors
    /// The connection broke or the server refused: reconnect from the journal's end.
    pub async fn next(&mut self) -> Result<Captured> {
        match self {
            Stream::Postgres(stream) => stream.next().await,
            Stream::Mysql(stream) => stream.next().await,
        }
    }

    /// Tells the server that everything up to `position` is durable in the ledger. Cheap; never
    /// blocks.
    pub fn confirm(&self, position: &Position) {
        match self {
            Stream::Postgres(stream) => stream.confirm(position),
            Stream::Mysql(stream) => stream.confirm(position),
        }
    }
}
