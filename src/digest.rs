//! Digests of rows that come out the same on every engine: how two systems are compared without
//! moving their rows.
//!
//! ```text
//! cell ─canonical text─► len:text or N ─► row text ─md5─► two lanes of 60 bits ─Σ─► bucket digest
//! ```
//! Pure. Sums of a non-linear hash with a count, never XOR or CRC: those miss changes that repeat
//! (`reference/drift.md` §0.2). Every NULL has a mark and every text a length, so that no two rows
//! have the same row text. md5, because nearly every engine has it; it finds accidents, not forgers.

pub mod golden;
pub mod mariadb;
pub mod postgres;
pub mod store;
mod text;

use md5::{Digest as _, Md5};

/// What is compared of a column, and so how its value is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Integers and decimals: without trailing zeros.
    Number,
    /// `1` or `0`.
    Boolean,
    /// `2026-11-26`
    Date,
    /// `10:00:00.5`
    Time,
    /// `2026-11-26 10:00:00.5`, without a zone.
    Timestamp,
    /// The same in UTC.
    TimestampTz,
    /// As it is.
    Text,
    /// A moment that no type of the store holds, as text: without the offset of UTC, which not every
    /// server prints.
    Stamp,
    /// Without trailing blanks.
    Padded,
    /// Hexadecimal digits.
    Bytes,
}

impl Family {
    /// All of them.
    pub const ALL: [Family; 10] = [
        Family::Number,
        Family::Boolean,
        Family::Date,
        Family::Time,
        Family::Timestamp,
        Family::TimestampTz,
        Family::Text,
        Family::Stamp,
        Family::Padded,
        Family::Bytes,
    ];

    /// The canonical text of a value that is spelled as PostgreSQL or a mapping spells it; `None` if
    /// it is no value of the family.
    #[must_use]
    pub fn canonical(self, value: &str) -> Option<String> {
        text::canonical(self, value)
    }
}

/// What two sides hash row texts and keys with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hash {
    /// Nearly every engine has it, and it is cheap.
    #[default]
    Md5,
    /// For MySQL, which has no md5 from 9.6 on.
    Sha256,
}

/// The sum over rows. Groups: rows can be taken out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Digest {
    /// Rows.
    pub count: u64,
    /// The sums of both lanes.
    pub lanes: [u128; 2],
}

/// Rows that hold the same: canonical texts of the compared columns, and how many there are.
pub type Equals = (Vec<Option<String>>, u64);

impl Digest {
    /// Adds one row.
    pub fn add(&mut self, lanes: [u64; 2]) {
        self.count += 1;
        for (sum, lane) in self.lanes.iter_mut().zip(lanes) {
            *sum += u128::from(lane);
        }
    }
}

/// The text of a row: each cell with its length, or a mark for NULL.
#[must_use]
pub fn row_text<'a>(cells: impl IntoIterator<Item = Option<&'a str>>) -> String {
    let mut text = String::new();
    for cell in cells {
        match cell {
            None => text.push('N'),
            Some(cell) => {
                text.push_str(&cell.len().to_string());
                text.push(':');
                text.push_str(cell);
            }
        }
    }
    text
}

/// Both lanes of a row text: the first and the second 15 hexadecimal digits of its md5.
#[must_use]
pub fn lanes(row: &str) -> [u64; 2] {
    let digits = hex(row);
    let lane = |from: usize| {
        let part = digits.get(from..from + LANE_DIGITS).unwrap_or_default();
        u64::from_str_radix(part, 16).unwrap_or(0)
    };
    [lane(0), lane(LANE_DIGITS)]
}

/// The bucket of a key: the first digits of the md5 of its row text.
#[must_use]
pub fn bucket(key: &str, digits: usize) -> String {
    hex(key).chars().take(digits).collect()
}

/// Hexadecimal digits of a lane: 60 bits fit a signed 64-bit integer everywhere.
pub(crate) const LANE_DIGITS: usize = 15;

fn hex(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_have_the_same_text() {
        let rows: [&[Option<&str>]; 8] = [
            &[None, Some("")],
            &[Some(""), None],
            &[Some("N"), None],
            &[None, Some("N")],
            &[Some("1:a"), Some("b")],
            &[Some("1"), Some("a1:b")],
            &[Some("ab"), Some("c")],
            &[Some("a"), Some("bc")],
        ];
        let mut texts: Vec<String> = rows.iter().map(|row| row_text(row.iter().copied())).collect();
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), rows.len());
        assert_eq!(row_text([Some("é"), None]), "2:éN");
    }

    #[test]
    fn lanes_are_those_of_the_md5_that_everybody_knows() {
        // md5("") = d41d8cd98f00b204e9800998ecf8427e
        assert_eq!(lanes(""), [0xd41_d8cd_98f0_0b20, 0x4e9_8009_98ec_f842]);
        assert_eq!(bucket("", 2), "d4");
    }

    /// The drift that CRC and XOR miss: the same change in an even number of rows.
    #[test]
    fn changes_that_repeat_change_the_sum() {
        let digest = |rows: &[&str]| {
            let mut digest = Digest::default();
            rows.iter().for_each(|row| digest.add(lanes(row)));
            digest
        };
        let before = digest(&["1:a8", "1:b8", "1:c8", "1:d8"]);
        assert_ne!(before, digest(&["1:a9", "1:b9", "1:c8", "1:d8"]));
        assert_ne!(before, digest(&["1:a9", "1:b9", "1:c9", "1:d9"]));
        assert_eq!(before, digest(&["1:d8", "1:b8", "1:c8", "1:a8"]), "order is nothing");
        assert_ne!(digest(&["x", "x"]).lanes, digest(&[]).lanes, "twice the same is not nothing");
    }
}
