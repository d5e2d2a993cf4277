//! What a statement in the log does to the rows we mirror: a small tokenizer, no parser.
//!
//! Rows come as rows; only TRUNCATE, DROP, RENAME, ALTER and CREATE come as statements. Anything
//! else that could have touched a mirrored table, or that the tokenizer does not understand and
//! that names one, is [`Effect::Unknowable`]: never skipped.

use std::collections::HashSet;

use super::event::Query;
use super::token::{Token, tokens};
use crate::change::TableName;

/// What a statement means for the mirror.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    None,
    /// Transaction control inside a group.
    Savepoint(String),
    /// Everything after the savepoint did not happen.
    RollbackTo(String),
    /// These tables have no rows afterwards; they may also look different from here on.
    Emptied(Vec<TableName>),
    /// A table may look different from here on, its rows are as they were.
    Reshaped,
    /// Values of these tables' rows changed in a way that the log does not tell; which rows there are,
    /// it does.
    Doubted(Vec<TableName>),
    /// What these tables are from here on, and what follows them by foreign keys, the log does not tell.
    Replaced(Vec<TableName>),
    /// Rows of this table changed in a way that the log does not tell.
    Unknowable {
        /// The table, or the database if no table of ours is named.
        what: String,
        /// What the statement is.
        why: &'static str,
    },
}

/// The tables we mirror, as statements may name them.
#[derive(Debug, Default)]
pub(super) struct Mirrored {
    tables: HashSet<TableName>,
    /// In lower case: a server may or may not tell case apart; we err towards naming.
    folded: HashSet<(String, String)>,
    databases: HashSet<String>,
}

impl<'a> FromIterator<&'a TableName> for Mirrored {
    fn from_iter<I: IntoIterator<Item = &'a TableName>>(tables: I) -> Self {
        let mut mirrored = Self::default();
        for table in tables {
            mirrored.folded.insert((table.schema.to_lowercase(), table.name.to_lowercase()));
            mirrored.databases.insert(table.schema.to_lowercase());
            mirrored.tables.insert(table.clone());
        }
        mirrored
    }
}

impl Mirrored {
    pub(super) fn contains(&self, table: &TableName) -> bool {
        self.tables.contains(table)
    }

    fn names(&self, table: &TableName) -> bool {
        self.folded.contains(&(table.schema.to_lowercase(), table.name.to_lowercase()))
    }

    fn holds(&self, database: &str) -> bool {
        self.databases.contains(&database.to_lowercase())
    }

    /// Our own spelling of the tables a name may mean.
    fn all(&self, is: impl Fn(&TableName) -> bool) -> Vec<TableName> {
        self.tables.iter().filter(|table| is(table)).cloned().collect()
    }

    fn same(&self, name: &TableName) -> Vec<TableName> {
        if self.tables.contains(name) {
            return vec![name.clone()];
        }
        self.all(|table| {
            table.schema.eq_ignore_ascii_case(&name.schema)
                && table.name.eq_ignore_ascii_case(&name.name)
        })
    }
}

/// Says what `query` does.
pub(super) fn effect(query: &Query, mirrored: &Mirrored) -> Effect {
    let tokens = tokens(&query.text, query.sql_mode);
    Statement { database: &query.database, mirrored }.effect(&tokens)
}

struct Statement<'a> {
    database: &'a str,
    mirrored: &'a Mirrored,
}

impl Statement<'_> {
    fn effect(&self, tokens: &[Token]) -> Effect {
        let Some(first) = tokens.first() else { return Effect::None };
        let rest = tokens.get(1..).unwrap_or_default();
        match first.keyword().as_str() {
            "BEGIN" | "COMMIT" | "XA" | "RELEASE" => Effect::None,
            "ROLLBACK" => match rest.last() {
                Some(name) => Effect::RollbackTo(name.text().to_owned()),
                None => Effect::None,
            },
            "SAVEPOINT" => match rest.last() {
                Some(name) => Effect::Savepoint(name.text().to_owned()),
                None => Effect::None,
            },
            "SET" => self.set(rest),
            "TRUNCATE" => {
                let names = skip(rest, &["TABLE"]);
                self.name(names)
                    .map_or_else(|| self.unknown(tokens), |(name, _)| self.emptied(&name))
            }
            "DROP" => self.drop(rest).unwrap_or_else(|| self.unknown(tokens)),
            "RENAME" => self.rename(rest).unwrap_or_else(|| self.unknown(tokens)),
            "CREATE" => self.create(rest).unwrap_or_else(|| self.unknown(tokens)),
            "ALTER" => self.alter(rest).unwrap_or_else(|| self.unknown(tokens)),
            "ANALYZE" | "OPTIMIZE" | "CHECK" | "FLUSH" | "GRANT" | "REVOKE" => Effect::None,
            "DELETE" if self.is_heap_restart(rest) => Effect::None,
            "INSERT" | "UPDATE" | "DELETE" | "REPLACE" | "LOAD" | "CALL" | "DO" | "SELECT"
            | "WITH" | "VALUES" | "EXECUTE" | "HANDLER" | "(" => self.rows(tokens),
            _ => self.unknown(tokens),
        }
    }

    /// `SET STATEMENT … FOR <statement>`; any other SET changes no rows.
    fn set(&self, rest: &[Token]) -> Effect {
        if rest.first().is_none_or(|word| word.keyword() != "STATEMENT") {
            return Effect::None;
        }
        let body = rest.iter().position(|token| token.keyword() == "FOR");
        match body.and_then(|place| rest.get(place + 1..)) {
            Some(body) => self.effect(body),
            None => self.unknown(rest),
        }
    }

    fn emptied(&self, name: &TableName) -> Effect {
        match self.mirrored.same(name) {
            tables if tables.is_empty() => Effect::None,
            tables => Effect::Emptied(tables),
        }
    }

    /// A server that restarts empties its MEMORY tables with a bare `DELETE FROM`.
    fn is_heap_restart(&self, rest: &[Token]) -> bool {
        let names = skip(rest, &["FROM"]);
        names.len() < rest.len()
            && self
                .name(names)
                .is_some_and(|(name, rest)| rest.is_empty() && !self.mirrored.names(&name))
    }

    fn drop(&self, rest: &[Token]) -> Option<Effect> {
        let what = rest.first()?.keyword();
        let names = skip(rest.get(1..)?, &["IF", "EXISTS"]);
        match what.as_str() {
            "TABLE" | "TABLES" => {
                let mut tables = Vec::new();
                let mut left = names;
                loop {
                    let (name, rest) = self.name(left)?;
                    tables.extend(self.mirrored.same(&name));
                    match rest.first() {
                        Some(Token::Mark(',')) => left = rest.get(1..)?,
                        _ => break,
                    }
                }
                Some(if tables.is_empty() { Effect::None } else { Effect::Emptied(tables) })
            }
            "DATABASE" | "SCHEMA" => {
                let database = names.first()?.text();
                let tables = self.mirrored.all(|table| table.schema.eq_ignore_ascii_case(database));
                Some(if tables.is_empty() { Effect::None } else { Effect::Emptied(tables) })
            }
            "INDEX" => self.index(rest),
            _ => is_other_object(&what).then_some(Effect::None),
        }
    }

    /// `… INDEX name … ON table …`
    fn index(&self, tokens: &[Token]) -> Option<Effect> {
        let on = tokens.iter().position(|token| token.keyword() == "ON")?;
        let (name, _) = self.name(tokens.get(on + 1..)?)?;
        Some(self.reshaped(&name))
    }

    fn reshaped(&self, name: &TableName) -> Effect {
        if self.mirrored.names(name) { Effect::Reshaped } else { Effect::None }
    }

    /// A table of ours that gets another name is none of ours any more; one that gets our name brings rows
    /// that the log never told.
    fn rename(&self, rest: &[Token]) -> Option<Effect> {
        let what = rest.first()?.keyword();
        if what == "USER" {
            return Some(Effect::None);
        }
        if what != "TABLE" && what != "TABLES" {
            return None;
        }
        let mut left = skip(rest.get(1..)?, &["IF", "EXISTS"]);
        let mut renamed = Vec::new();
        loop {
            let (from, rest) = self.name(left)?;
            let to = rest.iter().position(|token| token.keyword() == "TO")?;
            let (to, rest) = self.name(rest.get(to + 1..)?)?;
            renamed.extend(self.mirrored.same(&to));
            renamed.extend(self.mirrored.same(&from));
            match rest.first() {
                Some(Token::Mark(',')) => left = rest.get(1..)?,
                _ => break,
            }
        }
        Some(if renamed.is_empty() { Effect::None } else { Effect::Replaced(renamed) })
    }

    fn create(&self, rest: &[Token]) -> Option<Effect> {
        let replaces = skip(rest, &["OR", "REPLACE"]).len() < rest.len();
        let rest = skip(rest, &["OR", "REPLACE"]);
        let what = rest.first()?.keyword();
        match what.as_str() {
            "TABLE" => {
                let (name, _) = self.name(skip(rest.get(1..)?, &["IF", "NOT", "EXISTS"]))?;
                Some(if replaces { self.emptied(&name) } else { self.reshaped(&name) })
            }
            "UNIQUE" | "FULLTEXT" | "SPATIAL" | "INDEX" => self.index(rest),
            "DATABASE" | "SCHEMA" | "TEMPORARY" => Some(Effect::None),
            _ => is_other_object(&what).then_some(Effect::None),
        }
    }

    fn alter(&self, rest: &[Token]) -> Option<Effect> {
        let rest = skip(rest, &["ONLINE"]);
        // MariaDB: rows that would stand in the way are removed.
        let loses_rows = rest.first()?.keyword() == "IGNORE";
        let rest = skip(rest, &["IGNORE"]);
        let what = rest.first()?.keyword();
        match what.as_str() {
            "TABLE" => {
                let (name, actions) = self.name(skip(rest.get(1..)?, &["IF", "EXISTS"]))?;
                Some(self.alter_table(&name, unhurried(actions), loses_rows))
            }
            "DATABASE" | "SCHEMA" => Some(Effect::None),
            _ => is_other_object(&what).then_some(Effect::None),
        }
    }

    /// (It may take over a table of ours whether it is one itself or not.)
    fn alter_table(&self, name: &TableName, actions: &[Token], loses_rows: bool) -> Effect {
        let actions: Vec<&[Token]> = actions.split(top_level_commas()).collect();
        let taken = actions.iter().filter_map(|action| self.taken_over(action));
        let taken = taken.flat_map(|name| self.mirrored.same(&name));
        if !self.mirrored.names(name) {
            let taken: Vec<TableName> = taken.collect();
            return if taken.is_empty() { Effect::None } else { Effect::Replaced(taken) };
        }
        let own = self.mirrored.same(name);
        let is_told = actions.iter().all(|action| super::alter::keeps_rows(action));
        let keeps_keys = actions.iter().all(|action| super::alter::keeps_keys(action));
        match (is_told, keeps_keys) {
            (true, _) if !loses_rows => Effect::Reshaped,
            (false, true) if !loses_rows => Effect::Doubted(own),
            _ => Effect::Replaced(own.into_iter().chain(taken).collect()),
        }
    }

    /// The table of ours whose name or rows an action on another table takes over.
    fn taken_over(&self, action: &[Token]) -> Option<TableName> {
        let name = match action.first()?.keyword().as_str() {
            "RENAME" => match action.get(1..)? {
                [Token::Mark('='), name @ ..] => name,
                name => skip(skip(name, &["TO"]), &["AS"]),
            },
            "EXCHANGE" | "CONVERT" => {
                let with = action.iter().position(|token| token.keyword() == "TABLE")?;
                action.get(with + 1..)?
            }
            _ => return None,
        };
        self.name(name).map(|(name, _)| name).filter(|name| self.mirrored.names(name))
    }

    /// A statement that writes rows. It may do so through a view or a trigger that it does not
    /// name, so any in a database of ours counts.
    fn rows(&self, tokens: &[Token]) -> Effect {
        if let Some(name) = self.named(tokens) {
            return unknowable(&name, "a statement instead of rows (binlog_format = STATEMENT)");
        }
        let ours = |token: &&Token| self.mirrored.holds(token.text());
        let qualified = tokens.windows(2).any(|pair| match pair {
            [name, Token::Mark('.')] => ours(&name),
            _ => false,
        });
        if qualified || self.mirrored.holds(self.database) {
            return Effect::Unknowable {
                what: format!("database {}", self.database),
                why: "a statement instead of rows (binlog_format = STATEMENT)",
            };
        }
        Effect::None
    }

    fn unknown(&self, tokens: &[Token]) -> Effect {
        match self.named(tokens) {
            Some(name) => unknowable(&name, "a statement of an unknown kind"),
            None => Effect::None,
        }
    }

    /// A mirrored table that is named anywhere.
    fn named(&self, tokens: &[Token]) -> Option<TableName> {
        (0..tokens.len()).find_map(|place| {
            let (name, _) = self.name(tokens.get(place..)?)?;
            let alone = TableName::new(self.database, tokens.get(place)?.text());
            [name, alone].into_iter().find(|name| self.mirrored.names(name))
        })
    }

    /// A name at the front, `table` or `database.table`, and what follows it.
    fn name<'t>(&self, tokens: &'t [Token]) -> Option<(TableName, &'t [Token])> {
        match tokens {
            [first, Token::Mark('.'), second, rest @ ..] if first.is_name() && second.is_name() => {
                Some((TableName::new(first.text(), second.text()), rest))
            }
            [first, rest @ ..] if first.is_name() => {
                Some((TableName::new(self.database, first.text()), rest))
            }
            _ => None,
        }
    }
}

fn unknowable(name: &TableName, why: &'static str) -> Effect {
    Effect::Unknowable { what: format!("table {name}"), why }
}

/// Objects that hold no rows of tables.
fn is_other_object(word: &str) -> bool {
    matches!(
        word,
        "VIEW"
            | "ALGORITHM"
            | "SQL"
            | "DEFINER"
            | "TRIGGER"
            | "PROCEDURE"
            | "FUNCTION"
            | "EVENT"
            | "USER"
            | "ROLE"
            | "SERVER"
            | "SEQUENCE"
            | "TEMPORARY"
            | "PACKAGE"
            | "AGGREGATE"
            | "TABLESPACE"
            | "LOGFILE"
            | "PREPARE"
    )
}

/// The tokens after `words`, if they begin with them all.
fn skip<'t>(tokens: &'t [Token], words: &[&str]) -> &'t [Token] {
    match tokens.get(..words.len()) {
        Some(front) if front.iter().zip(words).all(|(token, word)| token.keyword() == *word) => {
            tokens.get(words.len()..).unwrap_or_default()
        }
        _ => tokens,
    }
}

/// What follows how long a statement of MariaDB waits for its table.
fn unhurried(actions: &[Token]) -> &[Token] {
    let words = match actions.first().map(Token::keyword).as_deref() {
        Some("NOWAIT") => 1,
        Some("WAIT") => 2,
        _ => 0,
    };
    actions.get(words..).unwrap_or_default()
}

/// Tells commas between actions from those inside parentheses.
fn top_level_commas() -> impl FnMut(&Token) -> bool {
    let mut depth = 0_i32;
    move |token| {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => depth -= 1,
            _ => {}
        }
        depth == 0 && *token == Token::Mark(',')
    }
}

#[cfg(test)]
mod tests;
