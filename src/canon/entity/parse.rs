//! Parses one entity file: header lines, free text, and one `CREATE TABLE` with a column per line.
//!
//! Deliberately not an SQL parser: the format is narrower than SQL, so that every column has its
//! comment beside it.

use super::{Attribute, AttributeType, Entity, Reference};
use crate::error::{Error, ErrorKind, Result};

/// See [`Entity::parse`].
pub(super) fn entity(path: &str, text: &str) -> Result<Entity> {
    let mut draft = Draft { path, name: None, key: None, references: Vec::new(), comment: vec![] };
    let mut attributes = Vec::new();
    let mut inside = false;
    let mut closed = false;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || closed {
            continue;
        }
        if inside {
            if line.starts_with(')') {
                closed = true;
            } else if !line.starts_with("--") {
                attributes.push(column(path, number, line)?);
            }
        } else if let Some(comment) = line.strip_prefix("--") {
            draft.header(number, comment.trim())?;
        } else {
            draft.table(number, line)?;
            inside = true;
        }
    }
    if !closed {
        let error = wrong(path, 1, "the file has no complete CREATE TABLE");
        return Err(error.hint("write `CREATE TABLE name (`, one column per line, and `);`"));
    }
    draft.finish(attributes)
}

fn wrong(path: &str, line: usize, what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{path}:{line}: {what}"))
}

/// What the header has said so far.
struct Draft<'a> {
    path: &'a str,
    name: Option<String>,
    key: Option<Vec<String>>,
    references: Vec<Reference>,
    comment: Vec<String>,
}

impl Draft<'_> {
    fn header(&mut self, line: usize, text: &str) -> Result<()> {
        match text.split_once(':').map(|(name, value)| (name.trim(), value.trim())) {
            Some(("entity", value)) => self.name = Some(value.to_owned()),
            Some(("key", value)) => {
                self.key = Some(value.split(',').map(|part| part.trim().to_owned()).collect());
            }
            Some(("refs", value)) => {
                for part in split_outside_parentheses(value) {
                    self.references.push(self.reference(line, part)?);
                }
            }
            _ if text.is_empty() => {}
            _ => self.comment.push(text.to_owned()),
        }
        Ok(())
    }

    fn reference(&self, line: usize, text: &str) -> Result<Reference> {
        let refused = || {
            wrong(self.path, line, &format!("`{text}` is not a reference"))
                .hint("write `attribute -> entity`, or `(a, b) -> entity soft`")
        };
        let (from, to) = text.split_once("->").ok_or_else(refused)?;
        let from = from.trim().trim_start_matches('(').trim_end_matches(')');
        let attributes: Vec<String> = from.split(',').map(|part| part.trim().to_owned()).collect();
        let mut words = to.split_whitespace();
        let entity = words.next().ok_or_else(refused)?.to_owned();
        let soft = match (words.next(), words.next()) {
            (None, _) => false,
            (Some("soft"), None) => true,
            _ => return Err(refused()),
        };
        if attributes.iter().any(String::is_empty) {
            return Err(refused());
        }
        Ok(Reference { attributes, entity, soft })
    }

    fn table(&self, line: usize, text: &str) -> Result<()> {
        let words: Vec<&str> = text.trim_end_matches('(').split_whitespace().collect();
        let name = self.name.as_deref().unwrap_or_default();
        match words.as_slice() {
            [create, table, given]
                if create.eq_ignore_ascii_case("create")
                    && table.eq_ignore_ascii_case("table")
                    && text.ends_with('(')
                    && *given == name =>
            {
                Ok(())
            }
            _ => Err(wrong(self.path, line, "the table does not follow the header")
                .hint(format!("write `-- entity: {name}` first, then `CREATE TABLE {name} (`"))),
        }
    }

    fn finish(self, attributes: Vec<Attribute>) -> Result<Entity> {
        let path = self.path;
        let missing = |what: &str| {
            wrong(path, 1, &format!("the header lacks `{what}`")).hint(format!("add `-- {what} …`"))
        };
        let name = self.name.ok_or_else(|| missing("entity:"))?;
        let key = self.key.ok_or_else(|| missing("key:"))?;
        let comment = self.comment.join(" ");
        let entity = Entity { name, comment, attributes, key, references: self.references };
        let used = entity.references.iter().flat_map(|reference| &reference.attributes);
        for attribute in entity.key.iter().chain(used) {
            if entity.attribute(attribute).is_none() {
                let names = entity.attributes.iter().map(|attribute| attribute.name.as_str());
                let hint = super::suggest(attribute, names, "name a column of the table");
                return Err(wrong(path, 1, &format!("`{attribute}` is not a column")).hint(hint));
            }
        }
        twice(path, &entity)?;
        Ok(entity)
    }
}

fn twice(path: &str, entity: &Entity) -> Result<()> {
    let mut seen = std::collections::BTreeSet::new();
    for attribute in &entity.attributes {
        if !seen.insert(attribute.name.to_ascii_lowercase()) {
            let what = format!("column `{}` is declared twice", attribute.name);
            return Err(wrong(path, 1, &what).hint("remove one of the two"));
        }
    }
    Ok(())
}

/// `name TYPE [NOT NULL][,] -- comment`
fn column(path: &str, number: usize, line: &str) -> Result<Attribute> {
    let refused = |what: &str| {
        wrong(path, number, what).hint("write `name TYPE [NOT NULL], -- meaning, unit, owner`")
    };
    let (code, comment) =
        line.split_once("--").ok_or_else(|| refused("the column has no comment"))?;
    let code = code.trim().trim_end_matches(',').trim();
    let (name, rest) =
        code.split_once(char::is_whitespace).ok_or_else(|| refused("the column has no type"))?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.is_empty() || name.starts_with('_') || !name.chars().all(plain) {
        let what = format!("`{name}` is not a name for an attribute");
        return Err(wrong(path, number, &what)
            .hint("use lower case letters, digits and `_`, not beginning with `_`"));
    }
    let rest = rest.trim().to_ascii_uppercase();
    let (kind, nullable) = match rest.strip_suffix("NOT NULL") {
        Some(kind) => (kind.trim(), false),
        None => (rest.as_str(), true),
    };
    let kind = attribute_type(kind).ok_or_else(|| {
        wrong(path, number, &format!("`{kind}` is not a type of an attribute")).hint(
            "use VARCHAR, BOOLEAN, INTEGER, BIGINT, DECIMAL(precision,scale), DATE or TIMESTAMP",
        )
    })?;
    let comment = comment.trim().to_owned();
    if comment.is_empty() {
        return Err(refused("the column has no comment"));
    }
    Ok(Attribute { name: name.to_owned(), kind, nullable, comment })
}

fn attribute_type(text: &str) -> Option<AttributeType> {
    Some(match text {
        "VARCHAR" => AttributeType::Varchar,
        "BOOLEAN" => AttributeType::Boolean,
        "INTEGER" => AttributeType::Integer,
        "BIGINT" => AttributeType::Bigint,
        "DATE" => AttributeType::Date,
        "TIMESTAMP" => AttributeType::Timestamp,
        _ => {
            let inner =
                text.strip_prefix("DECIMAL")?.trim().strip_prefix('(')?.strip_suffix(')')?;
            let (precision, scale) = inner.split_once(',')?;
            let precision = precision.trim().parse().ok()?;
            let scale = scale.trim().parse().ok()?;
            if !(1..=38).contains(&precision) || scale > precision {
                return None;
            }
            AttributeType::Decimal { precision, scale }
        }
    })
}

/// Splits at commas that are not inside parentheses.
pub(crate) fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (place, letter) in text.char_indices() {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text.get(start..place).unwrap_or_default().trim());
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(start..).unwrap_or_default().trim());
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: &str = "-- entity: worker
-- key: worker_no
-- refs: manager_no -> worker soft, (org_country, org_code) -> org_unit
-- A person who works.
CREATE TABLE worker (
    worker_no VARCHAR NOT NULL,   -- Staff number. Owner: HR.
    manager_no VARCHAR,           -- Manager.
    cost_rate DECIMAL(12, 2),     -- Per hour, EUR.
    org_country VARCHAR,          -- Part of the org unit's key.
    org_code VARCHAR              -- Part of the org unit's key.
);
";

    #[test]
    fn a_file_gives_attributes_key_and_references() {
        let worker = Entity::parse("worker.sql", WORKER).unwrap();
        assert_eq!(worker.name, "worker");
        assert_eq!(worker.comment, "A person who works.");
        assert_eq!(worker.key, ["worker_no"]);
        let cost_rate = worker.attribute("cost_rate").unwrap();
        assert_eq!(cost_rate.kind.sql(), "DECIMAL(12,2)");
        assert!(cost_rate.nullable && !worker.attribute("worker_no").unwrap().nullable);
        assert_eq!(cost_rate.comment, "Per hour, EUR.");
        assert!(worker.references[0].soft);
        assert_eq!(worker.references[1].attributes, ["org_country", "org_code"]);
        assert!(!worker.references[1].soft);
    }

    fn error(text: &str) -> (String, String) {
        let error = Entity::parse("x.sql", text).unwrap_err();
        (error.chain(), error.remedy().unwrap_or_default().to_owned())
    }

    #[test]
    fn mistakes_name_file_line_and_remedy() {
        let (what, hint) = error(&WORKER.replace("DECIMAL(12, 2)", "MONEY"));
        assert!(what.contains("x.sql:8") && hint.contains("DECIMAL(precision,scale)"), "{what}");
        let (what, _) = error(&WORKER.replace("-- Manager.", ""));
        assert!(what.contains("x.sql:7: the column has no comment"), "{what}");
        let (what, hint) = error(&WORKER.replace("key: worker_no", "key: worker_num"));
        assert!(what.contains("worker_num") && hint.contains("worker_no"), "{what} {hint}");
        let (what, _) = error(&WORKER.replace("-- key: worker_no\n", ""));
        assert!(what.contains("lacks `key:`"), "{what}");
        let (what, _) = error("-- entity: a\n-- key: b\n");
        assert!(what.contains("no complete CREATE TABLE"), "{what}");
        let (what, _) = error(&WORKER.replace("CREATE TABLE worker", "CREATE TABLE workers"));
        assert!(what.contains("x.sql:5"), "{what}");
        let (what, _) = error(&WORKER.replace("worker soft", "worker maybe"));
        assert!(what.contains("is not a reference"), "{what}");
    }
}
