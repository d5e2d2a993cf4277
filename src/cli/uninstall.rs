//! `trueup uninstall`: takes away from a source what we made there, so that it keeps no log for
//! us.

use clap::Args;

use super::print;
use super::program::Program;
use crate::config::Config;
use crate::config::problem::nearest;
use crate::error::{Error, ErrorKind, Result};
use crate::state;

/// Remove from a source what trueup made there
///
/// Drops the replication slot and the publication (PostgreSQL), so that the server keeps no log
/// for a daemon that does not come back. The daemon must be stopped. The state folder stays;
/// capturing this source again needs a new one, and copies everything anew.
#[derive(Debug, Args)]
pub(super) struct UninstallArgs {
    /// The source, as named in the configuration
    #[arg(long, value_name = "NAME")]
    source: String,
    /// Only say what would be removed
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn uninstall(
    args: &UninstallArgs,
    config: &Config,
    program: &dyn Program,
) -> Result<u8> {
    let name = args.source.as_str();
    if !config.source.contains_key(name) {
        return Err(unknown(name, config));
    }
    if let (false, Some(holder)) = (args.dry_run, state::holder(&config.daemon.state_dir)?) {
        let what = format!("the daemon runs as process {} and uses the source", holder.pid);
        return Err(
            Error::new(ErrorKind::Setup, what).hint(format!("stop it: kill {}", holder.pid))
        );
    }
    let removed = super::runtime()?.block_on(program.uninstall(name, config, args.dry_run))?;
    let verb = if args.dry_run { "would remove" } else { "removed" };
    for thing in &removed {
        print::text(&format!("{verb}: {thing}\n"))?;
    }
    if removed.is_empty() {
        print::text(&format!("nothing of ours is left in source {name}\n"))?;
    }
    Ok(0)
}

fn unknown(name: &str, config: &Config) -> Error {
    let names: Vec<&str> = config.source.keys().map(String::as_str).collect();
    let hint = match nearest(name, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known sources: {}", names.join(", ")),
    };
    Error::new(ErrorKind::Usage, format!("there is no source `{name}`")).hint(hint)
}
