//! What the state folder of a stopped daemon tells. Takes hold of nothing.

use crate::config::{Config, SourceKind};
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::Ledger;
use crate::status::{ConformStatus, DaemonState, SourceState, SourceStatus, Status};

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
    let last = ledger.last_batch()?;
    let mut sources = Vec::new();
    for (name, source) in &config.source {
        let facts = ledger.source(name)?;
        sources.push(SourceStatus {
            name: name.clone(),
            kind: match source.kind {
                SourceKind::Postgres => "postgres".to_owned(),
                SourceKind::Mariadb => "mariadb".to_owned(),
            },
            state: if facts.gap.is_some() { SourceState::Gap } else { SourceState::Paused },
            position: None,
            confirmed: None,
            lag_seconds: None,
            lag_bytes: None,
            message: facts.gap.or_else(|| Some("the daemon does not run".to_owned())),
            hint: Some("start the daemon: trueup run".to_owned()),
            copy: None,
        });
    }
    Ok(Status {
        install: ledger.install().to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        daemon: DaemonState::Stopped,
        since: None,
        sources,
        conform: ConformStatus {
            journal_seq: last.as_ref().map_or(0, |batch| batch.seq_upto),
            journal_behind_entries: 0,
            batch: last.as_ref().map_or(0, |batch| batch.id),
            last_batch_at: last
                .and_then(|batch| jiff::Timestamp::from_microsecond(batch.as_of_micros).ok()),
            error: None,
        },
        entities: Vec::new(),
        targets: Vec::new(),
        dead_letters: Vec::new(),
        findings: Vec::new(),
    })
}

fn open(config: &Config) -> Result<Ledger> {
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
