//! A server that is not as we need it: each finding names its remedy, and the remedy works.

use trueup::change::Position;
use trueup::demo::servers::{MariadbServer, Options};
use trueup::error::ErrorKind;
use trueup::finding::{Finding, Severity};
use trueup::source::mysql::Mysql;
use trueup::source::{Fence, Standing};

use super::harness::{Log, config, copy, end_of_log, rows, source};
use crate::support::require::require;
use crate::support::servers::{mariadb, mariadb_database};

fn errors(findings: &[Finding]) -> Vec<&Finding> {
    findings.iter().filter(|finding| finding.severity == Severity::Error).collect()
}

#[tokio::test]
async fn a_server_without_a_binlog_is_told_what_to_do() {
    if !require("mariadb") {
        return;
    }
    let server = MariadbServer::start(&Options::default().setting("skip_log_bin", "")).unwrap();
    server.create_database("hr").unwrap();
    server.sql("hr", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    let source = source(&server, "hr", &["t"]);
    let findings = source.examine().await;
    let [off] = errors(&findings)[..] else { panic!("{findings:?}") };
    assert!(off.what.contains("log_bin"));
    let remedy = off.remedy.as_deref().unwrap();
    for word in ["[mariadb]", "log_bin = ", "binlog_row_metadata = FULL", "restart", "disk"] {
        assert!(remedy.contains(word), "{word} is not in {remedy}");
    }
    let refused = source.prepare(None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Setup);
    assert!(refused.chain().contains("log_bin") && refused.remedy().unwrap().contains("restart"));
}

#[tokio::test]
async fn each_wrong_setting_is_named_and_its_remedy_mends_it() {
    if !require("mariadb") {
        return;
    }
    let options = Options::default()
        .setting("binlog_format", "MIXED")
        .setting("binlog_row_metadata", "NO_LOG")
        .setting("binlog_row_image", "MINIMAL");
    let server = MariadbServer::start(&options).unwrap();
    server.create_database("hr").unwrap();
    server.sql("hr", "CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    let source = source(&server, "hr", &["t"]);
    let found = source.examine().await;
    let wrong = errors(&found);
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    let refused = source.prepare(None).await.unwrap_err();
    for (finding, name) in
        wrong.iter().zip(["binlog_format", "binlog_row_metadata", "binlog_row_image"])
    {
        assert!(finding.what.starts_with(name), "{}", finding.what);
        assert!(refused.chain().contains(name), "{}", refused.chain());
        let remedy = finding.remedy.as_deref().unwrap();
        assert!(remedy.contains("my.cnf") && remedy.contains("disk"), "{remedy}");
        let (statement, _) = remedy.split_once(';').unwrap();
        server.sql("", statement).unwrap();
    }
    assert_eq!(errors(&source.examine().await), Vec::<&Finding>::new());
    source.prepare(None).await.unwrap();
}

#[tokio::test]
async fn an_account_needs_three_grants_and_no_more() {
    if !require("mariadb") {
        return;
    }
    let (server, database) = (mariadb(), mariadb_database("granted"));
    let user = format!("{database}_reader");
    let password = server.password();
    server
        .sql(
            &database,
            &format!(
                "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);
                 CREATE USER {user}@'%' IDENTIFIED BY '{password}';
                 GRANT UPDATE ON `{database}`.* TO {user}@'%'"
            ),
        )
        .unwrap();
    let mut config = config(server, &database, &["t"]);
    config.url = config.url.replace("root@", &format!("{user}@"));
    let source = Mysql::new("hr", "test", &config).unwrap();
    // GIVEN none of the rights, the remedies are exactly the missing ones
    let found = source.examine().await;
    let wrong = errors(&found);
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert_eq!(source.prepare(None).await.unwrap_err().kind(), ErrorKind::Setup);
    for finding in wrong {
        server.sql(&database, finding.remedy.as_deref().unwrap()).unwrap();
    }
    // THEN nothing else is needed to copy and to read the log
    assert_eq!(errors(&source.examine().await), Vec::<&Finding>::new());
    let mut log = Log::start(&source).await;
    server.sql(&database, "INSERT INTO t VALUES (2)").unwrap();
    assert_eq!(log.read_all(server).await.len(), 1);
    let chunks = copy(&source, &trueup::change::TableName::new(&database, "t"), 1).await;
    assert_eq!(chunks.iter().flat_map(rows).count(), 2);
}

#[tokio::test]
async fn tables_that_cannot_be_mirrored_are_refused_by_name() {
    if !require("mariadb") {
        return;
    }
    let (server, database) = (mariadb(), mariadb_database("refused"));
    server
        .sql(
            &database,
            "CREATE TABLE keyless (id int); CREATE TABLE slow (id int PRIMARY KEY) ENGINE=MyISAM;
             CREATE TABLE packed (id int PRIMARY KEY, t text COMPRESSED);
             CREATE TABLE versioned (id int PRIMARY KEY) WITH SYSTEM VERSIONING;
             CREATE TABLE parent (id int PRIMARY KEY);
             CREATE TABLE child (id int PRIMARY KEY, p int,
                 FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE SET NULL)",
        )
        .unwrap();
    let all = source(server, &database, &["*"]);
    let found = all.examine().await;
    let refused = all.prepare(None).await.unwrap_err();
    for (table, remedy) in [
        ("keyless", "ADD PRIMARY KEY"),
        ("slow", "ENGINE = InnoDB"),
        ("packed", "MODIFY"),
        ("versioned", "\"!"),
    ] {
        let name = format!("{database}.{table}");
        let finding = errors(&found).into_iter().find(|finding| finding.what.contains(&name));
        let finding = finding.unwrap_or_else(|| panic!("{name} is not named: {found:?}"));
        assert!(finding.remedy.as_deref().unwrap().contains(remedy), "{finding:?}");
        assert!(refused.chain().contains(&name), "{}", refused.chain());
    }
    assert!(!found.iter().any(|finding| finding.what.contains("ON DELETE CASCADE")), "{found:?}");

    // A child alone would go stale without a word.
    let orphan = source(server, &database, &["child"]).prepare(None).await.unwrap_err();
    assert!(orphan.chain().contains(&format!("{database}.child follows {database}.parent")));
    assert!(orphan.remedy().unwrap().contains(&format!("add \"{database}.parent\"")));

    // Left out, the others are taken, and the schema carries what the log hides.
    let patterns = ["*", "!keyless", "!slow", "!packed", "!versioned"];
    let prepared = source(server, &database, &patterns).prepare(None).await.unwrap();
    let names: Vec<&str> = prepared.tables.iter().map(|table| table.name.name.as_str()).collect();
    assert_eq!(names, ["child", "parent"]);
    assert_eq!(prepared.fence, Fence::Reached(prepared.start.clone()));
    let [cascade] = &prepared.tables[0].cascades[..] else { panic!("no cascade") };
    assert_eq!(cascade.parent.name, "parent");
    assert_eq!(cascade.columns, [("p".to_owned(), "id".to_owned())]);
    assert_eq!((cascade.on_delete.as_str(), cascade.on_update.as_str()), ("CASCADE", "SET NULL"));

    // A child whose parent is not mirrored would miss what the foreign key does to it.
    let patterns = ["child"];
    let refused = source(server, &database, &patterns).prepare(None).await.unwrap_err();
    assert!(refused.chain().contains("ON DELETE CASCADE"), "{}", refused.chain());
    let remedy = format!("add \"{database}.parent\" to `tables`");
    assert!(refused.remedy().unwrap().contains(&remedy), "{:?}", refused.remedy());
}

#[tokio::test]
async fn a_mapping_brings_its_tables_and_those_whose_foreign_keys_change_them() {
    if !require("mariadb") {
        return;
    }
    // GIVEN a chain of foreign keys that change rows, and one that does not
    let (server, database) = (mariadb(), mariadb_database("needed"));
    server
        .sql(
            &database,
            "CREATE TABLE grandparent (id int PRIMARY KEY);
             CREATE TABLE parent (id int PRIMARY KEY, g int,
                 FOREIGN KEY (g) REFERENCES grandparent (id) ON DELETE SET NULL);
             CREATE TABLE plain (id int PRIMARY KEY);
             CREATE TABLE child (id int PRIMARY KEY, p int, q int,
                 FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE,
                 FOREIGN KEY (q) REFERENCES plain (id));
             CREATE TABLE other (id int PRIMARY KEY)",
        )
        .unwrap();
    let needed = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let config = super::harness::config(server, &database, &[]);
    let open = || trueup::source::Source::new("hr", "", &config).unwrap();
    // WHEN the mapping reads the child alone THEN its forebears come with it
    let prepared = open().reading(&needed(&["child"])).prepare(None).await.unwrap();
    let names: Vec<&str> = prepared.tables.iter().map(|table| table.name.name.as_str()).collect();
    assert_eq!(names, ["child", "grandparent", "parent"]);
    // WHEN the mapping reads a table that is not there THEN it is named
    let error = open().reading(&needed(&["child", "nobody"])).prepare(None).await.unwrap_err();
    assert!(error.chain().ends_with("may not be seen: nobody"), "{}", error.chain());
    // What the operator names is not added to.
    let config = super::harness::config(server, &database, &["other"]);
    let named = trueup::source::Source::new("hr", "", &config).unwrap();
    let prepared = named.reading(&needed(&["child"])).prepare(None).await.unwrap();
    assert_eq!(prepared.tables.len(), 1);
}

#[tokio::test]
async fn a_log_that_does_not_reach_back_or_forth_is_a_gap() {
    if !require("mariadb") {
        return;
    }
    let server = MariadbServer::start(&Options::default()).unwrap();
    server.create_database("hr").unwrap();
    server.sql("hr", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)").unwrap();
    let source = source(&server, "hr", &["t"]);
    let prepared = source.prepare(None).await.unwrap();
    let identity = Some(prepared.identity.as_str());
    let old = prepared.start;
    assert_eq!(old, end_of_log(&server));
    assert_eq!(source.standing(None, None).await.unwrap(), Standing::New);
    assert_eq!(source.standing(Some(&old), identity).await.unwrap(), Standing::Continues);
    let gap = |standing: Standing| match standing {
        Standing::Gap(why) => why,
        other => panic!("{other:?}"),
    };
    let other = source.standing(Some(&old), Some("mariadb:9:other")).await.unwrap();
    assert!(gap(other).contains("another server"));

    // WHEN the log moves on and its older files are purged
    server.sql("hr", "INSERT INTO t VALUES (2); FLUSH BINARY LOGS").unwrap();
    let new = end_of_log(&server);
    assert_eq!(source.standing(Some(&old), identity).await.unwrap(), Standing::Continues);
    server.sql("hr", "INSERT INTO t VALUES (3); FLUSH BINARY LOGS").unwrap();
    let last = server.sql("", "SHOW MASTER STATUS").unwrap();
    let file = last.split('\t').next().unwrap().to_owned();
    // A file can go once its checkpoint is in a later one.
    crate::support::wait::wait_until("purge", std::time::Duration::from_secs(10), || {
        server.sql("", &format!("PURGE BINARY LOGS TO '{file}'")).unwrap();
        match server.sql("", "SHOW BINARY LOGS").unwrap() {
            logs if logs.lines().count() == 1 => Ok(()),
            logs => Err(logs),
        }
    });
    for lost in [&old, &new] {
        let purged = source.standing(Some(lost), identity).await.unwrap();
        assert!(gap(purged).contains("purged"));
    }
    let here = end_of_log(&server);
    assert_eq!(source.standing(Some(&here), identity).await.unwrap(), Standing::Continues);
    // and a stream that is opened all the same fails as a gap, not as a quiet jump
    let tables = [trueup::change::TableName::new("hr", "t")];
    let error = Log::open(&source, &old, &tables).await.failure(&server).await;
    assert_eq!(error.kind(), ErrorKind::Gap, "{}", error.chain());

    // WHEN the server is behind what we have seen: a backup was restored
    server.sql("", "RESET MASTER").unwrap();
    let behind = source.standing(Some(&here), identity).await.unwrap();
    assert!(gap(behind).contains("restored"));
    let Position::Gtid(mut ahead) = here else { panic!("no GTID") };
    for gtid in ahead.values_mut() {
        gtid.sequence += 100;
    }
    // A stream there waits, but does not take what the server writes now for what came after.
    let mut log = Log::open(&source, &Position::Gtid(ahead), &tables).await;
    server.sql("hr", "INSERT INTO t VALUES (4)").unwrap();
    let error = loop {
        if let Err(error) = log.stream.next().await {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::Gap, "{}", error.chain());
}
