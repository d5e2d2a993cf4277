//! What a MySQL must be set to: what `check` says is what `run` needs, no more and no less.

use std::process::{Command, Output};

use trueup::demo::servers::{MysqlServer, Options};

use super::{agrees, mirrored};
use crate::support::process::Installation;
use crate::support::require::require;

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    format!("{out}{err}")
}

fn configured(installation: &Installation, from: &str, to: &str) {
    let file = installation.state_folder().with_file_name("trueup.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    installation.write("trueup.toml", &text.replace(from, to));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_init_and_check_say_of_a_mysql_is_enough() {
    if !require("mysql") {
        return;
    }
    let options = Options::default()
        .setting("gtid_mode", "OFF")
        .setting("enforce_gtid_consistency", "OFF")
        .setting("binlog_row_metadata", "MINIMAL")
        .setting("binlog_expire_logs_seconds", "3600");
    let server = MysqlServer::start(&options).unwrap();
    server.create_database("shop").unwrap();
    let table = "CREATE TABLE t (id int PRIMARY KEY, v varchar(20)); CREATE TABLE keyless (a int);
                 INSERT INTO t VALUES (1, 'a')";
    server.sql("shop", table).unwrap();
    // GIVEN what init writes: it asks the server what it is
    let installation = mirrored(&server, "shop", "");
    let mut init = Command::new(env!("CARGO_BIN_EXE_trueup"));
    init.args(["init", "--dry-run", "--source", &format!("hr={}", server.url("shop"))]);
    let written = init.env("TRUEUP_HR_PASSWORD", server.password()).output().unwrap();
    let text = said(&written);
    assert!(written.status.success(), "{text}");
    assert!(text.contains("kind = \"mysql\"") && text.contains("\n    \"shop.t\","), "{text}");
    assert!(text.contains("# \"shop.keyless\",\n    #     left out: "), "{text}");
    configured(&installation, "\"shop.*\"", "\"shop.t\"");
    // WHEN the kind is wrong THEN check says which is right
    configured(&installation, "\"mysql\"\nurl", "\"mariadb\"\nurl");
    let checked = said(&installation.output(&["check"]));
    assert!(checked.contains("kind = \"mysql\""), "{checked}");
    configured(&installation, "\"mariadb\"\nurl", "\"mysql\"\nurl");
    // WHEN settings are wrong THEN each is named with its remedy, which helps
    let checked = installation.output(&["check"]);
    let text = said(&checked);
    assert!(!checked.status.success(), "{text}");
    for words in ["gtid_mode = OFF", "binlog_row_metadata = MINIMAL", "longer than 1 hours"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let remedies =
        "SET GLOBAL enforce_gtid_consistency = ON; SET GLOBAL gtid_mode = OFF_PERMISSIVE;
        SET GLOBAL gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON;
        SET GLOBAL binlog_row_metadata = FULL; SET GLOBAL binlog_expire_logs_seconds = 604800";
    server.sql("", remedies).unwrap();
    // WHEN an account has the rights of the script, and no others, THEN that suffices
    let script =
        concat!(env!("CARGO_MANIFEST_DIR"), "/sql/source/mysql/least_privilege_of_mysql.sql");
    let script = std::fs::read_to_string(script).unwrap();
    let account = "CREATE USER 'trueup'@'%' IDENTIFIED BY 'choose a password'";
    server.sql("", account).unwrap();
    configured(&installation, "mysql://root@", "mysql://trueup@");
    installation.write("source.password", "choose a password");
    server.sql("", "GRANT SELECT ON shop.* TO 'trueup'@'%'").unwrap();
    let text = said(&installation.output(&["check"]));
    for right in ["REPLICATION SLAVE", "REPLICATION CLIENT", "XA_RECOVER_ADMIN"] {
        assert!(text.contains(&format!("GRANT {right} ON *.* TO 'trueup'@'%';")), "{text}");
    }
    server.sql("", "DROP USER 'trueup'@'%'").unwrap();
    server.sql("", &script.replace("`database`", "shop")).unwrap();
    // (It wants encryption, which is not asked for on this machine otherwise.)
    configured(&installation, "[source.hr]\n", "[source.hr]\ntls = \"require\"\n");
    let checked = installation.output(&["check"]);
    assert!(checked.status.success(), "{}", said(&checked));
    let _daemon = installation.start(&["run"], &[]);
    agrees(&installation, &server, "shop").await;
    server.sql("shop", "UPDATE t SET v = 'ä'; INSERT INTO t VALUES (2, NULL)").unwrap();
    assert_eq!(agrees(&installation, &server, "shop").await, 1);
}
