//! What a log that is followed by file and position does not have any more is a gap: purged, reset, restored,
//! named another way, or another server's.

use std::path::PathBuf;

use trueup::demo::servers::MysqlServer;

use super::by_file::off;
use super::gaps::{TABLE, is_followed_anew, is_told_from_its_restored_copy, mended, wait_for_gap};
use super::{agrees, mirrored};
use crate::support::require::require;

fn folder(server: &MysqlServer) -> PathBuf {
    PathBuf::from(server.sql("", "SELECT @@datadir").unwrap().trim())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_without_gtids_whose_log_is_gone_is_followed_anew() {
    if require("mysql") {
        is_followed_anew(&off()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_without_gtids_that_was_restored_is_a_gap_where_the_places_are_the_same() {
    if require("mysql") {
        is_told_from_its_restored_copy(&off()).await;
    }
}

/// A server that takes the place of another may have files of the same names, as long as they were.
#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_without_gtids_that_is_another_one_is_a_gap() {
    if !require("mysql") {
        return;
    }
    let server = MysqlServer::start(&off()).unwrap();
    let other = |server: &MysqlServer| {
        let folder = folder(server);
        server.stop().unwrap();
        std::fs::remove_file(folder.join("auto.cnf")).unwrap();
        server.start_again().unwrap();
    };
    mended(&server, &other, "without GTIDs no server can go on where another one was").await;
    // Files of another name are another log, too.
    let renamed = |server: &MysqlServer| {
        let file = folder(server).with_file_name("server.cnf");
        server.stop().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace("log_bin = binlog", "log_bin = renamed")).unwrap();
        server.start_again().unwrap();
    };
    mended(&server, &renamed, "neither lies before the other").await;
}

/// The log is reset while it is followed, and grows beyond where it was read.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_without_gtids_that_is_reset_while_it_is_followed_is_a_gap() {
    if !require("mysql") {
        return;
    }
    let server = MysqlServer::start(&off()).unwrap();
    server.create_database("gaps").unwrap();
    server.sql("gaps", TABLE).unwrap();
    let installation = mirrored(&server, "gaps", "compare_every_secs = 0");
    let _daemon = installation.start(&["run"], &[]);
    agrees(&installation, &server, "gaps").await;
    server.sql("gaps", "UPDATE t SET v = 20 WHERE id = 2").unwrap();
    agrees(&installation, &server, "gaps").await;
    server.sql("gaps", "RESET BINARY LOGS AND GTIDS").unwrap();
    for round in 0..40 {
        server.sql("gaps", &format!("INSERT INTO t VALUES (1{round}, {round})")).unwrap();
    }
    wait_for_gap(&installation, "gap");
    crate::spine::store_opens(&installation);
    let output = installation.output(&["resync", "hr", "--gap"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    server.sql("gaps", "UPDATE t SET v = v + 1").unwrap();
    agrees(&installation, &server, "gaps").await;
}
