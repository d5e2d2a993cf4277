//! Seals: what was written to the archive, and how to tell that it is still that.

use rusqlite::{OptionalExtension, Row, params};

use super::Ledger;
use crate::error::{Context, Error, ErrorKind, Result};

const COLUMNS: &str = "batch_upto, batch_after, event_upto, at, folder, entities, digest";

/// One folder of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// The batches in it end with this one.
    pub batch_upto: u64,
    /// They begin after this one: where the seal before ended.
    pub batch_after: u64,
    /// The last event of these and all earlier batches.
    pub event_upto: u64,
    /// When it was made, microseconds since 1970-01-01 UTC.
    pub at_micros: i64,
    /// The folder's name in the archive.
    pub folder: String,
    /// The entities whose rows are in it.
    pub entities: Vec<String>,
    /// SHA-256 of its manifest, hexadecimal.
    pub digest: String,
}

impl Ledger {
    /// Notes a seal, whose files are complete and durable.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`]; nothing was written then.
    pub fn note_seal(&self, seal: &Seal) -> Result<()> {
        self.lock()?
            .prepare_cached("INSERT INTO seal VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            .and_then(|mut statement| {
                statement.execute(params![
                    seal.batch_upto,
                    seal.batch_after,
                    seal.event_upto,
                    seal.at_micros,
                    seal.folder,
                    seal.entities.join(","),
                    seal.digest,
                ])
            })
            .map(drop)
            .map_err(|error| {
                Error::new(ErrorKind::Ledger, format!("could not note the seal {}", seal.folder))
                    .caused_by(error)
                    .hint("free disk space; it is tried again")
            })
    }

    /// The newest seal.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn last_seal(&self) -> Result<Option<Seal>> {
        let connection = self.lock()?;
        let sql = format!("SELECT {COLUMNS} FROM seal ORDER BY batch_upto DESC LIMIT 1");
        connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row([], read).optional())
            .context(ErrorKind::Ledger, || "could not read the newest seal".to_owned())
    }

    /// All seals, oldest first.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`].
    pub fn seals(&self) -> Result<Vec<Seal>> {
        let connection = self.lock()?;
        let sql = format!("SELECT {COLUMNS} FROM seal ORDER BY batch_upto");
        connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_map([], read)?.collect())
            .context(ErrorKind::Ledger, || "could not read the seals".to_owned())
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Seal> {
    let entities: String = row.get(5)?;
    Ok(Seal {
        batch_upto: row.get(0)?,
        batch_after: row.get(1)?,
        event_upto: row.get(2)?,
        at_micros: row.get(3)?,
        folder: row.get(4)?,
        entities: entities.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        digest: row.get(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_come_back_as_they_were_noted() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path()).unwrap();
        assert_eq!(ledger.last_seal().unwrap(), None);
        let seal = |after: u64, upto: u64, entities: &[&str]| Seal {
            batch_upto: upto,
            batch_after: after,
            event_upto: upto * 10,
            at_micros: 1_700_000_000_000_000,
            folder: format!("2023-11-14-{upto}"),
            entities: entities.iter().map(|&name| name.to_owned()).collect(),
            digest: format!("{upto:064x}"),
        };
        let (first, second) = (seal(0, 5, &[]), seal(5, 12, &["client", "worker"]));
        ledger.note_seal(&first).unwrap();
        ledger.note_seal(&second).unwrap();
        assert!(ledger.note_seal(&second).is_err(), "a seal is noted once");
        assert_eq!(ledger.last_seal().unwrap(), Some(second.clone()));
        assert_eq!(ledger.seals().unwrap(), [first, second]);
    }
}
