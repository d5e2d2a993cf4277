//! The publication: always an explicit list of tables, made or brought up to date.
//!
//! Changes of partitions are published under their root (`publish_via_partition_root`), because
//! the root is the table that mappings read and that is copied, and because partitions come and
//! go. (One that is mirrored itself, and its root not, is published under its own name.) The price:
//! ATTACH, DETACH, DROP and TRUNCATE of a single partition are not in the log; which there are is looked
//! at again and again, and the table copied again where they differ.

use std::collections::BTreeSet;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::catalog::{Listed, quote, quoted};
use super::session::Asked;
use crate::change::TableName;
use crate::error::{Error, ErrorKind, Result};

const OPTIONS: &str =
    "publish = 'insert, update, delete, truncate', publish_via_partition_root = true";

/// A publication as it is.
#[derive(Debug, Clone)]
pub(crate) struct Publication {
    is_for_all_tables: bool,
    /// All operations, through roots, no row filter, no column list.
    is_complete: bool,
    /// It sends columns that the server computes, which no copy and no mirror has.
    has_generated: bool,
    tables: BTreeSet<TableName>,
    /// Our role may change it.
    pub(crate) is_owned: bool,
}

impl Publication {
    /// Looks it up.
    ///
    /// # Errors
    /// The query failed.
    pub(crate) async fn read(client: &Client, name: &str) -> Result<Option<Self>> {
        let sql = include_str!("../../../sql/source/postgres/publication.sql");
        let what = || format!("could not look up publication \"{name}\"");
        let Some(row) = client.query_opt(sql, &[&name]).await.asking(what)? else {
            return Ok(None);
        };
        let read = || -> std::result::Result<Self, tokio_postgres::Error> {
            let schemas: Vec<String> = row.try_get(2)?;
            let names: Vec<String> = row.try_get(3)?;
            let tables = schemas.into_iter().zip(names);
            Ok(Self {
                is_for_all_tables: row.try_get(0)?,
                is_complete: row.try_get(1)?,
                tables: tables.map(|(schema, name)| TableName::new(schema, name)).collect(),
                is_owned: row.try_get(4)?,
                has_generated: row.try_get(5)?,
            })
        };
        read().asking(what).map(Some)
    }

    /// The SQL that brings it to publish exactly `wanted`; `None` if it does.
    pub(crate) fn remedy(current: Option<&Self>, name: &str, wanted: &[&Listed]) -> Option<String> {
        let list = table_list(wanted);
        let name = quote(name);
        let Some(current) = current else {
            return Some(format!("CREATE PUBLICATION {name} FOR TABLE {list} WITH ({OPTIONS});"));
        };
        if current.is_for_all_tables {
            return Some(format!(
                "DROP PUBLICATION {name}; CREATE PUBLICATION {name} FOR TABLE {list} WITH \
                    ({OPTIONS});"
            ));
        }
        let is_as_wanted = current.is_complete
            && !current.has_generated
            && current.tables.len() == wanted.len()
            && wanted.iter().all(|table| current.tables.contains(&table.name));
        // The option is unknown before PostgreSQL 18, and is off unless somebody sets it.
        let generated =
            if current.has_generated { ", publish_generated_columns = none" } else { "" };
        (!is_as_wanted).then(|| {
            format!(
                "ALTER PUBLICATION {name} SET TABLE {list}; ALTER PUBLICATION {name} SET \
                    ({OPTIONS}{generated});"
            )
        })
    }

    /// The tables of `wanted` of which it did not publish every change.
    fn lacking(current: Option<&Self>, wanted: &[&Listed]) -> Vec<TableName> {
        let published = |name: &TableName| {
            current.is_some_and(|current| {
                current.is_for_all_tables || current.is_complete && current.tables.contains(name)
            })
        };
        wanted.iter().map(|table| table.name.clone()).filter(|name| !published(name)).collect()
    }

    /// Makes it publish exactly `wanted`, leaving it alone if it does; says which tables it did
    /// not publish in full before.
    ///
    /// # Errors
    /// [`ErrorKind::Setup`] with the SQL for whoever owns the tables, if our role does not.
    pub(crate) async fn ensure(
        client: &Client,
        name: &str,
        wanted: &[&Listed],
    ) -> Result<Vec<TableName>> {
        let current = Self::read(client, name).await?;
        let Some(sql) = Self::remedy(current.as_ref(), name, wanted) else { return Ok(Vec::new()) };
        let done = client.batch_execute(&sql).await;
        if done.as_ref().is_err_and(|e| e.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE)) {
            let what = format!("this role may not make or change publication \"{name}\"");
            return Err(Error::new(ErrorKind::Setup, what)
                .hint(format!("run as the owner of the tables: {sql}")));
        }
        done.asking(|| format!("could not bring publication \"{name}\" up to date"))?;
        tracing::info!(publication = name, "publication made or changed");
        Ok(Self::lacking(current.as_ref(), wanted))
    }
}

/// `ONLY`, because children by plain inheritance are tables of their own; a partitioned root
/// always stands for its partitions.
fn table_list(wanted: &[&Listed]) -> String {
    let name = |table: &&Listed| {
        let only = if table.is_partitioned { "" } else { "ONLY " };
        format!("{only}{}", quoted(&table.name))
    };
    wanted.iter().map(name).collect::<Vec<_>>().join(", ")
}
