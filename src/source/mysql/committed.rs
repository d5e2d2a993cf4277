//! What a MariaDB server has committed for certain: a position in the log whose transactions
//! every later snapshot sees.
//!
//! The end of the log is not that: a group of transactions is written there first and becomes
//! visible a moment later. `binlog_snapshot_position` is not that either: when the log is rotated
//! in that moment, it names the new file with an offset of the old one, or the head of the new
//! one, and claims what its snapshot does not see. So a position is read, and counts once the
//! groups written before it must have passed. It knows nothing of tables.
//!
//! ```text
//!  a group:  LOCK_log: write, sync ─► LOCK_after_binlog_sync ─► LOCK_commit_ordered: visible
//!  a look:   gtid_binlog_pos, LOCK_log (SHOW MASTER STATUS), LOCK_commit_ordered (SHOW STATUS)
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::session::{self, Address};
use crate::change::position::{Gtid, parse_gtids};
use crate::error::{Error, ErrorKind, Result};

/// Pause between two looks while nothing is known yet.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Group commits after which those that were under way at a look have passed. One can be between
/// the two locks; it is counted when it takes the second, the next one when it has released it;
/// the third is for servers that commit each transaction in its own thread.
const GROUPS: u64 = 3;
/// The same without further commits. All that a group under way still needs is a free mutex, for
/// which it waits together with a hundred looks of ours.
const REST: Duration = Duration::from_secs(2);
/// The same where the last commit is said to be the end of the log. That is wrong only if a
/// rotation had just met a group under way and its offset in the old file is, by chance, that of
/// a group under way in the new one.
const REST_AT_END: Duration = Duration::from_millis(100);

/// Follows one server on one connection.
#[derive(Debug, Default)]
pub(super) struct Committed {
    known: Option<BTreeMap<u32, Gtid>>,
    candidate: Option<Look>,
}

#[derive(Debug)]
struct Look {
    position: BTreeMap<u32, Gtid>,
    /// Group commits of the server so far.
    groups: u64,
    at: Instant,
    /// Without further commits, what was under way has passed after this.
    rest: Duration,
}

impl Committed {
    /// A position that every snapshot taken from now on includes. It may be some seconds old.
    /// Waits, at most once per connection, until there is one.
    ///
    /// # Errors
    /// The connection broke, or the server keeps no binlog.
    pub(super) async fn position(
        &mut self,
        address: &Address,
        connection: &mut Conn,
        waiting: &(dyn Fn(String) + Send + Sync),
    ) -> Result<BTreeMap<u32, Gtid>> {
        loop {
            self.look(address, connection).await?;
            if let Some(known) = &self.known {
                return Ok(known.clone());
            }
            if let Some(candidate) = &self.candidate {
                let secs = candidate.rest.as_secs();
                waiting(format!("commits that are under way, at most {secs} s"));
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    async fn look(&mut self, address: &Address, connection: &mut Conn) -> Result<()> {
        let now = Look::new(address, connection).await?;
        match self.candidate.take_if(|candidate| candidate.has_passed(&now)) {
            Some(passed) => self.known = Some(passed.position),
            None if self.candidate.is_some() => return Ok(()),
            None => {}
        }
        self.candidate = Some(now);
        Ok(())
    }
}

impl Look {
    /// In this order, see the diagram above.
    async fn new(address: &Address, connection: &mut Conn) -> Result<Self> {
        let position = end_of_log(address, connection).await?;
        let end = end_of_file(address, connection).await?;
        let (last, groups) = last_commit(address, connection).await?;
        let rest = match end.is_some() && end == last {
            true => REST_AT_END,
            false => REST + semi_sync_timeout(address, connection).await?,
        };
        Ok(Self { position, groups, at: Instant::now(), rest })
    }

    /// True if everything before this look's position is visible at `now`.
    fn has_passed(&self, now: &Look) -> bool {
        now.groups >= self.groups + GROUPS || now.at.duration_since(self.at) >= self.rest
    }
}

/// A binlog file and an offset in it.
type Place = (String, u64);

async fn end_of_file(address: &Address, connection: &mut Conn) -> Result<Option<Place>> {
    let row: Option<mysql_async::Row> = connection
        .query_first("SHOW MASTER STATUS")
        .await
        .map_err(|error| address.explain(error, "could not read where the binlog ends"))?;
    Ok(row.and_then(|row| Some((row.get::<String, _>(0)?, row.get::<u64, _>(1)?))))
}

/// Where the server says its last commit ends, and how many groups it has committed so far.
async fn last_commit(address: &Address, connection: &mut Conn) -> Result<(Option<Place>, u64)> {
    let statement = "SHOW GLOBAL STATUS WHERE Variable_name IN \
        ('binlog_snapshot_file', 'binlog_snapshot_position', 'binlog_group_commits')";
    let values = session::named_values(address, connection, statement).await?;
    let number = |name: &str| values.get(name).and_then(|text| text.parse::<u64>().ok());
    let place = values.get("binlog_snapshot_file").cloned().zip(number("binlog_snapshot_position"));
    let groups = number("binlog_group_commits").ok_or_else(|| {
        Error::new(ErrorKind::Setup, "the server does not count its binlog_group_commits")
            .hint("set log_bin in my.cnf and restart the server; MariaDB 10.6 or later is needed")
    })?;
    Ok((place, groups))
}

/// How long a group may wait for another server between log and engine.
async fn semi_sync_timeout(address: &Address, connection: &mut Conn) -> Result<Duration> {
    let statement = "SHOW GLOBAL VARIABLES LIKE 'rpl_semi_sync_master_%'";
    let values = session::named_values(address, connection, statement).await?;
    let value = |name: &str| values.get(name).map(String::as_str).unwrap_or_default();
    let waits = value("rpl_semi_sync_master_enabled") == "ON"
        && value("rpl_semi_sync_master_wait_point") == "AFTER_SYNC";
    let timeout_ms = value("rpl_semi_sync_master_timeout").parse().unwrap_or_default();
    Ok(if waits { Duration::from_millis(timeout_ms) } else { Duration::ZERO })
}

/// Where the log ends now: everything that is visible, and perhaps more.
pub(super) async fn end_of_log(
    address: &Address,
    connection: &mut Conn,
) -> Result<BTreeMap<u32, Gtid>> {
    let text: Option<String> = connection
        .query_first("SELECT @@GLOBAL.gtid_binlog_pos")
        .await
        .map_err(|error| address.explain(error, "could not read gtid_binlog_pos"))?;
    let text = text.unwrap_or_default();
    parse_gtids(&text).ok_or_else(|| {
        Error::new(ErrorKind::Decode, format!("gtid_binlog_pos is `{text}`, not a GTID list"))
    })
}
