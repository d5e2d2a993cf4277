//! A server whose log is another one than we read, although it reaches as far: its data folder was
//! put back from a copy, and it went on.

use std::path::PathBuf;

use trueup::change::{Position, Reached};
use trueup::demo::servers::{Options, PostgresServer};
use trueup::source::{Captured, Source, Standing, Stream};

use super::{Bench, SOON, lsn};
use crate::agreement::store;
use crate::spine::store_rows;
use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::servers::copy_folder;
use crate::support::wait::wait_until;

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE other (id int);";

/// A copy of a server's data folder, as a snapshot of its disk would be.
struct Copy {
    folder: PathBuf,
    kept: tempfile::TempDir,
}

impl Copy {
    fn of(server: &PostgresServer) -> Self {
        let folder = server.sql("postgres", "SHOW data_directory").unwrap();
        let copy =
            Self { folder: PathBuf::from(folder.trim()), kept: tempfile::tempdir().unwrap() };
        server.stop_immediately().unwrap();
        copy_folder(&copy.folder, &copy.kept.path().join("data"));
        server.start_again().unwrap();
        copy
    }

    fn put_back(&self, server: &PostgresServer) {
        server.stop_immediately().unwrap();
        std::fs::remove_dir_all(&self.folder).unwrap();
        copy_folder(&self.kept.path().join("data"), &self.folder);
        server.start_again().unwrap();
    }
}

/// Up to where the slot was confirmed when that was last written to the disk.
fn confirmed(bench: &Bench) -> u64 {
    let sql = format!(
        "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{}'",
        bench.slot()
    );
    trueup::change::position::parse_lsn(bench.sql(&sql).trim()).unwrap()
}

/// Reads as capture does up to the end of the log, and confirms it.
async fn read_all(bench: &Bench, stream: &mut Stream, reached: &mut Reached) {
    let end = bench.insert_lsn();
    while lsn(&reached.position) < end {
        let next = tokio::time::timeout(SOON, stream.next()).await;
        match next.expect("the log stands still").unwrap() {
            Captured::End(now) => *reached = now,
            // As the ledger: what the last transaction looked like is kept.
            Captured::Idle(now) => reached.position = now.position,
            Captured::Frame(_) | Captured::Schema(_) => {}
        }
    }
    stream.confirm(&reached.position);
    let position = lsn(&reached.position);
    wait_until("the confirmation", SOON, || match confirmed(bench) {
        at if at >= position => Ok(()),
        at => Err(Position::Lsn(at).to_string()),
    });
}

/// What capture is told when it connects: first by the slot alone, then by the log.
async fn judge(source: &Source, reached: &Reached) -> Standing {
    let by_slot = source.standing(Some(&reached.position), None).await.unwrap();
    assert_eq!(by_slot, Standing::Continues, "the slot must not tell");
    source.recognize(reached).await.unwrap()
}

fn gap(standing: Standing) -> String {
    match standing {
        Standing::Gap(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_folder_put_back_from_a_copy_is_a_gap_once_it_was_written_to() {
    if !require("postgres") {
        return;
    }
    let bench = Bench::alone(&Options::default(), TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reached = Reached::from(prepared.start.clone());
    let mut stream = source.stream(&prepared.start, &[]).await.unwrap();
    bench.sql("INSERT INTO t VALUES (1, 'before the copy'); CHECKPOINT");
    read_all(&bench, &mut stream, &mut reached).await;
    drop(stream);
    let copy = Copy::of(&bench.server);

    // GIVEN more that was read and confirmed. WHEN the server crashes and forgets the confirmation
    assert_eq!(judge(&source, &reached).await, Standing::Continues);
    let mut stream = source.stream(&reached.position, &[]).await.unwrap();
    bench.sql("INSERT INTO t VALUES (2, 'lost'); INSERT INTO t VALUES (3, 'lost')");
    bench.sql("INSERT INTO other SELECT generate_series(1, 100)");
    read_all(&bench, &mut stream, &mut reached).await;
    assert!(reached.witness.is_some());
    drop(stream);
    bench.server.stop_immediately().unwrap();
    bench.server.start_again().unwrap();
    // THEN the log is read again from there, and is the same.
    assert!(confirmed(&bench) < lsn(&reached.position), "nothing was forgotten");
    assert_eq!(judge(&source, &reached).await, Standing::Continues);

    // WHEN the copy is put back and written to
    copy.put_back(&bench.server);
    bench.sql("INSERT INTO t VALUES (2, 'more')");
    bench.sql("INSERT INTO other SELECT generate_series(1, 10000)");
    let why = gap(judge(&source, &reached).await);
    assert!(why.contains("put back from a copy"), "{why}");

    // or to nothing of ours
    copy.put_back(&bench.server);
    bench.sql("INSERT INTO other SELECT generate_series(1, 10000)");
    let why = gap(judge(&source, &reached).await);
    assert!(why.contains("is not there"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_where_an_idle_log_had_nothing_is_a_gap() {
    if !require("postgres") {
        return;
    }
    let bench = Bench::alone(&Options::default(), TABLE);
    let source = bench.source(&["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let mut reached = Reached::from(prepared.start.clone());
    let copy = Copy::of(&bench.server);
    // GIVEN a log in which only others wrote.
    let mut stream = source.stream(&prepared.start, &[]).await.unwrap();
    bench.sql("INSERT INTO other SELECT generate_series(1, 10000)");
    read_all(&bench, &mut stream, &mut reached).await;
    assert_eq!(reached.witness, None);
    drop(stream);
    assert_eq!(judge(&source, &reached).await, Standing::Continues);
    // WHEN the copy is put back, and before that place a row of ours is written
    copy.put_back(&bench.server);
    bench.sql("INSERT INTO t VALUES (1, 'never seen')");
    bench.sql("INSERT INTO other SELECT generate_series(1, 20000)");
    // THEN it would be skipped.
    let why = gap(judge(&source, &reached).await);
    assert!(why.contains("was not there when we read it"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_remembers_what_it_read_last() {
    if !require("postgres") {
        return;
    }
    let bench = Bench::alone(&Options::default(), TABLE);
    let installation = Installation::new("");
    let source = format!(
        "[source.erp]\nkind = \"postgres\"\nurl = \"{}\"\ntables = [\"public.t\"]",
        bench.server.url(&bench.database)
    );
    store::configure(&installation, (&source, bench.server.password()), None);
    let mirrored = |expected: &str| {
        wait_until("the mirror", SOON * 2, || {
            let sql = "SELECT string_agg(id::text, ' ' ORDER BY id) FROM erp.t";
            let rows = store_rows(&installation, sql)?;
            let found = rows[0][0].clone().unwrap_or_default();
            if found == expected { Ok(()) } else { Err(found) }
        });
    };
    bench.sql("INSERT INTO t VALUES (1, 'a')");
    let mut daemon = installation.start(&["run"], &[]);
    mirrored("1");
    let copy = Copy::of(&bench.server);
    // The server forgets what was confirmed, and the daemon goes on.
    for id in 2..5 {
        bench.sql(&format!("INSERT INTO t VALUES ({id}, 'b')"));
        mirrored(&(1..=id).map(|id| id.to_string()).collect::<Vec<_>>().join(" "));
        bench.server.stop_immediately().unwrap();
        bench.server.start_again().unwrap();
    }
    daemon.kill();
    // WHEN the copy is put back, and other rows are written
    copy.put_back(&bench.server);
    bench.sql("INSERT INTO t VALUES (2, 'c')");
    bench.sql("INSERT INTO other SELECT generate_series(1, 20000)");
    // THEN that is a gap
    let _daemon = installation.start(&["run"], &[]);
    wait_until("the gap", SOON * 2, || {
        let output = installation.output(&["status", "--json"]);
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let source = &said["sources"][0];
        let why = source["message"].as_str().unwrap_or_default();
        let is_gap = source["state"] == "gap" && why.contains("put back from a copy");
        if is_gap { Ok(()) } else { Err(said.to_string()) }
    });
}
