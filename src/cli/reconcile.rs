//! `trueup reconcile`: compares two sides now, and mends a target.

use clap::Args;

use super::client::Daemon;
use super::print;
use crate::config::Config;
use crate::error::Result;
use crate::serve::http::{Compared, ReconcileRequest, ReconcileResult};
use crate::table::{Align, Table};

/// Large tables take their time.
const ANSWER_SECS_MAX: u64 = 3_600;

/// Compare the sides row by row, now, while everything runs
///
/// A pair is a source and its mirror (`source:erp`), or the canonical rows and a target
/// (`target:psa`). Both sides are looked at as of the same moment, so what is on its way is no
/// difference. What differs is in the store: `SELECT * FROM
/// ops.drift`. Exit 0 if all agree, 1 if something differs.
#[derive(Debug, Args)]
pub(super) struct ReconcileArgs {
    /// Only this pair, as `source:erp` or `target:psa`
    #[arg(long, value_name = "PAIR")]
    pair: Option<String>,
    /// Only this entity, or this table of a source
    #[arg(long, value_name = "ENTITY")]
    entity: Option<String>,
    /// Write the rows of targets that differ again, then compare once more
    #[arg(long)]
    repair: bool,
    /// With --repair: only say which rows would be written
    #[arg(long, requires = "repair")]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn reconcile(args: &ReconcileArgs, config: &Config) -> Result<u8> {
    let daemon = Daemon::new(config, ANSWER_SECS_MAX)?;
    let request = ReconcileRequest {
        pair: args.pair.clone(),
        entity: args.entity.clone(),
        repair: args.repair && !args.dry_run,
    };
    let result: ReconcileResult =
        super::runtime()?.block_on(daemon.post("/api/reconcile", &request))?;
    if args.json {
        print::json(&result)?;
    } else {
        print::text(&table(&result.compared))?;
        if args.dry_run {
            let of_targets = result.compared.iter().filter(|one| one.pair.starts_with("target:"));
            let rows: u64 = of_targets.map(|one| one.differing).sum();
            print::text(&format!("would write {rows} rows again\n"))?;
        } else if args.repair {
            print::text(&format!("{} rows written again\n", result.repaired))?;
        }
    }
    let differing: u64 = result.compared.iter().map(|one| one.differing).sum();
    if differing > 0 && !args.json {
        print::note("see them with: trueup sql \"SELECT * FROM ops.drift\"");
    }
    Ok(u8::from(differing > 0))
}

/// What was compared, as a table.
pub(super) fn table(compared: &[Compared]) -> String {
    let left = |name| (name, Align::Left);
    let right = |name| (name, Align::Right);
    let mut table = Table::new([
        left("PAIR"),
        left("ENTITY"),
        right("ROWS"),
        right("DIFFER"),
        right("PENDING"),
        left("NOT COMPARED"),
    ]);
    for one in compared {
        table.row([
            one.pair.clone(),
            one.entity.clone(),
            one.rows.to_string(),
            one.differing.to_string(),
            one.pending.to_string(),
            one.left_out.join(", "),
        ]);
    }
    table.render()
}
