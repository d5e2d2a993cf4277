//! The demo's ERP, a daemon and the demo's PSA, wired for a test.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use trueup::config::TargetEntity;
use trueup::demo::generator::{Generator, Report};

use crate::agreement::store;
use crate::spine::{store_opens, store_rows};
use crate::support::process::{Installation, Running};
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);

/// An ERP, a PSA and an installation between them.
pub(crate) struct Chain {
    pub(super) erp: String,
    pub(super) psa: String,
    pub(super) installation: Installation,
    pub(super) entities: BTreeMap<String, TargetEntity>,
    text: String,
}

/// The generator at work.
pub(crate) struct Work {
    cancel: CancellationToken,
    task: JoinHandle<trueup::error::Result<Report>>,
}

impl Work {
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap().unwrap_or_else(|error| panic!("{}", error.chain()));
    }
}

impl Drop for Chain {
    /// The daemon is gone by now: the shared server need not keep its log for it.
    fn drop(&mut self) {
        let sql = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
                   WHERE database = current_database() AND NOT active";
        servers::postgres().sql(&self.erp, sql).ok();
    }
}

impl Chain {
    pub(crate) fn new(limits: &str) -> Self {
        let server = servers::postgres();
        let (erp, psa) = (servers::postgres_database("erp"), servers::postgres_database("psa"));
        for file in ["erp/schema.sql", "erp/seed.sql"] {
            server.load(&erp, &demo(file)).unwrap();
        }
        server.load(&psa, &demo("psa/schema.sql")).unwrap();
        let installation = Installation::new("");
        let password = installation.write("password", server.password());
        let password = format!("password = \"${{file:{}}}\"", password.display());
        let text = include_str!("../../config/demo.toml");
        let (_, wiring) = text.split_once("[target.psa.entity.org_unit]").unwrap();
        let (wiring, _) = wiring.split_once("[target.books]").unwrap();
        let text = format!(
            "[daemon]\nstate_dir = {:?}\nhttp_listen = \"127.0.0.1:{}\"\n[limits]\n{limits}\n\
             [source.erp]\nkind = \"postgres\"\nurl = \"{}\"\n{password}\n\
             tables = [\"public.*\", \"!public.sys_*\"]\nmapping = \"demo_erp\"\n\
             timezone = \"Europe/Berlin\"\n\
             [target.psa]\nkind = \"postgres\"\nurl = \"{}\"\n{password}\n\
             [target.psa.entity.org_unit]{wiring}",
            installation.state_folder(),
            installation.http_port(),
            server.url(&erp),
            server.url(&psa),
        );
        installation.write("trueup.toml", &text);
        let config = trueup::config::parse(&text).unwrap_or_else(|e| panic!("{e:?}"));
        let entities = config.target["psa"].entity.clone();
        let chain = Self { erp, psa, installation, entities, text };
        chain.watch_ranges();
        chain
    }

    /// From the next start on, the pack is this installation's own, with a text replaced in one of
    /// its mappings.
    pub(crate) fn edit_mapping(&self, entity: &str, from: &str, to: &str) {
        let own = self.installation.state_folder().with_file_name("sql");
        let pack = own.join("mappings/demo_erp");
        std::fs::create_dir_all(&pack).unwrap();
        let built_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/mappings/demo_erp");
        for item in std::fs::read_dir(built_in).unwrap() {
            let path = item.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "sql") {
                let mut text = std::fs::read_to_string(&path).unwrap();
                if path.file_stem().is_some_and(|stem| stem == entity) {
                    assert!(text.contains(from), "{entity} has no {from}");
                    text = text.replace(from, to);
                }
                std::fs::write(pack.join(path.file_name().unwrap()), text).unwrap();
            }
        }
        let daemon = format!("[daemon]\nsql_dir = {own:?}\n");
        self.installation.write("trueup.toml", &self.text.replace("[daemon]\n", &daemon));
    }

    /// As after a long time: only the newest block of the queue is left. The daemon must be gone.
    pub(crate) fn forget_queued_events(&self) {
        let path = self.installation.state_folder().join("ledger.sqlite");
        let ledger = rusqlite::Connection::open(path).unwrap();
        let newest = "DELETE FROM outbox_block WHERE last < (SELECT max(last) FROM outbox_block)";
        assert!(ledger.execute(newest, []).unwrap() > 0, "there was one block only");
    }

    pub(crate) fn start(&self, environment: &[(&str, &str)]) -> Running {
        self.installation.start(&["run"], environment)
    }

    pub(crate) fn work(&self, seed: u64, per_second: f64) -> Work {
        let server = servers::postgres();
        let mut erp: tokio_postgres::Config = server.url(&self.erp).parse().unwrap();
        erp.password(server.password());
        let generator = Generator { erp, hr: None, seed, per_second };
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let task = tokio::spawn(async move { generator.run(stop).await });
        Work { cancel, task }
    }

    pub(crate) fn target_sql(&self, sql: &str) -> String {
        servers::postgres().sql(&self.psa, sql).unwrap_or_else(|e| panic!("{sql}: {}", e.chain()))
    }

    pub(crate) fn erp_sql(&self, sql: &str) -> String {
        servers::postgres().sql(&self.erp, sql).unwrap_or_else(|e| panic!("{sql}: {}", e.chain()))
    }

    /// From the next start on, the configuration is another one.
    pub(crate) fn configure(&self, change: impl FnOnce(&str) -> String) {
        let text = change(&self.text);
        assert!(text != self.text, "the configuration is the same");
        self.installation.write("trueup.toml", &text);
    }

    /// From the next start on, the configuration is the first one again.
    pub(crate) fn configure_back(&self) {
        self.installation.write("trueup.toml", &self.text);
    }

    /// An installation of its own with a copy of the state folder, and otherwise the same.
    pub(crate) fn clone_installation(&self) -> Installation {
        let (own, clone) = (&self.installation, Installation::new(""));
        copy_folder(&own.state_folder(), &clone.state_folder());
        let text = self
            .text
            .replace(&format!("{:?}", own.state_folder()), &format!("{:?}", clone.state_folder()))
            .replace(&own.http_port().to_string(), &clone.http_port().to_string());
        clone.write("trueup.toml", &text);
        clone
    }

    /// Puts a copy in the place of the state folder.
    pub(crate) fn restore(&self, backup: &Path) {
        std::fs::remove_dir_all(self.installation.state_folder()).unwrap();
        copy_folder(backup, &self.installation.state_folder());
    }

    /// Makes a copy of the state folder, as a backup program would.
    pub(crate) fn back_up(&self) -> tempfile::TempDir {
        let backup = tempfile::tempdir().unwrap();
        copy_folder(&self.installation.state_folder(), backup.path());
        backup
    }

    /// The exit code of `trueup status`, and what it says.
    pub(crate) fn judged(&self) -> (Option<i32>, String) {
        // (On a loaded machine the daemon may take longer to answer than the program waits.)
        wait_until("the daemon's own judgement", PATIENCE, || {
            let output = self.installation.output(&["status"]);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let is_daemons = !said.contains("the daemon is stopped");
            if is_daemons { Ok((output.status.code(), said)) } else { Err(said) }
        })
    }

    /// Waits until the status of the target is as wanted.
    pub(crate) fn until(&self, what: &str, content: impl Fn(&serde_json::Value) -> bool) {
        wait_until(what, PATIENCE, || {
            let status = self.status();
            if content(&status["targets"][0]) { Ok(()) } else { Err(status.to_string()) }
        });
    }

    pub(crate) fn status(&self) -> serde_json::Value {
        let output = self.installation.output(&["status", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }

    pub(crate) fn http_port(&self) -> u16 {
        self.installation.http_port()
    }

    pub(crate) fn status_text(&self) -> String {
        String::from_utf8(self.installation.output(&["status"]).stdout).unwrap()
    }

    /// What a command says; it must succeed.
    pub(crate) fn command(&self, arguments: &[&str]) -> String {
        let output = self.installation.output(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The exit code of a command, and what it says.
    pub(crate) fn answer(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.installation.output(arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What a command that is refused says to standard error.
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let output = self.installation.output(arguments);
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    pub(crate) fn state_folder(&self) -> std::path::PathBuf {
        self.installation.state_folder()
    }

    /// Nothing is left of the store, and of what is sealed nothing in the queue. The daemon must be
    /// gone.
    pub(crate) fn lose_the_store(&self) {
        store::forget_what_is_sealed(&self.installation);
        store::lose(&self.installation);
    }

    /// The exit code of a daemon that ends by itself, and what it says.
    pub(crate) fn ended_with(&self) -> (Option<i32>, String) {
        let output = self.installation.output(&["run"]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// The first column of what the store answers.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        let rows = store_rows(&self.installation, sql).unwrap();
        rows.into_iter().map(|mut row| row.remove(0).unwrap_or_default()).collect()
    }

    /// Rows of a table of the store.
    pub(crate) fn count(&self, table: &str) -> u64 {
        let rows = store_rows(&self.installation, &format!("SELECT count(*) FROM {table}"));
        rows.unwrap()[0][0].as_ref().unwrap().parse().unwrap()
    }

    /// Holds a table of the target against every writer until the client is dropped.
    pub(crate) async fn lock_target(&self, table: &str) -> tokio_postgres::Client {
        self.lock_target_in(table, "EXCLUSIVE").await
    }

    /// The same in a mode of choice.
    pub(crate) async fn lock_target_in(&self, table: &str, mode: &str) -> tokio_postgres::Client {
        let client = crate::agreement::postgres::connect(servers::postgres(), &self.psa).await;
        let lock = format!("BEGIN; LOCK TABLE {table} IN {mode} MODE");
        client.batch_execute(&lock).await.unwrap();
        client
    }

    /// A transaction of the ERP that has written and stays open.
    pub(crate) async fn open_in_erp(&self) -> tokio_postgres::Client {
        let client = crate::agreement::postgres::connect(servers::postgres(), &self.erp).await;
        client.batch_execute("BEGIN; SELECT pg_current_xact_id()").await.unwrap();
        client
    }

    pub(crate) fn events(&self) -> u64 {
        self.target_sql("SELECT seq FROM _trueup.cursor").trim().parse().unwrap()
    }

    /// Waits until the copy and the baselines are done, so that changes are events.
    pub(crate) fn ready(&self) {
        wait_until("the baselines to be done", PATIENCE, || {
            let status = self.status();
            let baseline = &status["targets"][0]["baseline"];
            let done = |b: &serde_json::Map<String, serde_json::Value>| {
                !b.is_empty() && b.values().all(|state| state == "done")
            };
            if baseline.as_object().is_some_and(done) { Ok(()) } else { Err(status.to_string()) }
        });
        // The ledger knows that before a daemon that starts again has opened its store.
        self.opens();
    }

    /// Waits until the store answers.
    pub(crate) fn opens(&self) {
        store_opens(&self.installation);
    }

    /// Waits until everything the ERP committed is conformed and delivered, nothing parked.
    pub(crate) fn settled(&self) {
        self.wait_for("everything to be delivered", |target| {
            target["parked"] == 0 && target["dead"] == 0
        });
        assert_eq!(self.parked_mappings(), [""; 0]);
    }

    /// As [`Chain::settled`], but events may be parked.
    pub(crate) fn delivered_or_parked(&self) {
        self.wait_for("everything to be delivered or parked", |_| true);
        assert_eq!(self.parked_mappings(), [""; 0]);
    }

    /// As [`Chain::settled`], but the mapping of `entity`, and no other, is parked.
    pub(crate) fn settled_without(&self, entity: &str) {
        self.wait_for("everything else to be delivered", |_| true);
        assert_eq!(self.parked_mappings(), [format!("{entity} failed")]);
        let findings = self.status()["findings"].to_string();
        assert!(findings.contains(&format!("mapping {entity} of erp is parked")), "{findings}");
    }

    fn parked_mappings(&self) -> Vec<String> {
        let rows = store_rows(&self.installation, "SELECT entity, state FROM ops.parked").unwrap();
        rows.into_iter()
            .map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" "))
            .collect()
    }

    fn wait_for(&self, what: &str, content: impl Fn(&serde_json::Value) -> bool) {
        let server = servers::postgres();
        // A row that everything before it must have passed.
        let end = server.sql(&self.erp, "SELECT pg_current_wal_insert_lsn()").unwrap();
        server.sql(&self.erp, "SELECT pg_logical_emit_message(true, 'trueup', 'end')").unwrap();
        wait_until(what, PATIENCE, || {
            let status = self.status();
            let position = status["sources"][0]["position"].as_str().unwrap_or_default();
            let target = &status["targets"][0];
            let done = lsn(position.trim_start_matches("lsn:")) >= lsn(end.trim())
                && status["sources"][0]["state"] == "streaming"
                && status["conform"]["journal_behind_entries"] == 0
                && status["conform"]["error"].is_null()
                && target["queue_events"] == 0
                && target["baseline"]
                    .as_object()
                    .is_some_and(|b| !b.is_empty() && b.values().all(|s| s == "done"));
            if done && content(target) { Ok(()) } else { Err(status.to_string()) }
        });
    }

    /// Writes down the range of every transaction: on the operator's tables, and on our cursor
    /// as soon as it is there.
    fn watch_ranges(&self) {
        let server = servers::postgres();
        server.sql(&self.psa, include_str!("watch.sql")).unwrap();
    }
}

/// Everything that lies in `from`, into `to`, which need not exist.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for item in std::fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let place = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_folder(&item.path(), &place);
        } else {
            std::fs::copy(item.path(), place).unwrap();
        }
    }
}

fn demo(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sql/demo").join(file)
}

fn lsn(text: &str) -> u64 {
    trueup::change::position::parse_lsn(text).unwrap_or(0)
}
