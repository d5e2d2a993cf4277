//! `trueup status`: from the running daemon, or from the state folder of a stopped one.

use clap::Args;

use super::client::Daemon;
use super::print;
use super::program::Program;
use crate::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Finding;
use crate::state;
use crate::status::{DaemonState, Status, text};

/// A status is a look at counters; a daemon that needs longer is stuck.
const STATUS_SECS_MAX: u64 = 10;

/// Show positions, lag, queues and what needs a person
///
/// Asks the running daemon; if none answers, reads the state folder. Exit 0 if all is fine, 1 if
/// something needs a person (a gap, a dead letter, a stopped daemon), 69 if there is neither a
/// daemon nor a state folder.
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Print the status as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn status(args: &StatusArgs, config: &Config, program: &dyn Program) -> Result<u8> {
    let daemon = Daemon::new(config, STATUS_SECS_MAX)?;
    let status = match super::runtime()?.block_on(daemon.get("/api/status")) {
        Ok(status) => status,
        Err(silence) => from_state(config, program, silence)?,
    };
    if args.json {
        print::json(&status)?;
    } else {
        print::text(&text::render(&status))?;
    }
    Ok(u8::from(status.needs_person()))
}

fn from_state(config: &Config, program: &dyn Program, silence: Error) -> Result<Status> {
    let folder = &config.daemon.state_dir;
    if !folder.is_dir() {
        let what = format!("{}, and there is no state folder {}", silence, folder.display());
        return Err(Error::new(ErrorKind::Unreachable, what)
            .hint("start the daemon with `trueup run`, or name its configuration with --config"));
    }
    let mut status = program.status_from_state(config).map_err(|cause| {
        let what = format!("{silence}, and its state folder could not be read");
        Error::new(ErrorKind::Unreachable, what)
            .hint(cause.remedy().unwrap_or("start the daemon with `trueup run`").to_owned())
            .caused_by(cause)
    })?;
    status.daemon = DaemonState::Stopped;
    if let Some(holder) = state::holder(folder)? {
        // Whoever holds the folder should have answered: it hangs, or listens elsewhere.
        status.findings.push(Finding::error(
            format!("process {} holds the state folder, but {}", holder.pid, silence.chain()),
            "look at its log, and whether its http_listen is the one in this configuration",
        ));
    }
    Ok(status)
}
