//! Parses a mapping file into its header and its SELECT.
//!
//! It does not look into the SQL.

use std::collections::BTreeMap;

use super::{Mapping, Watch};
use crate::canon::entity::{nearest, split_outside_parentheses};
use crate::error::{Error, ErrorKind, Result};

const WORDS: [&str; 6] = ["entity", "version", "unit", "driver", "watch", "affects"];

/// See [`Mapping::parse`].
pub(super) fn mapping(path: &str, text: &str) -> Result<Mapping> {
    let mut header = Header { path, fields: BTreeMap::new(), affects: BTreeMap::new(), last: None };
    let mut lines = (1..).zip(text.lines());
    let mut select_line = 1;
    for (number, line) in lines.by_ref() {
        let line = line.trim_end();
        select_line = number;
        match line.trim_start().strip_prefix("--") {
            Some(comment) => header.line(number, comment)?,
            None if line.is_empty() => header.last = None,
            None => break,
        }
    }
    let select: Vec<&str> = text.lines().skip(select_line - 1).collect();
    let select = select.join("\n");
    let select = select.trim_end().trim_end_matches(';').trim_end().to_owned();
    header.finish(select, select_line)
}

/// A header field: the line it stands on and its text.
type Field = (usize, String);

struct Header<'a> {
    path: &'a str,
    fields: BTreeMap<&'static str, Field>,
    affects: BTreeMap<String, Field>,
    /// The alias whose `affects` a continuation line (three or more spaces) goes on.
    last: Option<String>,
}

impl Header<'_> {
    fn wrong(&self, line: usize, what: &str) -> Error {
        Error::new(ErrorKind::Config, format!("{}:{line}: {what}", self.path))
    }

    fn line(&mut self, number: usize, comment: &str) -> Result<()> {
        if comment.starts_with("   ")
            && let Some((_, sql)) = self.last.as_ref().and_then(|last| self.affects.get_mut(last))
        {
            sql.push('\n');
            sql.push_str(comment.trim());
            return Ok(());
        }
        self.last = None;
        let Some((name, value)) = comment.trim().split_once(':') else { return Ok(()) };
        let value = value.trim().to_owned();
        let mut words = name.split_whitespace();
        let (Some(first), second, None) = (words.next(), words.next(), words.next()) else {
            return Ok(());
        };
        match (WORDS.iter().find(|word| **word == first), second) {
            (Some(&"affects"), Some(alias)) => self.affects(number, alias, value),
            (Some(&"affects"), None) => Err(self
                .wrong(number, "`affects` does not say which alias")
                .hint("write `-- affects <alias>: SELECT <unit columns> FROM delta`")),
            (Some(word), None) => match self.fields.insert(word, (number, value)) {
                Some(_) => Err(self
                    .wrong(number, &format!("`{word}` is given twice"))
                    .hint("remove one of the two lines")),
                None => Ok(()),
            },
            _ => self.typo(number, first),
        }
    }

    fn affects(&mut self, number: usize, alias: &str, sql: String) -> Result<()> {
        let sql = sql.trim_end_matches(';').to_owned();
        self.last = Some(alias.to_owned());
        match self.affects.insert(alias.to_owned(), (number, sql)) {
            Some(_) => Err(self
                .wrong(number, &format!("`affects {alias}` is given twice"))
                .hint("join the two with UNION ALL")),
            None => Ok(()),
        }
    }

    /// Free text may contain colons; only a near miss of a known word is an error.
    fn typo(&self, number: usize, word: &str) -> Result<()> {
        match WORDS.iter().find(|known| strsim::levenshtein(known, word) <= 2) {
            Some(known) if !WORDS.contains(&word) => Err(self
                .wrong(number, &format!("unknown header line `{word}`"))
                .hint(format!("did you mean `{known}`?"))),
            _ => Ok(()),
        }
    }

    fn field(&mut self, word: &'static str, example: &str) -> Result<Field> {
        let missing = self.wrong(1, &format!("the header lacks `{word}`"));
        let found = self.fields.remove(word).filter(|(_, text)| !text.is_empty());
        found.ok_or_else(|| missing.hint(format!("add `-- {word}: {example}`")))
    }

    fn finish(mut self, select: String, select_line: usize) -> Result<Mapping> {
        let (_, entity) = self.field("entity", "worker")?;
        let (line, version) = self.field("version", "1")?;
        let version = version.parse().map_err(|_| {
            self.wrong(line, &format!("version `{version}` is not a number")).hint("write 1, 2, …")
        })?;
        let (_, unit) = self.field("unit", "employee_id")?;
        let unit: Vec<String> = unit.split(',').map(|part| part.trim().to_owned()).collect();
        let (_, driver) = self.field("driver", "e")?;
        let watch = match self.fields.remove("watch") {
            Some((line, text)) => self.watch(line, &text)?,
            None => BTreeMap::new(),
        };
        for (alias, (line, _)) in &self.affects {
            if watch.contains_key(alias) {
                let what = format!("alias `{alias}` has both `watch` and `affects`");
                return Err(self.wrong(*line, &what).hint("keep one of the two routes"));
            }
        }
        if select.is_empty() {
            let error = self.wrong(select_line, "the file has no SELECT");
            return Err(error.hint("write one SELECT below the header"));
        }
        let path = self.path.to_owned();
        let affects = self.affects.into_iter().map(|(alias, (_, sql))| (alias, sql)).collect();
        Ok(Mapping { path, entity, version, unit, driver, watch, affects, select, select_line })
    }

    fn watch(&self, line: usize, text: &str) -> Result<BTreeMap<String, Watch>> {
        let mut watch = BTreeMap::new();
        for part in split_outside_parentheses(text) {
            let refused = || {
                self.wrong(line, &format!("`{part}` is not a watched alias"))
                    .hint("write `alias = table.key`, or `alias = table.(a,b)` for a composite key")
            };
            let (alias, identity) = part.split_once('=').ok_or_else(refused)?;
            let (table, key) = match identity.split_once(".(") {
                Some((table, key)) => (table, key.trim().strip_suffix(')').ok_or_else(refused)?),
                None => identity.rsplit_once('.').ok_or_else(refused)?,
            };
            let key: Vec<String> = key.split(',').map(unquoted).collect();
            let (alias, table) = (unquoted(alias), unquoted(table));
            if alias.is_empty() || table.is_empty() || key.iter().any(String::is_empty) {
                return Err(refused());
            }
            if watch.insert(alias.clone(), Watch { table, key }).is_some() {
                let error = self.wrong(line, &format!("alias `{alias}` is watched twice"));
                return Err(error.hint("give each occurrence of a table its own alias"));
            }
        }
        Ok(watch)
    }
}

fn unquoted(name: &str) -> String {
    let name = name.trim();
    let inner = name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(name).replace("\"\"", "\"")
}

/// "did you mean", for the header's own words.
pub(super) fn nearest_alias<'a>(
    name: &str,
    aliases: impl Iterator<Item = &'a str>,
) -> Option<String> {
    nearest(name, aliases).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "-- entity: worker
-- version: 3
-- unit: employee_id
-- driver: e
-- watch: e = company_employee.id, i = \"sales.order_item\".(order_id, line)
-- affects t: SELECT emp FROM delta
--    UNION ALL SELECT boss FROM delta
-- Note: free text with a colon.

SELECT e.id AS employee_id
FROM company_employee e;
";

    #[test]
    fn a_file_gives_header_and_select() {
        let mapping = Mapping::parse("w.sql", FILE).unwrap();
        assert_eq!((mapping.entity.as_str(), mapping.version), ("worker", 3));
        assert_eq!(mapping.unit, ["employee_id"]);
        assert_eq!(mapping.watch["i"].table, "sales.order_item");
        assert_eq!(mapping.watch["i"].key, ["order_id", "line"]);
        assert_eq!(mapping.affects["t"], "SELECT emp FROM delta\nUNION ALL SELECT boss FROM delta");
        assert_eq!(mapping.select, "SELECT e.id AS employee_id\nFROM company_employee e");
        assert_eq!(mapping.select_line, 10);
    }

    fn error(from: &str, to: &str) -> (String, String) {
        let text = FILE.replace(from, to);
        assert_ne!(text, FILE);
        let error = Mapping::parse("w.sql", &text).unwrap_err();
        (error.chain(), error.remedy().unwrap_or_default().to_owned())
    }

    #[test]
    fn mistakes_name_file_line_and_remedy() {
        let (what, hint) = error("-- watch:", "-- wacth:");
        assert!(what.contains("w.sql:5") && hint.contains("`watch`"), "{what} {hint}");
        let (what, _) = error("version: 3", "version: three");
        assert!(what.contains("w.sql:2"), "{what}");
        let (what, _) = error("-- driver: e\n", "");
        assert!(what.contains("lacks `driver`"), "{what}");
        let (what, hint) = error("e = company_employee.id", "e = company_employee");
        assert!(what.contains("w.sql:5") && hint.contains("alias = table.key"), "{what}");
        let (what, _) = error("affects t:", "affects e:");
        assert!(what.contains("both `watch` and `affects`"), "{what}");
        let (what, _) = error("affects t:", "affects:");
        assert!(what.contains("which alias"), "{what}");
        let (what, _) = error("-- version: 3", "-- version: 3\n-- version: 4");
        assert!(what.contains("given twice"), "{what}");
    }
}
