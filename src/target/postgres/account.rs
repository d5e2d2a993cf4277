//! The target's own account in `_trueup`: epoch, cursor, holes and baselines.
//!
//! Every function runs inside a transaction that the caller began and will end.

use tokio_postgres::Client;

use super::connect::Address;
use crate::error::{Error, ErrorKind, Result};
use crate::target::{Account, BaselineState, Claim, Hole};

/// Which row of `_trueup.cursor` is ours.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    /// The installation.
    pub install: String,
    /// The target's name.
    pub target: String,
}

/// The account of one owner, as held by one session.
#[derive(Debug)]
pub(super) struct Book<'a> {
    pub client: &'a Client,
    pub address: &'a Address,
    pub owner: &'a Owner,
}

impl Book<'_> {
    /// Takes the target by compare-and-set and reads everything.
    pub(super) async fn open(&self, claim: &Claim) -> Result<Account> {
        let Owner { install, target } = self.owner;
        let raise = include_str!("../../../sql/target/postgres/raise_epoch.sql");
        let Claim { epoch, token, former } = claim;
        let row = self
            .client
            .query_opt(raise, &[install, target, &signed(*epoch)?, token, former])
            .await
            .map_err(|error| self.failed("could not take the cursor", &error))?;
        match row {
            None => Err(self.rival(*epoch).await?),
            Some(row) => Ok(Account {
                cursor: unsigned(row.get("seq"))?,
                holes: self.holes().await?,
                baselines: self.baselines().await?.into_iter().collect(),
            }),
        }
    }

    /// Reads everything and takes nothing.
    pub(super) async fn read(&self) -> Result<Account> {
        let Owner { install, target } = self.owner;
        let sql = "SELECT seq FROM _trueup.cursor WHERE install = $1 AND target = $2";
        let row = self.client.query_opt(sql, &[install, target]).await;
        let row = row.map_err(|error| self.failed("could not read the cursor", &error))?;
        let Some(row) = row else {
            let what = format!("target `{target}` has no cursor of this installation");
            return Err(Error::new(ErrorKind::Gap, what)
                .hint("find out who removed it from _trueup.cursor"));
        };
        Ok(Account {
            cursor: unsigned(row.get("seq"))?,
            holes: self.holes().await?,
            baselines: self.baselines().await?.into_iter().collect(),
        })
    }

    /// Locks the cursor, checks that it is ours, and moves it over `range` if there is one.
    pub(super) async fn take(&self, epoch: u64, range: Option<(u64, u64)>) -> Result<()> {
        let Owner { install, target } = self.owner;
        let epoch_held = signed(epoch)?;
        let touched = match range {
            Some((from, to)) => {
                if from == 0 || from > to {
                    let what = format!("{from}..={to} is not a range of events");
                    return Err(Error::new(ErrorKind::Bug, what));
                }
                let sql = include_str!("../../../sql/target/postgres/move_cursor.sql");
                let (before, to) = (signed(from - 1)?, signed(to)?);
                self.client.execute(sql, &[install, target, &epoch_held, &before, &to]).await
            }
            None => {
                let sql = include_str!("../../../sql/target/postgres/hold_cursor.sql");
                let rows = self.client.query(sql, &[install, target, &epoch_held]).await;
                rows.map(|rows| rows.len() as u64)
            }
        };
        match touched.map_err(|error| self.failed("could not move the cursor", &error))? {
            1 => Ok(()),
            _ => Err(self.displaced(epoch, range).await?),
        }
    }

    /// Makes holes; those that exist stay.
    pub(super) async fn open_holes(&self, holes: &[Hole]) -> Result<()> {
        let sql = include_str!("../../../sql/target/postgres/open_holes.sql");
        self.change_holes(sql, holes).await.map(|_| ())
    }

    /// Removes holes. Each must exist: a retry of an event that is applied would write an old
    /// state over a newer one.
    pub(super) async fn close_holes(&self, holes: &[Hole]) -> Result<()> {
        let sql = include_str!("../../../sql/target/postgres/close_holes.sql");
        let closed = self.change_holes(sql, holes).await?;
        if closed == holes.len() as u64 {
            return Ok(());
        }
        let target = &self.owner.target;
        let what = format!(
            "{} events to be settled on target `{target}` were parked there, {closed} still are",
            holes.len(),
        );
        Err(Error::new(ErrorKind::Bug, what))
    }

    /// Records how far a baseline has come.
    pub(super) async fn record_baseline(&self, entity: &str, state: &BaselineState) -> Result<()> {
        let Owner { install, target } = self.owner;
        let (through, done) = match state {
            BaselineState::Through(key) => (Some(key), false),
            BaselineState::Done => (None, true),
        };
        let sql = include_str!("../../../sql/target/postgres/record_baseline.sql");
        self.client
            .execute(sql, &[install, target, &entity, &through, &done])
            .await
            .map_err(|error| self.failed("could not record the baseline", &error))?;
        Ok(())
    }

    /// Removes all that is kept of these entities.
    pub(super) async fn forget(&self, entities: &[String]) -> Result<()> {
        if entities.is_empty() {
            return Ok(());
        }
        let Owner { install, target } = self.owner;
        let sql = include_str!("../../../sql/target/postgres/forget.sql");
        let forgotten = self.client.execute(sql, &[install, target, &entities]).await;
        forgotten.map(drop).map_err(|error| self.failed("could not forget an entity", &error))
    }

    async fn change_holes(&self, sql: &str, holes: &[Hole]) -> Result<u64> {
        if holes.is_empty() {
            return Ok(0);
        }
        let Owner { install, target } = self.owner;
        let sequences =
            holes.iter().map(|hole| signed(hole.sequence)).collect::<Result<Vec<i64>>>()?;
        let entities: Vec<&str> = holes.iter().map(|hole| hole.entity.as_str()).collect();
        let keys: Vec<&str> = holes.iter().map(|hole| hole.key.as_str()).collect();
        self.client
            .execute(sql, &[install, target, &sequences, &entities, &keys])
            .await
            .map_err(|error| self.failed("could not record parked events", &error))
    }

    async fn holes(&self) -> Result<Vec<Hole>> {
        let sql = "SELECT seq, entity, key FROM _trueup.hole WHERE install = $1 AND target = $2 \
                   ORDER BY seq, entity, key";
        let Owner { install, target } = self.owner;
        let rows = self.client.query(sql, &[install, target]).await;
        rows.map_err(|error| self.failed("could not read parked events", &error))?
            .into_iter()
            .map(|row| {
                let sequence = unsigned(row.get("seq"))?;
                Ok(Hole { sequence, entity: row.get("entity"), key: row.get("key") })
            })
            .collect()
    }

    async fn baselines(&self) -> Result<Vec<(String, BaselineState)>> {
        let sql = "SELECT entity, through_key, done FROM _trueup.baseline \
                   WHERE install = $1 AND target = $2";
        let Owner { install, target } = self.owner;
        let rows = self.client.query(sql, &[install, target]).await;
        let rows = rows.map_err(|error| self.failed("could not read the baselines", &error))?;
        let state = |row: &tokio_postgres::Row| match (row.get("done"), row.get("through_key")) {
            (true, _) => Some(BaselineState::Done),
            (false, through) => Option::<String>::map(through, BaselineState::Through),
        };
        Ok(rows.iter().filter_map(|row| Some((row.get("entity"), state(row)?))).collect())
    }

    /// Why the target could not be taken.
    async fn rival(&self, epoch: u64) -> Result<Error> {
        let Owner { install, target } = self.owner;
        let sql = include_str!("../../../sql/target/postgres/rival.sql");
        let row = self
            .client
            .query_one(sql, &[install, target])
            .await
            .map_err(|error| self.failed("could not read the cursor", &error))?;
        let (theirs, since): (i64, String) = (row.get("epoch"), row.get("opened_at"));
        let seen = format!(
            "target `{target}` is held since {since} UTC by another copy of our ledger (at epoch \
             {theirs}, we are at {epoch})"
        );
        Ok(if row.get("is_alive") {
            let what = format!("{seen}: another process is delivering now");
            Error::new(ErrorKind::Gap, what)
                .hint("stop the other process; if both were used, reconcile before you go on")
        } else {
            let what = format!("{seen}: ours is older than what the target has seen");
            Error::new(ErrorKind::Gap, what).hint(
                "the state folder was restored or cloned: reconcile this target before it is \
                 written to again",
            )
        })
    }

    /// Why the cursor was not where we left it.
    async fn displaced(&self, epoch: u64, range: Option<(u64, u64)>) -> Result<Error> {
        let Owner { install, target } = self.owner;
        let sql = "SELECT epoch, seq FROM _trueup.cursor WHERE install = $1 AND target = $2";
        let row = self
            .client
            .query_opt(sql, &[install, target])
            .await
            .map_err(|error| self.failed("could not read the cursor", &error))?;
        let Some(row) = row else {
            let what = format!("target `{target}` has lost its cursor in _trueup.cursor");
            return Ok(Error::new(ErrorKind::Gap, what)
                .hint("find out who removed it, then reconcile this target"));
        };
        let (theirs, seq) = (unsigned(row.get("epoch"))?, unsigned(row.get("seq"))?);
        if theirs != epoch {
            let what = format!(
                "another process took target `{target}` over with epoch {theirs}, ours is {epoch}"
            );
            return Ok(Error::new(ErrorKind::Gap, what)
                .hint("run one daemon per installation; stop the other, or this one"));
        }
        let (from, to) = range.unwrap_or_default();
        let what = format!("target `{target}` is at event {seq}, not before {from}..={to}");
        Ok(Error::new(ErrorKind::Bug, what))
    }

    fn failed(&self, what: &str, error: &tokio_postgres::Error) -> Error {
        self.address.failed(what, error)
    }
}

fn signed(number: u64) -> Result<i64> {
    i64::try_from(number)
        .map_err(|_| Error::new(ErrorKind::Bug, format!("{number} is not an event or an epoch")))
}

fn unsigned(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| {
        let what = format!("_trueup.cursor holds the negative number {number}");
        Error::new(ErrorKind::Gap, what).hint("find out who edited it, then reconcile the target")
    })
}
