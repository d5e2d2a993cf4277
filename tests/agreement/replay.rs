//! A recorded workload, replayed at a pace, and kills of the daemon at seeded moments.

use std::io::Read;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use crate::support::process::{Installation, Running};
use crate::support::require::data_file;

/// Milliseconds between two transactions when people work: the workload takes over a minute.
pub(crate) const AS_PEOPLE_WORK: Pace = 150..=250;
/// Likewise for tests that are about something else.
pub(crate) const FAST: Pace = 18..=32;

/// The shortest and the longest pause between two transactions, in milliseconds.
pub(crate) type Pace = RangeInclusive<u64>;

/// How often a condition is looked at.
const TICK: Duration = Duration::from_millis(1);

/// The text of a gzipped file of the data folder.
pub(crate) fn unpacked(name: &str) -> String {
    let file = std::fs::File::open(data_file(name)).unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// The statements before the first transaction, and each transaction from `BEGIN` to `COMMIT` or
/// `ROLLBACK`. These three stand on lines of their own; lines of `psql` and comments are left out.
pub(crate) fn transactions(workload: &str) -> (String, Vec<String>) {
    let (mut preamble, mut transactions) = (String::new(), Vec::new());
    let mut open: Option<String> = None;
    for line in workload.lines() {
        if line == "BEGIN;" {
            assert!(open.is_none(), "a transaction inside another one");
            open = Some(String::new());
        }
        match &mut open {
            Some(text) => {
                text.push_str(line);
                text.push('\n');
                if line == "COMMIT;" || line == "ROLLBACK;" {
                    transactions.extend(open.take());
                }
            }
            None if line.starts_with('\\') || line.starts_with("--") => {}
            None => preamble.push_str(line),
        }
    }
    assert!(open.is_none(), "the last transaction has no end");
    (preamble, transactions)
}

/// How many transactions were replayed so far, how many may be, and how fast.
#[derive(Clone)]
pub(crate) struct Progress {
    pace: Pace,
    done: Arc<AtomicUsize>,
    limit: Arc<AtomicUsize>,
}

impl Progress {
    pub(crate) fn at(pace: Pace) -> Self {
        let (done, limit) = (Arc::default(), Arc::new(AtomicUsize::new(usize::MAX)));
        Self { pace, done, limit }
    }

    /// One more transaction was replayed; waits for the next, and while no further one may be.
    pub(crate) async fn advance(&self, rng: &mut StdRng) {
        self.done.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(rng.random_range(self.pace.clone()))).await;
        while self.count() >= self.limit.load(Ordering::SeqCst) {
            tokio::time::sleep(TICK).await;
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.done.load(Ordering::SeqCst)
    }

    async fn reached(&self, count: usize) {
        while self.count() < count {
            tokio::time::sleep(TICK).await;
        }
    }
}

/// A daemon that is killed and started again.
pub(crate) struct Victim<'a> {
    installation: &'a Installation,
    running: Running,
    kills: usize,
    rng: StdRng,
}

impl<'a> Victim<'a> {
    pub(crate) fn start(installation: &'a Installation, rng: StdRng) -> Self {
        let running = installation.start(&["run"], &[]);
        Self { installation, running, kills: 0, rng }
    }

    /// Kills it `count` times, `kill -9`, some moment apart, and starts it again each time.
    pub(crate) async fn kill(&mut self, count: usize, when: &str) {
        for _ in 0..count {
            let pause_ms = self.rng.random_range(100..1_500);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            self.kill_now(&format!("{when}, {pause_ms} ms later"));
        }
    }

    /// Kills it `count` times while `total` transactions are replayed, spread over all of them: each
    /// time after the first and before the last.
    /// Every other time it has delivered something since it was started (`cursor` tells how far
    /// it is), so that a fast replay does not only kill daemons that have not begun; the replay
    /// waits for that.
    pub(crate) async fn kill_during(
        &mut self,
        count: usize,
        total: usize,
        progress: &Progress,
        cursor: impl Fn() -> u64,
    ) {
        // The last transactions come after the last kill.
        let share = (total - 12) / count;
        for number in 0..count {
            let from = 2 + number * share;
            progress.limit.store(from + share, Ordering::SeqCst);
            progress.reached(from).await;
            if number % 2 == 1 {
                delivered(&cursor).await;
            }
            let pause_ms = self.rng.random_range(0..400);
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            let done = progress.count();
            self.kill_now(&format!("after {done} of {total} transactions, event {}", cursor()));
            assert!((1..total).contains(&done), "not between the first change and the last");
        }
        progress.limit.store(usize::MAX, Ordering::SeqCst);
    }

    pub(crate) fn kills(&self) -> usize {
        self.kills
    }

    fn kill_now(&mut self, when: &str) {
        assert!(self.running.ended().is_none(), "the daemon ended by itself");
        self.running.kill();
        self.kills += 1;
        eprintln!("kill {}: {when}", self.kills);
        self.running = self.installation.start(&["run"], &[]);
    }
}

/// Returns once the target is further than it was, or after a while.
async fn delivered(cursor: &impl Fn() -> u64) {
    let (before, began) = (cursor(), Instant::now());
    while cursor() == before && began.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(TICK * 20).await;
    }
}
