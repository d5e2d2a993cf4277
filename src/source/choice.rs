//! What of its tables is mirrored: the operator's word against what there is of columns, rows and keys. Pure.
//!
//! A column that is left out is nowhere behind the journal: decoders drop it, copies and comparisons do
//! not read it. (Not by the column lists of PostgreSQL's publications: with them a server refuses the
//! application's own updates where the replica identity has a column that the list has not.)

use super::conditions::Conditions;
use crate::change::keyless::is_own;
use crate::change::schema::{Cascade, LeftOut};
use crate::change::{Column, Table, TableName};
use crate::config::SourceConfig;
use crate::error::{Error, ErrorKind, Result};

/// What is mirrored of the tables of one source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    source: String,
    /// Of columns.
    patterns: Vec<Pattern>,
    /// Of rows.
    conditions: Conditions,
    /// Patterns of tables that may be mirrored without a key.
    keyless: Vec<String>,
}

/// `*`, `column`, `table.column` or `schema.table.column`, with `*` for any run of characters.
#[derive(Debug, Clone)]
struct Pattern {
    /// As the operator wrote it.
    text: String,
    /// False if it leaves out what it matches.
    chooses: bool,
    /// `schema.table`
    table: String,
    column: String,
}

impl Pattern {
    fn new(text: &str, default_schema: &str) -> Self {
        let bare = text.strip_prefix('!').unwrap_or(text);
        let (table, column) = match bare.rsplit_once('.') {
            None => ("*.*".to_owned(), bare),
            Some((table, column)) if table.contains('.') || table == "*" => {
                (if table == "*" { "*.*".to_owned() } else { table.to_owned() }, column)
            }
            Some((table, column)) => (format!("{default_schema}.{table}"), column),
        };
        let chooses = !text.starts_with('!');
        Self { text: text.to_owned(), chooses, table, column: column.to_owned() }
    }

    fn is_about(&self, table: &TableName, column: &str) -> bool {
        matches(&self.column, column) && matches(&self.table, &table.to_string())
    }
}

impl Choice {
    /// What the operator wrote of a source.
    pub(crate) fn of(source: &str, default_schema: &str, config: &SourceConfig) -> Self {
        let conditions = Conditions::new(source, default_schema, &config.rows);
        let keyless = config.keyless.clone();
        Self { conditions, keyless, ..Self::of_columns(source, default_schema, &config.columns) }
    }

    /// The choice that patterns of columns make; later ones win, and none at all choose everything.
    fn of_columns(source: &str, default_schema: &str, patterns: &[String]) -> Self {
        let patterns = patterns.iter().map(|text| Pattern::new(text, default_schema)).collect();
        Self { source: source.to_owned(), patterns, ..Self::default() }
    }

    /// Whether the operator lets a table be mirrored without a key.
    pub(crate) fn may_be_keyless(&self, table: &TableName) -> bool {
        let name = table.to_string();
        self.keyless.iter().any(|pattern| matches(pattern, &name))
    }

    /// Whether only some rows of a table are mirrored.
    pub(crate) fn chooses_rows(&self, table: &TableName) -> bool {
        self.conditions.of(table).is_some()
    }

    /// Whether a column of a table is mirrored.
    pub(crate) fn keeps(&self, table: &TableName, column: &str) -> bool {
        let last = self.patterns.iter().rev().find(|pattern| pattern.is_about(table, column));
        last.map_or(self.patterns.is_empty(), |pattern| pattern.chooses)
    }

    /// A table as the log has it, without the columns that are left out, by the operator or because they are
    /// `untold`: the log has not all of their values. What rows are told apart and followed by stays; who
    /// asked for less is told by [`Choice::judge`] and [`Choice::follow`].
    pub(crate) fn narrow(&self, table: Table, untold: &[String]) -> Table {
        let Table { id, name, columns, cascades, .. } = table;
        let rows = self.conditions.of(&name);
        let (mut kept, mut left_out) = (Vec::with_capacity(columns.len()), Vec::new());
        for (place, column) in columns.into_iter().enumerate() {
            let is_asked = rows.is_some_and(|rows| rows.is_about(&column.name));
            let is_needed = column.key.is_some() || is_asked || follows(&cascades, &column.name);
            let is_kept = !untold.contains(&column.name) && self.keeps(&name, &column.name);
            if is_needed || is_kept {
                kept.push(column);
            } else {
                left_out.push(LeftOut { place, name: column.name });
            }
        }
        let rows = rows.cloned();
        let has_key = kept.iter().any(|column| column.key.is_some());
        let is_keyless = !has_key && self.may_be_keyless(&name);
        let table = Table { id, name, columns: kept, cascades, left_out, rows };
        if is_keyless { table.with_own_key() } else { table }
    }

    /// Refuses what the patterns leave out and [`Choice::narrow`] has kept.
    fn refuse_needed(&self, table: &Table) -> Result<()> {
        let mut kept = table.columns.iter();
        let is_lost = |column: &&Column| !is_own(column) && !self.keeps(&table.name, &column.name);
        let Some(column) = kept.find(is_lost) else {
            return Ok(());
        };
        let is_followed = follows(&table.cascades, &column.name);
        let role = match (is_followed, column.key) {
            (true, _) => "a foreign key",
            (_, Some(_)) => "the key",
            (_, None) => "the condition of `rows`",
        };
        Err(self.needed(&table.name, &column.name, role))
    }

    fn needed(&self, table: &TableName, column: &str, role: &str) -> Error {
        let what = format!(
            "`columns` of source `{}` leaves out {column} of {table}, which is part of {role}",
            self.source
        );
        Error::new(ErrorKind::Config, what).hint(format!(
            "add \"{table}.{column}\" at the end of `columns`, or \"!{table}\" to `tables`"
        ))
    }

    /// Refuses patterns that match no column of the tables that are mirrored: they are misspelt, or
    /// protect something they do not name.
    ///
    /// # Errors
    /// [`ErrorKind::Config`], with the nearest names; also for a column that rows could not be told apart
    /// or followed without.
    pub(crate) fn judge<'a>(&self, tables: impl IntoIterator<Item = &'a Table>) -> Result<()> {
        let tables: Vec<&Table> = tables.into_iter().collect();
        self.conditions.judge(&tables)?;
        for table in &tables {
            self.refuse_needed(table)?;
            for cascade in &table.cascades {
                let needed = cascade.columns.iter().map(|(_, parents)| parents);
                let mut lacking = needed.filter(|column| !self.keeps(&cascade.parent, column));
                if let Some(column) = lacking.next() {
                    return Err(self.needed(&cascade.parent, column, "a foreign key"));
                }
            }
        }
        let all: Vec<(&TableName, &str)> =
            tables.iter().flat_map(|table| names(table).map(|name| (&table.name, name))).collect();
        let is_lost =
            |pattern: &&Pattern| !all.iter().any(|(table, column)| pattern.is_about(table, column));
        match self.patterns.iter().find(is_lost) {
            Some(pattern) => Err(self.unmatched(pattern, &all)),
            None => Ok(()),
        }
    }

    fn unmatched(&self, pattern: &Pattern, all: &[(&TableName, &str)]) -> Error {
        let wanted = format!("{}.{}", pattern.table, pattern.column);
        let mut near: Vec<(f64, String)> = all
            .iter()
            .map(|(table, column)| format!("{table}.{column}"))
            .map(|name| (strsim::jaro_winkler(&wanted, &name), name))
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        let near: Vec<String> = near.into_iter().take(3).map(|(_, name)| name).collect();
        let what = format!(
            "`{}` in `columns` of source `{}` matches no column of its tables",
            pattern.text, self.source
        );
        Error::new(ErrorKind::Config, what).hint(format!(
            "did you mean {}? A column that got another name needs another pattern",
            near.join(", ")
        ))
    }

    /// Refuses a table in which a column that was left out has disappeared while another one came: it may
    /// be the same under another name, and nobody asked for that to be mirrored. `before` is as the log
    /// showed it last.
    ///
    /// # Errors
    /// [`ErrorKind::Config`].
    pub(crate) fn follow(&self, before: Option<&Table>, now: &Table) -> Result<()> {
        self.refuse_needed(now)?;
        self.conditions.fit(now)?;
        let Some(before) = before else { return Ok(()) };
        let has = |table: &Table, name: &str| names(table).any(|known| known == name);
        for LeftOut { name, .. } in &before.left_out {
            // (What the patterns let through by now, the operator wants.)
            let is_left_out = now.left_out.iter().any(|left_out| left_out.name == *name);
            if is_left_out || self.keeps(&before.name, name) {
                continue;
            }
            let came = now.columns.iter().find(|column| {
                column.name == *name || !has(now, name) && !has(before, &column.name)
            });
            let Some(came) = came else { continue };
            let what = format!(
                "{name} of {} is left out, and is gone by now, but {} of {} has come: it may be the \
                 same column",
                before.name, came.name, now.name
            );
            return Err(Error::new(ErrorKind::Config, what).hint(format!(
                "say what is to become of {} in `columns` of source `{}`, and take the pattern out that \
                 leaves out {name}",
                came.name, self.source
            )));
        }
        Ok(())
    }
}

/// Whether a foreign key whose work the log hides has this column.
fn follows(cascades: &[Cascade], name: &str) -> bool {
    cascades.iter().any(|one| one.columns.iter().any(|(own, _)| own == name))
}

/// All columns of a table, those that are left out, too.
fn names(table: &Table) -> impl Iterator<Item = &str> {
    let kept = table.columns.iter().map(|column| column.name.as_str());
    kept.chain(table.left_out.iter().map(|left_out| left_out.name.as_str()))
}

/// Glob matching with `*` only, by characters.
pub(super) fn matches(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut rest = rest;
    let mut last = None;
    for part in parts {
        if let Some(middle) = last.replace(part) {
            match rest.split_once(middle) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
    }
    match last {
        Some(last) => rest.ends_with(last),
        None => rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Column, Kind};

    fn table(name: &str, columns: &[&str]) -> Table {
        let column = |(place, name): (usize, &&str)| Column {
            name: (*name).to_owned(),
            source_type: "text".to_owned(),
            kind: Kind::Text,
            key: (place == 0).then_some(0),
        };
        Table {
            id: 1,
            name: TableName::new("hr", name),
            columns: columns.iter().enumerate().map(column).collect(),
            cascades: Vec::new(),
            left_out: Vec::new(),
            rows: None,
        }
    }

    fn columns(patterns: &[&str]) -> Choice {
        let patterns: Vec<String> = patterns.iter().map(|&text| text.to_owned()).collect();
        Choice::of_columns("erp", "hr", &patterns)
    }

    /// The columns that are kept.
    fn kept(patterns: &[&str], table: Table) -> Vec<String> {
        let narrowed = columns(patterns).narrow(table, &[]);
        narrowed.columns.into_iter().map(|column| column.name).collect()
    }

    #[test]
    fn the_last_pattern_that_is_about_a_column_decides() {
        let person = || table("person", &["id", "name", "salary", "iban"]);
        for (patterns, expected) in [
            (&[][..], &["id", "name", "salary", "iban"][..]),
            (&["*"], &["id", "name", "salary", "iban"]),
            (&["*", "!salary"], &["id", "name", "iban"]),
            (&["*", "!*a*", "person.iban", "name"], &["id", "name", "iban"]),
            (&["*", "!person.salary"], &["id", "name", "iban"]),
            (&["*", "!job.salary", "!hr.person.iban"], &["id", "name", "salary"]),
            (&["*", "!*.salary"], &["id", "name", "iban"]),
            (&["id", "hr.per*.name"], &["id", "name"]),
            (&["*", "!crm.person.salary"], &["id", "name", "salary", "iban"]),
        ] {
            assert_eq!(kept(patterns, person()), expected, "{patterns:?}");
        }
        let narrowed = columns(&["*", "!name", "!iban"]).narrow(person(), &[]);
        let left_out = |place, name: &str| LeftOut { place, name: name.to_owned() };
        assert_eq!(narrowed.left_out, [left_out(1, "name"), left_out(3, "iban")]);
    }

    fn judged(patterns: &[&str], tables: &[Table]) -> Error {
        let choice = columns(patterns);
        let narrowed: Vec<Table> =
            tables.iter().map(|one| choice.narrow(one.clone(), &[])).collect();
        let kept = narrowed.iter().map(|table| table.columns.len());
        assert!(kept.eq(tables.iter().map(|table| table.columns.len())), "it is kept nevertheless");
        choice.judge(&narrowed).unwrap_err()
    }

    #[test]
    fn what_rows_are_told_apart_and_followed_by_stays() {
        let job = || table("job", &["id", "person", "text"]);
        let error = judged(&["*", "!job.id"], &[job()]);
        assert!(error.to_string().contains("id of hr.job, which is part of the key"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Config);
        let cascade = Cascade {
            parent: TableName::new("hr", "person"),
            columns: vec![("person".to_owned(), "number".to_owned())],
            on_delete: "CASCADE".to_owned(),
            on_update: "CASCADE".to_owned(),
            ignores_case: false,
        };
        let child = Table { cascades: vec![cascade], ..job() };
        let error = judged(&["*", "!person"], std::slice::from_ref(&child));
        assert!(error.to_string().contains("part of a foreign key"), "{error}");
        let person = table("person", &["number"]);
        let error = judged(&["*", "!person.number"], &[child, person]);
        assert!(error.to_string().contains("number of hr.person"), "{error}");
    }

    #[test]
    fn a_pattern_that_matches_nothing_names_what_is_near() {
        let choice = columns(&["*", "!salry"]);
        let person = choice.narrow(table("person", &["id", "salary"]), &[]);
        let error = choice.judge([&person]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("`!salry`"), "{error}");
        assert!(error.remedy().unwrap().contains("hr.person.salary"), "{error:?}");
        let choice = columns(&["*", "!salary"]);
        let person = choice.narrow(person, &[]);
        choice.judge([&person]).unwrap();
    }

    #[test]
    fn a_column_that_was_left_out_does_not_come_back_under_another_name() {
        let choice = columns(&["*", "!salary"]);
        let narrow = |columns: &[&str]| choice.narrow(table("person", columns), &[]);
        let before = narrow(&["id", "name", "salary"]);
        for (now, is_refused) in [
            (&["id", "name", "salary"][..], false),
            (&["id", "name"], false),
            (&["id", "salary"], false),
            (&["id", "name", "salary", "more"], false),
            (&["id", "name", "pay"], true),
            (&["id", "pay"], true),
        ] {
            let followed = choice.follow(Some(&before), &narrow(now));
            assert_eq!(followed.is_err(), is_refused, "{now:?}");
        }
        // The table got another name, to which the pattern does not apply.
        let choice = columns(&["*", "!person.salary"]);
        let before = choice.narrow(table("person", &["id", "salary"]), &[]);
        let people = choice.narrow(table("people", &["id", "salary"]), &[]);
        choice.follow(Some(&before), &people).unwrap_err();
        // The operator says what is to become of it.
        let choice = columns(&["*", "!people.salary"]);
        choice
            .follow(Some(&before), &choice.narrow(table("people", &["id", "salary"]), &[]))
            .unwrap();
        let choice = columns(&[]);
        choice.follow(Some(&before), &table("person", &["id", "pay"])).unwrap();
    }
}
