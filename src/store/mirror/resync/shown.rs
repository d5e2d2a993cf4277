//! Which keys of a table a resync has shown so far, and by whom: a table of the store per resync, with
//! the key's columns typed as in the mirror.

use std::collections::HashSet;

use duckdb::Connection;

use super::what;
use crate::change::condition::{Condition, Literal, Words};
use crate::change::{Column, Kind};
use crate::error::Result;
use crate::store::collapse::Key;
use crate::store::mirror::spelling::canonical;
use crate::store::mirror::sql::{self, temporary};
use crate::store::mirror::{MirrorTable, qualified};
use crate::store::types::{quoted, sql_type, typed};
use crate::store::{execute, optional, track};

/// What a chunk has shown.
pub(super) struct Found {
    /// Its rows.
    pub(super) read: i64,
    /// Those that the mirror has not, or not as they are.
    pub(super) mended: i64,
}

/// The table of keys that were shown. No source's name holds a colon.
fn name(mirror: &MirrorTable) -> String {
    format!("track.{}", quoted(&format!("shown:{}.{}", mirror.source, mirror.mirror)))
}

/// Makes it, empty.
pub(super) fn create(connection: &Connection, mirror: &MirrorTable) -> Result<()> {
    forget(connection, mirror)?;
    let columns = key_columns(mirror).enumerate();
    let columns = columns.map(|(rank, column)| format!("k{rank} {}, ", sql_type(column.kind)));
    let create =
        format!("CREATE TABLE {} ({}by_chunk BOOLEAN)", name(mirror), columns.collect::<String>());
    execute(connection, &create, || what(mirror)).map(drop)
}

/// The copy is over: forgets which keys were shown.
pub(in crate::store::mirror) fn forget(
    connection: &Connection,
    mirror: &MirrorTable,
) -> Result<()> {
    let drop_it = format!("DROP TABLE IF EXISTS {}", name(mirror));
    execute(connection, &drop_it, || what(mirror)).map(drop)
}

/// What became text in the key of the mirror becomes text here, too, spelled as there.
pub(in crate::store::mirror) fn widen(mirror: &MirrorTable, widened: &MirrorTable) -> Vec<String> {
    let (name, kept) = (name(mirror), "track.\"anew:shown\"");
    let columns = key_columns(mirror).zip(key_columns(widened)).enumerate();
    let cells = columns.map(|(rank, (column, new))| {
        let own = Column { name: format!("k{rank}"), ..column.clone() };
        let cell = if column.kind == new.kind { quoted(&own.name) } else { canonical(&own) };
        format!("{cell} AS k{rank}, ")
    });
    let cells: String = cells.collect();
    vec![
        format!("CREATE OR REPLACE TABLE {kept} AS SELECT {cells}by_chunk FROM {name}"),
        format!("DROP TABLE {name}"),
        format!("CREATE TABLE {name} AS SELECT * FROM {kept}"),
        format!("DROP TABLE {kept}"),
    ]
}

/// The log has shown these of the staged keys: what chunks show of them, or do not, is older.
pub(in crate::store::mirror) fn shown_by_log(
    connection: &Connection,
    mirror: &MirrorTable,
    keys: &[Key],
) -> Result<()> {
    track::stage_keys(connection, keys.iter())?;
    let show = format!(
        "INSERT INTO {} SELECT {}, false FROM {} AS s \
         WHERE s.row_key IN (SELECT row_key FROM temp.main.asked_keys)",
        name(mirror),
        staged_keys(mirror).join(", "),
        temporary(&sql::stage_name(mirror)),
    );
    execute(connection, &show, || what(mirror)).map(drop)
}

/// A chunk has shown the staged keys. Takes out what the mirror has as it is. A key under which the
/// mirror has several rows has none as it is.
pub(super) fn shown_by_chunk(connection: &Connection, mirror: &MirrorTable) -> Result<Found> {
    let what = || what(mirror);
    let stage = temporary(&sql::stage_name(mirror));
    let (before, after) = (sql::before_name(mirror), sql::after_name(mirror));
    let names: Vec<String> = key_columns(mirror).map(|column| quoted(&column.name)).collect();
    let row = comparable(mirror);
    let same = temporary("same");
    let ranks: Vec<String> = (0..names.len()).map(|rank| format!("k{rank}")).collect();
    let alike = |own: &[String]| -> String {
        let pairs = own.iter().zip(&ranks).map(|(own, rank)| format!("{own} = q.{rank}"));
        pairs.collect::<Vec<_>>().join(" AND ")
    };
    let of_image: Vec<String> = names.iter().map(|name| format!("r.{name}")).collect();
    let statements = [
        format!(
            "INSERT INTO {} SELECT {}, true FROM {stage} AS s",
            name(mirror),
            staged_keys(mirror).join(", "),
        ),
        format!(
            "CREATE OR REPLACE TEMP TABLE same AS SELECT {} FROM \
             (SELECT {row} FROM {before} AS r INTERSECT SELECT {row} FROM {after} AS r) \
             EXCEPT SELECT {} FROM {before} AS r GROUP BY ALL HAVING count(*) > 1",
            ranks.join(", "),
            of_image.join(", "),
        ),
        format!("DELETE FROM {before} AS r USING {same} AS q WHERE {}", alike(&of_image)),
        format!("DELETE FROM {after} AS r USING {same} AS q WHERE {}", alike(&of_image)),
        format!("DELETE FROM {stage} AS s USING {same} AS q WHERE {}", alike(&staged_keys(mirror))),
    ];
    for statement in statements {
        execute(connection, &statement, what)?;
    }
    let count = |table: &str| -> Result<i64> {
        let sql = format!("SELECT count(*) FROM {table}");
        Ok(optional(connection, &sql, what)?.unwrap_or(0))
    };
    let (mended, same_count) = (count(&stage)?, count(&same)?);
    execute(connection, &format!("DROP TABLE {same}"), what)?;
    Ok(Found { read: same_count + mended, mended })
}

/// Those of `keys` that a chunk has shown.
pub(super) fn among_chunks(
    connection: &Connection,
    mirror: &MirrorTable,
    keys: &[Key],
) -> Result<HashSet<Key>> {
    let alike = key_columns(mirror).enumerate();
    let alike = alike.map(|(rank, _)| format!(" AND m.k{rank} = v.k{rank}"));
    let alike = format!("m.by_chunk{}", alike.collect::<String>());
    track::found_in(connection, mirror, keys, &name(mirror), &alike)
}

/// Fills the temp table with the rows of keys that nobody has shown, of those that were copied.
pub(super) fn fill_leftover(
    mirror: &MirrorTable,
    only: Option<&Condition>,
    time_micros: i64,
) -> String {
    let pairs = key_columns(mirror).enumerate();
    let pairs = pairs.map(|(rank, column)| format!("m.{} = s.k{rank}", quoted(&column.name)));
    format!(
        "INSERT INTO {} SELECT m.*, {time_micros} FROM {} AS m \
         WHERE NOT EXISTS (SELECT 1 FROM {} AS s WHERE {}){}",
        sql::before_name(mirror),
        qualified(mirror),
        name(mirror),
        pairs.collect::<Vec<_>>().join(" AND "),
        only.map(|only| format!(" AND {}", of_mirror(only, mirror))).unwrap_or_default(),
    )
}

/// A condition over the key in the words of the store.
fn of_mirror(only: &Condition, mirror: &MirrorTable) -> String {
    let value = |kind: Kind, literal: &Literal| match literal {
        Literal::Number(number) => number.to_string(),
        Literal::Boolean(is) => is.to_string(),
        Literal::Text(text) => {
            let text = literal.moment(kind).unwrap_or_else(|| text.clone());
            format!("'{}'::{}", text.replace('\'', "''"), sql_type(kind))
        }
    };
    let column = |_, name: &str| format!("m.{}", quoted(name));
    let null = |it: &str| format!("{it} IS NULL");
    only.sql(&mirror.table, &Words { column: &column, value: &value, null: &null })
}

fn key_columns(mirror: &MirrorTable) -> impl Iterator<Item = &Column> {
    mirror.table.key().filter_map(|place| mirror.table.columns.get(place))
}

/// The key of a row staged as `s`.
fn staged_keys(mirror: &MirrorTable) -> Vec<String> {
    let places = mirror.table.key();
    let staged = |place: usize| {
        let column = mirror.table.columns.get(place)?;
        Some(typed(column.kind, &format!("s.c{place}")))
    };
    places.filter_map(staged).collect()
}

/// All columns of a row `r`, the key first, so that two rows are equal if these are. Where DuckDB
/// calls different values equal (−0 and 0, a month and 30 days), their texts count.
fn comparable(mirror: &MirrorTable) -> String {
    let keys = key_columns(mirror).enumerate();
    let keys = keys.map(|(rank, column)| format!("r.{} AS k{rank}", quoted(&column.name)));
    let others = mirror.table.columns.iter().filter(|column| column.key.is_none());
    let others = others.enumerate().map(|(number, column)| {
        let cell = format!("r.{}", quoted(&column.name));
        match column.kind {
            Kind::Float4 | Kind::Float8 | Kind::Interval => {
                format!("CAST({cell} AS VARCHAR) AS c{number}")
            }
            _ => format!("{cell} AS c{number}"),
        }
    });
    keys.chain(others).collect::<Vec<_>>().join(", ")
}
