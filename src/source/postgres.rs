//! PostgreSQL as a source: what stands between a configured database and an open log.
//!
//! ```text
//! session ── catalog ── selection ─┬─ publication ─┬─ stream ─► frames ─► pgoutput (pure)
//!   (one constant of settings)     └─ slot ────────┴─ copy ───► chunks
//! ```
//!
//! It holds no state between calls: what was captured is the ledger's knowledge.

mod catalog;
pub mod copy;
mod copy_text;
mod examine;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
mod inventory;
pub mod pgoutput;
mod probe;
mod publication;
mod relation;
mod removal;
mod scan;
mod selection;
mod session;
mod slot;
pub mod stream;
pub mod survey;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};
use tokio_postgres::Client;

use self::catalog::{Listed, Server};
use self::examine::{is_left_out, refuse_unusable};
use self::publication::Publication;
use self::session::{Asked, Place};
use self::slot::Slot;
use self::witness::{Recognition, Verdict};
use super::choice::Choice;
use super::{Captured, Fence, Finding, ForeignKeys, Identity, Prepared, Standing};
use crate::change::{Position, Reached, TableName};
use crate::config::SourceConfig;
use crate::error::{Context, Error, ErrorKind, Result};

/// Longest name PostgreSQL keeps, in bytes.
const NAME_BYTES_MAX: usize = 63;
/// Oldest version with everything the log needs (`pg_snapshot`, `messages`).
const VERSION_MIN: i32 = 140_000;
/// What is said of older ones.
const TOO_OLD: &str = "too old: its log carries no messages, by which a copy finds its place in it";
/// The schema whose tables are mirrored under their bare names.
const DEFAULT_SCHEMA: &str = "public";

/// A configured PostgreSQL source.
#[derive(Debug, Clone)]
pub struct Postgres {
    source: String,
    /// Name of the slot, and of the publication if we make it ourselves.
    object: String,
    /// Name of the publication if the owner of the tables makes it: known before the first start.
    offered: String,
    /// Whether there is an installation yet.
    is_installed: bool,
    /// The publication with which capture began, once that is known.
    chosen: Arc<Mutex<Option<String>>>,
    place: Arc<Place>,
    patterns: Vec<String>,
    /// What its mapping reads, where the configuration names no tables.
    needed: BTreeSet<String>,
    choice: Choice,
}

impl Postgres {
    /// See [`super::Source::new`].
    ///
    /// # Errors
    /// See there.
    pub fn new(name: &str, install: &str, config: &SourceConfig) -> Result<Self> {
        Ok(Self {
            source: name.to_owned(),
            object: object_name(&format!("trueup_{install}_{name}")),
            offered: object_name(&format!("trueup_{name}")),
            is_installed: !install.is_empty(),
            chosen: Arc::default(),
            place: Arc::new(Place::new(name, config)?),
            patterns: config.tables.clone(),
            needed: BTreeSet::new(),
            choice: Choice::of(name, DEFAULT_SCHEMA, config),
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

    /// What of its tables is mirrored.
    pub(super) fn choice(&self) -> &Choice {
        &self.choice
    }

    /// The name of the slot and of the publication on the source.
    #[must_use]
    pub fn slot_name(&self) -> &str {
        &self.object
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
        let ledger = ledger.map(position_lsn).transpose()?;
        let client = self.place.connect().await?;
        let server = self.usable_server(&client).await?;
        let identity = identity.map(|known| {
            let (server, publication) = known.split_once(' ').unwrap_or((known, &self.object));
            self.choose_publication(publication);
            server
        });
        let slot = Slot::read_released(&client, &self.object, &server).await?;
        let (_, publication) = self.publication(&client).await?;
        Ok(slot::standing(slot.as_ref(), publication.is_some(), &server, ledger, identity))
    }

    /// See [`super::Source::recognize`]. Only where the slot stands before the ledger can there be
    /// another log: the server would not have taken a confirmation of what it does not have.
    pub(super) async fn recognize(&self, reached: &Reached) -> Result<Standing> {
        let position = position_lsn(&reached.position)?;
        let last = reached.witness.as_deref().map(str::parse).transpose()?;
        let client = self.place.connect().await?;
        let slot = Slot::read(&client, &self.object).await?;
        let confirmed = slot.and_then(|slot| slot.confirmed).unwrap_or(position);
        if confirmed >= position {
            return Ok(Standing::Continues);
        }
        let mut log = self.stream(&Position::Lsn(confirmed), &[]).await?;
        let mut recognition = Recognition::new(position, last, confirmed);
        loop {
            let verdict = match log.next().await? {
                Captured::End(Reached { witness: Some(found), .. }) => {
                    recognition.transaction(found.parse()?)
                }
                Captured::End(reached) | Captured::Idle(reached) => {
                    recognition.nothing_before(position_lsn(&reached.position)?)
                }
                Captured::Frame(_) | Captured::Schema(_) => Verdict::Open,
            };
            match verdict {
                Verdict::Open => {}
                Verdict::Same => return Ok(Standing::Continues),
                Verdict::Other(why) => {
                    return Ok(Standing::Gap(format!(
                        "the server's log is another one than we read up to {}: {why}; its data \
                         folder was put back from a copy, or a standby that lacked transactions \
                         took over",
                        reached.position
                    )));
                }
            }
        }
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
        let ledger = ledger.map(position_lsn).transpose()?;
        let client = self.place.connect().await?;
        let server = self.usable_server(&client).await?;
        let listed = catalog::list(&client, None).await?;
        let mut chosen = self.choose(&listed)?;
        if let Some(mirrored) = mirrored {
            chosen.retain(|table| {
                mirrored.contains(&table.name.to_string())
                    || !is_left_out(&self.source, &self.choice, table)
            });
        }
        refuse_unusable(&chosen, &self.choice, &self.place.user)?;
        let tables = catalog::describe(&client, &chosen, &self.choice).await?;
        self.choice.judge(tables.iter().map(Arc::as_ref))?;
        let (start, added) = match ledger {
            Some(position) => (position, self.adopt(&client, &server, &chosen, position).await?),
            None => (
                self.begin(&client, &server, &chosen).await?,
                chosen.iter().map(|table| table.name.clone()).collect(),
            ),
        };
        Ok(Prepared {
            start: Position::Lsn(start),
            tables,
            // Taken at every start, even if nothing was altered: somebody else may have altered
            // the publication while we were away, and asking is cheap.
            fence: Fence::Xmin(fresh_xid(&client).await?),
            added,
            foreign_keys: ForeignKeys::default(),
            identity: self.identity(&server),
            is_outgrown: None,
        })
    }

    /// See [`super::Source::chosen`].
    pub(super) async fn chosen(&self) -> Result<BTreeMap<TableName, Identity>> {
        let client = self.place.connect().await?;
        let listed = catalog::list(&client, None).await?;
        let word = |table: &&Listed| {
            let is_usable = table.is_readable && catalog::objection(table, &self.choice).is_none();
            let parts = table.parts.clone().unwrap_or_default();
            (table.name.clone(), Identity { table: format!("{} {is_usable}", table.oid), parts })
        };
        Ok(self.choose(&listed)?.iter().map(word).collect())
    }

    /// See [`super::Source::stream`]. The publication alone says which tables the log carries;
    /// filtering by name here would lose the changes of a renamed table.
    ///
    /// # Errors
    /// See there.
    pub async fn stream(
        &self,
        start: &Position,
        _tables: &[TableName],
    ) -> Result<stream::PostgresStream> {
        let start = position_lsn(start)?;
        let catalog = self.place.connect().await?;
        let server = self.usable_server(&catalog).await?;
        Slot::read_released(&catalog, &self.object, &server).await?;
        let (publication, _) = self.publication(&catalog).await?;
        let names = (self.object.as_str(), publication.as_str());
        let choice = self.choice.clone();
        stream::PostgresStream::open(&self.place, names, start, &server, (catalog, choice)).await
    }

    /// See [`super::Source::copier`].
    ///
    /// # Errors
    /// See there.
    pub async fn copier(&self, fence: Fence) -> Result<copy::PostgresCopier> {
        let client = self.place.connect().await?;
        let server = self.usable_server(&client).await?;
        let place = Arc::clone(&self.place);
        copy::PostgresCopier::open(client, &server, fence, (self.choice.clone(), place)).await
    }

    /// See [`super::Source::examine`].
    pub async fn examine(&self) -> Vec<Finding> {
        examine::examine(self).await
    }

    /// See [`super::Source::log_end`].
    pub(super) async fn log_end(&self) -> Result<LogEnd> {
        Ok(LogEnd { client: self.place.connect().await?, slot: self.object.clone() })
    }

    /// The tables the patterns choose.
    fn choose<'a>(&self, listed: &'a [Listed]) -> Result<Vec<&'a Listed>> {
        // A partition has a root, which stands for it, unless it is named itself.
        let offered: Vec<&Listed> = listed
            .iter()
            .filter(|table| {
                table.ancestors.is_empty() || selection::is_named(&self.patterns, &table.name)
            })
            .collect();
        let names: Vec<TableName> = offered.iter().map(|table| table.name.clone()).collect();
        super::refuse_lacking(&self.source, DEFAULT_SCHEMA, &self.needed, &names)?;
        let chosen = selection::select(&self.source, &self.patterns, &names)?;
        // `chosen` keeps the order of `offered`.
        let mut chosen = chosen.into_iter().peekable();
        let is_chosen = |table: &&Listed| chosen.next_if(|name| **name == table.name).is_some();
        let chosen: Vec<&Listed> = offered.into_iter().filter(is_chosen).collect();
        selection::refuse_doubled(&self.source, &chosen)?;
        Ok(chosen)
    }

    /// Asks the server who it is and refuses one whose log or snapshots we cannot use.
    async fn usable_server(&self, client: &Client) -> Result<Server> {
        let server = Server::read(client).await?;
        let refuse = |what: String, hint: &str| {
            Err(Error::new(ErrorKind::Setup, format!("{what} ({})", self.place)).hint(hint))
        };
        if server.version < VERSION_MIN {
            let what = format!("PostgreSQL {} is {TOO_OLD}", server.version / 10_000);
            return refuse(what, "upgrade to PostgreSQL 14 or later");
        }
        if server.is_standby {
            return refuse(
                "the server is a standby, whose snapshots hide running transactions".to_owned(),
                "name the primary in the source's url",
            );
        }
        if server.wal_level != "logical" {
            let what = format!("wal_level is {}, which has no logical changes", server.wal_level);
            return refuse(what, "ALTER SYSTEM SET wal_level = 'logical'; then restart PostgreSQL");
        }
        Ok(server)
    }

    /// Nothing was captured yet: the publication first (pgoutput looks it up as of each change),
    /// then the slot. A slot of our name was never confirmed, so nothing is lost with it.
    async fn begin(&self, client: &Client, server: &Server, chosen: &[&Listed]) -> Result<u64> {
        if Slot::read_released(client, &self.object, server).await?.is_some() {
            slot::drop_slot(client, &self.object).await?;
        }
        // The owner of the tables can make it in our stead under a name that `check` could tell.
        let is_offered = Publication::read(client, &self.offered).await?.is_some();
        let owns_all = chosen.iter().all(|table| table.is_owned);
        let name = if is_offered || !owns_all { &self.offered } else { &self.object };
        Publication::ensure(client, name, chosen).await?;
        self.choose_publication(name);
        let start =
            slot::create_slot(client, &self.object, (&self.place.user, server.version)).await?;
        tracing::info!(source = self.source, slot = self.object, "replication slot created");
        Ok(start)
    }

    /// The ledger ends at `position`: the slot must still be right; the publication may have to
    /// follow the patterns.
    async fn adopt(
        &self,
        client: &Client,
        server: &Server,
        chosen: &[&Listed],
        position: u64,
    ) -> Result<Vec<TableName>> {
        let slot = Slot::read_released(client, &self.object, server).await?;
        let (name, publication) = self.publication(client).await?;
        match slot::standing(slot.as_ref(), publication.is_some(), server, Some(position), None) {
            Standing::Gap(why) => Err(Error::new(
                ErrorKind::Gap,
                format!("changes of source `{}` are lost: {why}", self.source),
            )
            .hint(super::all_anew(&self.source))),
            _ => Publication::ensure(client, &name, chosen).await,
        }
    }

    /// The publication that is used, and as it is. One that the owner of the tables made for us is
    /// chosen when capture begins; from then on it stays the same, as part of the identity: what
    /// lies in the log before another one was made would not be sent.
    async fn publication(&self, client: &Client) -> Result<(String, Option<Publication>)> {
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(name) = chosen {
            let found = Publication::read(client, &name).await?;
            return Ok((name, found));
        }
        let offered = Publication::read(client, &self.offered).await?;
        if !self.is_installed {
            return Ok((self.offered.clone(), offered));
        }
        let own = Publication::read(client, &self.object).await?;
        Ok(match (own, offered) {
            (None, Some(offered)) => (self.offered.clone(), Some(offered)),
            (own, _) => (self.object.clone(), own),
        })
    }

    fn choose_publication(&self, name: &str) {
        *self.chosen.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.to_owned());
    }

    /// The server's, and the publication's name if it is not ours.
    fn identity(&self, server: &Server) -> String {
        let chosen = self.chosen.lock().unwrap_or_else(PoisonError::into_inner);
        match chosen.as_ref().filter(|name| **name == self.offered) {
            Some(offered) => format!("{} {offered}", server.identity),
            None => server.identity.clone(),
        }
    }
}

/// A session that looks at the end of the log, and at what is kept of it for us.
pub struct LogEnd {
    client: Client,
    slot: String,
}

impl LogEnd {
    /// See [`crate::source::LogEnd::look`].
    pub(super) async fn look(&self) -> Result<Position> {
        Ok(Position::Lsn(Server::read(&self.client).await?.log_end))
    }

    /// See [`crate::source::LogEnd::retained`].
    pub(super) async fn retained(&self) -> Result<Option<u64>> {
        let what = || "could not read how much log the server keeps".to_owned();
        let sql = include_str!("../../sql/source/postgres/retained.sql");
        let row = self.client.query_opt(sql, &[&self.slot]).await.asking(what)?;
        let bytes = row.map(|row| row.try_get::<_, Option<i64>>(0)).transpose().asking(what)?;
        Ok(bytes.flatten().and_then(|bytes| u64::try_from(bytes).ok()))
    }
}

/// A transaction id assigned now: every transaction that has written anything so far has a lower
/// one. (The xmax of a snapshot would not do: it is the last *finished* id plus one, and younger
/// ones may be running.)
async fn fresh_xid(client: &Client) -> Result<u64> {
    transaction_id(client, "SELECT pg_catalog.pg_current_xact_id()::text").await
}

/// A transaction id near those in the log, all 64 bits of it, without using one up.
async fn recent_xid(client: &Client) -> Result<u64> {
    let sql = "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text";
    transaction_id(client, sql).await
}

async fn transaction_id(client: &Client, sql: &str) -> Result<u64> {
    let what = || "could not ask for a transaction id".to_owned();
    let row = client.query_one(sql, &[]).await.asking(what)?;
    let xid: String = row.try_get(0).asking(what)?;
    xid.parse::<u64>().context(ErrorKind::Decode, what)
}

fn position_lsn(position: &Position) -> Result<u64> {
    match position {
        Position::Lsn(lsn) => Ok(*lsn),
        Position::Gtid(_) | Position::Gtids(_) | Position::File(_) => Err(Error::new(
            ErrorKind::Bug,
            format!("{position} is not a position of a PostgreSQL source"),
        )),
    }
}

/// `trueup_<install>_<source>`, or `trueup_<source>`, brought to what slots may be called. A name
/// that had to be changed or cut carries a digest, so that two sources never share one.
fn object_name(plain: &str) -> String {
    let allowed = |c: char| if c.is_ascii_digit() || c.is_ascii_lowercase() { c } else { '_' };
    let name: String = plain.to_lowercase().chars().map(allowed).collect();
    if name == plain && name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let digest = Sha256::digest(plain.as_bytes());
    let digest: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let room = NAME_BYTES_MAX - digest.len() - 1;
    format!("{}_{digest}", name.chars().take(room).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_names_fit_and_stay_apart() {
        let named =
            |install: &str, source: &str| object_name(&format!("trueup_{install}_{source}"));
        assert_eq!(named("a1", "erp"), "trueup_a1_erp");
        let long = "x".repeat(80);
        let names = [
            named("a1", "erp-eu"),
            named("a1", "erp_eu"),
            named("a1", "ERP_eu"),
            named("a1", "Zürich"),
            named("a1", &long),
            named("a2", &long),
        ];
        for (place, name) in names.iter().enumerate() {
            assert!(name.len() <= 63, "{name}");
            assert!(
                name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            );
            assert!(!names[..place].contains(name), "{name}");
        }
    }
}
