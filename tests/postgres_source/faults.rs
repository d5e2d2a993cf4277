//! Wrong passwords, servers and tables: one error, saying what, where and what to do.

use super::{Bench, name};
use crate::support::versions::{Version, on_versions};
use trueup::demo::servers::Options;
use trueup::error::{Error, ErrorKind};
use trueup::finding::Severity;
use trueup::source::{Source, Span};

fn assert_error(error: &Error, kind: ErrorKind, what: &str, remedy: &str) {
    assert_eq!(error.kind(), kind, "{}", error.chain());
    assert!(error.chain().contains(what), "`{what}` is not in `{}`", error.chain());
    let hint = error.remedy().unwrap_or("no remedy");
    assert!(hint.contains(remedy), "`{remedy}` is not in `{hint}`");
}

async fn connections_that_fail_say_why(version: Version) {
    let bench = Bench::of(version, "CREATE TABLE t (id int PRIMARY KEY);");
    let fails = async |change: &dyn Fn(&mut trueup::config::SourceConfig)| {
        let mut config = bench.config(&["t"]);
        change(&mut config);
        Source::new("erp", "x", &config).unwrap().prepare(None).await.unwrap_err()
    };
    let error = fails(&|config| config.url = config.url.replace(&bench.database, "nowhere")).await;
    assert_error(&error, ErrorKind::Setup, "nowhere", "create database");
    let error = fails(&|config| config.url = "postgres://x@127.0.0.1:1/x".to_owned()).await;
    assert_error(&error, ErrorKind::Unreachable, "127.0.0.1:1", "PostgreSQL runs");
    let error = fails(&|config| config.tls = trueup::config::Tls::Require).await;
    assert_error(&error, ErrorKind::Unreachable, "could not connect", "ssl = on");
    std::fs::write(bench.folder.path().join("password"), "wrong").unwrap();
    let error = fails(&|_| {}).await;
    assert_error(&error, ErrorKind::Setup, "password authentication failed", "password");
    assert!(!error.chain().contains("wrong"), "{}", error.chain());
}

#[test]
fn urls_are_judged_before_anything_is_connected() {
    let bench = Bench::new("");
    for (url, what) in [
        ("not a url", "is not a PostgreSQL URL"),
        ("postgres://me:secret@db/erp", "holds a password"),
        ("postgres://db/erp", "names no user"),
        ("postgres://me@db", "names no database"),
        ("postgres://me@a,b/erp", "one host"),
    ] {
        let mut config = bench.config(&["t"]);
        config.url = url.to_owned();
        let error = Source::new("erp", "x", &config).unwrap_err();
        assert_error(&error, ErrorKind::Config, what, "");
        assert!(!error.chain().contains("secret"));
        assert!(error.remedy().is_some());
    }
}

async fn a_server_without_logical_wal_is_refused_with_the_remedy(version: Version) {
    let options = Options::default().version(version).setting("wal_level", "replica");
    let bench = Bench::alone(&options, "CREATE TABLE t (id int PRIMARY KEY);");
    let source = bench.source(&["t"]);
    let error = source.prepare(None).await.unwrap_err();
    assert_error(&error, ErrorKind::Setup, "wal_level is replica", "ALTER SYSTEM SET wal_level");
    let findings = source.examine().await;
    let found = findings.iter().find(|finding| finding.what.contains("wal_level")).unwrap();
    assert_eq!(found.severity, Severity::Error);
    // The examination goes on behind it.
    assert!(findings.iter().any(|finding| finding.what.contains("publication")));
}

async fn a_standby_is_refused(version: Version) {
    let bench =
        Bench::alone(&Options::default().version(version), "CREATE TABLE t (id int PRIMARY KEY);");
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    bench.sql(&format!("SELECT pg_drop_replication_slot('{}')", bench.slot()));
    let data = bench.sql("SHOW data_directory");
    bench.server.restart().unwrap();
    bench.server.stop_immediately().unwrap();
    std::fs::write(format!("{}/standby.signal", data.trim()), "").unwrap();
    bench.server.start_again().unwrap();
    assert_eq!(bench.sql("SELECT pg_is_in_recovery()").trim(), "t");
    for error in [
        source.prepare(None).await.unwrap_err(),
        source.standing(Some(&prepared.start), None).await.unwrap_err(),
        source.copier(prepared.fence).await.unwrap_err(),
    ] {
        assert_error(&error, ErrorKind::Setup, "standby", "primary");
    }
}

async fn tables_that_cannot_be_mirrored_are_named_with_the_sql_that_mends_them(version: Version) {
    let bench = Bench::of(
        version,
        "CREATE TABLE fine (id int PRIMARY KEY); CREATE TABLE keyless (a int);
         CREATE TABLE whole (a int); ALTER TABLE whole REPLICA IDENTITY FULL;
         CREATE TABLE \"None\" (id int PRIMARY KEY); ALTER TABLE \"None\" REPLICA IDENTITY NOTHING;
         CREATE TABLE late (id int PRIMARY KEY DEFERRABLE);
         CREATE VIEW seen AS SELECT 1; CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY);",
    );
    let source = bench.source(&["*"]);
    let error = source.prepare(None).await.unwrap_err();
    for what in ["public.keyless", "public.whole", "public.None", "public.late"] {
        assert_error(&error, ErrorKind::Setup, what, "");
    }
    for remedy in [
        "ALTER TABLE \"public\".\"keyless\" ADD PRIMARY KEY",
        "ALTER TABLE \"public\".\"None\" REPLICA IDENTITY DEFAULT",
    ] {
        assert_error(&error, ErrorKind::Setup, "", remedy);
    }
    for absent in ["fine", "seen", "fleeting"] {
        assert!(!error.chain().contains(absent), "{}", error.chain());
    }
    let findings = source.examine().await;
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
    assert_eq!(errors.count(), 4);
    let error = bench.source(&["fine", "keyles"]).prepare(None).await.unwrap_err();
    assert_error(&error, ErrorKind::Config, "`keyles`", "public.keyless");
    let error = bench.source(&["seen"]).prepare(None).await.unwrap_err();
    assert_error(&error, ErrorKind::Config, "`seen`", "views");
    // Nothing was left behind by any of these.
    let left =
        format!("SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{}'", bench.slot());
    assert_eq!(bench.sql(&left), "0\n");
}

async fn examine_names_what_an_operator_should_do(version: Version) {
    let bench = Bench::of(
        version,
        "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE hidden (id int PRIMARY KEY);",
    );
    let role = format!("blind_{}", bench.install);
    bench.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'blind'; GRANT SELECT ON t TO {role};
         ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
    ));
    std::fs::write(bench.folder.path().join("password"), "blind").unwrap();
    let mut config = bench.config(&["*"]);
    config.url = config.url.replace("postgres@", &format!("{role}@"));
    let source = Source::new("erp", &bench.install, &config).unwrap();
    let findings = source.examine().await;
    for (severity, remedy) in [
        (Severity::Error, format!("ALTER ROLE \"{role}\" REPLICATION")),
        (Severity::Error, format!("GRANT SELECT ON \"public\".\"hidden\" TO \"{role}\"")),
        (Severity::Error, format!("ALTER ROLE \"{role}\" BYPASSRLS")),
        (Severity::Warning, "ALTER SYSTEM SET max_slot_wal_keep_size".to_owned()),
        (Severity::Error, "CREATE PUBLICATION \"trueup_erp\"".to_owned()),
    ] {
        let is_it = |finding: &&trueup::finding::Finding| {
            finding.remedy.as_ref().is_some_and(|found| found.contains(&remedy))
        };
        let found = findings.iter().find(is_it).unwrap_or_else(|| panic!("{remedy}: {findings:?}"));
        assert_eq!(found.severity, severity, "{found:?}");
    }
    // Rows hidden by row level security are an error of the copy, not an absence.
    let mut copier = source.copier(trueup::source::Fence::Open).await.unwrap();
    let error = copier.chunk(&name("t"), Span::default(), 10, &|_| {}).await.unwrap_err();
    assert!(error.chain().contains("row-level security"), "{}", error.chain());
    // The session is good for another table afterwards.
    bench.sql(&format!("GRANT SELECT ON hidden TO {role}"));
    assert_eq!(
        copier.chunk(&name("hidden"), Span::default(), 10, &|_| {}).await.unwrap().row_count,
        0
    );
}

async fn a_good_source_has_no_errors(version: Version) {
    let bench = Bench::of(version, "CREATE TABLE t (id int PRIMARY KEY);");
    let source = bench.source(&["t"]);
    source.prepare(None).await.unwrap();
    let findings = source.examine().await;
    assert!(findings.len() > 8);
    let bad: Vec<_> =
        findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert!(bad.is_empty(), "{bad:?}");
}

on_versions! {
    [postgres pg14 pg18]
    connections_that_fail_say_why
    a_server_without_logical_wal_is_refused_with_the_remedy
    a_standby_is_refused
    tables_that_cannot_be_mirrored_are_named_with_the_sql_that_mends_them
    examine_names_what_an_operator_should_do
    a_good_source_has_no_errors
}
