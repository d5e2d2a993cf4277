//! The copy: what a chunk may count, what it could not see, and that it misses no row.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Bench, Reader, SOON, chunk_rows, copy, lay, lsn, name, texts};
use trueup::change::{Row, TransactionId};
use trueup::demo::servers::Options;
use trueup::source::{Fence, Span};

const TWO_TABLES: &str = "CREATE TABLE a (id int PRIMARY KEY, v text);
                          CREATE TABLE b (id int PRIMARY KEY, v text);";

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_open_while_a_table_joins_the_publication_is_waited_for() {
    // GIVEN a captured source, and a writer that has written to a table not yet published.
    let bench = Bench::alone(&Options::default(), TWO_TABLES);
    let prepared = bench.source(&["a"]).prepare(None).await.unwrap();
    let writer = bench.session().await;
    writer.batch_execute("BEGIN; INSERT INTO b VALUES (1, 'early')").await.unwrap();
    let pid: i32 = writer.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    // WHEN the table joins.
    let source = bench.source(&["a", "b"]);
    let joined = source.prepare(Some(&prepared.start)).await.unwrap();
    assert_eq!(joined.added, [name("b")]);
    assert_eq!(joined.start, prepared.start);
    // Without the fence the early row would be in neither copy nor log: the trap is real.
    let hasty = copy(&source, Fence::Open, "b", 100).await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let (copied, fence, tell) = (source.clone(), joined.fence.clone(), Arc::clone(&told));
    let chunk = tokio::spawn(async move {
        let mut copier = copied.copier(fence).await.unwrap();
        let waiting = move |whom| tell.lock().unwrap().push(whom);
        copier.chunk(&name("b"), Span::default(), 100, &waiting).await.unwrap()
    });
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!chunk.is_finished(), "the chunk must wait for the writer");
    writer.batch_execute("INSERT INTO b VALUES (2, 'late'); COMMIT").await.unwrap();
    let chunk = tokio::time::timeout(SOON, chunk).await.unwrap().unwrap();
    // THEN copy and log together are the table, and the operator was told who was waited for.
    let mut reader = Reader::open(&source, &joined.start).await;
    reader.read_to(lsn(&chunk.admit_after)).await;
    let truth = bench.table("SELECT * FROM b");
    assert_eq!(lay(&[chunk], &reader.transactions), truth);
    assert_ne!(lay(&hasty, &reader.transactions), truth);
    let told = told.lock().unwrap();
    assert!(told[0].contains(&format!("pid {pid}")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_younger_than_the_change_of_the_publication_is_waited_for_too() {
    // GIVEN a publication that somebody else has just changed, and a writer who began to write
    // after that change began and before it was committed: no younger transaction has finished.
    let bench = Bench::alone(&Options::default(), TWO_TABLES);
    let prepared = bench.source(&["a"]).prepare(None).await.unwrap();
    let (owner, writer) = (bench.session().await, bench.session().await);
    let alter = format!("BEGIN; ALTER PUBLICATION {} ADD TABLE b", bench.slot());
    owner.batch_execute(&alter).await.unwrap();
    writer.batch_execute("BEGIN; INSERT INTO b VALUES (1, 'early')").await.unwrap();
    owner.batch_execute("COMMIT").await.unwrap();
    // WHEN the table is copied while the writer is still open.
    let source = bench.source(&["a", "b"]);
    let joined = source.prepare(Some(&prepared.start)).await.unwrap();
    let (copying, fence) = (source.clone(), joined.fence.clone());
    let chunks = tokio::spawn(async move { copy(&copying, fence, "b", 100).await });
    tokio::time::sleep(Duration::from_millis(700)).await;
    writer.batch_execute("INSERT INTO b VALUES (2, 'late'); COMMIT").await.unwrap();
    let chunks = tokio::time::timeout(SOON, chunks).await.unwrap().unwrap();
    // THEN both rows are there.
    let mut reader = Reader::open(&source, &joined.start).await;
    reader.read_to(lsn(&chunks[0].admit_after)).await;
    assert_eq!(lay(&chunks, &reader.transactions), bench.table("SELECT * FROM b"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_transaction_is_waited_for_and_named() {
    let bench = Bench::alone(&Options::default(), TWO_TABLES);
    let source = bench.source(&["a"]);
    let start = source.prepare(None).await.unwrap().start;
    bench.sql("BEGIN; INSERT INTO a VALUES (1, 'x'); PREPARE TRANSACTION 'month end';");
    let fence = source.prepare(Some(&start)).await.unwrap().fence;
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    let mut copier = source.copier(fence).await.unwrap();
    let chunk = tokio::spawn(async move {
        let waiting = move |whom| tell.lock().unwrap().push(whom);
        copier.chunk(&name("a"), Span::default(), 100, &waiting).await.unwrap()
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    bench.sql("COMMIT PREPARED 'month end'");
    let chunk = tokio::time::timeout(SOON, chunk).await.unwrap().unwrap();
    assert_eq!(chunk.row_count, 1);
    assert!(told.lock().unwrap()[0].contains("prepared transaction 'month end'"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_open_while_the_slot_is_made_loses_nothing() {
    let bench = Bench::new(TWO_TABLES);
    let writer = bench.session().await;
    writer.batch_execute("BEGIN; INSERT INTO a VALUES (1, 'before')").await.unwrap();
    let source = bench.source(&["a"]);
    let preparing = source.clone();
    let prepared = tokio::spawn(async move { preparing.prepare(None).await.unwrap() });
    tokio::time::sleep(Duration::from_millis(500)).await;
    writer.batch_execute("INSERT INTO a VALUES (2, 'while'); COMMIT").await.unwrap();
    let prepared = tokio::time::timeout(SOON, prepared).await.unwrap().unwrap();
    writer.batch_execute("BEGIN; INSERT INTO a VALUES (3, 'after')").await.unwrap();
    let chunks = copy(&source, prepared.fence.clone(), "a", 100).await;
    writer.batch_execute("UPDATE a SET v = 'again' WHERE id = 1; COMMIT").await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    reader.read_to(bench.insert_lsn().max(lsn(&chunks[0].admit_after))).await;
    assert_eq!(lay(&chunks, &reader.transactions), bench.table("SELECT * FROM a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_decoded_while_invisible_counts_as_unseen() {
    // GIVEN a commit that is in the log and waits for a standby that is not there.
    let bench = Bench::alone(&Options::default(), TWO_TABLES);
    bench.sql("INSERT INTO a VALUES (1, 'old')");
    let source = bench.source(&["a"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    bench.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'; SELECT pg_reload_conf();");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let writer = bench.session().await;
    let update = tokio::spawn(async move {
        writer.batch_execute("UPDATE a SET v = 'new' WHERE id = 1").await.unwrap();
    });
    while reader.rows().is_empty() {
        reader.step().await;
    }
    // WHEN a chunk is read now.
    let chunks = copy(&source, Fence::Open, "a", 100).await;
    // THEN it shows the old row, by its position it should not, and by its snapshot it may.
    assert!(!update.is_finished(), "the commit must still be invisible");
    assert_eq!(texts(&chunk_rows(&chunks[0])[0]), ["1", "old"]);
    let transaction = reader.transactions.last().unwrap();
    assert!(transaction.position.covers(&prepared.start).unwrap());
    assert!(chunks[0].admit_after.covers(&transaction.position).unwrap());
    assert!(!chunks[0].visibility.sees(transaction.id).unwrap());
    bench.sql(
        "SET synchronous_commit = off;
         ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf();",
    );
    tokio::time::timeout(SOON, update).await.unwrap().unwrap();
    assert_eq!(lay(&chunks, &reader.transactions), bench.table("SELECT * FROM a"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_chunk_has_seen_survives_a_crash_of_the_source() {
    // GIVEN commits that are answered before they are written to the WAL.
    let options = Options::default()
        .setting("synchronous_commit", "off")
        .setting("wal_writer_delay", "'10s'")
        .setting("wal_writer_flush_after", "0")
        .setting("autovacuum", "off");
    let bench = Bench::alone(&options, TWO_TABLES);
    let source = bench.source(&["a"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut copier = source.copier(prepared.fence).await.unwrap();
    let writer = bench.session().await;
    // WHEN a chunk sees one of them, and the source crashes.
    writer.batch_execute("INSERT INTO a VALUES (1, 'phantom')").await.unwrap();
    let chunk = copier.chunk(&name("a"), Span::default(), 10, &|_| {}).await.unwrap();
    bench.server.stop_immediately().unwrap();
    bench.server.start_again().unwrap();
    // THEN the source still has what the chunk has, and the log still carries it.
    assert_eq!(chunk.row_count, 1);
    assert_eq!(bench.sql("SELECT v FROM a"), "phantom\n");
    let mut reader = Reader::open(&source, &prepared.start).await;
    reader.read_to(lsn(&chunk.admit_after)).await;
    assert_eq!(reader.rows().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_rewritten_under_the_copy_is_not_taken_for_empty() {
    let bench = Bench::new("CREATE TABLE a (id int PRIMARY KEY, v int)");
    bench.sql("INSERT INTO a SELECT n, n FROM generate_series(1, 10) n");
    let source = bench.source(&["a"]);
    source.prepare(None).await.unwrap();
    // GIVEN a rewriting ALTER that is about to commit.
    let owner = bench.session().await;
    owner.batch_execute("BEGIN; ALTER TABLE a ALTER v TYPE bigint").await.unwrap();
    // WHEN a chunk begins before and reads after it.
    let copying = source.clone();
    let chunks = tokio::spawn(async move { copy(&copying, Fence::Open, "a", 100).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    owner.batch_execute("COMMIT").await.unwrap();
    // THEN it has every row, in the new shape.
    let chunks = tokio::time::timeout(SOON, chunks).await.unwrap().unwrap();
    assert_eq!(chunks[0].row_count, 10);
    assert_eq!(chunks[0].table.columns[1].source_type, "bigint");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_page_through_awkward_keys() {
    let bench = Bench::new(
        "CREATE TABLE pages (\"Odd key\" text, n numeric(9,2), at timestamptz, v text,
                             PRIMARY KEY (at, \"Odd key\", n));
         INSERT INTO pages SELECT k, n * 1.5, '2026-03-29 00:30+00'::timestamptz + n * interval '30 min', 'v'
         FROM unnest(ARRAY['', 'a''b', 'back\\slash', E'tab\\there', E'new\\nline', 'ünï', '\\N', '--'])
              WITH ORDINALITY AS k (k, o), generate_series(1, 5) n;",
    );
    let source = bench.source(&["pages"]);
    source.prepare(None).await.unwrap();
    for rows_max in [1, 3, 7, 40, 100] {
        let chunks = copy(&source, Fence::Open, "pages", rows_max).await;
        assert!(chunks.iter().all(|chunk| chunk.row_count <= u64::from(rows_max)));
        let mut seen: Vec<String> =
            chunks.iter().flat_map(chunk_rows).map(|row| texts(&row[..3]).join("¦")).collect();
        seen.sort_unstable();
        let truth = bench.sql(
            "SET TimeZone = 'UTC';
             SELECT encode(convert_to(\"Odd key\" || '¦' || n || '¦' || at, 'UTF8'), 'hex') FROM \
                 pages",
        );
        let mut truth: Vec<&str> = truth.lines().collect();
        truth.sort_unstable();
        let mut seen: Vec<String> = seen
            .iter()
            .map(|row| row.bytes().map(|byte| format!("{byte:02x}")).collect())
            .collect();
        seen.sort_unstable();
        assert_eq!(seen, truth, "{rows_max} rows a chunk");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_log_passes_the_chunk() {
    let bench = Bench::new(TWO_TABLES);
    let source = bench.source(&["a"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reader = Reader::open(&source, &prepared.start).await;
    let chunks = copy(&source, prepared.fence, "a", 100).await;
    assert_eq!(chunks[0].row_count, 0);
    assert_eq!(chunks[0].next_after, None);
    reader.read_to(lsn(&chunks[0].admit_after)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn children_by_inheritance_are_tables_of_their_own_and_partitions_are_not() {
    let bench = Bench::new(
        "CREATE TABLE parent (id int PRIMARY KEY, v text);
         CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
         CREATE TABLE sales (id int, year int, v text, PRIMARY KEY (id, year)) PARTITION BY LIST (year);
         CREATE TABLE sales_2025 PARTITION OF sales FOR VALUES IN (2025);
         CREATE TABLE sales_2026 PARTITION OF sales FOR VALUES IN (2026);
         INSERT INTO parent VALUES (1, 'p'); INSERT INTO child VALUES (2, 'c');
         INSERT INTO sales VALUES (1, 2025, 'a'), (2, 2026, 'b');",
    );
    let source = bench.source(&["parent", "sales"]);
    let prepared = source.prepare(None).await.unwrap();
    let named: Vec<String> = prepared.tables.iter().map(|table| table.name.to_string()).collect();
    assert_eq!(named, ["public.parent", "public.sales"]);
    let parent = copy(&source, prepared.fence.clone(), "parent", 10).await;
    assert_eq!(texts(&chunk_rows(&parent[0])[0]), ["1", "p"]);
    assert_eq!(parent[0].row_count, 1);
    assert_eq!(copy(&source, prepared.fence, "sales", 10).await[0].row_count, 2);
    bench.sql(
        "INSERT INTO child VALUES (3, 'not ours'); INSERT INTO sales_2025 VALUES (3, 2025, 'leaf');
         UPDATE sales SET year = 2026 WHERE id = 1; DELETE FROM sales_2026 WHERE id = 2;",
    );
    let mut reader = Reader::open(&source, &prepared.start).await;
    reader.read_to(bench.insert_lsn()).await;
    let rows = reader.rows();
    assert!(rows.iter().all(|row| row.table.name == name("sales")));
    let seen: Vec<String> = rows
        .iter()
        .map(|row| {
            let side = |row: &Option<Row>| row.as_ref().map(|row| texts(row).swap_remove(0));
            format!("{} {:?}>{:?}", row.op.word(), side(&row.old), side(&row.new))
        })
        .collect();
    let expected = [
        "insert None>Some(\"3\")",
        // A row that changes its partition is deleted here and inserted there.
        "delete Some(\"1\")>None",
        "insert None>Some(\"1\")",
        "delete Some(\"2\")>None",
    ];
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn wide_rows_make_short_chunks() {
    let bench = Bench::new(
        "CREATE TABLE wide (id int PRIMARY KEY, v text);
         ALTER TABLE wide ALTER v SET STORAGE EXTERNAL;
         INSERT INTO wide SELECT n, repeat('x', 100000) FROM generate_series(1, 1300) n;",
    );
    let source = bench.source(&["wide"]);
    source.prepare(None).await.unwrap();
    let chunks = copy(&source, Fence::Open, "wide", 10_000).await;
    assert_eq!(chunks.iter().map(|chunk| chunk.row_count).sum::<u64>(), 1300);
    assert!(chunks[0].row_count < 1_000, "the first one does not know how wide rows are");
    for chunk in &chunks {
        assert!(chunk.rows.len() < 17 << 20, "{} bytes", chunk.rows.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_id_is_whole() {
    let bench = Bench::new(TWO_TABLES);
    let source = bench.source(&["a"]);
    let prepared = source.prepare(None).await.unwrap();
    let xid =
        bench.sql("BEGIN; INSERT INTO a VALUES (1, 'x'); SELECT pg_current_xact_id(); COMMIT;");
    let mut reader = Reader::open(&source, &prepared.start).await;
    reader.read_to(bench.insert_lsn()).await;
    assert_eq!(reader.transactions[0].id, TransactionId::Xid(xid.trim().parse().unwrap()));
}
