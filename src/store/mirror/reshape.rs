//! Columns that change while a table is mirrored: the mirror follows at the place in the log where they do.
//!
//! ```text
//!  batch: … rows with old columns … rows with new ones …
//!         └─ the mirror gets the columns of the batch's last row ─► rows of others are fitted to them
//! ```
//! What an added column has in the rows that are there, and what a changed type made of their values, no
//! log tells: the table is noted as unproven, and copied again ([`super::resync`]). Until then an added
//! column is NULL there, and a changed one has what DuckDB makes of the old value. A key that changes is
//! not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use duckdb::params;

use super::registry::{difference, is_same_column};
use super::{MirrorState, MirrorTable, Mirrors, Placed};
use crate::change::{
    Cell, Change, Column, Op, RowChange, Table, TableName, TransactionId, Visibility,
};
use crate::error::{Error, ErrorKind, Result};
use crate::store::collapse::Key;
use crate::store::refusal::InStore;
use crate::store::types::{quoted, sql_type};
use crate::store::{Store, execute, track};

/// The columns that a table has at the end of a batch.
struct Shape {
    table: Arc<Table>,
    /// The transaction that shows them first, in this batch.
    by: TransactionId,
    /// How often the columns change within the batch.
    changes: usize,
    /// The first row with other columns than the mirror's comes after one with the mirror's.
    begins_as_mirror: bool,
}

/// What [`Store::follow_columns`] did.
#[derive(Debug, Default)]
pub struct Followed {
    /// Whether a mirror changed.
    pub has_changed: bool,
    /// By source, mirrors in which a column got another type: its values are guesses until a copy has
    /// shown them.
    pub guessed: BTreeMap<String, BTreeSet<String>>,
}

impl Store {
    /// Brings the mirrors to the columns that their tables have at the end of a batch, and the batch's
    /// rows to the same. What cannot be followed is left as it is.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn follow_columns(&mut self, batch: &mut [Placed]) -> Result<Followed> {
        let mut last: BTreeMap<(String, TableName), Shape> = BTreeMap::new();
        let (mut doubted, mut unreads) = (BTreeSet::new(), BTreeSet::new());
        for placed in batch.iter() {
            for change in &placed.transaction.changes {
                let tables: &[Arc<Table>] = match change {
                    Change::Row(row) => std::slice::from_ref(&row.table),
                    Change::Truncate(tables) => tables,
                    Change::Doubted(table) => {
                        doubted.insert((placed.source.clone(), table.name.clone()));
                        &[]
                    }
                    Change::Unread(unread) => {
                        unreads.insert((placed.source.clone(), unread.table.name.clone()));
                        &[]
                    }
                };
                for table in tables {
                    self.see_shape(&mut last, &placed.source, table, placed.transaction.id);
                }
            }
        }
        // A first copy cannot tell which of its chunks were read before: its rows are judged as they are.
        let is_whole = |source: &str, name: &TableName| {
            self.mirrors.find(source, name).is_some_and(|mirror| mirror.state.is_whole())
        };
        doubted.retain(|(source, name): &(String, TableName)| is_whole(source, name));
        let mut followed = Followed::default();
        for ((source, name), shape) in &last {
            let is_followed = self.follow(source, name, &shape.table, &mut followed)?;
            if is_followed || shape.changes > 0 {
                self.note_shape(source, name, shape.by)?;
            }
            if shape.changes + usize::from(!shape.begins_as_mirror) > 1 {
                self.doubt_all(source, name, &mut followed)?;
            }
        }
        last.retain(|(source, name), _| {
            self.mirrors.find(source, name).is_some_and(|mirror| mirror.state.is_whole())
        });
        for (source, name) in &doubted {
            self.note_unproven(source, &name.to_string(), "by an ALTER TABLE")?;
            followed.has_changed = true;
        }
        for (source, name) in &unreads {
            self.doubt_unread(source, name, &mut followed)?;
        }
        for placed in batch.iter_mut() {
            let last = |name: &TableName| {
                last.get(&(placed.source.clone(), name.clone())).map(|shape| &shape.table)
            };
            for change in &mut placed.transaction.changes {
                match change {
                    Change::Row(row) => {
                        last(&row.table.name).into_iter().for_each(|table| fit(row, table));
                    }
                    Change::Truncate(tables) => {
                        for table in tables {
                            *table = last(&table.name).unwrap_or(table).clone();
                        }
                    }
                    Change::Doubted(_) | Change::Unread(_) => {}
                }
            }
        }
        Ok(followed)
    }

    /// Notes the columns of a row.
    fn see_shape(
        &self,
        last: &mut BTreeMap<(String, TableName), Shape>,
        source: &str,
        table: &Arc<Table>,
        by: TransactionId,
    ) {
        let key = (source.to_owned(), table.name.clone());
        let mirror = self.mirrors.find(source, &table.name);
        let is_mirrors = mirror.is_some_and(|mirror| is_as(&table.columns, &mirror.table.columns));
        let (changes, begins_as_mirror) = match last.get(&key) {
            Some(before) if is_as(&before.table.columns, &table.columns) => return,
            Some(before) => (before.changes + 1, before.begins_as_mirror),
            None => (0, is_mirrors),
        };
        last.insert(key, Shape { table: Arc::clone(table), by, changes, begins_as_mirror });
    }

    /// Columns changed more than once within a batch: what rows in between had, and what a column has that
    /// came back, is not told by its end.
    fn doubt_all(&mut self, source: &str, name: &TableName, followed: &mut Followed) -> Result<()> {
        let Some(mirror) = self.mirrors.find(source, name).cloned() else { return Ok(()) };
        if !mirror.state.is_whole() {
            return Ok(());
        }
        self.note_unproven(source, &name.to_string(), "more than once")?;
        followed.has_changed = true;
        let guessed = followed.guessed.entry(source.to_owned()).or_default();
        guessed.insert(mirror.mirror.clone());
        Ok(())
    }

    /// A first copy cannot tell which of its chunks were read before.
    pub(super) fn refuse_doubted(&self, source: &str, table: &Table) -> Result<()> {
        let copying =
            self.mirrors.find(source, &table.name).filter(|mirror| !mirror.state.is_whole());
        if copying.is_none() {
            return Ok(());
        }
        let what = format!(
            "an ALTER TABLE changed rows of {} of {source} while it was copied",
            table.name
        );
        Err(Error::new(ErrorKind::Gap, what).hint("copy the source again"))
    }

    /// The same for a chunk of a resync: it may have been read before the columns changed that the log has
    /// shown, or after a change that no row has shown yet. The mirror follows the latter.
    ///
    /// # Errors
    /// [`ErrorKind::Store`](crate::error::ErrorKind::Store).
    pub fn follow_chunk(
        &mut self,
        source: &str,
        table: &Table,
        visibility: &Visibility,
    ) -> Result<Followed> {
        let mut followed = Followed::default();
        let is_resync = |mirror: &MirrorTable| mirror.state == MirrorState::Resync;
        if self.mirrors.find(source, &table.name).is_some_and(is_resync) {
            let shown = self.shape(source, &table.name)?;
            let sees = shown.map_or(Ok(true), |transaction| visibility.sees(transaction))?;
            if sees {
                self.follow(source, &table.name, table, &mut followed)?;
            }
        }
        Ok(followed)
    }

    /// Returns whether the mirror has changed.
    fn follow(
        &mut self,
        source: &str,
        name: &TableName,
        table: &Table,
        followed: &mut Followed,
    ) -> Result<bool> {
        let Some(mirror) = self.mirrors.find(source, name).cloned() else { return Ok(false) };
        let kept = &mirror.table.columns;
        let which = difference(&table.columns, kept);
        let rewritten = rewritten(&table.columns, kept);
        if !rewritten.is_empty() {
            self.refuse_doubted(source, table)?;
        }
        if is_as(&table.columns, kept) || !mirror.state.is_whole() {
            return Ok(false);
        }
        let columns: Vec<Column> = table.columns.iter().map(|new| kept_as(new, kept)).collect();
        let shaped = MirrorTable { table: Table { columns, ..table.clone() }, ..mirror.clone() };
        let Some(which) = which else {
            if !rewritten.is_empty() {
                self.note_unproven(source, &name.to_string(), &rewritten.join(", "))?;
                followed.has_changed = true;
            }
            return self.mirrors.put(&self.connection, shaped).map(|()| true);
        };
        if !has_same_key(table, &mirror) || !can_be_kept(table) {
            return Ok(false);
        }
        let what = || format!("could not follow the columns of {name} of {source}");
        for statement in statements(&mirror, &shaped) {
            execute(&self.connection, &statement, what)?;
        }
        let places = places_in(kept, &table.columns);
        let is_new = places.contains(&None);
        // A column that stands elsewhere was dropped and added again (or moved, by MariaDB).
        let is_elsewhere = !places.iter().flatten().is_sorted();
        if is_new || is_elsewhere || !rewritten.is_empty() {
            self.note_unproven(source, &name.to_string(), &which)?;
        }
        if mirror.state == MirrorState::Resync {
            let places = places_in(&table.columns, kept);
            track::move_places(&self.connection, &mirror, &places)?;
            self.move_hidden(&mirror, &places)?;
        }
        tracing::warn!(source, table = %name, columns = which, "the mirror follows changed columns");
        followed.has_changed = true;
        let is_guessed =
            |new: &Column| kept.iter().any(|old| old.name == new.name && !is_same_column(new, old));
        if is_elsewhere || table.columns.iter().any(is_guessed) {
            let guessed = followed.guessed.entry(source.to_owned()).or_default();
            guessed.insert(mirror.mirror.clone());
        }
        self.mirrors.put(&self.connection, shaped).map(|()| true)
    }

    /// While a table is copied again: which transaction was the first to show its columns.
    fn note_shape(&self, source: &str, name: &TableName, by: TransactionId) -> Result<()> {
        let is_resync = |mirror: &MirrorTable| mirror.state == MirrorState::Resync;
        if !self.mirrors.find(source, name).is_some_and(is_resync) {
            return Ok(());
        }
        self.forget_shape(source, name)?;
        let insert = "INSERT INTO ops.reshaped VALUES (?, ?, ?)";
        let values = params![source, name.to_string(), by.to_string()];
        self.connection
            .execute(insert, values)
            .map(drop)
            .in_store(|| format!("could not note the columns of {name} of {source}"))
    }

    /// A copy of the table begins: it sees all that the log has shown before.
    pub(super) fn forget_shape(&self, source: &str, name: &TableName) -> Result<()> {
        let delete = "DELETE FROM ops.reshaped WHERE source = ? AND table_name = ?";
        self.connection
            .execute(delete, params![source, name.to_string()])
            .map(drop)
            .in_store(|| format!("could not forget the columns of {name} of {source}"))
    }

    fn shape(&self, source: &str, name: &TableName) -> Result<Option<TransactionId>> {
        let select =
            "SELECT max(transaction) FROM ops.reshaped WHERE source = ? AND table_name = ?";
        let text: Option<String> = self
            .connection
            .query_row(select, params![source, name.to_string()], |row| row.get(0))
            .in_store(|| format!("could not read the columns of {name} of {source}"))?;
        text.map(|text| text.parse()).transpose()
    }
}

/// Columns of the key are compared with their names, types and ranks.
pub(super) fn has_same_key(new: &Table, mirror: &MirrorTable) -> bool {
    let key = |table: &Table| -> Vec<Column> {
        table.key().filter_map(|place| table.columns.get(place).cloned()).collect()
    };
    let (new, old) = (key(new), key(&mirror.table));
    new.len() == old.len() && new.iter().zip(&old).all(|(new, old)| is_same_column(new, old))
}

/// DuckDB takes names that differ in case only for the same, and one name is ours.
fn can_be_kept(table: &Table) -> bool {
    let names: BTreeSet<String> =
        table.columns.iter().map(|column| column.name.to_lowercase()).collect();
    names.len() == table.columns.len() && !names.contains("_time")
}

/// A column as the mirror is to have it: it keeps its kind, which values may have widened.
fn kept_as(new: &Column, kept: &[Column]) -> Column {
    let kind = kept.iter().find(|old| is_same_column(new, old)).map_or(new.kind, |old| old.kind);
    Column { kind, ..new.clone() }
}

/// Whether columns are the same, down to the declared types of texts.
fn is_as(new: &[Column], kept: &[Column]) -> bool {
    let types = new.iter().zip(kept).all(|(new, kept)| new.source_type == kept.source_type);
    types && difference(new, kept).is_none()
}

/// Texts whose declared type changed so that their values may have changed, too.
fn rewritten<'a>(new: &'a [Column], kept: &[Column]) -> Vec<&'a str> {
    let is_rewritten = |new: &&Column| {
        let of = kept.iter().find(|old| is_same_column(new, old));
        of.is_some_and(|old| !keeps_values(&old.source_type, &new.source_type))
    };
    new.iter().filter(is_rewritten).map(|column| column.name.as_str()).collect()
}

/// Whether a text keeps its values when its declared type changes: it may get longer, and an enumeration
/// may get more labels. Anything else may write its rows anew without a word in the log.
fn keeps_values(old: &str, new: &str) -> bool {
    /// How long a text may be.
    fn length(name: &str) -> Option<u64> {
        let (base, rest) = name.split_once('(').unwrap_or((name, ""));
        match (base, rest.strip_suffix(')')) {
            ("character varying" | "varchar", Some(length)) => length.parse().ok(),
            ("character varying" | "text", None) => Some(u64::MAX),
            _ => None,
        }
    }
    let is_longer = length(old).zip(length(new)).is_some_and(|(old, new)| old <= new);
    let has_labels = old.starts_with("enum(") || old.starts_with("set(");
    let labels = old.strip_suffix(')').filter(|_| has_labels);
    let has_more = labels.and_then(|labels| new.strip_prefix(labels));
    old == new || is_longer || has_more.is_some_and(|more| more.starts_with(','))
}

/// The mirror made anew with other columns. Columns are found by name: one that was renamed is another.
fn statements(old: &MirrorTable, new: &MirrorTable) -> Vec<String> {
    let cells: Vec<String> = new
        .table
        .columns
        .iter()
        .map(|column| {
            let name = quoted(&column.name);
            let ours = old.table.columns.iter().find(|one| one.name == column.name);
            match ours {
                Some(ours) if is_same_column(column, ours) => name,
                Some(_) => format!("TRY_CAST({name} AS {}) AS {name}", sql_type(column.kind)),
                None => format!("CAST(NULL AS {}) AS {name}", sql_type(column.kind)),
            }
        })
        .collect();
    super::sql::made_anew(old, new, &cells)
}

/// Fits a row to other columns of its table: what they do not have is left out; what it does not have is
/// missing, and stays what the mirror has, but NULL in a row that comes: nothing is there to stay, and the
/// table is unproven anyway.
fn fit(row: &mut RowChange, table: &Arc<Table>) {
    if difference(&row.table.columns, &table.columns).is_none() {
        return;
    }
    let places = places_in(&row.table.columns, &table.columns);
    for image in [&mut row.old, &mut row.new].into_iter().flatten() {
        *image = fitted(image, &places);
        if row.op == Op::Insert {
            image.iter_mut().filter(|cell| cell.is_missing()).for_each(|cell| *cell = Cell::Null);
        }
    }
    row.table = Arc::clone(table);
}

impl Mirrors {
    /// The mirror of a table, if it is mirrored.
    pub(super) fn find(&self, source: &str, name: &TableName) -> Option<&MirrorTable> {
        if self.has_left(source, name) {
            return None;
        }
        self.of(source, name).ok()
    }
}

/// Where each column of the mirror is among those of a table; `None`: nowhere.
fn places_in(own: &[Column], mirror: &[Column]) -> Vec<Option<usize>> {
    let of = |column: &Column| own.iter().position(|one| is_same_column(one, column));
    mirror.iter().map(of).collect()
}

fn fitted(image: &[Cell], places: &[Option<usize>]) -> Vec<Cell> {
    let cell = |place: &Option<usize>| {
        place.and_then(|place| image.get(place).cloned()).unwrap_or(Cell::Missing)
    };
    places.iter().map(cell).collect()
}

/// The rows of a chunk, fitted to the mirror: the log may have shown other columns since it was read. With
/// them, whether the chunk lacks columns that the mirror has.
pub(super) fn fit_chunk(
    rows: Vec<(Key, Vec<Cell>)>,
    chunk: &Table,
    mirror: &MirrorTable,
) -> (Vec<(Key, Vec<Cell>)>, bool) {
    if difference(&chunk.columns, &mirror.table.columns).is_none() {
        return (rows, false);
    }
    let places = places_in(&chunk.columns, &mirror.table.columns);
    let lacks = places.contains(&None);
    (rows.into_iter().map(|(key, cells)| (key, fitted(&cells, &places))).collect(), lacks)
}

#[cfg(test)]
mod tests;
