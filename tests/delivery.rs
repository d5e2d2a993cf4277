//! The whole way with a mapping pack: ERP → ledger → mirror → canon → events → PostgreSQL target,
//! through kills and crashes at every durable step. Rows are compared, those of the ERP itself too,
//! and the event ranges that a trigger in the target wrote down.

mod archived;
mod chain;
mod columns;
mod equal;
mod gap;
mod holding;
mod mending;
mod metrics;
mod reconcile;
mod restored;
mod resync;
mod slices;
mod verified;
mod workflows;

use std::time::Duration;

use rand::Rng;

use crate::support::random::seeded;
use crate::support::require::require;
use chain::Chain;

#[tokio::test(flavor = "multi_thread")]
async fn what_the_erp_does_reaches_the_target_once_through_kills() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    let chain = Chain::new("");
    let work = chain.work(rng.random(), 60.0);
    let mut daemon = chain.start(&[]);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(rng.random_range(100..700))).await;
        daemon.kill();
        daemon = chain.start(&[]);
    }
    chain.ready();
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(rng.random_range(200..1_500))).await;
        daemon.kill();
        daemon = chain.start(&[]);
    }
    work.stop().await;
    chain.settled();
    chain.target_equals_canon();
    chain.all_sides_agree().await;
    chain.ranges_are_whole();
    assert!(chain.events() > 100, "there must have been events: {}", chain.events());
}

/// A crash at every durable step of conform and delivery.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_every_step_of_a_batch_and_a_delivery_loses_and_doubles_nothing() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    for (point, passes) in [
        ("before-outbox-commit", 30),
        ("after-outbox-commit", 30),
        ("before-store-commit", 30),
        ("after-store-commit", 30),
        ("after-apply", 12),
        ("before-settle", 12),
        ("after-baseline-apply", 5),
    ] {
        let chain = Chain::new("");
        let work = chain.work(rng.random(), 25.0);
        let armed = format!("{point}:{}", rng.random_range(1..=passes));
        let mut daemon = chain.start(&[("TRUEUP_FAILPOINT", armed.as_str())]);
        let ended = daemon.wait(Duration::from_secs(240));
        assert!(!ended.success(), "{armed} must have crashed");
        eprintln!("{armed} crashed");
        let _daemon = chain.start(&[]);
        chain.ready();
        tokio::time::sleep(Duration::from_millis(500)).await;
        work.stop().await;
        chain.settled();
        chain.target_equals_canon();
        chain.all_sides_agree().await;
        chain.ranges_are_whole();
    }
}

/// Rows the target refuses are parked with their followers, while all others go on; a crash
/// between the target's commit and the ledger neither loses nor doubles one; once the target is
/// mended, they arrive.
#[tokio::test(flavor = "multi_thread")]
async fn refused_rows_are_parked_through_a_crash_and_arrive_when_the_target_is_mended() {
    if !require("postgres") {
        return;
    }
    for point in ["while-parking", "after-parking"] {
        park_through_a_crash(point).await;
    }
}

async fn park_through_a_crash(point: &str) {
    let mut rng = seeded();
    let chain =
        Chain::new("retry_delay_ms = 200\nretry_delay_ms_max = 500\nattempts_max = 1000000");
    chain.target_sql(
        "ALTER TABLE time_record ADD CONSTRAINT no_sundays CHECK (extract(dow FROM day) <> 3)",
    );
    let work = chain.work(rng.random(), 20.0);
    let mut daemon = chain.start(&[("TRUEUP_FAILPOINT", format!("{point}:3").as_str())]);
    assert!(!daemon.wait(Duration::from_secs(240)).success(), "{point} must have crashed");
    let _daemon = chain.start(&[]);
    chain.ready();
    tokio::time::sleep(Duration::from_secs(2)).await;
    work.stop().await;
    chain.delivered_or_parked();
    let status = chain.status();
    assert!(status["targets"][0]["parked"].as_u64() > Some(0), "{status}");
    assert_eq!(
        chain.target_sql("SELECT count(*) FROM time_record WHERE extract(dow FROM day) = 3").trim(),
        "0"
    );
    chain.target_sql("ALTER TABLE time_record DROP CONSTRAINT no_sundays");
    chain.settled();
    chain.target_equals_canon();
    chain.all_sides_agree().await;
}

/// An edited mapping comes into force with an entry of its own: everything is evaluated again,
/// exactly the differences are events, also when the daemon dies in the middle of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_edited_mapping_emits_its_differences_once_through_a_crash() {
    if !require("postgres") {
        return;
    }
    for point in ["before-outbox-commit", "after-outbox-commit", "after-store-commit"] {
        let chain = Chain::new("");
        let daemon = chain.start(&[]);
        chain.ready();
        chain.settled();
        let before = chain.events();
        drop(daemon);
        let from = "concat_ws(', ', k.name1, k.name2) AS name";
        chain.edit_mapping("client", from, "upper(k.name1) AS name");
        let mut daemon = chain.start(&[("TRUEUP_FAILPOINT", point)]);
        let ended = daemon.wait(Duration::from_secs(240));
        assert!(!ended.success(), "{point} must have crashed");
        let _daemon = chain.start(&[]);
        chain.settled();
        chain.target_equals_canon_without_events();
        let lower = "SELECT count(*) FROM customer WHERE name <> upper(name)";
        assert_eq!(chain.target_sql(lower).trim(), "0", "{point}");
        let customers = chain.target_sql("SELECT count(*) FROM customer");
        assert_eq!((chain.events() - before).to_string(), customers.trim(), "{point}");
        chain.ranges_are_whole();
    }
}

/// A mapping that fails is parked and everything else goes on; mended and started again, it
/// catches up with what it missed, once, also when the daemon dies in the middle of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_parked_mapping_that_is_mended_catches_up_once() {
    if !require("postgres") {
        return;
    }
    let name = "concat_ws(', ', k.name1, k.name2) AS name";
    for point in ["", "after-outbox-commit", "after-store-commit"] {
        let chain = Chain::new("");
        let daemon = chain.start(&[]);
        chain.ready();
        chain.settled();
        let before = chain.events();
        drop(daemon);
        chain.edit_mapping("client", name, "CAST(CAST(k.name1 AS INTEGER) AS VARCHAR) AS name");
        let daemon = chain.start(&[]);
        chain.settled_without("client");
        // What happens meanwhile, to it and to another entity.
        chain.erp_sql(
            "UPDATE kunde SET name1 = 'Renamed & Sons'
             WHERE kd_id = (SELECT min(kd_id) FROM kunde WHERE kd_id_neu IS NULL)",
        );
        chain.settled_without("client");
        assert_eq!(chain.target_sql(RENAMED).trim(), "0");
        drop(daemon);
        // A start that mends nothing leaves it parked.
        let daemon = chain.start(&[]);
        chain.settled_without("client");
        drop(daemon);
        chain.edit_mapping("client", name, name);
        if !point.is_empty() {
            let mut daemon = chain.start(&[("TRUEUP_FAILPOINT", point)]);
            assert!(!daemon.wait(Duration::from_secs(240)).success(), "{point} must have crashed");
        }
        let _daemon = chain.start(&[]);
        chain.settled();
        assert_eq!(chain.target_sql(RENAMED).trim(), "1");
        chain.target_equals_canon_without_events();
        assert_eq!(chain.events() - before, 1, "{point}: the one difference, once");
        chain.ranges_are_whole();
    }
}

const RENAMED: &str = "SELECT count(*) FROM customer WHERE name LIKE 'Renamed & Sons%'";

/// Units have heads, heads have units, and the target insists on both: rows go without what is
/// missing and are patched, also if the process dies between the two.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_refer_to_each_other_are_written_without_and_patched_through_a_crash() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    let chain = Chain::new("");
    chain.target_sql(
        "ALTER TABLE org ADD FOREIGN KEY (head) REFERENCES resource (employee_code),
                         ADD FOREIGN KEY (parent) REFERENCES org (code);
         ALTER TABLE resource ADD FOREIGN KEY (org_code) REFERENCES org (code),
                              ADD FOREIGN KEY (manager_code) REFERENCES resource (employee_code);",
    );
    let mut daemon = chain.start(&[("TRUEUP_FAILPOINT", "after-parking")]);
    assert!(!daemon.wait(Duration::from_secs(240)).success(), "after-parking must have crashed");
    let units = "SELECT count(*) > 9, count(head), count(parent) > 5 FROM org";
    assert_eq!(chain.target_sql(units).trim(), "t|0|t", "units, no heads, but parents");
    let work = chain.work(rng.random(), 40.0);
    let _daemon = chain.start(&[]);
    chain.ready();
    tokio::time::sleep(Duration::from_secs(2)).await;
    work.stop().await;
    chain.settled();
    chain.target_equals_canon();
    chain.all_sides_agree().await;
    chain.ranges_are_whole();
    assert_eq!(chain.target_sql("SELECT count(*) FROM _trueup.hole").trim(), "0");
}
