//! Runs a server's own programs (initdb, psql, mariadb …) to their end.
//!
//! It knows no SQL and keeps nothing running.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{Context, Error, ErrorKind, Result};

/// What a client program reads.
pub(super) enum Input<'a> {
    /// Nothing.
    Nothing,
    /// SQL.
    Text(&'a str),
    /// A file of SQL.
    File(&'a Path),
}

/// Runs `command` and hands back what it printed. `what` names the act in an error.
pub(super) fn run(mut command: Command, input: &Input<'_>, what: &str) -> Result<String> {
    let failed = || format!("could not {what}");
    match input {
        Input::Nothing => command.stdin(Stdio::null()),
        Input::Text(_) => command.stdin(Stdio::piped()),
        Input::File(path) => {
            let file = std::fs::File::open(path)
                .context(ErrorKind::Setup, || format!("could not open {}", path.display()))?;
            command.stdin(file)
        }
    };
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context(ErrorKind::Setup, failed)?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // Written beside the reading: a program that prints much would block on a full pipe.
        scope.spawn(move || {
            if let (Some(mut stdin), Input::Text(text)) = (stdin, input) {
                // A program that stopped reading says why itself.
                stdin.write_all(text.as_bytes()).ok();
            }
        });
        child.wait_with_output()
    });
    let output = output.context(ErrorKind::Setup, failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let words = last_lines(if words.trim().is_empty() { "it said nothing" } else { &words }, 20);
    Err(Error::new(ErrorKind::Setup, failed()).caused_by(words))
}

/// The end of a log: where servers say why they stopped.
pub(super) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}
