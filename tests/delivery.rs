//! The whole way with a mapping pack: ERP → ledger → mirror → canon → events → PostgreSQL target,
//! through kills and crashes at every durable step. Rows are compared, and the event ranges that
//! a trigger in the target wrote down.

mod chain;
mod metrics;

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
    let mut rng = seeded();
    let chain =
        Chain::new("retry_delay_ms = 200\nretry_delay_ms_max = 500\nattempts_max = 1000000");
    chain.target_sql(
        "ALTER TABLE time_record ADD CONSTRAINT no_sundays CHECK (extract(dow FROM day) <> 3)",
    );
    let work = chain.work(rng.random(), 20.0);
    let mut daemon = chain.start(&[("TRUEUP_FAILPOINT", "after-parking:3")]);
    assert!(!daemon.wait(Duration::from_secs(240)).success(), "after-parking must have crashed");
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
