//! From MySQL 9.6 on it is the server's choice, at each of its starts, whether its log tells what foreign keys
//! do. What was done on either side of another choice is not lost, whoever was away meanwhile.

use std::path::PathBuf;

use trueup::demo::servers::{MysqlServer, Options};

use super::{agrees, mirrored};
use crate::agreement::PATIENCE;
use crate::support::process::Installation;
use crate::support::require::require;

const CHOICE: &str = "innodb_native_foreign_keys";

const TABLES: &str = "
    CREATE TABLE parent (id int PRIMARY KEY, v int NOT NULL);
    CREATE TABLE child (id int PRIMARY KEY, p int,
        FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE);
    CREATE TABLE note (id int PRIMARY KEY, c int,
        FOREIGN KEY (c) REFERENCES child (id) ON DELETE SET NULL);
    CREATE TABLE plain (id int PRIMARY KEY);
    SET SESSION cte_max_recursion_depth = 10000;
    INSERT INTO parent WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 100)
        SELECT n, 0 FROM s;
    INSERT INTO child WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 1000)
        SELECT n, 1 + n % 100 FROM s;
    INSERT INTO note SELECT id, id FROM child WHERE id % 3 = 0;
    INSERT INTO plain VALUES (1)";

/// A server of its own, and who follows it; the latter is away.
struct Scene {
    server: MysqlServer,
    installation: Installation,
}

impl Scene {
    async fn new(choice: &str) -> Self {
        Self::of(Options::default().setting(CHOICE, choice)).await
    }

    /// One whose log is followed by the places in its files.
    async fn without_gtids(choice: &str) -> Self {
        let options = Options::default().setting(CHOICE, choice).setting("gtid_mode", "OFF");
        let scene = Self::of(options).await;
        assert_eq!(scene.server.sql("", "SELECT @@gtid_mode").unwrap().trim(), "OFF");
        scene
    }

    async fn of(options: Options) -> Self {
        let server = MysqlServer::start(&options).unwrap();
        server.create_database("shop").unwrap();
        server.sql("shop", TABLES).unwrap();
        let installation = mirrored(&server, "shop", "compare_every_secs = 0");
        let scene = Self { server, installation };
        scene.follow().await;
        scene
    }

    /// What foreign keys do; each number once.
    fn cascade(&self, number: u32) {
        let (one, other) = (number * 2, number * 2 + 1);
        let sql = format!(
            "DELETE FROM parent WHERE id = {one}; UPDATE parent SET id = id + 1000 WHERE id = {other}"
        );
        self.server.sql("shop", &sql).unwrap();
    }

    /// The server comes again with another choice.
    fn restart(&self, choice: &str) {
        let folder = PathBuf::from(self.server.sql("", "SELECT @@datadir").unwrap().trim());
        let file = folder.with_file_name("server.cnf");
        let text = std::fs::read_to_string(&file).unwrap();
        let is_ours = |line: &&str| !line.starts_with(CHOICE);
        let others: Vec<&str> = text.lines().filter(is_ours).collect();
        self.server.stop().unwrap();
        std::fs::write(&file, format!("{}\n{CHOICE} = {choice}\n", others.join("\n"))).unwrap();
        self.server.start_again().unwrap();
        let now = self.server.sql("", &format!("SELECT @@{CHOICE}")).unwrap();
        assert_eq!(now.trim(), if choice == "ON" { "1" } else { "0" });
    }

    /// Follows the server until the mirror is as it is, and is away again.
    async fn follow(&self) {
        self.follow_with(&[]).await;
    }

    async fn follow_with(&self, environment: &[(&str, &str)]) {
        let mut daemon = self.installation.start(&["run"], environment);
        assert_eq!(agrees(&self.installation, &self.server, "shop").await, 4);
        daemon.terminate();
        assert!(daemon.wait(PATIENCE).success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_foreign_keys_did_on_either_side_of_another_choice_is_not_lost() {
    if !require("mysql") {
        return;
    }
    // (What is in both parts would show by itself that the table's foreign keys are not what they were.)
    for (before, after, parts) in [
        ("ON", "OFF", [true, true]),
        ("OFF", "ON", [true, true]),
        ("OFF", "ON", [false, true]),
        ("ON", "OFF", [true, false]),
    ] {
        // GIVEN a log to be read that tells what foreign keys do in one of its parts, and not in the other
        let scene = Scene::new(before).await;
        let [is_before, is_after] = parts;
        if is_before {
            scene.cascade(1);
        }
        scene.restart(after);
        if is_after {
            scene.cascade(2);
        }
        // WHEN it is read THEN both are in the mirror, and what comes after them
        scene.follow().await;
        scene.cascade(3);
        scene.follow().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_server_that_nobody_saw_is_not_taken_for_one_like_the_others() {
    if !require("mysql") {
        return;
    }
    for (seen, unseen) in [("OFF", "ON"), ("ON", "OFF")] {
        a_run_that_nobody_saw(&Scene::new(seen).await, seen, unseen).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_nobody_saw_is_known_by_the_places_of_a_log_without_gtids() {
    if !require("mysql") {
        return;
    }
    for (seen, unseen) in [("OFF", "ON"), ("ON", "OFF")] {
        a_run_that_nobody_saw(&Scene::without_gtids(seen).await, seen, unseen).await;
    }
    is_no_copy_for(&Scene::without_gtids("OFF").await, "OFF").await;
}

async fn a_run_that_nobody_saw(scene: &Scene, seen: &str, unseen: &str) {
    scene.cascade(1);
    scene.restart(unseen);
    scene.cascade(2);
    scene.restart(seen);
    scene.cascade(3);
    scene.follow().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_again_as_it_was_costs_no_copy() {
    if !require("mysql") {
        return;
    }
    for choice in ["OFF", "ON"] {
        is_no_copy_for(&Scene::new(choice).await, choice).await;
    }
}

async fn is_no_copy_for(scene: &Scene, choice: &str) {
    scene.cascade(1);
    // GIVEN a run that wrote nothing, and one that goes on
    scene.restart(choice);
    scene.restart(choice);
    scene.cascade(2);
    // WHEN the log is read THEN no chunk is, at which the daemon would end
    scene.follow_with(&[("TRUEUP_FAILPOINT", "after-chunk:1")]).await;
}
