//! What a snapshot could see of the log: the rule that puts a copy's chunk under it. It never
//! claims a change that was not seen.
//!
//! Never by log position alone on PostgreSQL: a commit can be decoded from the WAL while a new
//! snapshot does not see it yet (`reference/proofs.md`, experiment B).

use serde::{Deserialize, Serialize};

use super::position::{Position, TransactionId};
use crate::error::{Error, ErrorKind, Result};

/// What the snapshot of a copy's chunk could see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// PostgreSQL: `pg_current_snapshot()` taken inside the chunk's own snapshot.
    Snapshot {
        /// Every transaction below is finished.
        xmin: u64,
        /// Every transaction from here on is invisible.
        xmax: u64,
        /// The ones in between that were running.
        running: Vec<u64>,
    },
    /// MariaDB, MySQL: a position that was certainly committed before the snapshot began. It may have
    /// seen more, which is then laid over it once more and changes nothing.
    UpTo(Position),
}

impl Visibility {
    /// True if a change of transaction `id` was visible.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`] if the two are of different kinds of source.
    pub fn sees(&self, id: TransactionId) -> Result<bool> {
        match (self, id) {
            (Visibility::Snapshot { xmax, running, .. }, TransactionId::Xid(xid)) => {
                Some(xid < *xmax && !running.contains(&xid))
            }
            (Visibility::UpTo(position), id) => position.includes(id),
            (Visibility::Snapshot { .. }, _) => None,
        }
        .ok_or_else(|| Error::new(ErrorKind::Bug, format!("{self:?} cannot judge {id}")))
    }

    /// Reads PostgreSQL's spelling of a snapshot, `xmin:xmax:xip,xip`.
    #[must_use]
    pub fn parse_snapshot(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let xmin = parts.next()?.parse().ok()?;
        let xmax = parts.next()?.parse().ok()?;
        let running = parts
            .next()?
            .split(',')
            .filter(|xid| !xid.is_empty())
            .map(|xid| xid.parse().ok())
            .collect::<Option<Vec<u64>>>()?;
        Some(Visibility::Snapshot { xmin, xmax, running })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_sees_what_was_finished_when_it_was_taken() {
        let snapshot = Visibility::parse_snapshot("100:110:100,105").unwrap();
        let sees = |xid| snapshot.sees(TransactionId::Xid(xid)).unwrap();
        assert!(sees(99) && sees(104) && sees(109));
        assert!(!sees(100) && !sees(105) && !sees(110) && !sees(500));
        assert!(Visibility::parse_snapshot("1:2").is_none());
        assert!(Visibility::parse_snapshot("1:2:x").is_none());
    }
}
