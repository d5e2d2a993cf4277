//! The only place that writes to standard output, and how errors look.

use std::io::{ErrorKind as IoKind, Write};

use serde::Serialize;

use crate::error::{Context, Error, ErrorKind, Result};

/// Writes `text` as it is.
///
/// # Errors
/// Standard output is gone for another reason than a reader who has seen enough (`| head`).
pub(super) fn text(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == IoKind::BrokenPipe => Ok(()),
        result => result.context(ErrorKind::Unreachable, || "could not write the output".into()),
    }
}

/// Writes `value` as indented JSON.
///
/// # Errors
/// As [`text`].
pub(super) fn json(value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_string_pretty(value)
        .context(ErrorKind::Bug, || "the answer cannot be written as JSON".to_owned())?;
    text(&format!("{json}\n"))
}

/// Writes a remark that is not part of the answer to standard error.
pub(super) fn note(remark: &str) {
    // Nobody reads it: nobody can be told.
    let _written = writeln!(std::io::stderr().lock(), "{remark}");
}

/// Writes an error: what, its causes, and below them the remedy.
pub(super) fn error(error: &Error) {
    note(&format!("error: {}", error.chain()));
    if let Some(hint) = error.remedy() {
        note(&format!("  hint: {}", hint.replace('\n', "\n        ")));
    }
}
