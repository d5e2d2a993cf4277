//! Which configuration file is meant.

use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// Looked for in this order when no file is named.
const PLACES: [&str; 2] = ["./trueup.toml", "/etc/trueup/trueup.toml"];

/// The named file, or the first that exists.
///
/// # Errors
/// [`ErrorKind::Config`] with every path tried.
pub(super) fn locate(named: Option<&Path>) -> Result<PathBuf> {
    if let Some(path) = named {
        if path.is_file() {
            return Ok(path.to_owned());
        }
        let what = format!("there is no configuration file {}", path.display());
        return Err(Error::new(ErrorKind::Config, what)
            .hint("name another with --config or TRUEUP_CONFIG, or write one: trueup init"));
    }
    PLACES.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or_else(|| {
        let what = format!("there is no configuration file; tried {}", PLACES.join(", "));
        Error::new(ErrorKind::Config, what)
            .hint("name one with --config or TRUEUP_CONFIG, or write one: trueup init")
    })
}
