//! A source that lost its slot is followed anew under load: targets get what was missed, once.

use std::time::Duration;

use rand::Rng;

use super::chain::Chain;
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::wait::wait_until;

fn until(chain: &Chain, what: &str, content: impl Fn(&serde_json::Value) -> bool) {
    wait_until(what, Duration::from_secs(300), || {
        let source = chain.status()["sources"][0].clone();
        if content(&source) { Ok(()) } else { Err(source.to_string()) }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_in_a_gap_reaches_the_target_once() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    let chain = Chain::new("compare_every_secs = 0\nhold_percent = 100");
    let mut daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    daemon.kill();
    // GIVEN a slot that somebody dropped, and work that nobody kept
    let work = chain.work(rng.random(), 60.0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    wait_until("the slot to be free", Duration::from_secs(60), || {
        let drop = "SELECT count(pg_drop_replication_slot(slot_name)) FROM pg_replication_slots
                    WHERE database = current_database() AND NOT active";
        match chain.erp_sql(drop).trim() {
            "1" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut daemon = chain.start(&[]);
    until(&chain, "a gap", |source| source["state"] == "gap");
    chain.opens();
    // WHEN it is followed anew while people go on, and the daemon dies in the midst
    let before = chain.events();
    daemon.kill();
    daemon = chain.start(&[("TRUEUP_FAILPOINT", "after-chunk-commit")]);
    until(&chain, "a gap", |source| source["state"] == "gap");
    chain.refused(&["resync", "erp", "--gap"]);
    assert!(!daemon.wait(Duration::from_secs(60)).success());
    let _daemon = chain.start(&[]);
    // THEN it goes on by itself, and all sides agree
    until(&chain, "the copies to end", |source| {
        source["state"] == "streaming" && source["resyncs"].as_array().is_none_or(Vec::is_empty)
    });
    work.stop().await;
    chain.settled();
    assert!(chain.events() > before, "what was missed are events");
    chain.target_equals_canon();
    chain.all_sides_agree().await;
    let (code, said) = chain.answer(&["reconcile"]);
    assert_eq!(code, Some(0), "{said}");
}
