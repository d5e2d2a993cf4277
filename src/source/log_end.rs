//! Where a source's log ends now, and how much of it the server keeps for us.

use super::{mysql, postgres};
use crate::change::Position;
use crate::error::Result;

/// A session that looks at the end of a source's log.
pub enum LogEnd {
    /// PostgreSQL.
    Postgres(Box<postgres::LogEnd>),
    /// MariaDB.
    Mysql(Box<mysql::LogEnd>),
}

impl std::fmt::Debug for LogEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogEnd").finish_non_exhaustive()
    }
}

impl LogEnd {
    /// Where the log ends now, as a position of the kind by which it is `read`, if it is.
    ///
    /// # Errors
    /// The connection broke: open another.
    pub async fn look(&mut self, read: Option<&Position>) -> Result<Position> {
        match self {
            LogEnd::Postgres(session) => session.look().await,
            LogEnd::Mysql(session) => session.look(read).await,
        }
    }

    /// Bytes of log that the server keeps because we have not confirmed them; `None` if it keeps
    /// its log by its own rules (MariaDB), or nothing of ours is there.
    ///
    /// # Errors
    /// As [`LogEnd::look`].
    pub async fn retained(&mut self) -> Result<Option<u64>> {
        match self {
            LogEnd::Postgres(session) => session.retained().await,
            LogEnd::Mysql(_) => Ok(None),
        }
    }
}
