//! Secrets: named by reference, read when needed, never shown.

use std::fmt;

use serde::Deserialize;

use crate::error::{Context, Error, ErrorKind, Result};

/// A reference to a secret, `${file:PATH}` or `${env:NAME}`. Anything else is refused, so that
/// no password ever stands in a configuration file.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Secret(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    File(String),
    Env(String),
}

impl Secret {
    /// Reads the secret now; a trailing newline of a file is not part of it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the file or the variable cannot be read.
    pub fn read(&self) -> Result<String> {
        match &self.0 {
            Place::File(path) => std::fs::read_to_string(path)
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .context(ErrorKind::Config, || format!("could not read the secret file {path}"))
                .map_err(|error| error.hint("let this user read the file, and only this user")),
            Place::Env(name) => std::env::var(name)
                .context(ErrorKind::Config, || format!("could not read the variable {name}"))
                .map_err(|error| error.hint("set it in the environment of this process")),
        }
    }
}

impl TryFrom<String> for Secret {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        match inner.and_then(|inner| inner.split_once(':')) {
            Some(("file", path)) if !path.is_empty() => Ok(Secret(Place::File(path.to_owned()))),
            Some(("env", name)) if !name.is_empty() => Ok(Secret(Place::Env(name.to_owned()))),
            _ => Err(Error::new(
                ErrorKind::Config,
                "a secret must be written ${file:PATH} or ${env:NAME}, never as itself",
            )),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::File(path) => write!(f, "secret from file {path}"),
            Place::Env(name) => write!(f, "secret from variable {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Result<Secret> {
        Secret::try_from(text.to_owned())
    }

    #[test]
    fn a_file_is_read_when_asked_and_again_when_it_changed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let secret = secret(&format!("${{file:{}}}", file.path().display())).unwrap();
        std::fs::write(file.path(), "first \r\n").unwrap();
        assert_eq!(secret.read().unwrap(), "first ");
        std::fs::write(file.path(), "second").unwrap();
        assert_eq!(secret.read().unwrap(), "second");
        drop(file);
        let error = secret.read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.remedy().is_some());
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = secret("${env:TRUEUP_NO_SUCH_VARIABLE}").unwrap().read().unwrap_err();
        assert_eq!(error.to_string(), "could not read the variable TRUEUP_NO_SUCH_VARIABLE");
    }

    #[test]
    fn anything_but_a_reference_is_refused_and_not_repeated() {
        for text in ["hunter2", "${file:}", "${env:}", "${vault:x}", "${file:/hunter2", ""] {
            let error = secret(text).unwrap_err();
            assert!(!error.chain().contains("hunter2"), "{}", error.chain());
        }
    }
}
