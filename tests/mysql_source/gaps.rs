//! What MySQL's log does not have any more, or never had, is a gap, and is mended.

use std::path::PathBuf;

use trueup::demo::servers::{MysqlServer, Options};

use super::{agrees, mirrored};
use crate::agreement::PATIENCE;
use crate::spine::store_opens;
use crate::support::process::Installation;
use crate::support::require::require;
use crate::support::servers::copy_folder;
use crate::support::wait::wait_until;

pub(super) const TABLE: &str =
    "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1), (2, 2)";

pub(super) fn wait_for_gap(installation: &Installation, why: &str) {
    wait_until("the gap to be found", PATIENCE, || {
        let said = String::from_utf8_lossy(&installation.output(&["status"]).stdout).into_owned();
        if said.contains("gap") && said.contains(why) { Ok(()) } else { Err(said) }
    });
}

/// A daemon that has copied, and was stopped; then something happens to the log.
pub(super) async fn mended(server: &MysqlServer, happens: &dyn Fn(&MysqlServer), why: &str) {
    server.sql("", "DROP DATABASE IF EXISTS gaps; CREATE DATABASE gaps").unwrap();
    server.sql("gaps", TABLE).unwrap();
    let installation = mirrored(server, "gaps", "compare_every_secs = 0");
    let mut daemon = installation.start(&["run"], &[]);
    agrees(&installation, server, "gaps").await;
    server.sql("gaps", "UPDATE t SET v = 20 WHERE id = 2").unwrap();
    agrees(&installation, server, "gaps").await;
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    server.sql("gaps", "DELETE FROM t WHERE id = 1; INSERT INTO t VALUES (3, 3)").unwrap();
    happens(server);
    server.sql("gaps", "INSERT INTO t VALUES (4, 4)").unwrap();
    let _daemon = installation.start(&["run"], &[]);
    wait_for_gap(&installation, why);
    store_opens(&installation);
    let output = installation.output(&["resync", "hr", "--gap"]);
    let failed = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{failed}");
    agrees(&installation, server, "gaps").await;
    server.sql("gaps", "UPDATE t SET v = v + 1").unwrap();
    agrees(&installation, server, "gaps").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_whose_log_is_gone_is_followed_anew() {
    if !require("mysql") {
        return;
    }
    is_followed_anew(&Options::default()).await;
}

/// Purged, and reset.
pub(super) async fn is_followed_anew(options: &Options) {
    let server = MysqlServer::start(options).unwrap();
    let purge = |server: &MysqlServer| {
        let sql = "FLUSH BINARY LOGS; SHOW BINARY LOG STATUS";
        let said = server.sql("", sql).unwrap();
        let file = said.split_whitespace().next().unwrap();
        server.sql("", &format!("PURGE BINARY LOGS TO '{file}'")).unwrap();
    };
    mended(&server, &purge, "older files were purged").await;
    let reset = |server: &MysqlServer| {
        server.sql("", "RESET BINARY LOGS AND GTIDS").unwrap();
    };
    mended(&server, &reset, "it was restored or its log was reset").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mysql_that_gives_the_same_numbers_to_other_transactions_is_a_gap() {
    if !require("mysql") {
        return;
    }
    is_told_from_its_restored_copy(&Options::default()).await;
}

pub(super) async fn is_told_from_its_restored_copy(options: &Options) {
    let server = MysqlServer::start(options).unwrap();
    server.create_database("gaps").unwrap();
    server.sql("gaps", TABLE).unwrap();
    let installation = mirrored(&server, "gaps", "compare_every_secs = 0");
    // GIVEN a copy of the data folder, made before the last transaction that we read
    let folder = PathBuf::from(server.sql("", "SELECT @@datadir").unwrap().trim());
    server.stop().unwrap();
    let kept = folder.with_file_name("kept");
    copy_folder(&folder, &kept);
    server.start_again().unwrap();
    let mut daemon = installation.start(&["run"], &[]);
    agrees(&installation, &server, "gaps").await;
    server.sql("gaps", "UPDATE t SET v = 20 WHERE id = 2").unwrap();
    agrees(&installation, &server, "gaps").await;
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    // WHEN it is put back, and as many other transactions are written
    server.stop().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::rename(&kept, &folder).unwrap();
    server.start_again().unwrap();
    server.sql("gaps", "UPDATE t SET v = 21 WHERE id = 2; UPDATE t SET v = 1").unwrap();
    // THEN it is not taken for the same log
    let _daemon = installation.start(&["run"], &[]);
    wait_for_gap(&installation, "another");
}
