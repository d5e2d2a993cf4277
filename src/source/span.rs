//! Which part of a table a chunk is read from, and how a part is divided: plain data.

use crate::change::Cell;
use crate::change::condition::Condition;

/// A part of a table, in the order of its key as the server has it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span<'a> {
    /// The key after which it begins; `None`: with the first row.
    pub after: Option<&'a [Cell]>,
    /// The key with which it ends; `None`: with the last row.
    pub upto: Option<&'a [Cell]>,
    /// Its rows that are wanted; `None`: all.
    pub only: Option<&'a Condition>,
}

/// What a key is compared with: a key, or the beginning of one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound<'a> {
    After(&'a [Cell]),
    UpTo(&'a [Cell]),
    Before(&'a [Cell]),
}

impl<'a> Bound<'a> {
    /// The cells, and how a key is compared with them.
    pub(super) fn parts(self) -> (&'a [Cell], &'static str) {
        match self {
            Bound::After(cells) => (cells, ">"),
            Bound::UpTo(cells) => (cells, "<="),
            Bound::Before(cells) => (cells, "<"),
        }
    }
}

/// Which key of several is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    First,
    Last,
}

impl Edge {
    /// How the keys are sorted, so that it comes first.
    pub(super) fn order(self) -> &'static str {
        match self {
            Edge::First => "",
            Edge::Last => " DESC",
        }
    }
}

impl<'a> Span<'a> {
    pub(super) fn bounds(self) -> impl Iterator<Item = Bound<'a>> {
        self.after.map(Bound::After).into_iter().chain(self.upto.map(Bound::UpTo))
    }
}
