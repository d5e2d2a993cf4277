//! Every query that we ship, asked of a real Prometheus that scrapes the demo, and of its store.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_postgres::{Client, NoTls};

use super::dashboards::Dashboard;
use super::promql;
use super::rules::{RULES, alerts};
use super::{read, root};
use crate::demo::Demo;
use crate::support::prometheus::Prometheus;
use crate::support::require::require;

/// From the start of the demo until everything was copied, compared, verified and computed once.
const PATIENCE: Duration = Duration::from_secs(300);

/// Panels that may show nothing in a system that is well, and why.
const MAY_BE_EMPTY: [(&str, &str); 3] = [
    (
        "reconciliation/Age of the last verification",
        "has no series before the first verification, which is due an hour after the start",
    ),
    ("kpis/Project margin", "has no series while the projects of a currency have no revenue"),
    ("kpis/Time to bill", "has no series while no invoice bills time that was approved"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_query_that_we_ship_has_data_in_the_demo() {
    if !require("prometheus") || !require("postgres") || !require("mariadb") {
        return;
    }
    // GIVEN the demo at work, and a Prometheus that scrapes it
    let mut demo = Demo::start(&[]);
    let doors = demo.wait_for("\nstore ");
    let instance = between(door(&doors, "HTTP"), "http://", "/metrics");
    let mut prometheus = Prometheus::start(instance, &root().join(RULES));
    // GIVEN a comparison that somebody asked for: the next one by itself may be an hour away
    compare(instance).await;
    // THEN every query of a panel or variable has series, and so has every selector of an alert
    let (may, must): (Vec<_>, Vec<_>) =
        queries(instance).into_iter().partition(|(name, _)| may_be_empty(name));
    have_series(&mut prometheus, must.into_iter().chain(selectors()).collect()).await;
    // THEN what may be empty is at least understood
    for (name, query) in may {
        let asked = prometheus.query(&query).await;
        assert!(asked.is_ok(), "{name}: {asked:?}\n{query}");
    }
    // THEN every statement on the store is one, those of the runbook and of the alerts, too
    let store = analyst(door(&doors, "SQL")).await;
    for (name, statement) in statements() {
        let asked = store.simple_query(&statement).await;
        assert!(asked.is_ok(), "{name}: {asked:?}\n{statement}");
    }
    // THEN every rule can be evaluated, and a system that is well raises no alert
    for rule in prometheus.rules().await.unwrap() {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    let firing = prometheus.query("ALERTS{alertstate=\"firing\"}").await;
    assert_eq!(firing, Ok(Vec::new()));
    drop(prometheus);
    demo.terminate();
    demo.agrees();
}

/// Has all sides compared, as `trueup reconcile` does; there is nothing to compare before the copy is
/// done.
async fn compare(instance: &str) {
    let begin = Instant::now();
    loop {
        let everything = json!({ "pair": null, "entity": null, "repair": false });
        let request = reqwest::Client::new().post(format!("http://{instance}/api/reconcile"));
        let answer = request.json(&everything).send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap_or(Value::String(answer));
        let compared = answer["compared"].as_array().into_iter().flatten();
        let pairs: Vec<&str> = compared.filter_map(|one| one["pair"].as_str()).collect();
        if ["source:", "target:"].iter().all(|kind| pairs.iter().any(|pair| pair.starts_with(kind)))
        {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "sources and targets are not compared: {answer}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Asks until each has at least one series; all of them are named that have none.
async fn have_series(prometheus: &mut Prometheus, mut pending: Vec<(String, String)>) {
    let begin = Instant::now();
    loop {
        let mut without = Vec::new();
        let mut seen = Vec::new();
        for (name, query) in pending {
            let asked = prometheus.query(&query).await;
            if !asked.as_ref().is_ok_and(|series| !series.is_empty()) {
                seen.push(format!("{name}: {query}: {asked:?}"));
                without.push((name, query));
            }
        }
        if without.is_empty() {
            return;
        }
        let waited = begin.elapsed();
        assert!(waited < PATIENCE, "no series after {} s: {seen:#?}", waited.as_secs());
        pending = without;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn may_be_empty(name: &str) -> bool {
    MAY_BE_EMPTY.iter().any(|(panel, _)| *panel == name)
}

/// The queries of all panels and variables, as Grafana would send them.
fn queries(instance: &str) -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for dashboard in Dashboard::all() {
        for (name, query, _) in dashboard.queries() {
            let mut query = query.replace("$__rate_interval", "1m").replace("$__range", "10m");
            for variable in dashboard.variables() {
                let value = if variable == "instance" { instance } else { ".+" };
                query = query.replace(&format!("${variable}"), value);
            }
            assert!(!query.contains('$'), "{name} has a variable that is not there: {query}");
            queries.push((name, query));
        }
    }
    for (panel, _) in MAY_BE_EMPTY {
        assert!(queries.iter().any(|(name, _)| name == panel), "there is no panel {panel}");
    }
    queries
}

/// Each selector of each alert alone: an alert that looks at nothing never fires.
fn selectors() -> Vec<(String, String)> {
    let selectors = |alert: &super::rules::Rule| {
        let named = promql::read(&alert.expression).selectors.into_iter();
        named.map(|selector| (alert.name.clone(), selector.text)).collect::<Vec<_>>()
    };
    alerts().iter().flat_map(selectors).collect()
}

/// What panels, alerts and the runbook ask the store.
fn statements() -> Vec<(String, String)> {
    let mut statements = Vec::new();
    for dashboard in Dashboard::all() {
        for (name, mut statement) in dashboard.statements() {
            for variable in dashboard.variables() {
                statement = statement.replace(&format!("${{{variable}:sqlstring}}"), "'x', 'y'");
            }
            assert!(!statement.contains('$'), "{name} has a variable that is not there");
            statements.push((name, statement));
        }
    }
    for alert in alerts() {
        let Some(at) = alert.description.find("SELECT ") else { continue };
        let statement = &alert.description[at..];
        statements.push((alert.name, statement.trim_end_matches('.').to_owned()));
    }
    // Statements on a source or target are not meant for the store.
    let runbook = read("docs/runbook.md");
    let quoted = runbook.split(['`', '"']).filter(|text| text.starts_with("SELECT "));
    let quoted = quoted.filter(|text| text.contains("FROM ops."));
    statements.extend(quoted.map(|statement| ("docs/runbook.md".to_owned(), statement.to_owned())));
    assert!(statements.len() > 30, "{}", statements.len());
    statements
}

/// What the demo says about a way in.
fn door<'a>(doors: &'a str, name: &str) -> &'a str {
    let line = doors.lines().find(|line| line.starts_with(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no line {name}:\n{doors}"))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).map(|(_, rest)| rest);
    let found = rest.and_then(|rest| rest.split_once(after)).map(|(found, _)| found);
    found.unwrap_or_else(|| panic!("nothing between {before:?} and {after:?}: {text}"))
}

/// A session as Grafana's data source has it.
async fn analyst(door: &str) -> Client {
    let password = std::fs::read_to_string(between(door, "$(cat ", ")")).unwrap();
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(between(door, " -p ", " ").parse().unwrap());
    config.user(between(door, " -U ", " ")).password(password.trim_end()).dbname("trueup");
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
