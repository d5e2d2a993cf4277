//! From the configuration to the mapping set, and what `check` says about it.

use std::collections::BTreeMap;

use crate::canon::MappingSet;
use crate::cli::MappingTestOptions;
use crate::config::{Config, SourceConfig, SourceKind};
use crate::error::Result;
use crate::finding::Finding;
use crate::store::evaluate::Evaluator;
use crate::store::mapping_test;

/// The configured mappings, with owners judged.
pub(super) fn mappings(config: &Config) -> Result<MappingSet> {
    let packs: BTreeMap<String, String> = config
        .source
        .iter()
        .filter_map(|(name, source)| Some((name.clone(), source.mapping.clone()?)))
        .collect();
    MappingSet::load(config.daemon.sql_dir.as_deref(), &packs, &config.entity)
}

/// Names of all known entities.
pub(super) fn entities(config: &Config) -> Vec<String> {
    let none = BTreeMap::new();
    let set = MappingSet::load(config.daemon.sql_dir.as_deref(), &none, &BTreeMap::new());
    set.map(|set| set.entities().iter().map(|entity| entity.name.clone()).collect())
        .unwrap_or_default()
}

/// Plans every mapping as `run` would; connects to nothing.
pub(super) fn plan(config: &Config) -> Vec<Finding> {
    let schemas = config.source.keys().map(|name| (name.clone(), name.clone())).collect();
    let planned = mappings(config).and_then(|set| Evaluator::new(&set, &schemas).map(|_| set));
    match planned {
        Ok(set) => set
            .contributions()
            .iter()
            .map(|one| {
                let Mapped { source, entity, version } = Mapped::of(one);
                Finding::ok(format!("mapping {entity} of {source}, version {version}"))
            })
            .collect(),
        Err(error) => {
            vec![Finding::error(error.chain(), error.remedy().unwrap_or("see docs/mappings.md"))]
        }
    }
}

/// Tests a pack on its fixtures; an error finding is a failed test.
pub(super) fn test(options: &MappingTestOptions) -> Result<Vec<Finding>> {
    let seed = options.seed.unwrap_or_else(rand::random);
    let asked = mapping_test::Options { batches: options.batches, seed };
    let report = mapping_test::run(options.sql_dir.as_deref(), &options.pack, asked)?;
    let mut findings: Vec<Finding> = Vec::new();
    for (entity, rows) in &report.rows {
        findings.push(Finding::ok(format!("{entity}: {rows} rows of the fixture evaluated")));
    }
    for line in &report.unexpected {
        findings.push(Finding::error(line.clone(), "mend the mapping, or what is expected"));
    }
    match &report.failure {
        None => findings.push(Finding::ok(format!(
            "{} batches of random changes, {} differences: incremental equals full (seed {seed})",
            report.batches, report.differences
        ))),
        Some(failure) => findings.push(Finding::error(
            format!(
                "batch {} of seed {}: {} is wrong for {}; the batch was: {}",
                failure.batch,
                failure.seed,
                failure.table,
                failure.keys.join(", "),
                failure.changes.join("; ")
            ),
            "a route of the mapping misses units: see docs/mappings.md",
        )),
    }
    Ok(findings)
}

/// The schema whose tables are mirrored under their bare names.
pub(super) fn default_schema(source: &SourceConfig) -> String {
    match source.kind {
        SourceKind::Postgres => "public".to_owned(),
        // The database of the URL; checked when the configuration was read.
        SourceKind::Mariadb => {
            let path = source.url.split_once("://").map_or("", |(_, rest)| rest);
            let path = path.split_once('/').map_or("", |(_, database)| database);
            path.split('?').next().unwrap_or_default().to_owned()
        }
    }
}

struct Mapped<'a> {
    source: &'a str,
    entity: &'a str,
    version: u32,
}

impl<'a> Mapped<'a> {
    fn of(one: &'a crate::canon::mapping::Contribution) -> Self {
        Self { source: &one.source, entity: &one.mapping.entity, version: one.mapping.version }
    }
}
