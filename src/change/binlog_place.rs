//! A place in the binlog files of one MySQL server, for those without GTIDs. Pure.
//!
//! Written `uuid/binlog.000012:4711`. The server numbers its files upwards; those of another server, or
//! of another name, are another log: no place in one lies before a place in the other.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// Digits of a file's number, at least.
const DIGITS: usize = 6;

/// Between two transactions of a log, or where one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinlogPlace {
    /// The server's.
    pub server: Uuid,
    /// The file's name without its number.
    base: String,
    /// The file's number.
    pub number: u64,
    /// Bytes of the file before it.
    pub offset: u64,
}

impl BinlogPlace {
    /// `None` if a binlog has no such name.
    #[must_use]
    pub fn new(server: Uuid, file: &str, offset: u64) -> Option<Self> {
        let (base, number) = file.rsplit_once('.')?;
        let number: u64 = number.parse().ok()?;
        let place = Self { server, base: base.to_owned(), number, offset };
        (place.file() == file).then_some(place)
    }

    /// The file's name.
    #[must_use]
    pub fn file(&self) -> String {
        format!("{}.{:0DIGITS$}", self.base, self.number)
    }

    /// Whether one of the two lies before the other, or they are one.
    #[must_use]
    pub fn is_of_the_log_of(&self, other: &Self) -> bool {
        self.server == other.server && self.base == other.base
    }

    /// Whether everything before `other` lies before it, too.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.is_of_the_log_of(other) && (self.number, self.offset) >= (other.number, other.offset)
    }
}

impl fmt::Display for BinlogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.server, self.file(), self.offset)
    }
}

impl FromStr for BinlogPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parse = || {
            let (server, place) = text.split_once('/')?;
            let (file, offset) = place.rsplit_once(':')?;
            Self::new(Uuid::parse_str(server).ok()?, file, offset.parse().ok()?)
        };
        parse().ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "9c11fa47-71ca-11e1-9e33-c80aa9429562";

    fn place(text: &str) -> BinlogPlace {
        text.parse().unwrap()
    }

    #[test]
    fn places_survive_their_text() {
        for text in
            ["/binlog.000012:4711", "/the log:1/x.y.1000000:0", "/.000001:18446744073709551615"]
        {
            let text = format!("{A}{text}");
            assert_eq!(place(&text).to_string(), text);
        }
        for garbage in ["", "/binlog.000012:4", "x/binlog.000012:4"] {
            assert!(garbage.parse::<BinlogPlace>().is_err(), "{garbage}");
        }
        for garbage in ["binlog:4", "binlog.12:4", "binlog.0000012:4", "binlog.000012:-4", "b.x:4"]
        {
            assert!(format!("{A}/{garbage}").parse::<BinlogPlace>().is_err(), "{garbage}");
        }
    }

    #[test]
    fn places_are_in_order_within_one_log_and_in_none_across_two() {
        let covers = |mine: &str, theirs: &str| place(mine).covers(&place(theirs));
        let of = |server: &str, rest: &str| format!("{server}/{rest}");
        let ordered = ["log.000009:900", "log.000010:4", "log.000010:5", "log.1000000:4"];
        for (first, mine) in ordered.iter().enumerate() {
            for (second, theirs) in ordered.iter().enumerate() {
                assert_eq!(
                    covers(&of(A, mine), &of(A, theirs)),
                    first >= second,
                    "{mine} {theirs}"
                );
                assert!(!covers(&of(A, mine), &of(B, theirs)));
            }
        }
        assert!(!covers(&of(A, "log.000010:4"), &of(A, "old.000009:4")));
    }
}
