//! What foreign keys did to rows without a key: those that refer to a row are found by what they hold, and all
//! equals of one suffer the same.
//!
//! A sweep takes each content to another one, or to none, whatever count it has. So it commutes with counting:
//! equals that the mirror owes (they went before their part of a copy came) are swept like those it has, and so
//! are the rows of parts that come later ([`Swept::done_to`]), in the order of the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Derivation, Effect, is_same, places, refers};
use crate::change::keyless::{content_of, fill_up, hash_of};
use crate::change::schema::Cascade;
use crate::change::{Cell, Change, Op, RowChange, Table, Transaction, Visibility, tuple};
use crate::error::Result;
use crate::store::collapse::{Collapsed, Moved, Step, Swept};
use crate::store::mirror::spelling::canonical;
use crate::store::mirror::{MirrorState, MirrorTable, PerTable, sql};
use crate::store::refusal::InStore;
use crate::store::{Store, contents};

/// Equal rows that are swept.
#[derive(Debug)]
struct Standing {
    cells: Vec<Cell>,
    /// Fewer than none are owed.
    count: i64,
}

/// By the hash of what they hold.
type Found = BTreeMap<String, Standing>;

/// What a change of a parent did to a child.
pub(super) fn swept(
    child: &MirrorTable,
    cascade: &Cascade,
    transaction: &Transaction,
    (values, effect): (Vec<Cell>, Effect),
) -> Swept {
    Swept {
        places: places(&child.table, cascade.columns.iter().map(|(column, _)| column)),
        values,
        ignores_case: cascade.ignores_case,
        became: match effect {
            Effect::Delete => None,
            Effect::Set(cells) => Some(cells),
        },
        transaction: transaction.id,
        time_micros: transaction.committed_at_micros,
    }
}

impl Swept {
    /// Whether a row referred so.
    pub(in crate::store::mirror) fn concerns(&self, cells: &[Cell]) -> bool {
        self.places.iter().zip(&self.values).all(|(place, value)| {
            cells
                .get(*place)
                .is_some_and(|cell| is_same(cell.as_ref(), value.as_ref(), self.ignores_case))
        })
    }

    /// A row that referred so, afterwards; `None` if it went.
    pub(in crate::store::mirror) fn done_to(&self, mut cells: Vec<Cell>) -> Option<Vec<Cell>> {
        for (place, value) in self.places.iter().zip(self.became.as_ref()?) {
            if let Some(cell) = cells.get_mut(*place) {
                *cell = value.clone();
            }
        }
        Some(cells)
    }
}

impl Store {
    /// Does to the rows that refer to a changed one what their foreign key did.
    pub(super) fn sweep(
        &self,
        source: &str,
        transaction: &Transaction,
        (child, cascade): (&MirrorTable, &Cascade),
        swept: Swept,
        derivation: &mut Derivation<'_>,
    ) -> Result<()> {
        let is_copied = child.state == MirrorState::Copying;
        let shown = match is_copied {
            true => contents::scan(&self.connection, child)?.map(|scan| scan.visibility),
            false => None,
        };
        // Of a copy that has shown nothing there are no rows; and a reading that has seen it shows what came
        // of it.
        let is_due = match &shown {
            Some(visibility) => !visibility.sees(transaction.id)?,
            None => !is_copied,
        };
        let mut steps = Vec::new();
        if is_due {
            let per_table: &PerTable = derivation.per_table;
            let found = self.standing(child, cascade, &swept, (shown.as_ref(), per_table))?;
            let mut caused = Vec::new();
            for (hash, standing) in found {
                moved(&child.table, &swept, hash, standing, (&mut steps, &mut caused));
            }
            for row in caused {
                derivation.all.push(Change::Row(row.clone()));
                self.derive(source, transaction, &row, derivation)?;
            }
        }
        if is_copied {
            steps.push(Step::Swept(swept));
        }
        if !steps.is_empty() {
            let name = (source.to_owned(), child.name().clone());
            let collapsed = derivation.per_table.entry(name);
            let new = || Collapsed::new(Arc::new(child.table.clone()));
            collapsed.or_insert_with(new).contents.append(&mut steps);
        }
        Ok(())
    }

    /// The rows that refer so: those of the mirror, less those that it owes, and what the batch did. `shown`:
    /// what a reading of the table has seen, which does not count once more.
    fn standing(
        &self,
        child: &MirrorTable,
        cascade: &Cascade,
        swept: &Swept,
        (shown, per_table): (Option<&Visibility>, &PerTable),
    ) -> Result<Found> {
        let is_shown = |id| shown.map_or(Ok(false), |shown| shown.sees(id));
        let collapsed = per_table.get(&(child.source.clone(), child.name().clone()));
        let emptied = collapsed.and_then(|collapsed| collapsed.truncated);
        let is_emptied = match emptied {
            Some((transaction, _)) => !is_shown(transaction)?,
            None => false,
        };
        let mut found = Found::new();
        if !is_emptied {
            found = self.mirrored_contents(child, cascade, &swept.values)?;
            if shown.is_some() {
                for (hash, content, count) in contents::owed(&self.connection, child)? {
                    add(&mut found, &child.table, swept, (hash, &content, -count));
                }
            }
        }
        for step in collapsed.iter().flat_map(|collapsed| &collapsed.contents) {
            let Step::Moved(one) = step else { continue };
            if is_shown(one.transaction)? {
                continue;
            }
            let hash = one.hash.clone().unwrap_or_default();
            add(&mut found, &child.table, swept, (hash, &one.content, one.more));
        }
        found.retain(|_, standing| standing.count != 0);
        Ok(found)
    }

    /// The same of the mirror alone, as it was before the batch.
    fn mirrored_contents(
        &self,
        child: &MirrorTable,
        cascade: &Cascade,
        values: &[Cell],
    ) -> Result<Found> {
        let what = || format!("could not find what refers from {} to a row", child.name());
        let Some(refers) = refers(&child.table, cascade, values) else { return Ok(Found::new()) };
        let columns = child.table.columns.iter().take(child.table.sent_count());
        let texts: Vec<String> = columns.map(canonical).collect();
        let sql = format!(
            "SELECT _row::VARCHAR, count(*), {} FROM {} WHERE {refers} GROUP BY ALL",
            texts.join(", "),
            sql::mirror_name(child)
        );
        let mut statement = self.connection.prepare(&sql).in_store(what)?;
        let rows = statement.query_map([], |row| {
            let cell = |place| row.get::<_, Option<String>>(place + 2);
            let cells: duckdb::Result<Vec<_>> = (0..texts.len()).map(cell).collect();
            Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, cells?))
        });
        let mut found = Found::new();
        for row in rows.in_store(what)? {
            let (hash, count, cells) = row.in_store(what)?;
            let cell = |text: Option<String>| text.map_or(Cell::Null, |text| Cell::text(&text));
            let mut cells: Vec<Cell> = cells.into_iter().map(cell).collect();
            fill_up(&child.table, &mut cells);
            found.insert(hash, Standing { cells, count });
        }
        Ok(found)
    }
}

/// Counts rows among those that are found, if they refer so. Without a hash: it is that of the content.
fn add(
    found: &mut Found,
    table: &Table,
    swept: &Swept,
    (mut hash, content, more): (String, &crate::change::keyless::Content, i64),
) {
    let Some(mut cells) = tuple::read_row(&mut content.clone()) else { return };
    if !swept.concerns(&cells) {
        return;
    }
    if hash.is_empty() {
        hash = hash_of(content);
    }
    fill_up(table, &mut cells);
    found.entry(hash).or_insert(Standing { cells, count: 0 }).count += more;
}

/// What becomes of equal rows, as steps and as changes of rows.
fn moved(
    table: &Table,
    swept: &Swept,
    hash: String,
    Standing { cells, count }: Standing,
    (steps, caused): (&mut Vec<Step>, &mut Vec<RowChange>),
) {
    let Some(content) = content_of(table, &cells) else { return steps.push(Step::Lost) };
    let new = swept.done_to(cells.clone());
    let moved = |content, more, hash| {
        let Swept { transaction, time_micros, .. } = *swept;
        Step::Moved(Moved { content, more, transaction, time_micros, derived: true, hash })
    };
    let becomes = new.as_ref().map(|new| content_of(table, new));
    match becomes {
        None => {}
        // The texts that stay must be those that the log would have.
        Some(Some(becomes)) if hash_of(&content) == hash => steps.push(moved(becomes, count, None)),
        Some(_) => return steps.push(Step::Lost),
    }
    steps.push(moved(content, -count, Some(hash)));
    let op = if new.is_some() { Op::Update } else { Op::Delete };
    let table = Arc::new(table.clone());
    let (old, new) = (Some(cells.into()), new.map(Into::into));
    let row = RowChange { table, op, old, new, cascades: true };
    caused.extend((0..count).map(|_| row.clone()));
}
