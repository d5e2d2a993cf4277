//! Rows in the log: groups, images, keys that change, XA, compression.

use trueup::change::{Cell, Change, Op, Position, TableName, Transaction};
use trueup::demo::servers::{MariadbServer, Options};
use trueup::error::ErrorKind;
use trueup::source::Captured;

use super::harness::{Log, Mirror, copy, end_of_log, row_changes, rows, show_all, source};
use crate::support::require::require;
use crate::support::servers::{mariadb, mariadb_database};

fn shown(cells: Option<&Vec<Cell>>) -> Option<Vec<String>> {
    cells.map(|cells| show_all(cells))
}

/// A database with table `t (id, name, note)` and row 1, and its log.
async fn opened(server: &MariadbServer, database: &str) -> Log {
    server
        .sql(
            database,
            "CREATE TABLE t (id int PRIMARY KEY, name varchar(20), note text);
             CREATE TABLE other (id int PRIMARY KEY);
             INSERT INTO t VALUES (1, 'one', 'long')",
        )
        .unwrap();
    Log::start(&source(server, database, &["t"])).await
}

#[tokio::test]
async fn a_key_that_changes_tells_the_row_before() {
    if !require("mariadb") {
        return;
    }
    let (server, database) = (mariadb(), mariadb_database("keys"));
    let mut log = opened(server, &database).await;
    server.sql(&database, "UPDATE t SET id = 2, name = 'two'; DELETE FROM t").unwrap();
    let changes = row_changes(&log.read_all(server).await);
    let [(Op::Update, old, new), (Op::Delete, gone, None)] = &changes[..] else {
        panic!("{changes:?}")
    };
    assert_eq!(shown(old.as_ref()).unwrap(), ["1", "one", "long"]);
    assert_eq!(shown(new.as_ref()).unwrap(), ["2", "two", "long"]);
    assert_eq!(shown(gone.as_ref()).unwrap(), ["2", "two", "long"]);
}

#[tokio::test]
async fn what_an_image_leaves_out_is_missing_and_never_null() {
    if !require("mariadb") {
        return;
    }
    let (server, database) = (mariadb(), mariadb_database("images"));
    for (image, old, new) in [
        ("MINIMAL", None, ["1", "new", "?"]),
        ("NOBLOB", Some(["1", "one", "?"]), ["1", "new", "?"]),
        ("FULL", Some(["1", "one", "long"]), ["1", "new", "long"]),
    ] {
        server.sql(&database, "DROP TABLE IF EXISTS t, other").unwrap();
        let mut log = opened(server, &database).await;
        let statement = format!(
            "SET SESSION binlog_row_image = '{image}'; UPDATE t SET name = 'new'; DELETE FROM t"
        );
        server.sql(&database, &statement).unwrap();
        let changes = row_changes(&log.read_all(server).await);
        let [(Op::Update, was, is), (Op::Delete, gone, None)] = &changes[..] else {
            panic!("{changes:?}")
        };
        assert_eq!(shown(was.as_ref()), old.map(|old| old.map(str::to_owned).to_vec()), "{image}");
        assert_eq!(shown(is.as_ref()).unwrap(), new, "{image}");
        assert_eq!(shown(gone.as_ref()).unwrap()[0], "1", "{image}");
    }
}

#[tokio::test]
async fn a_transaction_is_whole_and_names_its_position() {
    if !require("mariadb") {
        return;
    }
    let (server, database) = (mariadb(), mariadb_database("groups"));
    let mut log = opened(server, &database).await;
    let before = std::time::SystemTime::now();
    server
        .sql(
            &database,
            "START TRANSACTION; INSERT INTO t (id) VALUES (5); INSERT INTO other VALUES (5);
             SAVEPOINT a; INSERT INTO t (id) VALUES (6); ROLLBACK TO a;
             UPDATE t SET note = NULL WHERE id = 1; COMMIT;
             START TRANSACTION; INSERT INTO t (id) VALUES (9); ROLLBACK;
             INSERT INTO other VALUES (6)",
        )
        .unwrap();
    let end = end_of_log(server);
    let whole = log.read_to(&end).await.unwrap();
    let [transaction] = &whole[..] else { panic!("{} transactions", whole.len()) };
    assert_eq!(transaction.changes.len(), 2);
    assert!(transaction.position != end && end.covers(&transaction.position).unwrap());
    let Position::Gtid(domains) = &transaction.position else { panic!("no GTID") };
    let id = transaction.id.to_string();
    let (domain, gtid) = domains.iter().next().unwrap();
    assert_eq!(id, format!("gtid:{domain}-{}-{}", gtid.server, gtid.sequence));
    let committed = u64::try_from(transaction.committed_at_micros).unwrap() / 1_000_000;
    let began = before.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(committed.abs_diff(began) <= 5, "{committed} {began}");
}

#[tokio::test]
async fn positions_hold_every_domain_and_an_idle_log_moves_on() {
    if !require("mariadb") {
        return;
    }
    let (server, database) = (mariadb(), mariadb_database("domains"));
    let mut log = opened(server, &database).await;
    server
        .sql(
            &database,
            "SET gtid_domain_id = 77; INSERT INTO t (id) VALUES (70);
             SET gtid_domain_id = 78; INSERT INTO other VALUES (70)",
        )
        .unwrap();
    let whole = log.read_all(server).await;
    assert_eq!(whole.len(), 1);
    let Position::Gtid(domains) = &whole[0].position else { panic!("no GTID") };
    assert!(domains.contains_key(&77) && domains.len() > 1, "{domains:?}");
    // Nothing of ours, not even the end of a group, and a heartbeat says where we are.
    for _ in 0..2 {
        let captured = log.stream.next().await.unwrap();
        let Captured::Idle(reached) = captured else { panic!("{captured:?}") };
        assert!(reached.position.covers(&log.position).unwrap());
    }
}

#[tokio::test]
async fn xa_rows_wait_for_their_commit() {
    if !require("mariadb") {
        return;
    }
    // A server of its own: while something is prepared, no copy begins on it.
    let own = MariadbServer::start(&Options::default()).unwrap();
    let (server, database) = (&own, "xa".to_owned());
    server.create_database(&database).unwrap();
    let mut log = opened(server, &database).await;
    let prepare = |name: &str, id: u32| {
        format!(
            "XA START '{name}'; INSERT INTO t (id) VALUES ({id}); XA END '{name}'; \
             XA PREPARE '{name}';"
        )
    };
    // GIVEN one that is rolled back, one that is committed after another transaction, one in one
    // phase, one that touches nothing of ours
    server.sql(&database, &prepare("lost", 10)).unwrap();
    server.sql(&database, &prepare("kept", 11)).unwrap();
    server
        .sql(&database, "XA START 'x'; INSERT INTO other VALUES (1); XA END 'x'; XA PREPARE 'x'")
        .unwrap();
    server.sql(&database, "INSERT INTO t (id) VALUES (12)").unwrap();
    let early = log.read_all(server).await;
    assert_eq!(row_changes(&early).len(), 1, "a prepared row is no row");
    server
        .sql(
            &database,
            "XA ROLLBACK 'lost'; XA COMMIT 'kept'; XA COMMIT 'x';
             XA START 'one'; INSERT INTO t (id) VALUES (13); XA END 'one';
             XA COMMIT 'one' ONE PHASE",
        )
        .unwrap();

    // THEN rows come with their commit, at its position
    let late = log.read_all(server).await;
    let mut mirror = Mirror::default();
    mirror.apply(&early);
    mirror.apply(&late);
    let ids: Vec<String> =
        mirror.table(&format!("{database}.t")).iter().map(|row| row[0].clone()).collect();
    assert_eq!(ids, ["11", "12", "13"]);
    let kept = late.iter().find(|transaction| !transaction.changes.is_empty()).unwrap();
    assert!(kept.position.covers(&early.last().unwrap().position).unwrap());
    assert_ne!(kept.position, early.last().unwrap().position);
}

#[tokio::test]
async fn an_xa_commit_without_its_rows_is_a_gap() {
    if !require("mariadb") {
        return;
    }
    let server = MariadbServer::start(&Options::default()).unwrap();
    server.create_database("xa").unwrap();
    let source = source(&server, "xa", &["t"]);
    server.sql("xa", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    server.sql("xa", "XA START 'a'; INSERT INTO t VALUES (1); XA END 'a'; XA PREPARE 'a'").unwrap();
    // A start refuses while it is open, because its row is in neither log nor copy.
    let refused = source.prepare(None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Setup);
    assert!(refused.remedy().unwrap().contains("XA RECOVER"));
    // A decoder that begins in between has no rows to apply, and says so.
    let start = end_of_log(&server);
    let mut log = Log::open(&source, &start, &[TableName::new("xa", "t")]).await;
    server.sql("xa", "XA COMMIT 'a'").unwrap();
    let gap = log.failure(&server).await;
    assert_eq!(gap.kind(), ErrorKind::Gap);
    assert!(gap.chain().contains("XA"), "{}", gap.chain());
}

#[tokio::test]
async fn compressed_rows_and_statements_are_read() {
    if !require("mariadb") {
        return;
    }
    let options = Options::default()
        .setting("log_bin_compress", "1")
        .setting("log_bin_compress_min_len", "10")
        .setting("binlog_checksum", "NONE");
    let server = MariadbServer::start(&options).unwrap();
    server.create_database("packed").unwrap();
    let mut log = opened(&server, "packed").await;
    server
        .sql(
            "packed",
            "INSERT INTO t SELECT seq, repeat('ab', 10), repeat('x', seq) FROM seq_2_to_900;
             UPDATE t SET name = 'changed' WHERE id > 300; DELETE FROM t WHERE id > 600;
             ALTER TABLE t ADD COLUMN more int NULL COMMENT 'a statement that is long enough';
             UPDATE t SET more = id WHERE id < 5 AND id > 1",
        )
        .unwrap();
    let whole = log.read_all(&server).await;
    let doubted = |one: &Transaction| matches!(one.changes[..], [Change::Doubted(_)]);
    assert_eq!(whole.iter().filter(|one| doubted(one)).count(), 1, "the new column is not told");
    let mut mirror = Mirror::default();
    mirror.apply(&whole);
    let sql = "SELECT count(*) FROM t WHERE id > 1 AND id <= 600";
    assert_eq!(server.sql("packed", sql).unwrap().trim(), "599");
    let source = source(&server, "packed", &["t"]);
    let chunks = copy(&source, &TableName::new("packed", "t"), 100).await;
    let copied: Vec<Vec<String>> =
        chunks.iter().flat_map(rows).map(|row| show_all(&row)).skip(1).collect();
    let mut logged = mirror.table("packed.t");
    logged.sort_by_key(|row| row[0].parse::<u32>().unwrap());
    // Rows that were not written again keep the columns they had then.
    for row in &mut logged {
        row.resize(4, "NULL".to_owned());
    }
    assert_eq!(logged, copied);
    assert_eq!(log.schemas.len(), 2, "the table is read again after its ALTER");
}
