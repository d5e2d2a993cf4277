//! What the catalog says about tables: which there are, what identifies their rows, and what
//! their columns really are under domains.
//!
//! It decides nothing about slots or the log; [`super::relation`] joins what it says with what
//! the log says.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_postgres::Client;

use super::session::{Asked, lsn};
use crate::change::{Column, Kind, Table, TableName};
use crate::error::{Error, ErrorKind, Result};
use crate::source::choice::Choice;

/// A table as the catalog shows it, before its columns are read.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// Its oid.
    pub(crate) oid: u32,
    /// Its name.
    pub(crate) name: TableName,
    /// A partitioned root: read and published through it.
    pub(crate) is_partitioned: bool,
    /// What the log identifies its rows by.
    pub(crate) identity: Identity,
    /// Key columns in key order; empty without a usable key.
    pub(crate) key: Vec<String>,
    /// A partition whose identity differs from the root's.
    pub(crate) odd_leaf: Option<String>,
    /// Whether our role may select from it.
    pub(crate) is_readable: bool,
    /// Whether row level security is on.
    pub(crate) has_row_security: bool,
    /// Whether our role owns it, and so may publish it.
    pub(crate) is_owned: bool,
    /// A word for the partitions it consists of.
    pub(crate) parts: Option<String>,
    /// The oids of the tables that it is a partition of; empty if it is none.
    pub(crate) ancestors: Vec<u32>,
    /// Whether a column of it has a name that one of ours would need.
    pub(crate) has_our_names: bool,
}

/// `REPLICA IDENTITY` of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    /// The primary key.
    Default,
    /// A unique index.
    Index,
    /// The whole row.
    Full,
    /// Nothing: updates and deletes are refused by the server itself once it is published.
    Nothing,
}

/// A column as catalog and Relation messages describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawColumn {
    /// Its name.
    pub(crate) name: String,
    /// Its declared type's oid, perhaps a domain.
    pub(crate) type_oid: u32,
    /// The modifier of that type, -1 for none.
    pub(crate) modifier: i32,
}

/// Who the server is.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    /// Cluster and database, as numbers that survive restarts and renames.
    pub(crate) identity: String,
    /// A standby: its snapshots hide running transactions, so nothing can be copied from it.
    pub(crate) is_standby: bool,
    /// `wal_level`
    pub(crate) wal_level: String,
    /// Such as 150018.
    pub(crate) version: i32,
    /// The database's encoding.
    pub(crate) encoding: String,
    /// The database.
    pub(crate) database: String,
    /// Where its log ends; 0 on a standby.
    pub(crate) log_end: u64,
}

impl Server {
    /// Asks the server.
    ///
    /// # Errors
    /// The query failed.
    pub(crate) async fn read(client: &Client) -> Result<Self> {
        let sql = include_str!("../../../sql/source/postgres/server.sql");
        let what = || "could not ask the server who it is".to_owned();
        let row = client.query_one(sql, &[]).await.asking(what)?;
        let log_end: Option<String> = row.try_get(6).asking(what)?;
        let log_end = log_end.as_deref().map(lsn).transpose()?.unwrap_or_default();
        let read = || -> std::result::Result<Self, tokio_postgres::Error> {
            Ok(Self {
                identity: row.try_get(0)?,
                is_standby: row.try_get(1)?,
                wal_level: row.try_get(2)?,
                version: row.try_get(3)?,
                encoding: row.try_get(4)?,
                database: row.try_get(5)?,
                log_end,
            })
        };
        read().asking(what)
    }

    /// The encoding both connections must use instead of UTF-8, where the server cannot convert:
    /// then cells are the bytes as they are stored.
    pub(crate) fn raw_encoding(&self) -> Option<&str> {
        matches!(self.encoding.as_str(), "SQL_ASCII" | "MULE_INTERNAL")
            .then_some(self.encoding.as_str())
    }
}

/// Lists the tables that could be mirrored, partitions among them; only `oid` if given.
///
/// # Errors
/// The query failed.
pub(crate) async fn list(client: &Client, oid: Option<u32>) -> Result<Vec<Listed>> {
    let sql = include_str!("../../../sql/source/postgres/tables.sql");
    let rows = client.query(sql, &[&oid]).await.asking(|| "could not list tables".into())?;
    let read = |row: &tokio_postgres::Row| -> std::result::Result<Listed, tokio_postgres::Error> {
        Ok(Listed {
            oid: row.try_get(0)?,
            name: TableName::new(row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?),
            is_partitioned: row.try_get(3)?,
            identity: match row.try_get::<_, &str>(4)? {
                "d" => Identity::Default,
                "i" => Identity::Index,
                "f" => Identity::Full,
                _ => Identity::Nothing,
            },
            key: row.try_get::<_, Option<Vec<String>>>(5)?.unwrap_or_default(),
            odd_leaf: row.try_get(6)?,
            is_readable: row.try_get(7)?,
            has_row_security: row.try_get(8)?,
            is_owned: row.try_get(9)?,
            parts: row.try_get(10)?,
            ancestors: row.try_get::<_, Option<Vec<u32>>>(11)?.unwrap_or_default(),
            has_our_names: row.try_get(12)?,
        })
    };
    let listed: std::result::Result<Vec<Listed>, _> = rows.iter().map(read).collect();
    listed.asking(|| "could not read the list of tables".into())
}

/// Why a table cannot be mirrored and the SQL that mends it; `None` if it can.
pub(crate) fn objection(table: &Listed, choice: &Choice) -> Option<(String, String)> {
    let name = quoted(&table.name);
    let is_allowed = table.key.is_empty() && choice.may_be_keyless(&table.name);
    let or_keyless = format!("Or mirror it without: keyless = [\"{}\"] in its source.", table.name);
    let objection = match table.identity {
        _ if is_allowed && table.has_our_names => (
            format!("table {} has no key, and a column named _row or _nth", table.name),
            format!("ALTER TABLE {name} ADD PRIMARY KEY (…); or rename that column"),
        ),
        Identity::Nothing if !is_allowed => (
            format!("table {} has REPLICA IDENTITY NOTHING", table.name),
            format!("ALTER TABLE {name} REPLICA IDENTITY DEFAULT;"),
        ),
        Identity::Full if table.key.is_empty() && !is_allowed => (
            format!("table {} has REPLICA IDENTITY FULL but no primary key", table.name),
            format!("ALTER TABLE {name} ADD PRIMARY KEY (…); {or_keyless}"),
        ),
        _ if table.key.is_empty() && !is_allowed => (
            format!("table {} has no primary key to identify its rows by", table.name),
            format!(
                "ALTER TABLE {name} ADD PRIMARY KEY (…); or, with a unique index over NOT NULL \
                    columns: ALTER TABLE {name} REPLICA IDENTITY USING INDEX …; {or_keyless}"
            ),
        ),
        _ => {
            let leaf = table.odd_leaf.as_ref()?;
            let default = format!("ALTER TABLE {leaf} REPLICA IDENTITY DEFAULT;");
            let full = format!(
                "ALTER TABLE {name} REPLICA IDENTITY FULL; ALTER TABLE {leaf} REPLICA IDENTITY FULL;"
            );
            (
                format!("partition {leaf} of {} has a replica identity of its own", table.name),
                if is_allowed { full } else { default },
            )
        }
    };
    Some(objection)
}

/// What mirroring a table without a key costs, and what the application loses, if it does; with a remedy.
pub(crate) fn price(table: &Listed, choice: &Choice) -> Option<(String, String)> {
    if !table.key.is_empty() || !choice.may_be_keyless(&table.name) {
        return None;
    }
    let name = quoted(&table.name);
    let copy = "it is copied in one long transaction, which holds back VACUUM and ALTER TABLE, and any \
                change of its columns copies it anew";
    Some(match table.identity {
        Identity::Full => (
            format!("table {} has no key: {copy}", table.name),
            format!("none is needed; ALTER TABLE {name} ADD PRIMARY KEY (…); spares it"),
        ),
        _ => (
            format!(
                "table {} has no key and no REPLICA IDENTITY FULL: once it is published, the server \
                 refuses the application's UPDATE and DELETE on it; and {copy}",
                table.name
            ),
            format!(
                "if it is only ever inserted into, none is needed; otherwise ALTER TABLE {name} REPLICA \
                 IDENTITY FULL;"
            ),
        ),
    })
}

/// Reads the columns of listed tables, in their order.
///
/// # Errors
/// A query failed.
pub(crate) async fn describe(
    client: &Client,
    listed: &[&Listed],
    choice: &Choice,
) -> Result<Vec<Arc<Table>>> {
    let oids: Vec<u32> = listed.iter().map(|table| table.oid).collect();
    let sql = include_str!("../../../sql/source/postgres/columns.sql");
    let rows = client.query(sql, &[&oids]).await.asking(|| "could not list columns".into())?;
    let read = |row: &tokio_postgres::Row| {
        let column = RawColumn {
            name: row.try_get(1)?,
            type_oid: row.try_get(2)?,
            modifier: row.try_get(3)?,
        };
        Ok::<_, tokio_postgres::Error>((row.try_get::<_, u32>(0)?, column))
    };
    let columns: std::result::Result<Vec<(u32, RawColumn)>, _> = rows.iter().map(read).collect();
    let columns = columns.asking(|| "could not read the list of columns".into())?;
    let raw: Vec<RawColumn> = columns.iter().map(|(_, column)| column.clone()).collect();
    let mut by_table: HashMap<u32, Vec<Column>> = HashMap::new();
    for ((oid, _), column) in columns.iter().zip(type_columns(client, &raw).await?) {
        by_table.entry(*oid).or_default().push(column);
    }
    let describe = |table: &&Listed| {
        let mut columns = by_table.remove(&table.oid).unwrap_or_default();
        for column in &mut columns {
            column.key = rank(&table.key, &column.name);
        }
        let name = table.name.clone();
        let (cascades, left_out) = (Vec::new(), Vec::new());
        let id = u64::from(table.oid);
        let table = Table { id, name, columns, cascades, left_out, rows: None };
        Arc::new(choice.narrow(table, &[]))
    };
    Ok(listed.iter().map(describe).collect())
}

/// Finds out what columns really are: one round trip for any number. Keys are left open.
///
/// # Errors
/// The query failed.
pub(crate) async fn type_columns(client: &Client, columns: &[RawColumn]) -> Result<Vec<Column>> {
    let oids: Vec<u32> = columns.iter().map(|column| column.type_oid).collect();
    let modifiers: Vec<i32> = columns.iter().map(|column| column.modifier).collect();
    let sql = include_str!("../../../sql/source/postgres/types.sql");
    let rows = client
        .query(sql, &[&oids, &modifiers])
        .await
        .asking(|| "could not look up types".into())?;
    let read = |(column, row): (&RawColumn, &tokio_postgres::Row)| {
        Ok::<_, tokio_postgres::Error>(Column {
            name: column.name.clone(),
            source_type: row.try_get(0)?,
            kind: kind(row.try_get(1)?, row.try_get(2)?),
            key: None,
        })
    };
    let typed: std::result::Result<Vec<Column>, _> = columns.iter().zip(&rows).map(read).collect();
    let typed = typed.asking(|| "could not read what the types are".into())?;
    if typed.len() == columns.len() {
        return Ok(typed);
    }
    Err(Error::new(ErrorKind::Bug, "the type query dropped a column"))
}

/// The place of a column in a key.
pub(crate) fn rank(key: &[String], column: &str) -> Option<u16> {
    key.iter().position(|name| name == column).and_then(|place| u16::try_from(place).ok())
}

/// `"schema"."table"`, quoted for SQL.
pub(crate) fn quoted(name: &TableName) -> String {
    format!("{}.{}", quote(&name.schema), quote(&name.name))
}

/// An identifier quoted for SQL.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What the text of a built-in type is to be understood as. Everything else (enums, arrays,
/// ranges, `money`, `timetz`, extensions' types) is its own text.
fn kind(base: u32, modifier: i32) -> Kind {
    match base {
        16 => Kind::Boolean,
        17 => Kind::Bytes,
        20 => Kind::Int { bytes: 8 },
        21 => Kind::Int { bytes: 2 },
        23 => Kind::Int { bytes: 4 },
        114 | 3802 => Kind::Json,
        700 => Kind::Float4,
        701 => Kind::Float8,
        1082 => Kind::Date,
        1083 => Kind::Time,
        1114 => Kind::Timestamp,
        1184 => Kind::TimestampTz,
        1186 => Kind::Interval,
        1700 => decimal(modifier).unwrap_or(Kind::Text),
        2950 => Kind::Uuid,
        _ => Kind::Text,
    }
}

/// `numeric(p,s)` by its modifier: `(p << 16 | s & 0x7ff) + 4`, where `s` is signed from
/// PostgreSQL 15 on. `None` without bounds, or with bounds no DECIMAL column can hold.
fn decimal(modifier: i32) -> Option<Kind> {
    let bounds = u32::try_from(modifier.checked_sub(4)?).ok()?;
    let precision = u8::try_from(bounds >> 16).ok()?;
    let scale = u8::try_from(bounds & 0x7ff).ok()?;
    (precision <= 38 && scale <= precision).then_some(Kind::Decimal { precision, scale })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_modifiers() {
        // As `SELECT atttypmod` shows them for numeric(12,2), (38,38), (39,2), (5,-2), (3,5).
        assert_eq!(decimal(786_438), Some(Kind::Decimal { precision: 12, scale: 2 }));
        assert_eq!(decimal(2_490_410), Some(Kind::Decimal { precision: 38, scale: 38 }));
        for modifier in [-1, 2_555_910, 329_730, 196_617, i32::MIN, i32::MAX] {
            assert_eq!(decimal(modifier), None, "{modifier}");
        }
    }

    #[test]
    fn names_are_quoted_for_sql() {
        assert_eq!(quoted(&TableName::new("Odd", "a\"b")), "\"Odd\".\"a\"\"b\"");
    }
}
