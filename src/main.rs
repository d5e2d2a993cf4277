//! The `trueup` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    trueup::cli::main(&trueup::app::App)
}
