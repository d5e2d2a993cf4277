//! What the two servers that share this room do differently. A closed list: whoever asks must answer
//! for both.

use mysql_async::Sid;

use crate::change::{GtidSet, Position};
use crate::config::SourceKind;
use crate::error::{Context, Error, ErrorKind, Result};

/// Which of the two a source is, by its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// MariaDB 10.6 or later.
    Mariadb,
    /// MySQL 8.0 or later.
    Mysql,
}

impl Dialect {
    /// Of a source in this room.
    #[must_use]
    pub fn of(kind: SourceKind) -> Self {
        match kind {
            SourceKind::Mysql => Dialect::Mysql,
            SourceKind::Mariadb | SourceKind::Postgres => Dialect::Mariadb,
        }
    }

    /// As people write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Mariadb => "MariaDB",
            Dialect::Mysql => "MySQL",
        }
    }

    /// Statements that pin a session, one per `;` at a line's end.
    pub(super) fn session(self) -> &'static str {
        match self {
            Dialect::Mariadb => include_str!("../../../sql/source/mysql/session.sql"),
            Dialect::Mysql => include_str!("../../../sql/source/mysql/session_of_mysql.sql"),
        }
    }

    /// The settings that the rules are about.
    pub(super) fn settings(self) -> &'static str {
        match self {
            Dialect::Mariadb => include_str!("../../../sql/source/mysql/settings.sql"),
            Dialect::Mysql => include_str!("../../../sql/source/mysql/settings_of_mysql.sql"),
        }
    }

    /// Where the log ends, as the server spells positions.
    pub(super) fn log_end(self) -> &'static str {
        match self {
            Dialect::Mariadb => "SELECT @@GLOBAL.gtid_binlog_pos",
            Dialect::Mysql => "SELECT @@GLOBAL.gtid_executed",
        }
    }

    /// A position as the server spells it.
    pub(super) fn position(self, text: &str) -> Result<Position> {
        let spelled = match self {
            Dialect::Mariadb => format!("gtid:{text}"),
            Dialect::Mysql => format!("gtids:{text}"),
        };
        spelled.parse().map_err(|_| {
            let what = format!("the server says `{text}` for a position of its log");
            Error::new(ErrorKind::Decode, what)
        })
    }
}

/// What a MySQL server is told that we have.
pub(super) fn sids(set: &GtidSet) -> Result<Vec<Sid<'static>>> {
    let text = set.to_string();
    let parts = text.split(',').filter(|part| !part.is_empty());
    parts
        .map(|part| part.parse())
        .collect::<std::result::Result<_, _>>()
        .context(ErrorKind::Bug, || format!("the client takes {text} for no GTIDs"))
}
