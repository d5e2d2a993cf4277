//! State folders and targets that were restored from a backup or cloned: one knows more than the
//! other, and nothing is written before a person looked.

use super::chain::Chain;
use crate::support::require::require;
use crate::support::wait::wait_until;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);

/// What the target has: its cursor, and how often its tables were written.
fn target(chain: &Chain) -> String {
    chain.target_sql(
        "SELECT (SELECT seq FROM _trueup.cursor), count(*) FROM audit WHERE relation <> 'cursor'",
    )
}

fn change(chain: &Chain, name: &str) {
    chain.erp_sql(&format!("UPDATE kunde SET name1 = '{name}' WHERE kd_id IN (1, 2, 3)"));
}

/// In either copy the target is ahead. In the first its epoch tells, in the second, which was made
/// under the same epoch, only the cursor does.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_ledger_is_a_gap_at_every_start_and_writes_nothing() {
    if !require("postgres") {
        return;
    }
    for was_running in [false, true] {
        let chain = Chain::new("");
        let mut daemon = chain.start(&[]);
        chain.ready();
        change(&chain, "one");
        chain.settled();
        let backup = if was_running {
            daemon.halt(true);
            let backup = chain.back_up();
            daemon.halt(false);
            backup
        } else {
            daemon.kill();
            let backup = chain.back_up();
            daemon = chain.start(&[]);
            backup
        };
        change(&chain, "two");
        chain.settled();
        daemon.kill();
        let before = target(&chain);

        chain.restore(backup.path());
        // Twice it dies before anybody learns of it.
        for again in 0..2 {
            change(&chain, &format!("unseen {again}"));
            let mut daemon = chain.start(&[("TRUEUP_FAILPOINT", "before-gap-remembered")]);
            assert!(!daemon.wait(PATIENCE).success());
        }
        // At later starts its epoch and its events have counted on.
        for start in 0..3 {
            change(&chain, &format!("later {start}"));
            let mut daemon = chain.start(&[]);
            chain.until("the gap", |target| target["state"] == "gap");
            let (code, said) = chain.judged();
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains("empty state_dir") || said.contains("reconcile"), "{said}");
            daemon.kill();
        }
        assert_eq!(target(&chain), before);
    }
}

/// A clone takes the target over, and the other one is fenced out at its next delivery.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_clones_the_older_epoch_is_fenced_out() {
    if !require("postgres") {
        return;
    }
    let chain = Chain::new("");
    let daemon = chain.start(&[]);
    chain.ready();
    change(&chain, "one");
    chain.settled();
    daemon.halt(true);
    let clone = chain.clone_installation();
    daemon.halt(false);
    let _clone = clone.start(&["run"], &[]);
    wait_until("the clone to take the target", PATIENCE, || {
        let output = clone.output(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let state = status["targets"][0]["state"].clone();
        if state == "delivering" { Ok(()) } else { Err(status.to_string()) }
    });
    let before = target(&chain);
    change(&chain, "two");
    chain.until("the older one to be fenced out", |target| target["state"] == "gap");
    assert_eq!(target(&chain), before);
    let (code, said) = chain.judged();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("another process took target `psa` over"), "{said}");
}

/// A target from a backup gets the events it lost again, as long as the queue has them; once it
/// does not, that is a gap and never a silent hole.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_target_gets_what_it_lost_or_is_a_gap() {
    if !require("postgres") {
        return;
    }
    let chain = Chain::new("");
    let mut daemon = chain.start(&[]);
    chain.ready();
    for name in ["one", "two", "three"] {
        change(&chain, name);
        chain.settled();
    }
    daemon.kill();
    // GIVEN a target as it was after its first event
    let restore = "UPDATE _trueup.cursor SET seq = 1;
                   UPDATE customer SET name = 'as it was' WHERE name LIKE 'three%'";
    chain.target_sql(restore);
    // WHEN the queue has the events THEN they are applied again
    let mut daemon = chain.start(&[]);
    chain.settled();
    let old = "SELECT count(*) FROM customer WHERE name = 'as it was'";
    assert_eq!(chain.target_sql(old).trim(), "0");
    daemon.kill();
    // WHEN it has not THEN the target is a gap, and is not written to
    chain.target_sql(restore);
    chain.forget_queued_events();
    let _daemon = chain.start(&[]);
    chain.until("the gap", |target| target["state"] == "gap");
    let (code, said) = chain.judged();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the queue begins with"), "{said}");
    assert_ne!(chain.target_sql(old).trim(), "0");
}
