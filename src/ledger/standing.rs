//! What the ledger knows about each source and target besides their data.

use rusqlite::{OptionalExtension, params};

use super::Ledger;
use crate::error::{Context, ErrorKind, Result};

/// What is known about a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFacts {
    /// What its server called itself at first sight.
    pub identity: Option<String>,
    /// From when on chunks of a copy count, as text of the capture loop's own.
    pub fence: Option<String>,
    /// Why changes may be lost; set by capture and conform, cleared by a re-copy.
    pub gap: Option<String>,
    /// The journal entry from which on nothing of it is conformed: what it holds cannot be.
    pub stands_from: Option<u64>,
}

/// What is known about a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetFacts {
    /// The last epoch this install used there.
    pub epoch: u64,
    /// The token it holds since it was last opened from here.
    pub holder: Option<String>,
    /// The token of an opening whose outcome is not known.
    pub claim: Option<String>,
    /// The last event of this ledger before the first start since the target was last opened:
    /// it can have no later one from here. `None` if it was opened in this run.
    pub newest_before: Option<u64>,
    /// The last sequence it is known to have.
    pub cursor: u64,
    /// Why it must not be written before a person looked.
    pub gap: Option<String>,
}

impl Ledger {
    /// What is known about `source`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn source(&self, source: &str) -> Result<SourceFacts> {
        self.lock()?
            .query_row(
                "SELECT identity, fence, gap, stands_from FROM source WHERE name = ?1",
                [source],
                |row| {
                    Ok(SourceFacts {
                        identity: row.get(0)?,
                        fence: row.get(1)?,
                        gap: row.get(2)?,
                        stands_from: row.get(3)?,
                    })
                },
            )
            .optional()
            .map(Option::unwrap_or_default)
            .context(ErrorKind::Ledger, || format!("could not read what is known of {source}"))
    }

    /// Writes what is known about `source`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn set_source(&self, source: &str, facts: &SourceFacts) -> Result<()> {
        self.lock()?
            .execute(
                "INSERT OR REPLACE INTO source (name, identity, fence, gap, stands_from)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![source, facts.identity, facts.fence, facts.gap, facts.stands_from],
            )
            .map(drop)
            .context(ErrorKind::Ledger, || format!("could not write what is known of {source}"))
    }

    /// What is known about `target`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn target(&self, target: &str) -> Result<TargetFacts> {
        self.lock()?
            .query_row(
                "SELECT epoch, holder, claim, newest_before, cursor, gap FROM target WHERE name = ?1",
                [target],
                |row| {
                    Ok(TargetFacts {
                        epoch: row.get(0)?,
                        holder: row.get(1)?,
                        claim: row.get(2)?,
                        newest_before: row.get(3)?,
                        cursor: row.get(4)?,
                        gap: row.get(5)?,
                    })
                },
            )
            .optional()
            .map(Option::unwrap_or_default)
            .context(ErrorKind::Ledger, || format!("could not read what is known of {target}"))
    }

    /// Writes what is known about `target`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn set_target(&self, target: &str, facts: &TargetFacts) -> Result<()> {
        self.lock()?
            .execute(
                "INSERT OR REPLACE INTO target
                 (name, epoch, holder, claim, newest_before, cursor, gap)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    target,
                    facts.epoch,
                    facts.holder,
                    facts.claim,
                    facts.newest_before,
                    facts.cursor,
                    facts.gap
                ],
            )
            .map(drop)
            .context(ErrorKind::Ledger, || format!("could not write what is known of {target}"))
    }

    /// Notes for every target what the last event was at a start, before there are new ones. A
    /// note that an earlier start left behind stays: nothing was delivered since.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn note_start(&self) -> Result<()> {
        let newest = self.last_batch()?.map_or(0, |batch| batch.event_last);
        let sql = "UPDATE target SET newest_before = ?1 WHERE newest_before IS NULL";
        let noted = self.lock()?.execute(sql, [newest]);
        noted.map(drop).context(ErrorKind::Ledger, || "could not note the start".to_owned())
    }
}
