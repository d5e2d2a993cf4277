//! What foreign keys did to rows that a copy has read and the mirror does not have yet.
//!
//! A parent that goes between the reading of a child's chunk and its place in the journal takes
//! rows along that are in no log and in no mirror. So while a table is copied, such effects are
//! remembered, and done to the rows of each later chunk that cannot have seen them, in log order.
//! A row that the log touched after the chunk is the log's and is left alone. Parents are copied
//! before their children, so rows that refer to such a row are read later and have seen it all;
//! where that is not so, it is a gap and never a guess.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use duckdb::params;

use super::{Effect, is_same, places};
use crate::change::schema::Cascade;
use crate::change::{Cell, TableName, TransactionId, Visibility, tuple};
use crate::error::{Error, ErrorKind, Result};
use crate::store::collapse::{Key, key_of};
use crate::store::mirror::{MirrorState, MirrorTable};
use crate::store::overlay::Tracked;
use crate::store::refusal::InStore;
use crate::store::stage::{key_from_text, key_text};
use crate::store::{Store, track};

/// What a change of a parent did to all rows of a child that referred to it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store::mirror) struct Hidden {
    source: String,
    child: TableName,
    transaction: TransactionId,
    /// Places of the referring columns.
    places: Vec<usize>,
    /// What they referred by.
    values: Vec<Cell>,
    effect: Effect,
    ignores_case: bool,
}

impl Hidden {
    /// # Errors
    /// [`ErrorKind::Gap`] if rows get another key in a first copy: one that moves from a key still to come to a
    /// key already passed would be in no chunk.
    pub(super) fn new(
        child: &MirrorTable,
        cascade: &Cascade,
        transaction: TransactionId,
        values: Vec<Cell>,
        effect: Effect,
    ) -> Result<Self> {
        let places = places(&child.table, cascade.columns.iter().map(|(column, _)| column));
        let moves = child.table.key().any(|place| places.contains(&place));
        // The mirror of a resync has moved the row; what that cannot mend is seen by comparing.
        let is_first = child.state == MirrorState::Copying;
        if is_first && moves && matches!(effect, Effect::Set(_)) {
            return Err(again(child, "a foreign key changed keys of its rows while it was copied"));
        }
        let (source, child) = (child.source.clone(), child.name().clone());
        let ignores_case = cascade.ignores_case;
        Ok(Self { source, child, transaction, places, values, effect, ignores_case })
    }

    fn concerns(&self, row: &[Cell]) -> bool {
        self.places.iter().zip(&self.values).all(|(place, value)| {
            row.get(*place)
                .is_some_and(|cell| is_same(cell.as_ref(), value.as_ref(), self.ignores_case))
        })
    }
}

impl Store {
    /// Keeps what copies that are under way must know.
    pub(in crate::store::mirror) fn remember_hidden(&self, hidden: &[Hidden]) -> Result<()> {
        for one in hidden {
            let new = match &one.effect {
                Effect::Delete => None,
                Effect::Set(cells) => Some(encoded(cells)),
            };
            let places: Vec<String> = one.places.iter().map(ToString::to_string).collect();
            self.connection
                .execute(
                    "INSERT INTO ops.hidden_change
                     SELECT ?, ?, ?, coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?
                     FROM ops.hidden_change",
                    params![
                        one.source,
                        one.child.schema,
                        one.child.name,
                        one.transaction.to_string(),
                        places.join(","),
                        encoded(&one.values),
                        new,
                        one.ignores_case
                    ],
                )
                .in_store(|| what(&one.child))?;
        }
        Ok(())
    }

    /// The rows of a chunk after what was hidden from it; those that went are left out.
    pub(in crate::store::mirror) fn hidden_from_chunk(
        &self,
        mirror: &MirrorTable,
        visibility: &Visibility,
        tracked: &HashMap<Key, Tracked>,
        rows: Vec<(Key, Vec<Cell>)>,
    ) -> Result<Vec<(Key, Vec<Cell>)>> {
        let mut unseen = Vec::new();
        for one in self.hidden_changes(mirror)? {
            if !visibility.sees(one.transaction)? {
                unseen.push(one);
            }
        }
        if unseen.is_empty() {
            return Ok(rows);
        }
        let mut left = Vec::with_capacity(rows.len());
        for (key, cells) in rows {
            let is_the_logs = match tracked.get(&key) {
                Some(state) => !visibility.sees(state.transaction)?,
                None => false,
            };
            let cells = if is_the_logs { Some(cells) } else { after(cells, &unseen) };
            match cells {
                Some(cells) => left.push((key_of(&mirror.table, &cells).unwrap_or(key), cells)),
                None if mirror.state == MirrorState::Copying && self.takes_more_along(mirror) => {
                    return Err(again(mirror, "rows went with their parent while it was copied"));
                }
                None => {}
            }
        }
        Ok(left)
    }

    /// Columns stand elsewhere by now; a change of one that is gone concerns nothing any more.
    pub(in crate::store::mirror) fn move_hidden(
        &self,
        mirror: &MirrorTable,
        places: &[Option<usize>],
    ) -> Result<()> {
        let name = mirror.name();
        let of = params![mirror.source, name.schema, name.name];
        let of_table = "source = ? AND table_schema = ? AND table_name = ?";
        let moved = track::moved("places", places);
        let count = |text: &str| format!("len(string_split({text}, ','))");
        let is_whole = format!("{} = {} AND {moved} != ''", count(&moved), count("places"));
        for sql in [
            format!("DELETE FROM ops.hidden_change WHERE {of_table} AND NOT ({is_whole})"),
            format!("UPDATE ops.hidden_change SET places = {moved} WHERE {of_table}"),
        ] {
            self.connection.execute(&sql, of).in_store(|| what(name))?;
        }
        Ok(())
    }

    /// The copy is over, or begins anew.
    pub(in crate::store::mirror) fn forget_hidden(&self, mirror: &MirrorTable) -> Result<()> {
        let name = mirror.name();
        self.connection
            .execute(
                "DELETE FROM ops.hidden_change
                 WHERE source = ? AND table_schema = ? AND table_name = ?",
                params![mirror.source, name.schema, name.name],
            )
            .map(drop)
            .in_store(|| what(name))
    }

    /// True if a row that goes takes rows along that may have been copied before.
    fn takes_more_along(&self, mirror: &MirrorTable) -> bool {
        self.mirrors.of_source(&mirror.source).any(|child| {
            let begun = child.state.is_whole() || child.name() == mirror.name();
            let acts = |rule: &str| rule == "CASCADE" || rule == "SET NULL";
            let mut cascades = child.table.cascades.iter();
            begun && cascades.any(|one| one.parent == *mirror.name() && acts(&one.on_delete))
        })
    }

    fn hidden_changes(&self, mirror: &MirrorTable) -> Result<Vec<Hidden>> {
        let name = mirror.name();
        let damaged = || {
            Error::new(ErrorKind::Store, format!("what was hidden from {name} is damaged"))
                .hint("copy the table again")
        };
        let mut statement = self
            .connection
            .prepare(
                "SELECT transaction, places, referred, became, ignores_case FROM ops.hidden_change
                 WHERE source = ? AND table_schema = ? AND table_name = ? ORDER BY number",
            )
            .in_store(|| what(name))?;
        type Stored = (String, String, String, Option<String>, bool);
        let read = |row: &duckdb::Row<'_>| -> duckdb::Result<Stored> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        };
        let stored: Vec<Stored> = statement
            .query_map(params![mirror.source, name.schema, name.name], read)
            .and_then(Iterator::collect)
            .in_store(|| what(name))?;
        let mut hidden = Vec::with_capacity(stored.len());
        for (transaction, places, values, new, ignores_case) in stored {
            let places: std::result::Result<Vec<usize>, _> =
                places.split(',').map(str::parse).collect();
            let effect = match new {
                None => Effect::Delete,
                Some(cells) => Effect::Set(decoded(&cells).ok_or_else(damaged)?),
            };
            hidden.push(Hidden {
                source: mirror.source.clone(),
                child: name.clone(),
                transaction: transaction.parse()?,
                places: places.map_err(|_| damaged())?,
                values: decoded(&values).ok_or_else(damaged)?,
                effect,
                ignores_case,
            });
        }
        Ok(hidden)
    }
}

/// A row after these effects; `None` if it went.
fn after(mut row: Vec<Cell>, unseen: &[Hidden]) -> Option<Vec<Cell>> {
    for one in unseen {
        if !one.concerns(&row) {
            continue;
        }
        let Effect::Set(values) = &one.effect else { return None };
        for (place, value) in one.places.iter().zip(values) {
            if let Some(cell) = row.get_mut(*place) {
                *cell = value.clone();
            }
        }
    }
    Some(row)
}

fn again(mirror: &MirrorTable, why: &str) -> Error {
    Error::new(ErrorKind::Gap, format!("{} of {}: {why}", mirror.name(), mirror.source)).hint(
        "copy the source again when fewer parents are deleted or renamed: stop the daemon, move \
         the state folder aside and start it",
    )
}

fn encoded(cells: &[Cell]) -> String {
    let mut bytes = BytesMut::new();
    tuple::write_row(&mut bytes, cells);
    key_text(&bytes.freeze())
}

fn decoded(text: &str) -> Option<Vec<Cell>> {
    let mut bytes: Bytes = key_from_text(text)?;
    tuple::read_row(&mut bytes)
}

fn what(child: &TableName) -> String {
    format!("could not keep what foreign keys did to {child}")
}
