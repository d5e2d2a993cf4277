//! Reading a target as it is at one moment: its account and digests of its tables, in one snapshot on
//! a connection of its own. It takes no lock that a delivery would wait for, and writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, Row};

use super::PostgresTarget;
use super::account::{Book, Owner};
use super::connect::Address;
use super::examine;
use super::table::Table;
use crate::digest::{Digest, Family, golden, postgres};
use crate::error::{Error, ErrorKind, Result};
use crate::target::Account;

/// A snapshot of a PostgreSQL target. It ends when it is dropped.
#[derive(Debug)]
pub struct PostgresSurvey {
    client: Client,
    address: Address,
    owner: Owner,
    tables: BTreeMap<String, Surveyed>,
    /// Families whose golden vectors this server spells otherwise.
    misspelled: BTreeSet<Family>,
}

/// A table and how its columns are compared.
#[derive(Debug, Clone)]
struct Surveyed {
    name: String,
    /// Key columns first.
    columns: Vec<(String, Option<Family>)>,
    key_count: usize,
}

/// How the columns of a table are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Those that are, key first.
    pub compared: Vec<(String, Family)>,
    /// Those that are not, because their types have no canonical text in SQL.
    pub left_out: Vec<String>,
}

/// A row as it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Canonical texts of the compared columns, key first, in the order of
    /// [`PostgresSurvey::columns`].
    pub cells: Vec<Option<String>>,
}

impl PostgresTarget {
    /// See [`crate::target::Target::survey`].
    ///
    /// # Errors
    /// See there.
    pub async fn survey(&self) -> Result<PostgresSurvey> {
        let client = self.address.connect().await?;
        let mut tables = BTreeMap::new();
        for (entity, config) in &self.entities {
            let judged = examine::judged(&client, &self.address, entity, config).await?;
            let table = judged.map_err(|findings| self.unfit(&findings))?;
            tables.insert(entity.clone(), Surveyed::new(&table));
        }
        let (address, owner) = (self.address.clone(), self.owner.clone());
        let begun = client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await;
        begun.map_err(|error| address.failed("could not begin a comparison", &error))?;
        let mut survey =
            PostgresSurvey { client, address, owner, tables, misspelled: BTreeSet::new() };
        survey.misspelled = survey.golden().await?;
        Ok(survey)
    }
}

impl Surveyed {
    fn new(table: &Table) -> Self {
        let of = |column: &super::catalog::ColumnFacts| {
            (column.name.clone(), postgres::family(&column.cast_to))
        };
        let columns = table.key.iter().chain(&table.columns).map(of).collect();
        Self { name: table.name().to_owned(), columns, key_count: table.key.len() }
    }

    /// SQL for the canonical texts of the compared columns, and of the key's.
    fn texts(&self, misspelled: &BTreeSet<Family>) -> (Vec<String>, Vec<String>) {
        let text = |(name, family): &(String, Option<Family>)| {
            let family = (*family).filter(|family| !misspelled.contains(family))?;
            Some(postgres::text(family, &format!("t.{}", super::table::quote(name))))
        };
        let all: Vec<String> = self.columns.iter().filter_map(text).collect();
        let key = self.columns.iter().take(self.key_count).filter_map(text).collect();
        (all, key)
    }
}

impl PostgresSurvey {
    /// What the target says it has, at the moment of the snapshot.
    ///
    /// # Errors
    /// `Gap` if it has no account of ours; else as every statement.
    pub async fn account(&self) -> Result<Account> {
        let book = Book { client: &self.client, address: &self.address, owner: &self.owner };
        book.read().await
    }

    /// How the columns of an entity's table are compared.
    ///
    /// # Errors
    /// `Setup` if a key column cannot be.
    pub fn columns(&self, entity: &str) -> Result<Columns> {
        let table = self.table(entity)?;
        let (mut compared, mut left_out) = (Vec::new(), Vec::new());
        for (place, (name, family)) in table.columns.iter().enumerate() {
            match family.filter(|family| !self.misspelled.contains(family)) {
                Some(family) => compared.push((name.clone(), family)),
                None if place < table.key_count => {
                    let what = format!(
                        "{entity}: key column {name} of {} cannot be compared by digests",
                        table.name
                    );
                    return Err(Error::new(ErrorKind::Setup, what)
                        .hint("use a key of numbers, texts, dates or times"));
                }
                None => left_out.push(name.clone()),
            }
        }
        Ok(Columns { compared, left_out })
    }

    /// Digests of an entity's table by bucket: the first `digits` of the md5 of the key.
    ///
    /// # Errors
    /// As every statement.
    pub async fn digests(&self, entity: &str, digits: usize) -> Result<BTreeMap<String, Digest>> {
        let table = self.table(entity)?;
        let (all, key) = table.texts(&self.misspelled);
        let sql = postgres::digests(&table.name, &all, &key, digits);
        let rows = self.ask(entity, &sql).await?;
        rows.iter().map(bucket).collect::<Option<_>>().ok_or_else(|| self.unreadable(entity))
    }

    /// The rows of some buckets.
    ///
    /// # Errors
    /// As every statement.
    pub async fn rows(
        &self,
        entity: &str,
        digits: usize,
        buckets: &[String],
    ) -> Result<Vec<Found>> {
        let table = self.table(entity)?;
        let (all, key) = table.texts(&self.misspelled);
        let sql = postgres::rows(&table.name, &all, &key, digits, buckets);
        let rows = self.ask(entity, &sql).await?;
        let found = |row: &Row| row.try_get(0).ok().map(|cells| Found { cells });
        rows.iter().map(found).collect::<Option<_>>().ok_or_else(|| self.unreadable(entity))
    }

    /// The families that this server spells otherwise than was written down.
    async fn golden(&self) -> Result<BTreeSet<Family>> {
        let spelled = |vector: &golden::Vector| {
            let quoted = vector.value.replace('\'', "''");
            let value = format!("'{quoted}'::{}", postgres::type_of(vector.family));
            postgres::text(vector.family, &value)
        };
        let texts: Vec<String> = golden::VECTORS.iter().map(spelled).collect();
        let rows =
            self.ask("golden vectors", &format!("SELECT ARRAY[{}]", texts.join(", "))).await?;
        let found: Vec<Option<String>> =
            rows.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default();
        let mut misspelled = BTreeSet::new();
        for (place, vector) in golden::VECTORS.iter().enumerate() {
            if found.get(place).and_then(Option::as_deref) != Some(vector.canonical) {
                misspelled.insert(vector.family);
            }
        }
        Ok(misspelled)
    }

    fn table(&self, entity: &str) -> Result<&Surveyed> {
        self.tables.get(entity).ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("{} does not take {entity}", self.owner.target))
        })
    }

    async fn ask(&self, what: &str, sql: &str) -> Result<Vec<Row>> {
        let rows = self.client.query(sql, &[]).await;
        rows.map_err(|error| self.address.failed(&format!("could not compare {what}"), &error))
    }

    fn unreadable(&self, entity: &str) -> Error {
        let what = format!("{}: the digests of {entity} cannot be read", self.owner.target);
        Error::new(ErrorKind::Bug, what)
    }
}

/// A bucket, its rows and the sums of its lanes.
fn bucket(row: &Row) -> Option<(String, Digest)> {
    let count: i64 = row.try_get(1).ok()?;
    let lane = |place: usize| row.try_get::<_, String>(place).ok()?.parse().ok();
    let digest = Digest { count: u64::try_from(count).ok()?, lanes: [lane(2)?, lane(3)?] };
    Some((row.try_get(0).ok()?, digest))
}
