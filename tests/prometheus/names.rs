//! Every metric that there is with its labels, and what an expression names that is not there.

use std::collections::{BTreeMap, BTreeSet};

use trueup::metrics::FAMILIES;

use super::promql;
use super::rules::{Rule, rules};

/// Labels that Prometheus gives to every series.
const SCRAPED: [&str; 2] = ["instance", "job"];

/// Metrics by name, with their labels.
pub(super) struct Metrics(BTreeMap<String, BTreeSet<String>>);

impl Metrics {
    /// Those of the program, of the key figures, of the recording rules, and of Prometheus.
    pub(super) fn all() -> Self {
        let mut all = Self(BTreeMap::new());
        for family in FAMILIES {
            let labels = family.labels.iter().copied();
            if family.kind() == "histogram" {
                all.add(&format!("{}_bucket", family.name), labels.clone().chain(["le"]));
                all.add(&format!("{}_sum", family.name), labels.clone());
                all.add(&format!("{}_count", family.name), labels);
            } else {
                all.add(family.name, labels);
            }
        }
        for kpi in trueup::kpi::load(None).unwrap().definitions {
            all.add(&kpi.metric, kpi.labels.iter().map(String::as_str));
        }
        all.add("up", []);
        all.add("ALERTS", ["alertname", "alertstate", "severity"]);
        for rule in rules().iter().filter(|rule| rule.is_recording) {
            let labels = all.of(&rule.expression);
            all.add(&rule.name, labels.iter().map(String::as_str));
        }
        all
    }

    fn add<'a>(&mut self, name: &str, labels: impl IntoIterator<Item = &'a str>) {
        let labels = labels.into_iter().chain(SCRAPED).map(str::to_owned);
        self.0.insert(name.to_owned(), labels.collect());
    }

    /// The labels of all metrics that an expression names.
    pub(super) fn of(&self, expression: &str) -> BTreeSet<String> {
        let selectors = promql::read(expression).selectors;
        let known = selectors.iter().filter_map(|selector| self.0.get(&selector.metric));
        known.flatten().cloned().collect()
    }

    /// What an expression, and texts that name its labels, have that is not there.
    pub(super) fn unknown(&self, expression: &str, texts: &[(&str, &str)]) -> Vec<String> {
        let named = promql::read(expression);
        let mut unknown = Vec::new();
        for selector in &named.selectors {
            let Some(labels) = self.0.get(&selector.metric) else {
                unknown.push(format!("no metric {} ({expression})", selector.metric));
                continue;
            };
            let missing = selector.labels.difference(labels);
            unknown.extend(missing.map(|label| format!("no label {label} of {}", selector.text)));
        }
        let all = self.of(expression);
        let mut labels = named.labels;
        for (text, before) in texts {
            labels.extend(labels_after(text, before));
        }
        let missing = labels.difference(&all);
        unknown.extend(missing.map(|label| format!("no label {label} ({expression})")));
        unknown
    }
}

/// The labels that a text names, each after `before`.
fn labels_after(text: &str, before: &str) -> BTreeSet<String> {
    let names = text.split(before).skip(1).map(str::trim_start);
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    names.map(|name| name.split(|c| !is_part(c)).next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn every_rule_names_metrics_and_labels_that_there_are() {
    let metrics = Metrics::all();
    let unknown = |rule: &Rule| {
        let texts = [&rule.summary, &rule.description].map(|text| (&**text, "$labels."));
        metrics.unknown(&rule.expression, &texts)
    };
    let unknown: Vec<String> = rules().iter().flat_map(unknown).collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

#[test]
fn what_is_not_there_is_found() {
    let metrics = Metrics::all();
    let unknown = metrics.unknown(
        "sum by (sauce) (trueup_source_lag_seconds{source=\"a\"}) / trueup_nothing{a=\"b\"}",
        &[("{{target}} of {{ source }}", "{{")],
    );
    assert_eq!(unknown.len(), 3, "{unknown:#?}");
    assert_eq!(metrics.unknown("trueup_dead_letters{source=\"a\"}", &[]).len(), 1);
}
