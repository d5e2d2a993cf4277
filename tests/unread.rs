//! Rows of a log that the decoder cannot read, on every engine: they are set aside, everything else goes
//! on, and their tables are copied again by themselves.

use std::time::Duration;

use trueup::demo::servers::BinlogServer;

use crate::agreement::store;
use crate::spine::{self, store_rows};
use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);
/// What stands in the rows whose bytes are damaged.
const MARK: &[u8] = b"DAMAGED";

const TABLES: &str = "CREATE TABLE t (k varchar(20) PRIMARY KEY, v varchar(20), big text);
    CREATE TABLE u (id int PRIMARY KEY, v varchar(20));
    CREATE TABLE child (id int PRIMARY KEY, k varchar(20),
        FOREIGN KEY (k) REFERENCES t (k) ON DELETE CASCADE);
    INSERT INTO t (k, v) VALUES ('a', 'one'), ('DAMAGED-k', 'two'), ('c', 'three');
    INSERT INTO u VALUES (1, 'x');
    INSERT INTO child VALUES (1, 'DAMAGED-k'), (2, 'c')";

/// Two inserts, an update and a delete that cannot be read, among others that can. One of them says in
/// PostgreSQL only a part of a row that nobody could read.
const CHANGES: &str = "BEGIN;
    INSERT INTO u VALUES (2, 'before');
    INSERT INTO t (k, v) VALUES ('d', 'DAMAGED');
    INSERT INTO t VALUES ('e', 'DAMAGED', repeat('z', 9000));
    UPDATE t SET v = 'part' WHERE k = 'e';
    UPDATE t SET v = 'DAMAGED too' WHERE k = 'a';
    DELETE FROM t WHERE k = 'DAMAGED-k';
    UPDATE t SET v = 'good' WHERE k = 'c';
    INSERT INTO u VALUES (3, 'after');
    COMMIT";

const T: &str = "SELECT k, v, length(big) FROM {s}.t ORDER BY k";
const U: &str = "SELECT id, v FROM {s}.u ORDER BY id";
const CHILD: &str = "SELECT id, k FROM {s}.child ORDER BY id";

/// Damages the journaled rows that carry the mark: `damage` is given an entry's bytes and where the
/// mark stands in them.
fn damage_journal(installation: &Installation, damage: fn(&mut [u8], usize)) -> usize {
    let mut damaged = 0;
    for path in std::fs::read_dir(installation.state_folder().join("journal")).unwrap() {
        let path = path.unwrap().path();
        if path.extension().is_none_or(|extension| extension == "wal" || extension == "shm") {
            continue;
        }
        let Ok(segment) = rusqlite::Connection::open(&path) else { continue };
        let Ok(mut statement) = segment.prepare("SELECT seq, bytes FROM entry WHERE kind = 0")
        else {
            continue;
        };
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let entries: Vec<(u64, Vec<u8>)> = rows.map(Result::unwrap).collect();
        drop(statement);
        for (seq, mut bytes) in entries {
            let places: Vec<usize> = bytes
                .windows(MARK.len())
                .enumerate()
                .filter(|(_, window)| *window == MARK)
                .map(|(place, _)| place)
                .collect();
            places.iter().for_each(|place| damage(&mut bytes, *place));
            damaged += places.len();
            segment.execute("UPDATE entry SET bytes = ?2 WHERE seq = ?1", (seq, bytes)).unwrap();
        }
    }
    damaged
}

/// The rows of a statement on a mirror.
fn wait_for(installation: &Installation, sql: &str, source: &str, expected: &str) {
    wait_until(&format!("{sql} to be {expected}"), PATIENCE, || {
        let rows = store_rows(installation, &sql.replace("{s}", source))?;
        let found: Vec<String> = rows
            .iter()
            .map(|row| {
                row.iter().map(|cell| cell.as_deref().unwrap_or("-")).collect::<Vec<_>>().join(" ")
            })
            .collect();
        if found.join(", ") == expected { Ok(()) } else { Err(found.join(", ")) }
    });
}

fn unread(installation: &Installation, arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
    let output = installation.output(&[&["unread", "--json"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let json = serde_json::from_str(&said);
    (output.status.code(), json.unwrap_or_else(|error| panic!("{error}: {said}")))
}

fn set_aside(
    installation: &Installation,
    source: &str,
    sql: &dyn Fn(&str),
    (damage, count): (fn(&mut [u8], usize), usize),
) {
    let mut daemon = installation.start(&["run"], &[]);
    wait_for(installation, CHILD, source, "1 DAMAGED-k, 2 c");
    wait_for(installation, T, source, "DAMAGED-k two -, a one -, c three -");
    wait_for(installation, U, source, "1 x");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    // GIVEN a transaction that is in the journal, acknowledged, and damaged there
    sql(CHANGES);
    let mut dying = installation.start(&["run"], &[("TRUEUP_FAILPOINT", "before-outbox-commit")]);
    assert!(!dying.wait(PATIENCE).success());
    assert_eq!(damage_journal(installation, damage), count);
    // WHEN it is conformed, through a death before the store has it
    let mut dying = installation.start(&["run"], &[("TRUEUP_FAILPOINT", "after-outbox-commit")]);
    assert!(!dying.wait(PATIENCE).success());
    let mut daemon = installation.start(&["run"], &[]);
    // THEN what can be read is there, and what cannot comes by a copy
    wait_for(installation, U, source, "1 x, 2 before, 3 after");
    wait_for(installation, T, source, "a DAMAGED too -, c good -, d DAMAGED -, e part 9000");
    wait_for(installation, CHILD, source, "2 c");
    wait_until("everything to be proven", PATIENCE, || {
        let rows = store_rows(installation, "SELECT count(*) FROM ops.unproven")?;
        if rows[0][0].as_deref() == Some("0") { Ok(()) } else { Err(format!("{rows:?}")) }
    });
    let compared = installation.output(&["reconcile"]);
    assert_eq!(compared.status.code(), Some(0), "{}", String::from_utf8_lossy(&compared.stdout));
    // AND each of them is set aside once, byte for byte
    let (code, listed) = unread(installation, &[]);
    assert_eq!(code, Some(1), "{listed}");
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), count, "{listed:?}");
    for one in listed {
        let table = one["table"].as_str().unwrap();
        assert!(table.ends_with(".t") || table.ends_with(".child"), "{one}");
        assert_eq!(one["is_readable"], false, "{one}");
        assert!(one.get("rows").is_none(), "no row values without being asked: {one}");
    }
    let status = installation.output(&["status"]);
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(
        said.contains(&format!("rows in {count} places of its log could not be read")),
        "{said}"
    );
    // WHEN a person has seen it THEN it is forgotten, not before
    assert_eq!(unread(installation, &["--forget", "--dry-run"]).0, Some(0));
    assert_eq!(unread(installation, &[source, "--forget"]).1.as_array().map(Vec::len), Some(count));
    assert_eq!(unread(installation, &[]), (Some(0), serde_json::json!([])));
    // AND the source goes on
    sql("UPDATE t SET v = 'later' WHERE k = 'a'");
    wait_for(installation, T, source, "a later -, c good -, d DAMAGED -, e part 9000");
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_postgresql_that_cannot_be_read_is_set_aside_and_its_table_copied_again() {
    if !require("postgres") {
        return;
    }
    let database = servers::postgres_database("unread");
    let server = servers::postgres();
    server.sql(&database, TABLES).unwrap();
    server.sql(&database, "ALTER TABLE t ALTER COLUMN big SET STORAGE EXTERNAL").unwrap();
    let installation = spine::installation(server, &database, "compare_every_secs = 0");
    let sql = |sql: &str| drop(server.sql(&database, sql).unwrap());
    // The byte in front of a text's length says that it is one.
    let damage = |bytes: &mut [u8], place: usize| bytes[place - 5] = b'?';
    tokio::task::block_in_place(|| set_aside(&installation, "erp", &sql, (damage, 4)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_mariadb_that_cannot_be_read_is_set_aside_and_its_table_copied_again() {
    if require("mariadb") {
        of_a_binlog("mariadb", servers::mariadb(), 5);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_a_mysql_that_cannot_be_read_is_set_aside_and_its_table_copied_again() {
    if require("mysql") {
        // It logs what its foreign keys do.
        of_a_binlog("mysql", servers::mysql(), 6);
    }
}

fn of_a_binlog(kind: &str, server: &BinlogServer, count: usize) {
    let database = servers::binlog_database(server, "unread");
    server.sql(&database, TABLES).unwrap();
    let installation = Installation::new("");
    let source = format!(
        "[source.hr]\nkind = \"{kind}\"\nurl = \"{}\"\ntables = [\"{database}.*\"]",
        server.url(&database)
    );
    store::configure(&installation, (&source, server.password()), None);
    let sql = |sql: &str| drop(server.sql(&database, sql).unwrap());
    // A length that goes beyond the event. The image before an update has the mark, too.
    let damage = |bytes: &mut [u8], place: usize| bytes[place - 1] = 255;
    tokio::task::block_in_place(|| set_aside(&installation, "hr", &sql, (damage, count)));
}
