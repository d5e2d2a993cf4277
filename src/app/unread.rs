//! What could not be read of the sources' logs, as the ledger has it, and what this version makes of it.

use bytes::Bytes;
use serde_json::{Value, json};

use super::standing;
use crate::change::{Change, Row, RowChange};
use crate::cli::Unread;
use crate::config::{Config, SourceKind};
use crate::error::Result;
use crate::ledger::unread::UnreadRows;
use crate::source::decode;
use crate::store::changes::json_row;

/// What is set aside of `source`, or of all that are configured; the oldest first.
pub(super) fn list(config: &Config, source: Option<&str>) -> Result<Vec<Unread>> {
    let found = standing::open(config)?.unread(source)?.into_iter();
    let shown = found.filter_map(|rows| {
        let source = config.source.get(&rows.source)?;
        Some(show(rows, source.kind))
    });
    Ok(shown.collect())
}

/// Forgets what is set aside of `source`, or of all, up to this number.
pub(super) fn forget(config: &Config, source: Option<&str>, upto: u64) -> Result<()> {
    standing::open(config)?.forget_unread(source, upto).map(drop)
}

fn show(rows: UnreadRows, kind: SourceKind) -> Unread {
    let bytes = rows.frames.len();
    let changes = decode::read_again(kind, Bytes::from(rows.frames)).unwrap_or_default();
    let is_unread = |change: &Change| matches!(change, Change::Unread(_));
    Unread {
        id: rows.id,
        source: rows.source,
        table: rows.table,
        position: rows.position,
        journal_seq: rows.seq,
        committed_at: jiff::Timestamp::from_microsecond(rows.at_micros).ok(),
        why: rows.why,
        bytes,
        is_readable: !changes.is_empty() && !changes.iter().any(is_unread),
        rows: changes.iter().filter_map(row).collect(),
    }
}

fn row(change: &Change) -> Option<Value> {
    let Change::Row(RowChange { table, op, old, new, .. }) = change else { return None };
    let row = |row: &Option<Row>| row.as_ref().map(|row| json_row(table, row));
    Some(json!({ "op": op.word(), "old": row(old), "new": row(new) }))
}
