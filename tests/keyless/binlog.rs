//! Tables without a key in MariaDB and MySQL: the mirror has every row as often as the server, whatever is
//! written, copied, killed and changed, and whatever foreign keys do unseen; what is tampered with is found.

mod refused;
mod writing;

use std::ops::Deref;
use std::time::Duration;

use mysql_async::Conn;
use rand::Rng;
use trueup::demo::servers::{BinlogServer, MariadbServer, MysqlServer, Options};

use crate::agreement::mariadb::{connect, rows};
use crate::agreement::store;
use crate::spine::{store_opens, store_rows};
use crate::support::process::{Installation, Running};
use crate::support::random::seeded;
use crate::support::versions::{Version, on_versions};
use crate::support::wait::wait_until;
use writing::Writers;

const PATIENCE: Duration = Duration::from_secs(240);

/// `tally` has values of many kinds; `unique_n` has what the log calls a key; `gone` and `nulled` follow `keeper`.
const TABLES: &str = "
    CREATE TABLE tally (n int, txt varchar(20) COLLATE utf8mb4_general_ci, amount decimal(12,2),
        stamp timestamp(3) NULL, moment datetime(6), doc json, big longtext, f double, e enum('a', 'b'),
        bytes varbinary(20), KEY (n));
    CREATE TABLE computed (n int, twice int AS (n * 2) VIRTUAL, thrice int AS (n * 3) STORED, txt varchar(20));
    CREATE TABLE entries (n int, txt varchar(20) CHARACTER SET latin1);
    CREATE TABLE parts (n int, txt varchar(20)) PARTITION BY HASH (n) PARTITIONS 3;
    CREATE TABLE cut (n int, txt varchar(20));
    CREATE TABLE unique_n (n int NOT NULL, txt varchar(20), UNIQUE KEY (n));
    CREATE TABLE keyed (id int PRIMARY KEY, n int);
    CREATE TABLE keeper (id int PRIMARY KEY, v int);
    CREATE TABLE gone (n int, txt varchar(20), moment datetime(3), f float,
        FOREIGN KEY (n) REFERENCES keeper (id) ON DELETE CASCADE ON UPDATE CASCADE);
    CREATE TABLE nulled (n int, txt varchar(20), moment datetime(3), amount decimal(4,2),
        FOREIGN KEY (n) REFERENCES keeper (id) ON DELETE SET NULL ON UPDATE CASCADE)";

/// Every row of a table as a text, by table: on the server, and in the store.
const ROWS: [(&str, &str, &str); 10] = [
    (
        "tally",
        "concat_ws('|', coalesce(n, '~'), coalesce(txt, '~'), coalesce(amount, '~'),
            coalesce(timestampdiff(microsecond, '1970-01-01', stamp), '~'),
            coalesce(timestampdiff(microsecond, '1970-01-01', moment), '~'),
            coalesce(replace(cast(doc AS char), ' ', ''), '~'), coalesce(sha2(big, 256), '~'),
            coalesce(cast(round(f * 7) AS signed), '~'), coalesce(e, '~'), coalesce(hex(bytes), '~'))",
        "concat_ws('|', coalesce(n::text, '~'), coalesce(txt, '~'), coalesce(amount::text, '~'),
            coalesce(epoch_us(stamp)::text, '~'), coalesce(epoch_us(moment)::text, '~'),
            coalesce(replace(doc::text, ' ', ''), '~'), coalesce(sha256(big), '~'),
            coalesce(round(f * 7)::int::text, '~'), coalesce(e, '~'), coalesce(hex(bytes), '~'))",
    ),
    ("entries", PLAIN, PLAIN_HERE),
    ("parts", PLAIN, PLAIN_HERE),
    ("cut", PLAIN, PLAIN_HERE),
    ("computed", PLAIN, PLAIN_HERE),
    ("unique_n", PLAIN, PLAIN_HERE),
    ("keyed", "concat_ws('|', id, n)", "concat_ws('|', id::text, n::text)"),
    ("keeper", "concat_ws('|', id, v)", "concat_ws('|', id::text, v::text)"),
    (
        "gone",
        "concat_ws('|', n, txt, timestampdiff(microsecond, '1970-01-01', moment), cast(round(f * 7) AS signed))",
        "concat_ws('|', n::text, txt, epoch_us(moment)::text, round(f * 7)::int::text)",
    ),
    (
        "nulled",
        "concat_ws('|', coalesce(n, '~'), txt, timestampdiff(microsecond, '1970-01-01', moment), amount)",
        "concat_ws('|', coalesce(n::text, '~'), txt, epoch_us(moment)::text, amount::text)",
    ),
];
const PLAIN: &str = "concat_ws('|', coalesce(n, '~'), coalesce(txt, '~'))";
const PLAIN_HERE: &str = "concat_ws('|', coalesce(n::text, '~'), coalesce(txt, '~'))";

/// Rows for all tables, many of them equal, some but for case.
fn filling() -> String {
    let insert = |table: &str, count: u32, row: &dyn Fn(u32) -> String| {
        let rows: Vec<String> = (1..=count).map(row).collect();
        format!("INSERT INTO {table} VALUES {}", rows.join(", "))
    };
    let tally = |g: u32| {
        let txt = ["NULL", "''", "'x1'", "'X1'", "'é'"][(g % 5) as usize];
        let big = if g.is_multiple_of(9) { "repeat('long ', 3000)" } else { "NULL" };
        format!(
            "({}, {txt}, {}.5, '2026-10-25 00:30:00.120', '2026-01-02 03:04:05.000100', '{{\"a\": null}}', {big}, \
             {} / 7, 'b', x'00ff')",
            g % 40,
            g % 3,
            g % 2
        )
    };
    let names = "tally (n, txt, amount, stamp, moment, doc, big, f, e, bytes)";
    let at = "'2026-01-02 03:04:05.100'";
    [
        insert(names, 1_500, &tally),
        insert("entries", 900, &|g| format!("({}, {})", g % 5, ["NULL", "'ä'"][(g % 2) as usize])),
        insert("parts", 300, &|g| format!("({}, 'p')", g % 4)),
        insert("cut", 300, &|g| format!("({}, 'c')", g % 4)),
        insert("computed (n, txt)", 300, &|g| format!("({}, 'c')", g % 4)),
        insert("unique_n", 300, &|g| format!("({g}, 'u')")),
        insert("keyed", 300, &|g| format!("({g}, {g})")),
        insert("keeper", 40, &|g| format!("({g}, 0)")),
        insert("gone", 600, &|g| format!("({}, 'g', {at}, {} / 7)", 1 + g % 40, g % 2)),
        insert("nulled", 600, &|g| format!("({}, 'n', {at}, 0.50)", 1 + g % 40)),
    ]
    .join("; ")
}

/// A server of the test's own, with the tables and their rows in `shop`.
type Server = Box<dyn Deref<Target = BinlogServer> + Send + Sync>;

fn is_mysql(version: Version) -> bool {
    version == Some("9")
}

fn started(version: Version, settings: &[(&str, &str)]) -> Server {
    let mut options = Options::default();
    for (name, value) in settings {
        options = options.setting(name, value);
    }
    let server: Server = match is_mysql(version) {
        true => Box::new(MysqlServer::start(&options).unwrap()),
        false => Box::new(MariadbServer::start(&options.version(version)).unwrap()),
    };
    server.create_database("shop").unwrap();
    server.sql("shop", TABLES).unwrap();
    server.sql("shop", &filling()).unwrap();
    server
}

fn installation(version: Version, server: &BinlogServer, keyless: &str) -> Installation {
    let installation = Installation::new("");
    let kind = if is_mysql(version) { "mysql" } else { "mariadb" };
    let source = format!(
        "[source.hr]\nkind = \"{kind}\"\nurl = \"{}\"\ntables = [\"shop.*\"]\nkeyless = [{keyless}]",
        server.url("shop")
    );
    store::configure(&installation, (&source, server.password()), None);
    let file = installation.state_folder().with_file_name("trueup.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let limits = "[limits]\ncompare_every_secs = 0\ncopy_chunk_rows = 150\n";
    installation.write("trueup.toml", &text.replace("[limits]\n", limits));
    installation
}

fn counted(table: &str, text: &str) -> String {
    format!("SELECT hex({text}), cast(count(*) AS char(10)) FROM {table} GROUP BY 1")
}

async fn on_server(connection: &mut Conn, table: &str, row: &str) -> Vec<Vec<Option<String>>> {
    let mut rows =
        rows(connection, &counted(table, &format!("convert({row} using utf8mb4)"))).await;
    rows.sort();
    rows
}

/// Waits until the mirror has every row of the server as often. Nobody may be writing.
async fn agrees(installation: &Installation, connection: &mut Conn) {
    for (table, row, here) in ROWS {
        let expected = on_server(connection, table, row).await;
        wait_until(&format!("{table} to be equal"), PATIENCE, || {
            let mut found = store_rows(installation, &counted(&format!("hr.{table}"), here))?;
            found.sort();
            let lacks = expected.iter().find(|row| !found.contains(row));
            let has = found.iter().find(|row| !expected.contains(row));
            if lacks.or(has).is_none() { Ok(()) } else { Err(format!("{lacks:?} {has:?}")) }
        });
    }
}

/// Compares every table; how many rows differ.
fn differing(installation: &Installation, rows: usize) -> u64 {
    let output = installation.output(&["reconcile", "--json"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let answer: serde_json::Value = serde_json::from_str(&said)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let all = answer["compared"].as_array().unwrap();
    let sum = |field: &str| all.iter().map(|one| one[field].as_u64().unwrap()).sum::<u64>();
    assert_eq!((all.len(), sum("rows")), (ROWS.len(), rows as u64), "{said}");
    assert_eq!(output.status.code() == Some(0), sum("differing") == 0, "{said}");
    sum("differing")
}

async fn rows_in_all(connection: &mut Conn) -> usize {
    let mut count = 0;
    for (table, ..) in ROWS {
        let found = rows(connection, &format!("SELECT count(*) FROM {table}")).await;
        count += found[0][0].as_ref().unwrap().parse::<usize>().unwrap();
    }
    count
}

/// Waits until all is copied and nothing is to be copied once more.
fn is_copied(installation: &Installation) {
    wait_until("the copy", PATIENCE, || {
        let sql = "SELECT source FROM ops.source_ready
                   WHERE source NOT IN (SELECT source FROM ops.unproven)";
        let status =
            || String::from_utf8_lossy(&installation.output(&["status"]).stdout).into_owned();
        store_rows(installation, sql)?.first().map(drop).ok_or_else(status)
    });
}

/// How often a daemon found that a copy does not explain the log.
fn misfits(daemon: &Running) -> usize {
    daemon.output().matches("does not fit the log").count()
}

async fn tables_are_mirrored_through_kills(version: Version) {
    of_kills(version, &[]).await;
}

/// The log of such a server is silent about them.
async fn foreign_keys_that_are_not_logged_are_followed_through_kills(version: Version) {
    of_kills(version, &[("innodb_native_foreign_keys", "ON")]).await;
}

async fn of_kills(version: Version, settings: &[(&str, &str)]) {
    let mut rng = seeded();
    // Rotated all the time: a snapshot's place is not always what the server calls it.
    let settings = [settings, &[("max_binlog_size", "65536")]].concat();
    let server = started(version, &settings);
    let mut connection = connect(&server, "shop").await;
    let installation = installation(version, &server, "\"shop.*\"");
    // (Of MySQL's catalog much is read after each TRUNCATE or XA transaction.)
    let pause = Duration::from_millis(if is_mysql(version) { 50 } else { 8 });
    let writing = Writers::start(&server, &mut rng, pause).await;
    for failpoint in [
        "after-chunk:3",
        "after-chunk-commit:4",
        "before-store-commit:6",
        "after-store-commit:9",
        "after-outbox-commit:12",
        "after-journal-commit:30",
    ] {
        let mut daemon = installation.start(&["run"], &[("TRUEUP_FAILPOINT", failpoint)]);
        assert!(!daemon.wait(PATIENCE).success(), "{failpoint} must have crashed");
        assert_eq!(misfits(&daemon), 0, "{}", daemon.output());
    }
    let mut daemon = installation.start(&["run"], &[]);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(rng.random_range(50..2_000))).await;
        daemon.kill();
        assert_eq!(misfits(&daemon), 0, "{}", daemon.output());
        daemon = installation.start(&["run"], &[]);
    }
    is_copied(&installation);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let written = writing.stop().await;
    assert!(written > 200, "the writers must have been busy: {written} transactions");
    agrees(&installation, &mut connection).await;
    assert_eq!(differing(&installation, rows_in_all(&mut connection).await), 0);
    let doubted = "SELECT count(*)::text FROM ops.unproven";
    assert_eq!(store_rows(&installation, doubted).unwrap()[0][0].as_deref(), Some("0"));
    if version != Some("11.8") {
        let wrong = "SELECT count(*)::text FROM hr.computed WHERE twice IS DISTINCT FROM n * 2
                     OR thrice IS DISTINCT FROM n * 3";
        assert_eq!(store_rows(&installation, wrong).unwrap()[0][0].as_deref(), Some("0"));
    }
    assert_eq!(misfits(&daemon), 0, "{}", daemon.output());
    eprintln!("{written} transactions, all is equal");
    // WHEN columns change THEN the table is copied anew
    server.sql("shop", "ALTER TABLE tally ADD COLUMN added int DEFAULT 7").unwrap();
    server.sql("shop", "DELETE FROM tally WHERE n = 1").unwrap();
    wait_until("the column to come", PATIENCE, || {
        let sql = "SELECT count(*)::text FROM hr.tally WHERE added IS DISTINCT FROM 7";
        let rows = store_rows(&installation, sql)?;
        if rows[0][0].as_deref() == Some("0") { Ok(()) } else { Err(format!("{rows:?}")) }
    });
    agrees(&installation, &mut connection).await;
    server.sql("shop", "TRUNCATE tally; INSERT INTO tally (n) VALUES (1), (1)").unwrap();
    agrees(&installation, &mut connection).await;
    assert_eq!(differing(&installation, rows_in_all(&mut connection).await), 0);
}

async fn what_is_tampered_with_is_counted_and_mended(version: Version) {
    let server = started(version, &[]);
    let mut connection = connect(&server, "shop").await;
    let installation = installation(version, &server, "\"shop.*\"");
    let mut daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    agrees(&installation, &mut connection).await;
    is_copied(&installation);
    let rows = rows_in_all(&mut connection).await;
    assert_eq!(differing(&installation, rows), 0);
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    let tampered = |statements: &[&str]| {
        let file = installation.state_folder().join("store.duckdb");
        let store = duckdb::Connection::open(file).unwrap();
        for sql in statements {
            assert!(store.execute(sql, []).unwrap() > 0, "{sql}");
        }
    };
    tampered(&[
        // One of equals less, two of another more, and one that is another by now, but for case.
        "DELETE FROM hr.entries WHERE n = 2 AND _nth = 90 AND txt IS NULL",
        "INSERT INTO hr.entries SELECT n, txt, _row, _nth + 900 FROM hr.entries
         WHERE n = 3 AND _nth <= 2 AND txt IS NULL",
        "UPDATE hr.parts SET txt = 'P' WHERE n = 1 AND _nth = 1",
    ]);
    let mut daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    assert_eq!(differing(&installation, rows), 1 + 2 + 2);
    let classes = "SELECT string_agg(class, ' ' ORDER BY class) FROM ops.drift";
    let found = store_rows(&installation, classes).unwrap();
    assert_eq!(found[0][0].as_deref(), Some("extra extra extra missing missing"));
    for table in ["entries", "parts"] {
        let done = installation.output(&["resync", &format!("hr.{table}")]);
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        let because = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(0), "{said}{because}");
        assert!(said.contains("copied anew"), "{said}");
    }
    agrees(&installation, &mut connection).await;
    assert_eq!(differing(&installation, rows), 0);
    // WHEN a row goes that the mirror has lost THEN the table is copied again by itself
    daemon.terminate();
    assert!(daemon.wait(PATIENCE).success());
    tampered(&["DELETE FROM hr.tally WHERE n = 4"]);
    server.sql("shop", "DELETE FROM tally WHERE n = 4 AND txt = 'é'").unwrap();
    let _daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    agrees(&installation, &mut connection).await;
}

async fn a_copy_waits_for_what_is_prepared_and_has_what_is_committed(version: Version) {
    let server = started(version, &[]);
    let mut connection = connect(&server, "shop").await;
    let installation = installation(version, &server, "\"shop.*\"");
    let _daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    agrees(&installation, &mut connection).await;
    is_copied(&installation);
    let prepare = |name: &str, sql: &str| {
        let all = format!("XA START '{name}'; {sql}; XA END '{name}'; XA PREPARE '{name}'");
        server.sql("shop", &all).unwrap();
    };
    prepare(
        "late",
        "DELETE FROM entries WHERE n = 2 LIMIT 3; INSERT INTO entries VALUES (2, 'xa')",
    );
    prepare("never", "INSERT INTO entries VALUES (3, 'xa'), (3, 'xa')");
    server.sql("shop", "INSERT INTO entries VALUES (1, 'after')").unwrap();
    agrees(&installation, &mut connection).await;
    let mut resync = installation.start(&["resync", "hr.entries"], &[]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(resync.ended().is_none(), "it waits: {}", resync.output());
    server.sql("shop", "XA COMMIT 'late'; XA ROLLBACK 'never'").unwrap();
    assert!(resync.wait(PATIENCE).success(), "{}", resync.output());
    agrees(&installation, &mut connection).await;
    let rows = rows_in_all(&mut connection).await;
    assert_eq!(differing(&installation, rows), 0);
}

async fn images_that_lack_columns_are_set_aside_and_made_up_for(version: Version) {
    let server = started(version, &[]);
    let mut connection = connect(&server, "shop").await;
    let installation = installation(version, &server, "\"shop.*\"");
    let _daemon = installation.start(&["run"], &[]);
    store_opens(&installation);
    agrees(&installation, &mut connection).await;
    is_copied(&installation);
    let unread = || {
        let output = installation.output(&["unread", "--json"]);
        String::from_utf8_lossy(&output.stdout).matches("binlog_row_image").count()
    };
    // An update or a delete tells all of a row without a key, whatever the image.
    for image in ["MINIMAL", "NOBLOB"] {
        let sql = format!(
            "SET SESSION binlog_row_image = '{image}'; UPDATE entries SET txt = 'm' WHERE n = 1 LIMIT 5;
             DELETE FROM entries WHERE n = 2 LIMIT 2; INSERT INTO entries VALUES (1, '{image}');
             UPDATE tally SET amount = 9 WHERE n = 7 LIMIT 2"
        );
        server.sql("shop", &sql).unwrap();
        agrees(&installation, &mut connection).await;
    }
    assert_eq!(unread(), 0);
    // MySQL does not tell of an insert what comes of itself; neither tells all of a row with a unique key.
    for (sql, more) in [
        ("INSERT INTO entries (n) VALUES (77), (77)", usize::from(is_mysql(version))),
        ("UPDATE unique_n SET txt = 'm' WHERE n = 5", 1),
    ] {
        let before = unread();
        server.sql("shop", &format!("SET SESSION binlog_row_image = 'MINIMAL'; {sql}")).unwrap();
        agrees(&installation, &mut connection).await;
        is_copied(&installation);
        assert_eq!(unread(), before + more, "{sql}");
    }
    let rows = rows_in_all(&mut connection).await;
    assert_eq!(differing(&installation, rows), 0);
}

on_versions! { [mariadb mariadb118 mysql]
    tables_are_mirrored_through_kills
    what_is_tampered_with_is_counted_and_mended
    a_copy_waits_for_what_is_prepared_and_has_what_is_committed
    images_that_lack_columns_are_set_aside_and_made_up_for
}

/// MySQL from 9.6 on logs them, unless it was started so.
mod native {
    super::on_versions! { [mysql]
        foreign_keys_that_are_not_logged_are_followed_through_kills
    }
    use super::foreign_keys_that_are_not_logged_are_followed_through_kills;
}
