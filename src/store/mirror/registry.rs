//! Which tables are mirrored, how their columns are kept, and where their copy stands.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::{Connection, params};

use super::{resync, sql};
use crate::change::{Column, Kind, Position, Table, TableName, TransactionId};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::store::refusal::InStore;
use crate::store::types::quoted;
use crate::store::{Store, contents, execute, reader, track};

/// A mirrored table.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorTable {
    /// The source, which is also the DuckDB schema.
    pub source: String,
    /// The table's name in that schema.
    pub mirror: String,
    /// The columns as the mirror keeps them: like the source's, but text where a value came
    /// that the type could not hold.
    pub table: Table,
    /// Where its copy stands.
    pub state: MirrorState,
    /// The last TRUNCATE since the copy began.
    pub truncated: Option<TransactionId>,
}

impl MirrorTable {
    /// The source's name for it.
    #[must_use]
    pub fn name(&self) -> &TableName {
        &self.table.name
    }
}

/// Where a table's copy stands. Set by journal entries, survives a restart with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MirrorState {
    /// Rows and cells may be missing.
    Copying,
    /// The mirror has every row and every cell.
    Done,
    /// The same, but it is copied again: what is wrong is mended.
    Resync,
    /// Its rows are as they were when something came that cannot be followed, such as another key: what
    /// the log has of it is passed by until it is copied as if for the first time.
    Outdated,
    /// It is mirrored no more, and its rows are gone; what the log still has of it is passed by.
    Left,
}

impl MirrorState {
    /// One word, as stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            MirrorState::Copying => "copying",
            MirrorState::Done => "done",
            MirrorState::Resync => "resync",
            MirrorState::Outdated => "outdated",
            MirrorState::Left => "left",
        }
    }

    /// The mirror has every row and every cell, as far as anybody knows.
    #[must_use]
    pub fn is_whole(self) -> bool {
        matches!(self, MirrorState::Done | MirrorState::Resync)
    }

    /// A copy is under way: what the log does to each key is remembered for its chunks.
    #[must_use]
    pub fn is_tracked(self) -> bool {
        matches!(self, MirrorState::Copying | MirrorState::Resync)
    }

    fn from_word(word: &str) -> Self {
        match word {
            "copying" => MirrorState::Copying,
            "resync" => MirrorState::Resync,
            "outdated" => MirrorState::Outdated,
            "left" => MirrorState::Left,
            _ => MirrorState::Done,
        }
    }
}

/// All mirrored tables: the registry in the store, held in memory.
#[derive(Debug, Default)]
pub struct Mirrors {
    tables: BTreeMap<(String, TableName), MirrorTable>,
    ready: Vec<String>,
}

impl Mirrors {
    /// Reads the registry.
    pub(in crate::store) fn load(connection: &Connection) -> Result<Self> {
        let what = || "could not read which tables are mirrored".to_owned();
        let mut statement = connection
            .prepare("SELECT source, mirror_name, state, truncated, body FROM ops.mirror_table")
            .in_store(what)?;
        let rows = statement
            .query_map([], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, Option<String>>(3)?,
                    row.get::<_, String>(4)?,
                ))
            })
            .in_store(what)?;
        let mut tables = BTreeMap::new();
        for row in rows {
            let (source, mirror, state, truncated, body) = row.in_store(what)?;
            let table: Table = serde_json::from_str(&body).context(ErrorKind::Store, what)?;
            let state = MirrorState::from_word(&state);
            let truncated = truncated.map(|text| text.parse()).transpose()?;
            let key = (source.clone(), table.name.clone());
            tables.insert(key, MirrorTable { source, mirror, table, state, truncated });
        }
        let mut statement =
            connection.prepare("SELECT DISTINCT source FROM ops.source_ready").in_store(what)?;
        let ready =
            statement.query_map([], |row| row.get(0)).and_then(Iterator::collect).in_store(what)?;
        Ok(Self { tables, ready })
    }

    /// The mirror of a table.
    ///
    /// # Errors
    /// [`ErrorKind::Gap`] if it is not mirrored.
    pub fn of(&self, source: &str, name: &TableName) -> Result<&MirrorTable> {
        self.tables.get(&(source.to_owned(), name.clone())).ok_or_else(|| {
            Error::new(
                ErrorKind::Gap,
                format!("changes of {name} arrived from {source}, which is not mirrored"),
            )
            .hint("the state folder does not belong to this source: copy the source again")
        })
    }

    /// All mirrored tables of a source.
    pub fn of_source<'a>(&'a self, source: &'a str) -> impl Iterator<Item = &'a MirrorTable> + 'a {
        let is_mirrored = |table: &&MirrorTable| table.state != MirrorState::Left;
        self.tables.values().filter(is_mirrored).filter(move |table| table.source == source)
    }

    /// True if what the log has of the table is of no use: it is not mirrored, not any more, or not yet
    /// (a table that joins is copied from there on), or it waits for a copy.
    pub(super) fn is_passed_by(&self, source: &str, name: &TableName) -> bool {
        let table = self.tables.get(&(source.to_owned(), name.clone()));
        table.is_none_or(|one| matches!(one.state, MirrorState::Outdated | MirrorState::Left))
    }

    /// True if a row that the log has under the table's name is of another table than the mirror: PostgreSQL
    /// numbers them.
    pub(super) fn is_of_another(&self, source: &str, table: &Table) -> bool {
        let mirror = self.tables.get(&(source.to_owned(), table.name.clone()));
        mirror.is_some_and(|one| one.table.id != table.id)
    }

    /// True once every table of the source was copied.
    #[must_use]
    pub fn is_ready(&self, source: &str) -> bool {
        self.ready.iter().any(|ready| ready == source)
    }

    /// Rows may only be applied to the columns and the key they were made for. `place`: where
    /// they are from, for people.
    pub(super) fn judge(&self, source: &str, table: &Table, place: &str) -> Result<()> {
        let mirror = self.of(source, &table.name)?;
        let Some(which) = difference(&table.columns, &mirror.table.columns) else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::Gap,
            format!(
                "{} of {source} changed its columns before {place}: {which} (name, type or key)",
                table.name
            ),
        )
        .hint("copy it again"))
    }

    pub(super) fn set_truncated(
        &mut self,
        connection: &Connection,
        mirror: &MirrorTable,
        transaction: TransactionId,
    ) -> Result<()> {
        self.put(connection, MirrorTable { truncated: Some(transaction), ..mirror.clone() })
    }

    /// Turns columns into text, because a value came that their type cannot hold.
    pub(super) fn widen(
        &mut self,
        connection: &Connection,
        mirror: &MirrorTable,
        places: &[usize],
    ) -> Result<MirrorTable> {
        let what = || format!("could not widen columns of {}", mirror.name());
        let mut widened = mirror.clone();
        for place in places {
            let Some(column) = widened.table.columns.get_mut(*place) else { continue };
            tracing::warn!(
                source = %mirror.source,
                table = %mirror.name(),
                column = %column.name,
                "a value does not fit its column's type, the mirror keeps the column as text"
            );
            column.kind = Kind::Text;
        }
        let mut statements = sql::widen(mirror, &widened);
        if mirror.state == MirrorState::Resync {
            statements.extend(resync::widen(mirror, &widened));
        }
        for statement in statements {
            execute(connection, &statement, what)?;
        }
        self.put(connection, widened.clone())?;
        Ok(widened)
    }

    pub(super) fn put(&mut self, connection: &Connection, table: MirrorTable) -> Result<()> {
        let what = || format!("could not note where {} stands", table.name());
        let body = serde_json::to_string(&table.table).context(ErrorKind::Bug, what)?;
        connection
            .execute(
                "DELETE FROM ops.mirror_table
                 WHERE source = ? AND table_schema = ? AND table_name = ?",
                params![table.source, table.name().schema, table.name().name],
            )
            .in_store(what)?;
        connection
            .execute(
                "INSERT INTO ops.mirror_table VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    table.source,
                    table.name().schema,
                    table.name().name,
                    table.mirror,
                    table.state.word(),
                    table.truncated.map(|transaction| transaction.to_string()),
                    body
                ],
            )
            .in_store(what)?;
        self.tables.insert((table.source.clone(), table.name().clone()), table);
        Ok(())
    }
}

/// Which columns differ in name, type or key; `None` if none does.
pub(super) fn difference(new: &[Column], kept: &[Column]) -> Option<String> {
    let same = new.len() == kept.len()
        && new.iter().zip(kept).all(|(new, kept)| is_same_column(new, kept));
    if same {
        return None;
    }
    let differs = |column: &&Column, others: &[Column]| {
        !others.iter().any(|other| is_same_column(column, other))
    };
    let mut differ: Vec<&str> = new.iter().filter(|c| differs(c, kept)).map(name_of).collect();
    differ.extend(kept.iter().filter(|c| differs(c, new)).map(name_of));
    differ.sort_unstable();
    differ.dedup();
    Some(match differ.is_empty() {
        true => "their order".to_owned(),
        false => differ.join(", "),
    })
}

fn name_of(column: &Column) -> &str {
    &column.name
}

/// A text may get another declared length, and an enumeration more labels, without a row being
/// rewritten; any other change of a type rewrites rows without a word in the log.
pub(super) fn is_same_column(new: &Column, kept: &Column) -> bool {
    let is_text = new.kind == Kind::Text && kept.kind == Kind::Text;
    new.name == kept.name && new.key == kept.key && (new.source_type == kept.source_type || is_text)
}

impl Store {
    /// A table's copy begins: an empty mirror, and per key what the log does from now on.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn begin_copy(&mut self, source: &str, mirror_name: &str, table: &Table) -> Result<()> {
        let mirror = MirrorTable {
            source: source.to_owned(),
            mirror: mirror_name.to_owned(),
            table: self.spelled_as_before(source, table),
            state: MirrorState::Copying,
            truncated: None,
        };
        let what = || format!("could not begin the copy of {}", table.name);
        let mut statements = sql::drop_temporary(&mirror);
        statements.push(format!("CREATE SCHEMA IF NOT EXISTS {}", quoted(source)));
        statements.push(format!("DROP TABLE IF EXISTS {}", sql::mirror_name(&mirror)));
        statements.push(sql::create_mirror(&mirror));
        for statement in statements {
            execute(&self.connection, &statement, what)?;
        }
        self.give_up_resync(source, &table.name)?;
        self.prove(source, &table.name.to_string(), false)?;
        self.forget_copy(&mirror)?;
        track::create(&self.connection, &mirror)?;
        if table.is_keyless() {
            contents::create(&self.connection, &mirror)?;
        }
        self.connection
            .execute("DELETE FROM ops.source_ready WHERE source = ?", params![source])
            .in_store(what)?;
        self.mirrors.ready.retain(|ready| ready != source);
        self.mirrors.put(&self.connection, mirror)
    }

    /// A table without a key is mended by a copy from its beginning. In one that is made because intervals
    /// became text they are text at once, or it would be for ever.
    fn spelled_as_before(&self, source: &str, table: &Table) -> Table {
        let mut table = table.clone();
        let known = self.mirrors.find(source, &table.name).filter(|_| table.is_keyless());
        let Some(known) = known else { return table };
        for column in table.columns.iter_mut().filter(|column| column.kind == Kind::Interval) {
            let became = known.table.columns.iter().find(|kept| kept.name == column.name);
            if became.is_some_and(|kept| {
                kept.kind == Kind::Text && kept.source_type == column.source_type
            }) {
                column.kind = Kind::Text;
            }
        }
        table
    }

    /// A table's copy is done. Returns true if with it every table of the source is.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`] if cells are still missing; [`ErrorKind::Store`].
    pub fn finish_copy(&mut self, source: &str, name: &TableName) -> Result<bool> {
        let mirror = self.mirrors.of(source, name)?.clone();
        if mirror.state == MirrorState::Outdated {
            return Ok(false);
        }
        if mirror.table.is_keyless() && !self.is_explained(&mirror)? {
            return Ok(false);
        }
        if !track::lacking_keys(&self.connection, &mirror)?.is_empty() {
            return Err(Error::new(ErrorKind::Bug, format!("the copy of {name} lacks cells")));
        }
        self.forget_copy(&mirror)?;
        let done = MirrorTable { state: MirrorState::Done, truncated: None, ..mirror };
        self.mirrors.put(&self.connection, done)?;
        self.note_ready(source)
    }

    /// A table is mirrored no more: its rows would only grow old. Returns true if with it every
    /// table that is left is copied.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn leave(&mut self, source: &str, table: &str) -> Result<bool> {
        let is_it = |mirror: &&MirrorTable| mirror.name().to_string() == table;
        let found = self.mirrors.of_source(source).find(is_it).cloned();
        let Some(mirror) = found else { return Ok(false) };
        let what = || format!("could not take {table} out of the mirror");
        self.give_up_resync(source, mirror.name())?;
        self.prove(source, table, false)?;
        self.forget_copy(&mirror)?;
        let drop = format!("DROP TABLE IF EXISTS {}", sql::mirror_name(&mirror));
        execute(&self.connection, &drop, what)?;
        let left = MirrorTable { state: MirrorState::Left, truncated: None, ..mirror };
        self.mirrors.put(&self.connection, left)?;
        self.note_ready(source)
    }

    /// Forgets what only a copy needs.
    pub(super) fn forget_copy(&self, mirror: &MirrorTable) -> Result<()> {
        track::remove(&self.connection, mirror)?;
        contents::remove(&self.connection, mirror)?;
        resync::forget(&self.connection, mirror)?;
        self.forget_hidden(mirror)
    }

    fn note_ready(&mut self, source: &str) -> Result<bool> {
        let all_done = self.mirrors.of_source(source).all(|t| t.state.is_whole());
        if !all_done || self.mirrors.is_ready(source) {
            return Ok(false);
        }
        self.connection
            .execute("INSERT INTO ops.source_ready VALUES (?)", params![source])
            .in_store(|| format!("could not note that {source} is ready"))?;
        self.mirrors.ready.push(source.to_owned());
        Ok(true)
    }
}

impl Store {
    /// Entities whose differences are events.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn ready_entities(&self) -> Result<BTreeSet<String>> {
        reader::ready_entities(&self.connection)
    }

    /// From the next batch on, differences of `entity` are events.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn entity_is_ready(&self, entity: &str) -> Result<()> {
        if self.ready_entities()?.contains(entity) {
            return Ok(());
        }
        self.connection
            .execute("INSERT INTO ops.entity_ready VALUES (?)", params![entity])
            .map(drop)
            .in_store(|| format!("could not note that {entity} is ready"))
    }
}

pub(super) fn no_key(source: &str, table: &Table, position: &Position) -> Error {
    Error::new(
        ErrorKind::Gap,
        format!("a change of {} of {source} before {position} does not tell its key", table.name),
    )
    .hint("give the table a primary key or a replica identity index and copy it again")
}

pub(super) fn lost_row(source: &str, table: &Table) -> Error {
    Error::new(
        ErrorKind::Gap,
        format!("a change of {} of {source} relies on a row the mirror does not have", table.name),
    )
    .hint("copy the table again")
}
