//! Which commits are under way in a MySQL without GTIDs: what is in its log and may not be visible yet.
//!
//! The end of the log is not what is committed: a transaction is written there first, and its engine commits
//! it a moment later. GTIDs would say when; without them the server's locks do. Whoever commits holds the
//! lock of commits (the one that FLUSH TABLES WITH READ LOCK waits for) from before the transaction is
//! written until it is visible, and the server lists its locks.
//!
//! ```text
//!  a commit:  ┌ lock ─ written to the log ─ synced ─ committed by the engine: visible ─ unlock ┐
//!  a look:          end of the log ─► who holds the lock ─► until each of them has let it go
//! ```
//! In this order: what is in the log up to that end is visible then. Nothing is locked, and nobody waits
//! for us.

use std::collections::HashSet;
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::examine::finding as finding_of;
use super::key::quote;
use super::session::{Address, named_values};
use super::settings::Server;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Finding;

/// Pause between two looks: most commits take some milliseconds.
const LOOK_PAUSE: Duration = Duration::from_millis(3);

/// Thread, event of the thread, and lock: nobody else's, as long as it is held.
type Commit = (u64, Option<u64>, u64);

/// Waits until every commit that is under way is visible to whoever looks then.
pub(super) async fn outwait(
    address: &Address,
    connection: &mut Conn,
    waiting: &(dyn Fn(String) + Send + Sync),
) -> Result<()> {
    let mut open = under_way(address, connection).await?;
    while !open.is_empty() {
        tokio::time::sleep(LOOK_PAUSE).await;
        let now = under_way(address, connection).await?;
        open.retain(|commit| now.contains(commit));
        if let Some(count) = std::num::NonZero::new(open.len()) {
            waiting(format!("{count} commits that are under way"));
        }
    }
    all_are_told(address, connection).await
}

/// The commits that are under way now.
async fn under_way(address: &Address, connection: &mut Conn) -> Result<HashSet<Commit>> {
    let rows = connection.query(sql()).await.map_err(|error| refused(address, error))?;
    read(rows)
}

fn refused(address: &Address, error: mysql_async::Error) -> Error {
    match &error {
        // ER_PERFSCHEMA_NOT_ENABLED; ER_SP_DOES_NOT_EXIST, before MySQL 8.0.16.
        mysql_async::Error::Server(server) if matches!(server.code, 1683 | 1305) => untold(),
        _ => address.explain(error, "could not read which commits are under way"),
    }
}

fn untold() -> Error {
    Error::new(ErrorKind::Setup, "the server does not tell its metadata locks").hint(
        "set performance_schema = ON and performance_schema_instrument = 'wait/lock/metadata/sql/mdl=ON' in \
         my.cnf and restart the server, MySQL 8.0.16 or later",
    )
}

/// The statement that lists them.
pub(super) fn sql() -> &'static str {
    include_str!("../../../sql/source/mysql/commits_of_mysql.sql")
}

/// What it answers.
pub(super) fn read(rows: Vec<mysql_async::Row>) -> Result<HashSet<Commit>> {
    if rows.is_empty() {
        return Err(untold());
    }
    let commit = |row: &mysql_async::Row| {
        Some((row.get_opt(1)?.ok()?, row.get_opt(2)?.ok()?, row.get_opt(3)?.ok()?))
    };
    let commits = rows.iter().filter(|row| row.get(0) == Some(1_i64)).map(commit);
    commits
        .collect::<Option<_>>()
        .ok_or_else(|| Error::new(ErrorKind::Decode, "could not read the server's metadata locks"))
}

/// A lock for which the server had no room is in no list.
pub(super) async fn all_are_told(address: &Address, connection: &mut Conn) -> Result<()> {
    let sql = "SHOW GLOBAL STATUS WHERE Variable_name IN \
               ('Performance_schema_metadata_lock_lost', 'Performance_schema_thread_instances_lost')";
    let lost = named_values(address, connection, sql).await?;
    if lost.values().all(|count| count == "0") {
        return Ok(());
    }
    let what = "the server had no room to tell all of its metadata locks";
    Err(Error::new(ErrorKind::Setup, what).hint(
        "set performance_schema_max_metadata_locks = -1 and performance_schema_max_thread_instances = -1 \
         in my.cnf and restart the server",
    ))
}

/// Whether they can be told, for `check`.
pub(super) async fn finding(address: &Address, connection: &mut Conn, server: &Server) -> Finding {
    let told = match connection.query(sql()).await {
        Ok(rows) => match read(rows) {
            Ok(_) => all_are_told(address, connection).await,
            Err(error) => Err(error),
        },
        Err(mysql_async::Error::Server(error)) if error.code == 1142 => {
            let locks = format!("{}.{}", quote("performance_schema"), quote("metadata_locks"));
            let what = "commits under way are told by performance_schema.metadata_locks, which may not be read";
            return Finding::error(what, server.grant("SELECT", &locks));
        }
        Err(error) => Err(refused(address, error)),
    };
    match told {
        Ok(()) => Finding::ok("the server tells which commits are under way"),
        Err(error) => finding_of(&error),
    }
}
