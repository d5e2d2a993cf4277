//! What the state folder of a stopped daemon tells. Takes hold of nothing.

use std::time::Duration;

use crate::archive::{self, Audited};
use crate::config::{Config, SourceKind};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Finding;
use crate::ledger::Ledger;
use crate::ledger::copies::{CopyProgress, CopyState};
use crate::ledger::glance::Glance;
use crate::ledger::parked::ParkedState;
use crate::ledger::seal::Seal;
use crate::status::{
    ArchiveStatus, ConformStatus, CopyStatus, DEAD_LETTERS_SHOWN, DaemonState, DeadLetter,
    ResyncStatus, SourceState, SourceStatus, Status, TargetState, TargetStatus,
};

/// Parked events that are looked through for dead letters.
pub(super) const DEAD_LETTERS_READ_MAX: usize = 1_000;

/// The install's id as it is part of names, empty before the first run.
pub(super) fn install(config: &Config) -> String {
    open(config).map(|ledger| ledger.install().simple().to_string()).unwrap_or_default()
}

/// The same, where nothing can be done without it.
///
/// # Errors
/// [`ErrorKind::Unreachable`] if no daemon ever ran with this state folder.
pub(super) fn known_install(config: &Config) -> Result<String> {
    let install = open(config).map(|ledger| ledger.install().simple().to_string());
    install.map_err(|error| {
        error.hint(
            "only the state folder knows which slot and publication are ours; if it is lost, find \
             them with: SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE \
             'trueup%'; and drop both: SELECT pg_drop_replication_slot('…'); DROP PUBLICATION …;",
        )
    })
}

/// The status of a stopped daemon.
pub(super) fn status(config: &Config) -> Result<Status> {
    let ledger = open(config)?;
    let journal = Glance::at(&config.daemon.state_dir.join("journal"))?;
    let last = ledger.last_batch()?;
    let conformed = last.as_ref().map_or(0, |batch| batch.seq_upto);
    let newest = last.as_ref().map_or(0, |batch| batch.event_last);
    let sources = config.source.iter().map(|(name, one)| source(name, one.kind, &ledger, &journal));
    let targets = config.target.keys().map(|name| target(name, &ledger, newest));
    Ok(Status {
        install: ledger.install().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        daemon: DaemonState::Stopped,
        since: None,
        sources: sources.collect::<Result<_>>()?,
        conform: ConformStatus {
            journal_seq: conformed,
            journal_behind_entries: journal.last_seq.saturating_sub(conformed),
            ledger_full_seconds: None,
            batch: last.as_ref().map_or(0, |batch| batch.id),
            last_batch_at: last
                .and_then(|batch| jiff::Timestamp::from_microsecond(batch.as_of_micros).ok()),
            open_transaction: None,
            held: None,
            error: None,
        },
        archive: archive(ledger.last_seal()?.as_ref()),
        // Only the store knows them, and nothing but the daemon opens it.
        entities: Vec::new(),
        targets: targets.collect::<Result<_>>()?,
        dead_letters: dead_letters(&ledger, config, DEAD_LETTERS_READ_MAX)
            .into_iter()
            .take(DEAD_LETTERS_SHOWN)
            .collect(),
        findings: unread(&ledger, config),
    })
}

/// What is sealed, by the newest seal.
pub(super) fn archive(last: Option<&Seal>) -> ArchiveStatus {
    ArchiveStatus {
        sealed_at: last.and_then(|last| jiff::Timestamp::from_microsecond(last.at_micros).ok()),
        event: last.map_or(0, |last| last.event_upto),
        error: None,
        hint: None,
    }
}

/// Sources with rows that could not be read.
pub(super) fn unread(ledger: &Ledger, config: &Config) -> Vec<Finding> {
    let finding = |name: &String| {
        let count = ledger.count_unread(name).ok().filter(|count| *count > 0)?;
        let rows = if count == 1 { "1 place".to_owned() } else { format!("{count} places") };
        let what = format!("source {name}: rows in {rows} of its log could not be read");
        Some(Finding::warning(
            what,
            format!("their tables are copied again by themselves; see them: trueup unread {name}"),
        ))
    };
    config.source.keys().filter_map(finding).collect()
}

/// Holds the archive against the digests in the ledger: a finding per seal.
pub(super) fn audit(config: &Config) -> Result<Vec<Finding>> {
    let seals = open(config)?.seals()?;
    let folder = config.daemon.state_dir.join("archive");
    let one = |Audited { folder, event_upto, files, rows, fault }| match fault {
        None => Finding::ok(format!(
            "{folder}: up to event {event_upto}, {rows} rows in {files} files, as sealed"
        )),
        Some(fault) => Finding::error(
            format!("{folder}: {fault}"),
            "restore this folder of the archive from a backup of the state folder",
        ),
    };
    Ok(archive::audit(&folder, &seals).into_iter().map(one).collect())
}

fn source(name: &str, kind: SourceKind, ledger: &Ledger, journal: &Glance) -> Result<SourceStatus> {
    let facts = ledger.source(name)?;
    let position = journal.position(name)?.map(|position| position.to_string());
    let copies = journal.copies(name)?;
    let done = copies.iter().filter(|copy| !copy.is_first_copy()).count();
    let copy = (done < copies.len()).then(|| CopyStatus {
        tables_done: done as u64,
        tables_total: copies.len() as u64,
        rows_copied: copies.iter().map(|copy| copy.row_count).sum(),
        ..CopyStatus::default()
    });
    let is_resync = |copy: &&CopyProgress| copy.resync && copy.state != CopyState::Done;
    let resyncs = copies.iter().filter(is_resync).map(|copy| ResyncStatus {
        table: copy.table.clone(),
        waiting_for: Some("the daemon".to_owned()),
        ..ResyncStatus::default()
    });
    let resyncs = resyncs.collect();
    let (state, message, hint) = match facts.gap {
        Some(why) => {
            (SourceState::Gap, format!("source {name}: {why}"), crate::source::all_anew(name))
        }
        None => (
            SourceState::Paused,
            "the daemon does not run".to_owned(),
            "start the daemon: trueup run".to_owned(),
        ),
    };
    Ok(SourceStatus {
        name: name.to_owned(),
        kind: kind_word(kind).to_owned(),
        state,
        confirmed: position.clone(),
        position,
        lag_seconds: None,
        lag_bytes: None,
        message: Some(message),
        hint: Some(hint),
        copy,
        resyncs,
    })
}

fn target(name: &str, ledger: &Ledger, newest: u64) -> Result<TargetStatus> {
    let facts = ledger.target(name)?;
    let parked = ledger.parked(name, usize::MAX)?;
    let dead = parked.iter().filter(|event| event.state == ParkedState::Dead).count();
    Ok(TargetStatus {
        name: name.to_owned(),
        state: if facts.gap.is_some() { TargetState::Gap } else { TargetState::Paused },
        epoch: facts.epoch,
        cursor: facts.cursor,
        queue_events: newest.saturating_sub(facts.cursor),
        oldest_seconds: oldest_seconds(ledger, facts.cursor, newest),
        parked: (parked.len() - dead) as u64,
        dead: dead as u64,
        // The target's own account knows it.
        baseline: std::collections::BTreeMap::new(),
        message: facts.gap,
        hint: None,
    })
}

/// The dead letters among the first `read_max` that each target has parked.
pub(super) fn dead_letters(ledger: &Ledger, config: &Config, read_max: usize) -> Vec<DeadLetter> {
    let mut letters = Vec::new();
    for target in config.target.keys() {
        let parked = ledger.parked(target, read_max).unwrap_or_default();
        letters.extend(parked.into_iter().filter(|p| p.state == ParkedState::Dead).map(|p| {
            DeadLetter {
                target: target.clone(),
                entity: p.entity,
                key: p.key,
                sequence: p.sequence,
                class: p.class,
                words: p.words,
                since: jiff::Timestamp::from_microsecond(p.since_micros).unwrap_or_default(),
                attempts: p.attempts,
            }
        }));
    }
    letters
}

/// Age of the first event after `cursor`, as its batch says; 0 when nothing waits.
pub(super) fn oldest_seconds(ledger: &Ledger, cursor: u64, newest: u64) -> Option<f64> {
    if newest <= cursor {
        return Some(0.0);
    }
    let batch = ledger.batch_of_event(cursor + 1).ok().flatten()?;
    let age = jiff::Timestamp::now().as_microsecond().saturating_sub(batch.as_of_micros);
    Some(Duration::from_micros(u64::try_from(age).unwrap_or(0)).as_secs_f64())
}

/// As in the configuration.
pub(super) fn kind_word(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Postgres => "postgres",
        SourceKind::Mariadb => "mariadb",
        SourceKind::Mysql => "mysql",
    }
}

pub(super) fn open(config: &Config) -> Result<Ledger> {
    let folder = &config.daemon.state_dir;
    if !folder.join("ledger.sqlite").is_file() {
        return Err(Error::new(
            ErrorKind::Unreachable,
            format!("{} holds no state of a daemon", folder.display()),
        )
        .hint("start the daemon once: trueup run"));
    }
    Ledger::open(folder)
}
