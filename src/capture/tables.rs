//! The tables of a source while it is followed: as they were seen last, and whether others came.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Capture, on_disk};
use crate::change::{Table, TableName};
use crate::error::{Error, Result};
use crate::ledger::copies::CopyState;
use crate::source::Identity;

/// The tables of a source as they were seen last.
#[derive(Debug)]
pub(super) struct Seen(Vec<Arc<Table>>);

impl Seen {
    pub(super) fn read(capture: &Capture) -> Result<Self> {
        let tables = capture.journal.tables(&capture.name)?;
        Ok(Self(tables.into_iter().map(Arc::new).collect()))
    }

    /// A table as it was seen last, perhaps under another name.
    pub(super) fn table(&self, now: &Table) -> Option<&Table> {
        let newest = |is: &dyn Fn(&Table) -> bool| self.0.iter().rev().find(|one| is(one));
        let found = newest(&|one| one.id == now.id).or_else(|| newest(&|one| one.name == now.name));
        found.map(Arc::as_ref)
    }

    pub(super) fn note(&mut self, now: Arc<Table>) {
        self.0.retain(|one| one.id != now.id);
        self.0.push(now);
    }

    /// Whether the configuration chooses other columns or rows of the table than it did.
    pub(super) fn is_chosen_anew(&self, now: &Table) -> bool {
        let has = |table: &Table, name: &str| table.columns.iter().any(|one| one.name == name);
        match self.table(now) {
            None => !now.left_out.is_empty() || now.rows.is_some(),
            Some(before) => {
                now.rows != before.rows
                    || now.left_out.iter().any(|one| has(before, &one.name))
                    || before.left_out.iter().any(|one| has(now, &one.name))
            }
        }
    }
}

/// Ends when other tables are chosen than at the session's beginning, or other ones under their names.
pub(super) async fn moved(capture: &Capture, before: &BTreeMap<TableName, Identity>) {
    let pause = match capture.limits.tables_every_secs {
        0 => return std::future::pending().await,
        secs => Duration::from_secs(secs),
    };
    loop {
        tokio::time::sleep(pause).await;
        match capture.source.chosen().await {
            Ok(now) if now != *before => match others(capture, before, &now) {
                Ok((came, gone)) if came.is_empty() && gone.is_empty() => {}
                Ok((came, gone)) => {
                    tracing::info!(source = %capture.name, ?came, ?gone, "tables came or went");
                    return;
                }
                Err(error) => unseen(capture, &error),
            },
            Ok(_) => {}
            // Whoever follows the log says so when the source is away.
            Err(error) => unseen(capture, &error),
        }
    }
}

fn unseen(capture: &Capture, error: &Error) {
    let error = error.chain();
    tracing::debug!(source = %capture.name, error, "could not look which tables there are");
}

/// The tables that are others than they were, and those that are gone. Parts that come or go under a copy are
/// no matter before it is done.
fn others(
    capture: &Capture,
    before: &BTreeMap<TableName, Identity>,
    now: &BTreeMap<TableName, Identity>,
) -> Result<(Vec<String>, Vec<String>)> {
    let copies = on_disk(|| capture.journal.copies(&capture.name))?;
    let is_copied = |name: &TableName| {
        let name = name.to_string();
        copies.iter().any(|copy| copy.table == name && copy.state != CopyState::Done)
    };
    let differs = |(name, is): &(&TableName, &Identity)| match before.get(*name) {
        Some(was) if was.table == is.table => was.parts != is.parts && !is_copied(name),
        _ => true,
    };
    let came = now.iter().filter(differs).map(|(name, _)| name.to_string()).collect();
    let is_gone = |name: &&TableName| !now.contains_key(*name);
    let gone = before.keys().filter(is_gone).map(ToString::to_string).collect();
    Ok((came, gone))
}
