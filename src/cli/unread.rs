//! `trueup unread`: rows of a source's log that could not be read.

use clap::Args;
use serde::Serialize;

use super::{Program, print};
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};

/// List rows of a source's log that could not be read
///
/// A row that this version cannot decode is set aside, byte for byte; the rest of its transaction goes
/// on, and its table is copied again by itself, so that store and targets have the row. This lists what
/// was set aside, oldest first, and with `--read` tries to read it by the version at hand: after an
/// upgrade, what happened can be told after all. Works whether the daemon runs or not. Exit 0 if there is
/// nothing, or everything can be read, 1 if not.
#[derive(Debug, Args)]
pub(super) struct UnreadArgs {
    /// Only those of this source
    source: Option<String>,
    /// Try to read them, and show the rows
    #[arg(long)]
    read: bool,
    /// Forget those that are listed: they are in the store by the copy
    #[arg(long, conflicts_with = "read")]
    forget: bool,
    /// With `--forget`, only say what would be forgotten
    #[arg(long, requires = "forget")]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What could not be read in one place of a log.
#[derive(Debug, Clone, Serialize)]
pub struct Unread {
    /// Its number, counted up by this install.
    pub id: u64,
    /// The source.
    pub source: String,
    /// The table, as the source names it.
    pub table: String,
    /// Where the log continues after the transaction.
    pub position: String,
    /// The journal entry that ends it.
    pub journal_seq: u64,
    /// When it was committed at the source.
    pub committed_at: Option<jiff::Timestamp>,
    /// Why it could not be read.
    pub why: String,
    /// Bytes that are kept.
    pub bytes: usize,
    /// Whether the version at hand can read it.
    pub is_readable: bool,
    /// What it then says: a JSON object per row with op, old and new. Row values: shown only on demand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<serde_json::Value>,
}

pub(super) fn unread(args: &UnreadArgs, config: &Config, program: &dyn Program) -> Result<u8> {
    let source = args.source.as_deref();
    if let Some(name) = source.filter(|name| !config.source.contains_key(*name)) {
        let what = format!("no source `{name}` is configured");
        return Err(Error::new(ErrorKind::Usage, what).hint("see [source.<name>]"));
    }
    let mut found = program.unread(config, source)?;
    let is_all_readable = found.iter().all(|one| one.is_readable);
    if !args.read {
        found.iter_mut().for_each(|one| one.rows.clear());
    }
    if args.forget && !args.dry_run {
        let upto = found.last().map_or(0, |one| one.id);
        program.forget_unread(config, source, upto)?;
    }
    if args.json {
        print::json(&found)?;
    } else {
        print::text(&said(args, &found))?;
    }
    Ok(u8::from(!args.forget && !is_all_readable))
}

fn said(args: &UnreadArgs, found: &[Unread]) -> String {
    if found.is_empty() {
        return "everything could be read\n".to_owned();
    }
    let mut lines = String::new();
    for one in found {
        let at = one.committed_at.map_or_else(|| "?".to_owned(), |at| at.to_string());
        let readable = if one.is_readable { "; this version can read it" } else { "" };
        lines.push_str(&format!(
            "{}  {}.{}  {at}  {}  entry {}  {} bytes: {}{readable}\n",
            one.id, one.source, one.table, one.position, one.journal_seq, one.bytes, one.why
        ));
        for row in &one.rows {
            lines.push_str(&format!("    {row}\n"));
        }
    }
    let done = match (args.forget, args.dry_run) {
        (true, true) => "would be forgotten",
        (true, false) => "forgotten",
        _ => "set aside",
    };
    lines.push_str(&format!("{} {done}\n", found.len()));
    lines
}
