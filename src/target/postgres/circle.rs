//! Deletes that wait for each other: two rows of different tables that refer to one another, as a
//! unit and its head, can only go in one statement.
//!
//! Foreign keys are checked when a statement ends, all of them (also those that RESTRICT): so one
//! statement that deletes from several tables needs to know nothing of the columns that refer.

use std::collections::BTreeMap;

use super::write::{Failed, Writer, cell};
use crate::error::Result;
use crate::target::{Refusal, TargetRow};

/// With more rows than this only all of them together are tried, not each pair as well.
const PAIRS_ROWS_MAX: usize = 16;

/// Parts off the deletes that something refers to.
pub(super) fn waiting<'r>(failed: Vec<Failed<'r>>) -> (Vec<Failed<'r>>, Vec<Failed<'r>>) {
    failed.into_iter().partition(|failed| {
        failed.verdict.class == Refusal::Dependency && failed.row.cells.is_none()
    })
}

impl Writer<'_> {
    /// Deletes rows of several tables in one statement: all of them, or else those that go in
    /// pairs. Hands back the others.
    pub(super) async fn delete_together<'r>(
        &self,
        mut failed: Vec<Failed<'r>>,
    ) -> Result<Vec<Failed<'r>>> {
        let all: Vec<&TargetRow> = failed.iter().map(|failed| failed.row).collect();
        if self.delete_all(&all).await? {
            return Ok(Vec::new());
        }
        if failed.len() > PAIRS_ROWS_MAX {
            return Ok(failed);
        }
        let mut place = 0;
        while let Some(one) = failed.get(place).map(|failed| failed.row) {
            let mut partner = None;
            for (other, candidate) in failed.iter().enumerate().skip(place + 1) {
                if self.delete_all(&[one, candidate.row]).await? {
                    partner = Some(other);
                    break;
                }
            }
            match partner {
                // The later one first, so that the other's place stays.
                Some(other) => {
                    failed.remove(other);
                    failed.remove(place);
                }
                None => place += 1,
            }
        }
        Ok(failed)
    }

    /// True if all are gone. False if nothing is: somebody else refers to one of them, or they are
    /// of one table, and were tried in one statement before.
    async fn delete_all(&self, rows: &[&TargetRow]) -> Result<bool> {
        let mut tables: BTreeMap<&str, Vec<&TargetRow>> = BTreeMap::new();
        for row in rows {
            tables.entry(&row.entity).or_default().push(row);
        }
        if tables.len() < 2 {
            return Ok(false);
        }
        let mut deletes = Vec::new();
        let mut arrays: Vec<Vec<Option<&str>>> = Vec::new();
        for (entity, rows) in &tables {
            let table = &self.table(entity)?.table;
            let delete = table.delete_after(arrays.len());
            deletes.push(format!("gone{} AS ({delete})", deletes.len()));
            let keys = 0..table.key.len();
            arrays.extend(keys.map(|place| rows.iter().map(|row| cell(row, place)).collect()));
        }
        let sql = format!("WITH {} SELECT 1", deletes.join(", "));
        let prepared = self.client.prepare(&sql).await;
        let statement =
            prepared.map_err(|error| self.address.failed("could not plan a delete", &error))?;
        Ok(self.attempt_with(&statement, &arrays).await?.is_none())
    }
}
