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
    entity!("time_entry"),
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
    fn the_scripts_of_the_psa_name_every_column_of_the_wiring() {
        let config = include_str!("../../../../config/demo.toml");
        let config = crate::config::judge_text(config).unwrap();
        let entities = &config.target["psa"].entity;
        assert_eq!(entities.len(), ENTITIES.len());
        for entity in ENTITIES {
            let wired = &entities[entity.name];
            assert_eq!(entity.psa.table(), wired.table);
            let mut keys = entity.psa.key();
            keys.sort();
            assert_eq!(keys, wired.key.keys().cloned().collect::<Vec<_>>(), "{}", entity.name);
            let text = entity.psa.0;
            for column in wired.key.keys().chain(wired.columns.keys()) {
                let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
                assert!(words.into_iter().any(|word| word == column), "{} {column}", entity.name);
            }
        }
    }
}
