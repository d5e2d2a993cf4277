//! Copies a mirrored table once more, because an operator asks for it.

use std::time::Duration;

use super::operator::Daemon;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::copies::CopyState;
use crate::serve::http::{ResyncRequest, ResyncResult};
use crate::status::ResyncStatus;
use crate::store::mirror::resync;

/// Longest wait for the session with the source to begin anew.
const BEGIN_SECS_MAX: u64 = 60;

impl Daemon {
    /// Begins a resync, and answers when it has begun.
    pub(super) async fn resync(&self, request: ResyncRequest) -> Result<ResyncResult> {
        let ResyncRequest { source, table, dry_run } = request;
        let Some(capture) = self.captures.get(&source) else {
            let names: Vec<&str> = self.captures.keys().map(String::as_str).collect();
            return Err(Error::new(ErrorKind::Usage, format!("there is no source {source}"))
                .hint(format!("there are {}", names.join(", "))));
        };
        let reader = self.conform.reader().ok_or_else(|| {
            Error::new(ErrorKind::Unreachable, "the store is not open yet").hint("try again")
        })?;
        let name = tokio::task::block_in_place(|| resync::find(&reader, &source, &table))?;
        drop(reader);
        let result = ResyncResult { table: name.to_string() };
        if dry_run || self.is_copied_again(&source, &result.table)? {
            return Ok(result);
        }
        let mut asked = capture.ask_resync(&result.table);
        let has_begun = asked.wait_for(|asked| !asked.contains(&result.table));
        let waited = tokio::time::timeout(Duration::from_secs(BEGIN_SECS_MAX), has_begun).await;
        let in_time = waited.is_ok();
        if !in_time && capture.withdraw_resync(&result.table) {
            let what = format!("the log of source {source} could not be followed anew");
            return Err(Error::new(ErrorKind::Unreachable, what)
                .hint("see `trueup status` for the source; nothing was begun"));
        }
        Ok(result)
    }

    fn is_copied_again(&self, source: &str, table: &str) -> Result<bool> {
        let copies = tokio::task::block_in_place(|| self.journal.copies(source))?;
        Ok(copies.iter().any(|copy| copy.table == table && copy.state != CopyState::Done))
    }

    /// The resyncs of a source: those whose chunks are still read, and those that the store has
    /// begun and not ended.
    pub(super) fn resyncs(&self, source: &str) -> Vec<ResyncStatus> {
        let reader = self.conform.reader();
        let known = reader.map(|reader| resync::under_way(&reader).unwrap_or_default());
        let of_store = known.unwrap_or_default().into_iter().filter(|one| one.source == source);
        let mut all: Vec<ResyncStatus> = of_store
            .map(|one| ResyncStatus {
                table: one.table,
                rows_read: one.rows_read,
                rows_mended: one.rows_mended,
            })
            .collect();
        for copy in self.journal.copies(source).unwrap_or_default() {
            let is_new = all.iter().all(|one| one.table != copy.table);
            if copy.resync && copy.state != CopyState::Done && is_new {
                all.push(ResyncStatus { table: copy.table, ..ResyncStatus::default() });
            }
        }
        all
    }
}
