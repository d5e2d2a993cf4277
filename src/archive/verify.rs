//! Holds the archive against the digests in the ledger.

use std::fs::File;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::manifest::{self, FORMAT, Manifest, hex};
use super::seal::MAKING;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::ledger::seal::Seal;
use crate::store::export::Kind;
use crate::store::rebuild::SealedFile;

/// What became of a seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Its folder in the archive.
    pub folder: String,
    /// The last event in it or before it.
    pub event_upto: u64,
    /// Files, by its manifest.
    pub files: usize,
    /// Rows in them.
    pub rows: u64,
    /// Why it is not what was sealed; `None` if it is.
    pub fault: Option<String>,
}

/// Reads every file of the archive and compares; changes nothing.
#[must_use]
pub fn audit(archive: &Path, seals: &[Seal]) -> Vec<Audited> {
    let mut previous = None;
    let mut audited = Vec::with_capacity(seals.len());
    for seal in seals {
        let found = examine(archive, seal, previous.as_deref());
        previous = Some(seal.digest.clone());
        let (files, rows, fault) = match found {
            Ok(manifest) => {
                (manifest.files.len(), manifest.files.iter().map(|file| file.rows).sum(), None)
            }
            Err(error) => (0, 0, Some(error.chain())),
        };
        let (folder, event_upto) = (seal.folder.clone(), seal.event_upto);
        audited.push(Audited { folder, event_upto, files, rows, fault });
    }
    audited
}

/// What a store is made anew from: events and history of all seals, oldest first, and the rows of
/// the newest.
///
/// # Errors
/// [`ErrorKind::Ledger`]: the archive is not what was sealed.
pub fn sealed_files(archive: &Path, seals: &[Seal]) -> Result<Vec<SealedFile>> {
    let mut previous = None;
    let mut files = Vec::new();
    for (place, seal) in seals.iter().enumerate() {
        let is_newest = place + 1 == seals.len();
        let manifest = examine(archive, seal, previous.as_deref())?;
        tracing::info!(folder = %seal.folder, files = manifest.files.len(), "is as sealed");
        previous = Some(seal.digest.clone());
        for file in manifest.files {
            let Some(kind) = manifest::kind(&file.kind) else { continue };
            if kind != Kind::Canon || is_newest {
                let path = folder_of(archive, seal).join(&file.name);
                files.push(SealedFile { kind, entity: file.entity, path });
            }
        }
    }
    Ok(files)
}

fn examine(archive: &Path, seal: &Seal, previous: Option<&str>) -> Result<Manifest> {
    let folder = folder_of(archive, seal);
    let path = folder.join(manifest::NAME);
    let text = std::fs::read(&path)
        .context(ErrorKind::Ledger, || format!("could not read {}", path.display()))?;
    if manifest::digest(&text) != seal.digest {
        return Err(changed(&path));
    }
    let manifest: Manifest = serde_json::from_slice(&text)
        .context(ErrorKind::Ledger, || format!("could not understand {}", path.display()))?;
    if manifest.format != FORMAT || manifest.previous.as_deref() != previous {
        let what = format!("{} does not follow the seal before it", path.display());
        return Err(Error::new(ErrorKind::Ledger, what));
    }
    for file in &manifest.files {
        let path = folder.join(&file.name);
        if digest_of(&path)? != file.sha256 {
            return Err(changed(&path));
        }
    }
    Ok(manifest)
}

/// A seal that the ledger knows may not be in its place for a moment, or after a crash.
fn folder_of(archive: &Path, seal: &Seal) -> PathBuf {
    let place = archive.join(&seal.folder);
    let made = archive.join(MAKING).join(&seal.folder);
    if !place.exists() && made.is_dir() { made } else { place }
}

fn changed(path: &Path) -> Error {
    let what = format!("{} is not what was sealed", path.display());
    Error::new(ErrorKind::Ledger, what).hint("restore it from a backup of the state folder")
}

fn digest_of(path: &Path) -> Result<String> {
    let what = || format!("could not read {}", path.display());
    let mut file = File::open(path).context(ErrorKind::Ledger, what)?;
    let mut digest = Sha256::new();
    std::io::copy(&mut file, &mut digest).context(ErrorKind::Ledger, what)?;
    Ok(hex(digest))
}
