//! The dashboards as files: what each panel asks, and whether a person can read it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::names::Metrics;
use super::root;

/// Panels that hold no number of one unit.
const WITHOUT_UNIT: [&str; 2] = ["row", "table"];

/// A dashboard.
pub(super) struct Dashboard {
    /// The file's name without `.json`.
    pub(super) name: String,
    pub(super) json: Value,
}

impl Dashboard {
    pub(super) fn all() -> Vec<Self> {
        let files = std::fs::read_dir(root().join("grafana/dashboards")).unwrap();
        let files = files.map(|file| file.unwrap().path());
        let mut all: Vec<Self> = files
            .map(|path| {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                let json = serde_json::from_str(&text);
                Self { json: json.unwrap_or_else(|error| panic!("{name}: {error}")), name }
            })
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    fn list(&self, path: &str) -> Vec<&Value> {
        self.json.pointer(path).and_then(Value::as_array).unwrap().iter().collect()
    }

    /// Every panel, by its name: `dashboard/title`.
    pub(super) fn panels(&self) -> Vec<(String, &Value)> {
        let panels = self.list("/panels").into_iter();
        panels.map(|panel| (format!("{}/{}", self.name, text(panel, "title")), panel)).collect()
    }

    /// The queries of panels and variables to Prometheus: who asks, what, and its legend.
    pub(super) fn queries(&self) -> Vec<(String, String, String)> {
        let mut queries = Vec::new();
        for (name, panel) in self.panels() {
            for target in targets(panel).filter(|target| target.get("expr").is_some()) {
                let (query, legend) = (text(target, "expr"), text(target, "legendFormat"));
                queries.push((name.clone(), query.to_owned(), legend.to_owned()));
            }
        }
        for variable in self.list("/templating/list") {
            // `label_values(metric{…}, label)`: asked as a query, the label is a legend.
            let query = text(variable, "definition").strip_prefix("label_values(");
            if let Some((selector, label)) = query.and_then(|query| query.rsplit_once(", ")) {
                let legend = format!("{{{{{}}}}}", label.trim_end_matches(')'));
                let name = format!("{}/${}", self.name, text(variable, "name"));
                queries.push((name, selector.to_owned(), legend));
            }
        }
        queries
    }

    /// The names of its variables.
    pub(super) fn variables(&self) -> Vec<&str> {
        self.list("/templating/list").into_iter().map(|variable| text(variable, "name")).collect()
    }

    /// The statements of panels to the store: who asks, and what.
    pub(super) fn statements(&self) -> Vec<(String, String)> {
        let panels = self.panels().into_iter();
        let statements = panels.flat_map(|(name, panel)| {
            let targets = targets(panel).filter(|target| target.get("rawSql").is_some());
            targets.map(move |target| (name.clone(), text(target, "rawSql").to_owned()))
        });
        statements.collect()
    }
}

fn targets(panel: &Value) -> impl Iterator<Item = &Value> {
    panel["targets"].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

#[test]
fn every_query_names_metrics_and_labels_that_there_are() {
    let metrics = Metrics::all();
    let mut unknown = Vec::new();
    let mut queries = 0;
    for dashboard in Dashboard::all() {
        for (name, query, legend) in dashboard.queries() {
            let found = metrics.unknown(&query, &[(&legend, "{{")]);
            unknown.extend(found.into_iter().map(|what| format!("{name}: {what}")));
            queries += 1;
        }
    }
    assert!(unknown.is_empty() && queries > 50, "{queries} queries, {unknown:#?}");
}

#[test]
fn every_panel_says_what_it_shows_and_in_which_unit() {
    let mut titles = BTreeSet::new();
    for dashboard in Dashboard::all() {
        for (name, panel) in dashboard.panels() {
            let kind = text(panel, "type");
            assert!(!text(panel, "title").is_empty(), "{}: {panel}", dashboard.name);
            assert!(kind == "row" || titles.insert(name.clone()), "{name} is there twice");
            assert!(kind == "row" || !text(panel, "description").is_empty(), "{name}");
            let unit = text(&panel["fieldConfig"]["defaults"], "unit");
            assert!(WITHOUT_UNIT.contains(&kind) || !unit.is_empty(), "{name} has no unit");
            assert!(kind == "row" || targets(panel).count() > 0, "{name} asks nothing");
            for target in targets(panel) {
                let is_sql = target.get("rawSql").is_some();
                let uid = if is_sql { "${store}" } else { "${prometheus}" };
                assert_eq!(target["datasource"]["uid"], uid, "{name}");
                let needs_legend = !is_sql && kind != "stat";
                assert!(
                    !needs_legend || !text(target, "legendFormat").is_empty(),
                    "{name}: legend"
                );
            }
        }
    }
}

#[test]
fn every_dashboard_can_be_told_apart_and_finds_the_data_sources_of_the_provisioning() {
    let sources = super::read("grafana/provisioning/datasources/trueup.yml");
    let sources: Value = serde_yaml_ng::from_str(&sources).unwrap();
    let sources = sources["datasources"].as_array().unwrap();
    for dashboard in Dashboard::all() {
        let name = &dashboard.name;
        assert_eq!(dashboard.json["uid"], format!("trueup-{name}"));
        let ids: BTreeSet<String> =
            dashboard.list("/panels").iter().map(|it| it["id"].to_string()).collect();
        assert_eq!(ids.len(), dashboard.list("/panels").len(), "{name}: ids of panels");
        let has_rows = !dashboard.statements().is_empty();
        let variables = dashboard.list("/templating/list");
        let wanted = variables.iter().filter(|variable| variable["type"] == "datasource");
        let wanted: Vec<&&Value> = wanted.collect();
        assert_eq!(wanted.len(), if has_rows { 2 } else { 1 }, "{name}");
        for variable in wanted {
            let is_it = |source: &&Value| source["uid"] == variable["current"]["value"];
            let source = sources.iter().find(is_it);
            let source = source.unwrap_or_else(|| panic!("{name}: {variable} is not provisioned"));
            assert_eq!(source["type"], variable["query"], "{name}");
        }
    }
}
