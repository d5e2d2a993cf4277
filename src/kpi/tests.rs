//! The built-in figures against answers worked out by hand, the loop against files that fail, and the
//! manual.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::store::{Live, Store, StoreLimits};

const SQL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sql");

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{SQL}/{path}")).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A store with every canonical table, empty, and runs as a table.
fn canon(folder: &std::path::Path) -> Store {
    let limits = StoreLimits { memory_bytes: 64 << 20, threads: 1 };
    let store = Store::open(folder, limits, &Live::default()).unwrap();
    let run = |sql: &str| store.connection().execute_batch(sql).unwrap();
    run("DROP VIEW ops.service_level; DROP VIEW ops.workflow_run;");
    run("CREATE SCHEMA IF NOT EXISTS canon; SET search_path = 'canon'");
    for file in std::fs::read_dir(format!("{SQL}/canonical")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            run(&std::fs::read_to_string(path).unwrap());
        }
    }
    run("RESET search_path");
    store
}

#[test]
fn every_figure_gives_what_was_worked_out_by_hand() {
    let Loaded { definitions: figures, broken } = load(None).unwrap();
    assert!(broken.is_empty(), "{broken:?}");
    assert!(figures.len() >= 8, "{}", figures.len());
    for figure in figures {
        let folder = tempfile::tempdir().unwrap();
        let store = canon(folder.path());
        let fixture = read(&format!("kpi/fixture/{}.sql", figure.name));
        let loaded = store.connection().execute_batch(&fixture);
        loaded.unwrap_or_else(|e| panic!("{}: {e}", figure.name));
        let as_of = fixture.lines().find_map(|line| line.strip_prefix("-- as_of: ")).unwrap();
        let as_of: jiff::civil::DateTime = as_of.trim().parse().unwrap();
        let as_of = as_of.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        let reader = store.reader().unwrap();
        let rows = reader.query(&figure.at(as_of), 1_000).unwrap();
        let found = figure.series(&rows).unwrap();
        let answer: Vec<BTreeMap<String, Value>> =
            serde_json::from_str(&read(&format!("kpi/fixture/{}.json", figure.name))).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let expected: BTreeMap<Vec<String>, f64> = answer
            .iter()
            .map(|row| {
                let labels = figure.labels.iter().map(|label| text(&row[label])).collect();
                (labels, text(&row["value"]).parse().unwrap())
            })
            .collect();
        assert_eq!(expected.len(), answer.len(), "{}", figure.name);
        let keys = |of: &BTreeMap<Vec<String>, f64>| of.keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&found), keys(&expected), "{}", figure.name);
        for (labels, value) in &expected {
            let error = (found[labels] - value).abs();
            assert!(error < 1e-6, "{} {labels:?}: {} != {value}", figure.name, found[labels]);
        }
    }
}

#[test]
fn a_header_that_is_wrong_is_named_with_its_line() {
    let good = "-- metric: trueup_x\n-- help: X.\n-- unit: rows\n-- every: 1m\nSELECT 1 AS value";
    let parsed = Definition::parse("kpi/x.sql", good).unwrap();
    assert_eq!((parsed.name.as_str(), parsed.every), ("x", Duration::from_secs(60)));
    assert_eq!(parsed.sql, "SELECT 1 AS value");
    for (from, to, word) in [
        ("-- metric: trueup_x\n", "", "kpi/x.sql:4: the header has no `-- metric:`"),
        ("trueup_x", "x", "kpi/x.sql:1: `x` is no name"),
        ("rows", "rabbits", "kpi/x.sql:3: `rabbits` is no unit"),
        ("1m", "soon", "kpi/x.sql:4: `soon` is no time"),
        ("1m", "0s", "kpi/x.sql:4: `0s` is no time"),
        ("-- help: X.", "-- help: X.\n-- help: Y.", "kpi/x.sql:3: `help` is given twice"),
        ("-- help: X.", "-- help: X.\n-- labels: A b", "kpi/x.sql:3: `A b` is no name for a label"),
        ("SELECT 1 AS value", "", "there is no SELECT"),
    ] {
        let error = Definition::parse("kpi/x.sql", &good.replace(from, to)).unwrap_err();
        assert!(error.chain().contains(word), "{word}: {}", error.chain());
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    let reads = "-- canon.no\nSELECT * FROM canon.worker w JOIN history.project p ON true";
    let parsed = Definition::parse("x.sql", &good.replace("SELECT 1 AS value", reads)).unwrap();
    assert_eq!(Vec::from_iter(parsed.entities), ["project", "worker"]);
}

fn figure(name: &str, labels: &str, sql: &str) -> Definition {
    let text = format!(
        "-- metric: trueup_{name}\n-- help: X.\n-- unit: rows\n-- every: 1s\n-- labels: {labels}\n\
         {sql}"
    );
    Definition::parse(name, &text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_figure_that_fails_is_a_metric_and_disturbs_no_other_and_a_vanished_series_goes_to_0() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("kpi")).unwrap();
    std::fs::write(folder.path().join("kpi/headless.sql"), "SELECT 1 AS value").unwrap();
    let limits = StoreLimits { memory_bytes: 64 << 20, threads: 1 };
    let store = Store::open(folder.path(), limits, &Live::default()).unwrap();
    store.connection().execute_batch("CREATE TABLE t AS SELECT 'a' AS l, 7 AS v").unwrap();
    let reader = Arc::new(store.reader().unwrap());
    let metrics = Metrics::new("1", std::time::UNIX_EPOCH).unwrap();
    let endless = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r)
                   SELECT count(*) AS value FROM r";
    let definitions = vec![
        figure("broken", "", "SELECT nonsense AS value"),
        figure("shape", "l", "SELECT v AS value, l FROM t"),
        figure("twice", "l", "SELECT 'x' AS l, 1 AS value UNION ALL SELECT 'x', 2"),
        figure("many", "l", "SELECT range::VARCHAR AS l, 1 AS value FROM range(11)"),
        figure("writes", "", "DELETE FROM t RETURNING 1 AS value"),
        figure("endless", "", endless),
        figure("early", "", "SELECT count(*) AS value FROM canon.worker"),
        figure("good", "l", "SELECT l, v AS value FROM t"),
    ];
    let states = Arc::new(KpiStates::default());
    let kpis = Kpis {
        definitions: definitions.clone(),
        broken: load(Some(folder.path())).unwrap().broken,
        readers: Arc::new(move || Some(Arc::clone(&reader))),
        metrics: metrics.clone(),
        time_max: Duration::from_millis(300),
        series_max: 10,
        states: Arc::clone(&states),
    };
    let cancel = CancellationToken::new();
    let running = tokio::spawn(run(kpis, cancel.clone()));
    let until = async |line: &str| {
        for _ in 0..600 {
            if metrics.render().lines().any(|found| found == line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{line}\nnot in\n{}", metrics.render());
    };
    until("trueup_good{l=\"a\"} 7").await;
    for name in ["headless", "broken", "shape", "twice", "many", "writes", "endless"] {
        until(&format!("trueup_kpi_failing{{kpi=\"{name}\"}} 1")).await;
        let (error, _) = states.seen(name).error.unwrap();
        assert!(!error.is_empty(), "{name}");
    }
    assert_eq!(states.seen("early").state, KpiState::Waiting);
    assert!(states.seen("endless").error.unwrap().0.contains("longer"));
    assert!(states.seen("many").error.unwrap().0.contains("more than 10 rows"));
    // WHEN a series vanishes THEN it reads 0, beside the one that came
    store.connection().execute_batch("DELETE FROM t; INSERT INTO t VALUES ('b', 3)").unwrap();
    until("trueup_good{l=\"b\"} 3").await;
    until("trueup_good{l=\"a\"} 0").await;
    until("trueup_kpi_failing{kpi=\"good\"} 0").await;
    cancel.cancel();
    running.await.unwrap();
}

#[test]
fn the_manual_is_what_the_code_and_the_files_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let mut manual = crate::metrics::reference();
    for figure in load(None).unwrap().definitions {
        let labels = figure.labels.iter().cloned();
        manual.push_str(&crate::metrics::line(&figure.metric, "gauge", labels, &figure.help));
    }
    if std::env::var_os("TRUEUP_WRITE_DOCS").is_some() {
        std::fs::write(path, &manual).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(written == manual, "run with TRUEUP_WRITE_DOCS=1 to write docs/metrics.md");
}
