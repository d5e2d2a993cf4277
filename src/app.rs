//! The program behind the commands: the only module that sees all, and wires it together.

mod canon;
mod daemon;
mod operator;
mod planning;
mod standing;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::cli::{DemoOptions, FoundTable, MappingTestOptions, Program, Start};
use crate::config::{Config, SourceConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Finding;
use crate::source::Source;
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

    fn examine_source<'a>(
        &'a self,
        name: &'a str,
        config: &'a Config,
    ) -> BoxFuture<'a, Vec<Finding>> {
        Box::pin(async move {
            let Some(source) = config.source.get(name) else { return Vec::new() };
            match Source::new(name, &standing::install(config), source) {
                Ok(source) => source.examine().await,
                Err(error) => vec![unusable(&error)],
            }
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
        _: &'a str,
        _: &'a SourceConfig,
    ) -> BoxFuture<'a, Result<Vec<FoundTable>>> {
        Box::pin(async { absent("listing tables") })
    }

    fn uninstall<'a>(
        &'a self,
        _: &'a str,
        _: &'a Config,
        _: bool,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async { absent("uninstalling") })
    }

    fn status_from_state(&self, config: &Config) -> Result<Status> {
        standing::status(config)
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

fn absent<T>(what: &str) -> Result<T> {
    Err(Error::new(ErrorKind::Bug, format!("{what} is not part of this build")))
}

fn unusable(error: &Error) -> Finding {
    Finding::error(error.chain(), error.remedy().unwrap_or("see docs/configuration.md"))
}
