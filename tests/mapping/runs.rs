//! The fuzz over all packs, planted mistakes it must find, parking, and larger tables.

use trueup::store::mapping_test::{Options, run};

use super::bench::{erp, open};
use super::packs::{BADGE, COST_RATE, MAPPINGS, MEMBER, TABLES, TOTAL, pack, write};

const NONE: [&str; 0] = [];

#[test]
fn the_fuzz_finds_incremental_equal_to_full() {
    let folder = pack(&MAPPINGS);
    for seed in 1..=2 {
        let report = run(Some(folder.path()), "own", Options { batches: 60, seed }).unwrap();
        assert!(report.is_fine(), "{report:#?}");
        assert_eq!((report.batches, report.rows["worker"]), (60, 4));
        assert!(report.differences > 100, "the fuzz changes too little: {}", report.differences);
    }
}

#[test]
fn the_fuzz_finds_planted_mistakes() {
    let planted = [
        ("badge", BADGE, "SELECT employee FROM delta", "SELECT id FROM delta"),
        ("cost_rate", COST_RATE, "affects e: SELECT id FROM", "affects e: SELECT party FROM"),
        (
            "member",
            MEMBER,
            "FROM delta JOIN membership AS peer ON peer.project_id = delta.project_id",
            "FROM delta AS peer",
        ),
    ];
    for (entity, mapping, right, wrong) in planted {
        let broken = mapping.replace(right, wrong);
        assert_ne!(broken, mapping);
        let folder = pack(&[(entity, &broken)]);
        let options = Options { batches: 100, seed: 7 };
        let report = run(Some(folder.path()), "own", options).unwrap();
        let failure = report.failure.clone().unwrap_or_else(|| panic!("{entity}: not found"));
        assert_eq!((failure.seed, failure.batch), (7, report.batches));
        assert!(failure.table.contains(entity) && !failure.keys.is_empty(), "{failure:?}");
        assert!(failure.changes.len() > 1, "{failure:?}");
        // The same seed finds the same.
        assert_eq!(run(Some(folder.path()), "own", options).unwrap(), report);
    }
}

#[test]
fn rows_that_are_not_expected_are_shown() {
    let folder = pack(&[("badge", BADGE)]);
    write(
        folder.path(),
        "mappings/own/fixture/badge.json",
        r#"[{"badge_no": "B1", "holder": "Anna"}, {"badge_no": "B2", "holder": "Bob"},
        {"badge_no": "B4", "holder": "Dee"}]"#,
    );
    let report = run(Some(folder.path()), "own", Options { batches: 0, seed: 1 }).unwrap();
    assert_eq!(report.unexpected.len(), 2, "{:?}", report.unexpected);
    assert!(report.unexpected[0].starts_with("badge B1: not expected"));
    assert!(report.unexpected[1].contains("Anna"));
    // A mapping that does not fit its tables says so.
    let folder = pack(&[("badge", &BADGE.replace("p.name AS holder", "p.nam AS holder"))]);
    let error = run(Some(folder.path()), "own", Options { batches: 0, seed: 1 }).unwrap_err();
    assert!(error.chain().contains("nam"), "{}", error.chain());
}

#[test]
fn a_mapping_that_fails_parks_its_entity_only_and_comes_back() {
    let folder = pack(&[("cost_rate", COST_RATE), ("badge", BADGE)]);
    let mut bench = erp(folder.path());
    let change = [
        "UPDATE erp_next.cost SET amount = 'secret' WHERE id = 1",
        "INSERT INTO erp_next.blocked VALUES (5, 1)",
    ];
    let error = bench.try_batch(&change).unwrap_err();
    assert!(error.chain().contains("erp__cost_rate"), "{}", error.chain());
    let parked = bench.evaluator.take_failure().unwrap();
    assert_eq!((parked.source.as_str(), parked.entity.as_str()), ("erp", "cost_rate"));
    assert!(!format!("{} {}", parked.cause, error.chain()).contains("secret"), "{}", parked.cause);
    bench.evaluator.recall(&bench.connection).unwrap();
    bench.evaluator.park(&bench.connection, parked.clone(), 2).unwrap();
    // The same batch again, without it.
    assert_eq!(bench.batch(&[]), ["-badge B1"]);
    assert_eq!(bench.evaluator.parked(), std::slice::from_ref(&parked));
    assert_eq!(bench.batch(&["UPDATE erp_next.cost SET amount = '51' WHERE id = 1"]), NONE);
    // It survives a restart, and a later batch lets it back; the one in which it failed does not.
    bench.reopen(folder.path(), &[("erp", "own", TABLES)], &[]);
    assert_eq!(bench.evaluator.parked(), [parked]);
    let sources = ["erp".to_owned()];
    bench.evaluator.let_back(&bench.connection, &sources, 2).unwrap();
    assert_eq!(bench.evaluator.waiting(), []);
    bench.evaluator.let_back(&bench.connection, &sources, 3).unwrap();
    assert_eq!(bench.evaluator.waiting(), [("erp", "cost_rate")]);
    let found = super::bench::lines(&bench.all("erp").differences);
    assert_eq!(found, ["~cost_rate A|2026-01-01 amount=51.00"]);
    assert_eq!(bench.rows("FROM ops.parked"), NONE);
}

#[test]
fn a_failure_of_the_store_parks_nothing() {
    let folder = pack(&[("cost_rate", COST_RATE)]);
    let mut bench = erp(folder.path());
    // A disk that fails: the mirror reads a file that is not there any more.
    let file = folder.path().join("cost.csv");
    bench.execute(&format!(
        "COPY erp.cost TO '{0}'; DROP TABLE erp.cost;
         CREATE VIEW erp.cost AS SELECT id, employee, day, amount::VARCHAR AS amount
             FROM read_csv('{0}')",
        file.display()
    ));
    std::fs::remove_file(&file).unwrap();
    let (moment, sources) = (bench.moment(), ["erp".to_owned()]);
    let evaluated = bench.evaluator.evaluate_all(&bench.connection, &sources, moment);
    let error = evaluated.unwrap_err().chain();
    assert!(error.contains("IO Error"), "{error}");
    assert_eq!(bench.evaluator.take_failure(), None, "a disk is no mapping's fault");
    // At a start, too.
    let error = bench.evaluator.create_tables(&bench.connection).unwrap_err().chain();
    assert!(error.contains("IO Error"), "{error}");
    assert_eq!(bench.rows("FROM ops.parked"), NONE);
}

#[test]
fn a_mapping_waits_for_its_tables() {
    let folder = pack(&[("total", TOTAL), ("badge", BADGE)]);
    let mut bench = open(folder.path(), &[("erp", "own", TABLES)], &[]);
    bench.execute("ALTER TABLE erp.item RENAME TO elsewhere");
    bench.reopen(folder.path(), &[("erp", "own", TABLES)], &[]);
    let tables: Vec<String> = bench.evaluator.tables("erp").into_iter().collect();
    assert_eq!(tables, ["blocked", "employee", "item", "party"]);
    let parked = bench.evaluator.parked();
    assert!(parked.len() == 1 && parked[0].entity == "total", "{parked:?}");
    assert_eq!(bench.all("erp").differences.len(), 3, "badges go on");
    bench.execute("ALTER TABLE erp.elsewhere RENAME TO item");
    bench.evaluator.create_tables(&bench.connection).unwrap();
    assert_eq!(bench.evaluator.waiting(), [("erp", "total")]);
    assert_eq!(bench.evaluator.parked(), []);
    // Until then it takes no part: half of its rows would be all that anybody saw.
    assert_eq!(bench.batch(&["UPDATE erp_next.item SET hours = 9 WHERE id = 1"]), NONE);
    assert_eq!(bench.all("erp").differences.len(), 3);
}

#[test]
fn a_new_shape_of_an_entity_or_mapping_adapts_its_tables() {
    let folder = pack(&[("badge", BADGE)]);
    let mut bench = erp(folder.path());
    let path = folder.path().join("canonical/badge.sql");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("holder VARCHAR", "floor INTEGER, -- Where.\n holder VARCHAR");
    std::fs::write(&path, text).unwrap();
    let wider = BADGE.replace("p.name AS holder", "p.name AS holder, '7' AS floor");
    write(folder.path(), "mappings/own/badge.sql", &wider);
    bench.reopen(folder.path(), &[("erp", "own", TABLES)], &[]);
    assert_eq!(bench.evaluator.waiting(), [("erp", "badge")]);
    let found = super::bench::lines(&bench.all("erp").differences);
    assert_eq!(found, ["~badge B1 floor=7", "~badge B2 floor=7", "~badge B4 floor=7"]);
    assert_eq!(
        bench.rows("SELECT DISTINCT floor FROM history.badge WHERE _valid_to IS NULL"),
        ["7"]
    );
}

#[test]
fn large_tables_stay_equal_under_random_batches() {
    let folder = pack(&MAPPINGS);
    let tables = TABLES.split("INSERT INTO").next().unwrap();
    let rows = "INSERT INTO party SELECT i, 'W' || i, 'Name ' || i FROM range(10_000) t(i);
        INSERT INTO employee SELECT i, i, nullif(i % 1_000, 7), NULL FROM range(10_000) t(i);
        INSERT INTO cost SELECT i, i % 3_000, DATE '2026-01-01' + CAST(i % 700 AS INTEGER), i::VARCHAR
            FROM range(10_000) t(i);
        INSERT INTO blocked SELECT i, i * 3 FROM range(2_000) t(i);
        INSERT INTO sheet SELECT i, CASE i % 2 WHEN 0 THEN 'APPROVED' ELSE 'OPEN' END FROM range(1_000) t(i);
        INSERT INTO item SELECT i, i % 1_100, nullif(i % 5_000, 9), (i % 80) / 10 FROM range(10_000) t(i);
        INSERT INTO project SELECT i, 'P' || i, 'Project ' || i FROM range(500) t(i);
        INSERT INTO membership SELECT i % 510, i FROM range(10_000) t(i);";
    let mut bench = open(folder.path(), &[("erp", "own", &format!("{tables}{rows}"))], &[]);
    assert!(bench.all("erp").differences.len() > 45_000);
    // Numbers by a hash, so that the batches have no pattern the mappings share.
    for n in 1..=6 {
        let pick = |table: &str, key: &str, of: u32| {
            format!("hash({key} + {n}) % {of} = 0 AND '{table}' <> ''")
        };
        let changes = [
            format!(
                "UPDATE erp_next.item SET employee = hash(id * {n}) % 5_000 WHERE {}",
                pick("i", "id", 40)
            ),
            format!(
                "UPDATE erp_next.cost SET employee = (employee + {n}) % 3_000 WHERE {}",
                pick("c", "id", 50)
            ),
            format!("DELETE FROM erp_next.blocked WHERE {}", pick("b", "id", 30)),
            format!("UPDATE erp_next.sheet SET state = 'APPROVED' WHERE {}", pick("s", "id", 60)),
            format!("UPDATE erp_next.party SET code = code || 'x' WHERE {}", pick("p", "id", 200)),
            format!("DELETE FROM erp_next.employee WHERE {}", pick("e", "id", 300)),
            format!(
                "UPDATE erp_next.membership SET project_id = project_id + 1000 WHERE {}",
                pick("m", "employee", 90)
            ),
            format!("UPDATE erp_next.project SET name = name || {n} WHERE {}", pick("r", "id", 20)),
        ];
        let changes: Vec<&str> = changes.iter().map(String::as_str).collect();
        assert!(bench.batch(&changes).len() > 100);
    }
    // Only what a batch touches is evaluated.
    assert_eq!(bench.batch(&["UPDATE erp_next.item SET hours = 99 WHERE id = 4400"]).len(), 2);
}
