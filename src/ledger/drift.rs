//! Drift: rows in which two sides differ, and when each entity was last compared.

use rusqlite::{Connection, params};
use serde_json::Value;

use super::Ledger;
use crate::error::{Context, ErrorKind, Result};

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It is not there.
    Missing,
    /// It is there and must not be.
    Extra,
    /// It is as it once was.
    Stale,
    /// It is as it never was.
    Diverged,
    /// It is there more than once.
    Duplicate,
}

impl Class {
    /// All of them.
    pub const ALL: [Class; 5] =
        [Class::Missing, Class::Extra, Class::Stale, Class::Diverged, Class::Duplicate];

    /// One word, as stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Class::Missing => "missing",
            Class::Extra => "extra",
            Class::Stale => "stale",
            Class::Diverged => "diverged",
            Class::Duplicate => "duplicate",
        }
    }

    fn of_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|class| class.word() == word).unwrap_or(Class::Diverged)
    }
}

/// A row in which two sides differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// Its key.
    pub key: String,
    /// How it differs.
    pub class: Class,
    /// Names of the columns that differ.
    pub columns: Vec<String>,
    /// The columns as they must be; `None`: there must be no row.
    pub expected: Option<Value>,
    /// The columns as they are; `None`: there is no row.
    pub found: Option<Value>,
    /// Where the expected row comes from: source → alias → row.
    pub source_rows: Option<Value>,
}

/// A row that differs, and since when that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Which two sides.
    pub pair: String,
    /// Canonical entity, or table of the source.
    pub entity: String,
    /// The row.
    pub drift: Drift,
    /// Microseconds since 1970-01-01 UTC.
    pub first_micros: i64,
    /// Likewise.
    pub last_micros: i64,
}

/// What the comparison of one entity found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// Which two sides.
    pub pair: String,
    /// Canonical entity, or table of the source.
    pub entity: String,
    /// When, microseconds since 1970-01-01 UTC.
    pub at_micros: i64,
    /// Rows that were compared.
    pub rows: u64,
    /// Rows that differ.
    pub differing: u64,
    /// Keys that are left out because the target has them parked.
    pub pending: u64,
    /// Columns that are not compared.
    pub left_out: Vec<String>,
}

impl Ledger {
    /// Notes what a comparison found: rows that differ still keep when that was first seen, those
    /// that do not any more go.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn note_comparison(&self, found: &Comparison, drifts: &[Drift]) -> Result<()> {
        let connection = self.lock()?;
        let run = || {
            let transaction = connection.unchecked_transaction()?;
            for drift in drifts {
                write(&transaction, found, drift)?;
            }
            let (pair, entity, at) = (&found.pair, &found.entity, found.at_micros);
            transaction.execute(
                "DELETE FROM drift WHERE pair = ?1 AND entity = ?2 AND last_seen < ?3",
                params![pair, entity, at],
            )?;
            transaction.execute(
                "INSERT OR REPLACE INTO comparison VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    pair,
                    entity,
                    at,
                    found.rows,
                    found.differing,
                    found.pending,
                    serde_json::json!(found.left_out).to_string(),
                ],
            )?;
            transaction.commit()
        };
        run().context(ErrorKind::Ledger, || {
            format!("could not note the comparison of {} {}", found.pair, found.entity)
        })
    }

    /// Forgets what was found of all pairs but these and, where entities are given, of all entities
    /// of the pair but those: nobody compares them any more.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn keep_comparisons(&self, pairs: &[(String, Option<Vec<String>>)]) -> Result<()> {
        let is_kept = |pair: &str, entity: &String| {
            let of = pairs.iter().find(|(one, _)| one == pair);
            of.is_some_and(|(_, all)| all.as_ref().is_none_or(|all| all.contains(entity)))
        };
        self.forget_comparisons(is_kept).map(drop)
    }

    /// Forgets what was found of the entities of a pair but these; which they were.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn keep_entities(&self, pair: &str, entities: &[String]) -> Result<Vec<String>> {
        let is_kept = |one: &str, entity: &String| one != pair || entities.contains(entity);
        let forgotten = self.forget_comparisons(is_kept)?;
        Ok(forgotten.into_iter().map(|(_, entity)| entity).collect())
    }

    fn forget_comparisons(
        &self,
        is_kept: impl Fn(&str, &String) -> bool,
    ) -> Result<Vec<(String, String)>> {
        let connection = self.lock()?;
        let run = || -> rusqlite::Result<_> {
            let transaction = connection.unchecked_transaction()?;
            let mut known: Vec<(String, String)> = transaction
                .prepare("SELECT pair, entity FROM comparison")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            known.retain(|(pair, entity)| !is_kept(pair, entity));
            for (pair, entity) in &known {
                for table in ["drift", "comparison"] {
                    let sql = format!("DELETE FROM {table} WHERE pair = ?1 AND entity = ?2");
                    transaction.execute(&sql, params![pair, entity])?;
                }
            }
            transaction.commit()?;
            Ok(known)
        };
        run().context(ErrorKind::Ledger, || "could not forget old comparisons".to_owned())
    }

    /// Rows that differ, oldest first, at most `count_max`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn drift(&self, count_max: usize) -> Result<Vec<Seen>> {
        let connection = self.lock()?;
        let read = || -> rusqlite::Result<Vec<Seen>> {
            connection
                .prepare_cached(
                    "SELECT pair, entity, key, class, columns, expected, found, source_rows,
                            first_seen, last_seen
                     FROM drift ORDER BY first_seen, pair, entity, key LIMIT ?1",
                )?
                .query_map([i64::try_from(count_max).unwrap_or(i64::MAX)], seen)?
                .collect()
        };
        read().context(ErrorKind::Ledger, || "could not read the drift".to_owned())
    }

    /// The last comparison of each entity.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn comparisons(&self) -> Result<Vec<Comparison>> {
        let connection = self.lock()?;
        let one = |row: &rusqlite::Row<'_>| {
            let left_out: String = row.get(6)?;
            Ok(Comparison {
                pair: row.get(0)?,
                entity: row.get(1)?,
                at_micros: row.get(2)?,
                rows: row.get(3)?,
                differing: row.get(4)?,
                pending: row.get(5)?,
                left_out: serde_json::from_str(&left_out).unwrap_or_default(),
            })
        };
        let read = || -> rusqlite::Result<Vec<Comparison>> {
            let sql = "SELECT * FROM comparison ORDER BY pair, entity";
            connection.prepare_cached(sql)?.query_map([], one)?.collect()
        };
        read().context(ErrorKind::Ledger, || "could not read the comparisons".to_owned())
    }
}

fn write(connection: &Connection, of: &Comparison, drift: &Drift) -> rusqlite::Result<()> {
    let text = |value: &Option<Value>| value.as_ref().map(Value::to_string);
    connection
        .prepare_cached(
            "INSERT INTO drift VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
             ON CONFLICT (pair, entity, key) DO UPDATE SET class = excluded.class,
                columns = excluded.columns, expected = excluded.expected, found = excluded.found,
                source_rows = excluded.source_rows, last_seen = excluded.last_seen",
        )?
        .execute(params![
            of.pair,
            of.entity,
            drift.key,
            drift.class.word(),
            serde_json::json!(drift.columns).to_string(),
            text(&drift.expected),
            text(&drift.found),
            text(&drift.source_rows),
            of.at_micros,
        ])
        .map(drop)
}

fn seen(row: &rusqlite::Row<'_>) -> rusqlite::Result<Seen> {
    let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    let (class, columns): (String, String) = (row.get(3)?, row.get(4)?);
    Ok(Seen {
        pair: row.get(0)?,
        entity: row.get(1)?,
        drift: Drift {
            key: row.get(2)?,
            class: Class::of_word(&class),
            columns: serde_json::from_str(&columns).unwrap_or_default(),
            expected: json(row.get(5)?),
            found: json(row.get(6)?),
            source_rows: json(row.get(7)?),
        },
        first_micros: row.get(8)?,
        last_micros: row.get(9)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compared_no_more_is_forgotten_and_what_still_differs_keeps_its_age() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        let drift = Drift {
            key: "1".to_owned(),
            class: Class::Diverged,
            columns: vec!["name".to_owned()],
            expected: None,
            found: None,
            source_rows: None,
        };
        let note = |pair: &str, entity: &str, at_micros: i64, drifts: &[Drift]| {
            let (pair, entity) = (pair.to_owned(), entity.to_owned());
            let differing = drifts.len() as u64;
            let found = Comparison { pair, entity, at_micros, differing, ..Comparison::default() };
            ledger.note_comparison(&found, drifts).unwrap();
        };
        let seen = || {
            let one = |seen: Seen| (seen.pair, seen.entity, seen.first_micros, seen.last_micros);
            ledger.drift(10).unwrap().into_iter().map(one).collect::<Vec<_>>()
        };
        for (pair, entity) in [("target:a", "x"), ("target:a", "y"), ("target:b", "x")] {
            note(pair, entity, 1, std::slice::from_ref(&drift));
        }
        note("target:a", "x", 2, std::slice::from_ref(&drift));
        assert_eq!(seen()[0], ("target:a".to_owned(), "x".to_owned(), 1, 2));
        ledger.keep_comparisons(&[("target:a".to_owned(), Some(vec!["x".to_owned()]))]).unwrap();
        assert_eq!(seen().len(), 1);
        assert_eq!(ledger.comparisons().unwrap().len(), 1);
        let none: Vec<String> = Vec::new();
        assert_eq!(ledger.keep_entities("target:a", &["x".to_owned()]).unwrap(), none);
        assert_eq!(ledger.keep_entities("target:b", &none).unwrap(), none);
        ledger.keep_comparisons(&[("target:a".to_owned(), None)]).unwrap();
        assert_eq!(seen().len(), 1);
        note("target:a", "x", 3, &[]);
        assert_eq!(seen(), []);
        assert_eq!(ledger.keep_entities("target:a", &none).unwrap(), ["x"]);
        assert_eq!(ledger.comparisons().unwrap(), []);
    }
}
