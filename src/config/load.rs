//! From a file to [`Config`]: every problem at once, each with its place and the nearest known
//! name.

use std::path::Path;

use super::Config;
use super::document::document;
use super::judge::judge;
use super::problem::Problems;
use super::read::read;
use crate::error::{Context, Error, ErrorKind, Result};

/// Reads and judges the file at `path`. `entities` says which canonical entities exist, given
/// what could be read (a `sql_dir` may add some); an empty list means it is not known.
///
/// # Errors
/// [`ErrorKind::Config`] with every problem found; its cause is a [`Problems`].
pub fn load(path: &Path, entities: impl FnOnce(&Config) -> Vec<String>) -> Result<Config> {
    let text = std::fs::read_to_string(path)
        .context(ErrorKind::Config, || format!("could not read {}", path.display()))?;
    judged(&text, entities).map_err(|problems| {
        let what = format!("the configuration {} is not valid", path.display());
        Error::new(ErrorKind::Config, what).caused_by(problems)
    })
}

/// Judges a configuration given as text, without knowing which entities exist.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str) -> Result<Config> {
    judged(text, |_| Vec::new())
        .context(ErrorKind::Config, || "the configuration is not valid".to_owned())
}

fn judged(
    text: &str,
    entities: impl FnOnce(&Config) -> Vec<String>,
) -> std::result::Result<Config, Problems> {
    let root = document(text).map_err(Problems)?;
    let mut reading = read(&root);
    if let Some(config) = &reading.config {
        let known = entities(config);
        reading.problems.extend(judge(config, &root, &reading.replaced, &known));
    }
    reading.problems.sort_by_key(|problem| problem.line);
    match reading.config {
        Some(config) if reading.problems.is_empty() => Ok(config),
        _ => Err(Problems(reading.problems)),
    }
}

#[cfg(test)]
mod tests;
