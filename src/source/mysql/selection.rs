//! Which tables are mirrored: the operator's patterns against the tables there are. Pure.
//!
//! It does not judge whether a chosen table can be mirrored.

use crate::change::TableName;
use crate::error::{Error, ErrorKind, Result};
use crate::source::choice::matches;

/// The tables of `known` that `patterns` choose, in the order of `known`. A pattern is
/// `database.table` with `*` for any run of characters; without a dot it means a table of
/// `database`; a leading `!` excludes. Later patterns win.
///
/// # Errors
/// [`ErrorKind::Config`] for a pattern that matches nothing (it is misspelt, or protects
/// something it does not name), with the nearest names.
pub(super) fn select<'a>(
    source: &str,
    database: &str,
    patterns: &[String],
    known: &'a [TableName],
) -> Result<Vec<&'a TableName>> {
    if !patterns.iter().any(|pattern| !pattern.starts_with('!')) {
        return Err(Error::new(ErrorKind::Config, format!("source `{source}` names no tables"))
            .hint("set tables = [\"*\"] or list them"));
    }
    let mut chosen = vec![false; known.len()];
    for pattern in patterns {
        let (glob, choose) = match pattern.strip_prefix('!') {
            Some(rest) => (rest, false),
            None => (pattern.as_str(), true),
        };
        let glob = match glob.contains('.') {
            true => glob.to_owned(),
            false => format!("{database}.{glob}"),
        };
        let mut matched = false;
        for (name, chosen) in known.iter().zip(&mut chosen) {
            if matches(&glob, &name.to_string()) {
                matched = true;
                *chosen = choose;
            }
        }
        if !matched {
            return Err(unmatched(source, pattern, &glob, known));
        }
    }
    Ok(known.iter().zip(chosen).filter(|(_, chosen)| *chosen).map(|(name, _)| name).collect())
}

fn unmatched(source: &str, pattern: &str, glob: &str, known: &[TableName]) -> Error {
    let mut near: Vec<(f64, String)> = known
        .iter()
        .map(|name| name.to_string())
        .map(|name| (strsim::jaro_winkler(glob, &name), name))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<String> = near.into_iter().take(3).map(|(_, name)| name).collect();
    let what = format!("pattern `{pattern}` of source `{source}` matches no table");
    Error::new(ErrorKind::Config, what).hint(if near.is_empty() {
        "the server has no table that this account can see".to_owned()
    } else {
        format!("did you mean {}? (views and temporary tables are not in the log)", near.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<TableName> {
        [("crm", "staff"), ("hr", "ir_model"), ("hr", "party"), ("hr", "party_line")]
            .map(|(schema, name)| TableName::new(schema, name))
            .to_vec()
    }

    fn chosen(patterns: &[&str]) -> Vec<String> {
        let patterns: Vec<String> = patterns.iter().map(|&p| p.to_owned()).collect();
        select("erp", "hr", &patterns, &known())
            .unwrap()
            .iter()
            .map(|name| name.to_string())
            .collect()
    }

    #[test]
    fn later_patterns_win() {
        assert_eq!(chosen(&["*.*"]).len(), 4);
        assert_eq!(chosen(&["*"]).len(), 3);
        assert_eq!(chosen(&["*", "!ir_*"]), ["hr.party", "hr.party_line"]);
        assert_eq!(chosen(&["*.*", "!hr.*", "party"]), ["crm.staff", "hr.party"]);
        assert_eq!(chosen(&["*.*_*"]), ["hr.ir_model", "hr.party_line"]);
    }

    #[test]
    fn globs() {
        for (glob, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("*a", "ba", true),
            ("a*a", "a", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "aXcYb", false),
            ("a*bb", "abbb", true),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn a_pattern_without_a_match_names_what_is_near() {
        for pattern in ["hr.partyy", "!hr.partyy"] {
            let patterns = ["*".to_owned(), pattern.to_owned()];
            let error = select("erp", "hr", &patterns, &known()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(pattern));
            assert!(error.remedy().unwrap().contains("hr.party,"), "{:?}", error.remedy());
        }
        let none = select("erp", "hr", &["!hr.*".to_owned()], &known()).unwrap_err();
        assert!(none.remedy().unwrap().contains("tables ="));
    }
}
