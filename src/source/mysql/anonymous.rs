//! Transactions without a number in a MySQL's log that is followed by GTIDs. The server sends the log from the
//! newest file whose predecessors hold only what we have: files with nothing but such transactions, from when
//! `gtid_mode` was off for a while, are passed over without a word.

use mysql_async::BinlogStreamRequest;
use mysql_async::prelude::Queryable;

use super::event::{self, Event, HEARTBEAT, kind};
use super::gtid::GtidEvent;
use super::session::{self, Address};
use super::witness::{self, Witness};
use crate::change::Position;
use crate::error::Result;

/// The file in which one stands behind the last transaction that we read, and before the next one. `None`
/// also where the file with that last one is purged.
pub(super) async fn passed_over(
    address: &Address,
    witness: &Witness,
    read: &Position,
) -> Result<Option<String>> {
    let explain = |error| address.explain(error, "could not read what follows in the binlog");
    let mut connection = address.connect().await?;
    let files: Vec<mysql_async::Row> =
        connection.query("SHOW BINARY LOGS").await.map_err(explain)?;
    let mut files = files.iter().filter_map(|row| row.get::<String, _>(0));
    if !files.any(|file| file == witness.file) {
        return Ok(None);
    }
    let setup = format!("SET @master_heartbeat_period = {}", HEARTBEAT.as_nanos());
    connection.query_drop(setup).await.map_err(explain)?;
    // At the end of the log it ends.
    let request = BinlogStreamRequest::new(rand::random::<u32>() | 0x4000_0000)
        .with_non_blocking()
        .with_hostname(b"trueup")
        .with_filename(witness.file.as_bytes())
        .with_pos(u64::from(witness.offset));
    let mut log = connection.get_binlog_stream(request).await.map_err(explain)?;
    let mut file = witness.file.clone();
    let mut found = None;
    loop {
        let raw = match witness::next_event(&mut log).await {
            Ok(Some(raw)) => raw,
            Ok(None) => break,
            // The server itself stumbles over it where `gtid_mode` is ON again.
            Err(error) if session::is_without_gtid(&error) => {
                found = Some(file);
                break;
            }
            Err(error) => return Err(explain(error)),
        };
        let Some(event) = Event::parse(&event::frame(&raw).slice(1..)) else { break };
        match event.kind {
            kind::ROTATE => file = witness::file_named(&raw).unwrap_or_default(),
            kind::ANONYMOUS_GTID => {
                found = Some(file);
                break;
            }
            number if GtidEvent::is_one(number) => {
                let id = GtidEvent::parse(&event).map(|gtid| gtid.id);
                if id.is_none_or(|id| read.includes(id) != Some(true)) {
                    break;
                }
            }
            _ => {}
        }
    }
    log.close().await.unwrap_or_default();
    Ok(found)
}
