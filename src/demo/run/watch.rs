//! What the demo shows while it runs, and how it knows that everything has arrived.
//!
//! From outside: the daemon's API says what it did, the databases say where they are.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;

use super::daemon::{Api, Daemon};
use super::stage::{Stage, connect_postgres};
use crate::change::Position;
use crate::change::position::{parse_gtids, parse_lsn};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::status::Status;

/// Longest wait for the end of what is in flight: the delivery's longest pause between two
/// attempts, which a row may need that came before what it refers to.
const DRAIN_SECS_MAX: u64 = 60;
const DRAIN_LOOK: Duration = Duration::from_millis(250);

/// Watches daemon and databases.
pub(super) struct Watch {
    api: Api,
    erp: tokio_postgres::Client,
    psa: tokio_postgres::Client,
    hr: Option<mysql_async::Conn>,
    /// The batch after which what happens is an event.
    since_batch: Option<u64>,
}

/// One look.
#[derive(Debug)]
pub(super) struct Moment {
    /// What the daemon says.
    pub(super) status: Status,
    /// How far each source's log is.
    pub(super) heads: BTreeMap<String, Position>,
    /// Events since the first copy: entity, op, how many.
    pub(super) events: Vec<(String, String, u64)>,
    /// The number of the last event that the store has; `None` while it is not open.
    pub(super) last_event: Option<u64>,
    /// Rows that the PSA's own statistics say were written: inserted, updated, deleted.
    pub(super) written: [i64; 3],
}

impl Watch {
    pub(super) async fn new(stage: &Stage, api: Api) -> Result<Self> {
        let hr = match stage.hr_opts() {
            Some(opts) => {
                Some(mysql_async::Conn::new(opts).await.context(ErrorKind::Unreachable, || {
                    "could not reach the demo's HR".to_owned()
                })?)
            }
            None => None,
        };
        Ok(Self {
            api,
            erp: connect_postgres(&stage.postgres_config("erp")).await?,
            psa: connect_postgres(&stage.postgres_config("psa")).await?,
            hr,
            since_batch: None,
        })
    }

    /// Looks at everything.
    pub(super) async fn look(&mut self) -> Result<Moment> {
        let heads = self.heads().await?;
        let status = self.api.status().await?;
        let copied = !status.entities.is_empty() && status.entities.iter().all(|e| e.ready);
        if copied && self.since_batch.is_none() {
            self.since_batch = Some(status.conform.batch);
        }
        let events = match self.since_batch {
            Some(batch) => self.events(&status, batch).await,
            None => Vec::new(),
        };
        let last_event = self.last_event().await;
        Ok(Moment { status, heads, events, last_event, written: self.written().await? })
    }

    /// Waits until everything that the sources have written so far is in the store and in the
    /// target. If that takes too long: what is still in flight.
    pub(super) async fn drain(&mut self, daemon: &mut Daemon) -> Result<Result<(), String>> {
        let until = self.heads().await?;
        let deadline = Instant::now() + Duration::from_secs(DRAIN_SECS_MAX);
        loop {
            daemon.check().await?;
            let moment = self.look().await?;
            let in_flight = moment.in_flight(&until);
            if in_flight.is_empty() {
                return Ok(Ok(()));
            }
            if Instant::now() > deadline {
                return Ok(Err(in_flight.join("; ")));
            }
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    }

    async fn heads(&mut self) -> Result<BTreeMap<String, Position>> {
        let failed = || "could not read where the sources' logs are".to_owned();
        let unread = || Error::new(ErrorKind::Bug, failed());
        let row = self.erp.query_one("SELECT pg_current_wal_flush_lsn()::text", &[]).await;
        let lsn: String =
            row.and_then(|row| row.try_get(0)).context(ErrorKind::Unreachable, failed)?;
        let lsn = Position::Lsn(parse_lsn(&lsn).ok_or_else(unread)?);
        let mut heads = BTreeMap::from([("erp".to_owned(), lsn)]);
        if let Some(hr) = &mut self.hr {
            let gtids: Option<String> = hr
                .query_first("SELECT @@GLOBAL.gtid_binlog_pos")
                .await
                .context(ErrorKind::Unreachable, failed)?;
            let gtids = parse_gtids(&gtids.unwrap_or_default()).ok_or_else(unread)?;
            heads.insert("hr".to_owned(), Position::Gtid(gtids));
        }
        Ok(heads)
    }

    /// From the history, which has a row for each event. While the store is not open, none.
    async fn events(&self, status: &Status, since: u64) -> Vec<(String, String, u64)> {
        let one = |name: &String| {
            format!(
                "SELECT '{name}' AS entity, _op, count(*) FROM canon.{name}_history \
                 WHERE _batch > {since} GROUP BY _op"
            )
        };
        let names: Vec<String> = status.entities.iter().map(|e| one(&e.name)).collect();
        let answer = self.api.sql(&names.join(" UNION ALL ")).await;
        let rows = answer.map(|answer| answer.rows).unwrap_or_default();
        let event = |row: Vec<Option<String>>| match row.as_slice() {
            [Some(entity), Some(op), Some(count)] => {
                Some((entity.clone(), op.clone(), count.parse().ok()?))
            }
            _ => None,
        };
        rows.into_iter().filter_map(event).collect()
    }

    async fn last_event(&self) -> Option<u64> {
        let answer = self.api.sql("SELECT max(event_sequence) FROM ops.mark").await.ok()?;
        answer.rows.into_iter().flatten().flatten().next()?.parse().ok()
    }

    async fn written(&self) -> Result<[i64; 3]> {
        let sql = "SELECT coalesce(sum(n_tup_ins), 0)::bigint, coalesce(sum(n_tup_upd), 0)::bigint,
                          coalesce(sum(n_tup_del), 0)::bigint
                   FROM pg_stat_user_tables WHERE schemaname = 'public'";
        let row = self.psa.query_one(sql, &[]).await;
        row.and_then(|row| Ok([row.try_get(0)?, row.try_get(1)?, row.try_get(2)?]))
            .context(ErrorKind::Unreachable, || "could not read the PSA's statistics".to_owned())
    }
}

impl Moment {
    /// How far a source's capture is behind its log, in its own unit.
    pub(super) fn lag(&self, source: &str) -> Option<String> {
        let shown = self.status.sources.iter().find(|shown| shown.name == source)?;
        let position = shown.position.as_ref()?.parse().ok()?;
        match (self.heads.get(source)?, &position) {
            (Position::Lsn(head), Position::Lsn(at)) => {
                Some(format!("{} bytes", head.saturating_sub(*at)))
            }
            (Position::Gtid(head), Position::Gtid(at)) => {
                let behind = head.iter().map(|(domain, gtid)| {
                    let at = at.get(domain).map_or(0, |gtid| gtid.sequence);
                    gtid.sequence.saturating_sub(at)
                });
                Some(format!("{} transactions", behind.sum::<u64>()))
            }
            _ => None,
        }
    }

    /// Events after a target's cursor.
    pub(super) fn in_flight_events(&self, cursor: u64) -> u64 {
        self.last_event.unwrap_or(0).saturating_sub(cursor)
    }

    /// What has not arrived yet of everything up to `until`, in words; empty if all has.
    fn in_flight(&self, until: &BTreeMap<String, Position>) -> Vec<String> {
        let mut waits = Vec::new();
        for (name, head) in until {
            let source = self.status.sources.iter().find(|source| source.name == *name);
            let position = source.and_then(|source| source.position.as_ref()?.parse().ok());
            let arrived = position.is_some_and(|at: Position| at.covers(head).unwrap_or(false));
            let state = source.map_or("absent", |source| source.state.word());
            if !arrived || state != "streaming" {
                let at = position_text(source.and_then(|source| source.position.as_deref()));
                let why = source.and_then(|source| source.message.as_deref()).unwrap_or_default();
                waits.push(format!("source {name} is {state} at {at}, its log at {head} {why}"));
            }
        }
        let behind = self.status.conform.journal_behind_entries;
        if behind > 0 {
            waits.push(format!("{behind} entries of the capture log are not conformed"));
        }
        if self.last_event.is_none() {
            waits.push("the store is not open".to_owned());
        }
        if let Some(error) = &self.status.conform.error {
            waits.push(format!("conform stands still: {error}"));
        }
        for target in &self.status.targets {
            let baseline = target.baseline.values().filter(|through| *through != "done").count();
            let missing = self.in_flight_events(target.cursor);
            if missing > 0 || baseline > 0 || target.baseline.is_empty() {
                let state = target.state.word();
                let why = target.message.as_deref().unwrap_or_default();
                waits.push(format!(
                    "target {} is {state}: {missing} events and the first fill of {baseline} \
                     entities are not delivered {why}",
                    target.name
                ));
            }
            if target.parked + target.dead > 0 {
                let (parked, dead) = (target.parked, target.dead);
                waits.push(format!("target {}: {parked} events parked, {dead} dead", target.name));
            }
        }
        for letter in &self.status.dead_letters {
            waits.push(format!("{} {}: {}", letter.entity, letter.key, letter.words));
        }
        waits
    }
}

fn position_text(position: Option<&str>) -> &str {
    position.unwrap_or("no position")
}
