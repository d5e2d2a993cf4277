//! The manual is held against the program: options, defaults, exit codes, dependencies, examples.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use trueup::app::App;
use trueup::cli::Program;
use trueup::config::{self, Config};
use trueup::error::ErrorKind;
use trueup::finding::Severity;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

/// The cells of every table row whose first cell is code, the first one without its backticks.
fn rows(path: &str) -> Vec<Vec<String>> {
    let text = read(path);
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let row = row.trim_end().trim_end_matches('|');
        row.split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    })
    .collect()
}

/// Option → default, as the manual says.
fn documented() -> BTreeMap<String, String> {
    let rows = rows("docs/configuration.md").into_iter().filter(|row| row[0].contains('.'));
    rows.map(|row| (row[0].clone(), row[1].clone())).collect()
}

#[test]
fn every_option_is_in_the_manual_and_nothing_else() {
    let known: BTreeSet<String> = config::options().into_iter().collect();
    let documented: BTreeSet<String> = documented().into_keys().collect();
    assert_eq!(documented, known);
}

#[test]
fn the_defaults_of_the_manual_are_those_of_the_program() {
    // GIVEN a file without options but the required ones, and one that spells out each default
    let required = |value: &str| match value {
        "source.x.kind" | "target.x.kind" => Some("\"postgres\""),
        "source.x.url" | "target.x.url" => Some("\"postgres://u@h/d\""),
        "target.x.entity.worker.table" => Some("\"t\""),
        "target.x.entity.worker.key" => Some("{ a = \"b\" }"),
        "workflow.x.entity" => Some("\"worker\""),
        "workflow.x.when" => Some("\"true\""),
        "workflow.x.targets" => Some("[\"x\"]"),
        // Without it the source would mirror nothing.
        "source.x.tables" => Some("[\"public.*\"]"),
        _ => None,
    };
    let mut least = String::new();
    let mut spelled_out = String::new();
    for (option, default) in documented() {
        let option = option.replace("entity.<name>", "entity.worker").replace("<name>", "x");
        let (section, key) = option.rsplit_once('.').unwrap();
        let assignment = |value: &str| format!("{section}.{key} = {value}\n");
        if let Some(value) = required(&option) {
            assert!(default == "required" || default == "[]", "{option}");
            least.push_str(&assignment(value));
            spelled_out.push_str(&assignment(value));
        } else if default != "none" {
            spelled_out.push_str(&assignment(&default));
        }
    }
    let parse = |text: &str| -> Config {
        config::parse(text).unwrap_or_else(|error| panic!("{}\n{text}", error.chain()))
    };
    let mut least = parse(&least);
    // An entity table that is there and empty is the same as none.
    least.entity.entry("worker".to_owned()).or_default();
    // THEN both mean the same
    assert_eq!(format!("{least:#?}"), format!("{:#?}", parse(&spelled_out)));
}

#[test]
fn every_exit_code_is_in_the_manual() {
    let text = read("docs/exit-codes.md");
    for kind in [
        ErrorKind::Usage,
        ErrorKind::Config,
        ErrorKind::Unreachable,
        ErrorKind::Setup,
        ErrorKind::Gap,
        ErrorKind::Decode,
        ErrorKind::Rejected,
        ErrorKind::Ledger,
        ErrorKind::Store,
        ErrorKind::Bug,
    ] {
        let code = kind.exit_code();
        assert!(text.contains(&format!("\n| {code} | ")), "{kind:?} exits {code}");
    }
}

#[test]
fn every_dependency_has_its_line_of_reason() {
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    let keys = |table: &str| manifest[table].as_table().unwrap().keys().cloned();
    let mut used: BTreeSet<String> = keys("dependencies").chain(keys("dev-dependencies")).collect();
    let fuzz: toml::Table = read("fuzz/Cargo.toml").parse().unwrap();
    used.extend(fuzz["dependencies"].as_table().unwrap().keys().cloned());
    used.remove("trueup");
    // A program, which scripts/setup pins.
    used.insert("cargo-fuzz".to_owned());
    let rows = rows("docs/decisions.md");
    let explained: BTreeSet<String> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(explained, used);
    for row in rows {
        assert!(row.len() == 4 && row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

#[test]
fn every_example_is_a_valid_configuration() {
    let mut examples = 0;
    for entry in std::fs::read_dir(root().join("config")).unwrap() {
        let path = entry.unwrap().path();
        let config = config::load(&path, |config| Program::entities(&App, config))
            .unwrap_or_else(|error| panic!("{}", error.chain()));
        // What `check` says without reaching a server: mappings, owners, target columns.
        for finding in App.plan_mappings(&config) {
            assert_eq!(finding.severity, Severity::Ok, "{}: {finding:?}", path.display());
        }
        examples += 1;
    }
    assert!(examples >= 2, "{examples} examples");
}

#[test]
fn links_between_documents_lead_somewhere() {
    for file in [
        "README.md",
        "docs/operations.md",
        "docs/exit-codes.md",
        "docs/decisions.md",
        "docs/runbook.md",
    ] {
        let text = read(file);
        let folder = Path::new(file).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let is_ours = !link.contains("://") && !link.starts_with('#');
            assert!(!is_ours || root().join(folder).join(link).exists(), "{file}: {link}");
        }
    }
}

/// The tests that answer the failures of others are there, under these names.
#[test]
fn every_failure_of_others_has_its_tests() {
    let manual = read("docs/failures.md");
    let rows: Vec<&str> = manual.lines().filter(|line| number(line).is_some()).collect();
    let numbers: Vec<u32> = rows.iter().filter_map(|line| number(line)).collect();
    assert_eq!(numbers, (1..=15).collect::<Vec<_>>());
    let mut names: BTreeSet<String> = BTreeSet::new();
    for folder in ["tests", "src"] {
        tests_below(&root().join(folder), &mut names);
    }
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let tests: Vec<&str> = cells[3].split('`').skip(1).step_by(2).collect();
        for test in &tests {
            assert!(names.contains(*test), "there is no test {test}");
        }
        assert!(!tests.is_empty() || !cells[4].is_empty(), "nothing answers {}", cells[2]);
    }
}

fn number(line: &str) -> Option<u32> {
    line.strip_prefix("| ")?.split(' ').next()?.parse().ok()
}

/// Names of functions that come right after a test's attribute, or that are tests on versions.
fn tests_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_below(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().map(str::trim).collect();
            for pair in lines.windows(2) {
                let is_test = pair[0] == "#[test]" || pair[0].starts_with("#[tokio::test");
                let name = pair[1].strip_prefix("async ").unwrap_or(pair[1]);
                let name = name.strip_prefix("fn ").and_then(|name| name.split('(').next());
                names.extend(name.filter(|_| is_test).map(str::to_owned));
            }
            for list in text.split("\non_versions! {").skip(1) {
                let list = list.split('}').next().unwrap_or_default();
                names.extend(list.split_whitespace().map(str::to_owned));
            }
        }
    }
}
