//! A table that was changed behind the log's back is found, copied again while people work, and
//! everything that follows from it arrives in the target.

use rand::Rng;

use super::chain::Chain;
use crate::support::random::seeded;
use crate::support::require::require;

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
    let before = chain.events();
    // WHEN the table is copied again, while people work
    let work = chain.work(rng.random(), 40.0);
    let (code, said) = chain.answer(&["resync", "erp.kunde"]);
    // THEN store and target have it, and the last comparison says so
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains(" mended, 0 removed"), "{said}");
    work.stop().await;
    chain.settled();
    let told = format!(
        "SELECT concat(type, ' ', count(*)) FROM ops.event
         WHERE sequence > {before} AND entity = 'client' AND type NOT LIKE '%deleted'
         AND ((new->>'tax_no') = 'UNHEARD' AND (old->>'tax_no') IS DISTINCT FROM 'UNHEARD'
            OR key = 'K98765') GROUP BY type ORDER BY type"
    );
    assert_eq!(chain.rows(&told), ["trueup.client.created 1", "trueup.client.updated 3"]);
    chain.target_equals_canon();
    chain.all_sides_agree().await;
    let (code, said) = chain.answer(&["reconcile"]);
    assert_eq!(code, Some(0), "{said}");
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
    assert!(daemon.wait(std::time::Duration::from_secs(60)).success());
    assert!(!chain.status_text().contains("resync of"));
}
