//! The status as text for people: what needs a person first, then one table per part.
//!
//! In what people read, the journal is the *capture log* and the outbox the *queue*: finance
//! has journals of its own.

use std::time::Duration;

use super::{DaemonState, EffectStatus, HeldBatch, OpenTransactionStatus, ResyncStatus};
use super::{SourceStatus, Status};
use crate::finding::Severity;
use crate::table::{Align, Table, safe};

/// Renders `status`; the last line ends with a newline.
#[must_use]
pub fn render(status: &Status) -> String {
    let blocks = [
        head(status),
        person(status),
        sources(status),
        copies(status),
        conform(status),
        entities(status),
        targets(status),
        dead_letters(status),
    ];
    let blocks: Vec<String> = blocks.into_iter().filter(|block| !block.is_empty()).collect();
    blocks.join("\n")
}

fn head(status: &Status) -> String {
    let state = match status.daemon {
        DaemonState::Running => "running",
        DaemonState::Stopped => "stopped",
    };
    let since = status.since.map(|since| format!(" since {since:.0}")).unwrap_or_default();
    format!("trueup {} · install {} · {state}{since}\n", status.version, status.install)
}

/// Everything that will not mend itself, and everything said in words.
fn person(status: &Status) -> String {
    let mut lines = Vec::new();
    if status.daemon == DaemonState::Stopped {
        lines.push(said(
            "✖",
            "the daemon is stopped; its sources keep their logs for it",
            Some("start it with `trueup run`, or give the logs up with `trueup uninstall`"),
        ));
    }
    for source in &status.sources {
        let bad = source.needs_person();
        lines.extend(in_words("source", &source.name, bad, &source.message, &source.hint));
    }
    if let Some(error) = &status.conform.error {
        lines.push(said("✖", &format!("conform stands still: {error}"), None));
    }
    if let Some(open) = &status.conform.open_transaction {
        lines.push(said(mark(Severity::Warning), &open_transaction(open), None));
    }
    if let Some(error) = &status.archive.error {
        let what = format!("the archive cannot be written: {error}");
        lines.push(said("✖", &what, status.archive.hint.as_deref()));
    }
    if let Some(held) = &status.conform.held {
        let remedy = "see whether it is meant: if so, `trueup resume`; if a mapping is wrong, mend \
                      it and start the daemon again";
        lines.push(said("✖", &self::held(held), Some(remedy)));
    }
    for target in &status.targets {
        let gone_wrong = target.message.is_some() && target.needs_person();
        lines.extend(in_words("target", &target.name, gone_wrong, &target.message, &target.hint));
        if target.dead > 0 {
            let plural = if target.dead == 1 { "" } else { "s" };
            let what = format!("target {}: {} dead letter{plural}", target.name, target.dead);
            lines.push(said("✖", &what, Some("see the list below")));
        }
    }
    for finding in status.findings.iter().filter(|finding| finding.severity != Severity::Ok) {
        let mark = mark(finding.severity);
        lines.push(said(mark, &finding.what, finding.remedy.as_deref()));
    }
    lines.concat()
}

/// The mark in front of a finding.
#[must_use]
pub fn mark(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "✔",
        Severity::Warning => "⚠",
        Severity::Error => "✖",
    }
}

/// A marked line and its remedy, indented below it, as `check` and `status` show it.
#[must_use]
pub fn said(mark: &str, what: &str, remedy: Option<&str>) -> String {
    let mut text = format!("{mark} {}\n", what.lines().map(safe).collect::<Vec<_>>().join("\n  "));
    for line in remedy.unwrap_or_default().lines() {
        text.push_str("    ");
        text.push_str(&safe(line));
        text.push('\n');
    }
    text
}

/// What a held batch would do, as `status` and `resume` show it.
#[must_use]
pub fn held(held: &HeldBatch) -> String {
    let effect = effect(&held.effect);
    format!("a batch is held, and nothing after it is conformed; it would do this: {effect}")
}

/// What happens to an entity, in numbers.
#[must_use]
pub fn effect(effect: &EffectStatus) -> String {
    let EffectStatus { entity, rows, updated, deleted, created, .. } = effect;
    let mut text =
        format!("of {rows} rows of {entity} {updated} change and {deleted} go, {created} come");
    let mut attributes: Vec<(&String, &u64)> = effect.attributes.iter().collect();
    attributes.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
    let attributes: Vec<String> =
        attributes.iter().map(|(name, count)| format!("{name} in {count}")).collect();
    if !attributes.is_empty() {
        text.push_str(&format!("\nchanged: {}", attributes.join(", ")));
    }
    text.push_str(&format!("\nkeys, as {}", effect.keys.join(", ")));
    text
}

fn in_words(
    kind: &str,
    name: &str,
    needs_person: bool,
    message: &Option<String>,
    hint: &Option<String>,
) -> Option<String> {
    if message.is_none() && !needs_person {
        return None;
    }
    let mark = if needs_person { "✖" } else { "⚠" };
    let message = message.as_deref().unwrap_or("stands still");
    Some(said(mark, &format!("{kind} {name}: {message}"), hint.as_deref()))
}

fn sources(status: &Status) -> String {
    let mut table = Table::new([
        ("SOURCE", Align::Left),
        ("KIND", Align::Left),
        ("STATE", Align::Left),
        ("LAG", Align::Right),
        ("BEHIND", Align::Right),
        ("POSITION", Align::Left),
        ("CONFIRMED", Align::Left),
    ]);
    for source in &status.sources {
        table.row([
            source.name.as_str(),
            &source.kind,
            source.state.word(),
            &seconds(source.lag_seconds),
            &source.lag_bytes.map_or_else(|| "-".to_owned(), bytes),
            source.position.as_deref().unwrap_or("-"),
            source.confirmed.as_deref().unwrap_or("-"),
        ]);
    }
    filled(&table)
}

fn copies(status: &Status) -> String {
    let resyncs = status.sources.iter().flat_map(|source| {
        source.resyncs.iter().map(|one| {
            let line = format!("resync of {}.{}", source.name, resync(one));
            format!("{}\n", safe(&line))
        })
    });
    status.sources.iter().filter_map(copy).chain(resyncs).collect()
}

/// How far a resync is, in one line.
#[must_use]
pub fn resync(one: &ResyncStatus) -> String {
    let waiting =
        one.waiting_for.as_ref().map(|who| format!(", waiting for {who}")).unwrap_or_default();
    format!("{}: {} rows read, {} mended{waiting}", one.table, one.rows_read, one.rows_mended)
}

fn copy(source: &SourceStatus) -> Option<String> {
    let copy = source.copy.as_ref()?;
    let of = copy.rows_estimated.map(|rows| format!(" of about {rows}")).unwrap_or_default();
    let now = copy.table.as_ref().map(|table| format!(", now {table}")).unwrap_or_default();
    let waiting =
        copy.waiting_for.as_ref().map(|who| format!(", waiting for {who}")).unwrap_or_default();
    let line = format!(
        "copy of {}: {} of {} tables, {} rows{of}{now}{waiting}",
        source.name, copy.tables_done, copy.tables_total, copy.rows_copied
    );
    Some(format!("{}\n", safe(&line)))
}

fn conform(status: &Status) -> String {
    let conform = &status.conform;
    let last = conform.last_batch_at.map(|at| format!(" at {at:.0}")).unwrap_or_default();
    let full = match conform.ledger_full_seconds {
        None => String::new(),
        Some(0) => "; full".to_owned(),
        Some(secs) => {
            let time = seconds(Some(Duration::from_secs(secs).as_secs_f64()));
            format!("; full in about {time} at this pace")
        }
    };
    let sealed = match status.archive.sealed_at {
        Some(at) => format!("archive: sealed up to event {} at {at:.0}\n", status.archive.event),
        None => "archive: nothing is sealed yet\n".to_owned(),
    };
    format!(
        "capture log: entry {} conformed, {} behind; batch {}{last}{full}\n{sealed}",
        conform.journal_seq, conform.journal_behind_entries, conform.batch
    )
}

fn open_transaction(open: &OpenTransactionStatus) -> String {
    let since = open.since.map(|at| format!(" since {at:.0}")).unwrap_or_default();
    format!(
        "a large transaction of source {} is conformed in slices{since}: {} of {} entries; until its \
         end rows are in the middle of it",
        open.source, open.entries_done, open.entries_total
    )
}

fn entities(status: &Status) -> String {
    let mut table = Table::new([
        ("ENTITY", Align::Left),
        ("ROWS", Align::Right),
        ("READY", Align::Left),
        ("VERIFIED", Align::Left),
    ]);
    for entity in &status.entities {
        let ready = if entity.ready { "yes" } else { "no" };
        let verified = entity.verified_at.map(|at| format!("{at:.0}")).unwrap_or_default();
        table.row([entity.name.as_str(), &entity.rows.to_string(), ready, &verified]);
    }
    filled(&table)
}

fn targets(status: &Status) -> String {
    let mut table = Table::new([
        ("TARGET", Align::Left),
        ("STATE", Align::Left),
        ("CURSOR", Align::Right),
        ("QUEUE", Align::Right),
        ("OLDEST", Align::Right),
        ("PARKED", Align::Right),
        ("DEAD", Align::Right),
        ("EPOCH", Align::Right),
        ("BASELINE", Align::Left),
    ]);
    for target in &status.targets {
        let done = target.baseline.values().filter(|state| *state == "done").count();
        table.row([
            target.name.as_str(),
            target.state.word(),
            &target.cursor.to_string(),
            &target.queue_events.to_string(),
            &seconds(target.oldest_seconds),
            &target.parked.to_string(),
            &target.dead.to_string(),
            &target.epoch.to_string(),
            &format!("{done} of {} done", target.baseline.len()),
        ]);
    }
    filled(&table)
}

fn dead_letters(status: &Status) -> String {
    let mut table = Table::new([
        ("DEAD LETTER", Align::Right),
        ("TARGET", Align::Left),
        ("ENTITY", Align::Left),
        ("KEY", Align::Left),
        ("SINCE", Align::Left),
        ("TRIES", Align::Right),
        ("WHY", Align::Left),
    ]);
    for letter in &status.dead_letters {
        table.row([
            letter.sequence.to_string().as_str(),
            &letter.target,
            &letter.entity,
            &letter.key,
            &format!("{:.0}", letter.since),
            &letter.attempts.to_string(),
            &format!("{}: {}", letter.class, letter.words),
        ]);
    }
    filled(&table)
}

fn filled(table: &Table) -> String {
    if table.is_empty() { String::new() } else { table.render() }
}

/// A duration in the unit that reads best.
fn seconds(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(seconds) if seconds < 100.0 => format!("{seconds:.1} s"),
        Some(seconds) if seconds < 6_000.0 => format!("{:.0} min", seconds / 60.0),
        Some(seconds) => format!("{:.1} h", seconds / 3_600.0),
    }
}

/// A size in the unit that reads best.
fn bytes(value: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if value < 1024 {
        return format!("{value} B");
    }
    // Tenths of the unit, so that nothing is lost to rounding in floating point.
    let mut tenths = u128::from(value) * 10 / 1024;
    let mut unit = "KiB";
    for next in UNITS.iter().skip(1) {
        if tenths < 10_240 {
            break;
        }
        tenths /= 1024;
        unit = next;
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}
