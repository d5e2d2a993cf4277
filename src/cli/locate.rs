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
    locate_among(named, &PLACES)
}

/// As [`locate`], for what works without a configuration: `None` if none is named and none exists.
///
/// # Errors
/// As [`locate`], if the named file does not exist.
pub(super) fn locate_if_any(named: Option<&Path>) -> Result<Option<PathBuf>> {
    let exists = || PLACES.iter().any(|path| Path::new(path).is_file());
    if named.is_some() || exists() { locate(named).map(Some) } else { Ok(None) }
}

fn locate_among(named: Option<&Path>, places: &[&str]) -> Result<PathBuf> {
    if let Some(path) = named {
        if path.is_file() {
            return Ok(path.to_owned());
        }
        let what = format!("there is no configuration file {}", path.display());
        return Err(Error::new(ErrorKind::Config, what)
            .hint("name another with --config or TRUEUP_CONFIG, or write one: trueup init"));
    }
    places.iter().map(PathBuf::from).find(|path| path.is_file()).ok_or_else(|| {
        let what = format!("there is no configuration file; tried {}", places.join(", "));
        Error::new(ErrorKind::Config, what)
            .hint("name one with --config or TRUEUP_CONFIG, or write one: trueup init")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_exists_is_taken_and_else_all_are_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let there = file.path().to_str().unwrap();
        assert_eq!(locate_among(None, &["/nothing/a", there]).unwrap(), file.path());
        let error = locate_among(None, &["/nothing/a", "/nothing/b"]).unwrap_err();
        let expected = "there is no configuration file; tried /nothing/a, /nothing/b";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.kind(), ErrorKind::Config);
    }

    #[test]
    fn a_named_file_is_not_replaced_by_another() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let there = file.path().to_str().unwrap();
        let error = locate_among(Some(Path::new("/nothing/a")), &[there]).unwrap_err();
        assert_eq!(error.to_string(), "there is no configuration file /nothing/a");
        assert_eq!(locate_among(Some(file.path()), &[]).unwrap(), file.path());
    }

    #[test]
    fn the_folder_comes_before_the_machine() {
        assert_eq!(PLACES, ["./trueup.toml", "/etc/trueup/trueup.toml"]);
    }
}
