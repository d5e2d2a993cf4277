//! PostgreSQL as a target: rows, cursor and holes in one transaction, so that each event is
//! applied exactly once whatever crashes.
//!
//! It decides neither what to apply nor when to try again; that is delivery's.
//!
//! ```text
//! apply: BEGIN ─► take the cursor ─► rows ─► holes ─► baseline ─► COMMIT
//!                 (compare-and-set)   └ refused ones become holes
//! ```
//!
//! An error or a dropped call closes the session: the outcome may be unknown, and only opening
//! again, which waits for what is still being committed and then reads the account, tells it.

mod account;
mod catalog;
mod circle;
mod connect;
mod examine;
mod refusal;
pub mod survey;
mod table;
mod write;

use std::collections::{BTreeMap, HashSet};

use tokio_postgres::Client;

use self::account::{Book, Owner};
use self::connect::Address;
use self::write::{Failed, OpenTable, Writer};
use super::{Account, Applied, Apply, Claim, Hole, Refused};
use crate::config::{TargetConfig, TargetEntity};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Finding;
use crate::finding::Severity;

/// A configured PostgreSQL target.
#[derive(Debug)]
pub struct PostgresTarget {
    owner: Owner,
    address: Address,
    entities: BTreeMap<String, TargetEntity>,
    /// Taken while a call uses it, put back when the call succeeds.
    session: Option<Session>,
}

impl PostgresTarget {
    /// See [`super::Target::new`].
    ///
    /// # Errors
    /// See there.
    pub fn new(name: &str, install: &str, config: &TargetConfig) -> Result<Self> {
        Ok(Self {
            owner: Owner { install: install.to_owned(), target: name.to_owned() },
            address: Address::new(name, config)?,
            entities: config.entity.clone(),
            session: None,
        })
    }

    /// See [`super::Target::open`]. Also looks the tables up, first of all: a target that does
    /// not fit its mapping is left as it is.
    ///
    /// # Errors
    /// See there; `Setup` if a table does not fit its mapping.
    pub async fn open(&mut self, claim: &Claim) -> Result<Account> {
        self.session = None;
        let client = self.address.connect().await?;
        let tables = self.tables(&client).await?;
        self.ensure_schema(&client).await?;
        let session = Session { client, tables, epoch: claim.epoch };
        session.begin(&self.address).await?;
        let account = session.book(&self.address, &self.owner).open(claim).await?;
        session.commit(&self.address).await?;
        self.session = Some(session);
        Ok(account)
    }

    /// See [`super::Target::apply`].
    ///
    /// # Errors
    /// See there; after any of them, open again.
    pub async fn apply(&mut self, apply: Apply) -> Result<Applied> {
        let session = self.session.take().ok_or_else(|| {
            let what = format!("target `{}` is not open", self.owner.target);
            Error::new(ErrorKind::Bug, what)
        })?;
        session.begin(&self.address).await?;
        let book = session.book(&self.address, &self.owner);
        let applied = session.write(&self.address, &book, apply).await?;
        session.commit(&self.address).await?;
        self.session = Some(session);
        Ok(applied)
    }

    /// See [`super::Target::examine`].
    pub async fn examine(&mut self) -> Vec<Finding> {
        match self.address.connect().await {
            Ok(client) => examine::examine(&client, &self.address, &self.entities).await,
            Err(error) => vec![examine::unexpected(&error)],
        }
    }

    async fn tables(&self, client: &Client) -> Result<BTreeMap<String, OpenTable>> {
        let mut tables = BTreeMap::new();
        for (entity, config) in &self.entities {
            let table = examine::judged(client, &self.address, entity, config)
                .await?
                .map_err(|findings| self.unfit(&findings))?;
            let unplanned = |error| {
                self.address.failed(&format!("could not plan writes to {}", table.label), &error)
            };
            let upsert = client.prepare(&table.upsert()).await.map_err(unplanned)?;
            let delete = client.prepare(&table.delete()).await.map_err(unplanned)?;
            tables.insert(entity.clone(), OpenTable { table, upsert, delete });
        }
        Ok(tables)
    }

    /// The first thing that is wrong, as an error.
    fn unfit(&self, findings: &[Finding]) -> Error {
        let first = findings.iter().find(|finding| finding.severity == Severity::Error);
        let what = first.map_or("does not fit its mapping", |finding| finding.what.as_str());
        let error = Error::new(ErrorKind::Setup, format!("target `{}`: {what}", self.owner.target));
        match first.and_then(|finding| finding.remedy.as_deref()) {
            Some(remedy) => error.hint(remedy),
            None => error.hint("run `trueup check`"),
        }
    }

    /// Makes `_trueup` if a part of it is missing. Asking first lets a role work that may not
    /// create schemas in a database where somebody else made it.
    async fn ensure_schema(&self, client: &Client) -> Result<()> {
        let exists = "SELECT to_regclass('_trueup.cursor') IS NOT NULL \
                      AND to_regclass('_trueup.hole') IS NOT NULL \
                      AND to_regclass('_trueup.baseline') IS NOT NULL";
        let failed = |error| {
            let error = self.address.failed("could not make schema _trueup", &error);
            match error.kind() {
                ErrorKind::Setup => error
                    .hint("run `trueup check`: it prints the CREATE SCHEMA for an administrator"),
                _ => error,
            }
        };
        if client.query_one(exists, &[]).await.map_err(failed)?.get(0) {
            return Ok(());
        }
        // Sent as one message, so the server runs it as one transaction.
        let schema = include_str!("../../sql/target/postgres/schema.sql");
        client.batch_execute(schema).await.map_err(failed)
    }
}

/// An open connection that holds the epoch.
#[derive(Debug)]
struct Session {
    client: Client,
    tables: BTreeMap<String, OpenTable>,
    epoch: u64,
}

impl Session {
    fn book<'a>(&'a self, address: &'a Address, owner: &'a Owner) -> Book<'a> {
        Book { client: &self.client, address, owner }
    }

    async fn begin(&self, address: &Address) -> Result<()> {
        // Spelled out, because a role's defaults may differ: the cursor's compare-and-set must
        // see what others committed while it waited.
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE NOT DEFERRABLE";
        let begun = self.client.batch_execute(begin).await;
        begun.map_err(|error| address.failed("could not begin a transaction", &error))
    }

    /// The one place where a delivery becomes true. If it fails, only the account knows whether
    /// it did.
    async fn commit(&self, address: &Address) -> Result<()> {
        let committed = self.client.batch_execute("COMMIT").await;
        committed.map_err(|error| address.failed("could not commit", &error))
    }

    /// Everything between begin and commit.
    async fn write(&self, address: &Address, book: &Book<'_>, apply: Apply) -> Result<Applied> {
        // Before the first write: the cursor's own trigger may ask, too.
        self.announce(address, &apply).await?;
        // A session that was overtaken waits or ends here and writes nothing.
        book.take(self.epoch, apply.range).await?;
        let writer = Writer { client: &self.client, address, tables: &self.tables };
        let failed = writer.write(&apply.rows).await?;
        book.forget(&apply.forgotten).await?;
        let (opened, closed) = settled(&apply, &failed);
        book.close_holes(&closed).await?;
        book.open_holes(&opened).await?;
        if !opened.is_empty() {
            crate::failpoint::reach("while-parking");
        }
        if let Some((entity, state)) = &apply.baseline {
            book.record_baseline(entity, state).await?;
        }
        let refused = failed.into_iter().map(|Failed { row, verdict }| Refused {
            row: row.clone(),
            class: verdict.class,
            words: verdict.words,
        });
        Ok(Applied { refused: refused.collect() })
    }

    /// Tells triggers and auditors of the target which events this transaction is.
    async fn announce(&self, address: &Address, apply: &Apply) -> Result<()> {
        let sequence = match (apply.range, &apply.baseline) {
            (Some((from, to)), _) => format!("{from}-{to}"),
            (None, Some(_)) => "baseline".to_owned(),
            (None, None) => "retry".to_owned(),
        };
        let sql = "SELECT set_config('trueup.sequence', $1, true)";
        let set = self.client.query_one(sql, &[&sequence]).await;
        set.map(drop).map_err(|error| address.failed("could not name the transaction", &error))
    }
}

/// Which holes a delivery opens and which it closes, once it is known which rows were refused.
fn settled(apply: &Apply, failed: &[Failed<'_>]) -> (Vec<Hole>, Vec<Hole>) {
    let (mut opened, mut closed) = (apply.held.clone(), apply.dropped.clone());
    // Events of the range are passed by the cursor just now, so no hole can exist for them.
    let is_new =
        |sequence: &u64| apply.range.is_some_and(|(from, to)| (from..=to).contains(sequence));
    // Per key there is at most one row.
    let refused: HashSet<(&str, &str)> =
        failed.iter().map(|failed| (failed.row.entity.as_str(), failed.row.key.as_str())).collect();
    for row in &apply.rows {
        let hole = |sequence| Hole { sequence, entity: row.entity.clone(), key: row.key.clone() };
        // Refused or not: closing proves that they are holes.
        closed.extend(row.sequences.iter().filter(|s| !is_new(s)).copied().map(hole));
        if refused.contains(&(row.entity.as_str(), row.key.as_str())) {
            opened.extend(apply.holes_of(row));
        }
    }
    (opened, closed)
}
