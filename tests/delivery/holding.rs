//! A batch that would change too much waits for a person, whatever happens meanwhile.

use super::chain::Chain;
use crate::support::require::require;
use crate::support::wait::wait_until;

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);
const NAME: &str = "concat_ws(', ', k.name1, k.name2) AS name";

fn held(chain: &Chain) -> serde_json::Value {
    let mut found = serde_json::Value::Null;
    wait_until("a batch to be held", PATIENCE, || {
        let status = chain.status();
        found = status["conform"]["held"].clone();
        if found.is_object() { Ok(()) } else { Err(status.to_string()) }
    });
    found
}

fn names(chain: &Chain) -> String {
    chain.target_sql("SELECT string_agg(name, '|' ORDER BY name) FROM customer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_would_change_too_much_waits_for_a_person() {
    if !require("postgres") {
        return;
    }
    let chain = Chain::new("hold_rows_min = 4\nhold_percent = 30");
    let daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    let customers = chain.count("canon.client");
    assert!(customers >= 6, "{customers}");
    let before = names(&chain);
    drop(daemon);

    // WHEN a mapping changes nearly every row THEN nothing of it is written, at any start
    chain.edit_mapping("client", NAME, "upper(k.name1) AS name");
    for _ in 0..2 {
        let mut daemon = chain.start(&[]);
        let held = held(&chain);
        let held = &held["effect"];
        assert_eq!(held["entity"], "client");
        assert_eq!(held["rows"], customers);
        assert!(held["updated"].as_u64() > Some(4) && held["deleted"] == 0, "{held}");
        assert_eq!(held["attributes"]["name"], held["updated"]);
        let (code, said) = chain.judged();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("trueup resume") && said.contains("name in"), "{said}");
        let lower = "SELECT count(*) FROM canon.client WHERE name = upper(name)";
        assert_eq!(chain.rows(lower), ["0"]);
        daemon.kill();
    }
    // WHEN the mapping is mended THEN nothing is held, and others go on
    chain.configure_back();
    let mut daemon = chain.start(&[]);
    chain.erp_sql("UPDATE kunde SET name1 = 'One' WHERE kd_id = 1");
    chain.settled();
    assert_eq!(chain.status()["conform"]["held"], serde_json::Value::Null);
    assert_ne!(names(&chain), before);
    assert_ne!(names(&chain), names(&chain).to_uppercase());
    chain.target_equals_canon();
    daemon.kill();

    // WHEN it is meant, and let go THEN it happens, with what came meanwhile
    chain.edit_mapping("client", NAME, "upper(k.name1) AS name");
    let mut daemon = chain.start(&[]);
    held(&chain);
    chain.erp_sql("UPDATE kunde SET name1 = 'Two' WHERE kd_id = 2");
    let looked = chain.command(&["resume", "--dry-run"]);
    assert!(looked.contains("would let it go") && looked.contains("keys, as"), "{looked}");
    held(&chain);
    assert!(chain.command(&["resume"]).ends_with("let go\n"));
    chain.settled();
    assert_eq!(names(&chain), names(&chain).to_uppercase());
    assert!(names(&chain).contains("TWO"));
    chain.target_equals_canon_without_events();
    chain.ranges_are_whole();
    assert_eq!(chain.command(&["resume"]), "no batch is held\n");

    // WHEN a script on the source does it THEN the same, and a stop waits for nobody
    chain.erp_sql("UPDATE kunde SET name1 = name1 || ' mistake'");
    let all = held(&chain);
    assert_eq!(all["effect"]["entity"], "client");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    assert!(!names(&chain).contains("MISTAKE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mapping_would_change_is_told_and_nothing_happens() {
    if !require("postgres") {
        return;
    }
    let chain = Chain::new("");
    let _daemon = chain.start(&[]);
    chain.ready();
    chain.settled();
    let customers = chain.count("canon.client");
    // WHEN another mapping is only asked about THEN it is told, and nothing happens
    let ask = ["check", "--diff", "--offline"];
    assert!(chain.command(&ask).contains("no canonical row would change"));
    chain.edit_mapping("client", NAME, "upper(k.name1) AS name");
    let told = chain.command(&ask);
    assert!(told.contains(&format!("of {customers} rows of client ")), "{told}");
    assert!(told.contains("changed: name in "), "{told}");
    chain.edit_mapping("client", NAME, "CAST(CAST(k.name1 AS INTEGER) AS VARCHAR) AS name");
    let (code, told) = chain.answer(&ask);
    assert!(code != Some(0) && told.contains("mapping client of erp"), "{told}");
    chain.erp_sql("UPDATE kunde SET name1 = 'Zero' WHERE kd_id = 3");
    chain.settled();
    assert!(names(&chain).contains("Zero"));
    assert_eq!(chain.rows("SELECT count(*) FROM ops.parked"), ["0"]);
    chain.configure_back();
    chain.target_equals_canon();
}
