//! Who owns which attribute of an entity: the system of record, per attribute.
//!
//! It only says whose value counts; merging rows is the store's, showing drift is reconcile's.

use std::collections::{BTreeMap, BTreeSet};

use super::entity::{Entity, suggest};
use crate::error::{Error, ErrorKind, Result};

/// The owners of one entity's attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    default: String,
    attributes: BTreeMap<String, String>,
}

impl Owner {
    /// Judges `[entity.<name>.owner]` (`rules`: attribute → source, `"*"` is the default) against
    /// the sources that contribute to the entity. A single contributing source owns everything
    /// unless told otherwise.
    ///
    /// # Errors
    /// An attribute that does not exist, a source that does not contribute, or no default among
    /// several sources.
    pub fn new(
        entity: &Entity,
        rules: &BTreeMap<String, String>,
        contributing: &BTreeSet<String>,
    ) -> Result<Self> {
        let section = format!("[entity.{}.owner]", entity.name);
        for (attribute, source) in rules {
            if attribute != "*" && entity.attribute(attribute).is_none() {
                let names = entity.attributes.iter().map(|known| known.name.as_str());
                let what = format!("{section} names unknown attribute `{attribute}`");
                let hint = suggest(attribute, names, "name an attribute of the entity");
                return Err(Error::new(ErrorKind::Config, what).hint(hint));
            }
            if !contributing.contains(source) {
                let names = contributing.iter().map(String::as_str);
                let what =
                    format!("{section} names `{source}`, which contributes no {}", entity.name);
                let hint = suggest(source, names, "add a mapping for it to the source's pack");
                return Err(Error::new(ErrorKind::Config, what).hint(hint));
            }
        }
        let default = match (rules.get("*"), contributing.first(), contributing.len()) {
            (Some(source), ..) => source.clone(),
            (None, Some(only), 1) => only.clone(),
            _ => {
                let sources: Vec<&str> = contributing.iter().map(String::as_str).collect();
                let what = format!(
                    "entity `{}` is contributed by {} and has no default owner",
                    entity.name,
                    sources.join(" and ")
                );
                return Err(Error::new(ErrorKind::Config, what)
                    .hint(format!("add {section} with \"*\" = \"<source>\"")));
            }
        };
        let attributes = rules.iter().filter(|(attribute, _)| *attribute != "*");
        let attributes = attributes.map(|(name, source)| (name.clone(), source.clone())).collect();
        Ok(Self { default, attributes })
    }

    /// The source whose row decides whether the canonical row exists.
    #[must_use]
    pub fn default(&self) -> &str {
        &self.default
    }

    /// The source whose value counts for `attribute`.
    #[must_use]
    pub fn of(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map_or(&self.default, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker() -> Entity {
        let text = "-- entity: worker\n-- key: no\nCREATE TABLE worker (\n no VARCHAR, -- No.\n \
                    cost_rate DECIMAL(8,2) -- Rate.\n);\n";
        Entity::parse("worker.sql", text).unwrap()
    }

    fn rules(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(a, s)| ((*a).to_owned(), (*s).to_owned())).collect()
    }

    fn sources(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_single_source_owns_everything() {
        let owner = Owner::new(&worker(), &rules(&[]), &sources(&["erp"])).unwrap();
        assert_eq!((owner.default(), owner.of("cost_rate")), ("erp", "erp"));
    }

    #[test]
    fn rules_win_over_the_default() {
        let rules = rules(&[("*", "hr"), ("cost_rate", "erp")]);
        let owner = Owner::new(&worker(), &rules, &sources(&["erp", "hr"])).unwrap();
        assert_eq!((owner.of("no"), owner.of("cost_rate")), ("hr", "erp"));
    }

    #[test]
    fn mistakes_are_named() {
        let both = sources(&["erp", "hr"]);
        let none = Owner::new(&worker(), &rules(&[]), &both).unwrap_err();
        assert!(none.chain().contains("erp and hr"), "{}", none.chain());
        let attribute = Owner::new(&worker(), &rules(&[("*", "hr"), ("cost_rat", "hr")]), &both);
        assert!(attribute.unwrap_err().remedy().unwrap().contains("cost_rate"));
        let source = Owner::new(&worker(), &rules(&[("*", "crm")]), &both).unwrap_err();
        assert!(source.chain().contains("`crm`"), "{}", source.chain());
    }
}
