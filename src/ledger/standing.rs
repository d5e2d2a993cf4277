//! What the ledger knows about each source and target besides their data.

use std::collections::BTreeMap;

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
}

/// Journal entries of a source that are left out: what the first of them holds cannot be conformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standstill {
    /// The entry with which the first transaction that is left out begins.
    pub first: u64,
    /// Entries of that transaction up to this one were conformed, in slices; 0: none.
    pub after: u64,
    /// The entry with which the source's log begins anew; `None`: it has not yet.
    pub upto: Option<u64>,
}

const NOTE_GAP: &str = "INSERT INTO source (name, gap) VALUES (?1, ?2)
     ON CONFLICT (name) DO UPDATE SET gap = coalesce(gap, excluded.gap)";

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
            .query_row("SELECT identity, fence, gap FROM source WHERE name = ?1", [source], |row| {
                Ok(SourceFacts { identity: row.get(0)?, fence: row.get(1)?, gap: row.get(2)? })
            })
            .optional()
            .map(Option::unwrap_or_default)
            .context(ErrorKind::Ledger, || format!("could not read what is known of {source}"))
    }

    /// Notes who the server of `source` is, and from when on chunks count. A gap that anybody has found
    /// stays.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn set_origin(&self, source: &str, identity: &str, fence: Option<&str>) -> Result<()> {
        self.lock()?
            .execute(
                "INSERT INTO source (name, identity, fence) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET
                    identity = excluded.identity, fence = excluded.fence",
                params![source, identity, fence],
            )
            .map(drop)
            .context(ErrorKind::Ledger, || format!("could not write what is known of {source}"))
    }

    /// What the tables of `source` were, and of what they consisted, when they were looked at last: by name,
    /// two words.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn source_tables(&self, source: &str) -> Result<BTreeMap<String, (String, String)>> {
        let what = || format!("could not read of what the tables of {source} consist");
        let sql = "SELECT table_name, identity, parts FROM source_table WHERE source = ?1";
        self.lock()?
            .prepare_cached(sql)
            .and_then(|mut statement| {
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, (row.get(1)?, row.get(2)?)));
                statement.query_map([source], read)?.collect()
            })
            .context(ErrorKind::Ledger, what)
    }

    /// Notes it.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`]; then nothing was noted.
    pub fn set_source_tables(
        &self,
        source: &str,
        tables: &BTreeMap<String, (String, String)>,
    ) -> Result<()> {
        let write = |ledger: &mut rusqlite::Connection| {
            let all = ledger.transaction()?;
            all.execute("DELETE FROM source_table WHERE source = ?1", [source])?;
            for (name, (identity, parts)) in tables {
                all.prepare_cached("INSERT INTO source_table VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![source, name, identity, parts])?;
            }
            all.commit()
        };
        write(&mut *self.lock()?).context(ErrorKind::Ledger, || {
            format!("could not write of what the tables of {source} consist")
        })
    }

    /// Notes why changes of `source` may be lost. The first reason is the one that a person needs.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn note_gap(&self, source: &str, why: &str) -> Result<()> {
        self.lock()?
            .execute(NOTE_GAP, params![source, why])
            .map(drop)
            .context(ErrorKind::Ledger, || format!("could not note the gap of {source}"))
    }

    /// The gap of `source` is mended, unless it has got another one since.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn clear_gap(&self, source: &str, gap: &str) -> Result<()> {
        self.lock()?
            .execute(
                "UPDATE source SET gap = NULL WHERE name = ?1 AND gap = ?2",
                params![source, gap],
            )
            .map(drop)
            .context(ErrorKind::Ledger, || format!("could not end the gap of {source}"))
    }

    /// Where `source` stood or stands still, in order.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn standstills(&self, source: &str) -> Result<Vec<Standstill>> {
        let what = || format!("could not read where {source} stands");
        let ledger = self.lock()?;
        let sql = "SELECT first, after, upto FROM standstill WHERE source = ?1 ORDER BY first";
        let mut statement = ledger.prepare_cached(sql).context(ErrorKind::Ledger, what)?;
        statement
            .query_map([source], |row| {
                Ok(Standstill { first: row.get(0)?, after: row.get(1)?, upto: row.get(2)? })
            })
            .and_then(Iterator::collect)
            .context(ErrorKind::Ledger, what)
    }

    /// Nothing of `source` is conformed from a journal entry on: for this reason, if that is a gap.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`]; nothing was noted then.
    pub fn stand_still(&self, source: &str, still: Standstill, gap: Option<&str>) -> Result<()> {
        let what = || format!("could not note where {source} stands");
        let mut ledger = self.lock()?;
        let both = ledger.transaction().context(ErrorKind::Ledger, what)?;
        if let Some(gap) = gap {
            both.execute(NOTE_GAP, params![source, gap]).context(ErrorKind::Ledger, what)?;
        }
        both.execute(
            "INSERT INTO standstill (source, first, after, upto) VALUES (?1, ?2, ?3, ?4)",
            params![source, still.first, still.after, still.upto],
        )
        .context(ErrorKind::Ledger, what)?;
        both.commit().context(ErrorKind::Ledger, what)
    }

    /// The log of `source` begins anew with the journal entry `upto`: it stands still no longer.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn move_on(&self, source: &str, upto: u64) -> Result<()> {
        self.lock()?
            .execute(
                "UPDATE standstill SET upto = ?2 WHERE source = ?1 AND upto IS NULL AND first < ?2",
                params![source, upto],
            )
            .map(drop)
            .context(ErrorKind::Ledger, || format!("could not note that {source} goes on"))
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
