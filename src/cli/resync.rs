//! `trueup resync`: copies a mirrored table once more, and mends what is wrong in it.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::client::Daemon;
use super::{print, reconcile};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::serve::http::{
    ReconcileRequest, ReconcileResult, ResyncRequest, ResyncResult, SqlRequest, SqlResult,
};
use crate::status::{ResyncStatus, Status};

/// The comparison of a large table takes its time.
const ANSWER_SECS_MAX: u64 = 3_600;
/// Between two looks at how far it is.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// Looks after which it is said how far it is.
const LOOKS_UNTOLD: u32 = 20;

/// Copy a mirrored table again, while everything runs, and mend what is wrong
///
/// Reads the table in chunks, each in a short transaction of its own, and holds every row against
/// the mirror as of the same moment: a row that is not as in the source is mended, one that the
/// source does not have is removed, and canonical rows and targets follow. Then the table is
/// compared. Ending this command does not end the resync: the daemon goes on, over restarts, too.
/// What was mended is in the store: `SELECT * FROM ops.resync`. Exit 0 if both sides agree in the
/// end, 1 if not.
#[derive(Debug, Args)]
pub(super) struct ResyncArgs {
    /// The source and its table, as `erp.company_employee` or `erp.public.company_employee`
    #[arg(value_name = "SOURCE.TABLE")]
    table: String,
    /// Only compare, and say what would be mended
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Answer {
    source: String,
    table: String,
    /// Rows of the source that were held against the mirror; absent with `--dry-run`.
    rows_read: Option<u64>,
    rows_mended: Option<u64>,
    rows_removed: Option<u64>,
    /// What the comparison found, afterwards or instead.
    compared: ReconcileResult,
}

pub(super) fn resync(args: &ResyncArgs, config: &Config) -> Result<u8> {
    let Some((source, table)) = args.table.split_once('.') else {
        let what = format!("`{}` does not name a table of a source", args.table);
        return Err(Error::new(ErrorKind::Usage, what).hint("write it as SOURCE.TABLE"));
    };
    let daemon = Daemon::new(config, ANSWER_SECS_MAX)?;
    let answer = super::runtime()?.block_on(async {
        let (source, table, dry_run) = (source.to_owned(), table.to_owned(), args.dry_run);
        let request = ResyncRequest { source: source.clone(), table, dry_run };
        let ResyncResult { table } = daemon.post("/api/resync", &request).await?;
        let mut answer = Answer { source, table, ..Answer::default() };
        if !dry_run {
            follow(&daemon, &mut answer).await?;
        }
        let request = ReconcileRequest {
            pair: Some(format!("source:{}", answer.source)),
            entity: Some(answer.table.clone()),
            repair: false,
        };
        answer.compared = daemon.post("/api/reconcile", &request).await?;
        Ok::<_, Error>(answer)
    })?;
    show(args, &answer)
}

/// Waits for the end.
async fn follow(daemon: &Daemon, answer: &mut Answer) -> Result<()> {
    let mut looks = 0;
    while let Some(now) = under_way(daemon, answer).await? {
        looks += 1;
        if looks % LOOKS_UNTOLD == 0 {
            let ResyncStatus { table, rows_read, rows_mended } = now;
            print::note(&format!("{table}: {rows_read} rows read, {rows_mended} mended so far"));
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
    let literal = |text: &str| text.replace('\'', "''");
    let query = format!(
        "SELECT rows_read, rows_mended, rows_removed FROM ops.resync \
         WHERE source = '{}' AND table_name = '{}' AND ended_at IS NOT NULL \
         ORDER BY ended_at DESC LIMIT 1",
        literal(&answer.source),
        literal(&answer.table),
    );
    let request = SqlRequest { query, rows_max: None };
    let found: SqlResult = daemon.post("/api/sql", &request).await?;
    let mut cells = found.rows.into_iter().flatten().map(|cell| cell.as_str()?.parse().ok());
    answer.rows_read = cells.next().flatten();
    answer.rows_mended = cells.next().flatten();
    answer.rows_removed = cells.next().flatten();
    Ok(())
}

async fn under_way(daemon: &Daemon, answer: &Answer) -> Result<Option<ResyncStatus>> {
    let status: Status = daemon.get("/api/status").await?;
    let source = status.sources.into_iter().find(|one| one.name == answer.source);
    let resyncs = source.map(|source| source.resyncs).unwrap_or_default();
    Ok(resyncs.into_iter().find(|one| one.table == answer.table))
}

fn show(args: &ResyncArgs, answer: &Answer) -> Result<u8> {
    let differing: u64 = answer.compared.compared.iter().map(|one| one.differing).sum();
    if args.json {
        print::json(answer)?;
        return Ok(u8::from(differing > 0));
    }
    let (source, table) = (&answer.source, &answer.table);
    print::text(&reconcile::table(&answer.compared.compared))?;
    if args.dry_run {
        let rows: u64 = answer.compared.compared.iter().map(|one| one.rows).sum();
        print::text(&format!(
            "would read {rows} rows of {source}.{table} again and mend {differing}\n"
        ))?;
        return Ok(u8::from(differing > 0));
    }
    let count = |count: Option<u64>| count.unwrap_or(0);
    print::text(&format!(
        "{source}.{table}: {} rows read, {} mended, {} removed\n",
        count(answer.rows_read),
        count(answer.rows_mended),
        count(answer.rows_removed),
    ))?;
    Ok(u8::from(differing > 0))
}
