//! Connections that die at any moment: the ranges that reached the tables neither overlap nor
//! leave a hole, and the rows are those of the last event.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::NoTls;
use trueup::demo::servers::{Options, PostgresServer};
use trueup::error::ErrorKind;
use trueup::target::TargetRow;
use trueup::target::postgres::PostgresTarget;

use super::rig::{Psa, claim, range, server, target, worker};

/// Nobody waits longer than this for the moments a test needs.
const PATIENCE: Duration = Duration::from_secs(240);
const KEYS: u64 = 7;

#[tokio::test]
async fn sessions_killed_by_the_server_lose_and_repeat_nothing() {
    let psa = Psa::new();
    let (client, connection) = tokio_postgres::connect(&keywords(&psa), NoTls).await.unwrap();
    tokio::spawn(connection);
    let killer = tokio::spawn(async move {
        let mut moments = StdRng::seed_from_u64(11);
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                    WHERE application_name = 'trueup' AND datname = current_database()";
        loop {
            tokio::time::sleep(Duration::from_micros(moments.random_range(8_000..30_000))).await;
            client.execute(kill, &[]).await.unwrap();
        }
    });
    let mut delivery = Delivery::new(psa.target(), 1);
    delivery.run(|seen| seen.undone >= 40 && seen.upto >= 300).await;
    killer.abort();
    assert_exactly_once(&psa, delivery.upto);
}

#[tokio::test]
async fn answers_that_never_arrive_lose_and_repeat_nothing() {
    let psa = Psa::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = server().url(&psa.database);
    let cut_url = url
        .replace(&server().port().to_string(), &listener.local_addr().unwrap().port().to_string());
    tokio::spawn(cutting_proxy(listener, server().port()));
    let mut config = psa.config();
    config.url = cut_url;
    let mut delivery = Delivery::new(target(&config).unwrap(), 2);
    // Both kinds of doubt must have occurred: committed and not heard, not committed.
    delivery.run(|seen| seen.unheard >= 10 && seen.undone >= 40 && seen.upto >= 300).await;
    assert_exactly_once(&psa, delivery.upto);
}

#[tokio::test]
async fn a_server_that_crashes_keeps_rows_and_account_together() {
    let server = Arc::new(PostgresServer::start(&Options::default()).unwrap());
    let psa = Psa::on(Arc::clone(&server));
    let crashes = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(300));
            server.kill().unwrap();
            server.start_again().unwrap();
        }
    });
    let mut delivery = Delivery::new(psa.target(), 7);
    delivery.run(|seen| crashes.is_finished() && seen.undone + seen.unheard >= 3).await;
    assert_exactly_once(&psa, delivery.upto);
}

#[tokio::test]
async fn calls_given_up_half_way_lose_and_repeat_nothing() {
    let psa = Psa::new();
    let mut delivery = Delivery::new(psa.target(), 3);
    delivery.patience_micros_max = Some(6_000);
    delivery.run(|seen| seen.undone >= 40 && seen.upto >= 300).await;
    assert_exactly_once(&psa, delivery.upto);
}

#[tokio::test]
async fn two_processes_that_take_turns_by_epoch_lose_and_repeat_nothing() {
    let psa = Psa::new();
    let epoch = Arc::new(AtomicU64::new(0));
    let run = |seed| {
        let (mut delivery, epoch) = (Delivery::new(psa.target(), seed), Arc::clone(&epoch));
        delivery.epoch = epoch;
        tokio::spawn(async move {
            delivery.run(|seen| seen.fenced >= 15 && seen.upto >= 200).await;
            delivery.upto
        })
    };
    // The one that is done first leaves the other alone: it is no longer fenced, so one more
    // process keeps taking over until both have had enough.
    let (one, two) = (run(4), run(5));
    let mut rival = Delivery::new(psa.target(), 6);
    rival.epoch = Arc::clone(&epoch);
    while !(one.is_finished() && two.is_finished()) {
        let applied = rival.applied + 3;
        rival.run(|seen| seen.applied >= applied).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let upto = one.await.unwrap().max(two.await.unwrap()).max(rival.upto);
    assert_exactly_once(&psa, upto);
}

/// A delivery loop that trusts nothing but the account, and counts what it met.
struct Delivery {
    target: PostgresTarget,
    epoch: Arc<AtomicU64>,
    moments: StdRng,
    /// Gives calls up after a random time below this.
    patience_micros_max: Option<u64>,
    upto: u64,
    applied: u64,
    /// Failed, and the account says it was not applied.
    undone: u32,
    /// Failed, and the account says it was applied.
    unheard: u32,
    /// Refused because somebody else took over.
    fenced: u32,
}

impl Delivery {
    fn new(target: PostgresTarget, seed: u64) -> Self {
        Self {
            target,
            epoch: Arc::new(AtomicU64::new(0)),
            moments: StdRng::seed_from_u64(seed),
            patience_micros_max: None,
            upto: 0,
            applied: 0,
            undone: 0,
            unheard: 0,
            fenced: 0,
        }
    }

    async fn run(&mut self, is_enough: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        let mut doubt: Option<(u64, u64)> = None;
        loop {
            assert!(
                begun.elapsed() < PATIENCE,
                "at {} with {} undone, {} unheard, {} fenced",
                self.upto,
                self.undone,
                self.unheard,
                self.fenced
            );
            let epoch = self.epoch.fetch_add(1, Ordering::SeqCst) + 1;
            let account = match self.target.open(&claim(epoch)).await {
                Ok(account) => account,
                Err(error) => {
                    let expected = [ErrorKind::Unreachable, ErrorKind::Gap];
                    assert!(expected.contains(&error.kind()), "{}", error.chain());
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    continue;
                }
            };
            self.upto = account.cursor;
            if let Some((from, to)) = doubt.take() {
                match account.cursor {
                    cursor if cursor == to => self.unheard += 1,
                    cursor if cursor == from - 1 => self.undone += 1,
                    // Somebody else was here in between.
                    _ => assert!(self.fenced > 0, "the cursor is within {from}..={to}"),
                }
            }
            while doubt.is_none() {
                if is_enough(self) {
                    return;
                }
                doubt = self.deliver_one().await;
            }
        }
    }

    /// The range whose outcome is in doubt, if it is.
    async fn deliver_one(&mut self) -> Option<(u64, u64)> {
        let (from, to) = (self.upto + 1, self.upto + self.moments.random_range(1..=5));
        let apply = self.target.apply(range(from, to, rows(from, to)));
        let patience = self.patience_micros_max.map(|max| self.moments.random_range(0..max));
        let applied = match patience {
            None => apply.await,
            Some(micros) => {
                match tokio::time::timeout(Duration::from_micros(micros), apply).await {
                    Ok(applied) => applied,
                    Err(_) => return Some((from, to)),
                }
            }
        };
        match applied {
            Ok(applied) => {
                assert_eq!(applied.refused, []);
                self.upto = to;
                self.applied += 1;
                return None;
            }
            Err(error) if error.kind() == ErrorKind::Gap => self.fenced += 1,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unreachable, "{}", error.chain()),
        }
        Some((from, to))
    }
}

/// Event `n` names worker `n % KEYS` `n`.
fn expected(from: u64, to: u64) -> BTreeMap<String, u64> {
    (from..=to).map(|event| (format!("W{}", event % KEYS), event)).collect()
}

fn rows(from: u64, to: u64) -> Vec<TargetRow> {
    let last = expected(from, to).into_iter();
    last.map(|(key, event)| worker(&key, &event.to_string(), &[event])).collect()
}

fn assert_exactly_once(psa: &Psa, upto: u64) {
    assert_eq!(psa.account(), format!("cursor {upto}"));
    let found = psa.sql("SELECT sequence FROM delivered");
    let mut ranges: Vec<(u64, u64)> = found
        .lines()
        .map(|range| range.split_once('-').unwrap())
        .map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap()))
        .collect();
    ranges.sort_unstable();
    let mut next = 1;
    for (from, to) in ranges {
        assert_eq!(from, next, "ranges overlap or leave a hole");
        next = to + 1;
    }
    assert_eq!(next, upto + 1);
    let rows: Vec<String> =
        expected(1, upto).iter().map(|(key, event)| format!("{key}|{event}")).collect();
    assert_eq!(
        psa.sql("SELECT employee_code, display_name FROM resource ORDER BY 1"),
        rows.join("\n")
    );
    let twice =
        "SELECT count(*) FROM (SELECT FROM written GROUP BY name, value HAVING count(*) > 1) t";
    assert_eq!(psa.sql(twice), "0", "a version was written twice");
}

/// Passes everything on until a random number of the server's bytes, then cuts both sides: the
/// server goes on for what it has received.
async fn cutting_proxy(listener: TcpListener, port: u16) {
    let mut moments = StdRng::seed_from_u64(12);
    while let Ok((client, _)) = listener.accept().await {
        let budget = moments.random_range(4_000..9_000);
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            client.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            let (mut from_client, mut to_client) = client.into_split();
            let (mut from_server, mut to_server) = server.into_split();
            let up = tokio::spawn(async move {
                tokio::io::copy(&mut from_client, &mut to_server).await.ok();
            });
            let mut passed = 0;
            let mut buffer = [0; 256];
            while passed < budget {
                let Ok(count @ 1..) = from_server.read(&mut buffer).await else { break };
                passed += count;
                // The last piece is swallowed, so that an answer that was given is not heard.
                if passed < budget && to_client.write_all(&buffer[..count]).await.is_err() {
                    break;
                }
            }
            up.abort();
        });
    }
}

fn keywords(psa: &Psa) -> String {
    format!(
        "host=127.0.0.1 port={} user=postgres dbname={} password={}",
        server().port(),
        psa.database,
        server().password()
    )
}
