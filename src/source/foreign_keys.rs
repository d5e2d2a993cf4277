//! Who tells of what foreign keys do to rows: a server's log, or nobody, so that it is derived. Where that
//! is the server's choice (MySQL from 9.6 on, at each start), the log may hold parts of both kinds.
//!
//! It asks no server: [`super::mysql`] does.

use std::collections::BTreeSet;

use crate::change::TableName;

/// How a server's log tells what foreign keys do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignKeys {
    /// The tables whose rows they change.
    pub tables: BTreeSet<TableName>,
    /// Whether the log tells of it by now; `None`: it never does, or there are none.
    pub logged: Option<bool>,
    /// A part of the log that is still to be read was written under a choice that nobody knows any more:
    /// which part, in one word.
    pub unknown: Option<String>,
}

impl ForeignKeys {
    /// What is kept in mind of a table until the next session, in one word; `before` is what was. Another one
    /// means that some of what was done to its rows is neither in the log nor derived.
    #[must_use]
    pub fn word(&self, table: &TableName, before: &str) -> Option<String> {
        let logged = self.logged.filter(|_| self.tables.contains(table))?;
        let unknown = self.unknown.as_deref();
        let unknown = unknown.or(before.split_once('@').map(|(_, part)| part)).unwrap_or("none");
        Some(format!("{}@{unknown}", if logged { "logged" } else { "hidden" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_changes_with_the_choice_and_with_each_part_that_nobody_knows() {
        let name = TableName::new("shop", "child");
        let one = |logged, unknown: Option<&str>| ForeignKeys {
            tables: BTreeSet::from([name.clone()]),
            logged: Some(logged),
            unknown: unknown.map(str::to_owned),
        };
        let first = one(true, None).word(&name, "").unwrap();
        assert_eq!(one(true, None).word(&name, &first), Some(first.clone()));
        assert_ne!(one(false, None).word(&name, &first), Some(first.clone()));
        let doubted = one(true, Some("171")).word(&name, &first).unwrap();
        assert_ne!(doubted, first);
        // The part was read meanwhile, or is still there.
        assert_eq!(one(true, None).word(&name, &doubted), Some(doubted.clone()));
        assert_eq!(one(true, Some("171")).word(&name, &doubted), Some(doubted.clone()));
        assert_ne!(one(true, Some("172")).word(&name, &doubted), Some(doubted));
        assert_eq!(one(true, None).word(&TableName::new("shop", "parent"), ""), None);
        assert_eq!(ForeignKeys::default().word(&name, ""), None);
    }
}
