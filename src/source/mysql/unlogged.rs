//! Transactions that a MySQL server counts as executed and that its log never tells: `gtid_next` with
//! `sql_log_bin = 0`, or numbers added to `gtid_purged`. Whoever waits for the log to come to what is executed
//! would wait for them for ever.
//!
//! ```text
//!  asked now and then:  gtid_executed, then where the log ends  ─┐
//!  the stream:          … passes that end ───────────────────────┴─► what it lacks of it never comes
//! ```
//! A number is executed after it is in the log; so in this order, and exact.

use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::session::Address;
use super::{committed, witness};
use crate::change::{GtidSet, Position};
use crate::error::{Error, ErrorKind, Result};

/// Between two questions: so long a chunk may wait in vain.
const PAUSE: Duration = Duration::from_secs(3);
/// Pause after one that failed: whoever reads the log says so when the server is away.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(10);

/// Where in a server's binlog files a reader is.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub(super) file: String,
    offset: u64,
}

impl Place {
    /// The beginning of a file.
    pub(super) fn begin(file: Option<String>) -> Self {
        Self { file: file.unwrap_or_default(), offset: 0 }
    }

    /// An event ends there; 0: it is in no file. (Numbers have 32 bits: in a larger file they begin anew, which is
    /// never further than the reader is.)
    pub(super) fn reach(&mut self, offset: u32) {
        if offset > 0 {
            self.offset = offset.into();
        }
    }

    fn is_behind(&self, other: &Self) -> bool {
        self.file == other.file && self.offset >= other.offset
            || witness::is_older(&other.file, &self.file)
    }
}

/// What was executed when the log ended at a place, or before.
#[derive(Debug)]
struct End {
    executed: GtidSet,
    place: Place,
}

/// Asks the server while its log is read. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Unlogged {
    asking: JoinHandle<()>,
    answers: mpsc::Receiver<End>,
    /// What the stream has not passed yet.
    awaited: Option<End>,
}

impl Drop for Unlogged {
    fn drop(&mut self) {
        self.asking.abort();
    }
}

impl Unlogged {
    pub(super) fn new(address: Address) -> Self {
        // One at a time: the next is asked for when the stream has passed the last.
        let (answer, answers) = mpsc::channel(1);
        Self { asking: tokio::spawn(ask(address, answer)), answers, awaited: None }
    }

    /// The reader has come to a place between two transactions, and has read all of `read`: what was executed
    /// before the log came there, if some of that is not in it.
    pub(super) fn passed(&mut self, place: &Place, read: &GtidSet) -> Option<GtidSet> {
        let end = match self.awaited.take() {
            Some(end) => end,
            None => self.answers.try_recv().ok()?,
        };
        if !place.is_behind(&end.place) {
            self.awaited = Some(end);
            return None;
        }
        (!read.covers(&end.executed)).then_some(end.executed)
    }
}

async fn ask(address: Address, answer: mpsc::Sender<End>) {
    let mut connection = None;
    loop {
        tokio::time::sleep(PAUSE).await;
        // Nobody needs a second answer before the first was taken.
        let Ok(free) = answer.reserve().await else { return };
        match end(&address, &mut connection).await {
            Ok(end) => free.send(end),
            Err(error) => {
                let (source, error) = (address.source(), error.chain());
                tracing::debug!(source, error, "could not ask what was executed");
                connection = None;
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

async fn end(address: &Address, connection: &mut Option<Conn>) -> Result<End> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => address.connect().await?,
    };
    let Position::Gtids(executed) = committed::end_of_log(address, &mut open).await? else {
        return Err(Error::new(ErrorKind::Bug, "a MariaDB is asked for what it never logged"));
    };
    // The name it has from MySQL 8.2 on, and the one before.
    let mut said: std::result::Result<Option<mysql_async::Row>, _> =
        open.query_first("SHOW BINARY LOG STATUS").await;
    if said.is_err() {
        said = open.query_first("SHOW MASTER STATUS").await;
    }
    let row = said.map_err(|error| address.explain(error, "could not read where the log ends"))?;
    let place = row.and_then(|row| Some((row.get::<String, _>(0)?, row.get::<u64, _>(1)?)));
    let (file, offset) =
        place.ok_or_else(|| Error::new(ErrorKind::Setup, "the server keeps no binlog"))?;
    *connection = Some(open);
    Ok(End { executed, place: Place { file, offset } })
}
