//! Where in the journal the rows of prepared XA transactions are, until these are committed or
//! rolled back. Part of the batch: a store that is behind is behind with this too.

use bytes::Bytes;
use duckdb::params;

use super::Store;
use super::stage::{key_from_text, key_text};
use crate::error::{Error, ErrorKind, Result};
use crate::store::refusal::InStore;

/// A prepared XA transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Its identity, as the log has it.
    pub xid: Bytes,
    /// The first journal entry of the group that prepared it: kept as long as this is.
    pub first: u64,
    /// The entry that ends that group.
    pub seq: u64,
}

impl Store {
    /// What is prepared in `source`.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn prepared(&self, source: &str) -> Result<Vec<Prepared>> {
        let what = || format!("could not read which XA transactions of {source} are prepared");
        let mut statement = self
            .connection
            .prepare(
                "SELECT xid, first_seq, seq FROM ops.prepared_xa WHERE source = ? ORDER BY seq, xid",
            )
            .in_store(what)?;
        let rows: Vec<(String, u64, u64)> = statement
            .query_map([source], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .and_then(Iterator::collect)
            .in_store(what)?;
        rows.into_iter()
            .map(|(xid, first, seq)| {
                let xid =
                    key_from_text(&xid).ok_or_else(|| Error::new(ErrorKind::Store, what()))?;
                Ok(Prepared { xid, first, seq })
            })
            .collect()
    }

    /// Writes what is prepared in `source`, in place of what was.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn set_prepared(&self, source: &str, prepared: &[Prepared]) -> Result<()> {
        let what = || format!("could not note which XA transactions of {source} are prepared");
        self.connection
            .execute("DELETE FROM ops.prepared_xa WHERE source = ?", [source])
            .in_store(what)?;
        for one in prepared {
            self.connection
                .execute(
                    "INSERT INTO ops.prepared_xa VALUES (?, ?, ?, ?)",
                    params![source, key_text(&one.xid), one.first, one.seq],
                )
                .in_store(what)?;
        }
        Ok(())
    }

    /// The oldest journal entry that something prepared still needs.
    ///
    /// # Errors
    /// [`ErrorKind::Store`].
    pub fn oldest_prepared(&self) -> Result<Option<u64>> {
        super::optional(&self.connection, "SELECT min(first_seq) FROM ops.prepared_xa", || {
            "could not read which XA transactions are prepared".to_owned()
        })
        .map(Option::flatten)
    }
}
