//! Where in a server's binlog files a reader is.

use mysql_async::binlog::events::Event as RawEvent;

use super::witness;

/// A place that moves with what is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) offset: u64,
}

impl Place {
    /// Where a ROTATE event says that the log goes on.
    pub(super) fn named(rotate: &RawEvent) -> Self {
        let offset = rotate.data().first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        let file = witness::file_named(rotate).unwrap_or_default();
        Self { file, offset: offset.unwrap_or_default() }
    }

    /// An event ends there; 0: it is in no file. Numbers have 32 bits: in a larger file they begin anew.
    pub(super) fn reach(&mut self, end: u32) {
        const TURN: u64 = 1 << 32;
        if end > 0 {
            let reached = self.offset / TURN * TURN + u64::from(end);
            self.offset = if reached < self.offset { reached + TURN } else { reached };
        }
    }

    pub(super) fn is_behind(&self, other: &Self) -> bool {
        self.file == other.file && self.offset >= other.offset
            || witness::is_older(&other.file, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_file_of_more_than_four_gigabytes_is_known() {
        let mut place = Place { file: "log.000007".to_owned(), offset: 4 };
        for (end, offset) in [
            (126, 126),
            (0, 126),
            (u32::MAX, (1 << 32) - 1),
            (70, (1 << 32) + 70),
            (70, (1 << 32) + 70),
            (90, (1 << 32) + 90),
            (3, (2 << 32) + 3),
        ] {
            place.reach(end);
            assert_eq!(place.offset, offset, "{end}");
        }
        let at = |file: &str, offset| Place { file: file.to_owned(), offset };
        assert!(
            place.is_behind(&at("log.000007", 2 << 32))
                && place.is_behind(&at("log.000006", 9 << 32))
        );
        assert!(
            !place.is_behind(&at("log.000007", 3 << 32)) && !place.is_behind(&at("log.000008", 4))
        );
    }
}
