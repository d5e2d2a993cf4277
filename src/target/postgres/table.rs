//! A target table as delivery uses it: judged against the mapping, with its SQL.
//!
//! Pure: it reads no catalog and runs nothing.

use super::catalog::{ColumnFacts, Facts};
use crate::config::TargetEntity;
use crate::finding::Finding;

/// A table that fits its mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    /// `schema.table`, for people.
    pub label: String,
    /// The statements' name for it.
    name: String,
    /// Key columns, in the order of the rows' key cells.
    pub key: Vec<ColumnFacts>,
    /// The other mapped columns, in the order of the rows' cells.
    pub columns: Vec<ColumnFacts>,
    facts: Facts,
}

impl Table {
    /// Holds a mapping against a table: what is wrong with it, or how it is used.
    pub(super) fn judge(
        entity: &str,
        config: &TargetEntity,
        facts: Facts,
    ) -> Result<Self, Vec<Finding>> {
        let label = format!("{}.{}", facts.schema, facts.name);
        let mut findings = Vec::new();
        if !matches!(facts.kind.as_str(), "r" | "p") {
            let what = format!("entity {entity}: {label} is not a table");
            findings.push(Finding::error(what, "name the table itself, not a view of it"));
            return Err(findings);
        }
        if !facts.may_use {
            let what = format!("entity {entity}: this role may not use schema {}", facts.schema);
            let (schema, role) = (quote(&facts.schema), quote(&facts.role));
            let remedy = format!("GRANT USAGE ON SCHEMA {schema} TO {role};");
            findings.push(Finding::error(what, remedy));
        }
        let key = mapped(entity, &label, config.key.keys(), &facts, &mut findings);
        let columns = mapped(entity, &label, config.columns.keys(), &facts, &mut findings);
        if !findings.is_empty() {
            return Err(findings);
        }
        let name = qualified(&facts);
        let table = Self { label, name, key, columns, facts };
        findings.extend(table.key_finding(entity));
        findings.extend(table.unmapped_findings(entity));
        findings.extend(table.generated_findings(entity));
        findings.extend(table.privilege_finding(entity));
        if findings.is_empty() { Ok(table) } else { Err(findings) }
    }

    /// The statements' name for it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Writes rows; the parameters are one text array per column, key first.
    ///
    /// A row that is there already exactly as sent is left alone: adopting a filled table, or
    /// hearing our own write again, then costs no new row version and wakes no trigger. *Exactly*
    /// is a comparison of the stored bytes, because `=` takes 'a' for 'A' in citext and has no
    /// meaning for json. Nothing of ours counts touched rows, so skipping is safe.
    pub(super) fn upsert(&self) -> String {
        let all = || self.key.iter().chain(&self.columns);
        let target = list(all(), |column| quote(&column.name));
        let source = casts(all());
        let cells = cells(all().count());
        let key = list(self.key.iter(), |column| quote(&column.name));
        let head = format!(
            "INSERT INTO {} AS kept ({target}) SELECT {source} FROM {cells} ON CONFLICT ({key})",
            self.name
        );
        if self.columns.is_empty() {
            return format!("{head} DO NOTHING");
        }
        let set = list(self.columns.iter(), |column| {
            let name = quote(&column.name);
            format!("{name} = excluded.{name}")
        });
        let kept = list(self.columns.iter(), |column| format!("kept.{}", quote(&column.name)));
        let sent = list(self.columns.iter(), |column| format!("excluded.{}", quote(&column.name)));
        format!("{head} DO UPDATE SET {set} WHERE ROW({kept})::record *<> ROW({sent})::record")
    }

    /// Removes rows; the parameters are one text array per key column.
    pub(super) fn delete(&self) -> String {
        self.delete_after(0)
    }

    /// The same as part of a larger statement, behind so many parameters of other parts.
    pub(super) fn delete_after(&self, parameters: usize) -> String {
        let cells = cells_after(parameters, self.key.len());
        format!("DELETE FROM {} AS kept USING {cells} WHERE {}", self.name, self.same_key())
    }

    /// Makes rows let go of a unique value, so that others can take it and they take another:
    /// the way out of a swap. The parameters are those of [`Table::delete`]. `None` if the index
    /// is not known or no column of it can take a placeholder.
    pub(super) fn release(&self, unique_index: &str) -> Option<String> {
        let index = self.facts.uniques.iter().find(|index| index.name == unique_index)?;
        let mine = |column: &&ColumnFacts| index.columns.contains(&column.name);
        let nullable = self.columns.iter().filter(mine).find(|column| !column.is_not_null);
        let (column, placeholder) = match nullable {
            Some(column) => (column, "NULL"),
            // Short, for narrow columns; a control character, to meet no real value.
            None => {
                let text = self.columns.iter().filter(mine).find(|column| column.is_text)?;
                (text, "chr(1) || cells.place")
            }
        };
        Some(format!(
            "UPDATE {} AS kept SET {} = {placeholder} FROM {} WHERE {}",
            self.name,
            quote(&column.name),
            numbered_cells(self.key.len()),
            self.same_key(),
        ))
    }

    fn same_key(&self) -> String {
        let pairs = self.key.iter().enumerate().map(|(place, column)| {
            format!("kept.{} = cells.c{place}::{}", quote(&column.name), column.cast_to)
        });
        pairs.collect::<Vec<_>>().join(" AND ")
    }

    /// `ON CONFLICT` finds a row only through a unique index on exactly the key columns.
    fn key_finding(&self, entity: &str) -> Option<Finding> {
        let is_key = |columns: &[String]| {
            columns.len() == self.key.len()
                && self.key.iter().all(|column| columns.contains(&column.name))
        };
        if self.facts.uniques.iter().any(|index| index.is_plain && is_key(&index.columns)) {
            return None;
        }
        let names = list(self.key.iter(), |column| column.name.clone());
        let what =
            format!("entity {entity}: no unique index on exactly ({names}) of {}", self.label);
        let quoted = list(self.key.iter(), |column| quote(&column.name));
        Some(Finding::error(what, format!("CREATE UNIQUE INDEX ON {} ({quoted});", self.name)))
    }

    fn unmapped_findings(&self, entity: &str) -> Vec<Finding> {
        let is_mapped =
            |name: &str| self.key.iter().chain(&self.columns).any(|column| column.name == name);
        let missing = self.facts.columns.iter().filter(|column| {
            column.is_not_null
                && !column.has_default
                && !column.is_generated
                && !is_mapped(&column.name)
        });
        missing
            .map(|column| {
                let (label, name) = (&self.label, &column.name);
                let what = format!(
                    "entity {entity}: column {name} of {label} must have a value and is not mapped"
                );
                let remedy = format!(
                    "map it in columns, or give it a default: ALTER TABLE {} ALTER COLUMN {} SET \
                     DEFAULT …;",
                    self.name,
                    quote(name)
                );
                Finding::error(what, remedy)
            })
            .collect()
    }

    fn generated_findings(&self, entity: &str) -> Vec<Finding> {
        let generated = self.key.iter().chain(&self.columns).filter(|column| column.is_generated);
        generated
            .map(|column| {
                let (label, name) = (&self.label, &column.name);
                let what = format!("entity {entity}: column {name} of {label} is always generated");
                Finding::error(what, "remove it from the mapping")
            })
            .collect()
    }

    fn privilege_finding(&self, entity: &str) -> Option<Finding> {
        let all = || self.key.iter().chain(&self.columns);
        let wants = [
            ("SELECT", all().all(|column| column.may_select)),
            ("INSERT", all().all(|column| column.may_insert)),
            ("UPDATE", self.columns.iter().all(|column| column.may_update)),
            ("DELETE", self.facts.may_delete),
        ];
        let missing: Vec<&str> =
            wants.iter().filter(|(_, granted)| !granted).map(|(privilege, _)| *privilege).collect();
        if missing.is_empty() {
            return None;
        }
        let missing = missing.join(", ");
        let what = format!("entity {entity}: this role lacks {missing} on {}", self.label);
        let role = quote(&self.facts.role);
        Some(Finding::error(what, format!("GRANT {missing} ON {} TO {role};", self.name)))
    }
}

/// The nearest of some names, if one is near: for "did you mean".
pub(super) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // Below this, suggestions confuse more than they help.
    const NEAR: f64 = 0.6;
    let near = |candidate: &&'a str| {
        let bare = candidate.rsplit('.').next().unwrap_or(candidate);
        let score = |other| {
            strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &str::to_lowercase(other))
        };
        score(candidate).max(score(bare))
    };
    let best = candidates.into_iter().max_by(|a, b| near(a).total_cmp(&near(b)))?;
    (near(&best) >= NEAR).then_some(best)
}

/// Looks the configured columns up, in their order; reports those that do not exist.
fn mapped<'a>(
    entity: &str,
    label: &str,
    names: impl Iterator<Item = &'a String>,
    facts: &Facts,
    findings: &mut Vec<Finding>,
) -> Vec<ColumnFacts> {
    let mut columns = Vec::new();
    for name in names {
        if let Some(column) = facts.columns.iter().find(|column| column.name == *name) {
            columns.push(column.clone());
            continue;
        }
        let existing = facts.columns.iter().map(|column| column.name.as_str());
        let remedy = match nearest(name, existing) {
            Some(near) => format!("did you mean {near}?"),
            None => {
                format!("add it: ALTER TABLE {} ADD COLUMN {} …;", qualified(facts), quote(name))
            }
        };
        let what = format!("entity {entity}: {label} has no column {name}");
        findings.push(Finding::error(what, remedy));
    }
    columns
}

fn qualified(facts: &Facts) -> String {
    format!("{}.{}", quote(&facts.schema), quote(&facts.name))
}

pub(super) fn quote(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

fn list<'a>(
    columns: impl Iterator<Item = &'a ColumnFacts>,
    show: impl Fn(&ColumnFacts) -> String,
) -> String {
    columns.map(show).collect::<Vec<_>>().join(", ")
}

fn casts<'a>(columns: impl Iterator<Item = &'a ColumnFacts>) -> String {
    let casts = columns.enumerate().map(|(place, column)| {
        // Assignment does the rest: it refuses a text that is too long, where a cast would cut.
        format!("cells.c{place}::{}", column.cast_to)
    });
    casts.collect::<Vec<_>>().join(", ")
}

/// One text array per column, side by side as rows.
fn cells(count: usize) -> String {
    cells_after(0, count)
}

fn cells_after(parameters: usize, count: usize) -> String {
    let (arrays, names) = arrays(parameters, count);
    format!("unnest({arrays}) AS cells({names})")
}

fn numbered_cells(count: usize) -> String {
    let (arrays, names) = arrays(0, count);
    format!("unnest({arrays}) WITH ORDINALITY AS cells({names}, place)")
}

fn arrays(before: usize, count: usize) -> (String, String) {
    let places = before + 1..=before + count;
    let arrays: Vec<String> = places.map(|place| format!("${place}::text[]")).collect();
    let names: Vec<String> = (0..count).map(|place| format!("c{place}")).collect();
    (arrays.join(", "), names.join(", "))
}
