//! What MySQL's log does not say: columns that only an index has or that were added without a word,
//! keys of the server's own that it hides, and transactions that were numbered and never written.

use trueup::demo::servers::{MysqlServer, Options};

use super::{agrees, mirrored};
use crate::agreement::PATIENCE;
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

#[tokio::test(flavor = "multi_thread")]
async fn an_index_over_the_parts_of_a_json_hides_no_row() {
    if !require("mysql") {
        return;
    }
    let server = servers::mysql();
    let database = servers::binlog_database(server, "parts");
    let run = |sql: &str| server.sql(&database, sql).unwrap();
    run("CREATE TABLE t (id int PRIMARY KEY, j json, v varchar(20),
            INDEX n ((CAST(j->'$.n' AS UNSIGNED ARRAY))), INDEX s ((CAST(j->'$.s' AS CHAR(30) ARRAY))),
            INDEX d ((CAST(j->'$.d' AS DECIMAL(10,2) ARRAY))));
         INSERT INTO t VALUES (1, '{\"n\": [1, 2], \"s\": [\"a\"]}', 'x'), (2, NULL, 'y')");
    let installation = mirrored(server, &database, "");
    let _daemon = installation.start(&["run"], &[]);
    assert_eq!(agrees(&installation, server, &database).await, 1);
    run("INSERT INTO t VALUES (3, '{\"n\": [3], \"s\": [\"b\", \"c\"], \"d\": [1.5]}', 'z');
         UPDATE t SET v = 'w', j = '{\"n\": [4, 5]}' WHERE id = 2; DELETE FROM t WHERE id = 1");
    agrees(&installation, server, &database).await;
    run("ALTER TABLE t ADD COLUMN more varchar(300), ADD COLUMN f float;
         UPDATE t SET more = 'm', f = 1.5 WHERE id = 3");
    agrees(&installation, server, &database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_the_log_does_not_say_was_added_is_followed() {
    if !require("mysql") {
        return;
    }
    let server = servers::mysql();
    let database = servers::binlog_database(server, "unlogged");
    let run = |sql: &str| server.sql(&database, sql).unwrap();
    run(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar(20)); INSERT INTO t VALUES (1, 'a'), (2, 'b')",
    );
    let installation = mirrored(server, &database, "");
    let _daemon = installation.start(&["run"], &[]);
    agrees(&installation, server, &database).await;
    run("UPDATE t SET v = 'met' WHERE id = 1");
    agrees(&installation, server, &database).await;
    // WHEN each server is altered by itself, as in a rolling upgrade
    run("SET SESSION sql_log_bin = 0; ALTER TABLE t ADD COLUMN w int DEFAULT 5;
         SET SESSION sql_log_bin = 1; UPDATE t SET w = 7 WHERE id = 1; INSERT INTO t VALUES (3, 'c', 8)");
    // THEN the mirror has it from the first row on that shows it
    agrees(&installation, server, &database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_was_numbered_and_never_written_holds_no_copy_up() {
    if !require("mysql") {
        return;
    }
    let server = MysqlServer::start(&Options::default()).unwrap();
    server.create_database("owned").unwrap();
    server.sql("owned", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").unwrap();
    // GIVEN somebody who owns a number while the copy begins
    let mut owner = crate::agreement::mariadb::connect(&server, "owned").await;
    let uuid = server.sql("", "SELECT @@server_uuid").unwrap();
    let own = format!("SET gtid_next = '{}:900'; BEGIN; INSERT INTO t VALUES (9)", uuid.trim());
    mysql_async::prelude::Queryable::query_drop(&mut owner, own).await.unwrap();
    let installation = mirrored(&server, "owned", "");
    let _daemon = installation.start(&["run"], &[]);
    wait_until("the copy to begin", PATIENCE, || {
        let said = String::from_utf8_lossy(&installation.output(&["status"]).stdout).into_owned();
        if said.contains("copying") { Ok(()) } else { Err(said) }
    });
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    // WHEN it gives it up
    let give_up = "ROLLBACK; SET gtid_next = 'AUTOMATIC'";
    mysql_async::prelude::Queryable::query_drop(&mut owner, give_up).await.unwrap();
    // THEN the copy comes to its end
    agrees(&installation, &server, "owned").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_servers_own_is_followed_where_the_catalog_hides_it() {
    if !require("mysql") {
        return;
    }
    // A server of its own: the setting is everybody's.
    let options = Options::default()
        .setting("sql_generate_invisible_primary_key", "ON")
        .setting("show_gipk_in_create_table_and_information_schema", "OFF");
    let server = MysqlServer::start(&options).unwrap();
    server.create_database("hidden").unwrap();
    let run = |sql: &str| server.sql("hidden", sql).unwrap();
    run("CREATE TABLE t (v varchar(20), secret int INVISIBLE DEFAULT 1);
         INSERT INTO t (v, secret) VALUES ('a', 2), ('b', 3)");
    let installation = mirrored(&server, "hidden", "");
    let _daemon = installation.start(&["run"], &[]);
    run(
        "UPDATE t SET secret = 9 WHERE v = 'a'; DELETE FROM t WHERE v = 'b'; INSERT INTO t VALUES ('c')",
    );
    wait_until("the rows with the server's key", PATIENCE, || {
        let sql = "SELECT string_agg(my_row_id || v || secret, ' ' ORDER BY my_row_id) FROM hr.t";
        let found = crate::spine::store_rows(&installation, sql)?[0][0].clone();
        if found.as_deref() == Some("1a9 3c1") { Ok(()) } else { Err(format!("{found:?}")) }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_was_executed_and_never_logged_holds_no_copy_up() {
    if !require("mysql") {
        return;
    }
    let server = MysqlServer::start(&Options::default()).unwrap();
    server.create_database("unlogged").unwrap();
    let run = |sql: &str| server.sql("unlogged", sql).unwrap();
    run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let uuid = run("SELECT @@server_uuid").trim().to_owned();
    let installation = mirrored(&server, "unlogged", "");
    let _daemon = installation.start(&["run"], &[]);
    agrees(&installation, &server, "unlogged").await;
    // GIVEN a number that is executed and in no log
    run(&format!("SET sql_log_bin = 0, gtid_next = '{uuid}:900'; CREATE TABLE by_itself (a int)"));
    // WHEN a table is copied THEN nobody waits for it, nor does a comparison
    let output = installation.output(&["resync", "hr.t"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    run("CREATE TABLE other (id int PRIMARY KEY); INSERT INTO other VALUES (1), (2)");
    assert_eq!(agrees(&installation, &server, "unlogged").await, 2);
    // The same of those of another server, which this one is told to take for executed.
    run("SET GLOBAL gtid_purged = '+3e11fa47-71ca-11e1-9e33-c80aa9429562:1-7'");
    run("INSERT INTO other VALUES (3)");
    assert_eq!(agrees(&installation, &server, "unlogged").await, 2);
    // WHEN server and daemon come again THEN nothing is missed
    server.restart().unwrap();
    run("INSERT INTO t VALUES (2)");
    assert_eq!(agrees(&installation, &server, "unlogged").await, 2);
}
