//! What a server has committed for certain: a position in the log whose transactions every later
//! snapshot sees. MySQL says it itself, or tells at least which commits are under way (`commits`).
//!
//! MariaDB does not. The end of the log is not that: a group of transactions is written there first and becomes
//! visible a moment later. `binlog_snapshot_position` is not that either: when the log is rotated
//! in that moment, it names the new file with an offset of the old one, or the head of the new
//! one, and claims what its snapshot does not see. So a position is read, and counts once the
//! groups written before it must have passed. It knows nothing of tables.
//!
//! ```text
//!  a group:  LOCK_log: write, sync ─► LOCK_after_binlog_sync ─► LOCK_commit_ordered: visible
//!  a look:   gtid_binlog_pos, LOCK_log (SHOW MASTER STATUS), LOCK_commit_ordered (SHOW STATUS)
//! ```

use std::time::{Duration, Instant};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::commits;
use super::dialect::Dialect;
use super::following::{self, Following};
use super::session::{self, Address};
use crate::change::gtid_set::Tsid;
use crate::change::{Position, TransactionId};
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
#[derive(Debug)]
pub(super) struct Committed {
    following: Following,
    known: Option<Position>,
    candidate: Option<Look>,
}

#[derive(Debug)]
struct Look {
    position: Position,
    /// Group commits of the server so far.
    groups: u64,
    at: Instant,
    /// Without further commits, what was under way has passed after this.
    rest: Duration,
}

impl Committed {
    pub(super) fn new(following: Following) -> Self {
        Self { following, known: None, candidate: None }
    }

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
    ) -> Result<Position> {
        if address.dialect() == Dialect::Mysql {
            let end = end_of_log(address, connection, self.following).await?;
            // A transaction is in gtid_executed once its engine has committed it.
            if self.following == Following::Files {
                commits::outwait(address, connection, waiting).await?;
            }
            return Ok(end);
        }
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

/// Waits until every snapshot taken from now on includes what the log holds up to `end`.
pub(super) async fn outwait(
    address: &Address,
    connection: &mut Conn,
    end: &Position,
) -> Result<()> {
    let mut committed = Committed::new(Following::of(end));
    loop {
        let known = committed.position(address, connection, &|_| {}).await?;
        if known.covers(end)? {
            return Ok(());
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

impl Look {
    /// In this order, see the diagram above.
    async fn new(address: &Address, connection: &mut Conn) -> Result<Self> {
        let position = end_of_log(address, connection, Following::Gtids).await?;
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

/// Where the log ends now: everything that is visible (by GTIDs of MySQL nothing else), perhaps more.
pub(super) async fn end_of_log(
    address: &Address,
    connection: &mut Conn,
    following: Following,
) -> Result<Position> {
    if following == Following::Files {
        return following::end_of_files(address, connection).await.map(Position::File);
    }
    let explain = |error| address.explain(error, "could not read where the log ends");
    let sql = address.dialect().log_end();
    let text: Option<String> = connection.query_first(sql).await.map_err(explain)?;
    address.dialect().position(text.unwrap_or_default().as_str())
}

/// What must have been read of the log until everything that is visible now was read.
pub(super) async fn visible_by(
    address: &Address,
    connection: &mut Conn,
    following: Following,
    waiting: &(dyn Fn(String) + Send + Sync),
) -> Result<Position> {
    if address.dialect() == Dialect::Mariadb || following == Following::Files {
        return end_of_log(address, connection, following).await;
    }
    // What an engine has committed is owned by its thread until it is in gtid_executed. In this order:
    // nothing falls between. Whoever owns a number may give it up: it never comes in the log.
    let mut owned = owned(address, connection).await?;
    loop {
        let position = end_of_log(address, connection, following).await?;
        owned.retain(|id| position.includes(*id) == Some(false));
        let Some(first) = owned.first() else { return Ok(position) };
        waiting(format!("whoever owns {first} (gtid_next) to commit it or roll it back"));
        tokio::time::sleep(LOOK_PAUSE).await;
        let still = self::owned(address, connection).await?;
        owned.retain(|id| still.contains(id));
    }
}

async fn owned(address: &Address, connection: &mut Conn) -> Result<Vec<TransactionId>> {
    let explain = |error| address.explain(error, "could not read which transactions are under way");
    let owned: Option<String> =
        connection.query_first("SELECT @@GLOBAL.gtid_owned").await.map_err(explain)?;
    Ok(owned_gtids(&owned.unwrap_or_default()))
}

/// `uuid:5#70:6#71,uuid:tag:1#72`: who owns which, the threads left out.
fn owned_gtids(text: &str) -> Vec<TransactionId> {
    let mut owned = Vec::new();
    for part in text.split(',').map(str::trim) {
        let Some((uuid, words)) = part.split_once(':') else { continue };
        let mut tag = "";
        for word in words.split(':') {
            let Some((number, _)) = word.split_once('#') else {
                tag = word;
                continue;
            };
            let tsid = uuid.parse().ok().and_then(|uuid| Tsid::new(uuid, tag));
            if let Some((tsid, number)) = tsid.zip(number.parse().ok()) {
                owned.push(TransactionId::Tagged(tsid, number));
            }
        }
    }
    owned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owned_transactions_are_read_as_the_server_spells_them() {
        let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let texts = |text: &str| -> Vec<String> {
            owned_gtids(text).iter().map(ToString::to_string).collect()
        };
        assert!(texts("").is_empty());
        let all = format!("{uuid}:5#70:6#71,\n{uuid}:blue:1#72");
        let expected = ["5", "6", "blue:1"].map(|gtid| format!("gtids:{uuid}:{gtid}"));
        assert_eq!(texts(&all), expected);
    }
}
