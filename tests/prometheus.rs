//! What we ship for Prometheus and Grafana, held against itself, the metrics and a live daemon:
//! alerts with their tests and runbook, and the queries of all dashboards.

mod dashboards;
mod live;
mod names;
mod promql;
mod rules;

use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}
