//! The replication slot: how it stands to the ledger, who holds it, and how one is made.
//!
//! It never advances a slot: only the stream's feedback does.

use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::catalog::Server;
use super::session::{Asked, lsn};
use crate::change::Position;
use crate::error::{Error, ErrorKind, Result};
use crate::source::Standing;

/// First version with failover slots.
const FAILOVER_MIN: i32 = 170_000;

/// How long a session that lost its client may hold the slot before we call it somebody else's:
/// an idle walsender notices within milliseconds, one in mid-transaction when it next sends.
const RELEASE_WAIT: Duration = Duration::from_secs(5);
/// Pause between two looks at a held slot.
const RELEASE_POLL: Duration = Duration::from_millis(100);

/// A slot as it is.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    database: Option<String>,
    plugin: Option<String>,
    holder: Option<(i32, Option<String>)>,
    wal_status: Option<String>,
    /// Up to where the server knows that we have everything.
    pub(crate) confirmed: Option<u64>,
    /// WAL that may still be written before it is lost, in bytes; `None` without a limit.
    pub(crate) safe_bytes: Option<i64>,
}

impl Slot {
    /// Looks it up.
    ///
    /// # Errors
    /// The query failed.
    pub(crate) async fn read(client: &Client, name: &str) -> Result<Option<Self>> {
        let sql = include_str!("../../../sql/source/postgres/slot.sql");
        let what = || format!("could not look up replication slot \"{name}\"");
        let Some(row) = client.query_opt(sql, &[&name]).await.asking(what)? else {
            return Ok(None);
        };
        let confirmed: Option<String> = row.try_get(5).asking(what)?;
        let confirmed = confirmed.as_deref().map(lsn).transpose()?;
        let read = || -> std::result::Result<Self, tokio_postgres::Error> {
            let pid: Option<i32> = row.try_get(2)?;
            let application: Option<String> = row.try_get(3)?;
            Ok(Self {
                plugin: row.try_get(0)?,
                database: row.try_get(1)?,
                holder: pid.map(|pid| (pid, application)),
                wal_status: row.try_get(4)?,
                confirmed,
                safe_bytes: row.try_get(6)?,
            })
        };
        read().asking(what).map(Some)
    }

    /// Looks it up, and waits a moment if somebody holds it: after a crash of ours the server
    /// may not have noticed yet.
    ///
    /// # Errors
    /// [`ErrorKind::Unreachable`] naming the holder, who may yet let go; [`ErrorKind::Setup`] for
    /// a slot of that name that is not ours.
    pub(crate) async fn read_released(
        client: &Client,
        name: &str,
        server: &Server,
    ) -> Result<Option<Self>> {
        let deadline = tokio::time::Instant::now() + RELEASE_WAIT;
        loop {
            let slot = Self::read(client, name).await?;
            let Some(found) = &slot else { return Ok(None) };
            found.is_ours(name, server)?;
            let Some((pid, application)) = &found.holder else { return Ok(slot) };
            if tokio::time::Instant::now() >= deadline {
                let who = application.as_deref().unwrap_or("unknown");
                let what = format!(
                    "replication slot \"{name}\" is in use by pid {pid} (application {who})"
                );
                return Err(Error::new(ErrorKind::Unreachable, what).hint(format!(
                    "stop the other daemon that captures this source, or, if it is a dead \
                        session: SELECT pg_terminate_backend({pid});"
                )));
            }
            tokio::time::sleep(RELEASE_POLL).await;
        }
    }

    /// # Errors
    /// [`ErrorKind::Setup`] if something else uses the name.
    pub(crate) fn is_ours(&self, name: &str, server: &Server) -> Result<()> {
        let is_ours = self.database.as_ref() == Some(&server.database)
            && self.plugin.as_deref() == Some("pgoutput");
        if is_ours {
            return Ok(());
        }
        let what = format!(
            "replication slot \"{name}\" belongs to plugin {} in database {}",
            self.plugin.as_deref().unwrap_or("none (physical)"),
            self.database.as_deref().unwrap_or("none")
        );
        Err(Error::new(ErrorKind::Setup, what).hint(format!(
            "drop it if nothing uses it: SELECT pg_drop_replication_slot('{name}');"
        )))
    }

    /// Why the log after `position` is not complete any more; `None` if it is.
    pub(crate) fn gap(&self, position: u64) -> Option<String> {
        if self.wal_status.as_deref() == Some("lost") {
            return Some("the slot's WAL was removed (wal_status lost)".to_owned());
        }
        match self.confirmed {
            None => Some("the slot has no position".to_owned()),
            // The server skips everything before what was confirmed, without a word.
            Some(confirmed) if confirmed > position => Some(format!(
                "the slot is confirmed up to {}, beyond the ledger's {}: the ledger was \
                    restored, or somebody advanced or recreated the slot",
                Position::Lsn(confirmed),
                Position::Lsn(position)
            )),
            Some(_) => None,
        }
    }
}

/// What capture can do, given what the server has and what the ledger knows.
pub(crate) fn standing(
    slot: Option<&Slot>,
    is_published: bool,
    server: &Server,
    ledger: Option<u64>,
    identity: Option<&str>,
) -> Standing {
    let Some(position) = ledger else { return Standing::New };
    if let Some(known) = identity.filter(|known| *known != server.identity) {
        return Standing::Gap(format!(
            "this is another server or database (identity {}, the ledger knows {known})",
            server.identity
        ));
    }
    if server.log_end < position {
        return Standing::Gap(format!(
            "the server's log ends at {}, before the ledger's {}: the server was restored from \
                an older copy",
            Position::Lsn(server.log_end),
            Position::Lsn(position)
        ));
    }
    let Some(slot) = slot else { return Standing::Gap("the slot is gone".to_owned()) };
    match slot.gap(position) {
        Some(why) => Standing::Gap(why),
        // The server would refuse, or from PostgreSQL 18 on skip, every change since it went.
        None if !is_published => Standing::Gap("the publication is gone".to_owned()),
        None => Standing::Continues,
    }
}

/// Drops the slot.
///
/// # Errors
/// The statement failed.
pub(crate) async fn drop_slot(client: &Client, name: &str) -> Result<()> {
    let what = || format!("could not drop replication slot \"{name}\"");
    client
        .execute("SELECT pg_catalog.pg_drop_replication_slot($1)", &[&name])
        .await
        .asking(what)
        .map(drop)
}

/// Makes the slot and returns its consistent point: every transaction that commits later is in
/// the log. The server waits for the transactions that are running to end. From PostgreSQL 17 on it may be
/// carried to standbys (by `sync_replication_slots` there), so that one that takes over has it.
///
/// # Errors
/// [`ErrorKind::Unreachable`] naming the transaction that keeps it waiting; [`ErrorKind::Setup`]
/// if the role or the server's limits do not allow it.
pub(crate) async fn create_slot(
    client: &Client,
    name: &str,
    (user, version): (&str, i32),
) -> Result<u64> {
    let what = || format!("could not create replication slot \"{name}\"");
    client.batch_execute("SET statement_timeout = '60s'").await.asking(what)?;
    let failover = if version >= FAILOVER_MIN { ", failover => true" } else { "" };
    let sql = format!(
        "SELECT lsn::text FROM pg_catalog.pg_create_logical_replication_slot($1, 'pgoutput'{failover})"
    );
    let error = match client.query_one(&sql, &[&name]).await {
        Ok(row) => return lsn(row.try_get(0).asking(what)?),
        Err(error) => error,
    };
    let code = error.code().cloned();
    let failed = Err::<(), _>(error).asking(what).err();
    let failed = failed.unwrap_or_else(|| Error::new(ErrorKind::Bug, what()));
    Err(if code == Some(SqlState::QUERY_CANCELED) {
        let whom = waited_for(client).await?;
        failed.hint(format!("it waits for {whom}: end it, or wait"))
    } else if code == Some(SqlState::INSUFFICIENT_PRIVILEGE) {
        failed.hint(format!("ALTER ROLE \"{user}\" REPLICATION;"))
    } else if code == Some(SqlState::CONFIGURATION_LIMIT_EXCEEDED) {
        failed.hint(
            "raise max_replication_slots (ALTER SYSTEM SET max_replication_slots = …; \
            then restart) or drop a slot that nothing uses",
        )
    } else {
        failed
    })
}

/// The oldest writing transaction, for people.
///
/// # Errors
/// The query failed.
pub(crate) async fn waited_for(client: &Client) -> Result<String> {
    let sql = include_str!("../../../sql/source/postgres/waited_for.sql");
    let what = || "could not ask who is waited for".to_owned();
    let Some(row) = client.query_opt(sql, &[]).await.asking(what)? else {
        return Ok("a transaction that has just ended".to_owned());
    };
    let xid: String = row.try_get(0).asking(what)?;
    let who: Option<String> = row.try_get(1).asking(what)?;
    let age_secs: Option<i64> = row.try_get(2).asking(what)?;
    let age = age_secs.map(|secs| format!(", open for {secs} s")).unwrap_or_default();
    Ok(format!("transaction {xid} of {}{age}", who.as_deref().unwrap_or("another session")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(identity: &str) -> Server {
        Server {
            identity: identity.to_owned(),
            is_standby: false,
            wal_level: "logical".to_owned(),
            version: 150_000,
            encoding: "UTF8".to_owned(),
            database: "erp".to_owned(),
            log_end: 100,
        }
    }

    fn slot(confirmed: u64, wal_status: &str) -> Slot {
        Slot {
            database: Some("erp".to_owned()),
            plugin: Some("pgoutput".to_owned()),
            holder: None,
            wal_status: Some(wal_status.to_owned()),
            confirmed: Some(confirmed),
            safe_bytes: None,
        }
    }

    #[test]
    fn only_a_slot_at_or_behind_the_ledger_continues() {
        let judge = |slot: Option<Slot>, ledger, identity| {
            standing(slot.as_ref(), true, &server("1/2"), ledger, identity)
        };
        assert_eq!(judge(None, None, None), Standing::New);
        assert_eq!(judge(Some(slot(9, "reserved")), None, None), Standing::New);
        assert_eq!(judge(Some(slot(9, "reserved")), Some(9), Some("1/2")), Standing::Continues);
        assert_eq!(judge(Some(slot(8, "extended")), Some(9), None), Standing::Continues);
        let gap = |standing| matches!(standing, Standing::Gap(_));
        assert!(gap(judge(Some(slot(10, "reserved")), Some(9), Some("1/2"))));
        assert!(gap(judge(Some(slot(9, "lost")), Some(9), Some("1/2"))));
        assert!(gap(judge(Some(slot(9, "reserved")), Some(9), Some("7/2"))));
        assert!(gap(judge(None, Some(9), Some("1/2"))));
        assert!(gap(judge(Some(slot(9, "reserved")), Some(101), Some("1/2"))));
        let unpublished =
            standing(Some(&slot(9, "reserved")), false, &server("1/2"), Some(9), None);
        assert!(gap(unpublished));
    }
}
