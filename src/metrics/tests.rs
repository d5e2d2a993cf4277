//! Tests of the metrics: the rules of naming, the manual, and what is rendered.

use std::time::{Duration, UNIX_EPOCH};

use super::*;

fn metrics() -> Metrics {
    Metrics::new("1.2.3", UNIX_EPOCH + Duration::from_secs(1_700_000_000)).unwrap()
}

#[test]
fn names_follow_the_rules() {
    // Labels whose values are few by nature: names from the configuration, and closed lists.
    let labels = [
        "source", "target", "entity", "op", "outcome", "state", "version", "kpi", "workflow",
        "pair", "class", "result",
    ];
    let units =
        ["_bytes", "_seconds", "_info", "_entries", "_events", "_rows", "_tables_pending", "_runs"];
    // Plain counts and states, which have no unit.
    let unitless = [
        "trueup_source_confirmed_position",
        "trueup_source_state",
        "trueup_target_state",
        "trueup_archive_failing",
        "trueup_kpi_failing",
        "trueup_dead_letters",
    ];
    for family in FAMILIES {
        let name = family.name;
        assert!(name.starts_with("trueup_"), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
        assert_eq!(name.ends_with("_total"), family.kind() == "counter", "{name}");
        let unit = units.iter().any(|unit| name.ends_with(unit));
        let counted = family.kind() == "counter" || unitless.contains(&name);
        assert!(unit || counted, "{name} has no unit");
        assert!(family.labels.iter().all(|label| labels.contains(label)), "{name}");
        assert!(family.help.trim().ends_with('.'), "{name} has no help");
        let milli = family.help.to_lowercase().contains("millisecond");
        assert!(!milli, "{name} is not in base units");
    }
}

#[test]
fn names_are_used_once() {
    let mut names: Vec<&str> = FAMILIES.iter().map(|family| family.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), FAMILIES.len());
}

#[test]
fn declared_series_read_zero_before_anything_happens() {
    let metrics = metrics();
    metrics.declare_source("erp");
    metrics.declare_target("psa");
    let text = metrics.render();
    for line in [
        "trueup_build_info{version=\"1.2.3\"} 1",
        "trueup_start_time_seconds 1700000000",
        "trueup_journaled_bytes_total{source=\"erp\"} 0",
        "trueup_delivered_rows_total{outcome=\"refused\",target=\"psa\"} 0",
        "trueup_apply_seconds_count{target=\"psa\"} 0",
        "# HELP trueup_copy_rows_total Rows of copies and resyncs in the capture log, those of \
         earlier processes too.",
        "# TYPE trueup_copy_rows_total counter",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\nnot in\n{text}");
    }
}

#[test]
fn one_state_is_on_at_a_time() {
    let metrics = metrics();
    let all = ["copying", "streaming"];
    Metrics::set_state(&metrics.source_state, "erp", all, "copying");
    Metrics::set_state(&metrics.source_state, "erp", all, "streaming");
    let text = metrics.render();
    assert!(text.contains("trueup_source_state{source=\"erp\",state=\"copying\"} 0"), "{text}");
    assert!(text.contains("trueup_source_state{source=\"erp\",state=\"streaming\"} 1"), "{text}");
}

#[test]
fn two_sets_of_metrics_do_not_share_anything() {
    let (first, second) = (metrics(), metrics());
    first.conform_batches.inc();
    second.conform_batches.inc_by(5);
    assert!(first.render().contains("trueup_conform_batches_total 1\n"));
    assert!(second.render().contains("trueup_conform_batches_total 5\n"));
}
