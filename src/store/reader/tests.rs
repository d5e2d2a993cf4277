//! What an analyst may not do, and that nobody waits for one.

use crate::store::{Live, Store, StoreLimits};

fn open(folder: &std::path::Path) -> Store {
    Store::open(folder, StoreLimits { memory_bytes: 64 << 20, threads: 1 }, &Live::default())
        .unwrap()
}

/// Statements that would reach beyond the store.
fn reaching(secret: &str, out: &str, folder: &std::path::Path) -> Vec<String> {
    vec![
        format!("SELECT * FROM read_text('{secret}')"),
        format!("SELECT * FROM read_blob('{secret}')"),
        format!("SELECT * FROM read_csv('{secret}')"),
        format!("SELECT * FROM read_json('{secret}')"),
        format!("SELECT * FROM read_parquet('{secret}')"),
        format!("SELECT * FROM sniff_csv('{secret}')"),
        format!("SELECT * FROM '{secret}'"),
        format!("SELECT * FROM query('FROM read_text(''{secret}'')')"),
        format!("SELECT * FROM query_table('{secret}')"),
        format!("SELECT (SELECT content FROM read_text('{secret}'))"),
        format!("SELECT * FROM glob('{}/*')", folder.display()),
        "SELECT * FROM read_csv('https://example.org/a.csv')".to_owned(),
        "SELECT * FROM read_parquet('s3://bucket/a.parquet')".to_owned(),
        "SELECT getenv('PATH')".to_owned(),
        format!("COPY (SELECT 1) TO '{out}'"),
        format!("COPY ops.mark FROM '{secret}'"),
        format!("EXPORT DATABASE '{out}'"),
        format!("ATTACH '{out}' AS other"),
        "ATTACH ':memory:' AS other".to_owned(),
    ]
}

/// Statements that would change something, or that are not one SELECT.
const CHANGING: &[&str] = &[
    "DETACH store",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET threads = 64",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET memory_limit",
    "PRAGMA enable_profiling",
    "PRAGMA database_list; SELECT 1",
    "SELECT 1; SELECT 2",
    "COMMIT; DELETE FROM ops.mark",
    "CREATE TABLE t (a INT)",
    "CREATE TEMP TABLE t (a INT)",
    "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "DROP TABLE ops.mark",
    "ALTER TABLE ops.mark ADD COLUMN x INT",
    "INSERT INTO ops.mark VALUES (1, 1, 1, now())",
    "UPDATE ops.mark SET batch = 1",
    "DELETE FROM ops.mark",
    "WITH d AS (DELETE FROM ops.mark RETURNING *) SELECT * FROM d",
    "EXPLAIN ANALYZE DELETE FROM ops.mark",
    "CALL pragma_version()",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "USE memory",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "VACUUM",
];

#[test]
fn no_statement_reaches_beyond_the_store_or_changes_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let reader = store.reader().unwrap();
    // GIVEN files that a user of this machine may read or write
    let secret = folder.path().join("secret.csv");
    std::fs::write(&secret, "a\n1\n").unwrap();
    let out = folder.path().join("out.csv");
    let (secret, out) = (secret.display(), out.display());
    let (secret, out) = (secret.to_string(), out.to_string());
    let reaching = reaching(&secret, &out, folder.path());
    let escapes = reaching.iter().map(String::as_str).chain(CHANGING.iter().copied());
    // THEN each is refused, and leaves no file
    for sql in escapes {
        let answer = reader.query(sql, 10);
        assert!(answer.is_err(), "{sql}: {answer:?}");
    }
    let mut left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
    left.retain(|entry| !entry.file_name().to_string_lossy().starts_with("store."));
    assert_eq!(left.len(), 1, "{left:?}");
    // The writer is bound by it too: a mapping cannot read files either.
    let own = store.connection().execute_batch(&reaching[0]);
    assert!(own.is_err());
    // WHEN it is a plain SELECT THEN it works, in UTC
    for (sql, expected) in [
        ("SELECT 1 + 1", "2"),
        ("FROM (VALUES (3))", "3"),
        ("WITH t AS (SELECT 4 AS n) SELECT n FROM t", "4"),
        ("SELECT count(*) FROM ops.mark", "0"),
        ("SELECT current_setting('TimeZone')", "UTC"),
    ] {
        let rows = reader.query(sql, 10).unwrap().rows;
        assert_eq!(rows, [[Some(expected.to_owned())]], "{sql}");
    }
}

#[test]
fn what_does_not_fit_into_memory_spills_into_the_state_folder() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    // 64 MiB of memory, about 160 MiB of rows to sort.
    let sql = "SELECT max(n) FROM (SELECT n, md5(n::VARCHAR) AS h, repeat('x', 40) AS pad
               FROM range(2000000) AS t(n) ORDER BY h LIMIT 1999999)";
    let rows = store.reader().unwrap().query(sql, 1).unwrap().rows;
    assert!(rows[0][0].is_some());
}

#[test]
fn a_stopped_statement_ends_and_nobody_waits_for_a_long_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let reader = store.reader().unwrap();
    // GIVEN a statement that would run for hours
    let long = reader.statement().unwrap();
    let stop = long.stop();
    let sql = "SELECT sum(a.n * b.n) FROM range(10000000) a(n), range(10000000) b(n)";
    let running = std::thread::spawn(move || long.query(sql, 1));
    // WHEN others ask meanwhile THEN they are answered
    for n in 0..20 {
        let rows = reader.query(&format!("SELECT {n}"), 1).unwrap().rows;
        assert_eq!(rows, [[Some(n.to_string())]]);
    }
    assert!(!running.is_finished());
    // WHEN it is stopped THEN it ends, and only it
    let other = reader.statement().unwrap();
    drop(stop);
    let ended = running.join().unwrap().unwrap_err();
    assert!(ended.chain().contains("INTERRUPT") || ended.chain().contains("stopped"), "{ended:?}");
    assert!(other.query("SELECT 1", 1).is_ok());
    // A statement that was stopped before it began does not begin.
    let late = reader.statement().unwrap();
    drop(late.stop());
    assert_eq!(late.query(sql, 1).unwrap_err().to_string(), "the statement was stopped");
}

#[test]
fn a_file_has_one_instance_however_long_its_readers_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let reader = store.reader().unwrap();
    let statement = reader.statement().unwrap();
    let again = || {
        Store::open(
            folder.path(),
            StoreLimits { memory_bytes: 64 << 20, threads: 1 },
            &Live::default(),
        )
    };
    // WHEN the writer is gone, and then the reader, but a statement is still there
    drop(store);
    assert!(again().is_err());
    drop(reader);
    let error = again().unwrap_err();
    assert!(error.chain().contains("statements still run"), "{}", error.chain());
    // THEN the file is free once the last has ended
    assert!(statement.query("SELECT 1", 1).is_ok());
    assert!(again().is_ok());
}

/// What an opening makes (the catalogs for people's tools) is read again from DuckDB's log. It would
/// not be with a CREATE TYPE in a schema: DuckDB 1.5 cannot replay that.
#[test]
fn a_store_whose_daemon_was_killed_opens_again() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let _store = open(first.path());
    for name in ["store.duckdb", "store.duckdb.wal"] {
        std::fs::copy(first.path().join(name), second.path().join(name)).unwrap();
    }
    let store = open(second.path());
    let reader = store.reader().unwrap();
    let rows = reader.query("SELECT typname FROM pg.pg_type WHERE oid = 23", 2).unwrap();
    assert_eq!(rows.rows, [[Some("int4".to_owned())]]);
}

/// Housekeeping may wait; conforming must not fail because of it.
#[test]
fn a_checkpoint_waits_for_whoever_writes_apart() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let statement = store.reader().unwrap().statement().unwrap();
    let before = store.wal_bytes();
    assert!(before > 0);
    let tidied = statement.apart(|connection| {
        connection.execute_batch("CREATE TABLE ops.apart (a INTEGER)").unwrap();
        store.tidy_up()
    });
    tidied.unwrap();
    assert!(store.wal_bytes() >= before, "it was not done while somebody wrote");
    store.tidy_up().unwrap();
    assert!(store.wal_bytes() < before, "it is done afterwards");
}
