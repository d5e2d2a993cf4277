//! What becomes of rows that a target refuses: dead letters that a person sees, and what happens
//! once the target is mended, the entity is not wanted any more, or too many are parked.

use std::collections::BTreeMap;

use super::chain::Chain;
use crate::support::process::Running;
use crate::support::require::require;

const REFUSE: &str = include_str!("refuse.sql");
const LIMITS: &str = "attempts_max = 2\nretry_delay_ms = 100\nretry_delay_ms_max = 200";

/// A chain whose target refuses these expenses.
fn refusing(limits: &str, expenses: &[&str]) -> Chain {
    let chain = Chain::new(limits);
    chain.target_sql(REFUSE);
    expenses.iter().for_each(|expense| refuse(&chain, expense));
    chain
}

fn refuse(chain: &Chain, expense: &str) {
    chain.target_sql(&format!("INSERT INTO refused VALUES ('{expense}')"));
}

fn mend(chain: &Chain, expense: &str) {
    chain.target_sql(&format!("DELETE FROM refused WHERE external_no = '{expense}'"));
}

/// How often each of the first expenses was written.
fn written(chain: &Chain) -> BTreeMap<String, usize> {
    let mut written = BTreeMap::new();
    let asked = "SELECT external_no FROM written WHERE external_no IN ('S1', 'S2', 'S3')";
    for line in chain.target_sql(asked).lines() {
        *written.entry(line.to_owned()).or_default() += 1;
    }
    written
}

fn dead_keys(chain: &Chain) -> Vec<String> {
    let status = chain.status();
    let letters = status["dead_letters"].as_array().unwrap();
    let key = |letter: &serde_json::Value| letter["key"].as_str().unwrap().to_owned();
    let mut keys: Vec<String> = letters.iter().map(key).collect();
    keys.sort();
    keys
}

fn dead(count: u64) -> impl Fn(&serde_json::Value) -> bool {
    move |target| target["dead"] == count && target["parked"] == 0
}

/// Two baseline rows and an event are dead letters of a running daemon.
fn with_three_dead_letters() -> (Chain, Running) {
    let chain = refusing(LIMITS, &["S1", "S2"]);
    let daemon = chain.start(&[]);
    chain.ready();
    refuse(&chain, "S3");
    chain.erp_sql("UPDATE spesen SET zweck = 'Taxi' WHERE sp_id = 3");
    chain.until("three dead letters", dead(3));
    (chain, daemon)
}

/// Two baseline rows and an event become dead letters. Mending the target is all there is to do.
#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_shown_and_arrive_once_when_the_target_is_mended() {
    if !require("postgres") {
        return;
    }
    let (chain, mut daemon) = with_three_dead_letters();
    assert_eq!(dead_keys(&chain), ["S1", "S2", "S3"]);
    let (code, said) = chain.judged();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the books are closed"), "{said}");
    assert_eq!(written(&chain), BTreeMap::from([("S3".to_owned(), 1)]));

    // WHEN one is mended and the daemon starts again, THEN it alone arrives.
    mend(&chain, "S1");
    daemon.kill();
    let mut daemon = chain.start(&[]);
    chain.until("the first to arrive", dead(2));
    assert_eq!(dead_keys(&chain), ["S2", "S3"]);
    // The others stay, whatever is restarted.
    daemon.kill();
    chain.configure(|text| text.replace("[limits]\n", "[limits]\ndead_retry_secs = 1\n"));
    let _daemon = chain.start(&[]);
    chain.until("the others to be refused again", dead(2));
    assert_eq!(dead_keys(&chain), ["S2", "S3"]);

    // WHEN the others are mended, THEN they arrive by themselves.
    mend(&chain, "S2");
    mend(&chain, "S3");
    chain.settled();
    let once = |key: &str, times| (key.to_owned(), times);
    assert_eq!(written(&chain), BTreeMap::from([once("S1", 1), once("S2", 1), once("S3", 2)]));
    assert_eq!(chain.target_sql("SELECT count(*) FROM _trueup.hole").trim(), "0");
    chain.target_equals_canon();
    chain.all_sides_agree().await;
    let (code, said) = chain.judged();
    assert_eq!(code, Some(0), "{said}");
}

/// What is parked of an entity that is not delivered any more holds nobody up; if it comes back,
/// its rows do.
#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_is_not_wanted_any_more_is_given_up_and_may_come_back() {
    if !require("postgres") {
        return;
    }
    let (chain, mut daemon) = with_three_dead_letters();
    daemon.kill();
    chain.configure(|text| {
        let (head, rest) = text.split_once("[target.psa.entity.expense]").unwrap();
        let (_, tail) = rest.split_once("[target.psa.entity.invoice]").unwrap();
        format!("{head}[target.psa.entity.invoice]{tail}")
    });
    let mut daemon = chain.start(&[]);
    chain.erp_sql("UPDATE spesen SET zweck = 'Bahn' WHERE sp_id = 4");
    chain.erp_sql("UPDATE kunde SET name1 = 'Neu' WHERE kd_id = 1");
    chain.settled();
    assert_eq!(
        chain.target_sql("SELECT count(*) FROM customer WHERE name LIKE 'Neu%'").trim(),
        "1"
    );
    let (code, said) = chain.judged();
    assert_eq!(code, Some(0), "{said}");
    daemon.kill();

    chain.target_sql("DELETE FROM refused");
    chain.configure_back();
    let _daemon = chain.start(&[]);
    chain.settled();
    chain.target_equals_canon();
    chain.all_sides_agree().await;
}

/// A target with too many parked events pauses, and goes on once some are settled. Refused
/// baseline rows do not stop it: they could not be tried again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_target_goes_on_by_itself() {
    if !require("postgres") {
        return;
    }
    let limits = "attempts_max = 1000000\nretry_delay_ms = 100\nretry_delay_ms_max = 200\n\
                  parked_events_max = 2";
    let chain = refusing(limits, &["S1", "S2", "S3"]);
    let _daemon = chain.start(&[]);
    chain.ready();
    for expense in ["S4", "S5"] {
        refuse(&chain, expense);
    }
    for number in [4, 5, 6] {
        chain.erp_sql(&format!("UPDATE spesen SET zweck = 'Bahn' WHERE sp_id = {number}"));
    }
    chain.until("the target to pause", |target| target["state"] == "paused");
    let (code, said) = chain.judged();
    assert_eq!(code, Some(1), "{said}");
    mend(&chain, "S4");
    chain.until("the target to go on", |target| {
        target["state"] == "delivering" && target["queue_events"] == 0 && target["parked"] == 4
    });
    let (code, said) = chain.judged();
    assert_eq!(code, Some(0), "{said}");
    chain.target_sql("DELETE FROM refused");
    chain.settled();
    chain.target_equals_canon();
    chain.all_sides_agree().await;
}
