//! Copies a mirrored table once more, or all of a source with a gap, because an operator asks for it.

use std::time::Duration;

use super::operator::Daemon;
use crate::capture::{Answer, CaptureState, Phase, Wish};
use crate::change::Position;
use crate::change::condition::Condition;
use crate::error::{Error, ErrorKind, Result};
use crate::ledger::copies::CopyState;
use crate::serve::http::{ResyncRequest, ResyncResult};
use crate::status::ResyncStatus;
use crate::store::MirrorTable;
use crate::store::mirror::resync;

/// Longest wait for the session with the source to begin anew.
const BEGIN_SECS_MAX: u64 = 60;
/// Longest wait for a log to begin anew: a slot waits for transactions that are open.
const ANEW_SECS_MAX: u64 = 300;

impl Daemon {
    /// Begins a resync, or stops it, and answers when that is done.
    pub(super) async fn resync(&self, request: ResyncRequest) -> Result<ResyncResult> {
        let ResyncRequest { source, table, only, dry_run, stop } = request;
        let Some(capture) = self.captures.get(&source) else {
            let names: Vec<&str> = self.captures.keys().map(String::as_str).collect();
            return Err(Error::new(ErrorKind::Usage, format!("there is no source {source}"))
                .hint(format!("there are {}", names.join(", "))));
        };
        let Some(table) = table else { return self.mend(&source, capture, dry_run).await };
        if capture.seen().phase == Phase::Gap {
            let what = format!("source {source} has a gap: its log is not followed any more");
            return Err(Error::new(ErrorKind::Setup, what).hint(crate::source::all_anew(&source)));
        }
        let reader = self.conform.reader().ok_or_else(|| {
            Error::new(ErrorKind::Unreachable, "the store is not open yet").hint("try again")
        })?;
        let mirror = tokio::task::block_in_place(|| resync::find(&reader, &source, &table))?;
        drop(reader);
        let only = only.map(|only| part(&only, &mirror)).transpose()?;
        let table = mirror.name().to_string();
        if !dry_run {
            let wish = if stop { Wish::Stop } else { Wish::Resync };
            let answer = ask(&source, capture, (&table, only), wish).await?;
            if !matches!(answer, Answer::Begun | Answer::Stopped) {
                return Err(refusal(&source, &table, answer));
            }
        }
        Ok(ResyncResult { tables: vec![table], gap: None })
    }

    /// Follows the log of a source with a gap anew.
    async fn mend(
        &self,
        source: &str,
        capture: &CaptureState,
        dry_run: bool,
    ) -> Result<ResyncResult> {
        let seen = capture.seen();
        let no_gap = || {
            Error::new(ErrorKind::Usage, format!("source {source} has no gap"))
                .hint("`trueup resync SOURCE.TABLE` copies one table again")
        };
        // A place in the files of one server may give way to GTIDs; whether it can, the session knows.
        let may_begin_anew = matches!(seen.position, Some(Position::File(_)));
        if seen.phase != Phase::Gap && !may_begin_anew {
            return Err(no_gap());
        }
        let copies = self.journal.copies(source)?;
        let tables = copies.into_iter().map(|copy| copy.table).collect();
        if !dry_run && ask(source, capture, ("", None), Wish::Anew).await? != Answer::Begun {
            return Err(no_gap());
        }
        Ok(ResyncResult { tables, gap: seen.message })
    }

    /// The resyncs of a source: those whose chunks are still read, and those that the store has
    /// begun and not ended.
    pub(super) fn resyncs(&self, source: &str) -> Vec<ResyncStatus> {
        // In this order: what the ledger has ended the store has not yet.
        let copies = self.journal.copies(source).unwrap_or_default();
        if !copies.iter().any(|copy| copy.resync) {
            return Vec::new();
        }
        let read = copies.iter().filter(|copy| copy.resync && copy.state != CopyState::Done);
        let mut all: Vec<ResyncStatus> = read
            .map(|copy| ResyncStatus { table: copy.table.clone(), ..ResyncStatus::default() })
            .collect();
        let known = self.conform.reader().map(|reader| resync::under_way(&reader));
        let known = known.and_then(Result::ok).unwrap_or_default();
        for one in known.into_iter().filter(|one| one.source == source) {
            let now = ResyncStatus {
                table: one.table,
                rows_read: one.rows_read,
                rows_mended: one.rows_mended,
                waiting_for: None,
            };
            match all.iter_mut().find(|other| other.table == now.table) {
                Some(other) => *other = now,
                None => all.push(now),
            }
        }
        let seen = self.captures.get(source).map(|state| state.seen()).unwrap_or_default();
        if let Some(one) = all.iter_mut().find(|one| seen.copying.contains(&one.table)) {
            one.waiting_for = seen.waiting_for;
        }
        all
    }
}

/// The part of a table that is to be copied again.
fn part(only: &str, mirror: &MirrorTable) -> Result<Condition> {
    let table = mirror.name();
    if mirror.table.is_keyless() {
        let what = format!("{table} has no key: no part of it can be copied again");
        return Err(Error::new(ErrorKind::Usage, what).hint("ask for all of it, without --where"));
    }
    let read = Condition::parse(only).and_then(|only| only.fits_key(&mirror.table).map(|()| only));
    read.map_err(|why| {
        let key = mirror.table.key().filter_map(|place| mirror.table.columns.get(place));
        let key: Vec<&str> = key.map(|column| column.name.as_str()).collect();
        let first = key.first().unwrap_or(&"id");
        let what = format!("rows of {table} cannot be chosen so: {why}");
        Error::new(ErrorKind::Usage, what).hint(format!(
            "write a condition over its key ({}), as \"{first} >= 1000 AND {first} < 2000\"; or copy all of it",
            key.join(", "),
        ))
    })
}

async fn ask(
    source: &str,
    capture: &CaptureState,
    (table, only): (&str, Option<Condition>),
    wish: Wish,
) -> Result<Answer> {
    let answered = capture.ask(table, wish, only);
    let (secs, hint) = match wish {
        Wish::Anew => (ANEW_SECS_MAX, "`trueup status` shows whether it has begun since"),
        _ => (BEGIN_SECS_MAX, "see `trueup status` for the source; nothing was begun"),
    };
    let waited = tokio::time::timeout(Duration::from_secs(secs), answered).await;
    let Ok(Ok(answer)) = waited else {
        let what = format!("the log of source {source} could not be followed anew");
        return Err(Error::new(ErrorKind::Unreachable, what).hint(hint));
    };
    answer
}

fn refusal(source: &str, table: &str, answer: Answer) -> Error {
    let (why, hint) = match answer {
        Answer::FirstCopy => (
            "is copied as if for the first time: its changes were not in the log of late",
            "`trueup status` shows how far it is; it needs no resync then",
        ),
        Answer::OfOthers => (
            "is copied again by now, other rows of it",
            "ask again when `trueup status` shows it no more, or stop that with --stop",
        ),
        Answer::NotMirrored => (
            "is not there, or not mirrored, any more",
            "see the source's tables, and `tables` in the configuration",
        ),
        _ => ("is not copied again", "`trueup status` names the tables that are"),
    };
    Error::new(ErrorKind::Usage, format!("{table} of {source} {why}")).hint(hint)
}
