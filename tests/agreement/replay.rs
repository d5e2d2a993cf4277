//! A recorded workload, replayed at a pace, and kills of the daemon at seeded moments.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

use crate::support::process::{Installation, Running};
use crate::support::require::data_file;

/// Milliseconds between two transactions, about; see [`pace`].
const PACE_MS: u64 = 25;

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

/// The pause before the next transaction: `TRUEUP_PACE_MS` (200 for the long form), give or take
/// a quarter.
pub(crate) fn pace(rng: &mut StdRng) -> Duration {
    let about = match std::env::var("TRUEUP_PACE_MS") {
        Ok(text) => text.parse().expect("TRUEUP_PACE_MS is not a whole number"),
        Err(_) => PACE_MS,
    };
    Duration::from_millis(rng.random_range(about - about / 4..=about + about / 4))
}

/// How many transactions were replayed so far.
#[derive(Clone, Default)]
pub(crate) struct Progress(Arc<AtomicUsize>);

impl Progress {
    pub(crate) fn advance(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
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

    /// Kills it `count` times while `total` transactions are replayed: spread over all of them,
    /// each at a moment of its own.
    pub(crate) async fn kill_during(&mut self, count: usize, total: usize, progress: &Progress) {
        for number in 0..count {
            // Between the first change and the last, with a margin: replaying goes on.
            let (from, to) =
                (2 + number * (total - 12) / count, 2 + (number + 1) * (total - 12) / count);
            let at = self.rng.random_range(from..to);
            while progress.count() < at {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_millis(self.rng.random_range(0..20))).await;
            let done = progress.count();
            self.kill_now(&format!("after {done} of {total} transactions"));
            assert!((1..total).contains(&done), "not between the first change and the last");
        }
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
