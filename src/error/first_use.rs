//! Whether something has worked in this process, and why not if only a person can mend it: what
//! decides between an error at the start and patience later. Pure.

use super::{Error, ErrorKind};

/// The first use of a source or a target.
#[derive(Debug, Clone, Default)]
pub struct FirstUse {
    has_worked: bool,
    /// Errors are not cloned: kind, words and remedy are.
    refusal: Option<(ErrorKind, String, Option<String>)>,
}

impl FirstUse {
    /// It works.
    pub fn worked(&mut self) {
        self.has_worked = true;
    }

    /// It failed. Counts if it never worked and only a person can mend it.
    pub fn failed(&mut self, error: &Error) {
        let needs_person = matches!(error.kind(), ErrorKind::Setup | ErrorKind::Config);
        if needs_person && !self.has_worked {
            let hint = error.remedy().map(ToOwned::to_owned);
            self.refusal = Some((error.kind(), error.chain(), hint));
        }
    }

    /// True once it has worked.
    #[must_use]
    pub fn has_worked(&self) -> bool {
        self.has_worked
    }

    /// The last failure that only a person can mend, from before it ever worked.
    #[must_use]
    pub fn refusal(&self) -> Option<Error> {
        let (kind, what, hint) = self.refusal.clone()?;
        Some(hint.into_iter().fold(Error::new(kind, what), Error::hint))
    }
}
