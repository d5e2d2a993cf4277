//! Parked events: what a target does not have yet although its cursor has passed it.
//!
//! The truth is the target's own account (its holes); these rows say why and what next.

use rusqlite::{Connection, params};

use super::Ledger;
use crate::error::{Context, ErrorKind, Result};

/// An event a target does not have yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The event; 0 for a baseline row, which has none.
    pub sequence: u64,
    /// Its entity.
    pub entity: String,
    /// Its canonical key.
    pub key: String,
    /// What happens to it.
    pub state: ParkedState,
    /// The class of the refusal, one word.
    pub class: String,
    /// The target's words, without row values.
    pub words: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When to try again, microseconds since 1970-01-01 UTC.
    pub next_at_micros: i64,
    /// Since when it is parked.
    pub since_micros: i64,
}

/// What happens to a parked event. Set by the deliver loop, survives a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkedState {
    /// It is tried again by itself.
    Retrying,
    /// Attempts are used up: a person must look. It is still tried, slowly. Followers of its key
    /// wait behind it.
    Dead,
}

impl ParkedState {
    /// One word, as stored and shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ParkedState::Retrying => "retrying",
            ParkedState::Dead => "dead",
        }
    }
}

impl Ledger {
    /// What `target` has parked, dead letters first, then the oldest, at most `count_max`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn parked(&self, target: &str, count_max: usize) -> Result<Vec<Parked>> {
        let connection = self.lock()?;
        let read = || -> rusqlite::Result<Vec<Parked>> {
            connection
                .prepare_cached(
                    "SELECT sequence, entity, key, state, class, words, attempts, next_at, since
                     FROM parked WHERE target = ?1
                     ORDER BY state = 'dead' DESC, since, sequence, entity, key LIMIT ?2",
                )?
                .query_map(params![target, i64::try_from(count_max).unwrap_or(i64::MAX)], |row| {
                    let state: String = row.get(3)?;
                    Ok(Parked {
                        sequence: row.get(0)?,
                        entity: row.get(1)?,
                        key: row.get(2)?,
                        state: if state == ParkedState::Dead.word() {
                            ParkedState::Dead
                        } else {
                            ParkedState::Retrying
                        },
                        class: row.get(4)?,
                        words: row.get(5)?,
                        attempts: row.get(6)?,
                        next_at_micros: row.get(7)?,
                        since_micros: row.get(8)?,
                    })
                })?
                .collect()
        };
        read().context(ErrorKind::Ledger, || format!("could not read what {target} has parked"))
    }

    /// Settles a target transaction: its cursor, and of the keys (entity, key) it touched all that
    /// is parked now, together.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`]; the target's account is the truth and is read on the next start.
    pub fn settle(
        &self,
        target: &str,
        cursor: u64,
        keys: &[(String, String)],
        parked: &[Parked],
    ) -> Result<()> {
        let connection = self.lock()?;
        let run = || {
            let transaction = connection.unchecked_transaction()?;
            transaction
                .prepare_cached("UPDATE target SET cursor = ?2 WHERE name = ?1")?
                .execute(params![target, cursor])?;
            for (entity, key) in keys {
                transaction
                    .prepare_cached(
                        "DELETE FROM parked WHERE target = ?1 AND entity = ?2 AND key = ?3",
                    )?
                    .execute(params![target, entity, key])?;
            }
            for event in parked {
                write_parked(&transaction, target, event)?;
            }
            transaction.commit()
        };
        run().context(ErrorKind::Ledger, || format!("could not settle deliveries to {target}"))
    }
}

fn write_parked(connection: &Connection, target: &str, event: &Parked) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO parked
             (target, sequence, entity, key, state, class, words, attempts, next_at, since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            target,
            event.sequence,
            event.entity,
            event.key,
            event.state.word(),
            event.class,
            event.words,
            event.attempts,
            event.next_at_micros,
            event.since_micros,
        ])
        .map(drop)
}
