//! A table that was changed behind the log's back is found, copied again while people work, and
//! everything that follows from it arrives in the target.

use std::time::Duration;

use rand::Rng;

use super::chain::Chain;
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_never_said_is_found_and_brought_to_store_and_target() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    let chain = Chain::new("compare_every_secs = 0\nhold_percent = 100");
    let mut daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    // GIVEN changes that were made while the publication lacked the table
    unheard(
        &chain,
        "UPDATE kunde SET ust_id = 'UNHEARD' WHERE kd_nr IN
            (SELECT kd_nr FROM kunde WHERE NOT geloescht AND kd_id_neu IS NULL ORDER BY 1 LIMIT 3);
        INSERT INTO kunde (kd_nr, name1, land, waehr) VALUES ('K98765', 'Never said', 'DE', 'EUR')",
    );
    let (code, said) = chain.answer(&["reconcile", "--pair", "source:erp"]);
    assert_eq!(code, Some(1), "{said}");
    let status = chain.status_text();
    assert!(status.contains("4 rows of public.kunde differ (source:erp)"), "{status}");
    assert!(status.contains("`trueup resync erp.public.kunde` mends the mirror"), "{status}");
    a_waiting_resync_is_stopped(&chain).await;
    let before = chain.events();
    // WHEN the table is copied again, while people work
    let work = chain.work(rng.random(), 40.0);
    let (code, said) = chain.answer(&["resync", "erp.kunde"]);
    // THEN store and target have it, and the last comparison says so
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" mended, 0 removed"), "{said}");
    work.stop().await;
    chain.settled();
    // (A client that is merged meanwhile may hand its number on.)
    let told = format!(
        "SELECT count(DISTINCT key) >= 3 AND bool_or(key = 'K98765') FROM ops.event
         WHERE sequence > {before} AND entity = 'client' AND type NOT LIKE '%deleted'
         AND ((new->>'tax_no') = 'UNHEARD' AND (old->>'tax_no') IS DISTINCT FROM 'UNHEARD'
            OR key = 'K98765')"
    );
    assert_eq!(chain.rows(&told), ["true"]);
    chain.target_equals_canon();
    chain.all_sides_agree().await;
    let (code, said) = chain.answer(&["reconcile"]);
    assert_eq!(code, Some(0), "{said}");
    // and one that is stopped leaves everything as it is
    let refused = chain.refused(&["resync", "erp.kunde", "--stop"]);
    assert!(refused.contains("public.kunde of erp is not copied again"), "{refused}");
    // and what cannot be done is said
    for (table, why) in [
        ("erp.nothing", "source erp mirrors no table nothing"),
        ("crm.kunde", "there is no source crm"),
        ("kunde", "does not name a table of a source"),
    ] {
        let refused = chain.refused(&["resync", table]);
        assert!(refused.contains(why) && refused.contains("hint:"), "{refused}");
    }
    // and a stopped daemon says nothing of a resync that is over
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    assert!(!chain.status_text().contains("resync of"));
}

/// A resync that waits for a transaction says so, and can be stopped.
async fn a_waiting_resync_is_stopped(chain: &Chain) {
    let open = chain.open_in_erp().await;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| chain.answer(&["resync", "erp.public.kunde"]));
        wait_until("the resync to wait", PATIENCE, || {
            let status = chain.status_text();
            let line = "resync of erp.public.kunde: 0 rows read, 0 mended, waiting for ";
            if status.contains(line) { Ok(()) } else { Err(status) }
        });
        let said = chain.command(&["resync", "erp.kunde", "--stop"]);
        assert_eq!(said, "the resync of erp.public.kunde is stopped\n");
        let (code, said) = waiting.join().unwrap();
        assert!(code == Some(1) && said.contains(": 0 rows read, 0 mended, 0 removed"), "{said}");
    });
    drop(open);
}

/// Changes clients, and no log tells.
fn unheard(chain: &Chain, sql: &str) {
    let publication = chain.erp_sql("SELECT pubname FROM pg_publication");
    let publication = publication.trim();
    chain.erp_sql(&format!(
        "ALTER PUBLICATION {publication} DROP TABLE kunde; {sql};
        ALTER PUBLICATION {publication} ADD TABLE kunde"
    ));
}

/// Where the daemon dies in a resync of one chunk: three batches, and two steps of capture.
const DEATHS: [&str; 6] = [
    "after-outbox-commit",
    "after-outbox-commit:2",
    "after-outbox-commit:3",
    "before-outbox-commit:2",
    "after-chunk",
    "after-chunk-commit:2",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_resync_that_dies_at_any_step_mends_everything_once() {
    if !require("postgres") {
        return;
    }
    let chain = Chain::new("compare_every_secs = 0\nhold_percent = 100");
    let mut daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    for (number, death) in DEATHS.iter().enumerate() {
        // GIVEN rows that were changed, came and went unheard
        unheard(
            &chain,
            &format!(
                "UPDATE kunde SET ust_id = 'U{number}' WHERE kd_nr IN
                    (SELECT kd_nr FROM kunde WHERE NOT geloescht ORDER BY 1 LIMIT 3);
                INSERT INTO kunde (kd_nr, name1, waehr) VALUES ('K9000{number}', 'Came', 'EUR');
                DELETE FROM kunde WHERE kd_nr = 'K9000{}'",
                number.wrapping_sub(1)
            ),
        );
        let before = chain.events();
        daemon.terminate();
        assert!(daemon.wait(PATIENCE).success());
        // WHEN the daemon dies in the midst of mending them
        let mut armed = chain.start(&[("TRUEUP_FAILPOINT", *death)]);
        chain.opens();
        chain.refused(&["resync", "erp.kunde"]);
        assert!(!armed.wait(PATIENCE).success(), "{death}");
        daemon = chain.start(&[]);
        chain.opens();
        let (code, said) = chain.answer(&["resync", "erp.kunde"]);
        assert_eq!(code, Some(0), "{death}: {said}");
        chain.settled();
        // THEN each has happened once, and all sides agree
        let told = format!(
            "SELECT concat(split_part(type, '.', 3), ' ', count(*)) FROM ops.event
             WHERE sequence > {before} AND entity = 'client' GROUP BY type ORDER BY type"
        );
        let told = chain.rows(&told);
        let gone: &[&str] = if number == 0 { &[] } else { &["deleted 1"] };
        assert_eq!(told, [&["created 1"], gone, &["updated 3"]].concat(), "{death}");
        chain.target_equals_canon();
    }
    chain.all_sides_agree().await;
    let (code, said) = chain.answer(&["reconcile"]);
    assert_eq!(code, Some(0), "{said}");
}
