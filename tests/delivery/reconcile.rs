//! The canonical rows against a target while writers and daemon live: no false alarm, and everything
//! that was tampered with is found, named, told apart and mended.

use std::collections::BTreeMap;

use rand::Rng;

use super::chain::Chain;
use super::metrics::scrape;
use crate::support::random::seeded;
use crate::support::require::require;

/// Comparisons of the target's eleven tables under load.
const COMPARISONS: u32 = 8;

/// One comparison: rows, and rows that differ.
fn compared(chain: &Chain, arguments: &[&str]) -> (u64, u64) {
    let (_, text) = chain.answer(&[&["reconcile", "--json"], arguments].concat());
    let answer: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let sum = |field: &str| {
        let all = answer["compared"].as_array().unwrap().iter();
        all.map(|one| one[field].as_u64().unwrap()).sum()
    };
    (sum("rows"), sum("differing"))
}

fn drift(chain: &Chain) -> BTreeMap<String, String> {
    let rows = chain.rows("SELECT entity || ' ' || key || '=' || class FROM ops.drift");
    rows.iter().filter_map(|row| row.split_once('=')).map(|(k, c)| (k.into(), c.into())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_nothing_that_is_on_its_way_is_called_drift() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    let chain = Chain::new("compare_every_secs = 0\nhold_percent = 100");
    let mut daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    // GIVEN writers that change many rows at once, and a daemon that is killed in between
    let work = chain.work(rng.random(), 30.0);
    let (mut rows, mut busy) = (0, 0);
    for round in 0..COMPARISONS {
        chain.erp_sql("UPDATE zeit_pos SET minuten = minuten + 1 WHERE random() < 0.05");
        let before = chain.rows("SELECT max(sequence) FROM ops.event");
        let (compared, differing) = compared(&chain, &[]);
        let after = chain.rows("SELECT max(sequence) FROM ops.event");
        assert_eq!(
            differing,
            0,
            "{:?}",
            chain.rows("SELECT to_json(d)::VARCHAR FROM ops.drift AS d")
        );
        rows += compared;
        busy += u32::from(before != after);
        if round == COMPARISONS / 2 {
            daemon.kill();
            daemon = chain.start(&[]);
            chain.ready();
        }
    }
    // THEN rows changed while they were compared
    assert!(rows > 1_000 * u64::from(COMPARISONS), "{rows}");
    assert!(busy > COMPARISONS / 2, "{busy}");
    work.stop().await;
    chain.settled();
    assert_eq!(compared(&chain, &[]).1, 0);
    chain.target_equals_canon();
}

/// What is done to the target by hand, and what it must be called.
const TAMPERING: [(&str, &str); 9] = [
    ("UPDATE resource SET title = 'King' WHERE employee_code = 'M01001'", "worker M01001=diverged"),
    ("DELETE FROM bill_line WHERE (document_no, line_no) = (SELECT document_no, line_no
      FROM bill_line ORDER BY 1, 2 LIMIT 1)", "invoice_line =missing"),
    ("INSERT INTO customer (customer_no, name, currency, state) VALUES ('K99999', 'Ghost', 'EUR',
      'active')", "client K99999=extra"),
    // swapped rows
    ("UPDATE agreement AS a SET title = b.title FROM agreement AS b WHERE (a.agreement_no,
      b.agreement_no) IN (SELECT min(agreement_no), max(agreement_no) FROM agreement UNION
      SELECT max(agreement_no), min(agreement_no) FROM agreement)", "contract =diverged"),
    // hours 8 to 9 in pairs, which CRC and XOR do not see
    ("UPDATE time_record SET minutes = minutes + 60 WHERE external_no IN (SELECT external_no
      FROM time_record ORDER BY 1 LIMIT 4)", "time_entry =diverged"),
    // all times by an hour
    ("UPDATE expense_item SET approved_at = approved_at - interval '1 hour'", "expense =diverged"),
    ("UPDATE org SET active = NOT active WHERE code = (SELECT min(code) FROM org)",
     "org_unit =diverged"),
    ("UPDATE engagement SET budget = budget + 0.01 WHERE code = (SELECT min(code) FROM engagement
      WHERE budget IS NOT NULL)", "project =diverged"),
    ("UPDATE rate SET valid_to = NULL WHERE (resource, valid_from) = (SELECT resource, valid_from
      FROM rate WHERE valid_to IS NOT NULL ORDER BY 1, 2 LIMIT 1)", "cost_rate =diverged"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tampered_with_is_found_named_and_mended() {
    if !require("postgres") {
        return;
    }
    let chain = Chain::new("compare_every_secs = 0\nrepair_rows_max = 300\ndrift_rows_max = 300");
    let _daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    assert_eq!(compared(&chain, &[]).1, 0);
    let whole = "SELECT concat_ws(' ', count(*), sum(len(left_out))) FROM ops.comparison
        WHERE pair = 'target:psa'";
    assert_eq!(chain.rows(whole), ["11 0"], "every column of every table is compared");
    // GIVEN a row that is put back to what it was before an event
    chain.erp_sql("UPDATE kunde SET name1 = 'Newer' WHERE kd_id = (SELECT min(kd_id) FROM kunde)");
    chain.settled();
    let old = chain.rows(
        "SELECT concat_ws('|', key, old->>'name') FROM ops.event
        WHERE entity = 'client' AND type LIKE '%updated' ORDER BY sequence DESC LIMIT 1",
    );
    let (stale, name) = old[0].split_once('|').unwrap();
    let name = name.replace('\'', "''");
    chain.target_sql(&format!("UPDATE customer SET name = '{name}' WHERE customer_no = '{stale}'"));
    for (sql, _) in TAMPERING {
        chain.target_sql(sql);
    }
    // WHEN it is compared THEN everything is found, and told apart
    let (code, said) = chain.answer(&["reconcile"]);
    assert_eq!(code, Some(1), "{said}");
    let found = drift(&chain);
    for (sql, expected) in TAMPERING {
        let (place, class) = expected.split_once('=').unwrap();
        let mut of = found.iter().filter(|(key, _)| key.starts_with(place));
        assert!(of.clone().count() > 0 && of.all(|(_, c)| c == class), "{sql}: {found:#?}");
    }
    assert_eq!(found.get(&format!("client {stale}")).map(String::as_str), Some("stale"));
    let times = chain.target_sql("SELECT count(*) FROM expense_item WHERE approved_at IS NOT NULL");
    let count = |entity: &str| found.keys().filter(|key| key.starts_with(entity)).count();
    assert_eq!(count("expense ").to_string(), times.trim());
    assert_eq!((count("time_entry "), count("contract "), count("client ")), (4, 2, 2));
    let row = "SELECT concat_ws('|', columns, found->>'title', expected->>'title' <> 'King',
        source_rows IS NOT NULL, first_seen <= last_seen) FROM ops.drift WHERE key = 'M01001'";
    assert_eq!(chain.rows(row), ["[title]|King|true|true|true"]);
    let series = scrape(&chain).await;
    let labels = "{class=\"extra\",entity=\"client\",pair=\"target:psa\"}";
    assert!(series[&format!("trueup_drift_rows{labels}")] == 1.0);
    assert!(chain.status_text().contains("rows of client differ (target:psa)"));
    // WHEN it is repaired THEN all agree
    let (code, said) = chain.answer(&["reconcile", "--repair", "--dry-run"]);
    assert!(code == Some(1) && said.contains("would write"), "{said}");
    assert_eq!(drift(&chain).len(), found.len());
    let (code, said) = chain.answer(&["reconcile", "--repair"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(drift(&chain).is_empty());
    chain.target_equals_canon();
    assert_eq!(
        chain.target_sql("SELECT count(*) FROM customer WHERE customer_no = 'K99999'").trim(),
        "0"
    );
    // WHEN more differ than a repair may write THEN it is refused
    chain.target_sql("UPDATE time_record SET note = 'x'");
    assert_eq!(chain.answer(&["reconcile", "--repair"]).0, Some(1));
    let left =
        "SELECT count(*) = (SELECT count(*) FROM time_record) FROM time_record WHERE note = 'x'";
    assert_eq!(chain.target_sql(left).trim(), "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_goes_away_during_a_comparison_disturbs_nothing_else() {
    if !require("postgres") {
        return;
    }
    let chain = Chain::new("compare_every_secs = 0");
    let _daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    // GIVEN a comparison that is held up, and whose connection dies
    let lock = chain.lock_target_in("bill", "ACCESS EXCLUSIVE").await;
    let (code, said) = std::thread::scope(|scope| {
        let compared = scope.spawn(|| chain.answer(&["reconcile", "--pair", "target:psa"]));
        let killed = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%md5%'";
        crate::support::wait::wait_until("it to wait", std::time::Duration::from_secs(60), || {
            match chain.target_sql(killed).trim() {
                "0" => Err("not yet".to_owned()),
                _ => Ok(()),
            }
        });
        compared.join().unwrap()
    });
    drop(lock);
    assert!(code != Some(0) && code != Some(1), "{code:?} {said}");
    // THEN that is said, work goes on, and the next comparison says that all agree
    let series = scrape(&chain).await;
    assert!(series["trueup_compares_total{pair=\"target:psa\",result=\"failed\"}"] == 1.0);
    assert!(chain.status_text().contains("target:psa could not be compared"));
    chain.erp_sql("UPDATE kunde SET name1 = 'Later' WHERE kd_id = (SELECT min(kd_id) FROM kunde)");
    chain.settled();
    assert_eq!(compared(&chain, &[]).1, 0);
    assert!(!chain.status_text().contains("could not be compared"));
    let (code, said) = chain.answer(&["reconcile", "--pair", "target:nobody"]);
    assert!(code != Some(0), "{said}");
    chain.target_equals_canon();
}
