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
            .query_row("SELECT epoch, cursor, gap FROM target WHERE name = ?1", [target], |row| {
                Ok(TargetFacts { epoch: row.get(0)?, cursor: row.get(1)?, gap: row.get(2)? })
            })
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
                "INSERT OR REPLACE INTO target (name, epoch, cursor, gap) VALUES (?1, ?2, ?3, ?4)",
                params![target, facts.epoch, facts.cursor, facts.gap],
            )
            .map(drop)
            .context(ErrorKind::Ledger, || format!("could not write what is known of {target}"))
    }
}
