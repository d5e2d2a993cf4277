//! A server whose log is another one than we read, under the same numbers: it was restored, or lost
//! transactions in a crash, and went on.

use std::path::PathBuf;

use trueup::change::Reached;
use trueup::demo::servers::{MariadbServer, Options};
use trueup::source::Standing;
use trueup::source::mysql::Mysql;

use super::harness::{Log, end_of_log, row_changes, source};
use crate::agreement::store;
use crate::spine::store_rows;
use crate::support::process::Installation;
use crate::support::require::version;
use crate::support::servers::copy_folder;
use crate::support::versions::{Version, on_versions};
use crate::support::wait::wait_until;

struct Bench {
    server: MariadbServer,
    source: Mysql,
    log: Log,
}

impl Bench {
    async fn new(version: Version) -> Self {
        let server = MariadbServer::start(&Options::default().version(version)).unwrap();
        server.create_database("hr").unwrap();
        server.sql("hr", "CREATE TABLE t (id int PRIMARY KEY, name text)").unwrap();
        let source = source(&server, "hr", &["t"]);
        let log = Log::start(&source).await;
        Self { server, source, log }
    }

    fn sql(&self, statements: &str) {
        self.server.sql("hr", statements).unwrap();
    }

    async fn reached(&mut self) -> Reached {
        self.log.read_all(&self.server).await;
        self.log.reached.clone().unwrap()
    }

    /// What capture is told when it connects: first by the numbers alone, then by the log.
    async fn judge(&self, reached: &Reached) -> Standing {
        let by_number = self.source.standing(Some(&reached.position), None).await.unwrap();
        assert_eq!(by_number, Standing::Continues, "the numbers must not tell");
        let known = trueup::source::Source::Mysql(self.source.clone());
        known.recognize(reached).await.unwrap()
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from(self.server.sql("", "SELECT @@datadir").unwrap().trim())
    }
}

fn gap(standing: Standing) -> String {
    match standing {
        Standing::Gap(why) => why,
        other => panic!("{other:?}"),
    }
}

async fn a_log_that_was_read_is_recognized_as_long_as_it_is_there(version: Version) {
    let mut bench = Bench::new(version).await;
    // A transaction of ours, one of nobody's, one larger than what is kept in mind, a statement.
    let others = "CREATE DATABASE other; CREATE TABLE other.t (id int PRIMARY KEY);";
    let large = "INSERT INTO t SELECT seq + 100, repeat(md5(seq), 30) FROM seq_1_to_3000";
    for step in ["INSERT INTO t VALUES (1, 'a')", others, large, "ALTER TABLE t ADD COLUMN b int"] {
        bench.sql(step);
        let reached = bench.reached().await;
        assert!(reached.witness.is_some(), "{step}");
        assert_eq!(bench.judge(&reached).await, Standing::Continues, "{step}");
        bench.sql("FLUSH BINARY LOGS");
        assert_eq!(bench.judge(&reached).await, Standing::Continues, "{step}, in an older file");
    }
    // A restart writes nothing of the log anew; a purged file cannot be looked at.
    let reached = bench.reached().await;
    bench.server.restart().unwrap();
    assert_eq!(bench.judge(&reached).await, Standing::Continues);
    let file = reached.witness.as_deref().unwrap().split(':').next().unwrap().to_owned();
    let wait = std::time::Duration::from_secs(20);
    wait_until("the purge", wait, || {
        bench.sql("FLUSH BINARY LOGS; PURGE BINARY LOGS BEFORE now() + INTERVAL 1 HOUR");
        let logs = bench.server.sql("", "SHOW BINARY LOGS").unwrap();
        if logs.contains(&file) { Err(logs) } else { Ok(()) }
    });
    assert_eq!(bench.judge(&reached).await, Standing::Continues);
}

async fn a_server_that_gives_the_same_numbers_to_other_transactions_is_a_gap(version: Version) {
    let mut bench = Bench::new(version).await;
    bench.sql("INSERT INTO t VALUES (1, 'before the backup')");
    let folder = bench.folder();
    let backup = tempfile::tempdir().unwrap();
    let kept = backup.path().join("data");
    bench.server.kill().unwrap();
    copy_folder(&folder, &kept);
    bench.server.start_again().unwrap();
    bench.log = Log::start(&bench.source).await;
    bench.sql("INSERT INTO t VALUES (2, 'lost')");
    let reached = bench.reached().await;
    assert_eq!(bench.judge(&reached).await, Standing::Continues);

    // WHEN the backup is put back, and a row of the same size is written in its place
    bench.server.kill().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    copy_folder(&kept, &folder);
    bench.server.start_again().unwrap();
    bench.sql("INSERT INTO t VALUES (2, 'more')");
    assert_eq!(end_of_log(&bench.server), reached.position);
    // THEN only the bytes tell
    let why = gap(bench.judge(&reached).await);
    assert!(why.contains("restored") && why.contains("another transaction"), "{why}");

    // WHEN its log begins anew and counts on from where it was
    let text = reached.position.to_string();
    let (head, sequence) = text.trim_start_matches("gtid:").rsplit_once('-').unwrap();
    let before = format!("{head}-{}", sequence.parse::<u64>().unwrap() - 1);
    bench.sql(&format!("RESET MASTER; SET GLOBAL gtid_binlog_state = '{before}'"));
    bench.sql("INSERT INTO t VALUES (3, 'other')");
    assert_eq!(end_of_log(&bench.server), reached.position);
    let why = gap(bench.judge(&reached).await);
    assert!(why.contains("restored"), "{why}");
    // and likewise with older files than ours
    let later = reached.witness.as_deref().unwrap().replacen(".00000", ".00009", 1);
    let why = gap(bench.judge(&Reached { witness: Some(later), ..reached }).await);
    assert!(why.contains("any more"), "{why}");
}

async fn a_daemon_remembers_what_it_read_last(version: Version) {
    let bench = Bench::new(version).await;
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"mariadb\"\nurl = \"{}\"\ntables = [\"hr.t\"]",
        bench.server.url("hr")
    );
    store::configure(&installation, (&source, bench.server.password()), None);
    bench.sql("INSERT INTO t VALUES (1, 'a')");
    let mut daemon = installation.start(&["run"], &[]);
    let wait = std::time::Duration::from_secs(60);
    let mirrored = |expected: &str| {
        wait_until("the mirror", wait, || {
            let rows =
                store_rows(&installation, "SELECT string_agg(id, ' ' ORDER BY id) FROM hr.t")?;
            let found = rows[0][0].clone().unwrap_or_default();
            if found == expected { Ok(()) } else { Err(found) }
        });
    };
    mirrored("1");
    bench.sql("INSERT INTO t VALUES (2, 'b')");
    mirrored("1 2");
    // WHEN it stops and starts THEN it goes on
    daemon.kill();
    let mut daemon = installation.start(&["run"], &[]);
    mirrored("1 2");
    bench.sql("INSERT INTO t VALUES (3, 'c')");
    mirrored("1 2 3");
    daemon.kill();
    // WHEN the number of its last transaction is given to another one
    let last = end_of_log(&bench.server).to_string();
    let (head, sequence) = last.trim_start_matches("gtid:").rsplit_once('-').unwrap();
    let before = format!("{head}-{}", sequence.parse::<u64>().unwrap() - 1);
    bench.sql(&format!("RESET MASTER; SET GLOBAL gtid_binlog_state = '{before}'"));
    bench.sql("UPDATE t SET name = 'd' WHERE id = 3");
    assert_eq!(end_of_log(&bench.server).to_string(), last);
    // THEN that is a gap
    let _daemon = installation.start(&["run"], &[]);
    wait_until("the gap", wait, || {
        let output = installation.output(&["status", "--json"]);
        let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let source = &said["sources"][0];
        let why = source["message"].as_str().unwrap_or_default();
        let is_gap = source["state"] == "gap" && why.contains("its numbers are the same");
        if is_gap { Ok(()) } else { Err(said.to_string()) }
    });
}

/// From MariaDB 11.7 on a large transaction is written to a file that becomes a binlog of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_becomes_a_binlog_of_its_own_is_read() {
    let Some(version) = version("mariadb118") else { return };
    let mut bench = Bench::new(version).await;
    bench.sql("INSERT INTO t VALUES (1, 'a')");
    bench.sql("SET GLOBAL binlog_large_commit_threshold = 10485760");
    let logs = || bench.server.sql("", "SHOW BINARY LOGS").unwrap().lines().count();
    let before = logs();
    bench.sql("INSERT INTO t SELECT seq + 100, repeat(md5(seq), 150) FROM seq_1_to_4000");
    assert_eq!(logs(), before + 1, "it must have become a file of its own");
    let told = bench.log.read_all(&bench.server).await;
    assert_eq!(row_changes(&told).len(), 4001);
    let reached = bench.log.reached.clone().unwrap();
    assert_eq!(bench.judge(&reached).await, Standing::Continues);
    bench.sql("INSERT INTO t VALUES (2, 'b')");
    let reached = bench.reached().await;
    assert_eq!(bench.judge(&reached).await, Standing::Continues);
    bench.server.restart().unwrap();
    assert_eq!(bench.judge(&reached).await, Standing::Continues);
}

on_versions! {
    [mariadb mariadb118]
    a_log_that_was_read_is_recognized_as_long_as_it_is_there
    a_server_that_gives_the_same_numbers_to_other_transactions_is_a_gap
    a_daemon_remembers_what_it_read_last
}
