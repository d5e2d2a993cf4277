//! What the last transaction before a position looked like in the log. A server whose data folder
//! was put back from a copy reaches its old positions a second time, with other transactions: what
//! ends there tells.
//!
//! The log is read again from where the slot stands, which is before the ledger's position only if
//! the server did not keep the last confirmation: after a crash, or after a restore. Pure.

use std::fmt;
use std::str::FromStr;

use crate::change::Position;
use crate::error::{Error, ErrorKind, Result};

/// A transaction as its Begin and Commit messages describe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Witness {
    /// Where the log continues after it.
    pub(super) end: u64,
    /// Its top-level transaction id, the lower 32 bits.
    pub(super) xid: u32,
    /// When it committed: microseconds since 2000-01-01, as PostgreSQL counts.
    pub(super) committed: i64,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.end, self.xid, self.committed)
    }
}

impl FromStr for Witness {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let mut parts = text.split(' ');
            let witness = Self {
                end: parts.next()?.parse().ok()?,
                xid: parts.next()?.parse().ok()?,
                committed: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(witness)
        };
        parse().ok_or_else(|| {
            Error::new(ErrorKind::Ledger, format!("`{text}` is not the witness of a position"))
        })
    }
}

/// Holds a log, from the slot's position on, against what was read of it before.
#[derive(Debug)]
pub(super) struct Recognition {
    /// The ledger's position.
    position: u64,
    /// The last transaction before it; `None` if there never was one.
    last: Option<Witness>,
    /// That one is still to come.
    is_awaited: bool,
}

/// What the log turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is not read as far as it was yet.
    Open,
    /// It is the one that was read.
    Same,
    /// It is another one; why.
    Other(String),
}

impl Recognition {
    /// `confirmed`: where the slot stands, from which on the log is read.
    pub(super) fn new(position: u64, last: Option<Witness>, confirmed: u64) -> Self {
        let is_awaited = last.is_some_and(|last| last.end > confirmed);
        Self { position, last, is_awaited }
    }

    /// A transaction with something for us in it.
    pub(super) fn transaction(&mut self, found: Witness) -> Verdict {
        if found.end > self.position {
            return self.nothing_before(found.end);
        }
        match self.last {
            // Read before it.
            Some(last) if found.end < last.end => Verdict::Open,
            Some(last) if found == last => {
                self.is_awaited = false;
                Verdict::Open
            }
            Some(last) if found.end == last.end => Verdict::Other(format!(
                "at {} ends another transaction ({}) than the one we read there ({})",
                Position::Lsn(found.end),
                found.xid,
                last.xid
            )),
            _ => Verdict::Other(format!(
                "at {} ends a transaction ({}) that was not there when we read it",
                Position::Lsn(found.end),
                found.xid
            )),
        }
    }

    /// Nothing more comes that ends before `end`.
    pub(super) fn nothing_before(&self, end: u64) -> Verdict {
        match self.last {
            Some(last) if self.is_awaited && end >= last.end => Verdict::Other(format!(
                "the transaction ({}) that we read up to {} is not there",
                last.xid,
                Position::Lsn(last.end)
            )),
            _ if end >= self.position => Verdict::Same,
            _ => Verdict::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn witness(end: u64, xid: u32) -> Witness {
        Witness { end, xid, committed: -5 }
    }

    #[test]
    fn a_witness_is_what_its_text_says() {
        let written = witness(u64::MAX, 42);
        assert_eq!(written.to_string().parse::<Witness>().unwrap(), written);
        for text in ["", "1 2", "1 2 3 4", "x 2 3", "1 -2 3", "1  2 3"] {
            assert!(text.parse::<Witness>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_same_log_is_recognized() {
        let last = witness(90, 9);
        // The slot is behind the last transaction: it comes, others before it, and then more.
        let mut log = Recognition::new(100, Some(last), 50);
        assert_eq!(log.nothing_before(60), Verdict::Open);
        assert_eq!(log.transaction(witness(70, 7)), Verdict::Open);
        assert_eq!(log.transaction(last), Verdict::Open);
        assert_eq!(log.nothing_before(99), Verdict::Open);
        assert_eq!(log.nothing_before(100), Verdict::Same);
        let mut busy = Recognition::new(90, Some(last), 50);
        assert_eq!(busy.transaction(last), Verdict::Open);
        assert_eq!(busy.transaction(witness(101, 10)), Verdict::Same);
        // The slot is past the last transaction, or there never was one.
        for last in [Some(last), None] {
            let mut log = Recognition::new(100, last, 95);
            assert_eq!(log.transaction(witness(101, 10)), Verdict::Same);
            assert_eq!(log.nothing_before(100), Verdict::Same);
        }
    }

    #[test]
    fn another_log_is_told_by_what_ends_where() {
        let last = witness(90, 9);
        let is_other = |verdict| matches!(verdict, Verdict::Other(_));
        let log = || Recognition::new(100, Some(last), 50);
        assert!(is_other(log().transaction(witness(90, 10))), "another one at its place");
        let later = Witness { committed: 5, ..last };
        assert!(is_other(log().transaction(later)), "the same number at another time");
        assert!(is_other(log().transaction(witness(91, 9))), "one where there was none");
        assert!(is_other(log().transaction(witness(101, 9))), "it is left out");
        assert!(is_other(log().nothing_before(90)), "it is left out");
        let mut past = Recognition::new(100, Some(last), 95);
        assert!(is_other(past.transaction(witness(97, 10))), "written where nothing was");
        let mut fresh = Recognition::new(100, None, 95);
        assert!(is_other(fresh.transaction(witness(97, 10))), "written where nothing was");
    }
}
