//! The verdict: every row of a source against the file of the store, value by value.
//!
//! The server's own text is the oracle, for columns that the server's own catalog lists; nothing of the
//! product takes part. The daemon must be gone, the source at rest.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use duckdb::Connection;

use super::engine::Engine;
use crate::agreement::Row;

/// A table of a source, and how it is read on both sides.
#[derive(Debug)]
pub(crate) struct Mirrored {
    name: String,
    columns: Vec<Reading>,
}

/// A column of it.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) name: String,
    pub(crate) is_key: bool,
    /// Its text on the server.
    pub(crate) source: String,
    /// The same in the store.
    pub(crate) store: String,
    pub(crate) how: How,
}

/// What the store has: columns with their types, by table.
#[derive(Debug, Default)]
pub(crate) struct Stored(HashMap<String, Vec<(String, String)>>);

impl Stored {
    /// The type of a column.
    pub(crate) fn type_of(&self, table: &str, column: &str) -> Option<&str> {
        let columns = self.0.get(table)?;
        columns.iter().find(|(name, _)| name == column).map(|(_, kind)| kind.as_str())
    }
}

/// What of a text counts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum How {
    /// Every letter.
    Exact,
    /// The number that it spells.
    Number,
    /// A zero before the point does not: DuckDB leaves it out where there is no digit for it.
    Decimal,
    /// Zeros at the end of a second's fraction do not, nor the zone, which is always the same.
    Time,
}

/// What was held against each other.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) tables: usize,
    pub(crate) rows: usize,
    pub(crate) values: usize,
}

/// Columns by table; both in order.
pub(crate) fn grouped(columns: Vec<(String, Reading)>) -> Vec<Mirrored> {
    let mut tables: Vec<Mirrored> = Vec::new();
    for (table, reading) in columns {
        match tables.last_mut().filter(|last| last.name == table) {
            Some(last) => last.columns.push(reading),
            None => tables.push(Mirrored { name: table, columns: vec![reading] }),
        }
    }
    tables
}

/// Opens the store of a daemon that is gone.
pub(crate) fn open(state_folder: &Path) -> Connection {
    let store = Connection::open(state_folder.join("store.duckdb")).unwrap();
    store.execute_batch("SET TimeZone = 'UTC'").unwrap();
    store
}

/// The first difference between a source and its mirror, or what was found equal.
pub(crate) async fn held(engine: &dyn Engine, store: Connection) -> Result<Held, String> {
    let source = engine.source();
    let stored = columns(&store, source);
    let store = std::sync::Mutex::new(store);
    let mut session = engine.connect().await?;
    let tables = engine.mirrored(session.as_mut(), &stored).await;
    let there: BTreeSet<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    if let Some(more) = stored.0.keys().find(|name| !there.contains(name.as_str())) {
        return Err(format!("{source}.{more}: the source has no such table"));
    }
    let mut held = Held::default();
    for Mirrored { name, columns } in &tables {
        let Some(found) = stored.0.get(name) else {
            return Err(format!("{source}.{name}: the mirror has no such table"));
        };
        let expected: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let found: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        if expected != found {
            return Err(format!("{source}.{name}: columns are {expected:?}, mirrored {found:?}"));
        }
        let texts: Vec<&str> = columns.iter().map(|column| column.source.as_str()).collect();
        let select = format!("SELECT {} FROM {}.{name}", texts.join(", "), engine.schema());
        let expected = session.rows(&select).await.map_err(|error| format!("{select}: {error}"))?;
        let found = mirror_rows(&store.lock().unwrap(), source, name, columns);
        held.tables += 1;
        held.rows += expected.len();
        held.values += expected.len() * columns.len();
        let difference = difference(columns, expected, found);
        difference.map_err(|what| format!("{source}.{name}: {what}"))?;
    }
    Ok(held)
}

/// Columns of the mirror with their types, by table.
fn columns(store: &Connection, source: &str) -> Stored {
    let sql = "SELECT table_name, column_name, data_type FROM duckdb_columns()
               WHERE schema_name = ? ORDER BY table_name, column_index";
    let mut statement = store.prepare(sql).unwrap();
    let mut rows = statement.query([source]).unwrap();
    let mut columns = Stored::default();
    while let Some(row) = rows.next().unwrap() {
        let column = (row.get(1).unwrap(), row.get(2).unwrap());
        columns.0.entry(row.get(0).unwrap()).or_default().push(column);
    }
    columns
}

fn mirror_rows(store: &Connection, source: &str, name: &str, columns: &[Reading]) -> Vec<Row> {
    let texts: Vec<&str> = columns.iter().map(|column| column.store.as_str()).collect();
    let select = format!("SELECT {} FROM {source}.\"{name}\"", texts.join(", "));
    let mut statement = store.prepare(&select).unwrap_or_else(|error| panic!("{select}: {error}"));
    let mut rows = statement.query([]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        found.push((0..columns.len()).map(|at| row.get(at).unwrap()).collect());
    }
    found
}

/// The first difference in the order of the keys: that key, and which column has what.
fn difference(columns: &[Reading], expected: Vec<Row>, found: Vec<Row>) -> Result<(), String> {
    let key = |row: &Row| -> Row {
        let places = (0..columns.len()).filter(|place| columns[*place].is_key);
        places.map(|place| row[place].clone()).collect()
    };
    let canonical = |row: Row| -> Row {
        let cells = row.into_iter().zip(columns);
        cells.map(|(cell, column)| cell.map(|text| canonical(column.how, &text))).collect()
    };
    let mut sides: BTreeMap<Row, (Option<Row>, Option<Row>)> = BTreeMap::new();
    for row in expected.into_iter().map(canonical) {
        let key = key(&row);
        sides.entry(key).or_default().0 = Some(row);
    }
    for row in found.into_iter().map(canonical) {
        let key = key(&row);
        if sides.entry(key.clone()).or_default().1.replace(row).is_some() {
            return Err(format!("key {key:?} is there twice in the mirror"));
        }
    }
    let (mut first, mut count) = (None, 0);
    for (key, sides) in &sides {
        let what = match sides {
            (Some(expected), Some(found)) => {
                let differs = (0..columns.len()).find(|place| expected[*place] != found[*place]);
                let Some(place) = differs else { continue };
                let short = |cell: &Option<String>| match cell {
                    Some(text) if text.chars().count() > 120 => {
                        let head: String = text.chars().take(60).collect();
                        format!("{head:?}… ({} bytes)", text.len())
                    }
                    other => format!("{other:?}"),
                };
                format!(
                    "column {} is {}, mirrored {}",
                    columns[place].name,
                    short(&expected[place]),
                    short(&found[place])
                )
            }
            (Some(_), None) => "the mirror lacks it".to_owned(),
            (None, _) => "the source does not have it".to_owned(),
        };
        count += 1;
        first.get_or_insert_with(|| format!("key {key:?}: {what}"));
    }
    let rows = sides.len();
    first.map_or(Ok(()), |first| Err(format!("{first} (and {} more of {rows} rows)", count - 1)))
}

fn canonical(how: How, text: &str) -> String {
    match how {
        How::Exact => text.to_owned(),
        How::Number => {
            text.parse::<f64>().map_or_else(|_| text.to_owned(), |number| format!("{number:?}"))
        }
        How::Decimal => match text.strip_prefix('-').unwrap_or(text).starts_with('.') {
            true => text.replacen('.', "0.", 1),
            false => text.to_owned(),
        },
        How::Time => {
            let text = text.strip_suffix("+00").unwrap_or(text);
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text.to_owned(),
            }
        }
    }
}

#[test]
fn the_oracle_names_the_first_difference_and_overlooks_spelling_only() {
    let reading = |name: &str, is_key, how| Reading {
        name: name.to_owned(),
        is_key,
        source: String::new(),
        store: String::new(),
        how,
    };
    let columns = [
        reading("id", true, How::Exact),
        reading("f", false, How::Number),
        reading("t", false, How::Time),
    ];
    let row = |cells: [&str; 3]| -> Row {
        cells.iter().map(|cell| (*cell != "-").then(|| (*cell).to_owned())).collect()
    };
    let judge = |expected: &[[&str; 3]], found: &[[&str; 3]]| {
        let rows = |rows: &[[&str; 3]]| rows.iter().map(|cells| row(*cells)).collect();
        difference(&columns, rows(expected), rows(found))
    };
    let expected = [["1", "1e3", "10:00:00.250"], ["2", "NaN", "-"]];
    judge(&expected, &[["2", "nan", "-"], ["1", "1000.0", "10:00:00.25+00"]]).unwrap();
    for (found, what) in [
        (vec![["1", "1000.1", "10:00:00.25"], ["2", "NaN", "-"]], "column f"),
        (vec![["1", "1000", "10:00:00.25"], ["2", "NaN", ""]], "column t is None, mirrored Some"),
        (vec![["1", "1000", "10:00:00.25"]], "[Some(\"2\")]: the mirror lacks it"),
        (vec![["1", "1000", "10:00:00.25"]; 2], "there twice"),
    ] {
        let said = judge(&expected, &found).unwrap_err();
        assert!(said.contains(what), "{said}");
    }
    let said = judge(&[], &expected).unwrap_err();
    assert!(said.contains("the source does not have it (and 1 more of 2 rows)"), "{said}");
}
