//! The SQL of one mirror table, generated from its columns. Pure text.

use super::spelling::canonical;
use super::{MirrorState, MirrorTable, qualified};
use crate::change::{Column, Kind};
use crate::store::stage::FIXED_COLUMNS;
use crate::store::types::{quoted, sql_type, tried, typed};

/// `"erp"."company_employee"`
pub(crate) fn mirror_name(mirror: &MirrorTable) -> String {
    format!("{}.{}", quoted(&mirror.source), quoted(&mirror.mirror))
}

/// The bare name of the temp table that rows are staged in.
pub(super) fn stage_name(mirror: &MirrorTable) -> String {
    format!("stage.{}.{}", mirror.source, mirror.mirror)
}

/// The bare name of the temp table with touched rows before the batch.
pub(super) fn before_bare(mirror: &MirrorTable) -> String {
    format!("before.{}.{}", mirror.source, mirror.mirror)
}

/// The bare name of the temp table with touched rows after the batch.
pub(super) fn after_bare(mirror: &MirrorTable) -> String {
    format!("after.{}.{}", mirror.source, mirror.mirror)
}

pub(super) fn before_name(mirror: &MirrorTable) -> String {
    temporary(&before_bare(mirror))
}

pub(super) fn after_name(mirror: &MirrorTable) -> String {
    temporary(&after_bare(mirror))
}

pub(super) fn create_mirror(mirror: &MirrorTable) -> String {
    let columns: Vec<String> = mirror.table.columns.iter().map(declared).collect();
    format!("CREATE TABLE {} ({})", mirror_name(mirror), columns.join(", "))
}

/// Makes the three temp tables, empty. They are made anew each time: rows that are only deleted
/// from a temp table keep their memory.
pub(super) fn prepare_temporary(mirror: &MirrorTable) -> Vec<String> {
    let columns = &mirror.table.columns;
    let staged: Vec<String> = (0..columns.len()).map(|place| format!("c{place} VARCHAR")).collect();
    let bases: String =
        mirror.table.key().enumerate().map(|(rank, _)| format!(", b{rank} VARCHAR")).collect();
    let images: Vec<String> = columns.iter().map(declared).collect();
    let stage = temporary(&stage_name(mirror));
    let mut statements = vec![format!(
        "CREATE OR REPLACE TEMP TABLE {stage} ({FIXED_COLUMNS}, {}{bases})",
        staged.join(", "),
    )];
    for image in [before_name(mirror), after_name(mirror)] {
        statements.push(format!(
            "CREATE OR REPLACE TEMP TABLE {image} ({}, _time BIGINT)",
            images.join(", ")
        ));
    }
    statements
}

/// Drops the temp tables: a batch is over, or their columns no longer are the mirror's.
pub(super) fn drop_temporary(mirror: &MirrorTable) -> Vec<String> {
    [temporary(&stage_name(mirror)), before_name(mirror), after_name(mirror)]
        .map(|table| format!("DROP TABLE IF EXISTS {table}"))
        .to_vec()
}

pub(super) fn fill_before(mirror: &MirrorTable) -> String {
    format!(
        "INSERT INTO {} SELECT m.*, s.time FROM {} AS m JOIN {} AS s ON {}",
        before_name(mirror),
        mirror_name(mirror),
        temporary(&stage_name(mirror)),
        key_condition(mirror),
    )
}

pub(super) fn fill_before_truncate(mirror: &MirrorTable, time_micros: i64) -> String {
    format!(
        "INSERT INTO {} SELECT m.*, {time_micros} FROM {} AS m",
        before_name(mirror),
        mirror_name(mirror),
    )
}

/// The rows of keys of which the mirror has several, and one of each. A replay must choose the same.
pub(super) fn fill_doubled(mirror: &MirrorTable, time_micros: i64) -> [String; 2] {
    let names = |column: &Column| quoted(&column.name);
    let key = mirror.table.key().filter_map(|place| mirror.table.columns.get(place));
    let key = key.map(names).collect::<Vec<_>>().join(", ");
    let all = mirror.table.columns.iter().map(names).collect::<Vec<_>>().join(", ");
    let (before, after, of) = (before_name(mirror), after_name(mirror), mirror_name(mirror));
    [
        format!(
            "INSERT INTO {before} SELECT *, {time_micros} FROM {of} WHERE ({key}) IN \
             (SELECT ({key}) FROM {of} GROUP BY {key} HAVING count(*) > 1)"
        ),
        format!(
            "INSERT INTO {after} SELECT * FROM {before} \
             QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {all}) = 1"
        ),
    ]
}

/// The rows as they will be. `lacks`: some cells must be taken from the row before, which lies
/// under the base key. Without that row they are NULL in a first copy, until a chunk fills them; in a
/// resync, and where rows come into what is chosen (`comes`), the row stays away, see [`super::resync`].
pub(super) fn fill_after(mirror: &MirrorTable, lacks: bool, comes: bool) -> String {
    let cells: Vec<String> = mirror
        .table
        .columns
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let own = typed(column.kind, &format!("s.c{place}"));
            if lacks {
                let name = quoted(&column.name);
                let at = place + 1;
                format!("CASE WHEN substr(s.missing, {at}, 1) = '1' THEN b.{name} ELSE {own} END")
            } else {
                own
            }
        })
        .collect();
    let join = if lacks {
        format!(" LEFT JOIN {} AS b ON {}", before_name(mirror), base_condition(mirror))
    } else {
        String::new()
    };
    let is_whole = match lacks && (comes || mirror.state == MirrorState::Resync) {
        true => format!(" AND (s.missing IS NULL OR b.{} IS NOT NULL)", first_key(mirror)),
        false => String::new(),
    };
    format!(
        "INSERT INTO {} SELECT {}, s.time FROM {} AS s{join} WHERE NOT s.gone{is_whole}",
        after_name(mirror),
        cells.join(", "),
        temporary(&stage_name(mirror)),
    )
}

/// How many staged cells of a column are no values of its type for DuckDB.
pub(super) fn count_refused(mirror: &MirrorTable, place: usize) -> String {
    let kind = mirror.table.columns.get(place).map_or(Kind::Text, |column| column.kind);
    let cell = format!("s.c{place}");
    format!(
        "SELECT count(*) FROM {} AS s WHERE {cell} IS NOT NULL AND {} IS NULL",
        temporary(&stage_name(mirror)),
        tried(kind, &cell),
    )
}

/// How many staged rows take cells from a row before that is not there.
pub(super) fn count_lost_bases(mirror: &MirrorTable) -> String {
    format!(
        "SELECT count(*) FROM {} AS s LEFT JOIN {} AS b ON {} \
         WHERE NOT s.gone AND s.b0 IS NOT NULL AND b.{} IS NULL",
        temporary(&stage_name(mirror)),
        before_name(mirror),
        base_condition(mirror),
        first_key(mirror),
    )
}

fn first_key(mirror: &MirrorTable) -> String {
    let key = mirror.table.key().next().and_then(|place| mirror.table.columns.get(place));
    quoted(key.map(|column| column.name.as_str()).unwrap_or_default())
}

pub(super) fn delete_staged(mirror: &MirrorTable) -> String {
    format!(
        "DELETE FROM {} AS m USING {} AS s WHERE {}",
        mirror_name(mirror),
        temporary(&stage_name(mirror)),
        key_condition(mirror),
    )
}

pub(super) fn delete_all(mirror: &MirrorTable) -> String {
    format!("DELETE FROM {}", mirror_name(mirror))
}

/// A key may have no value here: the mirror was wrong.
pub(super) fn delete_before(mirror: &MirrorTable) -> String {
    let columns = mirror.table.key().filter_map(|place| mirror.table.columns.get(place));
    let pairs = columns.map(|column| {
        let name = quoted(&column.name);
        format!("m.{name} IS NOT DISTINCT FROM b.{name}")
    });
    format!(
        "DELETE FROM {} AS m USING {} AS b WHERE {}",
        mirror_name(mirror),
        before_name(mirror),
        pairs.collect::<Vec<_>>().join(" AND "),
    )
}

pub(super) fn insert_after(mirror: &MirrorTable) -> String {
    let names: Vec<String> =
        mirror.table.columns.iter().map(|column| quoted(&column.name)).collect();
    format!(
        "INSERT INTO {} SELECT {} FROM {}",
        mirror_name(mirror),
        names.join(", "),
        after_name(mirror),
    )
}

/// Makes the mirror anew, with `cells` of the old one in the columns of the new one. No ALTER does that:
/// where its expression has functions, DuckDB cannot replay it, and opens no store that was killed then.
pub(super) fn made_anew(old: &MirrorTable, new: &MirrorTable, cells: &[String]) -> Vec<String> {
    let kept = format!("track.{}", quoted(&format!("anew:{}.{}", old.source, old.mirror)));
    let mut statements = drop_temporary(old);
    statements.extend([
        format!("DROP TABLE IF EXISTS {kept}"),
        format!("CREATE TABLE {kept} AS SELECT {} FROM {}", cells.join(", "), qualified(old)),
        format!("DROP TABLE {}", mirror_name(old)),
        create_mirror(new),
        format!("INSERT INTO {} SELECT * FROM {kept}", mirror_name(new)),
        format!("DROP TABLE {kept}"),
    ]);
    statements
}

/// Makes the mirror anew as `widened`: what became text there is spelled as the log would.
pub(super) fn widen(mirror: &MirrorTable, widened: &MirrorTable) -> Vec<String> {
    let columns = mirror.table.columns.iter().zip(&widened.table.columns);
    let cells = columns.map(|(column, new)| {
        let name = quoted(&column.name);
        let cell = if column.kind == new.kind { name.clone() } else { canonical(column) };
        format!("{cell} AS {name}")
    });
    made_anew(mirror, widened, &cells.collect::<Vec<_>>())
}

pub(super) fn temporary(name: &str) -> String {
    format!("temp.main.{}", quoted(name))
}

fn declared(column: &Column) -> String {
    format!("{} {}", quoted(&column.name), sql_type(column.kind))
}

/// The mirror's row `m` is the one staged as `s`.
fn key_condition(mirror: &MirrorTable) -> String {
    let pairs = mirror.table.key().filter_map(|place| {
        let column = mirror.table.columns.get(place)?;
        let staged = typed(column.kind, &format!("s.c{place}"));
        Some(format!("m.{} = {staged}", quoted(&column.name)))
    });
    pairs.collect::<Vec<_>>().join(" AND ")
}

/// The row before `b` is the one from which `s` takes its missing cells.
fn base_condition(mirror: &MirrorTable) -> String {
    let pairs = mirror.table.key().enumerate().filter_map(|(rank, place)| {
        let column = mirror.table.columns.get(place)?;
        let base = typed(column.kind, &format!("s.b{rank}"));
        Some(format!("b.{} = {base}", quoted(&column.name)))
    });
    pairs.collect::<Vec<_>>().join(" AND ")
}
