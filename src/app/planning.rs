//! From the configuration to the mapping set, and what `check` says about it.

use std::collections::{BTreeMap, BTreeSet};

use crate::canon::mapping::Pack;
use crate::canon::{Entity, MappingSet};
use crate::cli::MappingTestOptions;
use crate::config::{Config, SourceConfig, SourceKind, TargetConfig};
use crate::deliver;
use crate::deliver::service::Workflow;
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Finding;
use crate::kpi;
use crate::source::{Cataloged, Source};
use crate::store::evaluate::{Evaluator, Misfit};
use crate::store::mapping_test;

/// The configured mappings, with owners judged.
pub(super) fn mappings(config: &Config) -> Result<MappingSet> {
    let packs: BTreeMap<String, Pack> = config
        .source
        .iter()
        .filter_map(|(name, source)| {
            let pack = source.mapping.clone()?;
            Some((name.clone(), Pack { name: pack, timezone: source.timezone.clone() }))
        })
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
    let planned = mappings(config).and_then(|set| Evaluator::new(&set, &schemas()).map(|_| set));
    let set = match planned {
        Ok(set) => set,
        Err(error) => return vec![wrong(&error)],
    };
    let mut findings: Vec<Finding> = set
        .contributions()
        .iter()
        .map(|one| {
            let Mapped { source, entity, version } = Mapped::of(one);
            Finding::ok(format!("mapping {entity} of {source}, version {version}"))
        })
        .collect();
    match kpi::load(config.daemon.sql_dir.as_deref()) {
        Ok(kpi::Loaded { definitions, broken }) => {
            findings.push(Finding::ok(format!("{} key figures", definitions.len())));
            findings.extend(broken.iter().map(|(_, error)| wrong(error)));
        }
        Err(error) => findings.push(wrong(&error)),
    }
    for (name, target) in &config.target {
        let taken = taken(name, target, &set);
        match taken.and_then(|entities| deliver::compile(&entities, target)) {
            Ok(()) => findings.push(Finding::ok(format!("the columns of target {name}"))),
            Err(error) => findings.push(wrong(&error)),
        }
        match workflows(config, name, &set) {
            Ok(found) if found.is_empty() => {}
            Ok(found) => {
                findings.push(Finding::ok(format!("{} workflows that end at {name}", found.len())));
            }
            Err(error) => findings.push(wrong(&error)),
        }
    }
    findings
}

fn wrong(error: &Error) -> Finding {
    Finding::error(error.chain(), error.remedy().unwrap_or("see docs/mappings.md"))
}

/// Every source's mirror has the schema of its name.
fn schemas() -> BTreeMap<String, String> {
    BTreeMap::new()
}

/// The entities that a target takes, in delivery order.
///
/// # Errors
/// [`ErrorKind::Config`] for one that no mapping gives.
pub(super) fn taken(name: &str, target: &TargetConfig, set: &MappingSet) -> Result<Vec<Entity>> {
    for entity in target.entity.keys() {
        if !set.contributed().any(|known| known.name == *entity) {
            return Err(Error::new(
                ErrorKind::Config,
                format!("[target.{name}.entity.{entity}] has no source: no mapping gives it"),
            )
            .hint("take it out, or name a mapping pack with it in a [source]"));
        }
    }
    let takes = |entity: &&Entity| target.entity.contains_key(&entity.name);
    Ok(set.contributed().filter(takes).cloned().collect())
}

/// The workflows that end at a target, compiled.
///
/// # Errors
/// [`ErrorKind::Config`] for one that does not compile.
pub(super) fn workflows(config: &Config, target: &str, set: &MappingSet) -> Result<Vec<Workflow>> {
    let mut compiled = Vec::new();
    for (name, workflow) in &config.workflow {
        let entity = set.contributed().find(|known| known.name == workflow.entity);
        // A target takes only what a mapping gives, and a workflow ends where its entity is taken.
        if let Some(entity) = entity.filter(|_| workflow.targets.iter().any(|one| one == target)) {
            compiled.push(Workflow::compile(name, workflow, entity)?);
        }
    }
    Ok(compiled)
}

/// A configured source, which knows the tables that its mapping reads.
pub(super) fn source(name: &str, install: &str, config: &Config) -> Result<Source> {
    let source = config
        .source
        .get(name)
        .ok_or_else(|| Error::new(ErrorKind::Bug, format!("source {name} is not configured")))?;
    let opened = Source::new(name, install, source)?;
    let Some(pack) = source.mapping.as_ref().filter(|_| source.tables.is_empty()) else {
        return Ok(opened);
    };
    Ok(opened.reading(&evaluator(config, name, pack)?.tables(name)))
}

/// The mappings of one pack alone, for `source`.
fn evaluator(config: &Config, source: &str, pack: &str) -> Result<Evaluator> {
    let packs = BTreeMap::from([(source.to_owned(), Pack::utc(pack))]);
    let set = MappingSet::load(config.daemon.sql_dir.as_deref(), &packs, &BTreeMap::new())?;
    Evaluator::new(&set, &schemas())
}

/// Packs all of whose tables are among `tables` (names in the mirror).
pub(super) fn fitting_packs(source: &str, tables: &BTreeSet<String>) -> Vec<String> {
    let fits = |pack: &String| {
        let packs = BTreeMap::from([(source.to_owned(), Pack::utc(pack))]);
        MappingSet::load(None, &packs, &BTreeMap::new())
            .and_then(|set| Evaluator::new(&set, &schemas()))
            .is_ok_and(|evaluator| evaluator.tables(source).is_subset(tables))
    };
    crate::canon::mapping::packs(None).into_iter().filter(fits).collect()
}

/// Holds the mappings of a source against its catalog.
///
/// # Errors
/// The mappings cannot be planned, which is a finding of another stage.
pub(super) fn fit(name: &str, config: &Config, catalog: &[Cataloged]) -> Result<Vec<Finding>> {
    let Some(source) = config.source.get(name) else { return Ok(Vec::new()) };
    let Some(pack) = &source.mapping else { return Ok(Vec::new()) };
    let schema = default_schema(source);
    let mirrored = catalog.iter().filter(|one| one.is_mirrored).map(|one| one.table.as_ref());
    let tables: Vec<_> = mirrored.map(|table| (table.name.mirror_name(&schema), table)).collect();
    let misfits = evaluator(config, name, pack)?.misfits(name, &tables)?;
    if misfits.is_empty() {
        return Ok(vec![Finding::ok("the mappings fit its tables and columns")]);
    }
    let known =
        |lacked: &String| catalog.iter().find(|one| one.table.name.mirror_name(&schema) == *lacked);
    Ok(misfits.iter().map(|misfit| misfitting(name, misfit, &known)).collect())
}

fn misfitting<'a>(
    source: &str,
    misfit: &Misfit,
    known: &dyn Fn(&String) -> Option<&'a Cataloged>,
) -> Finding {
    let mapping = format!("mapping {} of {source}", misfit.entity);
    let list = |names: Vec<String>| names.join(", ");
    let absent: Vec<String> =
        misfit.lacks.iter().filter(|name| known(name).is_none()).cloned().collect();
    if !absent.is_empty() {
        return Finding::error(
            format!("{mapping} reads tables that the source lacks: {}", list(absent)),
            "name the right database in its url, or mend the mapping",
        );
    }
    if !misfit.lacks.is_empty() {
        let names = misfit.lacks.iter().filter_map(known);
        let patterns = names.map(|one| format!("\"{}\"", one.table.name)).collect();
        return Finding::error(
            format!(
                "{mapping} reads tables that are not mirrored: {}",
                list(misfit.lacks.iter().cloned().collect())
            ),
            format!("add {} to `tables`", list(patterns)),
        );
    }
    Finding::error(
        format!("{mapping}: {}", misfit.cause),
        "mend the mapping, or name the pack of this version of the system",
    )
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
        SourceKind::Mariadb | SourceKind::Mysql => {
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
