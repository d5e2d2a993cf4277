//! From text to [`Config`]: every problem at once, each with its place and the nearest known name.

use std::path::Path;

use super::Config;
use crate::error::{Context, ErrorKind, Result};

/// Reads and judges the file at `path`.
///
/// # Errors
/// [`ErrorKind::Config`] with every problem found.
pub fn load(path: &Path) -> Result<Config> {
    let text = std::fs::read_to_string(path)
        .context(ErrorKind::Config, || format!("could not read {}", path.display()))?;
    parse(&text)
}

/// Judges a configuration given as text.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str) -> Result<Config> {
    toml::from_str(text).context(ErrorKind::Config, || "the configuration is not valid".to_owned())
}
