//! A connection on which a log is read: how it is asked for, and when it counts as broken.

use std::time::Duration;

use futures_util::StreamExt;
use mysql_async::binlog::events::Event as RawEvent;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest};
use tokio::time::Instant;

use super::dialect::{self, Dialect};
use super::event;
use super::following;
use super::session::Address;
use crate::change::Position;
use crate::error::{Error, ErrorKind, Result};

/// After this silence the connection is taken for dead.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// However late a caller comes back, the socket gets this long to show what it has.
const GRACE: Duration = Duration::from_secs(1);
/// The first bytes of a binlog file are no event.
const FILE_HEAD_BYTES: u64 = 4;

/// An open log.
pub(super) struct Log {
    address: Address,
    events: BinlogStream,
    /// When we began to wait for the server; `None` while it speaks.
    waiting_since: Option<Instant>,
}

impl Log {
    /// Asks for the log after `start`, or from further back: see [`asked_from`].
    pub(super) async fn open(address: Address, start: &Position) -> Result<Self> {
        let explain =
            |error| address.explain(error, format!("could not open the binlog at {start}"));
        let mut connection = address.connect().await?;
        let file;
        // A number of our own per connection: the server drops an older one of the same number.
        let request = BinlogStreamRequest::new(rand::random::<u32>() | 0x4000_0000)
            .with_hostname(b"trueup")
            .with_pos(FILE_HEAD_BYTES);
        let heartbeat = format!("@master_heartbeat_period = {}", event::HEARTBEAT.as_nanos());
        let (setup, request) = match (address.dialect(), start) {
            (Dialect::Mariadb, Position::Gtid(_)) => {
                let setup = format!(
                    "SET @mariadb_slave_capability = 4, @slave_connect_state = '{}', \
                     @slave_gtid_strict_mode = 1, @slave_gtid_ignore_duplicates = 0, {heartbeat}",
                    start.to_string().trim_start_matches("gtid:"),
                );
                (setup, request)
            }
            (Dialect::Mysql, Position::Gtids(set)) => {
                let setup = format!("SET {heartbeat}");
                (setup, request.with_gtid().with_gtid_set(dialect::sids(set)?))
            }
            (Dialect::Mysql, Position::File(place)) => {
                // The server would take the place for one of its own.
                let answers = following::server_uuid(&address, &mut connection).await?;
                if answers != place.server {
                    let what = format!("server {answers} answers where {} did", place.server);
                    return Err(Error::new(ErrorKind::Unreachable, what));
                }
                file = place.file();
                let request =
                    request.with_filename(file.as_bytes()).with_pos(asked_from(place.offset));
                (format!("SET {heartbeat}"), request)
            }
            (dialect, _) => {
                let what = format!("{start} is no position of {}", dialect.name());
                return Err(Error::new(ErrorKind::Bug, what));
            }
        };
        connection.query_drop(setup).await.map_err(explain)?;
        let events = connection.get_binlog_stream(request).await.map_err(explain)?;
        Ok(Self { address, events, waiting_since: None })
    }

    /// The next event, its checksum verified unless it came `packed` in another. Cancel-safe.
    pub(super) async fn next(&mut self, packed: bool) -> Result<RawEvent> {
        let now = Instant::now();
        let since = *self.waiting_since.get_or_insert(now);
        let deadline = (since + SILENCE_MAX).max(now + GRACE);
        let read = tokio::time::timeout_at(deadline, self.events.next()).await;
        let raw = match read {
            Ok(Some(Ok(raw))) => raw,
            Ok(Some(Err(error))) => {
                return Err(self.address.explain(error, "could not read the binlog"));
            }
            Ok(None) => return Err(self.broken("was closed by the server")),
            Err(_) => return Err(self.broken("fell silent, not even a heartbeat came")),
        };
        self.waiting_since = None;
        if !packed && event::has_bad_checksum(&raw) {
            return Err(self.broken("sent an event whose checksum is wrong"));
        }
        Ok(raw)
    }

    /// It is asked for once more.
    pub(super) fn broken(&self, what: &str) -> Error {
        let source = self.address.source();
        Error::new(ErrorKind::Unreachable, format!("the binlog of source `{source}` {what}"))
    }
}

/// Where in a file the server is asked to begin: the protocol has 32 bits for it. A place beyond is come to by
/// reading the file from its head.
pub(super) fn asked_from(offset: u64) -> u64 {
    if u32::try_from(offset).is_ok() { offset } else { FILE_HEAD_BYTES }
}
