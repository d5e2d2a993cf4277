//! Which mappings are in force: kept by hash, changed by an entry of the journal.
//!
//! A batch remembers the hash of the set it was decided with, so a replay uses the same files
//! even if the operator has edited theirs. An edited set comes into force with an entry of its
//! own, whose batch evaluates everything and emits the differences.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Conform, Session};
use crate::canon::MappingSet;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::ledger::batch::Batch;
use crate::ledger::segment::{EntryKind, NewEntry};
use crate::source::entry::Control;
use crate::store::evaluate::Evaluator;

/// The set of the last batch; the configured one if there was none.
pub(super) fn in_force(conform: &Conform) -> Result<MappingSet> {
    keep(&conform.state_dir, &conform.mappings)?;
    match conform.ledger.last_batch()? {
        Some(batch) => kept(conform, &batch.mappings),
        None => Ok(conform.mappings.clone()),
    }
}

/// The set that was in force when `batch` was begun: its own, unless it is the batch that
/// changed it.
pub(super) fn before(conform: &Conform, batch: &Batch) -> Result<MappingSet> {
    if batch.id > 1 {
        let previous = conform.ledger.batch(batch.id - 1)?;
        return kept(conform, &previous.mappings);
    }
    kept(conform, &batch.mappings)
}

/// A set by its hash.
pub(super) fn kept(conform: &Conform, hash: &str) -> Result<MappingSet> {
    if hash == conform.mappings.hash() {
        return Ok(conform.mappings.clone());
    }
    let folder = folder(&conform.state_dir, hash);
    let mut files = BTreeMap::new();
    read_files(&folder, "", &mut files)?;
    let set = MappingSet::from_files(files)?;
    if set.hash() != hash {
        return Err(Error::new(
            ErrorKind::Ledger,
            format!("the kept mappings in {} were changed", folder.display()),
        )
        .hint("restore the state folder from its backup"));
    }
    Ok(set)
}

/// Compiles a set.
pub(super) fn evaluator(conform: &Conform, set: &MappingSet) -> Result<Evaluator> {
    let schemas = conform.kinds.keys().map(|source| (source.clone(), source.clone())).collect();
    Evaluator::new(set, &schemas)
}

fn put(conform: &Conform, word: &Control) -> Result<u64> {
    let bytes = word.encode();
    conform.journal.append(&NewEntry::own("", EntryKind::Control, &bytes))
}

impl Session<'_> {
    /// The evaluator looks at the mirror's tables again if they changed. Never within a batch.
    pub(super) fn prepare_evaluator(&mut self) -> Result<()> {
        if !self.is_stale {
            return Ok(());
        }
        // In one transaction: contributions made anew, and the word that they are empty.
        self.store.begin()?;
        if let Err(error) = self.evaluator.create_tables(self.store.connection()) {
            self.store.rollback()?;
            return Err(error);
        }
        self.store.commit_beside()?;
        self.is_stale = false;
        Ok(())
    }

    /// Asks for a full evaluation, by an entry of the journal that names the configured set: if
    /// that is not the one in force, or if mappings of it wait. Evaluating is a batch like any
    /// other, so that it is replayed; one entry is enough for all reasons.
    pub(super) fn ask_for_evaluation(&self) -> Result<()> {
        let hash = self.conform.mappings.hash();
        let is_new = self.mappings.hash() != hash;
        let can_run = |(source, _): &(&str, &str)| {
            self.store.mirrors().is_ready(source) && !self.doubtful.contains(*source)
        };
        if is_new || self.evaluator.waiting().iter().any(can_run) {
            return self.ask();
        }
        Ok(())
    }

    /// At the daemon's start: what failed before may have been mended since, in the source or by
    /// another release.
    pub(super) fn ask_for_what_failed(&self) -> Result<()> {
        if self.asked.get().is_none() && self.evaluator.has_failed() {
            return self.ask();
        }
        Ok(())
    }

    pub(super) fn ask(&self) -> Result<()> {
        if self.asked.get().is_some_and(|asked| asked > self.mark.journal_seq) {
            return Ok(());
        }
        let hash = self.conform.mappings.hash();
        // A new set may read what is only guessed: it comes into force once that was shown.
        if self.mappings.hash() != hash && !self.doubtful.is_empty() {
            return Ok(());
        }
        tracing::info!(hash, "mappings are new or were left out: they are evaluated in full");
        let seq = put(self.conform, &Control::Mappings { hash: hash.to_owned() })?;
        self.asked.set(Some(seq));
        Ok(())
    }

    /// Sources whose mirror is whole, in order.
    pub(super) fn ready_sources(&self) -> Vec<String> {
        let mut sources: Vec<String> = self.conform.kinds.keys().cloned().collect();
        sources.retain(|source| self.store.mirrors().is_ready(source));
        sources.sort();
        sources
    }

    /// From here on `hash` is in force.
    pub(super) fn switch_mappings(&mut self, hash: &str) -> Result<()> {
        let set = kept(self.conform, hash)?;
        self.evaluator = evaluator(self.conform, &set)?;
        self.mappings = set;
        self.evaluator.create_tables(self.store.connection())
    }

    /// Time passed for some unit: says so in the journal, so that it is evaluated in its place.
    pub(super) fn tick(&mut self) -> Result<()> {
        if self.ticked > self.mark.journal_seq {
            // The last one was not conformed yet.
            return Ok(());
        }
        let now = jiff::Timestamp::now().as_microsecond();
        let due = self.evaluator.next_due(self.store.connection())?;
        if due.is_some_and(|due| due <= now) {
            self.ticked = put(self.conform, &Control::Tick { micros: now })?;
        }
        Ok(())
    }
}

fn folder(state_dir: &Path, hash: &str) -> PathBuf {
    state_dir.join("mappings").join(hash)
}

/// Writes a set under its hash, whole or not at all.
fn keep(state_dir: &Path, set: &MappingSet) -> Result<()> {
    let folder = folder(state_dir, set.hash());
    if folder.is_dir() {
        return Ok(());
    }
    let what = || format!("could not keep the mappings in {}", folder.display());
    let making = folder.with_extension("new");
    for (path, text) in set.files() {
        let path = making.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).context(ErrorKind::Ledger, what)?;
        }
        std::fs::write(&path, text).context(ErrorKind::Ledger, what)?;
    }
    std::fs::rename(&making, &folder).context(ErrorKind::Ledger, what)
}

fn read_files(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) -> Result<()> {
    let what = || format!("could not read the kept mappings in {}", folder.display());
    for item in std::fs::read_dir(folder).context(ErrorKind::Ledger, what)? {
        let path = item.context(ErrorKind::Ledger, what)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = format!("{prefix}{}", name.unwrap_or_default());
        if path.is_dir() {
            read_files(&path, &format!("{name}/"), files)?;
        } else {
            let text = std::fs::read_to_string(&path).context(ErrorKind::Ledger, what)?;
            files.insert(name, text);
        }
    }
    Ok(())
}
