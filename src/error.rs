//! One error type for the whole crate: what failed, where, why, and what to do about it.
//!
//! It does not decide about retries: each loop asks [`ErrorKind`] through its own policy.

mod first_use;

use std::error::Error as StdError;
use std::fmt;

pub use first_use::FirstUse;

/// Shorthand used by every module.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What class a failure belongs to. The class decides the exit code and the loops' reaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The command line was wrong.
    Usage,
    /// The configuration, a mapping or another operator's file was wrong.
    Config,
    /// A system could not be reached, or went away; trying again may help.
    Unreachable,
    /// A system was reached and is not set up as we need it; a person must act.
    Setup,
    /// Changes of a source are lost or could be lost: only a re-copy mends it.
    Gap,
    /// The source sent something that could not be read.
    Decode,
    /// The target refused a row.
    Rejected,
    /// The ledger failed (disk full, damaged, in use).
    Ledger,
    /// The store failed.
    Store,
    /// Something we hold to be impossible happened: a bug in Trueup.
    Bug,
}

impl ErrorKind {
    /// The process exit code for this kind, after `sysexits.h`.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::Usage => 64,
            ErrorKind::Decode => 65,
            ErrorKind::Unreachable => 69,
            ErrorKind::Bug => 70,
            ErrorKind::Ledger | ErrorKind::Store => 74,
            ErrorKind::Config | ErrorKind::Setup => 78,
            ErrorKind::Gap | ErrorKind::Rejected => 1,
        }
    }
}

/// What SQLite, DuckDB and the system say when a disk is full, or somebody's share of it.
const NO_ROOM: [&str; 3] =
    ["database or disk is full", "No space left on device", "Disk quota exceeded"];
/// The remedy then.
const ABOUT_ROOM: &str = "free disk space in the state folder (`df -h`): a running daemon goes on by \
                          itself, sources keep their logs meanwhile, and nothing is lost";

/// A failure for people: `what` says what failed and which thing, `hint` says what to do.
#[derive(Debug)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    what: String,
    hint: Option<String>,
    cause: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// `what`: lowercase, no full stop, what failed and which thing.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        let inner = Inner { kind, what: what.into(), hint: None, cause: None };
        Self { inner: Box::new(inner) }
    }

    /// The underlying failure; its text is shown after ours, never pasted into `what`.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.cause = Some(cause.into());
        self
    }

    /// The remedy, imperative; SQL where it is SQL.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint = Some(hint.into());
        self
    }

    /// The class of this failure.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The remedy, if one is known.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        if self.is_about_room() { Some(ABOUT_ROOM) } else { self.inner.hint.as_deref() }
    }

    /// True if ledger or store have no room on their disk. Whatever was being done then, there is one
    /// remedy.
    #[must_use]
    pub fn is_about_room(&self) -> bool {
        let said = || self.chain();
        matches!(self.inner.kind, ErrorKind::Ledger | ErrorKind::Store)
            && NO_ROOM.iter().any(|words| said().contains(words))
    }

    /// `what` and every cause on one line, without the remedy.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.inner.what.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.what)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.cause.as_deref().map(|cause| cause as &(dyn StdError + 'static))
    }
}

/// Adds what and which thing to a foreign error on its way up.
pub trait Context<T> {
    /// Wraps the error, if any, as `kind` with the text of `what`.
    ///
    /// # Errors
    /// The wrapped error.
    fn context(self, kind: ErrorKind, what: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> Context<T> for std::result::Result<T, E> {
    fn context(self, kind: ErrorKind, what: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| Error::new(kind, what()).caused_by(cause))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_one_remedy() {
        let other = || std::io::Error::other("malformed");
        let os = || std::io::Error::from_raw_os_error(28);
        let ledger = |cause| Error::new(ErrorKind::Ledger, "could not write x").caused_by(cause);
        assert_eq!(ledger(os()).hint("restore it").remedy(), Some(ABOUT_ROOM));
        assert_eq!(ledger(other()).hint("restore it").remedy(), Some("restore it"));
        let target = Error::new(ErrorKind::Unreachable, "could not apply").caused_by(os());
        assert_eq!(target.remedy(), None, "it is not our disk");
    }
}
