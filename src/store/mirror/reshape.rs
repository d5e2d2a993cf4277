//! Columns that change while a table is mirrored: the mirror follows at the place in the log where they do.
//!
//! ```text
//!  batch: … rows with old columns … rows with new ones …
//!         └─ the mirror gets the columns of the batch's last row ─► rows of others are fitted to them
//! ```
//! What an added column has in the rows that are there, and what a changed type made of their values, no
//! log tells: the table is noted as unproven, and copied again ([`super::resync`]). Until then an added
//! column is NULL there, and a changed one has what DuckDB makes of the old value.
//!
//! What cannot be followed (another key; anything while a table is copied for the first time, whose chunks
//! then are of two kinds) outdates the mirror: its table is copied as if for the first time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use duckdb::params;

use super::outdate::strange_to;
use super::registry::{difference, is_same_column};
use super::{MirrorState, MirrorTable, Mirrors, Placed};
use crate::change::{
    Cell, CellRef, Cells, Change, Column, Op, RowChange, Table, TableName, TransactionId,
    Visibility,
};
use crate::error::Result;
use crate::store::collapse::Key;
use crate::store::refusal::InStore;
use crate::store::types::{quoted, sql_type};
use crate::store::{Store, execute, track};

/// The columns that a table has at the end of a batch.
pub(super) struct Shape {
    pub(super) table: Arc<Table>,
    /// The transaction that shows them first, in this batch.
    by: TransactionId,
    /// How often the columns change within the batch.
    changes: usize,
    /// The first row with other columns than the mirror's comes after one with the mirror's.
    begins_as_mirror: bool,
    /// The first of its columns that a mirror which cannot follow does not have so, if there are any.
    pub(super) strange: Option<String>,
}

/// A source and a table of it.
type Named = (String, TableName);

/// What a batch says of tables.
#[derive(Default)]
struct Noticed {
    shapes: BTreeMap<Named, Shape>,
    /// See [`Change::Doubted`].
    doubted: BTreeSet<Named>,
    /// See [`Change::Replaced`].
    replaced: BTreeSet<Named>,
    /// Tables with rows that cannot be read.
    unread: BTreeSet<Named>,
    /// Tables with rows under another name.
    renamed: BTreeSet<Named>,
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
        let Noticed { mut shapes, doubted, replaced, unread, renamed } = self.notice(batch);
        let mut followed = Followed::default();
        for (source, name) in &replaced {
            self.outdate_replaced(source, name, &mut followed)?;
        }
        for (source, name) in &doubted {
            self.doubt(source, name, &mut followed)?;
        }
        for ((source, name), shape) in &shapes {
            let is_followed = self.follow(source, name, &shape.table, &mut followed)?;
            if is_followed || shape.changes > 0 {
                self.note_shape(source, name, shape.by)?;
            }
            if shape.changes + usize::from(!shape.begins_as_mirror) > 1 {
                self.doubt_all(source, name, &mut followed)?;
            }
            self.give_up_following(source, name, shape, &mut followed)?;
        }
        for (source, name) in &unread {
            self.doubt_unread(source, name, "a row that cannot be read", &mut followed)?;
        }
        for (source, name) in &renamed {
            self.doubt_unread(source, name, "rows under another name", &mut followed)?;
        }
        shapes.retain(|(source, name), _| {
            self.mirrors.find(source, name).is_some_and(|mirror| mirror.state.is_whole())
        });
        fit_all(batch, &shapes);
        Ok(followed)
    }

    /// What a batch says of tables, besides rows.
    fn notice(&self, batch: &[Placed]) -> Noticed {
        let mut noticed = Noticed::default();
        for placed in batch {
            let of = |table: &Table| (placed.source.clone(), table.name.clone());
            for change in &placed.transaction.changes {
                let tables: &[Arc<Table>] = match change {
                    Change::Row(row) => std::slice::from_ref(&row.table),
                    Change::Truncate(tables) => tables,
                    Change::Doubted(table) => {
                        noticed.doubted.insert(of(table));
                        continue;
                    }
                    Change::Replaced(table) => {
                        noticed.replaced.insert(of(table));
                        continue;
                    }
                    Change::Unread(unread) => {
                        noticed.unread.insert(of(&unread.table));
                        continue;
                    }
                };
                for table in tables {
                    let by = placed.transaction.id;
                    if self.sees_another(&mut noticed, &placed.source, table) {
                        continue;
                    }
                    self.see_shape(&mut noticed.shapes, &placed.source, table, by);
                }
            }
        }
        noticed
    }

    /// Notes what a row tells of which table it is of, besides its name. True if it is of another table than
    /// the mirror of that name.
    fn sees_another(&self, noticed: &mut Noticed, source: &str, table: &Table) -> bool {
        let mirror = self.mirrors.find(source, &table.name);
        let is_same = mirror.is_some_and(|mirror| mirror.table.id == table.id);
        let named = |name: &TableName| (source.to_owned(), name.clone());
        if !is_same {
            // A table that has another name for a while: nothing of these rows is in its mirror.
            let mut mirrors = self.mirrors.of_source(source);
            let is_it = |one: &&MirrorTable| one.table.id == table.id && *one.name() != table.name;
            noticed.renamed.extend(mirrors.find(is_it).map(|one| named(one.name())));
        }
        let Some(mirror) = mirror else { return false };
        let keeps_foreign_keys = mirror.table.cascades == table.cascades
            || difference(&table.columns, &mirror.table.columns).is_some();
        // (Of a first copy the rows of what had the name before are no concern.)
        if !is_same && mirror.state.is_whole() || is_same && !keeps_foreign_keys {
            noticed.replaced.insert(named(&table.name));
        }
        !is_same
    }

    /// Notes the columns of a row.
    fn see_shape(
        &self,
        last: &mut BTreeMap<Named, Shape>,
        source: &str,
        table: &Arc<Table>,
        by: TransactionId,
    ) {
        let key = (source.to_owned(), table.name.clone());
        let mirror = self.mirrors.find(source, &table.name);
        let is_mirrors = mirror.is_some_and(|mirror| is_as(&table.columns, &mirror.table.columns));
        let (changes, begins_as_mirror, strange) = match last.get(&key) {
            Some(before) if is_as(&before.table.columns, &table.columns) => return,
            Some(before) => (before.changes + 1, before.begins_as_mirror, before.strange.clone()),
            None => (0, is_mirrors, None),
        };
        let strange = strange.or_else(|| mirror.and_then(|mirror| strange_to(table, mirror)));
        let table = Arc::clone(table);
        last.insert(key, Shape { table, by, changes, begins_as_mirror, strange });
    }

    /// Columns changed more than once within a batch: what rows in between had, and what a column has that
    /// came back, is not told by its end.
    pub(super) fn doubt_all(
        &mut self,
        source: &str,
        name: &TableName,
        followed: &mut Followed,
    ) -> Result<()> {
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
        let Some(mirror) = self.mirrors.find(source, &table.name) else { return Ok(followed) };
        let strange = match mirror.state {
            MirrorState::Resync if has_same_key(table, mirror) => {
                let shown = self.shape(source, &table.name)?;
                if shown.map_or(Ok(true), |transaction| visibility.sees(transaction))? {
                    self.follow(source, &table.name, table, &mut followed)?;
                }
                return Ok(followed);
            }
            MirrorState::Resync => difference(&table.columns, &mirror.table.columns),
            _ => strange_to(table, mirror),
        };
        if let Some(columns) = strange.filter(|_| can_be_kept(table)) {
            self.outdate(source, &table.name, &columns, &mut followed)?;
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
        if !has_same_key(table, &mirror) || !can_be_kept(table) || table.is_keyless() {
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
pub(super) fn can_be_kept(table: &Table) -> bool {
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
pub(super) fn rewritten<'a>(new: &'a [Column], kept: &[Column]) -> Vec<&'a str> {
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

/// Fits all rows of a batch to the columns that their tables have at its end.
fn fit_all(batch: &mut [Placed], shapes: &BTreeMap<Named, Shape>) {
    for placed in batch {
        let last = |name: &TableName| {
            shapes.get(&(placed.source.clone(), name.clone())).map(|shape| &shape.table)
        };
        for change in &mut placed.transaction.changes {
            match change {
                Change::Row(row) => {
                    last(&row.table.name).into_iter().for_each(|table| fit(row, table));
                }
                Change::Truncate(tables) => {
                    for table in tables {
                        let last = last(&table.name).filter(|last| last.id == table.id);
                        *table = last.unwrap_or(table).clone();
                    }
                }
                Change::Doubted(_) | Change::Replaced(_) | Change::Unread(_) => {}
            }
        }
    }
}

/// Fits a row to other columns of its table: what they do not have is left out; what it does not have is
/// missing, and stays what the mirror has, but NULL in a row that comes: nothing is there to stay, and the
/// table is unproven anyway.
fn fit(row: &mut RowChange, table: &Arc<Table>) {
    if row.table.id != table.id || difference(&row.table.columns, &table.columns).is_none() {
        return;
    }
    let places = places_in(&row.table.columns, &table.columns);
    for image in [&mut row.old, &mut row.new].into_iter().flatten() {
        let mut cells = fitted(image, &places);
        if row.op == Op::Insert {
            cells.iter_mut().filter(|cell| cell.is_missing()).for_each(|cell| *cell = Cell::Null);
        }
        *image = cells.into();
    }
    row.table = Arc::clone(table);
}

impl Mirrors {
    /// The mirror of a table, if the log is followed for it.
    pub(super) fn find(&self, source: &str, name: &TableName) -> Option<&MirrorTable> {
        if self.is_passed_by(source, name) {
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

fn fitted(image: &impl Cells, places: &[Option<usize>]) -> Vec<Cell> {
    let cell = |place: &Option<usize>| {
        place.and_then(|place| image.cell(place)).map_or(Cell::Missing, CellRef::to_cell)
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
