//! What a seal says about itself: `seal.json`, beside its files. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::store::export::Kind;

/// The manifest's name in the seal's folder.
pub(super) const NAME: &str = "seal.json";
/// The format that this version writes.
pub(super) const FORMAT: u32 = 1;

/// A seal's own account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// The install that made it.
    pub(super) install: String,
    pub(super) sealed_at: Timestamp,
    /// The batches in it are those after `batch_after` up to `batch_upto`.
    pub(super) batch_after: u64,
    pub(super) batch_upto: u64,
    /// The last event of these and all earlier batches.
    pub(super) event_upto: u64,
    /// SHA-256 of the manifest of the seal before it; `None` for the first.
    pub(super) previous: Option<String>,
    pub(super) files: Vec<FileSeal>,
}

/// A file of a seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileSeal {
    pub(super) name: String,
    /// `event`, `history` or `canon`.
    pub(super) kind: String,
    /// The entity; empty for events.
    pub(super) entity: String,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The word for a kind of file.
pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Event => "event",
        Kind::History => "history",
        Kind::Canon => "canon",
    }
}

/// The kind of file that a word names.
pub(super) fn kind(word: &str) -> Option<Kind> {
    [Kind::Event, Kind::History, Kind::Canon].into_iter().find(|kind| self::word(*kind) == word)
}

/// The name of a file in a seal's folder.
pub(super) fn file_name(kind: Kind, entity: &str) -> String {
    match kind {
        Kind::Event => "event.parquet".to_owned(),
        _ => format!("{entity}.{}.parquet", word(kind)),
    }
}

/// A digest as it is written.
pub(super) fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of some bytes.
pub(super) fn digest(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_what_its_word_says() {
        for one in [Kind::Event, Kind::History, Kind::Canon] {
            assert_eq!(kind(word(one)), Some(one));
        }
        assert_eq!(kind("rows"), None);
        assert_eq!(file_name(Kind::Event, ""), "event.parquet");
        assert_eq!(file_name(Kind::Canon, "worker"), "worker.canon.parquet");
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            digest(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
