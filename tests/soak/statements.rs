//! Transactions that read the same on every engine: sets of rows that come, change, move and go, with
//! savepoints and rollbacks, on tables whose columns change meanwhile.

use rand::Rng;
use rand::rngs::StdRng;

use super::engine::{Engine, value};
use super::world::Shape;

/// Most rows of one statement.
const ROWS_MAX: i64 = 60;

/// A transaction: its statements, and whether it is meant to be committed.
pub(crate) struct Planned {
    pub(crate) statements: Vec<String>,
    pub(crate) commits: bool,
}

/// A transaction of one to four statements.
pub(crate) fn transaction(engine: &dyn Engine, shape: &Shape, rng: &mut StdRng) -> Planned {
    let mut statements = Vec::new();
    for _ in 0..rng.random_range(1..=4) {
        statements.extend(step(engine, shape, rng));
        if rng.random_ratio(1, 8) {
            statements.push("SAVEPOINT s".to_owned());
            statements.extend(step(engine, shape, rng));
            let end = if rng.random() { "ROLLBACK TO SAVEPOINT s" } else { "RELEASE SAVEPOINT s" };
            statements.push(end.to_owned());
        }
    }
    Planned { statements, commits: rng.random_ratio(9, 10) }
}

/// Rows from `first` on, in the place of what is there.
pub(crate) fn put(
    engine: &dyn Engine,
    shape: &Shape,
    first: i64,
    rows: i64,
    salt: i64,
) -> Vec<String> {
    vec![engine.put(shape, &columns(shape), &select(engine, shape, first, rows, salt))]
}

/// The largest: rows come in numbers, some of them change or go.
pub(crate) fn large(engine: &dyn Engine, shape: &Shape, rows: i64, rng: &mut StdRng) -> Planned {
    let (name, salt) = (&shape.name, salt(rng));
    let mut statements = vec![format!("DELETE FROM {name}")];
    statements.extend(insert(engine, shape, 1, rows, salt));
    if rng.random() {
        statements.extend(update(engine, shape, (1, rows / 4), salt + 1));
    }
    if rng.random() {
        statements.push(format!("DELETE FROM {name} WHERE id % 3 = 0"));
    }
    Planned { statements, commits: rng.random_ratio(4, 5) }
}

fn step(engine: &dyn Engine, shape: &Shape, rng: &mut StdRng) -> Vec<String> {
    let (name, salt) = (&shape.name, salt(rng));
    let rows = rng.random_range(1..=ROWS_MAX);
    let first = rng.random_range(1..=(shape.keys - rows).max(1));
    let last = first + rows - 1;
    match rng.random_range(0..20) {
        0..=7 => update(engine, shape, (first, last), salt),
        8..=10 => insert(engine, shape, first, rows, salt),
        11..=12 => put(engine, shape, first, rows.min(15), salt),
        13..=14 => vec![format!("DELETE FROM {name} WHERE id BETWEEN {first} AND {last}")],
        // A key goes and comes again within the transaction, with other values or the same.
        15 => {
            let mut both = vec![format!("DELETE FROM {name} WHERE id BETWEEN {first} AND {last}")];
            both.extend(insert(engine, shape, first, rows, salt));
            both
        }
        // Keys move to where nothing is.
        16..=17 => {
            let (from, to) = if rng.random() { ("", "-") } else { ("-", "") };
            let span = |sign: &str| match sign {
                "" => format!("id BETWEEN {first} AND {last}"),
                _ => format!("id BETWEEN -{last} AND -{first}"),
            };
            let (from, to) = (span(from), span(to));
            vec![
                format!("DELETE FROM {name} WHERE {to}"),
                format!("UPDATE {name} SET id = -id WHERE {from}"),
            ]
        }
        // Two keys change places.
        18 => {
            let spare = shape.keys + 1;
            vec![
                format!("UPDATE {name} SET id = {spare} WHERE id = {first}"),
                format!("DELETE FROM {name} WHERE id = {first}"),
                format!("UPDATE {name} SET id = {first} WHERE id = {}", first + 1),
                format!("UPDATE {name} SET id = {} WHERE id = {spare}", first + 1),
            ]
        }
        // A key that moved gets another row behind it.
        _ => {
            let mut moved = vec![
                format!("DELETE FROM {name} WHERE id = -{first}"),
                format!("UPDATE {name} SET id = -{first} WHERE id = {first}"),
            ];
            moved.extend(insert(engine, shape, first, 1, salt));
            moved
        }
    }
}

fn insert(engine: &dyn Engine, shape: &Shape, first: i64, rows: i64, salt: i64) -> Vec<String> {
    let select = select(engine, shape, first, rows, salt);
    vec![engine.insert_free(&shape.name, &columns(shape), &select)]
}

/// Changes one column, or all of them.
fn update(engine: &dyn Engine, shape: &Shape, (first, last): (i64, i64), salt: i64) -> Vec<String> {
    let count = i64::try_from(shape.columns.len()).unwrap();
    let one = usize::try_from(salt % (2 * count)).unwrap();
    let chosen = shape.columns.get(one..=one).unwrap_or(&shape.columns);
    let set = |(column, kind): &(String, usize)| {
        format!("{column} = {}", value(&engine.kinds()[*kind], "id", salt))
    };
    let set: Vec<String> = chosen.iter().map(set).collect();
    let (name, set) = (&shape.name, set.join(", "));
    vec![format!("UPDATE {name} SET {set} WHERE id BETWEEN {first} AND {last}")]
}

fn columns(shape: &Shape) -> String {
    let names: Vec<&str> = shape.columns.iter().map(|(name, _)| name.as_str()).collect();
    format!("id, {}", names.join(", "))
}

fn select(engine: &dyn Engine, shape: &Shape, first: i64, rows: i64, salt: i64) -> String {
    let value = |(_, kind): &(String, usize)| value(&engine.kinds()[*kind], "g", salt);
    let values: Vec<String> = shape.columns.iter().map(value).collect();
    format!("SELECT g, {} FROM {}", values.join(", "), engine.series(first, first + rows - 1))
}

/// Makes values other ones.
pub(crate) fn salt(rng: &mut StdRng) -> i64 {
    rng.random_range(1..1_000_000)
}
