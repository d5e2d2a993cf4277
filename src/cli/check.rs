//! `trueup check`: whether the daemon would run, stage by stage, each finding with its remedy.
//!
//! It judges nothing itself: the configuration, the mappings, the sources and the targets do.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::future::{BoxFuture, join_all};
use serde::Serialize;

use super::client::Daemon;
use super::print;
use super::program::Program;
use crate::config::{self, Config, Problems};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::Finding;
use crate::finding::Severity;
use crate::serve::http::{DiffRequest, DiffResult};
use crate::status::text;

/// A system that says nothing for so long is reported instead of waited for.
const EXAMINE_SECS_MAX: u64 = 30;

/// A full evaluation of large tables takes its time.
const DIFF_SECS_MAX: u64 = 900;

/// Check configuration, mappings, sources and targets
///
/// Four stages: read the configuration, plan the mappings, reach and examine each source, reach
/// and examine each target. Nothing is changed anywhere. Exit 0 if the daemon would run, 78 if
/// something must be mended first; each finding names the remedy.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Connect to nothing: leave out sources and targets
    #[arg(long)]
    offline: bool,
    /// Say what the mappings would change, compared with those in force; nothing is changed
    ///
    /// Asks the running daemon, which evaluates everything once with them between two batches.
    #[arg(long)]
    diff: bool,
    /// Leave out a stage
    #[arg(long, value_name = "STAGE", value_enum)]
    skip: Vec<Stage>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Plan the mappings
    Mappings,
    /// Reach and examine each source
    Sources,
    /// Reach and examine each target
    Targets,
}

/// The findings about one thing.
#[derive(Debug, Serialize)]
struct Section {
    /// `configuration`, `mappings`, `source`, `target` or `differences`.
    stage: &'static str,
    /// Which source or target.
    name: Option<String>,
    findings: Vec<Finding>,
}

impl Section {
    fn is_bad(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    sections: Vec<Section>,
}

pub(super) fn check(args: &CheckArgs, path: &Path, program: &dyn Program) -> Result<u8> {
    let mut sections = Vec::new();
    match config::load(path, |config| program.entities(config)) {
        Err(error) => sections.push(configuration(problems(&error))),
        Ok(config) => {
            sections.push(configuration(vec![Finding::ok(summary(path, &config))]));
            sections.extend(examine(args, &config, program)?);
            if args.diff && !sections.iter().any(Section::is_bad) {
                sections.push(differences(&config, program)?);
            }
        }
    }
    let ok = !sections.iter().any(Section::is_bad);
    let report = Report { ok, sections };
    if args.json {
        print::json(&report)?;
    } else {
        print::text(&render(&report))?;
    }
    Ok(if ok { 0 } else { ErrorKind::Config.exit_code() })
}

fn examine(args: &CheckArgs, config: &Config, program: &dyn Program) -> Result<Vec<Section>> {
    let connects = |stage| !args.offline && !args.skip.contains(&stage);
    let mut sections = Vec::new();
    if !args.skip.contains(&Stage::Mappings) {
        let findings = program.plan_mappings(config);
        sections.push(Section { stage: "mappings", name: None, findings });
    }
    let mut examined = Vec::new();
    if connects(Stage::Sources) {
        for name in config.source.keys() {
            let examination = program.examine_source(name, config);
            examined.push(boxed(section("source", name, examination)));
        }
    }
    if connects(Stage::Targets) {
        for name in config.target.keys() {
            let examination = program.examine_target(name, config);
            examined.push(boxed(section("target", name, examination)));
        }
    }
    sections.extend(super::runtime()?.block_on(join_all(examined)));
    Ok(sections)
}

/// What the running daemon says that the mappings would change.
fn differences(config: &Config, program: &dyn Program) -> Result<Section> {
    let request = DiffRequest { files: program.mapping_files(config)? };
    let daemon = Daemon::new(config, DIFF_SECS_MAX)?;
    let answer: Result<DiffResult> = super::runtime()?.block_on(daemon.post("/api/diff", &request));
    let findings = match answer {
        Err(error) => {
            let remedy = error.remedy().unwrap_or("see docs/mappings.md").to_owned();
            vec![Finding::error(error.chain(), remedy)]
        }
        Ok(result) if result.effects.is_empty() => {
            vec![Finding::ok("no canonical row would change")]
        }
        Ok(result) => {
            let remedy = "start the daemon again with them if that is meant; a change beyond \
                          hold_percent waits for `trueup resume` then";
            let finding = |effect| Finding::warning(text::effect(effect), remedy);
            result.effects.iter().map(finding).collect()
        }
    };
    Ok(Section { stage: "differences", name: None, findings })
}

fn boxed<'a>(section: impl Future<Output = Section> + Send + 'a) -> BoxFuture<'a, Section> {
    Box::pin(section)
}

async fn section(
    stage: &'static str,
    name: &str,
    examination: BoxFuture<'_, Vec<Finding>>,
) -> Section {
    let limit = Duration::from_secs(EXAMINE_SECS_MAX);
    let findings = tokio::time::timeout(limit, examination).await.unwrap_or_else(|_| {
        vec![Finding::error(
            format!("{stage} {name} did not answer within {EXAMINE_SECS_MAX} s"),
            "look at the network between this machine and it, and at its load",
        )]
    });
    Section { stage, name: Some(name.to_owned()), findings }
}

fn configuration(findings: Vec<Finding>) -> Section {
    Section { stage: "configuration", name: None, findings }
}

fn summary(path: &Path, config: &Config) -> String {
    let count = |number: usize, one: &str| match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    };
    format!(
        "{}: {}, {}",
        path.display(),
        count(config.source.len(), "source"),
        count(config.target.len(), "target")
    )
}

/// One finding per problem of the file.
fn problems(error: &Error) -> Vec<Finding> {
    let Some(problems) = error.source().and_then(|cause| cause.downcast_ref::<Problems>()) else {
        let remedy = error.remedy().unwrap_or("make the file readable for this user");
        return vec![Finding::error(error.chain(), remedy)];
    };
    let finding = |problem: &config::Problem| {
        let what = format!("{} (line {})", problem.what, problem.line);
        let remedy = problem.remedy.as_deref().unwrap_or("see docs/configuration.md");
        Finding::error(what, remedy)
    };
    problems.0.iter().map(finding).collect()
}

fn render(report: &Report) -> String {
    let mut shown = String::new();
    for section in &report.sections {
        let name = section.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        shown.push_str(&format!("{}{name}\n", section.stage));
        for finding in &section.findings {
            let mark = text::mark(finding.severity);
            let lines = text::said(mark, &finding.what, finding.remedy.as_deref());
            for line in lines.lines() {
                shown.push_str(&format!("  {line}\n"));
            }
        }
    }
    let count = |severity| {
        let all = report.sections.iter().flat_map(|section| &section.findings);
        all.filter(|finding| finding.severity == severity).count()
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let verdict = if report.ok { "fine" } else { "not fine" };
    shown.push_str(&format!("{verdict}: {errors} to mend, {warnings} to know\n"));
    shown
}
