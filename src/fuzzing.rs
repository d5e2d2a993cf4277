//! The doors of the fuzz targets: one per decoder, each takes any bytes and asserts what must hold.
//!
//! They are compiled for tests and under `cfg(fuzzing)`, which cargo-fuzz sets, and are no part of what is
//! shipped. A door may look into private modules through a `fuzzing` module that lies beside them. It says
//! `true` if the bytes were accepted, so that a test can tell that a seed reaches what it is for.

mod entry;
mod log;
mod text;

#[cfg(test)]
mod tests;

pub use crate::ledger::fuzzing::outbox;
pub use crate::serve::pgwire::fuzzing::{sql_parameter, sql_statement};
pub use crate::source::mysql::fuzzing::{
    binlog_mariadb, binlog_mysql, gtid, json, rows, statement,
};
pub use crate::source::postgres::fuzzing::{copy_text, pgoutput, relation};
pub use entry::{entry, tuple};
pub(crate) use log::{decodes_in_pieces, is_within};
pub(crate) use text::same_again;
pub use text::{config, digest, mapping, position};

/// A target's door.
pub type Door = fn(&[u8]) -> bool;

/// Every target by name, as in `fuzz/targets`.
pub const DOORS: [(&str, Door); 18] = [
    ("binlog_mariadb", binlog_mariadb),
    ("binlog_mysql", binlog_mysql),
    ("config", config),
    ("copy_text", copy_text),
    ("digest", digest),
    ("entry", entry),
    ("gtid", gtid),
    ("json", json),
    ("mapping", mapping),
    ("outbox", outbox),
    ("pgoutput", pgoutput),
    ("position", position),
    ("relation", relation),
    ("rows", rows),
    ("sql_parameter", sql_parameter),
    ("sql_statement", sql_statement),
    ("statement", statement),
    ("tuple", tuple),
];

/// An input that is taken apart: what cannot be cut out is taken to be there as far as it goes, so that
/// nothing of an input is wasted.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte, 0 at the end.
    pub(crate) fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or_default()
    }

    /// A length of two bytes, big-endian, and that many bytes.
    pub(crate) fn piece(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()) << 8 | usize::from(self.byte());
        let (piece, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        piece
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
