//! A source as it is in one snapshot, for comparisons. A closed list.

use std::collections::{BTreeMap, BTreeSet};

use super::{mysql, postgres};
use crate::change::{Position, TableName, Visibility};
use crate::digest::{Digest, Equals, Family, Hash};
use crate::error::Result;

/// A source as it is in one snapshot.
#[derive(Debug)]
pub enum Survey {
    /// PostgreSQL.
    Postgres(postgres::survey::PostgresSurvey),
    /// MariaDB.
    Mysql(mysql::survey::MysqlSurvey),
}

impl Survey {
    /// What of the log the snapshot has seen, exactly.
    #[must_use]
    pub fn visibility(&self) -> &Visibility {
        match self {
            Survey::Postgres(survey) => &survey.visibility,
            Survey::Mysql(survey) => &survey.visibility,
        }
    }

    /// Everything it has seen is in the log up to here.
    #[must_use]
    pub fn covered_by(&self) -> &Position {
        match self {
            Survey::Postgres(survey) => &survey.covered_by,
            Survey::Mysql(survey) => &survey.covered_by,
        }
    }

    /// What its digests hash rows and keys with.
    #[must_use]
    pub fn hash(&self) -> Hash {
        match self {
            Survey::Postgres(_) => Hash::Md5,
            Survey::Mysql(survey) => survey.hash(),
        }
    }

    /// The families that this server spells otherwise than was written down.
    ///
    /// # Errors
    /// As every statement.
    pub async fn misspelled(&self) -> Result<BTreeSet<Family>> {
        match self {
            Survey::Postgres(survey) => survey.misspelled().await,
            Survey::Mysql(survey) => survey.misspelled().await,
        }
    }

    /// Digests of a table by bucket: the first `digits` of the hash of the key. `columns` are name and
    /// family, the first `key_count` of them the key.
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
        match self {
            Survey::Postgres(survey) => survey.digests(table, columns, key_count, digits).await,
            Survey::Mysql(survey) => survey.digests(table, columns, key_count, digits).await,
        }
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
        match self {
            Survey::Postgres(survey) => {
                survey.rows(table, columns, key_count, digits, buckets).await
            }
            Survey::Mysql(survey) => survey.rows(table, columns, key_count, digits, buckets).await,
        }
    }

    /// What rows of some buckets hold, and how often, of a table without a key: the buckets are those of
    /// whole rows.
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
        match self {
            Survey::Postgres(survey) => survey.equals(table, columns, digits, buckets).await,
            Survey::Mysql(survey) => survey.equals(table, columns, digits, buckets).await,
        }
    }
}
