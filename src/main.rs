//! The `trueup` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    trueup::memory::bound();
    trueup::cli::main(&trueup::app::App)
}
