//! What a daemon shows of itself after work: every documented metric, and the status.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::Rng;
use trueup::metrics::FAMILIES;

use super::chain::Chain;
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::wait::wait_until;

/// What a workload makes more than 0.
const COUNTED: &[&str] = &[
    "trueup_journaled_bytes_total{source=\"erp\"}",
    "trueup_journaled_transactions_total{source=\"erp\"}",
    "trueup_journaled_entries_total{source=\"erp\"}",
    "trueup_source_confirmed_position{source=\"erp\"}",
    "trueup_copy_rows_total{source=\"erp\"}",
    "trueup_conform_batches_total",
    "trueup_conform_batch_seconds_count",
    "trueup_journal_size_bytes",
    "trueup_canonical_rows{entity=\"worker\"}",
    "trueup_canonical_rows{entity=\"time_entry\"}",
    "trueup_events_total{entity=\"time_entry\",op=\"created\"}",
    "trueup_delivered_rows_total{outcome=\"applied\",target=\"psa\"}",
    "trueup_apply_seconds_count{target=\"psa\"}",
    "trueup_queue_settled_events_total{target=\"psa\"}",
    "trueup_start_time_seconds",
];

/// What is 0 once everything has arrived and nothing went wrong.
const NOTHING: &[&str] = &[
    "trueup_source_lag_seconds{source=\"erp\"}",
    "trueup_source_lag_bytes{source=\"erp\"}",
    "trueup_source_retries_total{source=\"erp\"}",
    "trueup_copy_tables_pending{source=\"erp\"}",
    "trueup_journal_backlog_entries",
    "trueup_held_rows",
    "trueup_verify_mismatched_rows{entity=\"worker\"}",
    "trueup_queue_oldest_seconds{target=\"psa\"}",
    "trueup_parked_events{target=\"psa\"}",
    "trueup_dead_letters{target=\"psa\"}",
    "trueup_target_retries_total{target=\"psa\"}",
    "trueup_delivered_rows_total{outcome=\"refused\",target=\"psa\"}",
];

/// Series by name with labels, as scraped.
pub(super) async fn scrape(chain: &Chain) -> BTreeMap<String, f64> {
    let url = format!("http://127.0.0.1:{}/metrics", chain.http_port());
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_metric_has_a_series_that_tells_what_happened() {
    if !require("postgres") {
        return;
    }
    // GIVEN a daemon between a real source and a real target, and a workload that has ended
    let mut rng = seeded();
    let chain = Chain::new("idle_confirm_secs = 1");
    let workflow = "[workflow.told]\nentity = \"worker\"\nwhen = \"true\"\ntargets = [\"psa\"]\n";
    chain.configure(|text| format!("{text}\n{workflow}"));
    let work = chain.work(rng.random(), 40.0);
    let _daemon = chain.start(&[]);
    chain.ready();
    tokio::time::sleep(Duration::from_secs(2)).await;
    work.stop().await;
    chain.settled();
    wait_until("the lag to be 0", Duration::from_secs(60), || {
        let status = chain.status();
        let source = &status["sources"][0];
        let caught_up = source["lag_seconds"] == 0.0 && source["lag_bytes"] == 0;
        if caught_up { Ok(()) } else { Err(source.to_string()) }
    });
    assert_eq!(chain.status()["targets"][0]["oldest_seconds"], 0.0);
    // WHEN it is scraped THEN every family of the manual has a series
    let series = scrape(&chain).await;
    for family in FAMILIES {
        let name = |series: &str| series.split('{').next().unwrap_or_default().to_owned();
        let wanted = match family.kind() {
            "histogram" => format!("{}_count", family.name),
            _ => family.name.to_owned(),
        };
        let has = series.keys().any(|one| name(one) == wanted);
        assert!(has, "{} has no series", family.name);
    }
    // THEN what must have happened is counted
    let value = |name: &str| *series.get(name).unwrap_or_else(|| panic!("{name}: {series:#?}"));
    let sum = |prefix: &str| {
        series.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, v)| v).sum::<f64>()
    };
    let psa = "{target=\"psa\"}";
    for more_than_none in COUNTED {
        assert!(value(more_than_none) > 0.0, "{more_than_none}");
    }
    for none in NOTHING {
        assert!(value(none) == 0.0, "{none} is {}", value(none));
    }
    assert!(value("trueup_source_state{source=\"erp\",state=\"streaming\"}") == 1.0);
    assert!(value("trueup_target_state{state=\"delivering\",target=\"psa\"}") == 1.0);
    assert!(sum("trueup_source_state") == 1.0 && sum("trueup_target_state") == 1.0);
    let pushed = value(&format!("trueup_queue_pushed_events_total{psa}"));
    assert!(pushed == value(&format!("trueup_queue_settled_events_total{psa}")));
    assert!(pushed == sum("trueup_events_total"), "no other process made events");
    // THEN the store's own views say the same
    let source = "SELECT concat_ws(' ', source, kind, state, lag_seconds) FROM ops.source";
    assert_eq!(chain.rows(source), ["erp postgres streaming 0.0"]);
    let fresh = "SELECT concat_ws(' ', source, state, behind_entries,
                     complete_until BETWEEN now()::TIMESTAMP - INTERVAL 1 MINUTE AND now()::TIMESTAMP)
                 FROM ops.freshness";
    assert_eq!(chain.rows(fresh), ["erp streaming 0 true"]);
    let queue =
        "SELECT concat_ws(' ', target, state, queue_events, parked, dead) FROM ops.delivery";
    assert_eq!(chain.rows(queue), ["psa delivering 0 0 0"]);
    let entries =
        "SELECT concat_ws(' ', rows = (SELECT count(*) FROM canon.time_entry), ready, mismatches)
                   FROM ops.entity WHERE entity = 'time_entry'";
    assert_eq!(chain.rows(entries), ["true true 0"]);
    let rows = value("trueup_canonical_rows{entity=\"time_entry\"}");
    assert_eq!(rows.to_string(), chain.count("canon.time_entry").to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_stands_still_grows_old() {
    if !require("postgres") {
        return;
    }
    // GIVEN a target whose table is locked, so that nothing can be applied
    let chain = Chain::new("");
    let _daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    let lock = chain.lock_target("time_record").await;
    let work = chain.work(7, 40.0);
    // THEN the oldest event's age is shown, and grows
    let oldest = || chain.status()["targets"][0]["oldest_seconds"].as_f64();
    let first = wait_until("the queue to grow old", Duration::from_secs(60), || {
        oldest().filter(|age| *age > 1.0).ok_or_else(|| chain.status()["targets"][0].to_string())
    });
    wait_until("it to grow older", Duration::from_secs(60), || {
        oldest().filter(|age| *age > first).ok_or_else(|| format!("{first}"))
    });
    work.stop().await;
    drop(lock);
    chain.settled();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_daemon_still_shows_targets_positions_and_dead_letters() {
    if !require("postgres") {
        return;
    }
    // GIVEN a target that refuses some rows for good
    let chain = Chain::new("attempts_max = 1");
    let mut daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    chain.target_sql("ALTER TABLE time_record ADD CONSTRAINT none CHECK (minutes < 0) NOT VALID");
    let work = chain.work(11, 40.0);
    let running = wait_until("dead letters", Duration::from_secs(120), || {
        let status = chain.status();
        let dead = status["targets"][0]["dead"].as_u64().unwrap_or_default();
        if dead > 0 { Ok(status) } else { Err(status.to_string()) }
    });
    assert_eq!(running["daemon"], "running");
    work.stop().await;
    chain.delivered_or_parked();
    let running = chain.status();
    // THEN the store's own views name the dead letters
    let (dead, letters) = (&running["targets"][0]["dead"], &running["dead_letters"][0]);
    let counted = "SELECT count(*) FROM ops.dead_letter WHERE words LIKE '%none%' AND event > 0";
    assert_eq!(chain.rows(counted), [dead.to_string()]);
    let key = letters["key"].as_str().unwrap();
    let named = format!(
        "SELECT concat_ws(' ', target, entity) FROM ops.dead_letter WHERE key = '{key}' LIMIT 1"
    );
    assert_eq!(chain.rows(&named), ["psa time_entry"]);
    // WHEN the daemon is stopped THEN the status from the state folder says the same
    daemon.terminate();
    assert!(daemon.wait(Duration::from_secs(60)).success());
    let stopped = chain.status();
    assert_eq!(stopped["daemon"], "stopped");
    let target = &stopped["targets"][0];
    for field in ["name", "epoch", "cursor", "dead", "queue_events"] {
        assert_eq!(target[field], running["targets"][0][field], "{field}");
    }
    assert_eq!(stopped["dead_letters"], running["dead_letters"]);
    assert!(!stopped["dead_letters"].as_array().unwrap().is_empty());
    assert!(stopped["sources"][0]["position"].as_str().unwrap().starts_with("lsn:"));
    let text = chain.status_text();
    assert!(text.contains("dead letter") && text.contains("psa"), "{text}");
}
