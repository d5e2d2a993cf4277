//! Places where a test can make the process die, to prove that nothing is lost there.
//!
//! `TRUEUP_FAILPOINT=name` or `name:N` aborts at the first or the N-th pass through that place;
//! `name:N:unwind` ends only the loop that passes, as a panic there would.
//! Only in builds of the dev profile (`cfg(failpoints)`, set by `build.rs`); in others a failpoint
//! is nothing, and it is never a way to handle an error.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, ErrorKind, Result};

/// The environment variable that arms one failpoint.
const VARIABLE: &str = "TRUEUP_FAILPOINT";

/// Every failpoint: its name and where it lies.
pub const NAMES: &[(&str, &str)] = &[
    ("after-read", "capture read from the source; nothing of it is in the journal"),
    ("before-journal-commit", "a journal entry is written; its transaction is still open"),
    ("after-journal-commit", "a journal entry is durable; the position is not yet recorded"),
    ("before-confirm", "the position is in the ledger; the source was not told"),
    ("before-outbox-commit", "batch and events are written; the ledger's transaction is open"),
    ("after-outbox-commit", "the ledger has the batch and its events, the store does not"),
    ("before-store-commit", "the store's transaction is complete but for its commit"),
    ("after-store-commit", "ledger and store have the batch; nobody was told"),
    ("while-parking", "the target's transaction has rows, holes and cursor; it is still open"),
    ("after-apply", "the target committed; the ledger does not know"),
    (
        "after-parking",
        "the target committed rows, holes and cursor in one; the ledger knows nothing of the parked",
    ),
    ("after-runs-begun", "runs of workflows are written down; their events are not delivered"),
    ("before-gap-remembered", "a target turned out to lack events or to have others; nobody knows"),
    ("before-settle", "the target's answer is known; the ledger is about to record it"),
    ("after-chunk", "a copy chunk was read; nothing of it is in the journal"),
    ("after-chunk-commit", "a copy chunk is in the journal; the copy's progress is not recorded"),
    ("before-seal-noted", "a seal's files are complete; the ledger does not know them"),
    ("after-seal-noted", "the ledger knows a seal; its folder is not in its place"),
    ("before-rebuilt", "a lost store is made anew; it is not in its place"),
    ("after-baseline-apply", "the target has a baseline chunk; the ledger does not know"),
];

/// Dies here if this failpoint is armed. `name` is one of [`NAMES`].
#[cfg(failpoints)]
pub fn reach(name: &str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    static PASSES: AtomicU64 = AtomicU64::new(0);
    // A value that cannot be read was refused at the start, by `check`.
    let armed = ARMED.get_or_init(|| from_environment().ok().flatten());
    let Some(armed) = armed.as_ref().filter(|armed| armed.name == name) else { return };
    if PASSES.fetch_add(1, Ordering::Relaxed) + 1 == armed.pass {
        if armed.unwinds {
            std::panic::resume_unwind(Box::new(format!("failpoint {name}")));
        }
        // No unwinding, no destructors: as close to a power failure as a process gets.
        std::process::abort();
    }
}

/// Nothing, in builds without failpoints.
#[cfg(not(failpoints))]
pub fn reach(_name: &str) {}

/// Refuses a variable that names no failpoint; to be called once at the start.
///
/// # Errors
/// `Usage`, with the known names; also when this build has no failpoints.
pub fn check() -> Result<()> {
    match from_environment()? {
        Some(Armed { name, pass, .. }) if !cfg!(failpoints) => {
            let what = format!("{VARIABLE}={name}:{pass} is set, and this build has no failpoints");
            Err(Error::new(ErrorKind::Usage, what)
                .hint(format!("unset {VARIABLE}, or use a build of the dev profile")))
        }
        _ => Ok(()),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Armed {
    name: &'static str,
    /// Dies at this pass, counted from 1.
    pass: u64,
    /// As a panic would, instead of an end of the process.
    unwinds: bool,
}

fn from_environment() -> Result<Option<Armed>> {
    match std::env::var(VARIABLE) {
        Ok(text) if !text.is_empty() => parse(&text).map(Some),
        _ => Ok(None),
    }
}

fn parse(text: &str) -> Result<Armed> {
    let (text_without, unwinds) =
        text.strip_suffix(":unwind").map_or((text, false), |rest| (rest, true));
    let (name, pass) = text_without.split_once(':').unwrap_or((text_without, "1"));
    let known = NAMES.iter().find(|(known, _)| *known == name).map(|(known, _)| *known);
    let pass = pass.parse().ok().filter(|pass| *pass > 0);
    let (Some(name), Some(pass)) = (known, pass) else {
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        return Err(Error::new(ErrorKind::Usage, format!("unknown failpoint \"{text}\"")).hint(
            format!(
                "set {VARIABLE} to NAME, NAME:PASS or NAME:PASS:unwind; names: {}",
                names.join(", ")
            ),
        ));
    };
    Ok(Armed { name, pass, unwinds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_dies_at_its_first_pass_and_a_number_says_which() {
        let armed = |name, pass, unwinds| Armed { name, pass, unwinds };
        assert_eq!(parse("after-read").unwrap(), armed("after-read", 1, false));
        assert_eq!(parse("before-confirm:12").unwrap(), armed("before-confirm", 12, false));
        assert_eq!(parse("before-confirm:3:unwind").unwrap(), armed("before-confirm", 3, true));
    }

    #[test]
    fn what_names_no_failpoint_is_refused_with_the_names() {
        for text in ["after-reed", "after-read:0", "after-read:x", "after-read:", ":1"] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{text}");
            assert!(error.remedy().unwrap().contains("before-outbox-commit"), "{text}");
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NAMES.len());
    }
}
