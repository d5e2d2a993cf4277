//! What the last transaction before a position looked like in the log. A server that was restored
//! from a backup, or crashed without `sync_binlog`, issues the numbers of the transactions it lost
//! a second time, for others: only their bytes tell.
//!
//! A witness names a place in a binlog file and a digest of the events there. It is made while the
//! log is read, and held against the file before it is read again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use mysql_async::binlog::BinlogChecksumAlg;
use mysql_async::binlog::events::Event as RawEvent;
use mysql_async::prelude::Queryable;
use mysql_async::{BinlogStream, BinlogStreamRequest, Conn};
use sha2::{Digest, Sha256};

use super::event::{self, Event, FLAG_ARTIFICIAL, HEARTBEAT, kind};
use super::gtid;
use super::session::Address;
use crate::error::{Error, ErrorKind, Result};

/// Of a large transaction only its beginning is kept in mind: it is read again at each connect.
const BYTES_MAX: u64 = 1 << 20;
/// CRC-32 of any message with its own CRC-32 appended (the residue of IEEE 802.3, complemented).
const CRC32_OF_WHAT_ENDS_WITH_ITS_CRC32: u32 = 0x2144_DF1C;
/// A server that sends nothing for so long is not there any more.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// A transaction as it stands in a binlog file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) file: String,
    /// Where in the file it begins.
    pub(super) offset: u32,
    /// How many bytes of its events, without their checksums, `digest` covers.
    bytes: u64,
    /// SHA-256 of them, hexadecimal.
    digest: String,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}+{} {}", self.file, self.offset, self.bytes, self.digest)
    }
}

impl FromStr for Witness {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (place, digest) = text.rsplit_once(' ')?;
            let (file, place) = place.rsplit_once(':')?;
            let (offset, bytes) = place.split_once('+')?;
            Some(Self {
                file: file.to_owned(),
                offset: offset.parse().ok()?,
                bytes: bytes.parse().ok()?,
                digest: digest.to_owned(),
            })
        };
        parse().ok_or_else(|| {
            Error::new(ErrorKind::Ledger, format!("`{text}` is not the witness of a position"))
        })
    }
}

/// A witness in the making.
#[derive(Debug)]
pub(super) struct Testimony {
    file: String,
    offset: u32,
    bytes: u64,
    digest: Sha256,
}

impl Testimony {
    /// Begins with the first event of a transaction; `None` if its place is not known.
    pub(super) fn begin(file: &str, frame: &Bytes) -> Option<Self> {
        let offset = event::offset(&event_of(frame))?;
        if file.is_empty() {
            return None;
        }
        let (file, digest) = (file.to_owned(), Sha256::new());
        let mut testimony = Self { file, offset, bytes: 0, digest };
        testimony.add(frame);
        Some(testimony)
    }

    /// The next event of it.
    pub(super) fn add(&mut self, frame: &Bytes) {
        if self.bytes < BYTES_MAX {
            let event = event_of(frame);
            self.bytes += event.len() as u64;
            self.digest.update(event);
        }
    }

    pub(super) fn finish(self) -> Witness {
        let Self { file, offset, bytes, digest } = self;
        let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Witness { file, offset, bytes, digest }
    }
}

/// The binlog file that a ROTATE event names.
pub(super) fn file_named(rotate: &RawEvent) -> Option<String> {
    let name = rotate.data().get(8..)?;
    // The first one of a connection comes before it is known whether events carry a checksum.
    let crc32 = BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32;
    let is_taken_off = matches!(rotate.footer().get_checksum_alg(), Ok(Some(alg)) if alg == crc32);
    let has_sum = !is_taken_off && rotate.calc_checksum(crc32) == CRC32_OF_WHAT_ENDS_WITH_ITS_CRC32;
    let name = if has_sum { name.get(..name.len().checked_sub(4)?)? } else { name };
    String::from_utf8(name.to_vec()).ok()
}

/// A frame without its kind.
fn event_of(frame: &Bytes) -> Bytes {
    frame.slice(1.min(frame.len())..)
}

/// Why the log of the server is not the one that the witness saw; `None` if it is, or if the file
/// is purged by now.
pub(super) async fn contradiction(address: &Address, witness: &Witness) -> Result<Option<String>> {
    let mut connection = address.connect().await?;
    let explain = |error| address.explain(error, "could not read the list of binlogs");
    let files: Vec<mysql_async::Row> =
        connection.query("SHOW BINARY LOGS").await.map_err(explain)?;
    let files: Vec<String> = files.iter().filter_map(|row| row.get(0)).collect();
    if !files.contains(&witness.file) {
        let oldest = files.first().map(String::as_str).unwrap_or_default();
        return Ok(match is_older(&witness.file, oldest) {
            true => None,
            false => Some(format!("it has no binlog {} any more, and none after it", witness.file)),
        });
    }
    let Some(found) = read(address, connection, witness).await? else {
        let what = format!("its binlog {} does not reach to {}", witness.file, witness.offset);
        return Ok(Some(what));
    };
    if found == *witness {
        return Ok(None);
    }
    Ok(Some(format!(
        "at {} of its binlog {} stands another transaction than the one we read there",
        witness.offset, witness.file
    )))
}

/// True if a binlog of this name was written before `other`, and is gone because it was purged.
pub(super) fn is_older(name: &str, other: &str) -> bool {
    let parts = |name: &str| {
        let (base, number) = name.rsplit_once('.')?;
        Some((base.to_owned(), number.parse::<u64>().ok()?))
    };
    match (parts(name), parts(other)) {
        (Some((base, number)), Some((other_base, other))) => base == other_base && number < other,
        _ => false,
    }
}

/// What stands where the witness saw something, as far as it saw it; `None` if the file ends before.
async fn read(
    address: &Address,
    mut connection: Conn,
    witness: &Witness,
) -> Result<Option<Witness>> {
    let explain =
        |error| address.explain(error, format!("could not read the binlog {}", witness.file));
    let setup = format!(
        "SET @mariadb_slave_capability = 4, @master_heartbeat_period = {}",
        HEARTBEAT.as_nanos()
    );
    connection.query_drop(setup).await.map_err(explain)?;
    let request = BinlogStreamRequest::new(rand::random::<u32>() | 0x4000_0000)
        .with_hostname(b"trueup")
        .with_filename(witness.file.as_bytes())
        .with_pos(u64::from(witness.offset));
    let mut log = match connection.get_binlog_stream(request).await {
        Ok(log) => log,
        Err(error) if is_beyond_the_end(&error) => return Ok(None),
        Err(error) => return Err(explain(error)),
    };
    let found = gather(&mut log, witness).await;
    log.close().await.unwrap_or_default();
    match found {
        Ok(found) => Ok(found),
        Err(error) if is_beyond_the_end(&error) => Ok(None),
        Err(error) => Err(explain(error)),
    }
}

/// The next event of a log that is read beside the stream; `None` at its end.
pub(super) async fn next_event(
    log: &mut BinlogStream,
) -> std::result::Result<Option<RawEvent>, mysql_async::Error> {
    let silence = |_| {
        let what = "not even a heartbeat came";
        mysql_async::Error::from(std::io::Error::new(std::io::ErrorKind::TimedOut, what))
    };
    let read = tokio::time::timeout(SILENCE_MAX, log.next()).await.map_err(silence)?;
    read.transpose()
}

async fn gather(
    log: &mut BinlogStream,
    witness: &Witness,
) -> std::result::Result<Option<Witness>, mysql_async::Error> {
    let mut testimony: Option<Testimony> = None;
    // Bytes of events that the client unpacked from another: not as they stand in the file.
    let mut unpacked = 0_u64;
    loop {
        let Some(raw) = next_event(log).await? else { return Ok(None) };
        let frame = event::frame(&raw);
        let Some(event) = Event::parse(&event_of(&frame)) else { return Ok(None) };
        if unpacked > 0 {
            unpacked = unpacked.saturating_sub(u64::from(raw.header().event_size()));
            continue;
        }
        if event.kind == kind::TRANSACTION_PAYLOAD {
            unpacked = gtid::payload_bytes(&event).unwrap_or_default();
        }
        let is_ours = event.flags & FLAG_ARTIFICIAL == 0
            && !matches!(event.kind, kind::FORMAT_DESCRIPTION | kind::START_ENCRYPTION);
        if matches!(event.kind, kind::HEARTBEAT | kind::HEARTBEAT_V2) {
            return Ok(None);
        }
        if !is_ours {
            continue;
        }
        match &mut testimony {
            // From MariaDB 11.4 on, events within a transaction do not say where they are.
            Some(testimony) => testimony.add(&frame),
            None if event::offset(&event_of(&frame)).is_some_and(|at| at >= witness.offset) => {
                testimony = Testimony::begin(&witness.file, &frame);
            }
            None => {}
        }
        if let Some(testimony) = testimony.take_if(|so_far| so_far.bytes >= witness.bytes) {
            return Ok(Some(testimony.finish()));
        }
    }
}

/// The server's words for a place that is not in its log.
fn is_beyond_the_end(error: &mysql_async::Error) -> bool {
    matches!(error, mysql_async::Error::Server(error) if error.code == 1236)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_is_what_its_text_says() {
        let witness = Witness {
            file: "the log:1.000003".to_owned(),
            offset: 4711,
            bytes: 812,
            digest: "00ff".to_owned(),
        };
        assert_eq!(witness.to_string().parse::<Witness>().unwrap(), witness);
        for text in ["", "binlog.000001:4+5", "binlog.000001:x+5 00", "4+5 00"] {
            assert!(text.parse::<Witness>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_purged_file_is_older_than_those_that_are_there() {
        assert!(is_older("log.000009", "log.000010"));
        assert!(is_older("log.999999", "log.1000000"));
        for (name, oldest) in
            [("log.000010", "log.000009"), ("old.000001", "log.000009"), ("log", "log")]
        {
            assert!(!is_older(name, oldest), "{name} {oldest}");
        }
    }
}
