//! `trueup resync`: copies a mirrored table once more, and mends what is wrong in it; or all tables of a
//! source with a gap.

mod gap;

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use super::client::Daemon;
use super::{print, reconcile};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::serve::http::{
    Compared, ReconcileRequest, ReconcileResult, ResyncRequest, ResyncResult, SqlRequest, SqlResult,
};
use crate::status::{ResyncStatus, SourceState, SourceStatus, Status, text};

/// The comparison of a large table takes its time.
const ANSWER_SECS_MAX: u64 = 3_600;
/// Between two looks at how far it is.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// Longest wait until what is in the journal is conformed, too.
const COPIED_WITHIN: Duration = Duration::from_secs(60);
/// Looks after which it is said how far it is.
const LOOKS_UNTOLD: u32 = 20;

/// Copy a mirrored table again and mend what is wrong, or mend a gap
///
/// While everything runs, reads the table in chunks, each in a short transaction, and holds every row against
/// the mirror as of the same moment: a row that is not as in the source is mended, one that the
/// source does not have is removed, and canonical rows and targets follow. Then the table is
/// compared. Ending this command does not end the resync: the daemon goes on, over restarts, too.
/// What was mended is in the store: `SELECT * FROM ops.resync`. Exit 0 if both sides agree in the
/// end, 1 if not.
///
/// With `--gap`, SOURCE alone is named: its log, which could not be followed any more, is followed anew
/// from where it is now (PostgreSQL: with a slot made anew), and all of its tables are copied again in
/// the same way, so that everything that was missed is made up for.
#[derive(Debug, Args)]
pub(super) struct ResyncArgs {
    /// The source and its table, as `erp.company_employee` or `erp.public.company_employee`; with
    /// `--gap` the source
    #[arg(value_name = "SOURCE.TABLE")]
    table: String,
    /// Mend the gap of a source: follow its log anew, and copy all of its tables again
    #[arg(long)]
    gap: bool,
    /// Only the rows of which this is true, as "id >= 1000 AND id < 2000"; it may ask for whole numbers, dates, times
    /// and UUIDs of the key
    #[arg(long = "where", value_name = "CONDITION", conflicts_with_all = ["gap", "stop"])]
    only: Option<String>,
    /// Only compare, and say what would be mended; with `--gap`, only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Stop the resync that is under way; what it has mended stays
    #[arg(long, conflicts_with_all = ["dry_run", "gap"])]
    stop: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Answer {
    source: String,
    table: String,
    /// Rows of the source that were held against the mirror; absent with `--dry-run` and `--stop`.
    rows_read: Option<u64>,
    rows_mended: Option<u64>,
    rows_removed: Option<u64>,
    /// What the comparison found, afterwards or instead.
    compared: Vec<Compared>,
}

pub(super) fn resync(args: &ResyncArgs, config: &Config) -> Result<u8> {
    if args.gap {
        return gap::mend(args, config);
    }
    let Some((source, table)) = args.table.split_once('.') else {
        let what = format!("`{}` does not name a table of a source", args.table);
        return Err(Error::new(ErrorKind::Usage, what).hint("write it as SOURCE.TABLE"));
    };
    let daemon = Daemon::new(config, ANSWER_SECS_MAX)?;
    super::runtime()?.block_on(async {
        let request = ResyncRequest {
            source: source.to_owned(),
            table: Some(table.to_owned()),
            only: args.only.clone(),
            dry_run: args.dry_run,
            stop: args.stop,
        };
        let ResyncResult { tables, .. } = daemon.post("/api/resync", &request).await?;
        let table = tables.into_iter().next().unwrap_or_default();
        let mut answer = Answer { source: source.to_owned(), table, ..Answer::default() };
        if args.stop && args.json {
            print::json(&answer)?;
            return Ok(0);
        }
        if args.stop {
            print::text(&format!("the resync of {}.{} is stopped\n", answer.source, answer.table))?;
            return Ok(0);
        }
        if !args.dry_run {
            follow(&daemon, &mut answer).await?;
        }
        if !args.dry_run && !args.json {
            // First, whatever becomes of the comparison.
            print::text(&done(&answer))?;
        }
        answer.compared = compare(&daemon, &answer).await?;
        show(args, &answer)
    })
}

/// Waits for the end, and says what was done.
async fn follow(daemon: &Daemon, answer: &mut Answer) -> Result<()> {
    let mut looks = 0;
    loop {
        let status: Status = daemon.get("/api/status").await?;
        let Some(source) = status.sources.iter().find(|one| one.name == answer.source) else {
            break;
        };
        if source.state == SourceState::Gap {
            let message = source.message.clone().unwrap_or_default();
            return Err(
                Error::new(ErrorKind::Gap, message).hint(source.hint.clone().unwrap_or_default())
            );
        }
        let now = source.resyncs.iter().find(|one| one.table == answer.table);
        // A store that is not open does not know.
        // One without a key is copied as if for the first time.
        let is_begun = matches!(source.state, SourceState::Copying | SourceState::Preparing);
        let is_over = now.is_none() && !is_begun;
        if is_over && status.conform.error.is_none() && status.conform.journal_seq > 0 {
            break;
        }
        looks += 1;
        if looks % LOOKS_UNTOLD == 0 {
            print::note(&how_far(&status, source, now));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    [answer.rows_read, answer.rows_mended, answer.rows_removed] =
        ended(daemon, &answer.source, &answer.table, 0).await?;
    Ok(())
}

/// Rows that the last resync of a table, of those that began at or after `since_micros`, has read, mended
/// and removed.
async fn ended(
    daemon: &Daemon,
    source: &str,
    table: &str,
    since_micros: i64,
) -> Result<[Option<u64>; 3]> {
    let literal = |text: &str| text.replace('\'', "''");
    let query = format!(
        "SELECT rows_read, rows_mended, rows_removed FROM ops.resync \
         WHERE source = '{}' AND table_name = '{}' AND ended_at IS NOT NULL \
         AND began_at >= make_timestamp({since_micros}) \
         ORDER BY ended_at DESC LIMIT 1",
        literal(source),
        literal(table),
    );
    let request = SqlRequest { query, rows_max: None };
    let found: SqlResult = daemon.post("/api/sql", &request).await?;
    let mut cells = found.rows.into_iter().flatten().map(|cell| cell.as_str()?.parse().ok());
    Ok([(); 3].map(|()| cells.next().flatten()))
}

/// How far it is, and what is in the way.
fn how_far(status: &Status, source: &SourceStatus, now: Option<&ResyncStatus>) -> String {
    let mut said =
        vec![now.map_or_else(|| "it is not known how far it is".to_owned(), text::resync)];
    if let Some(held) = &status.conform.held {
        said.push(format!("{}; see `trueup resume`", text::held(held)));
    }
    said.extend(status.conform.error.clone());
    said.extend(source.message.clone());
    said.join("; ")
}

fn done(answer: &Answer) -> String {
    let rows = [answer.rows_read, answer.rows_mended, answer.rows_removed];
    counts(&answer.source, &answer.table, rows)
}

fn counts(source: &str, table: &str, [read, mended, removed]: [Option<u64>; 3]) -> String {
    if read.is_none() {
        return format!("{source}.{table}: copied anew\n");
    }
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |n| n.to_string());
    format!(
        "{source}.{table}: {} rows read, {} mended, {} removed\n",
        count(read),
        count(mended),
        count(removed),
    )
}

async fn compare(daemon: &Daemon, answer: &Answer) -> Result<Vec<Compared>> {
    let (source, table) = (&answer.source, &answer.table);
    let request = ReconcileRequest {
        pair: Some(format!("source:{source}")),
        entity: Some(table.clone()),
        repair: false,
    };
    let began = Instant::now();
    let result = loop {
        let result: ReconcileResult = daemon.post("/api/reconcile", &request).await?;
        // What was copied as if for the first time may not be conformed yet.
        if !result.compared.is_empty() || began.elapsed() > COPIED_WITHIN {
            break result;
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    };
    if result.compared.is_empty() {
        let what = format!("{table} of {source} could not be compared: it is not copied");
        return Err(Error::new(ErrorKind::Unreachable, what).hint("see `trueup status`"));
    }
    Ok(result.compared)
}

fn show(args: &ResyncArgs, answer: &Answer) -> Result<u8> {
    let differing: u64 = answer.compared.iter().map(|one| one.differing).sum();
    if args.json {
        print::json(answer)?;
        return Ok(u8::from(differing > 0));
    }
    print::text(&reconcile::table(&answer.compared))?;
    if args.dry_run {
        let (source, table) = (&answer.source, &answer.table);
        let rows: u64 = answer.compared.iter().map(|one| one.rows).sum();
        print::text(&match &args.only {
            None => {
                format!("would read {rows} rows of {source}.{table} again and mend {differing}\n")
            }
            Some(only) => format!(
                "would read the rows of {source}.{table} again of which {only}, and mend those of the \
                 {differing} that differ which are among them\n"
            ),
        })?;
    }
    Ok(u8::from(differing > 0))
}
