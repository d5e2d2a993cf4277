//! Writing rows inside a transaction: as few statements as possible, and a refused row costs no
//! other row.
//!
//! It knows nothing of cursor and holes, and never ends the transaction.
//!
//! ```text
//! pass: upserts by entity, then deletes by entity backwards ──► refused rows
//!   ▲        (a refused batch is halved until the row is alone)      │
//!   ├── something was written: what was in the way may be gone ──────┤
//!   ├── nothing was written: rows that swap unique values let go, ───┤
//!   │   rows that refer to each other are deleted in one statement   │
//!   └── nothing helps: rows go without soft references to what is ───┘ until nothing is left to try
//!       missing, and so let others in that refer to them
//! ```

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use super::circle;
use super::connect::Address;
use super::refusal::{Verdict, verdict};
use super::table::Table;
use crate::error::{Error, ErrorKind, Result};
use crate::target::{Refusal, TargetRow};

/// Bytes of cells in one statement at most, unless one row alone has more: far below the
/// protocol's 1 GiB, and above what makes a statement's own cost matter.
const STATEMENT_BYTES_MAX: usize = 16 << 20;

/// Rows that swap unique values are freed together, less the ones that remain refused, this often
/// at most: each time frees at least one row of a chain whose end stays taken.
const UNTANGLE_ATTEMPTS_MAX: u32 = 16;

/// A table with its prepared statements.
#[derive(Debug)]
pub(super) struct OpenTable {
    /// What it is.
    pub table: Table,
    /// See [`Table::upsert`].
    pub upsert: Statement,
    /// See [`Table::delete`].
    pub delete: Statement,
}

/// A row the server refused, and its last reason.
#[derive(Debug)]
pub(super) struct Failed<'r> {
    /// The row.
    pub row: &'r TargetRow,
    /// Why.
    pub verdict: Verdict,
}

/// Writes rows in one open transaction.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    pub client: &'a Client,
    pub address: &'a Address,
    pub tables: &'a BTreeMap<String, OpenTable>,
}

impl Writer<'_> {
    /// Writes what can be written and hands back the rest. Afterwards no constraint is left to
    /// fail at the commit.
    pub(super) async fn write<'r>(&self, rows: &'r [TargetRow]) -> Result<Vec<Failed<'r>>> {
        let (rows, mut refused) = self.sound(rows)?;
        self.command("SAVEPOINT rows").await?;
        let mut failed = self.exhaust(rows.clone()).await?;
        if self.check_deferred().await?.is_some() {
            // A constraint that waits for the commit is violated, and does not say by which row:
            // the same again with every constraint checked at once.
            self.command("ROLLBACK TO SAVEPOINT rows; SET CONSTRAINTS ALL IMMEDIATE").await?;
            failed = self.exhaust(rows).await?;
        }
        refused.extend(failed);
        Ok(refused)
    }

    /// Passes and untangles until nothing helps any more.
    async fn exhaust<'r>(&self, rows: Vec<&'r TargetRow>) -> Result<Vec<Failed<'r>>> {
        let count = rows.len();
        let mut incomplete = BTreeSet::new();
        let mut failed = self.pass(&rows).await?;
        let mut has_progressed = failed.len() < count;
        loop {
            let (waiting, mut rest): (Vec<_>, Vec<_>) =
                failed.into_iter().partition(|failed| failed.verdict.may_pass_later);
            let before = waiting.len();
            if before == 0 {
                return Ok(rest);
            }
            let left = if has_progressed {
                self.pass(&rows_of(&waiting)).await?
            } else {
                self.untangle(waiting).await?
            };
            let is_stuck = left.len() == before && !has_progressed;
            has_progressed = left.len() < before;
            rest.extend(left);
            failed = rest;
            if is_stuck {
                if !self.soften(&failed, &mut incomplete).await? {
                    break;
                }
                has_progressed = true;
            }
        }
        for Failed { row, verdict } in &mut failed {
            if incomplete.contains(&key_of(row)) {
                verdict.make_incomplete();
            }
        }
        Ok(failed)
    }

    /// Writes rows that refer to missing ones without these references, as few of them as possible:
    /// one, or all that are soft. True if any was written. They stay refused, and are tried again
    /// as they are.
    async fn soften<'r>(
        &self,
        failed: &[Failed<'r>],
        incomplete: &mut BTreeSet<(&'r str, &'r str)>,
    ) -> Result<bool> {
        let is_soft = |failed: &&Failed<'r>| {
            failed.verdict.class == Refusal::Dependency
                && failed.row.cells.is_some()
                && !incomplete.contains(&key_of(failed.row))
        };
        let mut open: Vec<&'r TargetRow> =
            failed.iter().filter(is_soft).map(|failed| failed.row).collect();
        let before = incomplete.len();
        let most = open.iter().map(|row| row.soft.len()).max().unwrap_or_default();
        for attempt in 0..=most {
            let tried = |row: &TargetRow| match attempt < most {
                true => attempt < row.soft.len(),
                false => row.soft.len() > 1,
            };
            let all: Vec<usize> = (0..most).collect();
            let references = all.get(attempt..=attempt).unwrap_or(&all);
            let (now, later): (Vec<_>, Vec<_>) = open.into_iter().partition(|row| tried(row));
            let rows: Vec<TargetRow> = now.iter().map(|row| row.without(references)).collect();
            let refused = self.pass(&rows.iter().collect::<Vec<_>>()).await?;
            let refused: BTreeSet<_> = refused.iter().map(|failed| key_of(failed.row)).collect();
            let (still, written): (Vec<_>, Vec<_>) =
                now.into_iter().partition(|row| refused.contains(&key_of(row)));
            incomplete.extend(written.into_iter().map(key_of));
            open = later.into_iter().chain(still).collect();
        }
        Ok(incomplete.len() > before)
    }

    /// Upserts by entity in the order of their first rows, then deletes the other way round.
    async fn pass<'r>(&self, rows: &[&'r TargetRow]) -> Result<Vec<Failed<'r>>> {
        let mut groups: Vec<Group<'_, 'r>> = Vec::new();
        for &row in rows {
            let group = match groups.iter_mut().find(|group| group.entity == row.entity) {
                Some(group) => group,
                None => {
                    let open = self.table(&row.entity)?;
                    let new = Group { entity: &row.entity, open, upserts: vec![], deletes: vec![] };
                    groups.push(new);
                    let Some(last) = groups.last_mut() else { continue };
                    last
                }
            };
            match row.cells {
                Some(_) => group.upserts.push(row),
                None => group.deletes.push(row),
            }
        }
        let mut failed = Vec::new();
        for group in &groups {
            failed.extend(self.batch(&group.open.upsert, &group.upserts).await?);
        }
        for group in groups.iter().rev() {
            failed.extend(self.batch(&group.open.delete, &group.deletes).await?);
        }
        Ok(failed)
    }

    /// Writes rows of one table by one statement, halving what is refused.
    async fn batch<'r>(
        &self,
        statement: &Statement,
        rows: &[&'r TargetRow],
    ) -> Result<Vec<Failed<'r>>> {
        let mut failed = Vec::new();
        // A stack, so that the order of rows is kept.
        let mut open = portions(rows);
        open.reverse();
        while let Some(rows) = open.pop() {
            let Some(verdict) = self.attempt(statement, rows).await? else { continue };
            match rows {
                [row] => failed.push(Failed { row, verdict }),
                _ => {
                    let (first, second) = rows.split_at(rows.len() / 2);
                    open.push(second);
                    open.push(first);
                }
            }
        }
        Ok(failed)
    }

    /// One statement under a savepoint; what it says if it refuses a row.
    async fn attempt(&self, statement: &Statement, rows: &[&TargetRow]) -> Result<Option<Verdict>> {
        let count = statement.params().len();
        let arrays: Vec<Vec<Option<&str>>> =
            (0..count).map(|place| rows.iter().map(|row| cell(row, place)).collect()).collect();
        self.attempt_with(statement, &arrays).await
    }

    /// The same, with its parameters.
    pub(super) async fn attempt_with(
        &self,
        statement: &Statement,
        arrays: &[Vec<Option<&str>>],
    ) -> Result<Option<Verdict>> {
        let parameters: Vec<&(dyn ToSql + Sync)> =
            arrays.iter().map(|array| array as &(dyn ToSql + Sync)).collect();
        self.command("SAVEPOINT batch").await?;
        let Err(error) = self.client.execute(statement, &parameters).await else {
            self.command("RELEASE SAVEPOINT batch").await?;
            return Ok(None);
        };
        let Some(verdict) = verdict(&error) else {
            return Err(self.address.failed("could not write rows", &error));
        };
        self.command("ROLLBACK TO SAVEPOINT batch; RELEASE SAVEPOINT batch").await?;
        Ok(Some(verdict))
    }

    /// Rows may block each other in a circle: A takes B's unique value, B takes A's. They let go
    /// of it together and are written again. Whoever is refused even then goes back to what it
    /// was, and the others try without it.
    async fn untangle<'r>(&self, failed: Vec<Failed<'r>>) -> Result<Vec<Failed<'r>>> {
        let (going, failed) = circle::waiting(failed);
        let (tangled, mut left): (Vec<_>, Vec<_>) = failed
            .into_iter()
            .partition(|failed| failed.verdict.is_unique() && failed.row.cells.is_some());
        left.extend(self.delete_together(going).await?);
        let mut groups: BTreeMap<&str, Vec<Failed<'r>>> = BTreeMap::new();
        for failed in tangled {
            groups.entry(&failed.row.entity).or_default().push(failed);
        }
        for (entity, tangled) in groups {
            left.extend(self.untangle_entity(self.table(entity)?, tangled).await?);
        }
        Ok(left)
    }

    async fn untangle_entity<'r>(
        &self,
        open: &OpenTable,
        mut tangled: Vec<Failed<'r>>,
    ) -> Result<Vec<Failed<'r>>> {
        let mut left = Vec::new();
        let mut constraints = constraints_of(&tangled);
        for _ in 0..UNTANGLE_ATTEMPTS_MAX {
            // One row alone is no circle.
            if tangled.len() < 2 {
                break;
            }
            let refused = self.write_released(open, &rows_of(&tangled), &constraints).await?;
            if refused.is_empty() {
                return Ok(left);
            }
            // A row names one constraint at a time: behind the first there may be another.
            let known = constraints.len();
            constraints.extend(constraints_of(&refused));
            if constraints.len() > known {
                continue;
            }
            let is_refused =
                |failed: &Failed<'_>| refused.iter().any(|other| other.row.key == failed.row.key);
            let (out, again): (Vec<_>, Vec<_>) = tangled.into_iter().partition(is_refused);
            left.extend(out);
            tangled = again;
        }
        left.extend(tangled);
        Ok(left)
    }

    /// Has the rows let go of these constraints' values and writes them: all, or none, and then
    /// says which were refused.
    async fn write_released<'r>(
        &self,
        open: &OpenTable,
        rows: &[&'r TargetRow],
        constraints: &BTreeSet<String>,
    ) -> Result<Vec<Failed<'r>>> {
        self.command("SAVEPOINT untangle").await?;
        let mut refused = Vec::new();
        for release in constraints.iter().filter_map(|name| open.table.release(name)) {
            let release = self.client.prepare(&release).await;
            let release =
                release.map_err(|error| self.address.failed("could not free a value", &error))?;
            if let Some(verdict) = self.attempt(&release, rows).await? {
                let all = rows.iter().map(|row| Failed { row, verdict: verdict.clone() });
                refused.extend(all);
                break;
            }
        }
        if refused.is_empty() {
            refused = self.batch(&open.upsert, rows).await?;
        }
        self.command(if refused.is_empty() {
            "RELEASE SAVEPOINT untangle"
        } else {
            "ROLLBACK TO SAVEPOINT untangle; RELEASE SAVEPOINT untangle"
        })
        .await?;
        Ok(refused)
    }

    /// Parts off rows without a key: they would be inserted again each time, because NULL is
    /// equal to nothing. Rows that do not fit their table are a bug of the caller.
    fn sound<'r>(&self, rows: &'r [TargetRow]) -> Result<(Vec<&'r TargetRow>, Vec<Failed<'r>>)> {
        let (mut sound, mut refused) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in rows {
            let table = &self.table(&row.entity)?.table;
            let cells = row.cells.as_ref().map_or(table.columns.len(), Vec::len);
            if row.key_cells.len() != table.key.len() || cells != table.columns.len() {
                let what = format!("a row of entity {} does not fit {}", row.entity, table.label);
                return Err(Error::new(ErrorKind::Bug, what));
            }
            let keyless = table.key.iter().zip(&row.key_cells).find(|(_, cell)| cell.is_none());
            match keyless {
                None => sound.push(row),
                Some((column, _)) => {
                    let words = format!("key column {} of {} is null", column.name, table.label);
                    refused.push(Failed { row, verdict: Verdict::ours(words) });
                }
            }
        }
        Ok((sound, refused))
    }

    /// Has the server check now what it would check at the commit.
    async fn check_deferred(&self) -> Result<Option<Verdict>> {
        match self.client.batch_execute("SET CONSTRAINTS ALL IMMEDIATE").await {
            Ok(()) => Ok(None),
            Err(error) => match verdict(&error) {
                Some(verdict) => Ok(Some(verdict)),
                None => Err(self.address.failed("could not check constraints", &error)),
            },
        }
    }

    pub(super) fn table(&self, entity: &str) -> Result<&OpenTable> {
        self.tables.get(entity).ok_or_else(|| {
            Error::new(ErrorKind::Bug, format!("entity {entity} is not delivered to this target"))
        })
    }

    async fn command(&self, sql: &str) -> Result<()> {
        let done = self.client.batch_execute(sql).await;
        done.map_err(|error| self.address.failed("could not write rows", &error))
    }
}

/// The rows of one entity.
struct Group<'a, 'r> {
    entity: &'r str,
    open: &'a OpenTable,
    upserts: Vec<&'r TargetRow>,
    deletes: Vec<&'r TargetRow>,
}

fn key_of(row: &TargetRow) -> (&str, &str) {
    (&row.entity, &row.key)
}

fn rows_of<'r>(failed: &[Failed<'r>]) -> Vec<&'r TargetRow> {
    failed.iter().map(|failed| failed.row).collect()
}

/// The unique constraints that stood in the way.
fn constraints_of(failed: &[Failed<'_>]) -> BTreeSet<String> {
    let unique = failed.iter().filter(|failed| failed.verdict.is_unique());
    unique.filter_map(|failed| failed.verdict.constraint.clone()).collect()
}

/// The cell at a place counted over key and other columns.
pub(super) fn cell(row: &TargetRow, place: usize) -> Option<&str> {
    let others = row.cells.as_deref().unwrap_or_default();
    row.key_cells.iter().chain(others).nth(place)?.as_deref()
}

/// Cuts rows into portions of at most [`STATEMENT_BYTES_MAX`].
fn portions<'s, 'r>(rows: &'s [&'r TargetRow]) -> Vec<&'s [&'r TargetRow]> {
    let (mut portions, mut rest) = (Vec::new(), rows);
    while !rest.is_empty() {
        let mut bytes = 0;
        let over = rest.iter().position(|row| {
            bytes += bytes_of(row);
            bytes > STATEMENT_BYTES_MAX
        });
        let (portion, after) = rest.split_at(over.unwrap_or(rest.len()).max(1));
        portions.push(portion);
        rest = after;
    }
    portions
}

fn bytes_of(row: &TargetRow) -> usize {
    let others = row.cells.as_deref().unwrap_or_default();
    row.key_cells.iter().chain(others).flatten().map(String::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bytes: usize) -> TargetRow {
        TargetRow {
            entity: "worker".to_owned(),
            key: String::new(),
            key_cells: vec![Some("x".repeat(bytes)), None],
            cells: Some(vec![None]),
            sequences: vec![],
            soft: vec![],
        }
    }

    #[test]
    fn statements_stay_small_and_no_row_is_lost_between_them() {
        let (small, half, huge) =
            (row(10), row(STATEMENT_BYTES_MAX / 2), row(STATEMENT_BYTES_MAX + 1));
        let rows = [&small, &half, &half, &huge, &small, &small];
        let sizes: Vec<usize> = portions(&rows).iter().map(|portion| portion.len()).collect();
        assert_eq!(sizes, [2, 1, 1, 2]);
        assert!(portions(&[]).is_empty());
    }
}
