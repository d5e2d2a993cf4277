//! A PostgreSQL source as it is in one snapshot, for comparisons: digests of its tables, and what of
//! its log the snapshot could see. It reads only; the word that it puts into the log goes over a
//! connection of its own, and moves an idle log past the snapshot.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, Row};

use super::Postgres;
use super::catalog::{self, quote, quoted};
use super::session::{Asked, lsn};
use super::stream::OUR_PREFIX;
use crate::change::{Position, TableName, Visibility};
use crate::digest::{Digest, Equals, Family, golden, postgres};
use crate::error::{Error, ErrorKind, Result};
use crate::source::choice::Choice;
use crate::source::conditions::of_postgres;

/// A snapshot of a PostgreSQL source. It ends when it is dropped.
#[derive(Debug)]
pub struct PostgresSurvey {
    client: Client,
    choice: Choice,
    /// What the snapshot could see.
    pub visibility: Visibility,
    /// Everything that it could see is in the log up to here.
    pub covered_by: Position,
}

impl Postgres {
    /// See [`crate::source::Source::survey`].
    ///
    /// # Errors
    /// See there.
    pub async fn survey(&self) -> Result<PostgresSurvey> {
        let what = || "could not take a snapshot to compare".to_owned();
        let client = self.place.connect().await?;
        self.usable_server(&client).await?;
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        client.batch_execute(begin).await.asking(what)?;
        let sql = "SELECT pg_catalog.pg_current_snapshot()::text,
                          pg_catalog.pg_current_wal_insert_lsn()::text";
        let row = client.query_one(sql, &[]).await.asking(what)?;
        let (snapshot, position): (String, String) =
            (row.try_get(0).asking(what)?, row.try_get(1).asking(what)?);
        let visibility = Visibility::parse_snapshot(&snapshot)
            .ok_or_else(|| Error::new(ErrorKind::Decode, what()))?;
        let beside = self.place.connect().await?;
        let sql = "SELECT pg_catalog.pg_logical_emit_message(true, $1, 'compare')";
        beside.execute(sql, &[&OUR_PREFIX]).await.asking(what)?;
        let covered_by = Position::Lsn(lsn(&position)?);
        let choice = self.choice.clone();
        Ok(PostgresSurvey { client, choice, visibility, covered_by })
    }
}

impl PostgresSurvey {
    /// The families that this server spells otherwise than was written down.
    ///
    /// # Errors
    /// As every statement.
    pub async fn misspelled(&self) -> Result<BTreeSet<Family>> {
        let spelled = |vector: &golden::Vector| {
            let literal = vector.value.replace('\'', "''");
            let value = format!("'{literal}'::{}", postgres::type_of(vector.family));
            postgres::output(vector.family, &value)
        };
        let texts: Vec<String> = golden::VECTORS.iter().map(spelled).collect();
        let rows =
            self.ask("golden vectors", &format!("SELECT ARRAY[{}]", texts.join(", "))).await?;
        let found: Vec<Option<String>> =
            rows.first().and_then(|row| row.try_get(0).ok()).unwrap_or_default();
        let wrong = |(place, vector): (usize, &golden::Vector)| {
            let is_right = found.get(place).and_then(Option::as_deref) == Some(vector.canonical);
            (!is_right).then_some(vector.family)
        };
        Ok(golden::VECTORS.iter().enumerate().filter_map(wrong).collect())
    }

    /// Digests of a table by bucket; `columns` are name and family, the first `key_count` the key.
    ///
    /// # Errors
    /// As every statement.
    pub async fn digests(
        &self,
        table: &TableName,
        columns: &[(String, Family)],
        key_count: usize,
        digits: usize,
    ) -> Result<BTreeMap<String, Digest>> {
        let (all, key) = texts(columns, key_count);
        let sql = postgres::digests(&self.from(table).await?, &all, &key, digits);
        let rows = self.ask(&table.to_string(), &sql).await?;
        rows.iter().map(bucket).collect::<Option<_>>().ok_or_else(|| unreadable(table))
    }

    /// Canonical texts of the rows of some buckets, key first.
    ///
    /// # Errors
    /// As every statement.
    pub async fn rows(
        &self,
        table: &TableName,
        columns: &[(String, Family)],
        key_count: usize,
        digits: usize,
        buckets: &[String],
    ) -> Result<Vec<Vec<Option<String>>>> {
        let (all, key) = texts(columns, key_count);
        let sql = postgres::rows(&self.from(table).await?, &all, &key, digits, buckets);
        let rows = self.ask(&table.to_string(), &sql).await?;
        let cells = |row: &Row| row.try_get(0).ok();
        rows.iter().map(cells).collect::<Option<_>>().ok_or_else(|| unreadable(table))
    }

    /// What rows of some buckets hold, and how often. The buckets are those of whole rows.
    ///
    /// # Errors
    /// As every statement.
    pub async fn equals(
        &self,
        table: &TableName,
        columns: &[(String, Family)],
        digits: usize,
        buckets: &[String],
    ) -> Result<Vec<Equals>> {
        let (all, _) = texts(columns, columns.len());
        let sql = postgres::equals(&self.from(table).await?, &all, digits, buckets);
        let rows = self.ask(&table.to_string(), &sql).await?;
        let equals = |row: &Row| {
            Some((row.try_get(0).ok()?, u64::try_from(row.try_get::<_, i64>(1).ok()?).ok()?))
        };
        rows.iter().map(equals).collect::<Option<_>>().ok_or_else(|| unreadable(table))
    }

    /// Children by plain inheritance are tables of their own; a partitioned table has no rows without
    /// its partitions. Of its rows those that are mirrored.
    async fn from(&self, table: &TableName) -> Result<String> {
        let name = quoted(table);
        let sql = "SELECT $1::text::pg_catalog.regclass::pg_catalog.oid";
        let what = || format!("could not find {table}");
        let row = self.client.query_one(sql, &[&name]).await.asking(what)?;
        let listed = catalog::list(&self.client, Some(row.try_get(0).asking(what)?)).await?;
        let listed = listed.first().ok_or_else(|| Error::new(ErrorKind::Setup, what()))?;
        let all = if listed.is_partitioned { name } else { format!("ONLY {name}") };
        let described = catalog::describe(&self.client, &[listed], &self.choice).await?;
        let is = described.first().and_then(|is| Some((is, is.rows.as_ref()?)));
        Ok(is.map_or(all.clone(), |(is, rows)| {
            format!("(SELECT * FROM {all} WHERE {})", of_postgres(rows, is, quote))
        }))
    }

    async fn ask(&self, what: &str, sql: &str) -> Result<Vec<Row>> {
        self.client.query(sql, &[]).await.asking(|| format!("could not compare {what}"))
    }
}

fn texts(columns: &[(String, Family)], key_count: usize) -> (Vec<String>, Vec<String>) {
    let text = |(name, family): &(String, Family)| {
        postgres::output(*family, &format!("t.{}", quote(name)))
    };
    let all: Vec<String> = columns.iter().map(text).collect();
    let key = all.iter().take(key_count).cloned().collect();
    (all, key)
}

fn bucket(row: &Row) -> Option<(String, Digest)> {
    let count: i64 = row.try_get(1).ok()?;
    let lane = |place: usize| row.try_get::<_, String>(place).ok()?.parse().ok();
    let digest = Digest { count: u64::try_from(count).ok()?, lanes: [lane(2)?, lane(3)?] };
    Some((row.try_get(0).ok()?, digest))
}

fn unreadable(table: &TableName) -> Error {
    Error::new(ErrorKind::Bug, format!("the digests of {table} cannot be read"))
}
