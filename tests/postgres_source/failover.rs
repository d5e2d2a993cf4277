//! A standby takes over (PostgreSQL 17 and later): the slot was carried to it, so the log goes on there, and
//! nobody has to copy anything again.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use trueup::demo::servers::{Options, PostgresServer};

use crate::agreement::store;
use crate::spine::store_rows;
use crate::support::process::Installation;
use crate::support::servers::copy_folder;
use crate::support::versions::{Version, on_versions};
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(240);
const ROWS: &str = "SELECT string_agg(concat_ws(' ', id, v), ',' ORDER BY id) FROM {t}";

/// Makes `standby` follow `primary`, with the slots that may be carried.
fn follow(primary: &PostgresServer, standby: &PostgresServer) {
    let folder = |server: &PostgresServer| {
        let folder = server.sql("postgres", "SHOW data_directory").unwrap();
        Path::new(folder.trim()).to_owned()
    };
    let (theirs, ours) = (folder(primary), folder(standby));
    primary.sql("postgres", "SELECT pg_create_physical_replication_slot('sb', true)").unwrap();
    standby.stop_immediately().unwrap();
    primary.stop_immediately().unwrap();
    std::fs::remove_dir_all(&ours).unwrap();
    copy_folder(&theirs, &ours);
    primary.start_again().unwrap();
    let configuration = ours.join("postgresql.conf");
    let mut file = std::fs::OpenOptions::new().append(true).open(configuration).unwrap();
    let lines = format!(
        "port = {}\nprimary_conninfo = 'host=127.0.0.1 port={} user=postgres password={} \
         dbname=postgres'\nprimary_slot_name = 'sb'\nhot_standby_feedback = on\n\
         sync_replication_slots = on\n",
        standby.port(),
        primary.port(),
        primary.password()
    );
    file.write_all(lines.as_bytes()).unwrap();
    std::fs::write(ours.join("standby.signal"), "").unwrap();
    standby.start_again().unwrap();
    // What the standby has not got is not sent to us either.
    let waits = "ALTER SYSTEM SET synchronized_standby_slots = 'sb'; SELECT pg_reload_conf()";
    primary.sql("postgres", waits).unwrap();
}

async fn a_standby_that_takes_over_is_followed_where_the_log_was(version: Version) {
    let options = Options { version: version.map(ToOwned::to_owned), ..Options::default() };
    let primary = PostgresServer::start(&options).unwrap();
    let standby = PostgresServer::start(&options).unwrap();
    primary.create_database("erp").unwrap();
    let table = "CREATE TABLE t (id int PRIMARY KEY, v text);
                 INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 200) AS g";
    primary.sql("erp", table).unwrap();
    follow(&primary, &standby);
    let installation = Installation::new("");
    let configure = |server: &PostgresServer| {
        let source = format!(
            "[source.erp]\nkind = \"postgres\"\nurl = \"{}\"\ntables = [\"public.*\"]",
            server.url("erp")
        );
        store::configure(&installation, (&source, primary.password()), None);
    };
    let agrees = |server: &PostgresServer, what: &str| {
        wait_until(what, PATIENCE, || {
            let theirs = server.sql("erp", &ROWS.replace("{t}", "t")).unwrap();
            let ours = store_rows(&installation, &ROWS.replace("{t}", "erp.t"))?;
            let ours = ours[0][0].clone().unwrap_or_default();
            if ours == theirs.trim() { Ok(()) } else { Err(format!("{ours:.200}")) }
        });
    };
    configure(&primary);
    let mut daemon = installation.start(&["run"], &[]);
    agrees(&primary, "the copy");
    // GIVEN a standby that has the slot, and a primary that dies amid writes
    wait_until("the slot to be carried over", PATIENCE, || {
        let slots = "SELECT count(*) FROM pg_replication_slots WHERE synced AND NOT temporary";
        match standby.sql("postgres", slots).unwrap().trim() {
            "1" => Ok(()),
            count => Err(format!("{count} slots")),
        }
    });
    for round in 0..20 {
        let write = format!(
            "UPDATE t SET v = v || '.' WHERE id % 20 = {round}; INSERT INTO t VALUES (1000 + {round}, 'new')"
        );
        primary.sql("erp", &write).unwrap();
    }
    primary.kill().unwrap();
    // WHEN the standby takes over
    standby.sql("postgres", "SELECT pg_promote()").unwrap();
    standby.sql("erp", "DELETE FROM t WHERE id = 5; INSERT INTO t VALUES (2000, 'there')").unwrap();
    daemon.kill();
    configure(&standby);
    let daemon = installation.start(&["run"], &[]);
    // THEN it is followed, with nothing lost or copied again
    agrees(&standby, "the log of the new primary");
    standby.sql("erp", "UPDATE t SET v = 'last' WHERE id = 2000").unwrap();
    agrees(&standby, "what comes afterwards");
    let compared = installation.output(&["reconcile"]);
    let said = String::from_utf8_lossy(&compared.stdout).into_owned();
    assert_eq!(compared.status.code(), Some(0), "{said}");
    let copies = store_rows(&installation, "SELECT count(*) FROM ops.resync").unwrap();
    assert_eq!(copies[0][0].as_deref(), Some("0"));
    let output = daemon.output();
    assert!(!output.contains("changes may be lost"), "{output}");
}

on_versions! { [pg17 pg18] a_standby_that_takes_over_is_followed_where_the_log_was }
