//! The event log: every event of every batch, for people; `ops.cloud_event` shows each as the
//! CloudEvent that it is.
//!
//! Appended in the batch's own transaction, so that it is there exactly if the batch is, and equal
//! after a replay. Delivery does not read it: the outbox is the ledger's.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow::record_batch::RecordBatch;
use duckdb::Connection;
use uuid::Uuid;

use super::Store;
use super::stage::batch_of;
use crate::canon::Event;
use crate::canon::event::Row;
use crate::error::Result;
use crate::store::refusal::InStore;

impl Store {
    /// Appends the events of a batch, whose transaction is open.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn append_events(&self, install: Uuid, batch: u64, events: &[Event]) -> Result<()> {
        append(&self.connection, install, batch, events)
    }
}

pub(super) fn append(
    connection: &Connection,
    install: Uuid,
    batch: u64,
    events: &[Event],
) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let what = || format!("could not append the events of batch {batch}");
    let rows = record_batch(install, batch, events)?;
    let mut appender = connection.appender_to_db("event", "ops").in_store(what)?;
    appender.append_record_batch(rows).in_store(what)?;
    appender.flush().in_store(what)
}

fn record_batch(install: Uuid, batch: u64, events: &[Event]) -> Result<RecordBatch> {
    let text = |of: &dyn Fn(&Event) -> Option<String>| -> ArrayRef {
        Arc::new(events.iter().map(of).collect::<StringArray>())
    };
    let sequences: UInt64Array = events.iter().map(|event| Some(event.sequence)).collect();
    let batches: UInt64Array = events.iter().map(|_| Some(batch)).collect();
    let times: TimestampMicrosecondArray =
        events.iter().map(|event| Some(event.time_micros)).collect();
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(sequences),
        text(&|event| Some(event.id(install).to_string())),
        text(&|event| Some(event.kind())),
        text(&|event| Some(event.entity.clone())),
        text(&|event| Some(event.key.clone())),
        Arc::new(times),
        Arc::new(batches),
        text(&|event| Some(event.correlation.clone())),
        text(&|event| event.old.as_ref().map(json)),
        text(&|event| event.new.as_ref().map(json)),
        text(&|event| Some(serde_json::json!(event.changed()).to_string())),
        text(&|_| Some(install.to_string())),
    ];
    batch_of(arrays, || "events do not fit their columns".to_owned())
}

fn json(row: &Row) -> String {
    // Plain data: serialising it cannot fail.
    serde_json::to_string(row).unwrap_or_default()
}
