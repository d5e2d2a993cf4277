//! The status of an install: what `trueup status`, `/api/status` and the demo show.
//!
//! Pure data and its judgement; who fills it in is `app`, from the running loops or from the
//! state folder of a stopped daemon. No row values and no secrets: a key appears only in a
//! dead letter, where a person needs it to act.

pub mod text;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, Severity};

/// Everything at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The install's id.
    pub install: String,
    /// The version of the program that answers.
    pub version: String,
    /// Whether the loops run.
    pub daemon: DaemonState,
    /// When the daemon started or, if it is stopped, was last known to run.
    pub since: Option<Timestamp>,
    /// By name.
    pub sources: Vec<SourceStatus>,
    /// The one conform loop.
    pub conform: ConformStatus,
    /// What is sealed.
    pub archive: ArchiveStatus,
    /// By name.
    pub entities: Vec<EntityStatus>,
    /// By name.
    pub targets: Vec<TargetStatus>,
    /// The first [`DEAD_LETTERS_SHOWN`], oldest first; the count is in each target.
    pub dead_letters: Vec<DeadLetter>,
    /// What else a person should know, with remedies.
    pub findings: Vec<Finding>,
}

/// How many dead letters a status lists.
pub const DEAD_LETTERS_SHOWN: usize = 20;

/// Whether the loops run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DaemonState {
    /// A daemon answered.
    Running,
    /// Nothing answered; the rest is what the state folder says.
    Stopped,
}

/// What a source is doing. Set by capture; only `Gap` and `Paused` survive a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// Making or adopting slot and publication, or finding the binlog position.
    Preparing,
    /// Tables are copied while the log is captured.
    Copying,
    /// Everything is copied; the log is followed.
    Streaming,
    /// Changes are lost or may be lost; only a re-copy mends it.
    Gap,
    /// The source went away; it is tried again with growing pauses.
    Retrying,
    /// An operator, or a full ledger, stopped it.
    Paused,
}

impl SourceState {
    /// All of them, for metrics.
    pub const ALL: [SourceState; 6] = [
        SourceState::Preparing,
        SourceState::Copying,
        SourceState::Streaming,
        SourceState::Gap,
        SourceState::Retrying,
        SourceState::Paused,
    ];

    /// The word that is shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            SourceState::Preparing => "preparing",
            SourceState::Copying => "copying",
            SourceState::Streaming => "streaming",
            SourceState::Gap => "gap",
            SourceState::Retrying => "retrying",
            SourceState::Paused => "paused",
        }
    }
}

/// One source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceStatus {
    /// As configured.
    pub name: String,
    /// `postgres` or `mariadb`.
    pub kind: String,
    /// What it is doing.
    pub state: SourceState,
    /// The end of the last whole transaction in the capture log.
    pub position: Option<String>,
    /// What the source was told is durable.
    pub confirmed: Option<String>,
    /// Seconds since the end of the source's log was where capture is now; 0 when everything is
    /// read; `None` before the first look.
    pub lag_seconds: Option<f64>,
    /// Bytes of the source's log that are not read yet, where the source can say.
    pub lag_bytes: Option<u64>,
    /// What is wrong, in words.
    pub message: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Progress of the copy, while there is one.
    pub copy: Option<CopyStatus>,
    /// Tables that are copied again.
    #[serde(default)]
    pub resyncs: Vec<ResyncStatus>,
}

/// How far a resync has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResyncStatus {
    /// The table, as the source names it.
    pub table: String,
    /// Rows of the source that were held against the mirror.
    pub rows_read: u64,
    /// Those that the mirror did not have, or not as they are.
    pub rows_mended: u64,
    /// The transaction or the attempt that it waits for, in words.
    #[serde(default)]
    pub waiting_for: Option<String>,
}

/// How far a copy has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyStatus {
    /// Tables that are done.
    pub tables_done: u64,
    /// All of them.
    pub tables_total: u64,
    /// Rows read so far.
    pub rows_copied: u64,
    /// Rows expected, as the source's statistics guess.
    pub rows_estimated: Option<u64>,
    /// The table being read.
    pub table: Option<String>,
    /// The transaction or session that the copy waits for, in words.
    pub waiting_for: Option<String>,
}

/// The conform loop.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConformStatus {
    /// The last entry of the capture log that the store has.
    pub journal_seq: u64,
    /// Entries after it.
    pub journal_behind_entries: u64,
    /// Seconds until the ledger is full at the pace of the last minutes, 0 if it is; `None` if it is not
    /// filling, or nobody has looked yet.
    #[serde(default)]
    pub ledger_full_seconds: Option<u64>,
    /// The number of the last batch.
    pub batch: u64,
    /// When it was committed.
    pub last_batch_at: Option<Timestamp>,
    /// The transaction in whose middle store and targets are, if they are in one.
    #[serde(default)]
    pub open_transaction: Option<OpenTransactionStatus>,
    /// The batch that waits for a person, if one does.
    pub held: Option<HeldBatch>,
    /// Why the loop stands still, if it does.
    pub error: Option<String>,
}

/// A transaction too large for one batch, on its way in slices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenTransactionStatus {
    /// Whose it is.
    pub source: String,
    /// Its entries of the capture log, and those of other sources among them.
    pub entries_total: u64,
    /// How many of them are conformed.
    pub entries_done: u64,
    /// When the first slice was taken.
    pub since: Option<Timestamp>,
}

/// The archive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveStatus {
    /// When the newest seal was made.
    pub sealed_at: Option<Timestamp>,
    /// The last event that is sealed.
    pub event: u64,
    /// Why no newer seal can be made, if that is so.
    pub error: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What a batch does, or would do, to one entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectStatus {
    /// The entity.
    pub entity: String,
    /// Its rows before.
    pub rows: u64,
    /// Rows that get other values.
    pub updated: u64,
    /// Rows that go.
    pub deleted: u64,
    /// Rows that come.
    pub created: u64,
    /// How many rows get another value, by attribute.
    pub attributes: BTreeMap<String, u64>,
    /// Some of the keys.
    pub keys: Vec<String>,
}

/// A batch that would change so much of an entity that a person has to let it go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBatch {
    /// What it would do to the entity of which it would change most.
    pub effect: EffectStatus,
    /// The entry of the capture log with which it ends; `trueup resume` names it.
    pub seq_upto: u64,
}

/// One canonical entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityStatus {
    /// Its name.
    pub name: String,
    /// Current rows.
    pub rows: u64,
    /// Whether every table it needs is copied.
    pub ready: bool,
    /// When they were last held against a full evaluation, by this daemon.
    #[serde(default)]
    pub verified_at: Option<Timestamp>,
    /// How many units and keys were found to differ then; a finding names some.
    #[serde(default)]
    pub mismatches: u64,
}

/// What a target is doing. Set by deliver; only `Gap` and `Paused` survive a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetState {
    /// Connecting and reading the target's account.
    Opening,
    /// Filling the target with the rows that were there before the first event.
    Baseline,
    /// Applying events, or waiting for them.
    Delivering,
    /// The target is ahead of the ledger, or another daemon writes to it.
    Gap,
    /// The target went away; it is tried again with growing pauses.
    Retrying,
    /// An operator, or too many parked events, stopped it.
    Paused,
}

impl TargetState {
    /// All of them, for metrics.
    pub const ALL: [TargetState; 6] = [
        TargetState::Opening,
        TargetState::Baseline,
        TargetState::Delivering,
        TargetState::Gap,
        TargetState::Retrying,
        TargetState::Paused,
    ];

    /// The word that is shown.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            TargetState::Opening => "opening",
            TargetState::Baseline => "baseline",
            TargetState::Delivering => "delivering",
            TargetState::Gap => "gap",
            TargetState::Retrying => "retrying",
            TargetState::Paused => "paused",
        }
    }
}

/// One target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetStatus {
    /// As configured.
    pub name: String,
    /// What it is doing.
    pub state: TargetState,
    /// How often this target was opened; fences out older processes.
    pub epoch: u64,
    /// The last event that is settled.
    pub cursor: u64,
    /// Events after it.
    pub queue_events: u64,
    /// Age of the oldest of them.
    pub oldest_seconds: Option<f64>,
    /// Events that wait for another try or for another row.
    pub parked: u64,
    /// Events that need a person.
    pub dead: u64,
    /// Per entity: the last key of its baseline, or `done`.
    pub baseline: BTreeMap<String, String>,
    /// What is wrong, in words.
    pub message: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// An event that a target refuses for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Whose.
    pub target: String,
    /// Of what.
    pub entity: String,
    /// The canonical key.
    pub key: String,
    /// The event.
    pub sequence: u64,
    /// The class of the refusal.
    pub class: String,
    /// The target's own words, without row values.
    pub words: String,
    /// Since when it is dead.
    pub since: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
}

impl Status {
    /// Whether something will not mend itself: a gap, a pause, a dead letter, a conform error, a held
    /// batch, an archive that cannot be written, an error finding, or a daemon that does not run (its
    /// sources keep their logs for it).
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.daemon == DaemonState::Stopped
            || self.conform.error.is_some()
            || self.conform.held.is_some()
            || self.archive.error.is_some()
            || self.sources.iter().any(SourceStatus::needs_person)
            || self.targets.iter().any(TargetStatus::needs_person)
            || self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl SourceStatus {
    /// See [`Status::needs_person`].
    #[must_use]
    pub fn needs_person(&self) -> bool {
        matches!(self.state, SourceState::Gap | SourceState::Paused)
    }
}

impl TargetStatus {
    /// See [`Status::needs_person`].
    #[must_use]
    pub fn needs_person(&self) -> bool {
        self.dead > 0 || matches!(self.state, TargetState::Gap | TargetState::Paused)
    }
}

#[cfg(test)]
mod tests;
