//! Tables as `information_schema` shows them now: columns, keys, hidden cascades, and whether a
//! table can be mirrored at all.
//!
//! The log has the last word on what a table was when a row was written
//! ([`super::table_map::merge`]); this is what only the catalog knows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Params, params};
use sha2::{Digest, Sha256};

use super::charset::Charset;
use super::codec::{bit_kind, decimal_kind};
use super::dialect::Dialect;
use super::session::{Address, named_values};
use crate::change::schema::Cascade;
use crate::change::{Column, Kind, Table, TableName};
use crate::error::Result;

const TABLES: &str = include_str!("../../../sql/source/mysql/tables.sql");
const COLUMNS: &str = include_str!("../../../sql/source/mysql/columns.sql");
const KEYS: &str = include_str!("../../../sql/source/mysql/keys.sql");
const FOREIGN_KEYS: &str = include_str!("../../../sql/source/mysql/foreign_keys.sql");

/// A table there is.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) name: TableName,
    /// `BASE TABLE` or `SYSTEM VERSIONED`.
    pub(super) kind: String,
    pub(super) engine: String,
}

/// A table and what its columns are made of.
#[derive(Debug, Clone)]
pub(super) struct Described {
    pub(super) table: Table,
    /// Foreign keys change its rows, whoever tells of it.
    pub(super) has_cascades: bool,
    /// Columns that we cannot read, with the reason.
    pub(super) unreadable: Vec<(String, String)>,
    /// Columns that the server computes from others, where its log leaves them out of rows that are changed
    /// or removed: they are not mirrored.
    pub(super) untold: Vec<String>,
    /// Character set and collation of the text columns.
    pub(super) collations: HashMap<String, (String, String)>,
}

/// The number of a table that stays the same whatever the server does: log numbers change with
/// every flush. 63 bits, so that it fits wherever numbers are kept.
pub(super) fn table_id(name: &TableName) -> u64 {
    let mut hash = Sha256::new();
    hash.update(name.schema.as_bytes());
    hash.update([0]);
    hash.update(name.name.as_bytes());
    let head = hash.finalize().iter().take(8).fold(0_u64, |id, byte| id << 8 | u64::from(*byte));
    head >> 1
}

/// Every table the account can see.
pub(super) async fn known(address: &Address, connection: &mut Conn) -> Result<Vec<Known>> {
    let rows: Vec<(String, String, String, String)> = connection
        .query(TABLES)
        .await
        .map_err(|error| address.explain(error, "could not list the tables"))?;
    let known =
        |(schema, name, kind, engine)| Known { name: TableName { schema, name }, kind, engine };
    Ok(rows.into_iter().map(known).collect())
}

/// Describes the tables named; one that is not there is left out.
pub(super) async fn describe(
    address: &Address,
    connection: &mut Conn,
    names: &[TableName],
) -> Result<Vec<Described>> {
    let mut described = HashMap::new();
    let schemas: BTreeSet<&str> = names.iter().map(|name| name.schema.as_str()).collect();
    for schema in schemas {
        let mut of_schema = names.iter().filter(|name| name.schema == schema);
        let only = match (of_schema.next(), of_schema.next()) {
            (Some(only), None) => Some(only.name.as_str()),
            _ => None,
        };
        for table in describe_schema(address, connection, schema, only).await? {
            described.insert(table.table.name.clone(), table);
        }
    }
    Ok(names.iter().filter_map(|name| described.remove(name)).collect())
}

/// Table, column, full type, type, character set, collation, precision, scale, whether it is computed.
type ColumnRow = (
    String,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<u64>,
    Option<u64>,
    bool,
);
/// Table, constraint, column, parent's database, name and column, both rules.
type ForeignKeyRow = (String, String, String, String, String, String, String, String);

async fn describe_schema(
    address: &Address,
    connection: &mut Conn,
    schema: &str,
    name: Option<&str>,
) -> Result<Vec<Described>> {
    let arguments = || -> Params {
        params! { "schema" => schema, "name" => name }
    };
    let explain = |error| address.explain(error, format!("could not read the catalog of {schema}"));
    let columns: Vec<ColumnRow> = connection.exec(COLUMNS, arguments()).await.map_err(explain)?;
    let keys: Vec<(String, String, u16)> =
        connection.exec(KEYS, arguments()).await.map_err(explain)?;
    let foreign_keys: Vec<ForeignKeyRow> =
        connection.exec(FOREIGN_KEYS, arguments()).await.map_err(explain)?;
    let are_logged = logs_cascades(address, connection).await?;
    let are_untold = omits_generated(address.dialect(), connection.server_version());

    let key: HashMap<(String, String), u16> =
        keys.into_iter().map(|(table, column, rank)| ((table, column), rank)).collect();
    let mut cascades = cascades(foreign_keys);
    let mut tables: BTreeMap<String, Described> = BTreeMap::new();
    for (table, column, source_type, data_type, charset, collation, precision, scale, computed) in
        columns
    {
        let described = tables.entry(table.clone()).or_insert_with(|| {
            let name = TableName::new(schema, &table);
            let mut cascades = cascades.remove(&table).unwrap_or_default();
            let has_cascades = !cascades.is_empty();
            if are_logged {
                cascades.clear();
            }
            let table = Table {
                id: table_id(&name),
                name,
                columns: Vec::new(),
                cascades,
                left_out: Vec::new(),
                rows: None,
            };
            let (unreadable, untold, collations) = (Vec::new(), Vec::new(), HashMap::new());
            Described { table, has_cascades, unreadable, untold, collations }
        });
        let reason = unreadable(&source_type, &data_type, charset.as_deref(), address.dialect());
        if let Some(reason) = reason {
            described.unreadable.push((column.clone(), reason));
        }
        if computed && are_untold {
            described.untold.push(column.clone());
        }
        if let (Some(charset), Some(collation)) = (charset, collation) {
            described.collations.insert(column.clone(), (charset, collation));
        }
        let kind = kind(&data_type, &source_type, precision, scale, address.dialect());
        let key = key.get(&(table, column.clone())).copied();
        described.table.columns.push(Column { name: column, source_type, kind, key });
    }
    for described in tables.values_mut() {
        let collations = &described.collations;
        for cascade in &mut described.table.cascades {
            cascade.ignores_case = cascade.columns.iter().any(|(column, _)| {
                collations.get(column).is_some_and(|(_, collation)| collation.ends_with("_ci"))
            });
        }
    }
    Ok(tables.into_values().map(|described| narrow(address, described)).collect())
}

/// Without the columns that are left out. What cannot be read of them is no objection.
fn narrow(address: &Address, described: Described) -> Described {
    let table = address.choice().narrow(described.table, &described.untold);
    let mut unreadable = described.unreadable;
    unreadable.retain(|(name, _)| !table.left_out.iter().any(|left_out| left_out.name == *name));
    // (What the operator leaves out, he knows of.)
    let mut untold = described.untold;
    untold.retain(|name| address.choice().keeps(&table.name, name));
    Described { table, unreadable, untold, ..described }
}

/// Whether rows that are changed or removed come without what the server computes, also with full images:
/// MariaDB 10.11 and MySQL tell that, MariaDB 11.8 does not (read in the bytes of its log).
fn omits_generated(dialect: Dialect, (major, _, _): (u16, u16, u16)) -> bool {
    dialect == Dialect::Mariadb && major >= 11
}

/// MySQL from 9.6 on does what foreign keys ask for above its engine, and logs it, unless it is told
/// otherwise at its start.
async fn logs_cascades(address: &Address, connection: &mut Conn) -> Result<bool> {
    if address.dialect() == Dialect::Mariadb {
        return Ok(false);
    }
    let sql = "SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'";
    let values = named_values(address, connection, sql).await?;
    Ok(values.get("innodb_native_foreign_keys").is_some_and(|is| is == "OFF"))
}

fn cascades(rows: Vec<ForeignKeyRow>) -> HashMap<String, Vec<Cascade>> {
    let mut by_constraint: BTreeMap<(String, String), Cascade> = BTreeMap::new();
    for (table, constraint, column, schema, parent, parent_column, on_delete, on_update) in rows {
        let cascade = by_constraint.entry((table, constraint)).or_insert_with(|| Cascade {
            parent: TableName { schema, name: parent },
            columns: Vec::new(),
            on_delete,
            on_update,
            ignores_case: false,
        });
        cascade.columns.push((column, parent_column));
    }
    let mut by_table: HashMap<String, Vec<Cascade>> = HashMap::new();
    for ((table, _), cascade) in by_constraint {
        by_table.entry(table).or_default().push(cascade);
    }
    by_table
}

/// How a column is kept. It must agree with [`super::codec::Codec::kind`], which judges the same
/// column by the log.
fn kind(
    data_type: &str,
    source_type: &str,
    precision: Option<u64>,
    scale: Option<u64>,
    dialect: Dialect,
) -> Kind {
    let small = |value: Option<u64>| value.and_then(|value| u8::try_from(value).ok()).unwrap_or(0);
    let int = |bytes| match source_type.contains("unsigned") {
        true => Kind::Unsigned { bytes },
        false => Kind::Int { bytes },
    };
    match data_type {
        "tinyint" => int(1),
        "smallint" => int(2),
        "mediumint" | "int" => int(4),
        "bigint" => int(8),
        "decimal" => decimal_kind(small(precision), small(scale)),
        "float" => Kind::Float4,
        "double" => Kind::Float8,
        "year" => Kind::Int { bytes: 2 },
        "bit" => bit_kind(u16::from(small(precision))),
        "date" => Kind::Date,
        "time" => Kind::Time,
        "datetime" => Kind::Timestamp,
        "timestamp" => Kind::TimestampTz,
        "uuid" => Kind::Uuid,
        // In MariaDB it is a text that is checked.
        "json" if dialect == Dialect::Mysql => Kind::Json,
        "vector" => Kind::Bytes,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Kind::Bytes,
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" => Kind::Bytes,
        _ => Kind::Text,
    }
}

/// Why a column cannot be read, if so.
fn unreadable(
    source_type: &str,
    data_type: &str,
    charset: Option<&str>,
    dialect: Dialect,
) -> Option<String> {
    if source_type.contains("/*") && source_type.contains("COMPRESSED") {
        return Some("is COMPRESSED, which the log carries in a form of its own".to_owned());
    }
    if source_type.contains("mariadb-5.3") {
        return Some("has the time format of MariaDB 5.3".to_owned());
    }
    if data_type == "vector" && dialect == Dialect::Mariadb {
        return Some("is a VECTOR".to_owned());
    }
    let charset = charset?;
    let supported = Charset::of_name(charset).is_some_and(Charset::is_supported);
    (!supported).then(|| format!("has character set {charset}"))
}
