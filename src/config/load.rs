//! From a file to [`Config`]: every problem at once, each with its place and the nearest known
//! name.

use std::path::Path;

use super::Config;
use super::document::document;
use super::judge::judge;
use super::problem::Problems;
use super::read::{Reading, read};
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

/// Reads and judges a configuration given as text, without knowing which entities exist.
///
/// # Errors
/// As [`load`].
pub fn judge_text(text: &str) -> Result<Config> {
    judged(text, |_| Vec::new()).map_err(invalid)
}

/// Reads a configuration given as text: syntax, keys and types, but not what the values mean
/// together. So a part can be read alone, such as one target.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str) -> Result<Config> {
    let problems = match document(text).map(|root| read(&root)) {
        Ok(Reading { config: Some(config), problems, .. }) if problems.is_empty() => {
            return Ok(config);
        }
        Ok(reading) => reading.problems,
        Err(problems) => problems,
    };
    Err(invalid(Problems::sorted(problems)))
}

fn invalid(problems: Problems) -> Error {
    Error::new(ErrorKind::Config, "the configuration is not valid").caused_by(problems)
}

fn judged(
    text: &str,
    entities: impl FnOnce(&Config) -> Vec<String>,
) -> std::result::Result<Config, Problems> {
    let root = document(text).map_err(Problems::sorted)?;
    let mut reading = read(&root);
    if let Some(config) = &reading.config {
        let known = entities(config);
        reading.problems.extend(judge(config, &root, &reading.replaced, &known));
    }
    match reading.config {
        Some(config) if reading.problems.is_empty() => Ok(config),
        _ => Err(Problems::sorted(reading.problems)),
    }
}

#[cfg(test)]
mod tests;
