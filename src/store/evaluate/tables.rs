//! Makes and adapts the tables of the evaluation: contributions, canonical rows, history, the views
//! over them, and the temp tables of one connection.
//!
//! Called between batches only: persistent DDL inside a batch would hold up checkpoints.

use duckdb::Connection;

use super::compile::{Compiled, unit_column};
use super::merge::Merge;
use super::sql::{fill, list, literal, quote, run};
use crate::canon::entity::Entity;
use crate::error::Result;
use crate::store::refusal::failed;

/// A table's columns: name and type.
type Columns = Vec<(String, String)>;

/// Conversions between TIMESTAMPTZ and TIMESTAMP follow the session's zone: it must be UTC, or the
/// same rows would mean other times on another machine.
pub(in crate::store) fn use_utc(connection: &Connection) -> Result<()> {
    connection
        .execute_batch("SET TimeZone = 'UTC'")
        .map_err(|error| failed("could not set the store's time zone to UTC".to_owned(), &error))
}

/// Makes the schemas and `ops.parked`.
pub(super) fn create_base(connection: &Connection) -> Result<()> {
    connection
        .execute_batch(include_str!("../../../sql/store/evaluate/base.sql"))
        .map_err(|error| failed("could not create the schemas of the store".to_owned(), &error))
}

/// Columns of a table; empty if it does not exist.
pub(super) fn columns(connection: &Connection, schema: &str, table: &str) -> Result<Columns> {
    let read = || -> duckdb::Result<Columns> {
        let sql = include_str!("../../../sql/store/evaluate/columns.sql");
        let mut statement = connection.prepare(sql)?;
        let rows = statement.query_map([schema, table], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    read().map_err(|error| failed(format!("could not read the columns of {table}"), &error))
}

/// Makes the table of one mapping's contributions; true if it is new or had another shape. Fails
/// if the mapping does not fit the mirror.
pub(super) fn create_contrib(connection: &Connection, mapping: &Compiled) -> Result<bool> {
    let name = mapping.contrib_name();
    let wanted = describe(connection, mapping)?;
    super::exact::judge(connection, mapping)?;
    let what = format!("could not create the table of contributions {name}");
    let rebuilt = columns(connection, "contrib", &name)? != wanted;
    if rebuilt {
        run(connection, &format!("DROP TABLE IF EXISTS {}", mapping.contrib()), &what)?;
        run(connection, &create("TABLE", &mapping.contrib(), &wanted), &what)?;
    }
    Ok(rebuilt)
}

/// Makes the temp tables of one mapping, whose contributions exist.
pub(super) fn create_mapping_temps(
    connection: &Connection,
    mapping: &Compiled,
    number: usize,
) -> Result<()> {
    let what = format!("could not create the temp tables of {}", mapping.contrib_name());
    let shape = columns(connection, "contrib", &mapping.contrib_name())?;
    let is_unit = |name: &str| mapping.units.iter().any(|unit| unit_column(unit) == name);
    let mut touched: Columns = shape.iter().filter(|(name, _)| is_unit(name)).cloned().collect();
    touched.push(("_time".to_owned(), "BIGINT".to_owned()));
    for (name, shape) in [("touched", &touched), ("fresh", &shape), ("moved", &shape)] {
        run(connection, &create("TEMP TABLE", &temp(name, number), shape), &what)?;
    }
    Ok(())
}

/// Makes the temp tables of one entity.
pub(super) fn create_entity_temps(connection: &Connection, merge: &Merge) -> Result<()> {
    let entity = &merge.entity;
    let what = format!("could not create the temp tables of {}", entity.name);
    let kind = |name: &str| entity.attribute(name).map(|a| a.kind.sql()).unwrap_or_default();
    let mut keys: Columns = entity.key.iter().map(|key| (key.clone(), kind(key))).collect();
    keys.push(("_time".to_owned(), "BIGINT".to_owned()));
    let mut diff = Columns::new();
    for side in ["old", "new"] {
        let attributes = entity.attributes.iter();
        diff.extend(attributes.map(|a| (format!("{side}_{}", a.name), a.kind.sql())));
    }
    diff.push(("_op".to_owned(), "VARCHAR".to_owned()));
    diff.push(("_time".to_owned(), "BIGINT".to_owned()));
    run(connection, &create("TEMP TABLE", &temp("keys", merge.number), &keys), &what)?;
    run(connection, &create("TEMP TABLE", &temp("diff", merge.number), &diff), &what).map(|_| ())
}

/// SQL that empties a temp table by making it anew: rows that are only deleted keep their memory,
/// because temp tables are never checkpointed (11 MB after 300 batches of 200 rows, measured on
/// 1.5.6; made anew 0.4 MB, 0.16 ms).
pub(super) fn emptied(table: &str) -> String {
    format!("CREATE OR REPLACE TEMP TABLE {table} AS SELECT * FROM {table} LIMIT 0")
}

/// The name of a temp table, qualified.
pub(super) fn temp(kind: &str, number: usize) -> String {
    format!("temp.evaluate_{kind}_{number}")
}

/// Makes or adapts canonical table, history and view of one entity.
pub(super) fn create_canon(connection: &Connection, entity: &Entity) -> Result<()> {
    let attributes = entity.attributes.iter().map(|a| (a.name.clone(), a.kind.sql()));
    let attributes: Columns = attributes.collect();
    let with = |extra: &[(&str, &str)]| -> Columns {
        let extra = extra.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()));
        attributes.iter().cloned().chain(extra).collect()
    };
    let canon = with(&[("_changed_at", "TIMESTAMP")]);
    let history = with(&[
        ("_op", "VARCHAR"),
        ("_changed_at", "TIMESTAMP"),
        ("_recorded_at", "TIMESTAMP"),
        ("_batch", "UBIGINT"),
    ]);
    let history_name = format!("{}_history", entity.name);
    let what = format!("could not create the view of {history_name}");
    run(connection, &format!("DROP VIEW IF EXISTS history.{}", quote(&entity.name)), &what)?;
    adapt(connection, &entity.name, &canon, true)?;
    adapt(connection, &history_name, &history, false)?;
    comment(connection, entity)?;
    let view = fill(
        include_str!("../../../sql/store/evaluate/history_view.sql"),
        &[
            ("entity", &quote(&entity.name)),
            ("history", &format!("canon.{}", quote(&history_name))),
            ("columns", &list("", entity.attributes.iter().map(|a| a.name.as_str()))),
            ("keys", &list("", &entity.key)),
        ],
    );
    run(connection, &view, &what).map(|_| ())
}

fn create(kind: &str, name: &str, columns: &Columns) -> String {
    let columns: Vec<String> =
        columns.iter().map(|(name, kind)| format!("{} {kind}", quote(name))).collect();
    // Persistent tables are known to be absent here.
    let replace = if kind == "TABLE" { "CREATE" } else { "CREATE OR REPLACE" };
    format!("{replace} {kind} {name} ({})", columns.join(", "))
}

/// Brings a table of `canon` to the `wanted` columns; keeps surplus ones unless `drop_surplus`.
fn adapt(connection: &Connection, table: &str, wanted: &Columns, drop_surplus: bool) -> Result<()> {
    let what = format!("could not bring canon.{table} to the columns of its entity");
    let name = format!("canon.{}", quote(table));
    let present = columns(connection, "canon", table)?;
    if present.is_empty() {
        return run(connection, &create("TABLE", &name, wanted), &what).map(|_| ());
    }
    for (column, kind) in wanted {
        let column_sql = quote(column);
        let change = match present.iter().find(|(known, _)| known == column) {
            None => format!("ADD COLUMN {column_sql} {kind}"),
            Some((_, known)) if known != kind => format!("ALTER COLUMN {column_sql} TYPE {kind}"),
            Some(_) => continue,
        };
        run(connection, &format!("ALTER TABLE {name} {change}"), &what)?;
    }
    for (column, _) in present.iter().filter(|_| drop_surplus) {
        if !wanted.iter().any(|(known, _)| known == column) {
            let sql = format!("ALTER TABLE {name} DROP COLUMN {}", quote(column));
            run(connection, &sql, &what)?;
        }
    }
    Ok(())
}

/// Puts the entity file's words where analysts look for them.
fn comment(connection: &Connection, entity: &Entity) -> Result<()> {
    let what = format!("could not comment canon.{}", entity.name);
    let table = format!("canon.{}", quote(&entity.name));
    let text = literal(&entity.comment);
    run(connection, &format!("COMMENT ON TABLE {table} IS {text}"), &what)?;
    for attribute in &entity.attributes {
        let (name, text) = (quote(&attribute.name), literal(&attribute.comment));
        run(connection, &format!("COMMENT ON COLUMN {table}.{name} IS {text}"), &what)?;
    }
    Ok(())
}

/// Names and types of a mapping's result. Fails if it does not fit the mirror.
fn describe(connection: &Connection, mapping: &Compiled) -> Result<Columns> {
    let read = || -> duckdb::Result<Columns> {
        let sql = format!("DESCRIBE {}", mapping.select(&mapping.driver_table, 0));
        let mut statement = connection.prepare(&sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    let what = || format!("mapping {} does not fit the mirror", mapping.contrib_name());
    read().map_err(|error| failed(what(), &error))
}

/// Makes `ops.orphan` and `ops.conflict` over all contributions that exist.
pub(super) fn create_views(
    connection: &Connection,
    merges: &[Merge],
    mappings: &[Compiled],
    exists: &dyn Fn(usize) -> bool,
) -> Result<()> {
    let (mut orphans, mut conflicts) = (Vec::new(), Vec::new());
    for merge in merges {
        for number in merge.parts.iter().copied().filter(|number| exists(*number)) {
            let Some(part) = mappings.get(number) else { continue };
            let (entity, source) = (literal(&merge.entity.name), literal(&part.source));
            let (keys, text) = (list("", &merge.entity.key), key_text("", &merge.entity));
            let named = format!("{entity} AS entity, {source} AS source, {text} AS key");
            conflicts.push(format!(
                "SELECT {named}, count(*) AS rows FROM {} GROUP BY {keys} \
                 HAVING count(*) > 1 OR {text} IS NULL",
                part.contrib()
            ));
            let canon = format!("canon.{}", quote(&merge.entity.name));
            let with = merge.entity.key.iter().map(|key| format!("c.{0} = o.{0}", quote(key)));
            orphans.push(format!(
                "SELECT DISTINCT {named} FROM {} AS c ANTI JOIN {canon} AS o ON {} \
                 WHERE {text} IS NOT NULL",
                part.contrib(),
                with.collect::<Vec<_>>().join(" AND ")
            ));
        }
    }
    let none = "SELECT ''::VARCHAR AS entity, ''::VARCHAR AS source, ''::VARCHAR AS key";
    orphans.push(format!("{none} WHERE false"));
    conflicts.push(format!("{none}, 0::BIGINT AS rows WHERE false"));
    for (view, parts) in [("orphan", orphans), ("conflict", conflicts)] {
        let sql = format!("CREATE OR REPLACE VIEW ops.{view} AS {}", parts.join(" UNION ALL "));
        run(connection, &sql, &format!("could not create the view ops.{view}"))?;
    }
    Ok(())
}

/// SQL for the canonical key as text; NULL if any part is NULL. Parts of a composite key are
/// joined by `|`; a `|` or `\` inside a part is escaped, so that no two keys share a text.
pub(in crate::store) fn key_text(prefix: &str, entity: &Entity) -> String {
    match entity.key.as_slice() {
        [only] => format!("CAST({prefix}{} AS VARCHAR)", quote(only)),
        parts => {
            let part = |key: &String| {
                let text = format!("CAST({prefix}{} AS VARCHAR)", quote(key));
                format!(r"replace(replace({text}, '\', '\\'), '|', '\|')")
            };
            parts.iter().map(part).collect::<Vec<_>>().join(" || '|' || ")
        }
    }
}
