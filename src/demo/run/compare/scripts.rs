//! The statements of `sql/demo/compare`, by entity.
//!
//! Data only. A row of an entity with two sources is compared with the source that owns it.

use super::read::Script;

/// Which source a script is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// The ERP.
    Erp,
    /// The HR.
    Hr,
}

/// What an entity is compared with.
#[derive(Debug)]
pub(super) struct EntityScripts {
    /// The entity.
    pub(super) name: &'static str,
    /// With the ERP alone.
    alone: &'static [(From, Script)],
    /// With both sources.
    both: &'static [(From, Script)],
    /// Over canon, as the PSA must have it.
    pub(super) psa: Script,
    /// The same for the books.
    pub(super) books: Option<Script>,
}

impl EntityScripts {
    /// The scripts for its sources.
    pub(super) fn sources(&self, has_hr: bool) -> &'static [(From, Script)] {
        if has_hr { self.both } else { self.alone }
    }
}

macro_rules! script {
    ($folder:literal, $name:literal) => {
        Script(include_str!(concat!("../../../../sql/demo/compare/", $folder, "/", $name, ".sql")))
    };
}

/// An entity: what both sources are compared with, or nothing if the ERP owns it in any case.
macro_rules! entity {
    ($name:literal) => {
        entity!($name, &[(From::Erp, script!("erp", $name))])
    };
    ($name:literal, $both:expr) => {
        EntityScripts {
            name: $name,
            alone: &[(From::Erp, script!("erp", $name))],
            both: $both,
            psa: script!("psa", $name),
            books: None,
        }
    };
}

/// Every entity of the demo.
pub(super) const ENTITIES: &[EntityScripts] = &[
    entity!(
        "org_unit",
        &[(From::Hr, script!("hr", "org_unit")), (From::Erp, script!("erp", "unit_books"))]
    ),
    entity!("worker", &[(From::Hr, script!("hr", "worker"))]),
    entity!("client"),
    entity!("contract"),
    entity!("project"),
    entity!("assignment"),
    EntityScripts { books: Some(script!("books", "time_entry")), ..entity!("time_entry") },
    entity!("expense"),
    entity!("invoice"),
    entity!("invoice_line"),
    entity!("cost_rate", &[(From::Hr, script!("hr", "cost_rate"))]),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The wiring's targets are what is compared: all of their columns, and nothing else.
    #[test]
    fn the_scripts_of_the_targets_name_every_column_of_the_wiring() {
        let config = include_str!("../../../../config/demo.toml");
        let config = crate::config::judge_text(config).unwrap();
        let of_psa = ENTITIES.iter().map(|entity| ("psa", entity.name, entity.psa));
        let of_books = ENTITIES.iter().filter_map(|one| Some(("books", one.name, one.books?)));
        let scripts: Vec<_> = of_psa.chain(of_books).collect();
        let wired: usize = config.target.values().map(|target| target.entity.len()).sum();
        assert_eq!(wired, scripts.len());
        for (target, entity, script) in scripts {
            let wired = &config.target[target].entity[entity];
            assert_eq!(script.table(), wired.table);
            let mut keys = script.key();
            keys.sort();
            assert_eq!(keys, wired.key.keys().cloned().collect::<Vec<_>>(), "{entity}");
            for column in wired.key.keys().chain(wired.columns.keys()) {
                let mut words = script.0.split(|c: char| !c.is_alphanumeric() && c != '_');
                assert!(words.any(|word| word == column), "{target} {entity} {column}");
            }
        }
    }
}
