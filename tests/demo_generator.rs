//! The demo's generator on real databases: it does what it reports, and leaves what it must.

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use trueup::demo::generator::{Generator, Report};

use crate::support::require::require;
use crate::support::servers;

#[tokio::test(flavor = "multi_thread")]
async fn the_erp_alone_is_worked_on_and_the_report_is_true() {
    if !require("postgres") {
        return;
    }
    let (erp, config) = erp();
    let wanted = ["hire", "log_week", "approve"];
    let generator = Generator { erp: config, hr: None, seed: 11, per_second: 300.0 };
    let report = work(generator, &wanted).await;
    let count = |sql: &str| -> u64 {
        let text = servers::postgres().sql(&erp, sql).unwrap();
        text.trim().parse().unwrap_or_else(|_| panic!("{sql}: {text}"))
    };
    let done = |kind: &str| report.kinds.get(kind).copied().unwrap_or_default();
    // A plan may do more things than the one it is counted under, but only hires hire.
    let (hired, forgotten) = (done("hire").committed, done("forget_person").committed);
    assert_eq!(count("SELECT count(*) FROM pers"), 40 + hired - forgotten, "{report:?}");
    let total = report.total();
    assert!(total.rolled_back > 0 && total.rows > total.committed, "{total:?}");
    assert!(total.refused * 20 < total.committed, "too much was refused: {report:?}");
    // The trigger's protocol is the server's own count of updates on two tables.
    assert!(count("SELECT count(*) FROM sys_protokoll") > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_erp_never_knows_a_person_whom_the_hr_does_not() {
    if !require("postgres") || !require("mariadb") {
        return;
    }
    let (erp, config) = erp();
    let hr = servers::mariadb_database("hr");
    let server = servers::mariadb();
    for file in ["schema.sql", "seed.sql"] {
        server.load(&hr, &sql("hr", file)).unwrap();
    }
    let opts = mysql_async::OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(server.port())
        .user(Some("root"))
        .pass(Some(server.password()))
        .db_name(Some(&hr));
    let hr_opts = Some(mysql_async::Opts::from(opts));
    let wanted = ["hire", "transfer", "new_manager", "unit_head", "noise", "terminate"];
    let generator = Generator { erp: config, hr: hr_opts, seed: 12, per_second: 300.0 };
    let report = work(generator, &wanted).await;
    let in_erp = servers::postgres().sql(&erp, "SELECT substr(persnr, 3) FROM pers").unwrap();
    let in_hr = server.sql(&hr, "SELECT pernr FROM pa_stamm").unwrap();
    let known: std::collections::BTreeSet<&str> = in_hr.lines().collect();
    assert!(in_erp.lines().count() > 40, "nobody was hired: {report:?}");
    let unknown: Vec<&str> = in_erp.lines().filter(|person| !known.contains(person)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let total = report.total();
    assert!(total.refused * 20 < total.committed, "too much was refused: {report:?}");
    // One slice of time holds on any day: the canonical rows would not be unique otherwise.
    for (table, key) in [("pa_org", "pernr"), ("pa_massn", "pernr"), ("org_einh", "orgeh")] {
        let overlaps = format!(
            "SELECT COUNT(*) FROM {table} a JOIN {table} b ON a.{key} = b.{key} AND a.beg < b.beg \
             AND a.bis >= b.beg AND a.bis >= CURRENT_DATE AND b.beg <= CURRENT_DATE"
        );
        assert_eq!(server.sql(&hr, &overlaps).unwrap(), "0\n", "{table}");
    }
}

/// A fresh ERP with its seed rows: its name and how to reach it.
fn erp() -> (String, tokio_postgres::Config) {
    let name = servers::postgres_database("erp");
    let server = servers::postgres();
    for file in ["schema.sql", "seed.sql"] {
        server.load(&name, &sql("erp", file)).unwrap();
    }
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(server.port()).user("postgres").password(server.password());
    config.dbname(&name);
    (name, config)
}

/// Lets it work for some seconds, again with other seeds until all of `wanted` was committed.
async fn work(generator: Generator, wanted: &[&str]) -> Report {
    let mut sum = Report::default();
    for round in 0..8 {
        let generator = Generator { seed: generator.seed + round, ..generator.clone() };
        let cancel = CancellationToken::new();
        let running = tokio::spawn({
            let cancel = cancel.clone();
            async move { generator.run(cancel).await }
        });
        tokio::time::sleep(Duration::from_secs(4)).await;
        cancel.cancel();
        let report = running.await.unwrap().unwrap_or_else(|error| panic!("{}", error.chain()));
        for (kind, tally) in report.kinds {
            let known = sum.kinds.entry(kind).or_default();
            known.committed += tally.committed;
            known.rolled_back += tally.rolled_back;
            known.refused += tally.refused;
            known.rows += tally.rows;
        }
        let committed = |kind: &&str| sum.kinds.get(kind).is_some_and(|done| done.committed > 0);
        if wanted.iter().all(committed) {
            return sum;
        }
    }
    panic!("not all of {wanted:?} was committed: {sum:?}")
}

fn sql(system: &str, file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/demo").join(system).join(file)
}
