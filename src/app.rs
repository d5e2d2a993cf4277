//! The program behind the commands: the only module that sees all, and wires it together.

mod assemble;
mod canon;
mod daemon;
mod drift;
mod lag;
mod live;
mod loops;
mod measure;
mod operator;
mod planning;
mod repair;
mod resync;
mod room;
mod sql;
mod standing;
mod startup;
mod unread;

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::cli::{DemoOptions, Found, FoundTable, MappingTestOptions, Program, Start, Unread};
use crate::config::{Config, SourceConfig, SourceKind};
use crate::error::{Error, Result};
use crate::finding::Finding;
use crate::source::{Offered, Source};
use crate::status::Status;
use crate::target::Target;

/// Trueup, whole.
#[derive(Debug)]
pub struct App;

impl Program for App {
    fn entities(&self, config: &Config) -> Vec<String> {
        planning::entities(config)
    }

    fn plan_mappings(&self, config: &Config) -> Vec<Finding> {
        planning::plan(config)
    }

    fn mapping_files(&self, config: &Config) -> Result<BTreeMap<String, String>> {
        Ok(planning::mappings(config)?.files().clone())
    }

    fn examine_source<'a>(
        &'a self,
        name: &'a str,
        config: &'a Config,
    ) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let source = match planning::source(name, &standing::install(config), config) {
                Ok(source) => source,
                Err(error) => return vec![unusable(&error)],
            };
            let mut findings = source.examine().await;
            // What kept the catalog from being read is among the findings already, and so are
            // mappings that cannot be planned.
            let catalog = source.catalog().await;
            if let Ok(fit) = catalog.and_then(|catalog| planning::fit(name, config, &catalog)) {
                findings.extend(fit);
            }
            findings
        })
    }

    fn examine_target<'a>(
        &'a self,
        name: &'a str,
        config: &'a Config,
    ) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let Some(target) = config.target.get(name) else { return Vec::new() };
            match Target::new(name, &standing::install(config), target) {
                Ok(mut target) => target.examine().await,
                Err(error) => vec![unusable(&error)],
            }
        })
    }

    fn tables<'a>(
        &'a self,
        name: &'a str,
        config: &'a SourceConfig,
    ) -> BoxFuture<'a, Result<Found>> {
        Box::pin(async move {
            let kind = Source::new(name, "", config)?.actual_kind().await?;
            let config = &SourceConfig { kind, ..config.clone() };
            let offered = Source::new(name, "", config)?.offered().await?;
            let schema = planning::default_schema(config);
            let usable = offered.iter().filter(|one| one.unusable.is_none());
            let names = usable.map(|one| one.name.mirror_name(&schema)).collect();
            let packs = planning::fitting_packs(name, &names);
            let kind = standing::kind_word(kind);
            Ok(Found { kind, tables: offered.into_iter().map(found).collect(), packs })
        })
    }

    fn uninstall<'a>(
        &'a self,
        name: &'a str,
        config: &'a Config,
        dry_run: bool,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let Some(source) = config.source.get(name) else { return Ok(Vec::new()) };
            let install = match source.kind {
                SourceKind::Postgres => standing::known_install(config)?,
                // Nothing there carries our name.
                SourceKind::Mariadb | SourceKind::Mysql => String::new(),
            };
            Source::new(name, &install, source)?.uninstall(dry_run).await
        })
    }

    fn status_from_state(&self, config: &Config) -> Result<Status> {
        standing::status(config)
    }

    fn audit(&self, config: &Config) -> Result<Vec<Finding>> {
        standing::audit(config)
    }

    fn unread(&self, config: &Config, source: Option<&str>) -> Result<Vec<Unread>> {
        unread::list(config, source)
    }

    fn forget_unread(&self, config: &Config, source: Option<&str>, upto: u64) -> Result<()> {
        unread::forget(config, source, upto)
    }

    fn run(&self, start: Start) -> BoxFuture<'_, Result<()>> {
        Box::pin(daemon::run(start))
    }

    fn demo(
        &self,
        options: DemoOptions,
        shutdown: CancellationToken,
    ) -> BoxFuture<'_, Result<bool>> {
        Box::pin(crate::demo::run::run(options, shutdown))
    }

    fn mapping_test(&self, options: &MappingTestOptions) -> Result<Vec<Finding>> {
        planning::test(options)
    }
}

fn found(offered: Offered) -> FoundTable {
    let Offered { name, rows_estimated, unusable } = offered;
    FoundTable { schema: name.schema, name: name.name, rows_estimated, unusable }
}

fn unusable(error: &Error) -> Finding {
    Finding::error(error.chain(), error.remedy().unwrap_or("see docs/configuration.md"))
}
