//! How we open SQLite files: write-ahead log, every commit on disk before it returns.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Context, ErrorKind, Result};

/// Another connection of ours may be checkpointing; nobody else opens these files.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a file for reading and writing, making it when it is not there.
pub(super) fn open(path: &Path) -> Result<Connection> {
    let what = || format!("could not open {}", path.display());
    let connection = Connection::open(path).context(ErrorKind::Ledger, what)?;
    connection.busy_timeout(BUSY_TIMEOUT).context(ErrorKind::Ledger, what)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = \
                4000;",
        )
        .context(ErrorKind::Ledger, what)?;
    Ok(connection)
}

/// Opens a file that is to be renamed: all of it in one file, no write-ahead log beside it.
pub(super) fn open_whole(path: &Path) -> Result<Connection> {
    let what = || format!("could not open {}", path.display());
    let connection = Connection::open(path).context(ErrorKind::Ledger, what)?;
    connection
        .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL;")
        .context(ErrorKind::Ledger, what)?;
    Ok(connection)
}

/// Opens an existing file for reading.
pub(super) fn open_reader(path: &Path) -> Result<Connection> {
    let what = || format!("could not open {} for reading", path.display());
    // Read-write at the file level: a reader of a WAL database needs the shared-memory file.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).context(ErrorKind::Ledger, what)?;
    connection.busy_timeout(BUSY_TIMEOUT).context(ErrorKind::Ledger, what)?;
    connection.execute_batch("PRAGMA query_only = ON;").context(ErrorKind::Ledger, what)?;
    Ok(connection)
}
