//! East Asian character sets to UTF-8: big5, gbk, gb2312, gb18030, euckr, sjis, cp932, ujis, eucjpms.
//!
//! Which character a code is, both servers agree on, and `multibyte.txt` holds what they say; no other program's
//! tables are the same. What they make of bytes that are no code at all (old servers let them in) differs, and so
//! it does here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use super::dialect::Dialect;

/// What stands for a code without a character.
const UNKNOWN: char = '?';
/// Codes of four bytes are counted: the second and last byte have ten values, the third 126.
const FOUR_BYTES: [u32; 3] = [12_600, 1_260, 10];

/// How the codes of a set are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Two bytes, of which the first is above 7F.
    Double,
    /// As two bytes, or one: half-width kana.
    Shifted,
    /// Two bytes, or three behind 8F; half-width kana behind 8E.
    Extended,
    /// Two bytes, or four where the second is a digit.
    DoubleOrFour,
}

/// A set.
#[derive(Debug)]
pub(super) struct Multibyte {
    name: &'static str,
    shape: Shape,
    /// First bytes of codes of two.
    first: RangeInclusive<u8>,
    /// Last bytes, in order.
    last: &'static [RangeInclusive<u8>],
    /// The set that it is much like.
    base: Option<&'static str>,
    /// Read when it is first needed: most servers have no column of any such set.
    table: OnceLock<Table>,
}

/// The characters of a set.
#[derive(Debug, Default)]
struct Table {
    /// By the bytes before the last one and the last one.
    rows: BTreeMap<Vec<u8>, Box<[Option<char>; 256]>>,
    /// Codes of four bytes: the first, its character, and how many follow it.
    runs: Vec<(u32, u32, u32)>,
    /// Codes whose characters are converted back to others.
    one_way: BTreeSet<Vec<u8>>,
}

const fn set(
    name: &'static str,
    shape: Shape,
    first: RangeInclusive<u8>,
    last: &'static [RangeInclusive<u8>],
    base: Option<&'static str>,
) -> Multibyte {
    Multibyte { name, shape, first, last, base, table: OnceLock::new() }
}

static SETS: [Multibyte; 9] = [
    set("big5", Shape::Double, 0xa1..=0xf9, &[0x40..=0x7e, 0xa1..=0xfe], None),
    set("gbk", Shape::Double, 0x81..=0xfe, &[0x40..=0x7e, 0x80..=0xfe], None),
    set("gb2312", Shape::Double, 0xa1..=0xf7, &[0xa1..=0xfe], Some("gbk")),
    set("gb18030", Shape::DoubleOrFour, 0x81..=0xfe, &[0x40..=0x7e, 0x80..=0xfe], Some("gbk")),
    set("euckr", Shape::Double, 0x81..=0xfe, &[0x41..=0x5a, 0x61..=0x7a, 0x81..=0xfe], None),
    set("sjis", Shape::Shifted, 0x81..=0xfc, &[0x40..=0x7e, 0x80..=0xfc], None),
    set("cp932", Shape::Shifted, 0x81..=0xfc, &[0x40..=0x7e, 0x80..=0xfc], Some("sjis")),
    set("ujis", Shape::Extended, 0xa1..=0xfe, &[0xa1..=0xfe], None),
    set("eucjpms", Shape::Extended, 0xa1..=0xfe, &[0xa1..=0xfe], Some("ujis")),
];

/// Half-width kana.
const KANA: RangeInclusive<u8> = 0xa1..=0xdf;

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// A code: its character, if it has one, and how many bytes it takes.
    Code(Option<char>, usize),
    /// No code: one byte that counts for nothing else.
    Stray,
    /// The beginning of a code, which MySQL leaves out.
    Cut,
}

impl Multibyte {
    /// By name, as `information_schema` spells it.
    pub(super) fn of_name(name: &str) -> Option<&'static Self> {
        SETS.iter().find(|set| set.name == name)
    }

    /// Appends `bytes` as UTF-8, as the server converts them.
    pub(super) fn write_utf8(&self, bytes: &[u8], dialect: Dialect, out: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let (char, length) = match self.step(rest, dialect) {
                _ if first.is_ascii() => (char::from(*first), 1),
                Step::Code(char, length) => (char.unwrap_or(UNKNOWN), length),
                Step::Stray => (UNKNOWN, 1),
                Step::Cut => return,
            };
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    /// Whether the server makes the same bytes of their characters: then no other bytes have these.
    pub(super) fn converts_back(&self, bytes: &[u8]) -> bool {
        let one_way = &self.table().one_way;
        let mut rest = bytes;
        while let Some(first) = rest.first() {
            let length = match self.step(rest, Dialect::Mariadb) {
                _ if first.is_ascii() => 1,
                Step::Code(Some(_), length) => length,
                _ => return false,
            };
            if rest.get(..length).is_some_and(|code| one_way.contains(code)) {
                return false;
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        true
    }

    /// What bytes that do not begin with an ASCII character begin with.
    fn step(&self, bytes: &[u8], dialect: Dialect) -> Step {
        let length = self.length(bytes);
        if dialect == Dialect::Mysql && self.wants(bytes) > bytes.len() {
            return Step::Cut;
        }
        match (length, bytes) {
            (Some(length), _) => {
                let code = bytes.get(..length).unwrap_or_default();
                Step::Code(self.table().char(code), length)
            }
            // No such code: the servers look it up all the same.
            (None, [0x8f, 0, last @ 1..=0x7f, ..]) if self.shape == Shape::Extended => {
                Step::Code(Some(char::from(*last)), 3)
            }
            (None, [first, last, ..])
                if dialect == Dialect::Mysql && self.shape == Shape::Double =>
            {
                let bent = [*first, last | 0x80];
                let code = if self.name == "gb2312" { bent } else { [*first, *last] };
                Step::Code(self.table().char(&code), 2)
            }
            _ => Step::Stray,
        }
    }

    /// How many bytes MySQL wants to see of what begins so.
    fn wants(&self, bytes: &[u8]) -> usize {
        match (self.shape, bytes) {
            (Shape::Double, _) => 2,
            (Shape::Shifted, [first, ..]) if KANA.contains(first) => 1,
            (Shape::Shifted, _) => 2,
            (Shape::Extended, [0x8f, ..]) => 3,
            (Shape::Extended, [first, ..]) if *first == 0x8e || self.first.contains(first) => 2,
            (Shape::DoubleOrFour, [first, b'0'..=b'9', ..]) if self.first.contains(first) => 4,
            (Shape::DoubleOrFour, [first, ..]) if self.first.contains(first) => 2,
            _ => 1,
        }
    }

    /// The length of the code that bytes begin with, whether it has a character or not.
    fn length(&self, bytes: &[u8]) -> Option<usize> {
        let is_last = |byte: &u8| self.last.iter().any(|range| range.contains(byte));
        match (self.shape, bytes) {
            (Shape::Shifted, [first, ..]) if KANA.contains(first) => Some(1),
            (Shape::Shifted, [0xa0, ..]) => None,
            (Shape::Extended, [0x8e, last, ..]) => KANA.contains(last).then_some(2),
            (Shape::Extended, [0x8f, middle, last, ..]) => {
                (is_last(middle) && is_last(last)).then_some(3)
            }
            (Shape::DoubleOrFour, [first, b'0'..=b'9', third, b'0'..=b'9', ..]) => {
                (self.first.contains(first) && self.first.contains(third)).then_some(4)
            }
            (_, [first, last, ..]) => (self.first.contains(first) && is_last(last)).then_some(2),
            _ => None,
        }
    }

    fn table(&self) -> &Table {
        self.table.get_or_init(|| {
            let base = self.base.and_then(Self::of_name).map(Self::table);
            Table::read(self, base)
        })
    }
}

impl Table {
    fn read(set: &Multibyte, base: Option<&Table>) -> Self {
        let mut table = Table::default();
        for line in include_str!("multibyte.txt").lines() {
            let mut words = line.split(' ');
            if words.next() != Some(set.name) {
                continue;
            }
            match words.next() {
                Some("four") => table.runs = words.filter_map(run).collect(),
                Some("back") => table.one_way = words.filter_map(bytes).collect(),
                Some(prefix) => {
                    // The kana of one byte have no other before them.
                    let prefix = bytes(prefix).filter(|prefix| *prefix != [0]).unwrap_or_default();
                    let is_kana = match set.shape {
                        Shape::Shifted => prefix.is_empty(),
                        Shape::Extended => prefix == [0x8e],
                        Shape::Double | Shape::DoubleOrFour => false,
                    };
                    let last = if is_kana { std::slice::from_ref(&KANA) } else { set.last };
                    let row = table.row(&prefix, last, words, base);
                    table.rows.insert(prefix, row);
                }
                None => {}
            }
        }
        table
    }

    fn row<'a>(
        &self,
        prefix: &[u8],
        last: &[RangeInclusive<u8>],
        words: impl Iterator<Item = &'a str>,
        base: Option<&Table>,
    ) -> Box<[Option<char>; 256]> {
        let mut row = Box::new([None; 256]);
        let base = base.and_then(|base| base.rows.get(prefix));
        let mut places = last.iter().flat_map(Clone::clone).map(usize::from);
        let mut before = None;
        for word in words {
            let count = || word.get(1..).and_then(|count| count.parse().ok()).unwrap_or(0);
            let codes = word.as_bytes().chunks(4).map(hexadecimal);
            let chars: Vec<Option<char>> = match word.chars().next() {
                Some('-') => vec![None; count()],
                Some('+') => (1..=count()).map(|step| follower(before, step)).collect(),
                Some('=') => {
                    let of = |place: usize| *base?.get(place)?;
                    places.clone().take(count()).map(of).collect()
                }
                _ => codes.map(|code| code.and_then(char::from_u32)).collect(),
            };
            for char in chars {
                if let Some(slot) = places.next().and_then(|place| row.get_mut(place)) {
                    *slot = char;
                }
                before = char;
            }
        }
        row
    }

    fn char(&self, code: &[u8]) -> Option<char> {
        if let [first, second, third, fourth] = code {
            let [ones, twos, threes] = FOUR_BYTES;
            let above = |byte: &u8, least: u8| u32::from(byte.saturating_sub(least));
            let number = above(first, 0x81) * ones
                + above(second, b'0') * twos
                + above(third, 0x81) * threes
                + above(fourth, b'0');
            let after = self.runs.partition_point(|(begin, ..)| *begin <= number);
            let (begin, char, count) = self.runs.get(after.checked_sub(1)?)?;
            let step = number - begin;
            return (step < *count).then(|| char::from_u32(char + step)).flatten();
        }
        let (last, prefix) = code.split_last()?;
        *self.rows.get(prefix)?.get(usize::from(*last))?
    }
}

/// The character so many steps behind another.
fn follower(before: Option<char>, step: usize) -> Option<char> {
    let step = u32::try_from(step).ok()?;
    before.and_then(|before| char::from_u32(u32::from(before) + step))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn bytes(word: &str) -> Option<Vec<u8>> {
    word.as_bytes()
        .chunks(2)
        .map(|pair| hexadecimal(pair).and_then(|byte| u8::try_from(byte).ok()))
        .collect()
}

fn run(word: &str) -> Option<(u32, u32, u32)> {
    let mut parts = word.split(':');
    let begin = parts.next()?.parse().ok()?;
    let char = hexadecimal(parts.next()?.as_bytes())?;
    Some((begin, char, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf8(name: &str, bytes: &[u8], dialect: Dialect) -> String {
        let mut out = Vec::new();
        Multibyte::of_name(name).unwrap().write_utf8(bytes, dialect, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn codes_become_the_characters_that_the_servers_say() {
        for (name, bytes, text) in [
            ("big5", &b"a\xa4\xa4\xa4\xe5"[..], "a中文"),
            // Its last byte is a backslash.
            ("big5", b"\xb3\x5c", "許"),
            ("gbk", b"\xd6\xd0\x81\x40", "中丂"),
            ("gb2312", b"\xd6\xd0\xb9\xfa", "中国"),
            ("gb18030", b"\xd6\xd0\x94\x39\xfc\x36\x81\x30\x81\x30", "中😀\u{80}"),
            ("euckr", b"\xc7\xd1\xb1\xdb", "한글"),
            ("sjis", b"\x93\xfa\x96{\xb1~\\", "日本ｱ~\\"),
            ("cp932", b"\x87\x40\xed\x40", "①纊"),
            ("ujis", b"\xc6\xfc\x8e\xb1\x8f\xb0\xa1", "日ｱ丂"),
            ("eucjpms", b"\xad\xa1\x8f\xf3\xf3", "①ⅰ"),
        ] {
            assert_eq!(utf8(name, bytes, Dialect::Mariadb), text, "{name}");
            assert_eq!(utf8(name, bytes, Dialect::Mysql), text, "{name}");
        }
    }

    #[test]
    fn what_does_not_convert_back_is_told() {
        let back = |name, bytes: &[u8]| Multibyte::of_name(name).unwrap().converts_back(bytes);
        assert!(back("gbk", b"a\xd6\xd0") && back("sjis", b"A-1~\x81\x5f"));
        // A backslash of one byte and one of two are one character; others are there twice.
        assert!(!back("sjis", b"a\\b") && back("cp932", b"a\\b"));
        assert!(!back("cp932", b"\x87\x90") && back("cp932", b"\x81\xe0"));
        // No character, no code, half a code.
        assert!(!back("gbk", b"\xa2\xa1\xff") && !back("gbk", b"a\x81") && !back("ujis", b"\x80"));
    }
}
