//! MariaDB 10.6 and later, and MySQL 8.0 and later, as sources, read through their binlogs: by GTID, or MySQL
//! without GTIDs by file and position.
//!
//! | file | what |
//! |---|---|
//! | `session` | connections, TLS, the pinned session, errors |
//! | `dialect` | what the two do differently |
//! | `settings`, `examine` | what a server and its tables must be |
//! | `catalog`, `inventory`, `selection` | what tables there are, which are mirrored |
//! | `following` | by what a log is followed |
//! | `stream`, `log`, `place`, `schemas` | the log as frames (I/O) |
//! | `binlog`, `event`, `gtid`, `table_map`, `rows`, `codec`, `json` | frames to transactions (pure) |
//! | `statement`, `alter`, `token` | what a statement in the log does (pure) |
//! | `copy`, `key` | chunks of a copy |
//! | `scan` | the copy of a table without a key |
//! | `committed`, `commits`, `snapshot` | what every snapshot has seen, and what one has, as a position |
//! | `anonymous` | what was written without a number and would be passed over |
//! | `unlogged` | what was executed and never comes in the log |
//! | `runs` | which of the server's runs wrote the log that is still to be read |
//! | `value`, `charset`, `multibyte`, `reader` | canonical text, character sets, bytes |

mod alter;
mod anonymous;
pub mod binlog;
mod catalog;
mod charset;
mod codec;
mod commits;
mod committed;
pub mod copy;
pub mod dialect;
mod event;
mod examine;
mod following;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod gtid;
mod inventory;
pub mod json;
mod key;
mod log;
mod multibyte;
mod place;
mod reader;
mod rows;
mod runs;
mod scan;
mod schemas;
mod selection;
mod session;
mod settings;
mod snapshot;
mod statement;
pub mod stream;
pub mod survey;
mod table_map;
mod token;
mod unlogged;
mod value;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::choice::Choice;
use super::{Fence, Finding, ForeignKeys, Identity, Prepared, Standing};
use crate::change::position::parse_gtids;
use crate::change::{Position, Reached, TableName};
use crate::config::{SourceConfig, SourceKind};
use crate::error::{Error, ErrorKind, Result};
use catalog::Described;
use dialect::Dialect;
use following::Following;
use session::Address;
use settings::Server;

/// How long a new source waits for a moment at which no XA transaction is prepared: applications that use
/// them have such moments all the time, and one that somebody forgot never ends.
const PREPARED_PATIENCE: Duration = Duration::from_secs(10);
/// Pause between two looks for it.
const PREPARED_LOOK: Duration = Duration::from_millis(10);

/// A configured MariaDB or MySQL source.
#[derive(Debug, Clone)]
pub struct Mysql {
    address: Address,
    patterns: Vec<String>,
    /// What its mapping reads, where the configuration names no tables.
    needed: BTreeSet<String>,
}

impl Mysql {
    /// See [`super::Source::new`].
    ///
    /// # Errors
    /// See there.
    pub fn new(name: &str, _install: &str, config: &SourceConfig) -> Result<Self> {
        Ok(Self {
            address: Address::new(name, config)?,
            patterns: config.tables.clone(),
            needed: BTreeSet::new(),
        })
    }

    /// What of its tables is mirrored.
    pub(super) fn choice(&self) -> &Choice {
        self.address.choice()
    }

    /// See [`super::Source::actual_kind`].
    pub(super) async fn actual_kind(&self) -> Result<SourceKind> {
        Ok(match self.address.actual_dialect().await? {
            Dialect::Mariadb => SourceKind::Mariadb,
            Dialect::Mysql => SourceKind::Mysql,
        })
    }

    /// See [`super::Source::reading`].
    pub(super) fn reading(mut self, tables: &BTreeSet<String>) -> Self {
        if self.patterns.is_empty() {
            self.patterns = tables.iter().cloned().collect();
            self.needed = tables.clone();
        }
        self
    }

    /// See [`super::Source::standing`].
    ///
    /// # Errors
    /// See there.
    pub async fn standing(
        &self,
        ledger: Option<&Position>,
        identity: Option<&str>,
    ) -> Result<Standing> {
        let Some(ledger) = ledger else { return Ok(Standing::New) };
        let mut connection = self.address.connect().await?;
        let server = settings::read(&self.address, &mut connection).await?;
        let by = Following::of(ledger);
        if let Some(known) = identity.filter(|known| *known != server.identity()) {
            let is_own = match by {
                Following::Files => ", and without GTIDs no server can go on where another one was",
                Following::Gtids => "",
            };
            return Ok(Standing::Gap(format!(
                "this is another server (identity {}, the ledger knows {known}){is_own}",
                server.identity()
            )));
        }
        if let Position::File(place) = ledger {
            return following::standing(&self.address, &mut connection, place).await;
        }
        if matches!(server.gtid_mode(), "OFF" | "OFF_PERMISSIVE") {
            return Ok(Standing::Gap(format!(
                "the server gives its transactions no GTIDs any more (gtid_mode = {}), and the ledger ends \
                 at {ledger}",
                server.gtid_mode()
            )));
        }
        let now = server.position()?;
        if !now.covers(ledger)? {
            return Ok(Standing::Gap(format!(
                "the server's log ends at {now}, before {ledger} where the ledger ends: it was \
                 restored or its log was reset"
            )));
        }
        let oldest = self.oldest(&mut connection).await?;
        if !ledger.covers(&oldest)? {
            return Ok(Standing::Gap(format!(
                "the server's log begins at {oldest}, after {ledger} where the ledger ends: older \
                 files were purged"
            )));
        }
        Ok(Standing::Continues)
    }

    /// See [`super::Source::recognize`].
    pub(super) async fn recognize(&self, reached: &Reached) -> Result<Standing> {
        let Some(witness) = &reached.witness else { return Ok(Standing::Continues) };
        let witness = witness.parse()?;
        if let Some(why) = witness::contradiction(&self.address, &witness).await? {
            return Ok(Standing::Gap(format!(
                "the server's log is another one than we read up to {}, although its numbers are \
                 the same: {why}; it was restored, or lost transactions in a crash",
                reached.position
            )));
        }
        if !matches!(reached.position, Position::Gtids(_)) {
            return Ok(Standing::Continues);
        }
        let passed = anonymous::passed_over(&self.address, &witness, &reached.position).await?;
        Ok(passed.map_or(Standing::Continues, |file| {
            Standing::Gap(format!(
                "the server's log holds transactions without GTIDs (in {file}) after {} where the ledger \
                 ends: gtid_mode was not ON for a while",
                reached.position
            ))
        }))
    }

    /// What the oldest binlog file says that came before it; MySQL says it itself.
    async fn oldest(&self, connection: &mut Conn) -> Result<Position> {
        if self.address.dialect() == Dialect::Mysql {
            let explain = |error| self.address.explain(error, "could not read gtid_purged");
            let sql = "SELECT @@GLOBAL.gtid_purged";
            let purged: Option<String> = connection.query_first(sql).await.map_err(explain)?;
            return Dialect::Mysql.position(&purged.unwrap_or_default());
        }
        let explain = |error| self.address.explain(error, "could not read the list of binlogs");
        let file: Option<(String, u64)> =
            connection.query_first("SHOW BINARY LOGS").await.map_err(explain)?;
        let file = file.map(|(name, _)| name).unwrap_or_default();
        // The list stands at the start of the file: its place is always 4.
        let list: Option<Option<String>> = connection
            .exec_first("SELECT BINLOG_GTID_POS(?, 4)", (file.as_str(),))
            .await
            .map_err(explain)?;
        let list = list.flatten().as_deref().and_then(parse_gtids);
        list.map(Position::Gtid).ok_or_else(|| {
            Error::new(ErrorKind::Unreachable, format!("the binlog {file} is gone by now"))
        })
    }

    /// See [`super::Source::prepare`].
    ///
    /// # Errors
    /// See there.
    pub async fn prepare(&self, ledger: Option<&Position>) -> Result<Prepared> {
        self.prepare_among(ledger, None).await
    }

    /// See [`super::Source::prepare_again`].
    pub(super) async fn prepare_among(
        &self,
        ledger: Option<&Position>,
        mirrored: Option<&[String]>,
    ) -> Result<Prepared> {
        let mut connection = self.address.connect().await?;
        let server = settings::read(&self.address, &mut connection).await?;
        let by = ledger.map_or(server.following(), Following::of);
        let findings = self.findings(&mut connection, &server, by).await;
        examine::refuse(self.address.source(), &findings)?;
        let tables = self.tables(&mut connection, &server, mirrored).await?;
        examine::refuse(self.address.source(), &tables.findings)?;
        self.address.choice().judge(tables.described.iter().map(|found| &found.table))?;
        let start = match ledger {
            Some(ledger) => ledger.clone(),
            None => self.beginning(&mut connection, by).await?,
        };
        let foreign_keys = self.foreign_keys(&server, &tables.described, &start).await?;
        Ok(Prepared {
            // What is in the log may not be visible to a snapshot yet.
            fence: Fence::Reached(start.clone()),
            start,
            tables: tables.described.into_iter().map(|found| Arc::new(found.table)).collect(),
            added: Vec::new(),
            foreign_keys,
            identity: server.identity(),
            is_outgrown: (by != server.following()).then(|| {
                "its transactions have GTIDs by now (gtid_mode = ON), by which it is followed from here on"
                    .to_owned()
            }),
        })
    }

    /// What stands against following the server's log so.
    async fn findings(
        &self,
        connection: &mut Conn,
        server: &Server,
        by: Following,
    ) -> Vec<Finding> {
        let mut findings = server.findings(by);
        if by == Following::Files {
            findings.push(commits::finding(&self.address, connection, server).await);
        }
        findings
    }

    /// Who tells of what foreign keys do, by now and in the log after `start`.
    async fn foreign_keys(
        &self,
        server: &Server,
        described: &[Described],
        start: &Position,
    ) -> Result<ForeignKeys> {
        let follows = described.iter().filter(|found| found.has_cascades);
        let tables: BTreeSet<TableName> = follows.map(|found| found.table.name.clone()).collect();
        let Some(logged) = server.logs_cascades().filter(|_| !tables.is_empty()) else {
            return Ok(ForeignKeys::default());
        };
        // Before MySQL 9.6 there was no choice, nor in the runs before.
        let unknown = match server.chooses_cascades() {
            true => runs::unknown(&self.address, start).await?,
            false => None,
        };
        Ok(ForeignKeys { tables, logged: Some(logged), unknown })
    }

    /// Where the log of a new source begins: its end, at a moment at which nothing is prepared. Rows of an
    /// XA transaction stand in the log where it was prepared: one that lies across the beginning would be
    /// lost, also if it has ended by the time that somebody looks. What is written there may not be
    /// committed yet, and would be in neither log nor copy: that is waited for.
    async fn beginning(&self, connection: &mut Conn, by: Following) -> Result<Position> {
        let until = Instant::now() + PREPARED_PATIENCE;
        loop {
            let before = self.xa_statements(connection).await?;
            let open = prepared_xa(&self.address, connection).await?;
            let end = committed::end_of_log(&self.address, connection, by).await?;
            let still = prepared_xa(&self.address, connection).await?;
            let are_none = open.is_empty() && still.is_empty();
            if are_none && self.xa_statements(connection).await? == before {
                committed::outwait(&self.address, connection, &end).await?;
                return Ok(end);
            }
            if Instant::now() > until {
                let count = open.len().max(still.len()).max(1);
                let what = format!("{count} XA transactions are prepared and not finished");
                return Err(Error::new(ErrorKind::Setup, what).hint(
                    "finish those that XA RECOVER lists (XA COMMIT or XA ROLLBACK), then start again",
                ));
            }
            tokio::time::sleep(PREPARED_LOOK).await;
        }
    }

    /// How many statements of XA transactions the server has begun.
    async fn xa_statements(&self, connection: &mut Conn) -> Result<BTreeMap<String, String>> {
        let rows: Vec<(String, String)> = connection
            .query("SHOW GLOBAL STATUS LIKE 'Com\\_xa\\_%'")
            .await
            .map_err(|error| self.address.explain(error, "could not count XA statements"))?;
        // (XA RECOVER is what we do ourselves.)
        Ok(rows.into_iter().filter(|(name, _)| name != "Com_xa_recover").collect())
    }

    async fn tables(
        &self,
        connection: &mut Conn,
        server: &Server,
        mirrored: Option<&[String]>,
    ) -> Result<examine::Tables> {
        let known = catalog::known(&self.address, connection).await?;
        let mut described = self.choose(connection, &known).await?;
        let (forbidden, gone) = self.forbidden(connection, &described).await?;
        described.retain(|one| !gone.contains(&one.table.name));
        if let Some(mirrored) = mirrored {
            let source = self.address.source();
            examine::leave_out(source, &known, &mut described, &forbidden, (server, mirrored));
        }
        let findings = examine::tables(&known, &described, &forbidden, server);
        Ok(examine::Tables { described, findings })
    }

    /// Tables that we can see but not read, and those that were dropped since they were listed.
    async fn forbidden(
        &self,
        connection: &mut Conn,
        described: &[Described],
    ) -> Result<(Vec<TableName>, Vec<TableName>)> {
        let (mut forbidden, mut gone) = (Vec::new(), Vec::new());
        for Described { table, .. } in described {
            let sent = table.columns.iter().take(table.sent_count());
            let columns = sent.map(|column| key::quote(&column.name));
            let columns = columns.collect::<Vec<_>>().join(", ");
            let table = &table.name;
            let name = format!("{}.{}", key::quote(&table.schema), key::quote(&table.name));
            match connection.query_drop(format!("SELECT {columns} FROM {name} LIMIT 0")).await {
                Ok(()) => {}
                // (A column was dropped since: it is listed again.)
                Err(mysql_async::Error::Server(error)) if error.code == 1054 => {}
                Err(mysql_async::Error::Server(error)) if matches!(error.code, 1142 | 1143) => {
                    forbidden.push(table.clone());
                }
                Err(mysql_async::Error::Server(error)) if error.code == 1146 => {
                    gone.push(table.clone());
                }
                Err(error) => {
                    return Err(self.address.explain(error, format!("could not read {table}")));
                }
            }
        }
        Ok((forbidden, gone))
    }

    /// See [`super::Source::log_end`].
    pub(super) async fn log_end(&self) -> Result<LogEnd> {
        Ok(LogEnd { address: self.address.clone(), session: self.address.connect().await? })
    }

    /// See [`super::Source::chosen`]. (What takes the place of another table the log tells.)
    pub(super) async fn chosen(&self) -> Result<BTreeMap<TableName, Identity>> {
        let mut connection = self.address.connect().await?;
        let known = catalog::known(&self.address, &mut connection).await?;
        connection.disconnect().await.unwrap_or_default();
        let names: Vec<TableName> = known.iter().map(|known| known.name.clone()).collect();
        let (source, database) = (self.address.source(), self.address.database());
        let chosen = selection::select(source, database, &self.patterns, &names)?;
        Ok(chosen.into_iter().map(|name| (name.clone(), Identity::default())).collect())
    }

    /// See [`super::Source::stream`].
    ///
    /// # Errors
    /// See there.
    pub async fn stream(
        &self,
        start: &Position,
        tables: &[TableName],
    ) -> Result<stream::MysqlStream> {
        stream::MysqlStream::open(self.address.clone(), start, tables).await
    }

    /// See [`super::Source::copier`].
    ///
    /// # Errors
    /// See there.
    pub async fn copier(&self, fence: Fence) -> Result<copy::MysqlCopier> {
        copy::MysqlCopier::open(self.address.clone(), fence).await
    }

    /// See [`super::Source::examine`].
    pub async fn examine(&self) -> Vec<Finding> {
        let examined = async {
            let mut connection = self.address.connect().await?;
            let server = settings::read(&self.address, &mut connection).await?;
            let by = server.following();
            let mut findings = self.findings(&mut connection, &server, by).await;
            match self.tables(&mut connection, &server, None).await {
                Ok(tables) => {
                    findings.extend(tables.findings);
                    let tables = tables.described.iter().map(|found| &found.table);
                    let judged = self.address.choice().judge(tables);
                    findings.extend(judged.err().map(|error| examine::finding(&error)));
                }
                Err(error) => findings.push(examine::finding(&error)),
            }
            Ok(findings)
        };
        examined.await.unwrap_or_else(|error: Error| vec![examine::finding(&error)])
    }
}

/// The names of XA transactions that are prepared and not finished.
async fn prepared_xa(address: &Address, connection: &mut Conn) -> Result<Vec<Vec<u8>>> {
    let rows: Vec<(u64, u64, u64, Vec<u8>)> = connection
        .query("XA RECOVER")
        .await
        .map_err(|error| address.explain(error, "could not list XA transactions"))?;
    Ok(rows.into_iter().map(|(.., name)| name).collect())
}

/// A session that looks at the end of the log.
#[derive(Debug)]
pub struct LogEnd {
    address: Address,
    session: Conn,
}

impl LogEnd {
    /// See [`super::LogEnd::look`].
    pub(super) async fn look(&mut self, read: Option<&Position>) -> Result<Position> {
        let by = Following::asked(&self.address, &mut self.session, read).await?;
        committed::end_of_log(&self.address, &mut self.session, by).await
    }
}
