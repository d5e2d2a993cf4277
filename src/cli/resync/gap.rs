//! `trueup resync SOURCE --gap`: follows a source anew, and proves that nothing is missing.

use serde::Serialize;

use super::super::client::Daemon;
use super::super::{print, reconcile, runtime};
use super::{ANSWER_SECS_MAX, LOOK_PAUSE, LOOKS_UNTOLD, ResyncArgs, counts, ended, how_far};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::serve::http::{
    Compared, ReconcileRequest, ReconcileResult, ResyncRequest, ResyncResult, SqlRequest, SqlResult,
};
use crate::status::{SourceState, Status};

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Answer {
    source: String,
    /// Why its log could not be followed.
    gap: String,
    tables: Vec<Copied>,
    /// What the comparison found afterwards; empty with `--dry-run`.
    compared: Vec<Compared>,
}

/// A table that was, or would be, copied again.
#[derive(Debug, Serialize)]
struct Copied {
    table: String,
    /// Rows of the source that were held against the mirror; absent with `--dry-run`, and where the table
    /// was copied as if for the first time.
    rows_read: Option<u64>,
    rows_mended: Option<u64>,
    rows_removed: Option<u64>,
}

pub(super) fn mend(args: &ResyncArgs, config: &Config) -> Result<u8> {
    let daemon = Daemon::new(config, ANSWER_SECS_MAX)?;
    let source = args.table.clone();
    let began_micros = jiff::Timestamp::now().as_microsecond();
    runtime()?.block_on(async {
        let request =
            ResyncRequest { source, table: None, only: None, dry_run: args.dry_run, stop: false };
        let ResyncResult { tables, gap } = daemon.post("/api/resync", &request).await?;
        let (source, gap) = (request.source, gap.unwrap_or_default());
        let began = Answer { source, gap, tables: Vec::new(), compared: Vec::new() };
        if !args.dry_run {
            follow(&daemon, &began.source).await?;
        }
        let mut answer = began;
        for table in tables {
            let [rows_read, rows_mended, rows_removed] = match args.dry_run {
                true => [None; 3],
                false => ended(&daemon, &answer.source, &table, began_micros).await?,
            };
            answer.tables.push(Copied { table, rows_read, rows_mended, rows_removed });
        }
        if !args.json {
            // First, whatever becomes of the comparison.
            print::text(&done(&answer, args.dry_run))?;
        }
        if !args.dry_run {
            answer.compared = compare(&daemon, &answer.source).await?;
        }
        if args.json {
            print::json(&answer)?;
        } else if !args.dry_run {
            print::text(&reconcile::table(&answer.compared))?;
        }
        Ok(u8::from(answer.compared.iter().any(|one| one.differing > 0)))
    })
}

/// Waits until every table was copied.
async fn follow(daemon: &Daemon, source: &str) -> Result<()> {
    let mut looks = 0;
    loop {
        let status: Status = daemon.get("/api/status").await?;
        let Some(now) = status.sources.iter().find(|one| one.name == source) else {
            return Ok(());
        };
        if now.state == SourceState::Gap {
            let message = now.message.clone().unwrap_or_default();
            return Err(
                Error::new(ErrorKind::Gap, message).hint(now.hint.clone().unwrap_or_default())
            );
        }
        if now.resyncs.is_empty() && now.copy.is_none() && is_whole(daemon, source).await? {
            return Ok(());
        }
        looks += 1;
        if looks % LOOKS_UNTOLD == 0 {
            let left = format!("{} tables are still copied", now.resyncs.len());
            print::note(&format!("{left}; {}", how_far(&status, now, now.resyncs.first())));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Whether the store has every table of the source.
async fn is_whole(daemon: &Daemon, source: &str) -> Result<bool> {
    let query = format!(
        "SELECT count(*) FROM ops.mirror_table \
         WHERE source = '{}' AND state NOT IN ('done', 'left')",
        source.replace('\'', "''")
    );
    let found: SqlResult = daemon.post("/api/sql", &SqlRequest { query, rows_max: None }).await?;
    let open = found.rows.first().and_then(|row| row.first()).and_then(|cell| cell.as_str());
    Ok(open == Some("0"))
}

fn done(answer: &Answer, is_dry: bool) -> String {
    let source = &answer.source;
    if is_dry {
        let tables: Vec<&str> = answer.tables.iter().map(|one| one.table.as_str()).collect();
        return format!(
            "{}\nwould follow the log of {source} anew from where it is now, and copy {} tables \
             again: {}\n",
            answer.gap,
            tables.len(),
            tables.join(", ")
        );
    }
    let mut text = format!("mended: {}\n", answer.gap);
    for one in &answer.tables {
        let rows = [one.rows_read, one.rows_mended, one.rows_removed];
        text += &match one.rows_read {
            Some(_) => counts(source, &one.table, rows),
            None => format!("{source}.{}: copied as if for the first time\n", one.table),
        };
    }
    text
}

async fn compare(daemon: &Daemon, source: &str) -> Result<Vec<Compared>> {
    let pair = Some(format!("source:{source}"));
    let request = ReconcileRequest { pair, entity: None, repair: false };
    let result: ReconcileResult = daemon.post("/api/reconcile", &request).await?;
    if result.compared.is_empty() {
        let what = format!("source {source} could not be compared: it is not copied");
        return Err(Error::new(ErrorKind::Unreachable, what).hint("see `trueup status`"));
    }
    Ok(result.compared)
}
