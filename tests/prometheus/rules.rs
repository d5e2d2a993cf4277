//! The rules file: valid, each alert tested both ways, and each with its section of the runbook.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::{read, root};
use crate::support::prometheus::program;
use crate::support::require::require;

pub(super) const RULES: &str = "grafana/rules/trueup.yml";
const RUNBOOK: &str = "docs/runbook.md";
const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];
/// What a section of the runbook answers, in this order.
const PARTS: [&str; 5] = ["What it means", "At stake", "Look", "Do", "It ends"];

/// An alert or a recorded series.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) is_recording: bool,
    pub(super) expression: String,
    pub(super) summary: String,
    pub(super) description: String,
    severity: String,
    runbook_url: String,
}

/// All rules in order.
pub(super) fn rules() -> Vec<Rule> {
    let file = yaml(RULES);
    let groups = file["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    rules.map(rule).collect()
}

pub(super) fn alerts() -> Vec<Rule> {
    rules().into_iter().filter(|rule| !rule.is_recording).collect()
}

fn rule(rule: &Value) -> Rule {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let annotation = |name| text(&rule["annotations"][name]);
    Rule {
        name: text(rule.get("alert").unwrap_or(&rule["record"])),
        is_recording: rule.get("record").is_some(),
        expression: text(&rule["expr"]),
        summary: annotation("summary"),
        description: annotation("description"),
        severity: text(&rule["labels"]["severity"]),
        runbook_url: annotation("runbook_url"),
    }
}

fn yaml(path: &str) -> Value {
    serde_yaml_ng::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn test_files() -> Vec<PathBuf> {
    let files = std::fs::read_dir(root().join("grafana/rules")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.to_string_lossy().ends_with("_test.yml"));
    files.sort();
    files
}

#[test]
fn promtool_finds_the_rules_right_and_their_tests_pass() {
    if !require("prometheus") {
        return;
    }
    let promtool = |arguments: &[&str], files: Vec<PathBuf>| {
        let mut command = Command::new(program("promtool").unwrap());
        let output = command.args(arguments).args(files).output().unwrap();
        let words = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&words));
    };
    promtool(&["check", "rules"], vec![root().join(RULES)]);
    promtool(&["test", "rules"], test_files());
}

#[test]
fn every_alert_says_what_it_is_and_where_to_read_on() {
    for alert in alerts() {
        let name = &alert.name;
        let camel =
            name.strip_prefix("Trueup").is_some_and(|rest| rest.starts_with(char::is_uppercase));
        assert!(camel && name.chars().all(|c| c.is_ascii_alphanumeric()), "{name}");
        assert!(SEVERITIES.contains(&&*alert.severity), "{name}: severity {}", alert.severity);
        assert!(!alert.summary.is_empty() && !alert.description.is_empty(), "{name}");
        assert_eq!(alert.runbook_url, format!("{RUNBOOK}#{}", name.to_lowercase()));
    }
}

#[test]
fn every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() {
    let text = read(RUNBOOK);
    let sections: Vec<&str> = text.split("\n## ").skip(1).collect();
    let titles: Vec<&str> = sections.iter().filter_map(|section| section.lines().next()).collect();
    let alerts = alerts();
    let names: Vec<&str> = alerts.iter().map(|alert| &*alert.name).collect();
    let sorted = |mut names: Vec<_>| {
        names.sort_unstable();
        names
    };
    assert_eq!(sorted(titles.clone()), sorted(names));
    for (title, section) in titles.iter().zip(&sections) {
        let mut rest = *section;
        // One of several daemons: what to do is in the section of the only one.
        let parts: &[&str] =
            if *title == "TrueupDown" { &["What it means", "It ends"] } else { &PARTS };
        for part in parts {
            let at = rest.find(&format!("\n- **{part}**"));
            rest = &rest[at.unwrap_or_else(|| panic!("{title} does not say: {part}"))..];
        }
    }
}

#[test]
fn every_alert_is_tested_when_it_fires_and_when_it_is_over() {
    // GIVEN every look at an alert in the order of the files: when, and whether it fires
    let mut looks = Vec::new();
    for file in test_files() {
        let file = yaml(&file.strip_prefix(root()).unwrap().to_string_lossy());
        for case in file["tests"].as_array().unwrap() {
            for look in case["alert_rule_test"].as_array().unwrap() {
                let alert = look["alertname"].as_str().unwrap().to_owned();
                let at = seconds(look["eval_time"].as_str().unwrap());
                let fires = !look["exp_alerts"].as_array().unwrap().is_empty();
                looks.push((case["name"].to_string(), alert, at, fires));
            }
        }
    }
    // THEN for each alert there is a case in which it fires, and is over later
    let mut untested = BTreeSet::new();
    for alert in alerts() {
        let of_alert = looks.iter().filter(|look| look.1 == alert.name);
        let mut fires = of_alert.clone().filter(|look| look.3);
        let ends = |(case, _, at, _): &(String, String, u64, bool)| {
            of_alert.clone().any(|look| look.0 == *case && look.2 > *at && !look.3)
        };
        if !fires.any(ends) {
            untested.insert(alert.name);
        }
    }
    assert!(untested.is_empty(), "{untested:?}");
}

/// A time of Prometheus, such as 2h40m.
fn seconds(time: &str) -> u64 {
    let mut total = 0;
    let mut rest = time;
    while let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let number: u64 = rest[..end].parse().unwrap();
        let unit = match &rest[end..=end] {
            "d" => 86_400,
            "h" => 3_600,
            "m" => 60,
            _ => 1,
        };
        total += number * unit;
        rest = &rest[end + 1..];
    }
    total
}
