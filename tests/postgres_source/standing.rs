//! How slot, publication and server stand to the ledger: gaps are found, and only gaps.

use super::{Bench, Reader, name};
use crate::support::versions::{Version, on_versions};
use trueup::change::Position;
use trueup::error::ErrorKind;
use trueup::source::finding::Severity;
use trueup::source::{Source, Standing, Stream};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text);";

async fn standing(source: &Source, ledger: &Position, identity: &str) -> Standing {
    source.standing(Some(ledger), Some(identity)).await.unwrap()
}

fn why(standing: Standing) -> String {
    match standing {
        Standing::Gap(why) => why,
        other => panic!("a gap was expected, not {other:?}"),
    }
}

async fn a_slot_ahead_of_the_ledger_is_a_gap(version: Version) {
    let bench = Bench::of(version, TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let id = prepared.identity.as_str();
    assert_eq!(standing(&source, &prepared.start, id).await, Standing::Continues);
    // GIVEN a ledger restored from before what the slot has confirmed.
    bench.sql(&format!(
        "INSERT INTO t VALUES (1, 'skipped in silence');
         SELECT pg_replication_slot_advance('{}', pg_current_wal_lsn());",
        bench.slot()
    ));
    // THEN it is seen before, while preparing, and in the log's own session.
    let gap = why(standing(&source, &prepared.start, id).await);
    assert!(gap.contains("beyond the ledger"), "{gap}");
    let error = source.prepare(Some(&prepared.start)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gap);
    assert!(error.remedy().unwrap().contains("trueup resync erp --gap"));
    let error = source.stream(&prepared.start, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gap, "{}", error.chain());
}

async fn a_missing_or_recreated_slot_is_a_gap(version: Version) {
    let bench = Bench::of(version, TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let id = prepared.identity.as_str();
    let slot = bench.slot();
    bench.sql(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    assert!(why(standing(&source, &prepared.start, id).await).contains("slot is gone"));
    let error = source.stream(&prepared.start, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gap);
    bench.sql(&format!("SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"));
    assert!(why(standing(&source, &prepared.start, id).await).contains("beyond the ledger"));
}

async fn another_server_or_a_dropped_publication_is_a_gap(version: Version) {
    let bench = Bench::of(version, TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let control = bench.sql("SELECT system_identifier FROM pg_control_system()");
    assert!(prepared.identity.starts_with(control.trim()));
    assert!(why(standing(&source, &prepared.start, "1/1").await).contains("another server"));
    // Restored from an older copy: the ledger has seen more than this server ever wrote.
    let beyond = Position::Lsn(bench.insert_lsn() + (1 << 40));
    let gap = why(standing(&source, &beyond, &prepared.identity).await);
    assert!(gap.contains("older copy"), "{gap}");
    bench.sql(&format!("DROP PUBLICATION {}", bench.slot()));
    let gap = why(standing(&source, &prepared.start, &prepared.identity).await);
    assert!(gap.contains("publication is gone"), "{gap}");
}

async fn a_lost_slot_is_a_gap(version: Version) {
    use trueup::demo::servers::Options;
    let options = Options::default()
        .version(version)
        .setting("max_slot_wal_keep_size", "'1MB'")
        .setting("min_wal_size", "'32MB'")
        .setting("max_wal_size", "'32MB'");
    let bench = Bench::alone(&options, TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    for _ in 0..4 {
        bench.sql(
            "INSERT INTO t SELECT n, repeat('x', 1000) FROM generate_series(1, 10000) n;
             DELETE FROM t; SELECT pg_switch_wal(); CHECKPOINT;",
        );
    }
    let gap = why(standing(&source, &prepared.start, &prepared.identity).await);
    assert!(gap.contains("lost"), "{gap}");
    let findings = source.examine().await;
    assert!(findings.iter().any(|finding| finding.what.contains("wal_status lost")));
}

async fn a_slot_nobody_confirmed_is_made_anew(version: Version) {
    let bench = Bench::of(version, TABLE);
    let source = bench.source(&["t"]);
    let first = source.prepare(None).await.unwrap();
    bench.sql("INSERT INTO t VALUES (1)");
    assert_eq!(source.standing(None, None).await.unwrap(), Standing::New);
    let second = source.prepare(None).await.unwrap();
    assert!(second.start.covers(&first.start).unwrap() && second.start != first.start);
    assert_eq!(second.added, [name("t")]);
}

async fn a_slot_in_use_names_its_holder(version: Version) {
    let bench = Bench::of(version, TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let reader = Reader::open(&source, &prepared.start).await;
    let error = source.standing(Some(&prepared.start), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    let pid = bench.sql(&format!(
        "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{}'",
        bench.slot()
    ));
    assert!(error.to_string().contains(&format!("pid {}", pid.trim())), "{error}");
    assert!(error.to_string().contains("trueup erp"), "{error}");
    assert!(error.remedy().unwrap().contains("pg_terminate_backend"));
    // A session that has just ended is waited for.
    drop(reader);
    source.standing(Some(&prepared.start), None).await.unwrap();
}

async fn the_publication_follows_the_patterns(version: Version) {
    let bench = Bench::of(version, &format!("{TABLE} CREATE TABLE u (id int PRIMARY KEY);"));
    let published = || {
        bench.sql(&format!(
            "SELECT string_agg(tablename, ',' ORDER BY tablename) FROM pg_publication_tables \
                WHERE pubname = '{}'",
            bench.slot()
        ))
    };
    let prepared = bench.source(&["*"]).prepare(None).await.unwrap();
    assert_eq!(published(), "t,u\n");
    let fewer = bench.source(&["*", "!u"]).prepare(Some(&prepared.start)).await.unwrap();
    assert_eq!(published(), "t\n");
    assert!(fewer.added.is_empty());
    let more = bench.source(&["*"]).prepare(Some(&prepared.start)).await.unwrap();
    assert_eq!(more.added, [name("u")]);
    // Before version 15 there are no row filters.
    if bench.sql("SHOW server_version_num").trim().parse::<u32>().unwrap() < 150_000 {
        return;
    }
    // A row filter of somebody else's leaves rows out: they must be copied again.
    bench.sql(&format!("ALTER PUBLICATION {} SET TABLE t, u WHERE (id > 5)", bench.slot()));
    let mended = bench.source(&["*"]).prepare(Some(&prepared.start)).await.unwrap();
    assert_eq!(mended.added, [name("t"), name("u")]);
    let same = bench.source(&["*"]).prepare(Some(&prepared.start)).await.unwrap();
    assert!(same.added.is_empty());
    if version != Some("18") {
        return;
    }
    // What the server computes is not mirrored: somebody else's wish to publish it is undone.
    let option =
        format!("ALTER PUBLICATION {} SET (publish_generated_columns = stored)", bench.slot());
    bench.sql(&option);
    let mended = bench.source(&["*"]).prepare(Some(&prepared.start)).await.unwrap();
    assert!(mended.added.is_empty());
    let generated =
        format!("SELECT pubgencols FROM pg_publication WHERE pubname = '{}'", bench.slot());
    assert_eq!(bench.sql(&generated), "n\n");
}

async fn the_least_privilege_script_and_the_owners_publication_suffice(version: Version) {
    let bench = Bench::of(version, TABLE);
    bench.sql("INSERT INTO t VALUES (1, 'a')");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/sql/source/postgres/least_privilege.sql");
    bench.server.load(&bench.database, std::path::Path::new(file)).unwrap();
    std::fs::write(bench.folder.path().join("password"), "choose one\n").unwrap();
    let mut config = bench.config(&["t"]);
    config.url = config.url.replace("postgres@", "trueup@");
    let source = Source::new("erp", &bench.install, &config).unwrap();
    let error = source.prepare(None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Setup);
    let remedy = error.remedy().unwrap();
    let (_, sql) = remedy.split_once("tables: ").unwrap();
    bench.sql(sql);
    let prepared = source.prepare(None).await.unwrap();
    let chunks = super::copy(&source, prepared.fence.clone(), "t", 10).await;
    assert_eq!(chunks[0].row_count, 1);
    let mut reader = Reader::open(&source, &prepared.start).await;
    assert!(matches!(reader.stream, Stream::Postgres(_)));
    bench.sql("INSERT INTO t VALUES (2)");
    reader.read_to(bench.insert_lsn()).await;
    assert_eq!(reader.rows().len(), 1);
    let findings = source.examine().await;
    assert!(findings.iter().all(|finding| finding.severity != Severity::Error), "{findings:?}");
}

on_versions! {
    [postgres pg14 pg18]
    a_slot_ahead_of_the_ledger_is_a_gap
    a_missing_or_recreated_slot_is_a_gap
    another_server_or_a_dropped_publication_is_a_gap
    a_lost_slot_is_a_gap
    a_slot_nobody_confirmed_is_made_anew
    a_slot_in_use_names_its_holder
    the_publication_follows_the_patterns
    the_least_privilege_script_and_the_owners_publication_suffice
}
