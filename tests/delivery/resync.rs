//! A table that was changed behind the log's back is found, copied again while people work, and
//! everything that follows from it arrives in the target.

use std::time::Duration;

use rand::Rng;

use super::chain::Chain;
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);

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
    let publication = chain.erp_sql("SELECT pubname FROM pg_publication");
    let publication = publication.trim();
    // GIVEN changes that were made while the publication lacked the table
    chain.erp_sql(&format!(
        "ALTER PUBLICATION {publication} DROP TABLE kunde;
        UPDATE kunde SET ust_id = 'UNHEARD' WHERE kd_nr IN
            (SELECT kd_nr FROM kunde WHERE NOT geloescht AND kd_id_neu IS NULL ORDER BY 1 LIMIT 3);
        INSERT INTO kunde (kd_nr, name1, land, waehr) VALUES ('K98765', 'Never said', 'DE', 'EUR');
        ALTER PUBLICATION {publication} ADD TABLE kunde"
    ));
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
