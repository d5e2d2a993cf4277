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
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::committed;
use super::following::{self, Following};
use super::place::Place;
use super::session::Address;
use crate::change::{GtidSet, Position};
use crate::error::{Error, ErrorKind, Result};

/// Between two questions: so long a chunk may wait in vain.
const PAUSE: Duration = Duration::from_secs(3);
/// Pause after one that failed: whoever reads the log says so when the server is away.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(10);

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
    let end = committed::end_of_log(address, &mut open, Following::Gtids).await?;
    let Position::Gtids(executed) = end else {
        return Err(Error::new(ErrorKind::Bug, "a MariaDB is asked for what it never logged"));
    };
    let (file, offset) = following::log_status(address, &mut open).await?;
    *connection = Some(open);
    Ok(End { executed, place: Place { file, offset } })
}
