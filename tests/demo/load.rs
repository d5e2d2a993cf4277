//! Analysts who ask all the time, while much is written: nothing falls behind because of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Demo, questions};
use crate::support::require::require;

const ANALYSTS: usize = 10;
/// Rows that are written at once, and how often.
const ROWS: u64 = 100;
const PAUSE: Duration = Duration::from_millis(100);
const LOAD: Duration = Duration::from_secs(20);
/// "Too many statements run", as the manual says.
const BUSY: &str = "53300";
/// "deadlock detected": the demo's own people change the same rows, in another order.
const DEADLOCK: &str = "40P01";
/// A write-ahead log of this size was never written back.
const WAL_BYTES_MAX: f64 = 64.0 * 1024.0 * 1024.0;

/// What `psql -h … -p … -U … db` connects to.
async fn connect(line: &str, password: &str, database: &str) -> tokio_postgres::Client {
    let word_after = |flag: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != flag);
        words.nth(1).unwrap_or_else(|| panic!("no {flag} in {line}")).to_owned()
    };
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(word_after("-p").parse().unwrap());
    config.user(word_after("-U")).password(password).dbname(database);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

fn line_of<'a>(output: &'a str, title: &str) -> &'a str {
    let line = output.lines().find(|line| line.starts_with(title));
    line.unwrap_or_else(|| panic!("no line {title}:\n{output}"))
}

fn median(of: &[u64]) -> u64 {
    let mut sorted = of.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or(0)
}

/// Entries of the capture log and events of targets that wait, and bytes of the store's log.
async fn look(http: &str) -> (u64, f64) {
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{http}{path}")).await.unwrap();
        answer.text().await.unwrap()
    };
    let status: serde_json::Value = serde_json::from_str(&get("/api/status").await).unwrap();
    assert!(status["conform"]["held"].is_null(), "{status}");
    let targets = status["targets"].as_array().unwrap().iter();
    let queues: u64 = targets.map(|target| target["queue_events"].as_u64().unwrap()).sum();
    let metrics = get("/metrics").await;
    let wal = metrics.lines().find_map(|line| line.strip_prefix("trueup_store_wal_bytes "));
    let behind = status["conform"]["journal_behind_entries"].as_u64().unwrap();
    (behind + queues, wal.unwrap().parse().unwrap())
}

/// Asks one question after the other; how many were answered, and how many refused, by SQLSTATE.
async fn ask(
    client: tokio_postgres::Client,
    questions: Arc<Vec<String>>,
    number: usize,
    stop: Arc<AtomicBool>,
) -> (u64, BTreeMap<String, u64>) {
    let (mut answered, mut refused) = (0_u64, BTreeMap::<String, u64>::new());
    for question in questions.iter().cycle().skip(number) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        match client.simple_query(question).await {
            Ok(_) => answered += 1,
            Err(error) => {
                let code = error.code().map(|code| code.code().to_owned());
                *refused.entry(code.unwrap_or(error.to_string())).or_default() += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    (answered, refused)
}

/// Offers changes; how many rows were changed.
async fn write(client: tokio_postgres::Client, stop: Arc<AtomicBool>) -> u64 {
    // A column that is mirrored and in no mapping: everything else is the demo's own work.
    let change = format!(
        "UPDATE zeit_pos SET dauer = random() * interval '1 hour' WHERE ctid IN
         (SELECT ctid FROM zeit_pos TABLESAMPLE BERNOULLI (30) LIMIT {ROWS})"
    );
    let (mut clock, mut rows) = (tokio::time::interval(PAUSE), 0);
    while !stop.load(Ordering::Relaxed) {
        clock.tick().await;
        match client.execute(change.as_str(), &[]).await {
            Ok(changed) => rows += changed,
            Err(error) => {
                assert_eq!(error.code().map(|code| code.code()), Some(DEADLOCK), "{error}");
            }
        }
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_analysts_ask_on_while_a_thousand_changes_a_second_arrive() {
    if !require("postgres") || !require("mariadb") {
        return;
    }
    let mut demo = tokio::task::block_in_place(|| Demo::start(&[]));
    let output = tokio::task::block_in_place(|| demo.wait_for("psa delivering"));
    let door = line_of(&output, "SQL ").to_owned();
    let erp = line_of(&output, "ERP ").to_owned();
    let http = output.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let http = http.trim_end_matches("/metrics").to_owned();
    let password = door.split("$(cat ").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
    let password = std::fs::read_to_string(password).unwrap().trim().to_owned();
    let questions = Arc::new(questions());
    let stop = Arc::new(AtomicBool::new(false));
    let mut analysts = JoinSet::new();
    for number in 0..ANALYSTS {
        let client = connect(&door, &password, "trueup").await;
        analysts.spawn(ask(client, Arc::clone(&questions), number, Arc::clone(&stop)));
    }
    let client = connect(&erp, &password, "erp").await;
    let writer = tokio::spawn(write(client, Arc::clone(&stop)));
    // WHEN both go on for a while
    let (mut waiting, mut wal_max) = (Vec::new(), 0.0_f64);
    let began = Instant::now();
    while began.elapsed() < LOAD {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (waits, wal) = look(&http).await;
        waiting.push(waits);
        wal_max = wal_max.max(wal);
    }
    stop.store(true, Ordering::Relaxed);
    let rows = writer.await.unwrap();
    let (mut answered, mut refused) = (0, BTreeMap::<String, u64>::new());
    for (of_one, codes) in analysts.join_all().await {
        answered += of_one;
        for (code, count) in codes {
            *refused.entry(code).or_default() += count;
        }
    }
    let each = began.elapsed().as_secs_f64();
    eprintln!(
        "{:.0} changes a second offered, {answered} questions answered, refused {refused:?}; \
         waiting {waiting:?}; the store's log had {wal_max} bytes at most",
        rows as f64 / each
    );
    // THEN nobody is refused but for the reason that the manual gives
    assert!(refused.keys().all(|code| code == BUSY), "{refused:?}");
    assert!(answered > 10 * ANALYSTS as u64 && rows > 20 * ROWS, "{answered} {rows}");
    // and what waits does not grow: mostly no more in the second half than in the first
    let (first, second) = waiting.split_at(waiting.len() / 2);
    assert!(median(second) <= 2 * median(first) + 200, "{waiting:?}");
    assert!(wal_max < WAL_BYTES_MAX, "{wal_max}");
    demo.terminate();
    tokio::task::block_in_place(|| demo.agrees());
}
