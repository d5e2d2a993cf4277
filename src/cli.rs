//! The command line: what can be asked, and how an answer or an error looks.
//!
//! Commands do not reach into ledger, store, sources or targets: a [`Program`] does that for
//! them, so that each command is arguments in, text and exit code out.

mod check;
mod client;
mod init;
mod locate;
mod print;
mod program;
mod reconcile;
mod resume;
mod resync;
mod run;
mod sql;
mod status;
mod uninstall;
mod unread;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Finding;
use crate::status::text;
pub use program::{DemoOptions, Found, FoundTable, MappingTestOptions, Program, Start};
pub use unread::Unread;

/// Keep ERP, HR and project-accounting systems true to each other
#[derive(Debug, Parser)]
#[command(name = "trueup", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 fine, 1 needs a person, 64 usage, 69 unreachable, \
                        78 configuration; all of them in docs/exit-codes.md")]
struct Cli {
    /// Read the configuration from this file
    ///
    /// Without it, ./trueup.toml is read or else /etc/trueup/trueup.toml.
    #[arg(short, long, global = true, value_name = "PATH", env = "TRUEUP_CONFIG")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArgs),
    Check(check::CheckArgs),
    Init(init::InitArgs),
    Demo(DemoArgs),
    Status(status::StatusArgs),
    Sql(sql::SqlArgs),
    Reconcile(reconcile::ReconcileArgs),
    Resync(resync::ResyncArgs),
    Resume(resume::ResumeArgs),
    #[command(subcommand)]
    Mapping(MappingCommand),
    Audit(AuditArgs),
    Unread(unread::UnreadArgs),
    Uninstall(uninstall::UninstallArgs),
}

/// Hold the archive against what was sealed
///
/// Reads every file below `archive/` in the state folder and compares it with the digests in the
/// ledger, whether the daemon runs or not. Exit 0 if everything is as it was sealed, 1 if not.
#[derive(Debug, Args)]
struct AuditArgs {}

/// Show the whole system at work on private databases, then compare all sides
///
/// Starts PostgreSQL and MariaDB on free loopback ports in a temporary folder, with an ERP, an
/// HR system and a PSA that a generator keeps busy, and the daemon between them. The last line
/// begins with `agree` or `DISAGREE`; the exit code is 0 or 1. Nothing is left running.
#[derive(Debug, Args)]
struct DemoArgs {
    /// End after so many seconds of work; without it, run until Ctrl-C
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// Leave the HR system (MariaDB) out; the ERP owns everything
    #[arg(long)]
    erp_only: bool,
    /// Play a scenario while people work
    #[arg(long, value_name = "NAME", value_enum)]
    scenario: Option<Scenario>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Scenario {
    /// Somebody tampers with the PSA: each time it is found, named and mended
    Drift,
}

/// Work with mapping packs
#[derive(Debug, Subcommand)]
enum MappingCommand {
    Test(MappingTestArgs),
}

/// Test a mapping pack on its fixtures, without a server
///
/// A pack of your own is found in `sql_dir` of the configuration, if there is one.
///
/// Invented source rows go in, canonical rows come out and are compared with what is expected;
/// then random changes are made, and evaluating only what they touch must give the same rows as
/// evaluating everything.
#[derive(Debug, Args)]
struct MappingTestArgs {
    /// The pack, as `tryton`
    pack: String,
    /// Batches of random changes
    #[arg(long, value_name = "N", default_value_t = 200)]
    batches: u32,
    /// Seed of the random changes; a failure prints the seed to repeat it
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
}

/// Reads the command line, does what it says and reports errors.
pub fn main(program: &dyn Program) -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match dispatch(&cli, program) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            print::error(&error);
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Each command answers with its exit code.
fn dispatch(cli: &Cli, program: &dyn Program) -> Result<u8> {
    let path = cli.config.as_deref();
    match &cli.command {
        Command::Run(args) => run::run(args, load(path, program)?, program),
        Command::Check(args) => check::check(args, &locate::locate(path)?, program),
        Command::Init(args) => init::init(args, program),
        Command::Demo(args) => run::demo(demo_options(args), program),
        Command::Status(args) => status::status(args, &load(path, program)?, program),
        Command::Sql(args) => sql::sql(args, &load(path, program)?),
        Command::Reconcile(args) => reconcile::reconcile(args, &load(path, program)?),
        Command::Resync(args) => resync::resync(args, &load(path, program)?),
        Command::Resume(args) => resume::resume(args, &load(path, program)?),
        Command::Mapping(MappingCommand::Test(args)) => mapping_test(args, path, program),
        Command::Audit(AuditArgs {}) => audit(&load(path, program)?, program),
        Command::Unread(args) => unread::unread(args, &load(path, program)?, program),
        Command::Uninstall(args) => uninstall::uninstall(args, &load(path, program)?, program),
    }
}

fn demo_options(args: &DemoArgs) -> DemoOptions {
    DemoOptions {
        seconds: args.seconds,
        erp_only: args.erp_only,
        has_drift: args.scenario == Some(Scenario::Drift),
    }
}

fn load(path: Option<&Path>, program: &dyn Program) -> Result<Config> {
    read(&locate::locate(path)?, program)
}

fn read(path: &Path, program: &dyn Program) -> Result<Config> {
    config::load(path, |config| program.entities(config))
}

/// Packs of the operator's own are where the configuration says; the built-in ones need none.
fn mapping_test(args: &MappingTestArgs, path: Option<&Path>, program: &dyn Program) -> Result<u8> {
    let config = locate::locate_if_any(path)?.map(|path| read(&path, program)).transpose()?;
    let options = MappingTestOptions {
        pack: args.pack.clone(),
        sql_dir: config.and_then(|config| config.daemon.sql_dir),
        batches: args.batches,
        seed: args.seed,
    };
    show(&program.mapping_test(&options)?)
}

fn audit(config: &Config, program: &dyn Program) -> Result<u8> {
    let findings = program.audit(config)?;
    if findings.is_empty() {
        print::text("nothing is sealed yet\n")?;
    }
    show(&findings)
}

/// Exit code 1 if one of them is an error.
fn show(findings: &[Finding]) -> Result<u8> {
    let mut failed = false;
    for finding in findings {
        failed |= finding.severity == crate::finding::Severity::Error;
        let mark = text::mark(finding.severity);
        print::text(&text::said(mark, &finding.what, finding.remedy.as_deref()))?;
    }
    Ok(u8::from(failed))
}

/// clap's own errors, and its help, which it hands over as one.
fn usage(error: &clap::Error) -> ExitCode {
    // If not even this can be written, the exit code still says it.
    let _written = error.print();
    ExitCode::from(if error.use_stderr() { ErrorKind::Usage.exit_code() } else { 0 })
}

/// A runtime for a command that talks to other systems and is then done.
fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|cause| {
        Error::new(ErrorKind::Bug, "could not start the async runtime").caused_by(cause)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        <super::Cli as clap::CommandFactory>::command().debug_assert();
    }
}
