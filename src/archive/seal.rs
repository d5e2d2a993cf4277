//! Makes a seal: its files and its manifest, then the word in the ledger, then its place.
//!
//! A seal that the ledger knows is complete, wherever a crash left it; one that it does not know is
//! thrown away and made again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::Archive;
use super::manifest::{self, FORMAT, FileSeal, Manifest, file_name, word};
use super::write::ParquetFile;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::ledger::seal::Seal;
use crate::store::Reader;
use crate::store::export::{Export, Part};

/// Where a seal is made.
pub(super) const MAKING: &str = ".new";

/// Makes a seal, if one is due and there is anything new.
pub(super) fn seal(
    archive: &Archive,
    reader: &Reader,
    last: Option<&Seal>,
    waited: Duration,
    cancel: &CancellationToken,
) -> Result<Option<Seal>> {
    let now = Timestamp::now();
    let made = reader.snapshot(|connection| {
        let export = Export::of(connection)?;
        if !is_due(&export, last, waited, archive.every, now) {
            return Ok(None);
        }
        make(archive, &export, last, now, cancel).map(Some)
    })?;
    let Some(made) = made else { return Ok(None) };
    crate::failpoint::reach("before-seal-noted");
    archive.ledger.note_seal(&made)?;
    crate::failpoint::reach("after-seal-noted");
    put_in_place(archive)?;
    tracing::info!(folder = %made.folder, events = made.event_upto, "sealed");
    Ok(Some(made))
}

/// By time, or because an entity has become ready: its rows are in no event, and the seal is the
/// only place outside the store that knows them.
fn is_due(
    export: &Export<'_>,
    last: Option<&Seal>,
    waited: Duration,
    every: Duration,
    now: Timestamp,
) -> bool {
    let Some(last) = last else {
        return export.mark.batch > 0 && (!export.ready.is_empty() || waited >= every);
    };
    let age = now.as_microsecond().saturating_sub(last.at_micros);
    let is_old = u128::try_from(age).is_ok_and(|age| age >= every.as_micros());
    let is_more = export.ready.iter().any(|entity| !last.entities.contains(entity));
    export.mark.batch > last.batch_upto && (is_old || is_more)
}

fn make(
    archive: &Archive,
    export: &Export<'_>,
    last: Option<&Seal>,
    now: Timestamp,
    cancel: &CancellationToken,
) -> Result<Seal> {
    let batch_after = last.map_or(0, |last| last.batch_upto);
    let mark = export.mark;
    let name = free_name(&archive.folder, &format!("{}-{}", now.strftime("%Y-%m-%d"), mark.batch));
    let folder = fresh(&archive.folder, &name)?;
    let mut files = Vec::new();
    let known = last.map(|last| last.entities.as_slice()).unwrap_or_default();
    for part in export.parts(batch_after, known) {
        files.push(write(export, &part, &folder, cancel)?);
    }
    let manifest = Manifest {
        format: FORMAT,
        install: archive.ledger.install().to_string(),
        sealed_at: now,
        batch_after,
        batch_upto: mark.batch,
        event_upto: mark.event_sequence,
        previous: last.map(|last| last.digest.clone()),
        files,
    };
    let text = serde_json::to_vec_pretty(&manifest)
        .context(ErrorKind::Bug, || "could not write a manifest".to_owned())?;
    put(&folder.join(manifest::NAME), &text)?;
    sync(&folder)?;
    Ok(Seal {
        batch_upto: mark.batch,
        batch_after,
        event_upto: mark.event_sequence,
        at_micros: now.as_microsecond(),
        folder: name,
        entities: export.ready.iter().cloned().collect(),
        digest: manifest::digest(&text),
    })
}

fn write(
    export: &Export<'_>,
    part: &Part,
    folder: &Path,
    cancel: &CancellationToken,
) -> Result<FileSeal> {
    let name = file_name(part.kind, &part.entity);
    let path = folder.join(&name);
    let file = export.read(
        part,
        |schema| ParquetFile::create(&path, schema),
        |file, rows| {
            if cancel.is_cancelled() {
                return Err(Error::new(ErrorKind::Unreachable, "the daemon ends"));
            }
            file.write(rows)
        },
    )?;
    let written = file.finish()?;
    Ok(FileSeal {
        name,
        kind: word(part.kind).to_owned(),
        entity: part.entity.clone(),
        rows: written.rows,
        bytes: written.bytes,
        sha256: written.sha256,
    })
}

/// Puts a seal that the ledger knows in its place, if it is not there; clears what else was being
/// made.
pub(super) fn put_in_place(archive: &Archive) -> Result<()> {
    let making = archive.folder.join(MAKING);
    if !making.is_dir() {
        return Ok(());
    }
    let what = || format!("could not put a seal in its place in {}", archive.folder.display());
    if let Some(last) = archive.ledger.last_seal()? {
        let (made, place) = (making.join(&last.folder), archive.folder.join(&last.folder));
        if made.is_dir() {
            fs::rename(&made, &place).context(ErrorKind::Ledger, what)?;
            sync(&archive.folder)?;
        }
    }
    fs::remove_dir_all(&making).context(ErrorKind::Ledger, what)
}

/// A name that no folder has: a ledger from a backup counts over the same batches again.
fn free_name(archive: &Path, name: &str) -> String {
    let others = (2..).map(|number| format!("{name}-{number}"));
    let mut names = std::iter::once(name.to_owned()).chain(others);
    names.find(|name| !archive.join(name).exists()).unwrap_or_default()
}

/// An empty folder to make a seal in.
fn fresh(archive: &Path, name: &str) -> Result<PathBuf> {
    let folder = archive.join(MAKING).join(name);
    let what = || format!("could not make {}", folder.display());
    fs::create_dir_all(&folder).context(ErrorKind::Ledger, what)?;
    Ok(folder)
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    let run = || -> std::io::Result<()> {
        let mut file = File::create_new(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    run().context(ErrorKind::Ledger, || format!("could not write {}", path.display()))
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> Result<()> {
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.context(ErrorKind::Ledger, || format!("could not sync {}", folder.display()))
}
