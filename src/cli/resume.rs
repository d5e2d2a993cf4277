//! `trueup resume`: lets a held batch go.

use clap::Args;

use super::client::Daemon;
use super::print;
use crate::config::Config;
use crate::error::Result;
use crate::serve::http::ResumeRequest;
use crate::status::{Status, text};

/// Longest wait for an answer.
const ANSWER_SECS_MAX: u64 = 10;

/// Let a held batch go
///
/// A batch that would change or delete more of an entity's rows than `hold_percent` in [limits]
/// waits, and everything after it: a mistake in a mapping must not reach every target. This says
/// what it would do, and lets it happen.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// Only say what would be let go
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn resume(args: &ResumeArgs, config: &Config) -> Result<u8> {
    let daemon = Daemon::new(config, ANSWER_SECS_MAX)?;
    let runtime = super::runtime()?;
    let status: Status = runtime.block_on(daemon.get("/api/status"))?;
    let Some(held) = status.conform.held else {
        print::text("no batch is held\n")?;
        return Ok(0);
    };
    print::text(&format!("{}\n", text::held(&held)))?;
    if args.dry_run {
        print::text("would let it go\n")?;
        return Ok(0);
    }
    let request = ResumeRequest { seq_upto: held.seq_upto };
    let _: serde_json::Value = runtime.block_on(daemon.post("/api/resume", &request))?;
    print::text("let go\n")?;
    Ok(0)
}
