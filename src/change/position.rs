//! Where in a source's log we are, and which transaction wrote a change.
//!
//! Positions are compared only as whole transactions by commit end: never skip on the position
//! of a single change. Positions of different kinds do not compare; that is an error, not
//! `false`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::binlog_place::BinlogPlace;
use super::gtid_set::{GtidSet, Tsid, parse_gtid};
use crate::error::{Error, ErrorKind, Result};

/// The end of a whole transaction in a source's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Position {
    /// PostgreSQL: a WAL position, written `lsn:16/B374D848`.
    Lsn(u64),
    /// MariaDB: the last transaction per replication domain, written `gtid:0-1-42,1-1-7`.
    Gtid(BTreeMap<u32, Gtid>),
    /// MySQL: all transactions that were executed, written `gtids:uuid:1-5`.
    Gtids(GtidSet),
    /// MySQL without GTIDs: a place in its binlog files, written `file:uuid/binlog.000012:4711`.
    File(BinlogPlace),
}

/// How far a log is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Everything up to here.
    pub position: Position,
    /// What the last transaction there looked like, where positions alone do not tell one log from
    /// another: a text of the source's own.
    pub witness: Option<String>,
}

impl From<Position> for Reached {
    fn from(position: Position) -> Self {
        Self { position, witness: None }
    }
}

/// A MariaDB global transaction id without its domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gtid {
    /// The server that wrote it first.
    pub server: u32,
    /// Counts up within the domain.
    pub sequence: u64,
}

impl Position {
    /// True if everything up to `other` lies at or before `self`.
    ///
    /// # Errors
    /// [`ErrorKind::Bug`] if the two are of different kinds.
    pub fn covers(&self, other: &Position) -> Result<bool> {
        match (self, other) {
            (Position::Lsn(mine), Position::Lsn(theirs)) => Ok(mine >= theirs),
            (Position::Gtid(mine), Position::Gtid(theirs)) => Ok(theirs
                .iter()
                .all(|(domain, t)| mine.get(domain).is_some_and(|m| m.sequence >= t.sequence))),
            (Position::Gtids(mine), Position::Gtids(theirs)) => Ok(mine.covers(theirs)),
            (Position::File(mine), Position::File(theirs)) => Ok(mine.covers(theirs)),
            _ => Err(Error::new(
                ErrorKind::Bug,
                format!("positions {self} and {other} are of different kinds"),
            )),
        }
    }
}

impl Position {
    /// True if the transaction lies at or before it; `None` if such transactions have other positions.
    #[must_use]
    pub fn includes(&self, id: TransactionId) -> Option<bool> {
        match (self, id) {
            (Position::Gtid(domains), TransactionId::Gtid(domain, gtid)) => {
                Some(domains.get(&domain).is_some_and(|upto| gtid.sequence <= upto.sequence))
            }
            (Position::Gtids(set), TransactionId::Tagged(tsid, number)) => {
                Some(set.contains(&tsid, number))
            }
            // It begins before a place between two transactions: so it ends before it, too.
            (Position::File(upto), TransactionId::Begun { server, number, offset }) => {
                let lies_before = (number, offset) < (upto.number, upto.offset);
                (server == upto.server).then_some(lies_before)
            }
            _ => None,
        }
    }

    /// The position after this transaction, the next in the log. One that has other positions changes
    /// nothing, nor does one that is known by where it begins.
    pub fn advance(&mut self, id: TransactionId) {
        match (self, id) {
            (Position::Gtid(domains), TransactionId::Gtid(domain, gtid)) => {
                domains.insert(domain, gtid);
            }
            (Position::Gtids(set), TransactionId::Tagged(tsid, number)) => {
                set.insert(tsid, number, number);
            }
            _ => {}
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Position::Lsn(lsn) => write!(f, "lsn:{:X}/{:X}", lsn >> 32, lsn & 0xffff_ffff),
            Position::Gtid(domains) => {
                f.write_str("gtid:")?;
                for (index, (domain, gtid)) in domains.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{domain}-{}-{}", gtid.server, gtid.sequence)?;
                }
                Ok(())
            }
            Position::Gtids(set) => write!(f, "gtids:{set}"),
            Position::File(place) => write!(f, "file:{place}"),
        }
    }
}

impl FromStr for Position {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::new(ErrorKind::Ledger, format!("`{text}` is not a position"));
        if let Some(lsn) = text.strip_prefix("lsn:") {
            return parse_lsn(lsn).map(Position::Lsn).ok_or_else(bad);
        }
        if let Some(set) = text.strip_prefix("gtids:") {
            return set.parse().map(Position::Gtids).map_err(|()| bad());
        }
        if let Some(place) = text.strip_prefix("file:") {
            return place.parse().map(Position::File).map_err(|()| bad());
        }
        let list = text.strip_prefix("gtid:").ok_or_else(bad)?;
        parse_gtids(list).map(Position::Gtid).ok_or_else(bad)
    }
}

/// Reads PostgreSQL's own spelling, `16/B374D848`.
#[must_use]
pub fn parse_lsn(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let high = u32::from_str_radix(high, 16).ok()?;
    let low = u32::from_str_radix(low, 16).ok()?;
    Some(u64::from(high) << 32 | u64::from(low))
}

/// Reads MariaDB's own spelling, `0-1-42,1-1-7`; the empty text is the empty position.
#[must_use]
pub fn parse_gtids(text: &str) -> Option<BTreeMap<u32, Gtid>> {
    let mut domains = BTreeMap::new();
    for gtid in text.split(',').map(str::trim).filter(|gtid| !gtid.is_empty()) {
        let mut parts = gtid.splitn(3, '-');
        let domain = parts.next()?.parse().ok()?;
        let server = parts.next()?.parse().ok()?;
        let sequence = parts.next()?.parse().ok()?;
        domains.insert(domain, Gtid { server, sequence });
    }
    Some(domains)
}

impl From<Position> for String {
    fn from(position: Position) -> Self {
        position.to_string()
    }
}

impl TryFrom<String> for Position {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// Which transaction wrote a change, as visibility is decided by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionId {
    /// PostgreSQL: the top-level transaction id, widened to 64 bits.
    Xid(u64),
    /// MariaDB: domain and global transaction id.
    Gtid(u32, Gtid),
    /// MySQL: who numbered it, and the number.
    Tagged(Tsid, u64),
    /// MySQL without GTIDs: where in the server's binlog files it begins.
    Begun {
        /// The server's.
        server: Uuid,
        /// The file's number.
        number: u64,
        /// Bytes of the file before it.
        offset: u64,
    },
}

impl From<&BinlogPlace> for TransactionId {
    fn from(place: &BinlogPlace) -> Self {
        let BinlogPlace { server, number, offset, .. } = place;
        TransactionId::Begun { server: *server, number: *number, offset: *offset }
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TransactionId::Xid(xid) => write!(f, "xid:{xid}"),
            TransactionId::Gtid(domain, gtid) => {
                write!(f, "gtid:{domain}-{}-{}", gtid.server, gtid.sequence)
            }
            TransactionId::Tagged(tsid, number) => write!(f, "gtids:{tsid}:{number}"),
            TransactionId::Begun { server, number, offset } => {
                write!(f, "file:{server}:{number}:{offset}")
            }
        }
    }
}

impl FromStr for TransactionId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = match text.split_once(':') {
            Some(("xid", xid)) => xid.parse().ok().map(TransactionId::Xid),
            Some(("gtid", gtid)) => parse_gtids(gtid)
                .and_then(|list| list.into_iter().next())
                .map(|(domain, gtid)| TransactionId::Gtid(domain, gtid)),
            Some(("gtids", gtid)) => {
                parse_gtid(gtid).map(|(tsid, number)| TransactionId::Tagged(tsid, number))
            }
            Some(("file", place)) => parse_begun(place),
            _ => None,
        };
        parsed.ok_or_else(|| {
            Error::new(ErrorKind::Store, format!("`{text}` is not a transaction id"))
        })
    }
}

/// Reads `uuid:12:4711`.
fn parse_begun(text: &str) -> Option<TransactionId> {
    let (place, offset) = text.rsplit_once(':')?;
    let (server, number) = place.rsplit_once(':')?;
    let (number, offset) = (number.parse().ok()?, offset.parse().ok()?);
    Some(TransactionId::Begun { server: Uuid::parse_str(server).ok()?, number, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_survive_their_text() {
        for text in [
            "lsn:16/B374D848",
            "gtid:0-1-42,7-2-9",
            "gtid:",
            "gtids:",
            "gtids:3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7",
            "file:3e11fa47-71ca-11e1-9e33-c80aa9429562/binlog.000012:4711",
        ] {
            assert_eq!(text.parse::<Position>().unwrap().to_string(), text);
        }
        for text in ["", "lsn:", "lsn:zz/1", "gtid:1-2", "16/B3"] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }

    #[test]
    fn positions_cover_by_domain_and_never_across_kinds() {
        let at = |text: &str| text.parse::<Position>().unwrap();
        assert!(at("lsn:0/20").covers(&at("lsn:0/20")).unwrap());
        assert!(!at("lsn:0/1F").covers(&at("lsn:0/20")).unwrap());
        assert!(at("gtid:0-1-5,1-1-9").covers(&at("gtid:0-2-5")).unwrap());
        assert!(!at("gtid:0-1-5").covers(&at("gtid:1-1-1")).unwrap());
        assert!(at("lsn:0/1").covers(&at("gtid:")).is_err());
    }

    #[test]
    fn a_place_includes_what_begins_before_it_on_its_own_server_and_knows_nothing_of_others() {
        let server = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
        let here: Position = format!("file:{server}/binlog.000012:500").parse().unwrap();
        let includes = |text: String| {
            let id: TransactionId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
            here.includes(id)
        };
        for (place, is_in) in
            [("11:900", true), ("12:499", true), ("12:500", false), ("13:4", false)]
        {
            assert_eq!(includes(format!("file:{server}:{place}")), Some(is_in), "{place}");
        }
        assert_eq!(includes("file:9c11fa47-71ca-11e1-9e33-c80aa9429562:11:4".to_owned()), None);
        assert_eq!(includes(format!("gtids:{server}:7")), None);
        assert!(here.covers(&"gtids:".parse().unwrap()).is_err());
    }
}
