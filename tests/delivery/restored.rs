//! State folders that were restored from a backup or cloned: the target knows more than they do,
//! and nothing is written to it before a person looked.

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
