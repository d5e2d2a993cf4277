//! The tables of a source while it is followed: as they were seen last, and whether others came.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Capture;
use crate::change::{Table, TableName};
use crate::error::Result;
use crate::source::{Identity, Prepared};

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

    /// The tables of which the configuration chooses other columns than it did.
    pub(super) fn chosen_anew<'a>(
        &self,
        prepared: &'a Prepared,
    ) -> impl Iterator<Item = &'a Arc<Table>> {
        let has = |table: &Table, name: &str| table.columns.iter().any(|one| one.name == name);
        prepared.tables.iter().filter(move |now| match self.table(now) {
            None => !now.left_out.is_empty(),
            Some(before) => {
                now.left_out.iter().any(|one| has(before, &one.name))
                    || before.left_out.iter().any(|one| has(now, &one.name))
            }
        })
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
            Ok(now) if now != *before => {
                let differs = |(name, is): &(&TableName, &Identity)| before.get(*name) != Some(*is);
                let came: Vec<String> =
                    now.iter().filter(differs).map(|(name, _)| name.to_string()).collect();
                let gone: Vec<String> = before
                    .keys()
                    .filter(|name| !now.contains_key(*name))
                    .map(ToString::to_string)
                    .collect();
                tracing::info!(source = %capture.name, ?came, ?gone, "tables came or went");
                return;
            }
            Ok(_) => {}
            // Whoever follows the log says so when the source is away.
            Err(error) => {
                let error = error.chain();
                tracing::debug!(source = %capture.name, error, "could not look which tables there are");
            }
        }
    }
}
