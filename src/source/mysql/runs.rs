//! Which of a MySQL server's runs wrote the log that is still to be read. What a setting was in a run that
//! began and ended while nobody looked is not known any more: the log tells when a run began, and nothing
//! of settings.
//!
//! ```text
//!  binlog files:  … 7 ──► 8 (a start) ──► 9 ──► 10 (a start) ──► 11
//!                   ▲ read up to here  └ a run unseen ┘  └ the run by now, whose settings it tells
//! ```
//! It reads the head of each file that holds something not read yet, from the newest back.

use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest};

use super::event::{self, Event, HEARTBEAT, kind};
use super::gtid::{self, GtidEvent};
use super::reader::Reader;
use super::session::Address;
use super::witness;
use crate::change::{BinlogPlace, GtidSet, Position};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of the server's version in a FORMAT_DESCRIPTION.
const VERSION_BYTES: usize = 50;

/// How a binlog file begins.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    /// Seconds since 1970 at which the run began that this file begins with; 0: it goes on from the file before.
    started_at_secs: u64,
    /// What all files before it hold.
    before: GtidSet,
    /// A transaction follows at once.
    has_begun: bool,
}

/// The last run that began and ended in the log after `read`, if it wrote anything: when it began. One of which
/// anything was read is none of them: whoever read that knew the run, or doubted it then.
pub(super) async fn unknown(address: &Address, read: &Position) -> Result<Option<String>> {
    let mut connection = address.connect().await?;
    let explain = |error| address.explain(error, "could not read the list of binlogs");
    let files: Vec<mysql_async::Row> =
        connection.query("SHOW BINARY LOGS").await.map_err(explain)?;
    connection.disconnect().await.unwrap_or_default();
    let files: Vec<String> = files.iter().filter_map(|row| row.get(0)).collect();
    match read {
        Position::Gtids(read) => by_numbers(address, &files, read).await,
        Position::File(read) => by_place(address, &files, read).await,
        Position::Lsn(_) | Position::Gtid(_) => Ok(None),
    }
}

/// The same where the log was read up to a place: none of what lies in later files was seen.
async fn by_place(
    address: &Address,
    files: &[String],
    read: &BinlogPlace,
) -> Result<Option<String>> {
    let (mut is_over, mut has_written) = (false, false);
    for file in files.iter().rev() {
        let begin = BinlogPlace::new(read.server, file, 0);
        if begin.is_none_or(|begin| begin.number <= read.number) {
            break;
        }
        // (Whether the run by now has written anything is nobody's question.)
        let head = head(address, file, is_over).await?;
        has_written |= head.has_begun;
        if head.started_at_secs > 0 {
            if is_over && has_written {
                return Ok(Some(head.started_at_secs.to_string()));
            }
            (is_over, has_written) = (true, false);
        }
    }
    Ok(None)
}

async fn by_numbers(address: &Address, files: &[String], read: &GtidSet) -> Result<Option<String>> {
    let mut later: Option<Head> = None;
    for file in files.iter().rev() {
        let head = head(address, file, false).await?;
        let is_oldest = read.covers(&head.before);
        if head.started_at_secs > 0 {
            if later.is_some_and(|later| is_unseen(&head.before, &later.before, read)) {
                return Ok(Some(head.started_at_secs.to_string()));
            }
            later = Some(head);
        }
        if is_oldest {
            break;
        }
    }
    Ok(None)
}

/// Whether a run wrote something, of which nothing was read: `before` it the log held one set, at its end
/// `after`.
fn is_unseen(before: &GtidSet, after: &GtidSet, read: &GtidSet) -> bool {
    let written = after.count().saturating_sub(before.count());
    let mut known = before.clone();
    known.extend(read);
    let known_count = known.count();
    known.extend(after);
    written > 0 && known.count() - known_count == written
}

/// `to_its_end`: whether a transaction follows is asked, too.
async fn head(address: &Address, file: &str, to_its_end: bool) -> Result<Head> {
    let explain = |error| address.explain(error, format!("could not read the binlog {file}"));
    let mut connection = address.connect().await?;
    let setup = format!("SET @master_heartbeat_period = {}", HEARTBEAT.as_nanos());
    connection.query_drop(setup).await.map_err(explain)?;
    let request = BinlogStreamRequest::new(rand::random::<u32>() | 0x4000_0000)
        .with_hostname(b"trueup")
        .with_filename(file.as_bytes())
        .with_pos(4);
    let mut log = connection.get_binlog_stream(request).await.map_err(explain)?;
    let found = gather(&mut log, to_its_end).await;
    log.close().await.unwrap_or_default();
    found.map_err(explain)?.ok_or_else(|| {
        Error::new(ErrorKind::Decode, format!("could not read how the binlog {file} begins"))
    })
}

/// `None` if the file does not begin as it should.
async fn gather(
    log: &mut BinlogStream,
    to_its_end: bool,
) -> std::result::Result<Option<Head>, mysql_async::Error> {
    let mut head: Option<Head> = None;
    let mut started_at_secs = None;
    loop {
        let Some(raw) = witness::next_event(log).await? else { return Ok(head) };
        let frame = event::frame(&raw);
        let Some(event) = Event::parse(&frame.slice(1..)) else { return Ok(None) };
        match event.kind {
            number if GtidEvent::is_one(number) => {
                return Ok(head.map(|head| Head { has_begun: true, ..head }));
            }
            // The file, or by now the log, ends.
            _ if head.is_some() => return Ok(head),
            kind::ROTATE => {}
            kind::FORMAT_DESCRIPTION => started_at_secs = run(&event),
            kind::PREVIOUS_GTIDS => {
                let before = gtid::previous_gtids(&event);
                let Some((started_at_secs, before)) = started_at_secs.zip(before) else {
                    return Ok(None);
                };
                head = Some(Head { started_at_secs, before, has_begun: false });
                if !to_its_end {
                    return Ok(head);
                }
            }
            _ => return Ok(None),
        }
    }
}

/// When the run began that a FORMAT_DESCRIPTION is the first event of; 0: it is another one's.
fn run(event: &Event) -> Option<u64> {
    let mut reader = Reader(&event.body);
    reader.take(2 + VERSION_BYTES)?;
    reader.u32().map(u64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_unseen_as_long_as_nothing_of_it_was_read() {
        let set = |text: &str| -> GtidSet {
            let uuid = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
            if text.is_empty() {
                GtidSet::default()
            } else {
                format!("{uuid}:{text}").parse().unwrap()
            }
        };
        let unseen = |read| is_unseen(&set("1-10"), &set("1-20"), &set(read));
        assert!(unseen("") && unseen("1-5") && unseen("1-10"));
        // Numbers of somebody else's, which no file of the run holds, are not of the run.
        assert!(unseen("1-10:900"));
        assert!(!unseen("1-11") && !unseen("1-20") && !unseen("1-25") && !unseen("1-5:15"));
        assert!(!is_unseen(&set("1-10"), &set("1-10"), &set("1-5")), "it wrote nothing");
    }
}
