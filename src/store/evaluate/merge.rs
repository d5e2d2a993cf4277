//! Merges the contributions of all sources into canonical rows, by owner, and finds what changed.
//!
//! A canonical row exists while its default owner contributes it; each attribute is its owner's.

use duckdb::Connection;

use super::compile::{Compiled, provenance_columns, unit_column};
use super::contribute::pairs;
use super::sql::{equal, fill, list, quote, run};
use super::tables::{emptied, key_text, temp};
use super::{Difference, Moment, read};
use crate::canon::entity::{Attribute, Entity};
use crate::canon::owner::Owner;
use crate::error::Result;

/// One entity and the mappings that contribute to it.
#[derive(Debug)]
pub(super) struct Merge {
    /// For the temp tables.
    pub(super) number: usize,
    /// The entity.
    pub(super) entity: Entity,
    /// Who owns what.
    pub(super) owner: Owner,
    /// Numbers of the contributing mappings.
    pub(super) parts: Vec<usize>,
}

/// What a merge may use.
#[derive(Debug, Default)]
pub(super) struct Parts<'a> {
    /// Mappings whose contributions are whole.
    pub(super) contributing: Vec<&'a Compiled>,
    /// Sources whose contributions are not: what they own stays as it is.
    pub(super) left_out: Vec<&'a str>,
}

impl Merge {
    /// Notes every key that is or should be canonical, to be compared.
    pub(super) fn note_all(
        &self,
        connection: &Connection,
        parts: &Parts<'_>,
        moment: Moment,
    ) -> Result<()> {
        let Some(default) = self.default(parts) else { return Ok(()) };
        let keys = list("", &self.entity.key);
        let known: Vec<String> =
            self.entity.key.iter().map(|key| format!("{} IS NOT NULL", quote(key))).collect();
        let sql = format!(
            "INSERT INTO {} SELECT {keys}, {} FROM (SELECT {keys} FROM {} WHERE {} UNION \
             SELECT {keys} FROM {})",
            temp("keys", self.number),
            moment.as_of_micros,
            default.contrib(),
            known.join(" AND "),
            self.canon(),
        );
        run(connection, &sql, &self.could_not("note the keys of")).map(|_| ())
    }

    /// Compares the noted keys with their contributions, writes `canon` and history, and gives the
    /// differences, unordered. Without its default owner an entity stands still: which rows exist
    /// is not known then.
    pub(super) fn run(
        &self,
        connection: &Connection,
        parts: &Parts<'_>,
        moment: Moment,
    ) -> Result<Vec<Difference>> {
        let differences = self.compare(connection, parts)?;
        if !differences.is_empty() {
            for (sql, verb) in self.write_sql(moment) {
                run(connection, &sql, &self.could_not(verb))?;
            }
        }
        Ok(differences)
    }

    /// What a full comparison would change; changes nothing.
    pub(super) fn verify(
        &self,
        connection: &Connection,
        parts: &Parts<'_>,
        moment: Moment,
    ) -> Result<Vec<Difference>> {
        self.note_all(connection, parts, moment)?;
        let differences = self.compare(connection, parts)?;
        self.forget(connection)?;
        Ok(differences)
    }

    fn compare(&self, connection: &Connection, parts: &Parts<'_>) -> Result<Vec<Difference>> {
        let Some(default) = self.default(parts) else { return Ok(Vec::new()) };
        let sql = self.diff_sql(default, parts);
        match run(connection, &sql, &self.could_not("compare"))? {
            0 => Ok(Vec::new()),
            _ => read::differences(connection, &self.read_sql(), &self.entity),
        }
    }

    /// Empties the temp tables of the entity.
    pub(super) fn forget(&self, connection: &Connection) -> Result<()> {
        for kind in ["keys", "diff"] {
            run(connection, &emptied(&temp(kind, self.number)), &self.could_not("clean up after"))?;
        }
        Ok(())
    }

    fn canon(&self) -> String {
        format!("canon.{}", quote(&self.entity.name))
    }

    fn could_not(&self, verb: &str) -> String {
        format!("could not {verb} canon.{}", self.entity.name)
    }

    fn default<'a>(&self, parts: &Parts<'a>) -> Option<&'a Compiled> {
        let mut contributing = parts.contributing.iter().copied();
        contributing.find(|mapping| mapping.source == self.owner.default())
    }

    fn diff_sql(&self, default: &Compiled, parts: &Parts<'_>) -> String {
        let key = &self.entity.key;
        let others: Vec<&&Compiled> =
            parts.contributing.iter().filter(|mapping| mapping.source != default.source).collect();
        let mut winners = vec![self.winner("w", default)];
        let mut sources = "w".to_owned();
        for (number, other) in others.iter().enumerate() {
            let name = format!("w{number}");
            winners.push(self.winner(&name, other));
            let on = equal(&pairs("w.", &format!("{name}."), key), false);
            sources.push_str(&format!(" LEFT JOIN {name} ON {on}"));
        }
        let value = |attribute: &Attribute| {
            let (name, owner) = (&attribute.name, self.owner.of(&attribute.name));
            let place = others.iter().position(|other| other.source == owner);
            let (from, by) = match place.and_then(|place| Some((place, others.get(place)?))) {
                Some((place, other)) if !self.entity.is_key(name) => (format!("w{place}"), **other),
                _ => ("w".to_owned(), default),
            };
            if by.attributes.contains(name) {
                format!("{from}.{0} AS {0}", quote(name))
            } else {
                format!("CAST(NULL AS {}) AS {}", attribute.kind.sql(), quote(name))
            }
        };
        let merged: Vec<String> = self.entity.attributes.iter().map(value).collect();
        let names: Vec<&str> = self.entity.attributes.iter().map(|a| a.name.as_str()).collect();
        // Whose owner is left out keeps its value: nobody said that it changed.
        let keeps =
            |name: &str| !self.entity.is_key(name) && parts.left_out.contains(&self.owner.of(name));
        let side = |name: &&str| if keeps(name) { list("o.", [name]) } else { list("n.", [name]) };
        let new_side: Vec<String> = names.iter().map(side).collect();
        let differs: Vec<String> = names
            .iter()
            .filter(|name| !self.entity.is_key(name) && !keeps(name))
            .map(|name| format!("n.{0} IS DISTINCT FROM o.{0}", quote(name)))
            .collect();
        let differs = if differs.is_empty() { "false".to_owned() } else { differs.join(" OR ") };
        let time_keys: Vec<String> =
            key.iter().map(|key| format!("k.{0} = coalesce(n.{0}, o.{0})", quote(key))).collect();
        let pairs_sql = format!("{}, {}", list("o.", &names), new_side.join(", "));
        fill(
            include_str!("../../../sql/store/evaluate/diff.sql"),
            &[
                ("diff", &temp("diff", self.number)),
                ("keys_table", &temp("keys", self.number)),
                ("keys", &list("", key)),
                ("winners", &winners.join(",\n")),
                ("merged", &merged.join(", ")),
                ("sources", &sources),
                ("old_columns", &list("c.", &names)),
                ("canon_keys", &equal(&pairs("c.", "keys.", key), false)),
                ("canon", &self.canon()),
                ("pairs", &pairs_sql),
                ("both_keys", &equal(&pairs("n.", "o.", key), false)),
                ("time_keys", &time_keys.join(" AND ")),
                ("differs", &differs),
            ],
        )
    }

    fn read_sql(&self) -> String {
        let named = |key: &String| {
            let (old, new) = (quote(&format!("old_{key}")), quote(&format!("new_{key}")));
            format!("coalesce({new}, {old}) AS {}", quote(key))
        };
        let keys: Vec<String> = self.entity.key.iter().map(named).collect();
        let side = |side: &'static str| {
            let attributes = self.entity.attributes.iter();
            attributes
                .map(move |a| format!("CAST({} AS VARCHAR)", quote(&format!("{side}_{}", a.name))))
        };
        let cells: Vec<String> = side("old").chain(side("new")).collect();
        format!(
            "SELECT {}, _op, _time, {} FROM (SELECT *, {} FROM {})",
            key_text("", &self.entity),
            cells.join(", "),
            keys.join(", "),
            temp("diff", self.number),
        )
    }

    fn write_sql(&self, moment: Moment) -> [(String, &'static str); 3] {
        let names: Vec<&str> = self.entity.attributes.iter().map(|a| a.name.as_str()).collect();
        let (canon, diff) = (self.canon(), temp("diff", self.number));
        let same = |key: &String| format!("c.{} = d.{}", quote(key), quote(&format!("old_{key}")));
        let same: Vec<String> = self.entity.key.iter().map(same).collect();
        let delete = format!(
            "DELETE FROM {canon} AS c USING {diff} AS d WHERE d._op <> 'created' AND {}",
            same.join(" AND ")
        );
        let new: Vec<String> = names.iter().map(|name| format!("new_{name}")).collect();
        let insert = format!(
            "INSERT INTO {canon} ({}, _changed_at) SELECT {}, make_timestamp(_time) FROM {diff} \
             WHERE _op <> 'deleted'",
            list("", &names),
            list("", &new)
        );
        let last = |name: &&str| {
            let (old, new) = (quote(&format!("old_{name}")), quote(&format!("new_{name}")));
            format!("CASE WHEN _op = 'deleted' THEN {old} ELSE {new} END")
        };
        let last: Vec<String> = names.iter().map(last).collect();
        let history = format!(
            "INSERT INTO canon.{} ({}, _op, _changed_at, _recorded_at, _batch) SELECT {}, _op, \
             make_timestamp(_time), make_timestamp({}), {} FROM {diff}",
            quote(&format!("{}_history", self.entity.name)),
            list("", &names),
            last.join(", "),
            moment.as_of_micros,
            moment.batch,
        );
        [(delete, "remove old rows of"), (insert, "write"), (history, "append to the history of")]
    }

    fn winner(&self, name: &str, mapping: &Compiled) -> String {
        let (columns, key) = (&mapping.attributes, &self.entity.key);
        // Units first: they are what people know a row by; the rest only breaks ties.
        let mut order: Vec<String> = mapping.units.iter().map(unit_column).collect();
        order.extend(mapping.provenance.iter().flat_map(provenance_columns));
        order.extend(columns.iter().cloned());
        fill(
            include_str!("../../../sql/store/evaluate/winner.sql"),
            &[
                ("name", name),
                ("columns", &list("", columns)),
                ("contributed", &list("c.", columns)),
                ("keys_table", &temp("keys", self.number)),
                ("keys", &list("c.", key)),
                ("order", &list("c.", order)),
                ("contrib", &mapping.contrib()),
                ("on_keys", &equal(&pairs("c.", "keys.", key), false)),
            ],
        )
    }
}
