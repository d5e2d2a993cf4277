//! The journal of a stopped daemon, only looked at: where each source and its copy stood.

use std::path::Path;

use super::copies::CopyProgress;
use super::journal::segment_paths;
use super::segment::{Segment, first_seq_of};
use crate::change::Position;
use crate::error::Result;

/// What the newest segment says; nothing if there is none.
#[derive(Debug)]
pub struct Glance {
    newest: Option<Segment>,
    /// The last entry.
    pub last_seq: u64,
}

impl Glance {
    /// Looks into the journal in `folder`; writes nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`](crate::error::ErrorKind::Ledger) if a segment cannot be read.
    pub fn at(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            return Ok(Self { newest: None, last_seq: 0 });
        }
        let Some(path) = segment_paths(folder)?.pop() else {
            return Ok(Self { newest: None, last_seq: 0 });
        };
        let before = first_seq_of(&path).unwrap_or(1).saturating_sub(1);
        let segment = Segment::open_reader(path)?;
        let last_seq = segment.last_seq()?.unwrap_or(before);
        Ok(Self { newest: Some(segment), last_seq })
    }

    /// Up to where `source` is journaled; `None` if it never was.
    ///
    /// # Errors
    /// As [`Glance::at`].
    pub fn position(&self, source: &str) -> Result<Option<Position>> {
        let reached = self.newest.as_ref().map_or(Ok(None), |segment| segment.reached(source))?;
        Ok(reached.map(|reached| reached.position))
    }

    /// How far the copies of `source` are journaled.
    ///
    /// # Errors
    /// As [`Glance::at`].
    pub fn copies(&self, source: &str) -> Result<Vec<CopyProgress>> {
        self.newest.as_ref().map_or(Ok(Vec::new()), |segment| segment.copies(source))
    }
}
