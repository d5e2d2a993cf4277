//! Fifty corruptions of a mirror, of every kind by which copies go wrong, and what each must be
//! called.

use std::collections::BTreeMap;

use duckdb::Connection;

use super::text;
use crate::support::process::Installation;

/// What is done to the mirror, `{s}` being its schema, and what each row must be called.
pub(super) struct Corruption {
    sql: String,
    rows: Vec<(String, &'static str)>,
}

fn one(sql: impl Into<String>, key: impl ToString, class: &'static str) -> Corruption {
    Corruption { sql: sql.into(), rows: vec![(key.to_string(), class)] }
}

fn both(sql: String, first: u32, second: u32) -> Corruption {
    let rows = [first, second].map(|key| (key.to_string(), "diverged"));
    Corruption { sql, rows: rows.into() }
}

/// The rows 1 to 99 of table `t`, which nobody writes, and table `pair`.
pub(super) fn corruptions() -> Vec<Corruption> {
    let mut all = Vec::new();
    // A value, in each kind of column.
    let values = [
        "n = n + 0.001",
        "n = NULL",
        "txt = txt || ' '",
        "txt = CASE txt WHEN '' THEN NULL ELSE '' END",
        "pad = upper(pad)",
        "ok = NOT ok",
        "ok = NULL",
        "d = '2001-01-01'",
        "d = '9999-12-31'",
        "\"at\" = \"at\" + INTERVAL 1 MICROSECOND",
        "raw = from_hex('00')",
        "doc = '{\"a\": 0}'",
    ];
    for (id, value) in (11..).zip(values) {
        all.push(one(format!("UPDATE {{s}}.t SET {value} WHERE id = {id}"), id, "diverged"));
    }
    for id in 23..33 {
        all.push(one(format!("DELETE FROM {{s}}.t WHERE id = {id}"), id, "missing"));
    }
    for id in 90_001..90_011 {
        let sql = format!("INSERT INTO {{s}}.t (id, txt) VALUES ({id}, 'ghost')");
        all.push(one(sql, id, "extra"));
    }
    // Two rows that change places: every sum over them stays.
    for id in (33..49).step_by(2) {
        let sql =
            format!("UPDATE {{s}}.t SET id = {} - id WHERE id IN ({id}, {})", 2 * id + 1, id + 1);
        all.push(both(sql, id, id + 1));
    }
    // Hours that are too many in one row and too few in another.
    for id in (49..65).step_by(2) {
        let sql = format!(
            "UPDATE {{s}}.t SET n = n + CASE id WHEN {id} THEN 1 ELSE -1 END WHERE id IN ({id}, {})",
            id + 1
        );
        all.push(both(sql, id, id + 1));
    }
    all.push(one("INSERT INTO {s}.t SELECT * FROM {s}.t WHERE id = 65", 65, "duplicate"));
    // All times, an hour too early.
    let keys = (1..=500).map(|number| (format!("k{}|{number}", number % 50), "diverged"));
    let sql = "UPDATE {s}.pair SET began = began - INTERVAL 1 HOUR".to_owned();
    all.push(Corruption { sql, rows: keys.collect() });
    assert_eq!(all.len(), 50);
    all
}

/// Rows that a resync mends and removes, by table.
pub(super) fn mended(schema: &str) -> [String; 2] {
    // Values, lost, places, hours; ghosts and a duplicate.
    [format!("{schema}.pair 500 0"), format!("{schema}.t {} {}", 12 + 10 + 16 + 16, 10 + 1)]
}

/// Changes the mirror of a daemon that does not run.
pub(super) fn tamper(installation: &Installation, schema: &str, corruptions: &[Corruption]) {
    let store = Connection::open(installation.state_folder().join("store.duckdb")).unwrap();
    for Corruption { sql, .. } in corruptions {
        let changed = store.execute(&sql.replace("{s}", schema), []);
        assert!(changed.unwrap() > 0, "{sql}");
    }
}

/// What was found is exactly what was done.
pub(super) fn prove_found(installation: &Installation, corruptions: &[Corruption]) {
    let found = text(installation, "SELECT concat(key, '=', class) FROM ops.drift");
    let found: BTreeMap<&str, &str> = found.iter().filter_map(|row| row.split_once('=')).collect();
    for Corruption { sql, rows } in corruptions {
        for (key, class) in rows {
            assert_eq!(found.get(key.as_str()), Some(class), "{sql}: {key}");
        }
    }
    let rows: usize = corruptions.iter().map(|one| one.rows.len()).sum();
    assert_eq!(found.len(), rows, "{found:?}");
    eprintln!("{} corruptions of {rows} rows: all found and told apart", corruptions.len());
}
