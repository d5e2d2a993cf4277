//! Snapshots of which it is known exactly what of the log they have seen.
//!
//! MySQL says what was committed before and after one: in a moment without commits the two are the same. Where
//! none comes, the one table that is asked for is locked against writers for that moment: whoever wrote to it
//! has ended his transaction before.
//! MariaDB names the place of a snapshot in its binlog, but not always truly: the name of the file changes when
//! it is rotated, the offset when the next group of transactions becomes visible. Until then a group of the
//! old file may not be visible yet, or the offset is one of the old file.
//!
//! ```text
//!  old file … G│ rotated     H becomes visible
//!              │ new file ─────────┬──────────────► from here on the place is one of the new file
//! ```
//! So a place counts once something of its own file is known to be visible ([`super::committed`]); or if all
//! of the log is. XA transactions that another session ends become visible after their group: it must be
//! certain that none is under way.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::commits;
use super::committed::{Committed, end_of_log};
use super::dialect::Dialect;
use super::following::{self, Following};
use super::key::quote;
use super::session::{Address, named_values};
use crate::change::position::parse_gtids;
use crate::change::{Position, TableName};
use crate::error::{Error, ErrorKind, Result};

/// A transaction whose snapshot is taken at once.
const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
/// How long MySQL is waited for to commit nothing in the moment of a snapshot.
const STILLNESS_MAX: Duration = Duration::from_secs(20);
/// The same where the table can be locked otherwise.
const STILLNESS_SHORT: Duration = Duration::from_secs(1);
/// Between two attempts.
const STILLNESS_PAUSE: Duration = Duration::from_millis(2);
/// The same in MariaDB, where only a rotation of its log and XA transactions stand in the way.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(20);
/// An XA COMMIT that began before this is over: what it needs between log and engine is a free mutex.
const XA_REST: Duration = Duration::from_secs(2);

/// A file of the binlog and an offset in it.
pub(super) type Place = (String, u64);

/// Begins a transaction on `connection`; returns what its snapshot has seen of a table, exactly.
///
/// # Errors
/// The connection broke; MySQL: [`ErrorKind::Unreachable`] if there was no moment without a commit.
pub(super) async fn of_table(
    address: &Address,
    connection: &mut Conn,
    asking: (&mut Committed, &mut Conn),
    following: Following,
    (table, waiting): (&TableName, &(dyn Fn(String) + Send + Sync)),
) -> Result<Position> {
    if address.dialect() == Dialect::Mariadb {
        return exact(address, connection, asking, waiting).await;
    }
    if following == Following::Files {
        return still_files(address, connection).await;
    }
    loop {
        if let Some(seen) = still(address, connection, STILLNESS_SHORT).await? {
            return Ok(seen);
        }
        match lock(address, table).await? {
            Lock::Held(held) => {
                run(address, connection, BEGIN).await?;
                let seen = end_of_log(address, asking.1, following).await?;
                held.disconnect().await.unwrap_or_default();
                return Ok(seen);
            }
            Lock::Busy => waiting(format!("those who write to {table} to commit")),
            Lock::Denied => return between_commits(address, connection).await,
        }
    }
}

/// Whether a table is locked against writers.
enum Lock {
    /// As long as the connection is there.
    Held(Conn),
    /// Somebody has written to it and not committed.
    Busy,
    /// The account may not.
    Denied,
}

async fn lock(address: &Address, table: &TableName) -> Result<Lock> {
    let mut connection = address.connect().await?;
    // Whoever writes after us waits as long as we do.
    run(address, &mut connection, "SET SESSION lock_wait_timeout = 1").await?;
    let sql = format!("LOCK TABLES {}.{} READ", quote(&table.schema), quote(&table.name));
    match connection.query_drop(sql).await {
        Ok(()) => Ok(Lock::Held(connection)),
        Err(mysql_async::Error::Server(error)) if error.code == 1205 => Ok(Lock::Busy),
        Err(mysql_async::Error::Server(error)) if matches!(error.code, 1044 | 1142 | 1227) => {
            Ok(Lock::Denied)
        }
        Err(error) => Err(address.explain(error, format!("could not lock {table}"))),
    }
}

/// Begins a transaction on `connection` in MariaDB; returns what its snapshot has seen, exactly. The server
/// is asked over the connection `beside`.
///
/// # Errors
/// The connection broke.
pub(super) async fn exact(
    address: &Address,
    connection: &mut Conn,
    (committed, beside): (&mut Committed, &mut Conn),
    waiting: &(dyn Fn(String) + Send + Sync),
) -> Result<Position> {
    let mut xa = Xa::look(address, beside, None).await?;
    loop {
        let known = committed.position(address, beside, waiting).await?;
        run(address, connection, BEGIN).await?;
        let place = place(address, connection).await?;
        let end = end_of_log(address, beside, Following::Gtids).await?;
        let seen = match known == end {
            true => Some(known),
            false => proven(address, beside, (&known, &end), &place).await?,
        };
        let now = Xa::look(address, beside, Some(&xa)).await?;
        if let Some(seen) = seen.filter(|_| !now.may_have_passed(&xa)) {
            return Ok(seen);
        }
        run(address, connection, "ROLLBACK").await?;
        waiting("a moment in which it is certain what a snapshot has seen".to_owned());
        tokio::time::sleep(ATTEMPT_PAUSE).await;
        xa = Xa::look(address, beside, Some(&now)).await?;
    }
}

/// A snapshot of a MySQL in whose moment nothing was committed, and what it has seen.
///
/// # Errors
/// [`ErrorKind::Unreachable`] if there was no such moment.
pub(super) async fn between_commits(address: &Address, connection: &mut Conn) -> Result<Position> {
    still(address, connection, STILLNESS_MAX).await?.ok_or_else(no_moment)
}

fn no_moment() -> Error {
    let secs = STILLNESS_MAX.as_secs();
    let what = format!("in {secs} s there was no moment without a commit for a snapshot");
    Error::new(ErrorKind::Unreachable, what).hint(
        "it is tried again; GRANT LOCK TABLES spares copies of tables without a key the wait, where there \
         are GTIDs",
    )
}

/// A snapshot of a MySQL without GTIDs, and what it has seen: the log ended at one place before and after the
/// snapshot, and between the first
/// look and the snapshot no commit was under way. So it has seen all before that place and nothing else.
///
/// # Errors
/// [`ErrorKind::Unreachable`] if there was no such moment.
pub(super) async fn still_files(address: &Address, connection: &mut Conn) -> Result<Position> {
    let explain = |error| address.explain(error, "could not take a snapshot");
    let server = following::server_uuid(address, connection).await?;
    let status = following::status_sql(address, connection).await?;
    let sql = format!("{status}; {}; {BEGIN}; {status}", commits::sql());
    let end = Instant::now() + STILLNESS_MAX;
    loop {
        let mut results = connection.query_iter(&sql).await.map_err(explain)?;
        let mut said: Vec<Vec<Row>> = Vec::new();
        while !results.is_empty() {
            said.push(results.collect().await.map_err(explain)?);
        }
        said.retain(|rows| !rows.is_empty());
        let mut said = said.into_iter();
        let (before, open, after) = (said.next(), said.next(), said.next());
        let place = |rows: Option<Vec<Row>>| rows?.first().and_then(following::status);
        let open = commits::read(open.unwrap_or_default())?;
        let (before, after) = (place(before), place(after));
        let place = before.clone().ok_or_else(following::no_log)?;
        if open.is_empty() && before == after {
            commits::all_are_told(address, connection).await?;
            return following::place(server, place).map(Position::File);
        }
        run(address, connection, "ROLLBACK").await?;
        if Instant::now() > end {
            return Err(no_moment());
        }
        tokio::time::sleep(STILLNESS_PAUSE).await;
    }
}

/// The same, if there is such a moment within this time. MySQL says no more than what was committed before
/// and after a snapshot: one round trip takes all three.
async fn still(
    address: &Address,
    connection: &mut Conn,
    patience: Duration,
) -> Result<Option<Position>> {
    let explain = |error| address.explain(error, "could not take a snapshot");
    let end = Instant::now() + patience;
    loop {
        let mut results = connection
            .query_iter(format!(
                "SELECT @@GLOBAL.gtid_executed; {BEGIN};
                 SELECT @@GLOBAL.gtid_owned; SELECT @@GLOBAL.gtid_executed"
            ))
            .await
            .map_err(explain)?;
        let mut said: Vec<String> = Vec::new();
        while !results.is_empty() {
            said.extend(
                results.collect::<Option<String>>().await.map_err(explain)?.pop().flatten(),
            );
        }
        let [before, owned, after] = said.as_slice() else {
            return Err(Error::new(ErrorKind::Decode, "the server does not name its transactions"));
        };
        if owned.is_empty() && before == after {
            return Dialect::Mysql.position(before).map(Some);
        }
        run(address, connection, "ROLLBACK").await?;
        if Instant::now() > end {
            return Ok(None);
        }
        tokio::time::sleep(STILLNESS_PAUSE).await;
    }
}

/// What lies before a place of the log, if the snapshot that named it is known to have seen that and no
/// more. `known` every snapshot has seen, `end` is where the log ended after it.
async fn proven(
    address: &Address,
    connection: &mut Conn,
    (known, end): (&Position, &Position),
    (file, offset): &Place,
) -> Result<Option<Position>> {
    let Some(head) = gtids_at(address, connection, file, 4).await? else { return Ok(None) };
    if !known.covers(&head)? || head.covers(known)? {
        return Ok(None);
    }
    let Some(seen) = gtids_at(address, connection, file, *offset).await? else { return Ok(None) };
    let fits = seen.covers(known)? && end.covers(&seen)?;
    Ok(fits.then_some(seen))
}

/// What lies before a place of the log; `None` if it is none.
pub(super) async fn gtids_at(
    address: &Address,
    connection: &mut Conn,
    file: &str,
    offset: u64,
) -> Result<Option<Position>> {
    let explain = |error| address.explain(error, "could not name a snapshot");
    let sql = "SELECT BINLOG_GTID_POS(?, ?)";
    let gtids: Option<Option<String>> =
        connection.exec_first(sql, (file, offset)).await.map_err(explain)?;
    let Some(gtids) = gtids.flatten() else { return Ok(None) };
    parse_gtids(&gtids)
        .map(|gtids| Some(Position::Gtid(gtids)))
        .ok_or_else(|| Error::new(ErrorKind::Decode, format!("{file}:{offset} has no GTID")))
}

/// Where in the log MariaDB says that the snapshot of the open transaction is.
pub(super) async fn place(address: &Address, connection: &mut Conn) -> Result<Place> {
    let values = named_values(address, connection, "SHOW STATUS LIKE 'binlog_snapshot_%'").await?;
    let offset = values.get("binlog_snapshot_position").and_then(|text| text.parse().ok());
    values.get("binlog_snapshot_file").cloned().zip(offset).ok_or_else(|| {
        Error::new(ErrorKind::Setup, "the server does not say where its snapshot is")
            .hint("MariaDB's binlog_snapshot_position is needed")
    })
}

/// Begins a transaction whose snapshot is taken at once.
pub(super) async fn begin(address: &Address, connection: &mut Conn) -> Result<()> {
    run(address, connection, BEGIN).await
}

pub(super) async fn run(address: &Address, connection: &mut Conn, statement: &str) -> Result<()> {
    let failed = |error| address.explain(error, format!("{statement} failed"));
    connection.query_drop(statement).await.map_err(failed)
}

/// XA transactions of a MariaDB, at one moment.
#[derive(Debug)]
struct Xa {
    /// XA COMMITs that were begun so far.
    commits: Option<String>,
    /// Since when it is so many.
    since: Instant,
    /// Prepared and not finished, those whose end is under way among them.
    open: Vec<Vec<u8>>,
}

impl Xa {
    /// In this order: whose end began before it was counted, is prepared still or is over.
    async fn look(address: &Address, connection: &mut Conn, before: Option<&Xa>) -> Result<Self> {
        let sql = "SHOW GLOBAL STATUS LIKE 'Com_xa_commit'";
        let commits = named_values(address, connection, sql).await?.remove("com_xa_commit");
        let since = before.filter(|before| before.commits == commits);
        let since = since.map_or_else(Instant::now, |before| before.since);
        let open = super::prepared_xa(address, connection).await?;
        Ok(Self { commits, since, open })
    }

    /// Whether one of them may have been in the log and not visible at a moment after `before`.
    fn may_have_passed(&self, before: &Xa) -> bool {
        let is_over = |one: &Vec<u8>| !self.open.contains(one);
        self.commits != before.commits
            || before.open.iter().any(is_over)
            || !before.open.is_empty() && before.since.elapsed() < XA_REST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_xa_transaction_whose_end_may_be_under_way_makes_a_snapshot_uncertain() {
        let long_ago = Instant::now().checked_sub(2 * XA_REST).unwrap();
        let xa = |commits: &str, since, open: &[&str]| Xa {
            commits: Some(commits.to_owned()),
            since,
            open: open.iter().map(|name| name.as_bytes().to_vec()).collect(),
        };
        let before = xa("3", long_ago, &["forgotten"]);
        assert!(!xa("3", long_ago, &["forgotten", "new"]).may_have_passed(&before));
        assert!(xa("3", long_ago, &[]).may_have_passed(&before), "its end was under way");
        assert!(xa("4", long_ago, &["forgotten"]).may_have_passed(&before), "an end began");
        let recent = xa("3", Instant::now(), &["forgotten"]);
        assert!(xa("3", long_ago, &["forgotten"]).may_have_passed(&recent), "it may be ending");
        let none = xa("3", Instant::now(), &[]);
        assert!(!xa("3", Instant::now(), &["new"]).may_have_passed(&none));
    }
}
