//! The store held against full evaluations while everything works, and after somebody tampered with
//! it.

use std::time::Duration;

use duckdb::Connection;
use rand::Rng;

use super::chain::Chain;
use super::metrics::scrape;
use crate::agreement::store;
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);

/// Waits until every entity was verified after `since`.
fn verified(chain: &Chain, since: jiff::Timestamp) -> Vec<serde_json::Value> {
    wait_until("every entity to be verified", PATIENCE, || store::verified(&chain.status(), since))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_store_is_what_its_mappings_give_and_says_so_when_it_is_not() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    let chain = Chain::new("verify_every_secs = 1");
    let mut daemon = chain.start(&[]);
    chain.ready();
    // WHEN it is looked at while people work and the daemon is killed
    let work = chain.work(rng.random(), 40.0);
    let mut looks = 0;
    for _ in 0..3 {
        let entities = verified(&chain, jiff::Timestamp::now());
        looks += entities.len();
        // THEN no incremental evaluation differs from a full one
        assert!(entities.iter().all(|entity| entity["mismatches"] == 0), "{entities:#?}");
        daemon.kill();
        daemon = chain.start(&[]);
    }
    work.stop().await;
    chain.settled();
    assert!(looks >= 3 * 10, "{looks}");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());

    // WHEN a row is changed behind everybody's back
    let path = chain.state_folder().join("store.duckdb");
    let tampered = Connection::open(path).unwrap();
    let change = "UPDATE canon.client SET name = 'tampered' WHERE client_no =
                  (SELECT min(client_no) FROM canon.client)";
    assert_eq!(tampered.execute(change, []).unwrap(), 1);
    drop(tampered);
    let began = jiff::Timestamp::now();
    let mut daemon = chain.start(&[]);
    let entities = verified(&chain, began);
    let of = |name: &str| entities.iter().find(|one| one["name"] == name).unwrap().clone();
    assert_eq!((&of("client")["mismatches"], &of("worker")["mismatches"]), (&1.into(), &0.into()));
    // THEN a person is called, and told what to do
    let (code, said) = chain.judged();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("rows of canon.client are not what a full evaluation gives"), "{said}");
    assert!(said.contains("raise `-- version:`"), "{said}");
    let series = scrape(&chain).await;
    assert!((series["trueup_verify_mismatched_rows{entity=\"client\"}"] - 1.0).abs() < 0.1);
    assert!(series["trueup_verified_timestamp_seconds{entity=\"client\"}"] > 1e9);
    daemon.kill();
    chain.edit_mapping("client", "-- version: 1", "-- version: 2");
    let _daemon = chain.start(&[]);
    chain.settled();
    wait_until("what was changed to be evaluated anew", PATIENCE, || {
        let names = chain.rows("SELECT count(*) FROM canon.client WHERE name = 'tampered'");
        if names == ["0"] { Ok(()) } else { Err(chain.status().to_string()) }
    });
    chain.settled();
    let entities = verified(&chain, jiff::Timestamp::now());
    assert!(entities.iter().all(|entity| entity["mismatches"] == 0), "{entities:#?}");
    let (code, said) = chain.judged();
    assert_eq!(code, Some(0), "{said}");
    chain.target_equals_canon();
    chain.all_sides_agree().await;
}
