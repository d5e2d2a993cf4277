//! All entities together, in the order in which they must be delivered: what is referred to comes
//! first.
//!
//! Soft references do not count; they are what breaks cycles.

use std::collections::BTreeMap;

use super::{Entity, nearest};
use crate::error::{Error, ErrorKind, Result};

/// Every entity, referenced ones first; entities of one rank by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entities {
    ordered: Vec<Entity>,
    ranks: BTreeMap<String, usize>,
}

impl Entities {
    /// Orders `entities`.
    ///
    /// # Errors
    /// A name used twice, a reference to nothing, or a cycle of hard references (named).
    pub fn new(entities: Vec<Entity>) -> Result<Self> {
        let mut by_name = BTreeMap::new();
        for entity in entities {
            if let Some(twice) = by_name.insert(entity.name.clone(), entity) {
                let what = format!("entity `{}` is declared twice", twice.name);
                return Err(Error::new(ErrorKind::Config, what).hint("remove one of the files"));
            }
        }
        references_exist(&by_name)?;
        let mut ranks = BTreeMap::new();
        for name in by_name.keys() {
            rank(name, &by_name, &mut ranks, &mut Vec::new())?;
        }
        let mut ordered: Vec<Entity> = by_name.into_values().collect();
        ordered.sort_by_key(|entity| (ranks.get(&entity.name).copied(), entity.name.clone()));
        Ok(Self { ordered, ranks })
    }

    /// The entity of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Entity> {
        self.ordered.iter().find(|entity| entity.name == name)
    }

    /// 0 for entities without hard references, else one more than the highest it refers to.
    #[must_use]
    pub fn rank(&self, name: &str) -> usize {
        self.ranks.get(name).copied().unwrap_or_default()
    }

    /// In delivery order.
    pub fn iter(&self) -> impl Iterator<Item = &Entity> {
        self.ordered.iter()
    }
}

fn references_exist(entities: &BTreeMap<String, Entity>) -> Result<()> {
    for entity in entities.values() {
        for reference in &entity.references {
            let Some(other) = entities.get(&reference.entity) else {
                let what =
                    format!("{} refers to unknown entity `{}`", entity.name, reference.entity);
                let known = nearest(&reference.entity, entities.keys().map(String::as_str));
                return Err(Error::new(ErrorKind::Config, what).hint(match known {
                    Some(known) => format!("did you mean `{known}`?"),
                    None => "add its file to sql/canonical".to_owned(),
                }));
            };
            if other.key.len() != reference.attributes.len() {
                let what = format!(
                    "{} refers to `{}` with {} of its {} key attributes",
                    entity.name,
                    other.name,
                    reference.attributes.len(),
                    other.key.len()
                );
                return Err(Error::new(ErrorKind::Config, what).hint(format!(
                    "the key of {} is {}",
                    other.name,
                    other.key.join(", ")
                )));
            }
        }
    }
    Ok(())
}

fn rank(
    name: &str,
    entities: &BTreeMap<String, Entity>,
    ranks: &mut BTreeMap<String, usize>,
    path: &mut Vec<String>,
) -> Result<usize> {
    if let Some(known) = ranks.get(name) {
        return Ok(*known);
    }
    if let Some(start) = path.iter().position(|on_path| on_path == name) {
        let cycle: Vec<&str> = path.iter().skip(start).map(String::as_str).collect();
        let what = format!("hard references form a cycle: {} -> {name}", cycle.join(" -> "));
        return Err(Error::new(ErrorKind::Config, what)
            .hint("mark one of these references `soft`: it is delivered as NULL and patched"));
    }
    path.push(name.to_owned());
    let mut highest = 0;
    let references = entities.get(name).map(|entity| entity.references.as_slice());
    for reference in references.unwrap_or_default().iter().filter(|reference| !reference.soft) {
        highest = highest.max(1 + rank(&reference.entity, entities, ranks, path)?);
    }
    path.pop();
    ranks.insert(name.to_owned(), highest);
    Ok(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(name: &str, refs: &str) -> Entity {
        let text = format!(
            "-- entity: {name}\n-- key: id\n{refs}CREATE TABLE {name} (\n id VARCHAR, -- Id.\n \
             other VARCHAR -- Other.\n);\n"
        );
        Entity::parse("x.sql", &text).unwrap()
    }

    #[test]
    fn referenced_entities_come_first_and_soft_references_do_not_count() {
        let entities = Entities::new(vec![
            entity("assignment", "-- refs: other -> worker\n"),
            entity("worker", "-- refs: other -> org_unit\n"),
            entity("org_unit", "-- refs: other -> worker soft\n"),
            entity("client", ""),
        ])
        .unwrap();
        let order: Vec<&str> = entities.iter().map(|entity| entity.name.as_str()).collect();
        assert_eq!(order, ["client", "org_unit", "worker", "assignment"]);
        assert_eq!(entities.rank("assignment"), 2);
    }

    #[test]
    fn a_hard_cycle_is_named() {
        let cycle = vec![
            entity("a", "-- refs: other -> b\n"),
            entity("b", "-- refs: other -> c\n"),
            entity("c", "-- refs: other -> b\n"),
        ];
        let error = Entities::new(cycle).unwrap_err();
        assert!(error.chain().contains("b -> c -> b"), "{}", error.chain());
        let own = Entities::new(vec![entity("a", "-- refs: other -> a\n")]).unwrap_err();
        assert!(own.chain().contains("a -> a"), "{}", own.chain());
    }

    #[test]
    fn an_unknown_reference_names_the_nearest() {
        let error = Entities::new(vec![
            entity("worker", ""),
            entity("assignment", "-- refs: other -> wroker\n"),
        ])
        .unwrap_err();
        assert!(error.remedy().unwrap().contains("worker"));
    }
}
