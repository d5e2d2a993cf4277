//! A transaction that is larger than a batch: the whole way, with the daemon killed in its midst.

use std::time::{Duration, Instant};

use rand::Rng;

use super::chain::Chain;
use crate::support::process::Running;
use crate::support::random::seeded;
use crate::support::require::require;

/// It hires, renames, and lets go; every worker more than once. Some sixty slices.
const LARGE: &str = "BEGIN;
    INSERT INTO pers (persnr, nachname, vorname, eintritt)
        SELECT 'M9' || lpad(g::text, 5, '0'), 'Neu ' || g, 'Ä', '2026-01-01'
        FROM generate_series(1, 2500) AS g;
    UPDATE pers SET nachname = 'Zweit ' || pers_id WHERE persnr LIKE 'M9%';
    SAVEPOINT s;
    DELETE FROM pers WHERE persnr LIKE 'M9%';
    ROLLBACK TO s;
    DELETE FROM pers WHERE persnr LIKE 'M9%' AND pers_id % 5 = 0;
    UPDATE kunde SET name1 = name1 || '!';
    UPDATE pers SET email = pers_id || '@example.org' WHERE persnr LIKE 'M9%' AND pers_id % 3 = 0;
    COMMIT;";

fn is_in_the_midst(chain: &Chain) -> bool {
    chain.status()["conform"]["open_transaction"]["source"] == "erp"
}

/// Waits until the daemon is in the midst of the transaction; false if it is over before.
fn met(chain: &Chain) -> bool {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        if is_in_the_midst(chain) {
            return true;
        }
        let status = chain.status();
        if status["conform"]["journal_behind_entries"] == 0 && began.elapsed().as_secs() > 5 {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_larger_than_a_batch_survives_kills_and_crashes_in_its_midst() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    let chain = Chain::new("chunk_bytes = 8192\nbatch_bytes = 16384\nhold_percent = 100");
    let mut daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    let workers = chain.count("canon.worker");
    chain.erp_sql(LARGE);
    // WHEN it is killed in the midst, and crashes at the borders of slices
    let mut kills = 0;
    for _ in 0..6 {
        if met(&chain) {
            let text = chain.status_text();
            assert!(
                !is_in_the_midst(&chain) || text.contains("conformed in slices since"),
                "{text}"
            );
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..300))).await;
            kills += 1;
        }
        daemon.kill();
        daemon = chain.start(&[]);
    }
    daemon.kill();
    assert!(kills >= 3, "it was never met in the midst: {kills}");
    for point in ["after-outbox-commit", "before-store-commit", "after-store-commit"] {
        let armed = format!("{point}:{}", rng.random_range(1..=3));
        let mut armed: Running = chain.start(&[("TRUEUP_FAILPOINT", armed.as_str())]);
        assert!(!armed.wait(Duration::from_secs(60)).success(), "{point} must have crashed");
    }
    let _daemon = chain.start(&[]);
    // THEN it is there once, on all sides, and nothing says any more that it is on its way
    chain.settled();
    assert!(!is_in_the_midst(&chain));
    assert_eq!(chain.count("ops.open_transaction"), 0);
    assert_eq!(chain.count("canon.worker"), workers + 2_000);
    chain.target_equals_canon();
    chain.all_sides_agree().await;
    chain.ranges_are_whole();
}
