//! MySQL's sets of global transaction ids: who wrote, and which numbers. Pure.
//!
//! Written as the server does: `uuid:1-5:7,uuid:tag:1-3`, ends included.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The longest tag, by MySQL's documentation.
const TAG_BYTES_MAX: usize = 32;

/// Who numbered a transaction: a server and, from MySQL 8.3 on, perhaps a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tsid {
    /// The server's.
    pub uuid: Uuid,
    tag: [u8; TAG_BYTES_MAX],
}

impl Tsid {
    /// `None` if the tag is none (`[a-z_][a-z0-9_]{0,31}`); the empty one is no tag.
    #[must_use]
    pub fn new(uuid: Uuid, text: &str) -> Option<Self> {
        let is_inner =
            |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit();
        if text.starts_with(|first: char| first.is_ascii_digit()) || !text.bytes().all(is_inner) {
            return None;
        }
        let mut tag = [0; TAG_BYTES_MAX];
        tag.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { uuid, tag })
    }

    /// The tag, empty if there is none.
    #[must_use]
    pub fn tag(&self) -> &str {
        let end = self.tag.iter().position(|byte| *byte == 0).unwrap_or(TAG_BYTES_MAX);
        // ASCII by construction.
        self.tag.get(..end).and_then(|tag| std::str::from_utf8(tag).ok()).unwrap_or_default()
    }
}

impl fmt::Display for Tsid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tag() {
            "" => write!(f, "{}", self.uuid),
            tag => write!(f, "{}:{tag}", self.uuid),
        }
    }
}

/// Reads `uuid:7` or `uuid:tag:7`. No transaction has the number 0.
#[must_use]
pub fn parse_gtid(text: &str) -> Option<(Tsid, u64)> {
    let (tsid, number) = text.rsplit_once(':')?;
    let (uuid, tag) = tsid.split_once(':').unwrap_or((tsid, ""));
    let number = number.parse().ok().filter(|number| *number > 0)?;
    Some((Tsid::new(Uuid::parse_str(uuid).ok()?, tag)?, number))
}

/// A set of global transaction ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GtidSet {
    /// First and last of each unbroken run, in order, none touching the next.
    runs: BTreeMap<Tsid, Vec<(u64, u64)>>,
}

impl GtidSet {
    /// Puts in a run of numbers, ends included.
    pub fn insert(&mut self, tsid: Tsid, first: u64, last: u64) {
        if first > last {
            return;
        }
        let runs = self.runs.entry(tsid).or_default();
        // Nearly always the number after the last one.
        if let Some((_, end)) = runs.last_mut()
            && end.checked_add(1) == Some(first)
        {
            *end = last;
            return;
        }
        let begin = runs.partition_point(|(_, end)| end.saturating_add(1) < first);
        let end = runs.partition_point(|(start, _)| *start <= last.saturating_add(1));
        let touched = runs.get(begin..end).unwrap_or_default();
        let low = touched.first().map_or(first, |(start, _)| first.min(*start));
        let high = touched.last().map_or(last, |(_, end)| last.max(*end));
        runs.splice(begin..end.max(begin), [(low, high)]);
    }

    /// Whether a transaction is in it.
    #[must_use]
    pub fn contains(&self, tsid: &Tsid, number: u64) -> bool {
        self.contains_run(tsid, number, number)
    }

    fn contains_run(&self, tsid: &Tsid, first: u64, last: u64) -> bool {
        let Some(runs) = self.runs.get(tsid) else { return false };
        let after = runs.partition_point(|(start, _)| *start <= first);
        let before = after.checked_sub(1).and_then(|place| runs.get(place));
        before.is_some_and(|(_, end)| last <= *end)
    }

    /// Whether all of `other` is in it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|(tsid, first, last)| self.contains_run(&tsid, first, last))
    }

    /// Puts in all of `other`.
    pub fn extend(&mut self, other: &Self) {
        other.iter().for_each(|(tsid, first, last)| self.insert(tsid, first, last));
    }

    /// Every run, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Tsid, u64, u64)> {
        let of = |(tsid, runs): (&Tsid, &Vec<(u64, u64)>)| {
            let tsid = *tsid;
            runs.clone().into_iter().map(move |(first, last)| (tsid, first, last))
        };
        self.runs.iter().flat_map(of)
    }

    /// How many transactions there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.iter().fold(0, |sum, (_, first, last)| sum.saturating_add(last - first + 1))
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (tsid, runs)) in self.runs.iter().enumerate() {
            write!(f, "{}{tsid}", if place == 0 { "" } else { "," })?;
            for (first, last) in runs {
                match first == last {
                    true => write!(f, ":{first}")?,
                    false => write!(f, ":{first}-{last}")?,
                }
            }
        }
        Ok(())
    }
}

/// Reads the server's spelling, in which a tag stands before its runs, and line breaks between
/// servers.
impl FromStr for GtidSet {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut set = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let mut words = part.split(':').map(str::trim);
            let uuid = words.next().and_then(|uuid| Uuid::parse_str(uuid).ok()).ok_or(())?;
            let mut tsid = Tsid::new(uuid, "").ok_or(())?;
            for word in words {
                if !word.starts_with(|first: char| first.is_ascii_digit()) {
                    tsid = Tsid::new(uuid, word).filter(|tsid| !tsid.tag().is_empty()).ok_or(())?;
                    continue;
                }
                let (first, last) = word.split_once('-').unwrap_or((word, word));
                let (first, last): (u64, u64) =
                    first.parse().ok().zip(last.parse().ok()).ok_or(())?;
                if first == 0 || first > last {
                    return Err(());
                }
                set.insert(tsid, first, last);
            }
        }
        Ok(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const B: &str = "9c11fa47-71ca-11e1-9e33-c80aa9429562";

    fn set(text: &str) -> GtidSet {
        text.parse().unwrap()
    }

    #[test]
    fn sets_survive_their_text() {
        for text in ["", &format!("{A}:1-5:7,{A}:blue:1-3,{B}:9")] {
            assert_eq!(set(text).to_string(), text);
        }
        // As servers write it.
        let spelled = format!("{}:1-5:7:blue:1-3:9,\n{B}:9", A.to_uppercase());
        assert_eq!(set(&spelled).to_string(), format!("{A}:1-5:7,{A}:blue:1-3:9,{B}:9"));
        let garbage = [
            "x".to_owned(),
            format!("{A}:0"),
            format!("{A}:5-4"),
            format!("{A}:Blue:1"),
            format!("{A}:{}:1", "b".repeat(33)),
        ];
        for text in garbage {
            assert!(text.parse::<GtidSet>().is_err(), "{text}");
        }
    }

    #[test]
    fn tags_are_other_numberings() {
        let all = set(&format!("{A}:1-5,{A}:blue:2"));
        let (tsid, number) = parse_gtid(&format!("{A}:blue:2")).unwrap();
        assert_eq!((tsid.to_string(), tsid.tag(), number), (format!("{A}:blue"), "blue", 2));
        assert!(all.contains(&tsid, 2) && !all.contains(&tsid, 3) && all.count() == 6);
        let (plain, _) = parse_gtid(&format!("{A}:2")).unwrap();
        assert!(all.contains(&plain, 5) && !all.contains(&plain, 6));
    }

    proptest! {
        #[test]
        fn a_set_is_what_was_put_in(runs in vec((1_u64..60, 0_u64..6), 0..30), more in 1_u64..70) {
            let (tsid, _) = parse_gtid(&format!("{A}:1")).unwrap();
            let mut set = GtidSet::default();
            let mut model = BTreeSet::new();
            for (first, length) in runs {
                set.insert(tsid, first, first + length);
                model.extend(first..=first + length);
            }
            for number in 0..80 {
                prop_assert_eq!(set.contains(&tsid, number), model.contains(&number));
            }
            prop_assert_eq!(set.count(), model.len() as u64);
            prop_assert_eq!(&set.to_string().parse::<GtidSet>().unwrap(), &set);
            let mut larger = set.clone();
            larger.insert(tsid, more, more);
            prop_assert!(larger.covers(&set));
            prop_assert_eq!(set.covers(&larger), model.contains(&more));
            let runs: Vec<_> = set.iter().collect();
            prop_assert!(runs.windows(2).all(|two| two[0].2 + 1 < two[1].1));
        }
    }
}
