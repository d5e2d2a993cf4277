//! Service levels through kills: every event that begins a run has one, and every run ends when the
//! target has it.

use std::time::Duration;

use rand::Rng;

use super::chain::Chain;
use super::metrics::scrape;
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);

const WORKFLOWS: &str = "
[workflow.approved-time]
entity  = \"time_entry\"
when    = \"new.approval_status = 'approved' AND old.approval_status IS DISTINCT FROM 'approved'\"
targets = [\"psa\"]
sla     = \"10m\"

[workflow.time-told]
entity   = \"time_entry\"
when     = \"old.entry_no IS NULL\"
targets  = [\"psa\"]
requires = [\"approved_at\"]
sla      = \"1s\"
";

/// Runs, and what the event log says they must be: the first event of each span in which none was
/// open.
const TOLD: &str = "SELECT count(*) FROM ops.event
    WHERE entity = 'time_entry' AND (new->>'approval_status') = 'approved'
    AND (old->>'approval_status') IS DISTINCT FROM 'approved'";

#[tokio::test(flavor = "multi_thread")]
async fn every_run_is_known_and_ends_through_kills() {
    if !require("postgres") {
        return;
    }
    // GIVEN workflows, a workload, and a daemon that is killed again and again
    let mut rng = seeded();
    let chain = Chain::new("hold_percent = 100");
    chain.configure(|text| format!("{text}{WORKFLOWS}"));
    let mut daemon = chain.start(&[]);
    chain.ready();
    let work = chain.work(rng.random(), 60.0);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(rng.random_range(300..2_000))).await;
        daemon.kill();
        daemon = chain.start(&[]);
    }
    for _ in 0..2 {
        drop(daemon);
        daemon = chain.start(&[("TRUEUP_FAILPOINT", "after-runs-begun")]);
        daemon.wait(PATIENCE);
        drop(daemon);
        daemon = chain.start(&[]);
    }
    work.stop().await;
    chain.settled();
    // THEN every approval has its run, and all are done
    let runs = |state: &str| {
        let sql = format!(
            "SELECT count(*) FROM ops.workflow_run
             WHERE workflow = 'approved-time' AND state = '{state}'"
        );
        chain.rows(&sql)[0].parse::<u64>().unwrap()
    };
    wait_until("no run to be open", PATIENCE, || match runs("open") {
        0 => Ok(()),
        open => Err(format!("{open} are open")),
    });
    let told: u64 = chain.rows(TOLD)[0].parse().unwrap();
    assert!(told > 3, "{told}");
    assert_eq!(runs("done"), told);
    let strange = "SELECT count(*) FROM ops.workflow_run AS r
        LEFT JOIN ops.event AS e ON e.sequence = r.event
        WHERE e.entity IS DISTINCT FROM r.entity OR e.key <> r.key OR e.time <> r.started_at
        OR r.done_at < r.started_at";
    assert_eq!(chain.rows(strange), ["0"]);
    what_waits_is_shown_as_late(&chain).await;
    // THEN a run of this process is in the histogram
    chain.erp_sql("UPDATE zeit_blatt SET stat_cd = 'E', frei_zeit = NULL");
    chain.settled();
    chain.erp_sql("UPDATE zeit_blatt SET stat_cd = 'F', frei_zeit = now()::timestamp");
    chain.settled();
    wait_until("its runs to end", PATIENCE, || match runs("open") {
        0 => Ok(()),
        open => Err(format!("{open} are open")),
    });
    let series = scrape(&chain).await;
    let labels = "{target=\"psa\",workflow=\"approved-time\"}";
    assert!(series[&format!("trueup_workflow_seconds_count{labels}")] > 3.0);
    assert!(series[&format!("trueup_workflow_missed_total{labels}")] == 0.0);
    chain.target_equals_canon();
}

/// What requires an approval waits for it.
async fn what_waits_is_shown_as_late(chain: &Chain) {
    let waiting = "SELECT concat_ws(' ', count(*) > 0, count(*) = sum((SELECT count(*)
            FROM canon.time_entry AS t WHERE t.entry_no = r.key AND t.approved_at IS NULL)))
        FROM ops.workflow_run AS r WHERE workflow = 'time-told' AND state = 'open'";
    assert_eq!(chain.rows(waiting), ["true true"]);
    let level = "SELECT concat_ws(' ', open > 0, overdue = open, sla_seconds)
        FROM ops.service_level WHERE workflow = 'time-told'";
    wait_until("what is open to be late", PATIENCE, || match chain.rows(level)[0].as_str() {
        "true true 1" => Ok(()),
        other => Err(other.to_owned()),
    });
    let series = scrape(chain).await;
    let value = |name: &str| {
        let labels = "{target=\"psa\",workflow=\"time-told\"}";
        series[&format!("{name}{labels}")]
    };
    assert!(value("trueup_workflow_overdue_runs") > 0.0);
    assert!(value("trueup_workflow_open_runs") == value("trueup_workflow_overdue_runs"));
    assert!(value("trueup_workflow_sla_seconds") == 1.0);
}
