//! Evaluates one mapping for its touched units and brings its contributions up to date.
//!
//! The driver's table is filtered to the units and nothing else is: that is what makes the rest of
//! the mapping see everything. Canonical rows are not its business.

use duckdb::Connection;

use super::compile::{Compiled, unit_column};
use super::merge::Merge;
use super::sql::{equal, fill, list, quote, run};
use super::tables::{emptied, temp};
use super::{Conflict, Moment};
use crate::error::Result;

/// What is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The collected units.
    Touched,
    /// Everything.
    All,
}

/// One mapping at work in one batch.
pub(super) struct Contribute<'a> {
    /// The store's connection, inside the batch's transaction.
    pub(super) connection: &'a Connection,
    /// The mapping.
    pub(super) mapping: &'a Compiled,
    /// Its number, for the temp tables.
    pub(super) number: usize,
    /// The entity it contributes to.
    pub(super) merge: &'a Merge,
    /// When.
    pub(super) moment: Moment,
    /// What.
    pub(super) scope: Scope,
}

impl Contribute<'_> {
    /// Evaluates and writes the contributions; notes the canonical keys that moved. Gives how many
    /// rows moved.
    pub(super) fn run(&self) -> Result<usize> {
        // Joins on `=` reach the scan as filters, joins that find NULL do not.
        let nulls = self.scope == Scope::All || self.touches_nulls()?;
        let driver = match self.scope {
            Scope::All => self.mapping.driver_table.clone(),
            Scope::Touched => self.filtered_driver(nulls),
        };
        let columns = list("", self.mapping.columns());
        let select = self.mapping.select(&driver, self.moment.as_of_micros);
        let (fresh, moved) = (temp("fresh", self.number), temp("moved", self.number));
        self.execute(&format!("INSERT INTO {fresh} ({columns}) {select}"), "evaluate")?;
        let only_touched = match self.scope {
            Scope::All => String::new(),
            Scope::Touched => self.touched("SEMI JOIN", "c", nulls),
        };
        let sql = fill(
            include_str!("../../../sql/store/evaluate/moved.sql"),
            &[
                ("moved", &moved),
                ("columns", &columns),
                ("contrib", &self.mapping.contrib()),
                ("fresh", &fresh),
                ("only_touched", &only_touched),
            ],
        );
        let count = self.execute(&sql, "compare the contributions of")?;
        if count > 0 {
            self.write(&fresh, &moved, &columns, nulls)?;
            self.note_keys(&moved, nulls)?;
        }
        Ok(count)
    }

    /// Keys of this mapping that several rows claim, among the keys that moved.
    pub(super) fn conflicts(&self) -> Result<Vec<Conflict>> {
        let entity = &self.merge.entity;
        let keys = list("c.", &entity.key);
        let pairs = pairs("c.", "k.", &entity.key);
        let sql = format!(
            "SELECT {} FROM {} AS c SEMI JOIN {} AS k ON {} GROUP BY {keys} HAVING count(*) > 1",
            super::tables::key_text("c.", entity),
            self.mapping.contrib(),
            temp("keys", self.merge.number),
            equal(&pairs, false),
        );
        let what = format!("could not look for conflicts of {}", self.mapping.contrib_name());
        let texts = super::read::texts(self.connection, &sql, &what)?;
        let conflict = |key| Conflict {
            entity: entity.name.clone(),
            source: self.mapping.source.clone(),
            key,
        };
        Ok(texts.into_iter().map(conflict).collect())
    }

    /// Empties the temp tables of the mapping.
    pub(super) fn forget(&self) -> Result<()> {
        for kind in ["touched", "fresh", "moved"] {
            self.execute(&emptied(&temp(kind, self.number)), "clean up after")?;
        }
        Ok(())
    }

    fn execute(&self, sql: &str, verb: &str) -> Result<usize> {
        run(self.connection, sql, &format!("could not {verb} {}", self.mapping.contrib_name()))
    }

    fn unit_columns(&self) -> Vec<String> {
        self.mapping.units.iter().map(unit_column).collect()
    }

    /// NULL is a unit like any other (the group without a project), but `=` never finds it.
    fn touches_nulls(&self) -> Result<bool> {
        let tests: Vec<String> =
            self.unit_columns().iter().map(|unit| format!("{} IS NULL", quote(unit))).collect();
        let table = temp("touched", self.number);
        let sql = format!("SELECT 1 FROM {table} WHERE {} LIMIT 1", tests.join(" OR "));
        let what = format!("could not read the touched units of {}", self.mapping.contrib_name());
        Ok(super::read::count(self.connection, &sql, &what)? > 0)
    }

    fn filtered_driver(&self, nulls: bool) -> String {
        let units = self.mapping.units.iter();
        let pairs = units.map(|unit| {
            (format!("d.{}", quote(&unit.column)), format!("t.{}", quote(&unit_column(unit))))
        });
        let pairs: Vec<(String, String)> = pairs.collect();
        let (driver, touched) = (&self.mapping.driver_table, temp("touched", self.number));
        let on = equal(&pairs, nulls);
        format!("(SELECT d.* FROM {driver} AS d SEMI JOIN {touched} AS t ON {on})")
    }

    /// Joins alias `to`, which has the unit columns, with the touched units.
    fn touched(&self, join: &str, to: &str, nulls: bool) -> String {
        let pairs = pairs(&format!("{to}."), "t.", &self.unit_columns());
        format!("{join} {} AS t ON {}", temp("touched", self.number), equal(&pairs, nulls))
    }

    /// Units with any moved row are written anew as a whole.
    fn write(&self, fresh: &str, moved: &str, columns: &str, nulls: bool) -> Result<()> {
        let units = self.unit_columns();
        let names = list("", &units);
        let contrib = self.mapping.contrib();
        let on = |alias: &str| equal(&pairs(&format!("{alias}."), "m.", &units), nulls);
        let delete = format!(
            "DELETE FROM {contrib} AS c USING (SELECT DISTINCT {names} FROM {moved}) AS m WHERE {}",
            on("c")
        );
        self.execute(&delete, "remove old contributions of")?;
        let insert = format!(
            "INSERT INTO {contrib} ({columns}) SELECT {} FROM {fresh} AS f SEMI JOIN {moved} AS m \
             ON {}",
            list("f.", self.mapping.columns()),
            on("f")
        );
        self.execute(&insert, "write contributions of").map(|_| ())
    }

    /// Notes the keys of the moved rows with the newest commit time of their units.
    fn note_keys(&self, moved: &str, nulls: bool) -> Result<()> {
        let keys = &self.merge.entity.key;
        let names = list("m.", keys);
        let known: Vec<String> =
            keys.iter().map(|key| format!("m.{} IS NOT NULL", quote(key))).collect();
        let (time, join) = match self.scope {
            Scope::All => (self.moment.as_of_micros.to_string(), String::new()),
            Scope::Touched => ("max(t._time)".to_owned(), self.touched("JOIN", "m", nulls)),
        };
        let sql = format!(
            "INSERT INTO {} SELECT {names}, {time} FROM {moved} AS m {join} WHERE {} GROUP BY \
                {names}",
            temp("keys", self.merge.number),
            known.join(" AND "),
        );
        self.execute(&sql, "note the keys of").map(|_| ())
    }
}

/// Pairs of the same columns behind two prefixes.
pub(super) fn pairs(left: &str, right: &str, names: &[String]) -> Vec<(String, String)> {
    let pair =
        |name: &String| (format!("{left}{}", quote(name)), format!("{right}{}", quote(name)));
    names.iter().map(pair).collect()
}
