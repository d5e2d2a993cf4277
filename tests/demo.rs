//! `trueup demo` as people run it, and the comparison that its last line rests on.

mod load;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use trueup::demo::run::Api;
use trueup::demo::run::compare::{Line, Sides};

use crate::support::process::Running;
use crate::support::require::require;
use crate::support::servers;
use crate::support::wait::wait_until;

/// Starting servers on a loaded machine, the work, and the longest drain.
const PATIENCE: Duration = Duration::from_secs(240);

/// A demo that puts everything it makes below a folder of the test's.
pub(crate) struct Demo {
    folder: TempDir,
    running: Running,
}

impl Demo {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::with_prefix("trueup-demo-test-").unwrap();
        // The servers run as users of their own and must get through.
        let open = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_trueup"));
        command.arg("demo").args(arguments).env("TMPDIR", folder.path());
        command.env_remove("TRUEUP_LOG").env_remove("TRUEUP_FAILPOINT");
        let output = std::env::temp_dir();
        Self { folder, running: Running::start(command, &output) }
    }

    /// Waits until it has printed `words`; hands back all that it has printed.
    pub(crate) fn wait_for(&mut self, words: &str) -> String {
        wait_until(words, PATIENCE, || {
            let output = self.running.output();
            let ended = self.running.ended();
            assert!(ended.is_none(), "it ended: {ended:?}\n{output}");
            if output.contains(words) { Ok(output) } else { Err(output) }
        })
    }

    /// Asks it to end, as Ctrl-C does.
    pub(crate) fn terminate(&self) {
        self.running.terminate();
    }

    /// It ends by itself, agrees, and leaves nothing.
    pub(crate) fn agrees(mut self) -> String {
        let ended = self.running.wait(PATIENCE);
        let output = self.running.output();
        let last = output.lines().last().unwrap_or_default();
        assert!(ended.success() && last.starts_with("agree"), "{ended:?}\n{output}");
        self.leaves_nothing();
        output
    }

    fn leaves_nothing(&self) {
        wait_until("the demo's folders and processes to go", Duration::from_secs(20), || {
            let mut left: Vec<String> = std::fs::read_dir(self.folder.path())
                .unwrap()
                .map(|entry| entry.unwrap().path().display().to_string())
                .collect();
            left.extend(processes_about(self.folder.path()));
            if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
        });
    }
}

/// Command lines of processes that name `folder`.
fn processes_about(folder: &Path) -> Vec<String> {
    let folder = folder.display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| {
        let line = std::fs::read(process.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(&folder)).collect()
}

/// Rows that a line of the result says were compared, `between` two sides.
fn rows(output: &str, what: &str, between: &str) -> u64 {
    let line = output.lines().find(|line| line.starts_with(&format!("{what} ")));
    let line = line.unwrap_or_else(|| panic!("no line about {what}:\n{output}"));
    let rest = line.split(&format!("{between} ")).nth(1).unwrap_or_default();
    rest.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0)
}

#[test]
fn the_erp_alone_ends_in_agreement_and_leaves_nothing() {
    if !require("postgres") {
        return;
    }
    let output = Demo::start(&["--erp-only", "--seconds", "10"]).agrees();
    // The seed has 40 people and some 1,000 lines of time: nothing was compared by halves.
    assert!(rows(&output, "worker", "source→store") >= 40, "{output}");
    assert!(rows(&output, "time_entry", "store→target") > 500, "{output}");
    assert!(rows(&output, "tables of erp", "source→mirror") > 1_500, "{output}");
    assert!(output.contains(" -U postgres psa"), "it says how to reach the databases: {output}");
}

#[test]
fn both_sources_end_in_agreement_and_leave_nothing() {
    if !require("postgres") || !require("mariadb") {
        return;
    }
    let output = Demo::start(&["--seconds", "15"]).agrees();
    assert!(rows(&output, "tables of hr", "source→mirror") > 200, "{output}");
    assert!(rows(&output, "cost_rate", "source→store") >= 40, "{output}");
    assert!(rows(&output, "time_entry", "store→books") > 500, "{output}");
}

#[test]
fn what_somebody_does_to_the_target_is_found_named_and_mended() {
    if !require("postgres") || !require("mariadb") {
        return;
    }
    let output = Demo::start(&["--scenario", "drift", "--seconds", "20"]).agrees();
    for word in [
        "drift: somebody edits three people's titles in the PSA by hand: 3 rows",
        "diverged title",
        "missing",
        "diverged approved_at",
        " 0 differ now",
        "service level hire-to-provision",
        "service level approved-time-to-erp",
        "service level invoice-status-to-psa",
        "drift source:erp",
        "drift source:hr",
        "drift target:books",
        "drift target:psa",
    ] {
        assert!(output.contains(word), "{word}: {output}");
    }
    let mut drift = output.lines().filter(|line| line.starts_with("drift source:erp"));
    assert!(drift.next().unwrap().ends_with(" 0 differ"), "{output}");
}

/// The manual's questions, as an analyst would copy them.
fn questions() -> Vec<String> {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sql.md");
    let manual = std::fs::read_to_string(manual).unwrap();
    let questions: Vec<String> = manual
        .split("```sql\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().trim().trim_end_matches(';').to_owned())
        .collect();
    assert!(questions.len() >= 10, "{}", questions.len());
    questions
}

#[test]
fn the_ten_questions_of_the_manual_are_answered() {
    if !require("postgres") || !require("mariadb") {
        return;
    }
    let questions = questions();
    let mut demo = Demo::start(&[]);
    let output = demo.wait_for("psa delivering");
    let door = output.lines().find_map(|line| line.strip_prefix("SQL   ")).unwrap().to_owned();
    for question in questions {
        let asked = format!("{door} --no-psqlrc -At -c \"$QUESTION\"");
        // Some ask about what the invented people do only now and then.
        wait_until(&format!("an answer to {question}"), PATIENCE, || {
            let mut shell = Command::new("sh");
            let answer = shell.args(["-c", &asked]).env("QUESTION", &question).output().unwrap();
            let is_answered = answer.status.success() && !answer.stdout.is_empty();
            if is_answered { Ok(()) } else { Err(format!("{answer:?}")) }
        });
    }
    demo.terminate();
    demo.agrees();
}

#[test]
fn a_signal_ends_it_as_its_time_does() {
    if !require("postgres") {
        return;
    }
    let mut demo = Demo::start(&["--erp-only"]);
    demo.wait_for("psa delivering");
    // Meanwhile an analyst follows what it says.
    let output = demo.running.output();
    let door = output.lines().find_map(|line| line.strip_prefix("SQL   ")).unwrap().to_owned();
    let asked = format!("{door} --no-psqlrc -At -c 'SELECT count(*) FROM canon.worker'");
    wait_until("the analyst's answer", PATIENCE, || {
        let answer = Command::new("sh").args(["-c", &asked]).output().unwrap();
        let workers = String::from_utf8_lossy(&answer.stdout).trim().parse::<u64>();
        let is_all = workers.is_ok_and(|workers| workers >= 40);
        if is_all { Ok(()) } else { Err(format!("{asked}: {answer:?}")) }
    });
    demo.terminate();
    demo.agrees();
}

#[test]
fn a_kill_leaves_nothing() {
    if !require("postgres") {
        return;
    }
    let mut demo = Demo::start(&["--erp-only"]);
    demo.wait_for("psa ");
    assert!(!processes_about(demo.folder.path()).is_empty());
    demo.running.kill();
    demo.leaves_nothing();
}

#[test]
fn a_second_signal_ends_it_at_once_and_leaves_nothing() {
    if !require("postgres") {
        return;
    }
    let mut demo = Demo::start(&["--erp-only"]);
    demo.wait_for("psa ");
    demo.terminate();
    // Both at once would be one.
    demo.wait_for("draining");
    demo.terminate();
    let ended = demo.running.wait(PATIENCE);
    assert!(!demo.running.output().lines().any(|line| line.starts_with("agree")), "{ended:?}");
    demo.leaves_nothing();
}

#[test]
fn two_demos_at_once_do_not_meet() {
    if !require("postgres") {
        return;
    }
    let demos = [(); 2].map(|()| Demo::start(&["--erp-only", "--seconds", "5"]));
    for demo in demos {
        demo.agrees();
    }
}

/// A table of every type that databases spell in different ways, and one whose keys are text.
const TABLES: &str = include_str!("demo/tables.sql");

/// What is done to a copy of the source, so that the mirror of the original differs from it.
const PLANTED: &str = "
    UPDATE every_type SET b = NOT b WHERE id = 1;
    UPDATE every_type SET f8 = f8 + 1e-9, iv = iv + interval '1 microsecond' WHERE id = 2;
    UPDATE every_type SET t = NULL WHERE t = '';
    DELETE FROM text_key WHERE word = 'Ω';
    INSERT INTO text_key VALUES ('a', 99, 'new');
    CREATE TABLE unseen (id integer PRIMARY KEY);";

#[tokio::test(flavor = "multi_thread")]
async fn the_comparison_finds_every_planted_difference_and_no_other() {
    if !require("postgres") {
        return;
    }
    let server = servers::postgres();
    let (original, planted) =
        (servers::postgres_database("compare"), servers::postgres_database("planted"));
    for database in [&original, &planted] {
        server.sql(database, TABLES).unwrap();
    }
    server.sql(&planted, PLANTED).unwrap();
    // GIVEN a daemon that mirrors the original
    let installation = crate::spine::installation(servers::postgres(), &original, "");
    let _daemon = installation.start(&["run"], &[]);
    let address = SocketAddr::from(([127, 0, 0, 1], installation.http_port()));
    let sides = |database: &str| {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(server.port()).user("postgres").dbname(database);
        config.password(server.password());
        Sides::new(config.clone(), None, config, None, Api::new(address).unwrap())
    };
    // THEN the original and its mirror become equal
    let equal = within(&sides(&original), |line| line.differences() == 0).await;
    assert_eq!(equal.rows(), 9, "{equal:?}");
    // AND the copy with planted differences is not: each is found, three are named
    let line = sides(&planted).erp_tables().await.unwrap();
    assert_eq!(line.differences(), 5, "{line:?}");
    let named = &line.compared[0].1.named;
    assert_eq!(
        named[..],
        ["table unseen only in source", "every_type 1 (b, t)", "every_type 2 (f8, iv)"]
    );
}

async fn within(sides: &Sides, content: impl Fn(&Line) -> bool) -> Line {
    let mut last = None;
    for _ in 0..150 {
        // While the daemon starts, nobody answers.
        if let Ok(line) = sides.erp_tables().await {
            if content(&line) {
                return line;
            }
            last = Some(line);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("waited 30 s; last seen: {last:?}");
}
