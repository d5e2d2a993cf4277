//! Columns that mappings read are renamed and retyped: only their entities wait, and no event tells a value
//! that never was.

use std::time::Duration;

use rand::Rng;

use super::chain::Chain;
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_whose_column_is_gone_waits_alone_and_catches_up() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    let chain = Chain::new("compare_every_secs = 0\nhold_percent = 100");
    let daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    // WHEN a column that one mapping reads gets another name, and somebody writes
    chain.erp_sql("ALTER TABLE kunde RENAME COLUMN ust_id TO steuer_nr");
    chain.erp_sql(
        "UPDATE kunde SET steuer_nr = 'LATE' WHERE kd_nr = (SELECT min(kd_nr) FROM kunde)",
    );
    // THEN that mapping waits, and says for which column
    wait_until("the mapping to be parked", PATIENCE, || {
        let status = chain.status_text();
        let says = status.contains("mapping client of erp is parked") && status.contains("ust_id");
        if says { Ok(()) } else { Err(status) }
    });
    let before = chain.rows("SELECT coalesce(max(sequence), 0) FROM ops.event");
    chain.erp_sql(
        "UPDATE pers SET vorname = 'Anders' WHERE persnr = (SELECT min(persnr) FROM pers)",
    );
    wait_until("another entity to go on", PATIENCE, || {
        let sql = format!(
            "SELECT count(*) FROM ops.event WHERE entity = 'worker' AND sequence > {}",
            before[0]
        );
        let events = chain.rows(&sql);
        if events[0] == "0" { Err("no event".to_owned()) } else { Ok(()) }
    });
    // WHEN it is mended THEN the entity catches up, without a value that never was
    chain.erp_sql("ALTER TABLE kunde RENAME COLUMN steuer_nr TO ust_id");
    chain.erp_sql("UPDATE kunde SET name2 = 'x' WHERE kd_nr = (SELECT min(kd_nr) FROM kunde)");
    wait_until("the mapping to take part", PATIENCE, || {
        let status = chain.status_text();
        if status.contains("is parked") { Err(status) } else { Ok(()) }
    });
    let late = "SELECT count(*) FROM canon.client WHERE tax_no = 'LATE'";
    wait_until("what was missed", PATIENCE, || match chain.rows(late)[0].as_str() {
        "1" => Ok(()),
        other => Err(other.to_owned()),
    });
    let never = format!(
        "SELECT count(*) FROM ops.event WHERE entity = 'client' AND sequence > {}
         AND (old->>'tax_no') IS NOT NULL AND (new->>'tax_no') IS NULL",
        before[0]
    );
    assert_eq!(chain.rows(&never), ["0"]);
    let work = chain.work(rng.random(), 40.0);
    tokio::time::sleep(Duration::from_secs(3)).await;
    work.stop().await;
    chain.settled();
    chain.target_equals_canon();
    chain.all_sides_agree().await;
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_tells_a_value_that_a_changed_type_is_only_guessed_to_have() {
    if !require("postgres") {
        return;
    }
    let chain = Chain::new("compare_every_secs = 0\nhold_percent = 100");
    let mut daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    let before = chain.rows("SELECT coalesce(max(sequence), 0) FROM ops.event");
    let client = chain.rows("SELECT client_no FROM canon.client ORDER BY 1 LIMIT 1").remove(0);
    // GIVEN somebody who writes for long: a copy that must see everything waits for him
    let open = chain.open_in_erp().await;
    // WHEN values become others by an ALTER TABLE that no log tells, and one row is written
    chain.erp_sql("ALTER TABLE zahlbed ALTER COLUMN tage TYPE varchar(9) USING tage || ' Tage'");
    chain.erp_sql("ALTER TABLE zahlbed ALTER COLUMN tage TYPE bigint USING length(tage) + 1000");
    chain.erp_sql(
        "UPDATE zahlbed SET tage = tage + 1 WHERE zb_cd = (SELECT min(zb_cd) FROM zahlbed)",
    );
    // and mappings are changed that read it, THEN neither set tells what is only guessed
    chain.edit_mapping(
        "client",
        "z.tage AS payment_terms_days",
        "z.tage + 1 AS payment_terms_days",
    );
    wait_until("the table to be unproven", PATIENCE, || {
        match chain.rows("SELECT count(*) FROM ops.unproven")[0].as_str() {
            "1" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    daemon.kill();
    daemon = chain.start(&[]);
    chain.ready();
    chain.erp_sql(&format!("UPDATE kunde SET name2 = 'waits' WHERE kd_nr = '{client}'"));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = format!(
        "SELECT count(*) FROM ops.event WHERE entity = 'client' AND sequence > {}",
        before[0]
    );
    assert_eq!(chain.rows(&told), ["0"]);
    // THEN, once a copy has shown them, there is one event a client, with the value that is
    drop(open);
    wait_until("the values to be told", PATIENCE, || {
        let days = "SELECT count(*) FROM canon.client WHERE payment_terms_days < 1000";
        match chain.rows(days)[0].as_str() {
            "0" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    chain.settled();
    let never = format!(
        "{told} AND coalesce(CAST((new->>'payment_terms_days') AS INTEGER), 0) < 1000
         AND (old->>'payment_terms_days') IS NOT NULL"
    );
    assert_eq!(chain.rows(&never), ["0"]);
    let clients =
        chain.rows("SELECT count(*) FROM canon.client WHERE payment_terms_days IS NOT NULL");
    let told = told.replace("count(*)", "count(DISTINCT key)");
    assert_eq!(chain.rows(&told), clients);
    chain.target_equals_canon();
    drop(daemon);
}
