//! Changes that a log hides: what foreign keys did to the rows that refer to a changed row.
//!
//! Derived per change in log order, before anything is collapsed: what a key refers to is judged
//! on the mirror plus all earlier changes of the batch. (Collapsing first would see "deleted and
//! inserted again" as "still there" and keep the children.) Several levels; a source that logs
//! its cascades itself has no [`Cascade`]s and costs nothing here.
//!
//! Rows of a child that is still being copied may be in no mirror yet: see `copying`. Rows of a child without a
//! key are found and changed by what they hold: see `sweeping`.

pub(super) mod copying;
mod sweeping;

use std::collections::{BTreeMap, BTreeSet};

use self::copying::Hidden;
use super::spelling::canonical;
use super::{MirrorTable, PerTable, sql};
use crate::change::schema::Cascade;
use crate::change::{Cell, CellRef, Cells, Change, Kind, Op, Row, RowChange, Table, Transaction};
use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;
use crate::store::collapse::{Key, key_of};
use crate::store::refusal::InStore;
use crate::store::types::{literal, quoted, tried};

/// What happens to a row that refers to a changed one.
#[derive(Debug, Clone, PartialEq)]
enum Effect {
    /// It goes too.
    Delete,
    /// Its referring columns become these.
    Set(Vec<Cell>),
}

/// What a derivation adds to.
struct Derivation<'a> {
    per_table: &'a mut PerTable,
    /// What copies that are under way must know.
    hidden: &'a mut Vec<Hidden>,
    /// The derived changes, in order.
    all: &'a mut Vec<Change>,
}

impl Store {
    /// Collapses the changes of a transaction, each with those that it caused. Returns all of
    /// them in order if some were derived.
    pub(super) fn collapse_with_cascades(
        &self,
        source: &str,
        transaction: &Transaction,
        per_table: &mut PerTable,
        hidden: &mut Vec<Hidden>,
    ) -> Result<Option<Vec<Change>>> {
        let mut all: Option<Vec<Change>> = None;
        for (index, change) in transaction.changes.iter().enumerate() {
            self.collapse(source, transaction, (change, false), per_table)?;
            let mut derived = Vec::new();
            if let Change::Row(row) = change
                && row.cascades
            {
                let mut derivation = Derivation { per_table, hidden, all: &mut derived };
                self.derive(source, transaction, row, &mut derivation)?;
            }
            if let Some(all) = &mut all {
                all.push(change.clone());
                all.append(&mut derived);
            } else if !derived.is_empty() {
                let mut begun: Vec<Change> =
                    transaction.changes.iter().take(index + 1).cloned().collect();
                begun.append(&mut derived);
                all = Some(begun);
            }
        }
        Ok(all)
    }

    fn derive(
        &self,
        source: &str,
        transaction: &Transaction,
        parent: &RowChange,
        derivation: &mut Derivation<'_>,
    ) -> Result<()> {
        for child in self.mirrors.of_source(source) {
            if self.mirrors.is_passed_by(source, child.name()) {
                continue;
            }
            let cascades = child.table.cascades.iter();
            for cascade in cascades.filter(|cascade| cascade.parent == parent.table.name) {
                let Some((values, effect)) = effect(parent, cascade)? else { continue };
                if child.table.is_keyless() {
                    let swept = sweeping::swept(child, cascade, transaction, (values, effect));
                    self.sweep(source, transaction, (child, cascade), swept, derivation)?;
                    continue;
                }
                for row in self.referring(child, cascade, &values, derivation.per_table)? {
                    let derived = derived(child, cascade, row, &effect);
                    let change = Change::Row(derived.clone());
                    self.collapse(source, transaction, (&change, true), derivation.per_table)?;
                    derivation.all.push(change);
                    self.derive(source, transaction, &derived, derivation)?;
                }
                if child.state.is_tracked() {
                    derivation.hidden.push(Hidden::new(
                        child,
                        cascade,
                        transaction.id,
                        values,
                        effect,
                    )?);
                }
            }
        }
        Ok(())
    }

    /// Rows of `child` that refer to `values` now, in key order. Their key, the referring cells
    /// and what other tables refer to are known; other cells may be missing.
    fn referring(
        &self,
        child: &MirrorTable,
        cascade: &Cascade,
        values: &[Cell],
        per_table: &PerTable,
    ) -> Result<Vec<Vec<Cell>>> {
        let mirrored = self.mirrored(child, cascade, values)?;
        let collapsed = per_table.get(&(child.source.clone(), child.name().clone()));
        let mut found: BTreeMap<Key, Vec<Cell>> = BTreeMap::new();
        for (key, cells) in &mirrored {
            let known = collapsed.is_some_and(|collapsed| {
                collapsed.truncated.is_some() || collapsed.rows.contains_key(key)
            });
            if !known {
                found.insert(key.clone(), cells.clone());
            }
        }
        let places = places(&child.table, cascade.columns.iter().map(|(column, _)| column));
        for (key, state) in collapsed.iter().flat_map(|collapsed| &collapsed.rows) {
            let Some(cells) = &state.cells else { continue };
            let base = state.base.as_ref().and_then(|base| mirrored.get(base));
            let refers = places.iter().zip(values).all(|(place, value)| {
                match cells.cell(*place) {
                    // Carried by no change: as in the row before the batch.
                    Some(CellRef::Missing) => base.is_some(),
                    Some(cell) => is_same(cell, value.as_ref(), cascade.ignores_case),
                    None => false,
                }
            });
            if refers {
                found.insert(key.clone(), cells.to_cells());
            }
        }
        Ok(found.into_values().collect())
    }

    /// The same on the mirror alone, as it was before the batch.
    fn mirrored(
        &self,
        child: &MirrorTable,
        cascade: &Cascade,
        values: &[Cell],
    ) -> Result<BTreeMap<Key, Vec<Cell>>> {
        let what = || format!("could not find what refers from {} to a row", child.name());
        let columns = &child.table.columns;
        let wanted = self.wanted(child);
        let Some(refers) = refers(&child.table, cascade, values) else {
            return Ok(BTreeMap::new());
        };
        let texts = wanted.iter().filter_map(|place| columns.get(*place));
        let texts: Vec<String> = texts.map(canonical).collect();
        let select =
            format!("SELECT {} FROM {} WHERE {refers}", texts.join(", "), sql::mirror_name(child),);
        let mut statement = self.connection.prepare(&select).in_store(what)?;
        let read = |row: &duckdb::Row<'_>| -> duckdb::Result<Vec<Option<String>>> {
            (0..wanted.len()).map(|at| row.get(at)).collect()
        };
        let rows = statement.query_map([], read).in_store(what)?;
        let mut found = BTreeMap::new();
        for row in rows {
            let mut cells = vec![Cell::Missing; columns.len()];
            for (place, text) in wanted.iter().zip(row.in_store(what)?) {
                if let Some(cell) = cells.get_mut(*place) {
                    *cell = text.map_or(Cell::Null, |text| Cell::text(&text));
                }
            }
            if let Some(key) = key_of(&child.table, &cells) {
                found.insert(key, cells);
            }
        }
        Ok(found)
    }

    /// Places of the columns that a derivation needs of `table`.
    fn wanted(&self, table: &MirrorTable) -> BTreeSet<usize> {
        let own = table.table.cascades.iter().flat_map(|one| &one.columns).map(|(own, _)| own);
        let mut wanted: BTreeSet<usize> = table.table.key().collect();
        wanted.extend(places(&table.table, own));
        for other in self.mirrors.of_source(&table.source) {
            for cascade in other.table.cascades.iter().filter(|one| one.parent == *table.name()) {
                let referred = cascade.columns.iter().map(|(_, parent)| parent);
                wanted.extend(places(&table.table, referred));
            }
        }
        wanted
    }
}

/// SQL that is true of the rows of a child's mirror that refer by these values; `None`: none does.
fn refers(child: &Table, cascade: &Cascade, values: &[Cell]) -> Option<String> {
    let mut conditions = Vec::new();
    for ((name, _), value) in cascade.columns.iter().zip(values) {
        let column = child.columns.iter().find(|column| column.name == *name)?;
        // A value that the child cannot have is not there.
        let text = literal(&String::from_utf8_lossy(value.bytes()?));
        let (own, value) = (quoted(name), tried(column.kind, &text));
        conditions.push(match (column.kind, cascade.ignores_case) {
            (Kind::Text, true) => {
                format!("lower(rtrim({own}, ' ')) = lower(rtrim({value}, ' '))")
            }
            (Kind::Text, false) => format!("rtrim({own}, ' ') = rtrim({value}, ' ')"),
            _ => format!("{own} = {value}"),
        });
    }
    Some(conditions.join(" AND "))
}

/// What a change of a parent does to the rows that refer to it, and the values they refer by;
/// `None` if nothing.
fn effect(parent: &RowChange, cascade: &Cascade) -> Result<Option<(Vec<Cell>, Effect)>> {
    let rule = match parent.op {
        Op::Insert => return Ok(None),
        Op::Delete => cascade.on_delete.as_str(),
        Op::Update => cascade.on_update.as_str(),
    };
    if rule != "CASCADE" && rule != "SET NULL" {
        return Ok(None);
    }
    let places = places(&parent.table, cascade.columns.iter().map(|(_, column)| column));
    let cells = |image: &Option<Row>| -> Option<Vec<Cell>> {
        let image = image.as_ref()?;
        places.iter().map(|place| image.cell(*place).map(CellRef::to_cell)).collect()
    };
    // An update that tells nothing of the row before left it as it was.
    let Some(old) = cells(&parent.old) else { return Ok(None) };
    let new = cells(&parent.new);
    if new.as_ref() == Some(&old) || old.contains(&Cell::Null) {
        return Ok(None);
    }
    if old.len() != cascade.columns.len() || old.contains(&Cell::Missing) {
        return Err(Error::new(
            ErrorKind::Gap,
            format!("a change of {} does not tell what referred to its row", parent.table.name),
        )
        .hint("set binlog_row_image = FULL in the source, then copy the referring tables again"));
    }
    let effect = match (rule, new) {
        ("CASCADE", None) => Effect::Delete,
        ("CASCADE", Some(new)) => Effect::Set(new),
        _ => Effect::Set(vec![Cell::Null; old.len()]),
    };
    Ok(Some((old, effect)))
}

/// True if a foreign key takes the two for the same: spaces at the end never count, and case does
/// not where the column's collation says so.
fn is_same(cell: CellRef<'_>, value: CellRef<'_>, ignores_case: bool) -> bool {
    let text = |cell: CellRef<'_>| -> Option<String> {
        Some(std::str::from_utf8(cell.bytes()?).ok()?.trim_end_matches(' ').to_owned())
    };
    match (text(cell), text(value)) {
        (Some(a), Some(b)) if ignores_case => a.to_lowercase() == b.to_lowercase(),
        (Some(a), Some(b)) => a == b,
        _ => cell == value,
    }
}

fn derived(child: &MirrorTable, cascade: &Cascade, row: Vec<Cell>, effect: &Effect) -> RowChange {
    let table = std::sync::Arc::new(child.table.clone());
    let Effect::Set(values) = effect else {
        let old = Some(row.into());
        return RowChange { table, op: Op::Delete, old, new: None, cascades: true };
    };
    let mut new = row.clone();
    let places = places(&child.table, cascade.columns.iter().map(|(column, _)| column));
    for (place, value) in places.into_iter().zip(values) {
        if let Some(cell) = new.get_mut(place) {
            *cell = value.clone();
        }
    }
    let (old, new) = (Some(row.into()), Some(new.into()));
    RowChange { table, op: Op::Update, old, new, cascades: true }
}

/// Where these columns are, in this order; columns that are not there are left out.
fn places<'a>(table: &Table, names: impl Iterator<Item = &'a String>) -> Vec<usize> {
    names.filter_map(|name| table.columns.iter().position(|c| c.name == *name)).collect()
}

#[cfg(test)]
mod tests;
