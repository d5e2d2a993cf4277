//! Gaps as an operator meets them: said, remembered, and of one source only; and what is no gap.

mod mending;

use std::time::Duration;

use tokio_postgres::Client;

use crate::agreement::postgres;
use crate::spine::store_rows;
use crate::support::process::Installation;
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);

/// Two sources, each a database with one table, and a daemon's configuration.
struct Stage {
    installation: Installation,
    erp: Client,
    hr: Client,
    erp_database: String,
    /// Without its limits.
    configuration: String,
}

impl Stage {
    async fn new() -> Self {
        Self::with_limits("").await
    }

    async fn with_limits(limits: &str) -> Self {
        let server = servers::postgres();
        let mut tables = String::new();
        let installation = Installation::new("");
        let password = installation.write("password", server.password());
        let mut clients = Vec::new();
        let mut databases = Vec::new();
        for source in ["erp", "hr"] {
            let database = servers::postgres_database(source);
            let client = postgres::connect(server, &database).await;
            client
                .batch_execute(
                    "CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL);
                     INSERT INTO t VALUES (1, 'a'), (2, 'b')",
                )
                .await
                .unwrap();
            tables.push_str(&format!(
                "[source.{source}]\nkind = \"postgres\"\nurl = \"{}\"\n\
                 password = \"${{file:{}}}\"\ntables = [\"public.*\"]\n",
                server.url(&database),
                password.display()
            ));
            clients.push(client);
            databases.push(database);
        }
        let daemon = format!(
            "[daemon]\nstate_dir = {:?}\nhttp_listen = \"127.0.0.1:{}\"\n",
            installation.state_folder(),
            installation.http_port()
        );
        let [erp, hr] = <[Client; 2]>::try_from(clients).ok().unwrap();
        let configuration = format!("{daemon}{tables}");
        let stage =
            Self { installation, erp, hr, erp_database: databases.remove(0), configuration };
        stage.configure(limits);
        stage
    }

    fn configure(&self, limits: &str) {
        let text = format!("{}[limits]\n{limits}", self.configuration);
        self.installation.write("trueup.toml", &text);
    }

    fn mirror(&self, source: &str) -> Result<String, String> {
        let sql = format!("SELECT string_agg(id || v, ' ' ORDER BY id) FROM {source}.t");
        let rows = store_rows(&self.installation, &sql)?;
        Ok(rows[0][0].clone().unwrap_or_default())
    }

    fn wait_for(&self, source: &str, expected: &str) {
        wait_until(&format!("the mirror of {source}"), PATIENCE, || {
            let found = self.mirror(source)?;
            if found == expected { Ok(()) } else { Err(found) }
        });
    }

    /// What `status` says, and its exit code.
    fn status(&self) -> (serde_json::Value, Option<i32>) {
        let output = self.installation.output(&["status", "--json"]);
        let said = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (said, output.status.code())
    }

    fn wait_for_gap(&self, source: &str) -> serde_json::Value {
        self.wait_for_state(source, "gap")
    }

    fn wait_for_state(&self, source: &str, state: &str) -> serde_json::Value {
        let mut said = serde_json::Value::Null;
        wait_until(&format!("the state {state} to be shown"), PATIENCE, || {
            let (status, code) = self.status();
            let sources = status["sources"].as_array().cloned().unwrap_or_default();
            let found = sources.into_iter().find(|one| one["name"] == source).unwrap_or_default();
            if found["state"] != state || code != Some(1) {
                return Err(format!("exit code {code:?}, {found}"));
            }
            said = found;
            Ok(())
        });
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_be_followed_stands_still_and_the_others_go_on() {
    let stage = Stage::new().await;
    let mut daemon = stage.installation.start(&["run"], &[]);
    for source in ["erp", "hr"] {
        stage.wait_for(source, "1a 2b");
    }
    // WHEN a table of one source gets a column that the store cannot tell from another, between good
    // changes and together with changes of the other source
    stage.erp.batch_execute("UPDATE t SET v = 'good' WHERE id = 1").await.unwrap();
    stage
        .erp
        .batch_execute(
            "ALTER TABLE t ADD COLUMN \"V\" text;
             UPDATE t SET v = 'bad' WHERE id = 2; INSERT INTO t VALUES (3, 'bad')",
        )
        .await
        .unwrap();
    stage.hr.batch_execute("INSERT INTO t VALUES (3, 'c')").await.unwrap();

    // THEN that one is a gap that says why, with everything before it; the other goes on
    let said = stage.wait_for_gap("erp");
    let message = said["message"].as_str().unwrap_or_default();
    assert!(message.contains("public.t of erp changed its columns"), "{said}");
    assert!(said["hint"].as_str().is_some_and(|hint| hint.contains("resync erp --gap")), "{said}");
    stage.wait_for("hr", "1a 2b 3c");
    stage.wait_for("erp", "1good 2b");

    // and so it is after a crash, with the replay of what was conformed around it
    daemon.kill();
    let _daemon = stage.installation.start(&["run"], &[]);
    stage.hr.batch_execute("DELETE FROM t WHERE id = 1").await.unwrap();
    stage.wait_for("hr", "2b 3c");
    stage.wait_for("erp", "1good 2b");
    let again = stage.wait_for_gap("erp");
    assert_eq!(again["message"], said["message"], "it is said once, not once more each time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_vanished_while_the_daemon_was_away_is_a_gap_that_is_remembered() {
    let stage = Stage::new().await;
    let mut daemon = stage.installation.start(&["run"], &[]);
    stage.wait_for("erp", "1a 2b");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    // GIVEN a slot that somebody dropped, and changes that nobody kept
    let drop = format!(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
         WHERE database = '{}'",
        stage.erp_database
    );
    stage.erp.batch_execute(&drop).await.unwrap();
    stage.erp.batch_execute("DELETE FROM t WHERE id = 1").await.unwrap();
    // WHEN the daemon starts THEN it neither makes a new one nor goes on as if nothing were
    let mut daemon = stage.installation.start(&["run"], &[]);
    let said = stage.wait_for_gap("erp");
    assert!(said["message"].as_str().is_some_and(|text| text.contains("slot")), "{said}");
    stage.hr.batch_execute("INSERT INTO t VALUES (3, 'c')").await.unwrap();
    stage.wait_for("hr", "1a 2b 3c");
    assert_eq!(stage.mirror("erp").unwrap(), "1a 2b");
    // and it says so without the daemon too
    daemon.kill();
    stage.wait_for_gap("erp");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_pauses_its_sources_and_nothing_is_lost() {
    let stage = Stage::with_limits(
        "chunk_bytes = 20000\nsegment_bytes = 50000\njournal_bytes_max = 1000000",
    )
    .await;
    let mut daemon = stage.installation.start(&["run"], &[]);
    stage.wait_for("erp", "1a 2b");
    // WHEN a transaction is larger than the whole journal may be
    stage
        .erp
        .batch_execute(
            "INSERT INTO t SELECT g, repeat(md5(g::text), 4) FROM generate_series(10, 20000) AS g",
        )
        .await
        .unwrap();
    // THEN the sources wait and say so, and nothing more is confirmed
    let said = stage.wait_for_state("erp", "paused");
    assert!(said["message"].as_str().is_some_and(|text| text.contains("1000000")), "{said}");
    assert!(said["hint"].as_str().is_some_and(|text| text.contains("journal_bytes_max")));
    assert_eq!(stage.mirror("erp").unwrap(), "1a 2b");
    // WHEN there is room THEN it is there whole
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    stage.configure("chunk_bytes = 20000\nsegment_bytes = 50000\njournal_bytes_max = 100000000");
    let _daemon = stage.installation.start(&["run"], &[]);
    wait_until("the large transaction", PATIENCE, || {
        let rows = store_rows(&stage.installation, "SELECT count(*) FROM erp.t")?;
        let count = rows[0][0].clone().unwrap_or_default();
        if count == "19993" { Ok(()) } else { Err(count) }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_mirrored_no_more_is_gone_and_comes_back_whole() {
    let stage = Stage::new().await;
    let more = "CREATE TABLE more (id int PRIMARY KEY); INSERT INTO more VALUES (1)";
    stage.erp.batch_execute(more).await.unwrap();
    let mut daemon = stage.installation.start(&["run"], &[]);
    let count = |expected: &str| {
        wait_until("the second table", PATIENCE, || {
            let rows = store_rows(&stage.installation, "SELECT count(*) FROM erp.more")?;
            let count = rows[0][0].clone().unwrap_or_default();
            if count == expected { Ok(()) } else { Err(count) }
        });
    };
    count("1");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    // WHEN it is taken out of the configuration, with changes on their way
    stage.erp.batch_execute("INSERT INTO more VALUES (2)").await.unwrap();
    let tables = "tables = [\"public.*\"]";
    let without = stage.configuration.replacen(tables, "tables = [\"public.t\"]", 1);
    stage.installation.write("trueup.toml", &without);
    let mut daemon = stage.installation.start(&["run"], &[]);
    // THEN it is gone, and the others go on
    stage
        .erp
        .batch_execute("INSERT INTO t VALUES (3, 'c'); INSERT INTO more VALUES (3)")
        .await
        .unwrap();
    stage.wait_for("erp", "1a 2b 3c");
    let gone = store_rows(&stage.installation, "SELECT * FROM erp.more").unwrap_err();
    assert!(gone.contains("does not exist"), "{gone}");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    // and it comes back with what happened meanwhile
    stage.configure("");
    let _daemon = stage.installation.start(&["run"], &[]);
    count("3");
    stage.erp.batch_execute("DELETE FROM more").await.unwrap();
    count("0");
}

/// A copy that cannot go on with one table must not wait for it for ever, and the others with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_goes_while_it_is_copied_holds_up_no_other() {
    let stage = Stage::new().await;
    let mut daemon = stage.installation.start(&["run"], &[]);
    stage.wait_for("erp", "1a 2b");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    // GIVEN two tables that join, whose copy waits for a transaction before its first chunk
    let tables = "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)";
    stage.erp.batch_execute(&format!("{tables}; INSERT INTO b VALUES (7)")).await.unwrap();
    let other = postgres::connect(servers::postgres(), &stage.erp_database).await;
    other.batch_execute("BEGIN; SELECT txid_current()").await.unwrap();
    let _daemon = stage.installation.start(&["run"], &[]);
    let erp = || stage.status().0["sources"][0].clone();
    wait_until("the copy to wait", PATIENCE, || {
        let copy = erp()["copy"].clone();
        if copy["waiting_for"].is_string() { Ok(()) } else { Err(copy.to_string()) }
    });
    // WHEN the one it would begin with goes THEN the other one is copied
    stage.erp.batch_execute("DROP TABLE a").await.unwrap();
    other.batch_execute("COMMIT").await.unwrap();
    wait_until("the source to be streaming", PATIENCE, || {
        let source = erp();
        if source["state"] == "streaming" { Ok(()) } else { Err(source.to_string()) }
    });
    let rows = "SELECT id::VARCHAR FROM erp.b";
    wait_until("the copied row", PATIENCE, || {
        let found = store_rows(&stage.installation, rows)?;
        if found == [[Some("7".to_owned())]] { Ok(()) } else { Err(format!("{found:?}")) }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_must_keep_too_much_log_is_given_up_before_its_disk_fills() {
    let limits = "chunk_bytes = 20000\nsegment_bytes = 50000\njournal_bytes_max = 1000000";
    let mut stage = Stage::with_limits(limits).await;
    let bounded = "max_retained_bytes = 2000000\ntables = ";
    stage.configuration = stage.configuration.replacen("tables = ", bounded, 1);
    stage.configure(limits);
    let mut daemon = stage.installation.start(&["run"], &[]);
    stage.wait_for("erp", "1a 2b");
    let slots = format!(
        "SELECT count(*) FROM pg_replication_slots WHERE database = '{}'",
        stage.erp_database
    );
    let slots = || servers::postgres().sql(&stage.erp_database, &slots).unwrap();
    assert_eq!(slots().trim(), "1");
    // WHEN nothing more can be taken, and the source's log grows
    let large = "INSERT INTO t SELECT g, repeat(md5(g::text), 9)
                 FROM generate_series(10, 20000) AS g";
    stage.erp.batch_execute(large).await.unwrap();
    // THEN its slot goes, and that is a gap that says why; the other source's stays
    let said = stage.wait_for_gap("erp");
    assert!(
        said["message"]
            .as_str()
            .is_some_and(|why| why.contains("more than max_retained_bytes 2000000"))
    );
    wait_until("the slot to go", PATIENCE, || {
        if slots().trim() == "0" { Ok(()) } else { Err(slots()) }
    });
    let hr = stage.status().0;
    assert_ne!(hr["sources"][1]["state"], "gap", "{hr}");
    daemon.kill();
    let _daemon = stage.installation.start(&["run"], &[]);
    let again = stage.wait_for_gap("erp");
    assert_eq!(again["message"], said["message"]);
}
