//! A disk that fills while changes flow: what is not durable is not confirmed, the daemon says so, goes on
//! by itself once there is room, and nothing is lost.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_postgres::Client;

use crate::agreement::{self, postgres, store};
use crate::support::process::{Installation, Running};
use crate::support::require::require;
use crate::support::servers;
use crate::support::small_disk::SmallDisk;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);
const TABLE: &str = "
    CREATE TABLE note (id int PRIMARY KEY, v int NOT NULL, body text NOT NULL);
    INSERT INTO note SELECT g, 0, repeat(md5(g::text), 20) FROM generate_series(1, 500) AS g;";
/// A transaction of half a MiB; texts that do not compress.
const WRITE: &str = "
    INSERT INTO note SELECT m + g, 1, (SELECT string_agg(md5(random()::text), '')
                                       FROM generate_series(1, 32 + 0 * g))
    FROM (SELECT max(id) AS m FROM note) AS last, generate_series(1, 500) AS g";
const CHANGE: &str = "UPDATE note SET v = v + 1 WHERE id % 3 = 0";

struct Scene {
    installation: Installation,
    disk: SmallDisk,
    client: Client,
    database: String,
}

impl Scene {
    /// `prepare`: what is done with the state folder once it lies on a disk of `mib` MiB.
    async fn new(mib: u32, limits: &str, prepare: &str) -> Self {
        let database = servers::postgres_database("full_disk");
        let server = servers::postgres();
        let client = postgres::connect(server, &database).await;
        client.batch_execute(TABLE).await.unwrap();
        let installation = Installation::new("");
        let source = format!(
            "[source.erp]\nkind = \"postgres\"\nurl = \"{}\"\ntables = [\"public.*\"]",
            server.url(&database)
        );
        store::configure(&installation, (&source, server.password()), None);
        let file = installation.state_folder().with_file_name("trueup.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace("[limits]\n", &format!("[limits]\n{limits}\n"));
        installation.write("trueup.toml", &text);
        std::fs::create_dir(installation.state_folder()).unwrap();
        let disk = SmallDisk::mount(&installation.state_folder(), mib);
        let mut shell = Command::new("sh");
        shell.args(["-ec", prepare, "sh"]).arg(installation.state_folder());
        assert!(disk.on_it(&shell).status().unwrap().success());
        Self { installation, disk, client, database }
    }

    fn start(&self) -> Running {
        let command = self.disk.on_it(&self.installation.command(&["run"]));
        Running::start(command, self.installation.state_folder().parent().unwrap())
    }

    async fn sql(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
    }

    async fn number(&self, sql: &str) -> i64 {
        self.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    /// What the server was told.
    async fn confirmed(&self) -> i64 {
        let sql = format!(
            "SELECT (confirmed_flush_lsn - '0/0')::bigint FROM pg_replication_slots
             WHERE database = '{}'",
            self.database
        );
        self.number(&sql).await
    }

    async fn end_of_log(&self) -> i64 {
        self.number("SELECT (pg_current_wal_lsn() - '0/0')::bigint").await
    }

    /// Waits until the server was told that everything up to `end` is durable.
    async fn told(&self, end: i64) {
        let began = Instant::now();
        while self.confirmed().await < end {
            assert!(began.elapsed() < PATIENCE, "{}", self.status());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn status(&self) -> Value {
        store::status(&self.installation).unwrap()
    }

    /// Changes rows on a disk that is kept full, until the status shows what is waited for.
    async fn change_until(&self, is_there: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        loop {
            self.disk.fill();
            self.sql(WRITE).await;
            self.sql(CHANGE).await;
            let status = self.status();
            if is_there(&status) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{status}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn equal(&self) {
        let contents = postgres::contents(&self.client, "erp", "-").await;
        assert!(contents.row_count() >= 1_000);
        agreement::mirror_agrees(&self.installation, &contents);
    }
}

/// Lines of the daemon's log that begin with a message, as what they say.
fn said(daemon: &Running, message: &str) -> Vec<Value> {
    let log = daemon.output();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"] == message).collect()
}

/// The daemon tries again, and again fails for want of room. It says so as an error, with the remedy, and
/// waits a little longer each time.
fn keeps_failing(scene: &Scene, daemon: &Running, message: &str) {
    let before = said(daemon, message).len();
    let failures = wait_until("three more attempts", PATIENCE, || {
        scene.disk.fill();
        let said = said(daemon, message);
        if said.len() >= before + 3 { Ok(said) } else { Err(format!("{said:?}")) }
    });
    for line in &failures {
        assert_eq!(line["level"], "ERROR", "{line}");
        assert!(line["hint"].as_str().unwrap().starts_with("free disk space"), "{line}");
        let retry_ms: u64 = line["retry_ms"].as_str().unwrap().parse().unwrap();
        assert!(retry_ms <= 15_000, "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_confirms_nothing_and_goes_on_by_itself() {
    if !require("postgres") || !require("tmpfs") {
        return;
    }
    let limits = "segment_bytes = 4194304\njournal_retention_hours = 0";
    let scene = Scene::new(64, limits, "true").await;
    let mut daemon = scene.start();
    wait_until("the copy", PATIENCE, || store::settled(&scene.installation));
    scene.sql(WRITE).await;
    scene.equal().await;

    // WHEN nothing fits any more and changes go on
    scene.change_until(|status| status["sources"][0]["state"] == "retrying").await;
    scene.sql(WRITE).await;
    let end = scene.end_of_log().await;
    // THEN the source is not told of them, people are, and it is tried again
    keeps_failing(&scene, &daemon, "capture failed, it is retried");
    assert!(daemon.ended().is_none());
    assert!(scene.confirmed().await < end);
    let source = scene.status()["sources"][0].clone();
    let text = format!("{} {}", source["message"], source["hint"]);
    assert!(text.contains("full") && text.contains("free disk space"), "{source}");
    let ready = format!("http://127.0.0.1:{}/readyz", scene.installation.http_port());
    assert_eq!(reqwest::get(ready).await.unwrap().status(), 503);
    wait_until("the status to say that the ledger is full", PATIENCE, || {
        scene.disk.fill();
        let conform = scene.status()["conform"].clone();
        if conform["ledger_full_seconds"] == 0 { Ok(()) } else { Err(conform.to_string()) }
    });

    // WHEN it starts on the full disk, it says the same
    daemon.kill();
    let mut daemon = scene.start();
    keeps_failing(&scene, &daemon, "capture failed, it is retried");
    keeps_failing(&scene, &daemon, "conforming failed, it is retried");
    assert!(daemon.ended().is_none());
    assert!(scene.confirmed().await < end);

    // WHEN there is room again THEN it goes on, and nothing is lost
    scene.disk.free();
    scene.told(end).await;
    scene.equal().await;
    assert!(daemon.ended().is_none());
}

/// The store lies on the small disk, capture log and ledger beside it.
const LEDGER_ELSEWHERE: &str = "
    mkdir \"$1/../journal\"; ln -s ../journal \"$1/journal\"
    ln -s ../ledger.sqlite \"$1/ledger.sqlite\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_of_the_store_keeps_nothing_from_being_captured() {
    if !require("postgres") || !require("tmpfs") {
        return;
    }
    let scene = Scene::new(48, "", LEDGER_ELSEWHERE).await;
    let mut daemon = scene.start();
    wait_until("the copy", PATIENCE, || store::settled(&scene.installation));
    // WHEN nothing fits into the store any more and changes go on
    scene.change_until(|status| status["conform"]["error"].is_string()).await;
    keeps_failing(&scene, &daemon, "conforming failed, it is retried");
    // THEN the source is told of what comes, because the ledger has it
    scene.sql(WRITE).await;
    scene.told(scene.end_of_log().await).await;
    let status = scene.status();
    assert!(status["conform"]["journal_behind_entries"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(status["sources"][0]["state"], "streaming");
    assert!(daemon.ended().is_none());
    // WHEN there is room again THEN the store catches up
    scene.disk.free();
    scene.equal().await;
    assert!(daemon.ended().is_none());
}
