//! The log: every kind of change, positions that move, and what is left out.

use std::time::Duration;

use super::{Bench, Reader, SOON, lsn, name, texts};
use crate::support::versions::{Version, on_versions};
use trueup::change::{Change, Kind, Op, Position, TransactionId};
use trueup::demo::servers::Options;
use trueup::error::ErrorKind;
use trueup::source::{Captured, Standing, Stream};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text, big text);
                     ALTER TABLE t ALTER big SET STORAGE EXTERNAL;";

async fn log_of(bench: &Bench, statements: &str) -> Reader {
    let source = bench.source(&["*"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    bench.sql(statements);
    reader.read_to(bench.insert_lsn()).await;
    reader
}

async fn unchanged_toast_is_missing_and_never_null(version: Version) {
    let bench =
        Bench::of(version, &format!("{TABLE} INSERT INTO t VALUES (1, 'a', repeat('x', 9000));"));
    let reader = log_of(
        &bench,
        "UPDATE t SET v = 'b'; UPDATE t SET id = 2; UPDATE t SET big = NULL; DELETE FROM t;",
    )
    .await;
    let rows = reader.rows();
    assert_eq!(rows[0].old, None);
    assert_eq!(texts(rows[0].new.as_ref().unwrap()), ["1", "b", "<missing>"]);
    assert_eq!(texts(rows[1].old.as_ref().unwrap()), ["1", "<missing>", "<missing>"]);
    assert_eq!(texts(rows[1].new.as_ref().unwrap()), ["2", "b", "<missing>"]);
    assert_eq!(texts(rows[2].new.as_ref().unwrap()), ["2", "b", "<null>"]);
    assert_eq!(texts(rows[3].old.as_ref().unwrap()), ["2", "<missing>", "<missing>"]);
    assert_eq!((rows[3].op, &rows[3].new), (Op::Delete, &None));
}

async fn replica_identity_full_fills_what_was_not_sent(version: Version) {
    let bench = Bench::of(
        version,
        &format!(
            "{TABLE} ALTER TABLE t REPLICA IDENTITY FULL;
             INSERT INTO t VALUES (1, NULL, repeat('x', 9000));"
        ),
    );
    let reader = log_of(&bench, "UPDATE t SET v = 'b'; DELETE FROM t;").await;
    let rows = reader.rows();
    let big = "x".repeat(9000);
    assert_eq!(texts(rows[0].old.as_ref().unwrap()), ["1", "<null>", &big]);
    assert_eq!(texts(rows[0].new.as_ref().unwrap()), ["1", "b", &big]);
    assert_eq!(texts(rows[1].old.as_ref().unwrap()), ["1", "b", &big]);
    // Every column is flagged in the message; the catalog knows the key.
    assert_eq!(rows[0].table.key().collect::<Vec<_>>(), [0]);
}

async fn an_identity_index_is_the_key_and_keeps_its_order(version: Version) {
    let bench = Bench::of(
        version,
        "CREATE TABLE t (v text, a int NOT NULL, b int NOT NULL, id int PRIMARY KEY);
         CREATE UNIQUE INDEX ident ON t (b, a); ALTER TABLE t REPLICA IDENTITY USING INDEX ident;
         INSERT INTO t VALUES ('x', 1, 2, 3);",
    );
    let reader = log_of(&bench, "DELETE FROM t").await;
    let row = &reader.rows()[0];
    assert_eq!(row.table.key().collect::<Vec<_>>(), [2, 1]);
    let old = texts(row.old.as_ref().unwrap());
    assert_eq!(old, ["<missing>", "1", "2", "<missing>"]);
}

async fn truncate_names_every_table_it_empties(version: Version) {
    let bench = Bench::of(
        version,
        "CREATE TABLE p (id int PRIMARY KEY);
         CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p);",
    );
    let reader = log_of(&bench, "INSERT INTO p VALUES (1); TRUNCATE p CASCADE;").await;
    let Some(Change::Truncate(tables)) = reader.changes().last() else { panic!("no truncate") };
    let mut names: Vec<&str> = tables.iter().map(|table| table.name.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["c", "p"]);
}

async fn schemas_follow_the_log(version: Version) {
    let bench = Bench::of(
        version,
        "CREATE DOMAIN money_amount AS numeric(12,2); CREATE DOMAIN price AS money_amount;
         CREATE TYPE mood AS ENUM ('ok', 'sad');
         CREATE TABLE t (id bigint PRIMARY KEY, p price, m mood, l int[], n numeric,
                         w numeric(50,2), twice int GENERATED ALWAYS AS (2) STORED);",
    );
    let source = bench.source(&["*"]);
    let prepared = source.prepare(None).await.unwrap();
    let reader = log_of(
        &bench,
        "INSERT INTO t VALUES (1, 1.5, 'ok', '{1}', 1, 1);
         ALTER TABLE t ADD extra date; INSERT INTO t (id, extra) VALUES (2, '2026-02-28');
         ALTER TABLE t RENAME TO u; UPDATE u SET id = 3 WHERE id = 2;",
    )
    .await;
    let kinds: Vec<(&str, &str, Kind)> = prepared.tables[0]
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.source_type.as_str(), column.kind))
        .collect();
    let expected = [
        ("id", "bigint", Kind::Int { bytes: 8 }),
        ("p", "public.price", Kind::Decimal { precision: 12, scale: 2 }),
        ("m", "public.mood", Kind::Text),
        ("l", "integer[]", Kind::Text),
        ("n", "numeric", Kind::Text),
        ("w", "numeric(50,2)", Kind::Text),
    ];
    assert_eq!(kinds, expected);
    assert_eq!(*reader.schemas[0], *prepared.tables[0], "catalog and log agree on a table");
    let last = reader.schemas.last().unwrap();
    assert_eq!(last.name, name("u"));
    assert_eq!(last.columns.last().unwrap().kind, Kind::Date);
    let rows = reader.rows();
    assert_eq!(texts(rows[0].new.as_ref().unwrap()).len(), 6);
    assert_eq!(texts(rows[1].new.as_ref().unwrap()).last().unwrap(), "2026-02-28");
    assert_eq!(rows[2].table.name, name("u"));
}

async fn only_our_own_messages_are_kept(version: Version) {
    let bench = Bench::of(version, TABLE);
    let source = bench.source(&["*"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    bench.sql(
        "SELECT pg_logical_emit_message(true, 'someone', 'else');
         SELECT pg_logical_emit_message(false, 'trueup', 'outside of any transaction');
         BEGIN; SELECT pg_logical_emit_message(true, 'someone', 'within ours');
         INSERT INTO t VALUES (1); COMMIT;
         SELECT pg_logical_emit_message(true, 'trueup', 'chunk');",
    );
    reader.read_to(bench.insert_lsn()).await;
    let sizes: Vec<usize> = reader.transactions.iter().map(|t| t.changes.len()).collect();
    assert_eq!(sizes, [1, 0], "the insert, and our own message");
    let Stream::Postgres(stream) = &reader.stream else { panic!() };
    assert_eq!(stream.foreign_messages(), 3);
}

async fn an_idle_source_still_moves_and_the_server_learns_it(version: Version) {
    let bench = Bench::of(version, &format!("{TABLE} CREATE TABLE other (id int PRIMARY KEY);"));
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    // GIVEN changes that are none of ours.
    bench.sql("INSERT INTO other SELECT generate_series(1, 1000)");
    let end = bench.insert_lsn();
    reader.read_to(end).await;
    assert!(reader.transactions.is_empty());
    assert!(!reader.idles.is_empty());
    // WHEN the position is confirmed, while nobody reads the stream.
    reader.stream.confirm(&Position::Lsn(reader.reached));
    // THEN the slot lets go of the WAL before it.
    let slot = bench.slot();
    let confirmed = format!(
        "SELECT confirmed_flush_lsn >= '{:X}/{:X}'::pg_lsn FROM pg_replication_slots WHERE \
            slot_name = '{slot}'",
        end >> 32,
        end & 0xffff_ffff
    );
    let deadline = std::time::Instant::now() + SOON;
    while bench.sql(&confirmed).trim() != "t" {
        assert!(std::time::Instant::now() < deadline, "the slot does not move");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn nothing_is_confirmed_that_we_did_not_confirm(version: Version) {
    let bench = Bench::of(version, TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    bench.sql("INSERT INTO t SELECT generate_series(1, 100)");
    reader.read_to(bench.insert_lsn()).await;
    // Longer than the pause between two reports to the server.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    drop(reader);
    let mut again = Reader::open(&source, &prepared.start).await;
    again.read_to(bench.insert_lsn()).await;
    assert_eq!(again.rows().len(), 100, "what was not confirmed is sent again");
}

async fn a_restart_breaks_the_log_and_loses_nothing(version: Version) {
    let bench = Bench::alone(&Options::default().version(version), TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    bench.sql("INSERT INTO t VALUES (1)");
    reader.read_to(bench.insert_lsn()).await;
    let journaled = Position::Lsn(reader.reached);
    reader.stream.confirm(&journaled);
    bench.server.restart().unwrap();
    let error = loop {
        match tokio::time::timeout(SOON, reader.stream.next()).await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{}", error.chain());
    bench.sql("INSERT INTO t VALUES (2)");
    let standing = source.standing(Some(&journaled), Some(&prepared.identity)).await.unwrap();
    assert_eq!(standing, Standing::Continues);
    let mut again = Reader::open(&source, &journaled).await;
    again.read_to(bench.insert_lsn()).await;
    assert_eq!(again.rows().len(), 1, "only what came after the journal's end");
}

async fn a_dropped_call_loses_nothing(version: Version) {
    let bench = Bench::of(version, TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    bench.sql(
        "INSERT INTO t SELECT generate_series(1, 50); ALTER TABLE t ADD c1 int;
         INSERT INTO t SELECT generate_series(51, 60); ALTER TABLE t ADD c2 int;
         INSERT INTO t SELECT generate_series(61, 70);",
    );
    let end = bench.insert_lsn();
    while reader.reached < end {
        // Cut short at every length, so that look-ups are hit too.
        for micros in (0..400).step_by(20) {
            let wait = Duration::from_micros(micros);
            if tokio::time::timeout(wait, reader.step()).await.is_ok() {
                break;
            }
        }
        reader.step().await;
    }
    let ids: Vec<String> =
        reader.rows().iter().map(|row| texts(row.new.as_ref().unwrap())[0].clone()).collect();
    let expected: Vec<String> = (1..=70).map(|id: u32| id.to_string()).collect();
    assert_eq!(ids, expected);
}

async fn a_slow_consumer_is_not_thrown_out(version: Version) {
    let options = Options::default().version(version).setting("wal_sender_timeout", "'2s'");
    let bench = Bench::alone(&options, TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    bench.sql("INSERT INTO t SELECT n, repeat('v', 500) FROM generate_series(1, 50000) n");
    reader.step().await;
    tokio::time::sleep(Duration::from_secs(7)).await;
    reader.read_to(bench.insert_lsn()).await;
    assert_eq!(reader.rows().len(), 50_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_ids_beyond_32_bits_are_widened() {
    // GIVEN a server in its sixth epoch.
    let bench = Bench::alone(&Options::default(), TABLE);
    let settings =
        bench.sql("SELECT setting FROM pg_config() WHERE name = 'BINDIR'; SHOW data_directory;");
    let (programs, data) = settings.trim().split_once('\n').unwrap();
    bench.server.restart().unwrap();
    bench.sql("CHECKPOINT");
    bench.server.stop_immediately().unwrap();
    let as_owner = r#"if [ "$(id -u)" = 0 ]; then
                          exec setpriv --reuid="$(stat -c %U "$2")" --clear-groups -- \
                              "$1/pg_resetwal" -f -e 5 "$2"
                      fi
                      exec "$1/pg_resetwal" -f -e 5 "$2""#;
    let reset = std::process::Command::new("sh")
        .args(["-c", as_owner, "sh", programs, data])
        .output()
        .unwrap();
    assert!(reset.status.success(), "{}", String::from_utf8_lossy(&reset.stderr));
    bench.server.start_again().unwrap();
    // THEN ids in the log are those of the server.
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let xid = bench.sql("BEGIN; INSERT INTO t VALUES (1); SELECT pg_current_xact_id(); COMMIT;");
    let xid: u64 = xid.trim().parse().unwrap();
    assert!(xid > 5 << 32);
    let mut reader = Reader::open(&source, &prepared.start).await;
    reader.read_to(bench.insert_lsn()).await;
    assert_eq!(reader.transactions[0].id, TransactionId::Xid(xid));
}

async fn a_schema_goes_before_its_first_row(version: Version) {
    let bench = Bench::of(version, TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut stream = source.stream(&prepared.start, &[]).await.unwrap();
    bench.sql("INSERT INTO t VALUES (1)");
    let mut seen = String::new();
    loop {
        match tokio::time::timeout(SOON, stream.next()).await.unwrap().unwrap() {
            Captured::Frame(frame) => seen.push(char::from(frame[0])),
            Captured::Schema(_) => seen.push('+'),
            Captured::Idle(_) => {}
            Captured::End(reached) => {
                assert!(lsn(&reached.position) > lsn(&prepared.start));
                break;
            }
        }
    }
    assert_eq!(seen, "BxR+sIC");
}

on_versions! {
    [postgres pg14 pg18]
    unchanged_toast_is_missing_and_never_null
    replica_identity_full_fills_what_was_not_sent
    an_identity_index_is_the_key_and_keeps_its_order
    truncate_names_every_table_it_empties
    schemas_follow_the_log
    only_our_own_messages_are_kept
    an_idle_source_still_moves_and_the_server_learns_it
    nothing_is_confirmed_that_we_did_not_confirm
    a_restart_breaks_the_log_and_loses_nothing
    a_dropped_call_loses_nothing
    a_slow_consumer_is_not_thrown_out
    a_schema_goes_before_its_first_row
}
