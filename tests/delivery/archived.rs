//! The archive: what is in it can be read by others and is what the store had; nothing in it changes
//! unnoticed; and a lost store comes back from it, with the differences told and nothing twice.

use std::path::PathBuf;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use super::chain::{Chain, Work};
use crate::support::process::Running;
use crate::support::random::seeded;
use crate::support::require::require;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);
/// Sealed as often as it can be.
const EAGER: &str = "archive_every_secs = 1\nsql_rows_max = 1000000";

/// Waits until every event so far is sealed.
fn sealed(chain: &Chain) {
    wait_until("everything to be sealed", PATIENCE, || {
        let status = chain.status();
        let sealed = status["archive"]["event"].as_u64().unwrap_or_default();
        let is_sealed = sealed == chain.events() && !status["archive"]["sealed_at"].is_null();
        if is_sealed { Ok(()) } else { Err(status["archive"].to_string()) }
    });
}

fn archive(chain: &Chain) -> PathBuf {
    chain.state_folder().join("archive")
}

/// A generator and a daemon that have been at it for a while.
async fn at_work(chain: &Chain, rng: &mut StdRng) -> (Work, Running) {
    let work = chain.work(rng.random(), 40.0);
    let daemon = chain.start(&[]);
    chain.ready();
    tokio::time::sleep(Duration::from_secs(3)).await;
    (work, daemon)
}

/// What another engine reads from the archive: a connection that knows no store of ours.
fn parquet(chain: &Chain, sql: &str) -> Vec<String> {
    let engine = duckdb::Connection::open_in_memory().unwrap();
    let sql = sql.replace("{archive}", &archive(chain).to_string_lossy());
    let mut statement = engine.prepare(&sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let rows = statement.query_map([], |row| row.get::<_, Option<String>>(0)).unwrap();
    rows.map(|row| row.unwrap().unwrap_or_default()).collect()
}

/// Folders of seals, oldest first.
fn folders(chain: &Chain) -> Vec<PathBuf> {
    let items = std::fs::read_dir(archive(chain)).unwrap();
    let mut folders: Vec<PathBuf> = items.map(|item| item.unwrap().path()).collect();
    let batch = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        name.rsplit_once('-').and_then(|(_, batch)| batch.parse::<u64>().ok())
    };
    folders.sort_by_key(batch);
    folders
}

/// Every event once, without a hole, in as many seals as there are.
fn events_are_whole(chain: &Chain) {
    let sql = "SELECT sequence::VARCHAR FROM read_parquet('{archive}/*/event.parquet')
               ORDER BY sequence";
    let expected: Vec<String> = (1..=chain.events()).map(|number| number.to_string()).collect();
    assert_eq!(parquet(chain, sql), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_holds_what_the_store_has_and_an_audit_sees_every_change() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    let chain = Chain::new(EAGER);
    let (work, mut daemon) = at_work(&chain, &mut rng).await;
    work.stop().await;
    chain.settled();
    sealed(&chain);
    // THEN it is read by others, and equals the store, row by row.
    events_are_whole(&chain);
    let text = "hash(sequence, id::VARCHAR, type, key, time, old::VARCHAR, new::VARCHAR)::VARCHAR";
    let kept = chain.rows(&format!("SELECT {text} FROM ops.event ORDER BY 1"));
    let read = "SELECT {text} FROM read_parquet('{archive}/*/event.parquet') ORDER BY 1";
    assert_eq!(parquet(&chain, &read.replace("{text}", text)), kept);
    assert!(kept.len() > 50, "only {} events", kept.len());
    let newest = folders(&chain).pop().unwrap();
    for (entity, table, files) in [
        ("worker", "worker", newest.join("worker.canon.parquet").to_string_lossy().into_owned()),
        ("time_entry", "time_entry_history", "{archive}/*/time_entry.history.parquet".to_owned()),
    ] {
        let from = |table: &str| format!("SELECT hash(t)::VARCHAR FROM {table} AS t ORDER BY 1");
        let kept = chain.rows(&from(&format!("canon.{table}")));
        let read = parquet(&chain, &from(&format!("read_parquet('{files}')")));
        assert_eq!(read, kept, "{entity}");
        assert!(!kept.is_empty(), "{entity}");
    }
    // WHEN somebody changes a byte, or takes something away THEN an audit names it.
    let (code, said) = chain.answer(&["audit"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("as sealed").count(), folders(&chain).len(), "{said}");
    daemon.kill();
    assert_eq!(chain.answer(&["audit"]), (code, said), "a stopped daemon's archive");
    let changed = newest.join("event.parquet");
    let bytes = std::fs::read(&changed).unwrap();
    let mut other = bytes.clone();
    other[bytes.len() / 2] ^= 1;
    for (path, bytes) in [(&changed, &other), (&newest.join("seal.json"), &b"{}".to_vec())] {
        let before = std::fs::read(path).unwrap();
        std::fs::write(path, bytes).unwrap();
        let (code, said) = chain.answer(&["audit"]);
        assert_eq!(code, Some(1), "{said}");
        let name = path.file_name().unwrap().to_string_lossy();
        assert!(said.contains(&format!("{name} is not what was sealed")), "{said}");
        std::fs::write(path, before).unwrap();
    }
    std::fs::rename(&newest, newest.with_extension("away")).unwrap();
    let (code, said) = chain.answer(&["audit"]);
    assert!(code == Some(1) && said.contains("could not read"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_while_sealing_leaves_every_event_sealed_once() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    for point in ["before-seal-noted", "after-seal-noted"] {
        let chain = Chain::new(EAGER);
        let work = chain.work(rng.random(), 40.0);
        let armed = format!("{point}:{}", rng.random_range(1..=3));
        let mut daemon = chain.start(&[("TRUEUP_FAILPOINT", armed.as_str())]);
        assert!(!daemon.wait(PATIENCE).success(), "{armed} must have crashed");
        let _daemon = chain.start(&[]);
        chain.ready();
        tokio::time::sleep(Duration::from_secs(2)).await;
        work.stop().await;
        chain.settled();
        sealed(&chain);
        events_are_whole(&chain);
        let (code, said) = chain.answer(&["audit"]);
        assert_eq!(code, Some(0), "{armed}: {said}");
        assert!(!archive(&chain).join(".new").exists(), "{armed}");
    }
}

fn change_three_rows(chain: &Chain) {
    chain.erp_sql("UPDATE kunde SET name1 = 'Changed meanwhile' WHERE kd_id = 1");
    chain.erp_sql("INSERT INTO kunde (kd_nr, name1, waehr) VALUES ('K-NEW', 'New', 'EUR')");
    chain.erp_sql(
        "DELETE FROM zeit_pos WHERE (zb_id, pos) =
         (SELECT zb_id, pos FROM zeit_pos WHERE buch_per IS NULL AND re_id IS NULL LIMIT 1)",
    );
}

/// With everything before the newest seal gone from queue and journal.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_comes_back_and_only_what_changed_since_is_told() {
    if !require("postgres") {
        return;
    }
    let mut rng = seeded();
    let chain = Chain::new(EAGER);
    let (work, mut daemon) = at_work(&chain, &mut rng).await;
    sealed(&chain);
    daemon.kill();
    // GIVEN events of every kind that are in the queue only
    chain.configure(|text| text.replace("archive_every_secs = 1", "archive_every_secs = 86400"));
    let mut daemon = chain.start(&[]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    work.stop().await;
    chain.settled();
    let told = chain.events();
    let sealed_upto = chain.status()["archive"]["event"].as_u64().unwrap();
    assert!(sealed_upto < told, "everything is sealed: {sealed_upto}");
    let everything = [
        "SELECT hash(e)::VARCHAR FROM ops.event AS e ORDER BY 1",
        "SELECT hash(h)::VARCHAR FROM canon.time_entry_history AS h ORDER BY 1",
        "SELECT hash(h)::VARCHAR FROM canon.worker_history AS h ORDER BY 1",
    ];
    let before = everything.map(|sql| chain.rows(sql));
    daemon.kill();
    chain.lose_the_store();
    change_three_rows(&chain);
    let mut daemon = chain.start(&[("TRUEUP_FAILPOINT", "before-rebuilt")]);
    assert!(!daemon.wait(PATIENCE).success(), "it must have died");
    let _daemon = chain.start(&[]);
    wait_until("the sources to be copied", PATIENCE, || {
        let status = chain.status();
        let is_copied = status["sources"][0]["state"] == "streaming";
        if is_copied { Ok(()) } else { Err(status["sources"].to_string()) }
    });
    chain.settled();
    // THEN what was known before is there, and only the three differences are new
    let upto = format!("WHERE sequence <= {told}");
    let events = everything[0].replace("ops.event AS e", &format!("ops.event AS e {upto}"));
    assert_eq!(chain.rows(&events), before[0]);
    for (sql, before, more) in [(everything[1], &before[1], 1), (everything[2], &before[2], 0)] {
        let mut now = chain.rows(sql);
        for row in before {
            let place = now.iter().position(|known| known == row);
            now.swap_remove(place.unwrap_or_else(|| panic!("{sql}: a row of history is lost")));
        }
        assert_eq!(now.len(), more, "{sql}");
    }
    let told_now = format!(
        "SELECT type || ' ' || CASE WHEN entity = 'client' THEN key ELSE '' END FROM ops.event
         WHERE sequence > {told} ORDER BY 1"
    );
    let told_now = chain.rows(&told_now);
    assert_eq!(told_now.len(), 3, "{told_now:?}");
    assert!(told_now[0].starts_with("trueup.client.created") && told_now[0].contains("K-NEW"));
    assert!(told_now[1].starts_with("trueup.client.updated"), "{told_now:?}");
    assert!(told_now[2].starts_with("trueup.time_entry.deleted"), "{told_now:?}");
    let old = format!(
        "SELECT json_extract_string(old, '$.name') FROM ops.event
         WHERE sequence > {told} AND type = 'trueup.client.updated'"
    );
    assert_ne!(chain.rows(&old), [""], "the old values are known");
    chain.target_equals_canon();
    chain.all_sides_agree().await;
    chain.ranges_are_whole();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_cannot_be_written_is_shown_and_holds_nothing_up() {
    if !require("postgres") {
        return;
    }
    let chain = Chain::new(EAGER);
    let mut daemon = chain.start(&[]);
    chain.ready();
    sealed(&chain);
    daemon.kill();
    let away = archive(&chain).with_extension("away");
    std::fs::rename(archive(&chain), &away).unwrap();
    std::fs::write(archive(&chain), "in the way").unwrap();
    let _daemon = chain.start(&[]);
    chain.erp_sql("UPDATE kunde SET name1 = 'One' WHERE kd_id = 1");
    chain.settled();
    wait_until("the failure to be shown", PATIENCE, || {
        let (code, said) = chain.judged();
        let is_shown = code == Some(1) && said.contains("the archive cannot be written");
        if is_shown { Ok(()) } else { Err(said) }
    });
    // WHEN it is mended THEN it goes on by itself.
    std::fs::remove_file(archive(&chain)).unwrap();
    std::fs::rename(&away, archive(&chain)).unwrap();
    sealed(&chain);
    events_are_whole(&chain);
    assert_eq!(chain.judged().0, Some(0));
}

/// A ledger from a backup makes other batches of the same numbers.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_ledger_writes_over_nothing_that_was_sealed() {
    if !require("postgres") {
        return;
    }
    let chain = Chain::new(EAGER);
    let mut daemon = chain.start(&[]);
    chain.ready();
    sealed(&chain);
    daemon.kill();
    // (Not the one that it was making when it was killed.)
    let mut before = folders(&chain);
    before.retain(|folder| folder.join("seal.json").exists());
    assert!(!before.is_empty());
    let ledger = chain.state_folder().join("ledger.sqlite");
    let forget = "DELETE FROM seal";
    rusqlite::Connection::open(ledger).unwrap().execute(forget, []).unwrap();
    let kept = |folder: &PathBuf| std::fs::read(folder.join("seal.json")).unwrap();
    let contents: Vec<Vec<u8>> = before.iter().map(kept).collect();
    let _daemon = chain.start(&[]);
    wait_until("a new seal", PATIENCE, || match chain.answer(&["audit"]) {
        (Some(0), said) if said.contains("as sealed") => Ok(()),
        (code, said) => Err(format!("{code:?} {said}")),
    });
    assert_eq!(before.iter().map(kept).collect::<Vec<_>>(), contents);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_store_without_a_sound_archive_is_an_error_that_says_what_to_do() {
    if !require("postgres") {
        return;
    }
    let chain = Chain::new(EAGER);
    let mut daemon = chain.start(&[]);
    chain.ready();
    chain.erp_sql("UPDATE kunde SET name1 = 'One' WHERE kd_id = 1");
    chain.settled();
    sealed(&chain);
    daemon.kill();
    chain.lose_the_store();
    let newest = folders(&chain).pop().unwrap().join("client.canon.parquet");
    std::fs::write(&newest, "nothing").unwrap();
    let (code, said) = chain.ended_with();
    assert_eq!(code, Some(74), "{said}");
    assert!(said.contains("client.canon.parquet is not what was sealed"), "{said}");
    assert!(said.contains("restore it from a backup"), "{said}");
}
