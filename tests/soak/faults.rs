//! What goes wrong, in an order that chance decides: a deck of cards that is shuffled again when it is
//! through, so that no kind of fault is forgotten.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::postgres::WAL_SENDER_TIMEOUT_SECS;
use super::stage::{Source, Stage};
use super::world::count;
use crate::support::proxy::Towards;

/// A fault; each ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9` of the daemon, which is started again.
    Kill,
    /// It dies at a step that is written down, or of a kill if it does not come there.
    Failpoint,
    /// It is asked to end and started again.
    Restart,
    /// It stands still for longer than the server waits for it.
    Halt,
    Cut,
    Reset,
    HalfClose,
    /// The wire falls silent, and goes on later.
    Stall,
    /// Every piece takes a while: a slow consumer.
    Delay,
    Refuse,
    ServerRestart,
    ServerKill,
    /// Not a fault: an operator has a table copied again.
    Resync,
}

/// How often each comes in a deck.
const DECK: [(Fault, usize); 13] = [
    (Fault::Kill, 9),
    (Fault::Failpoint, 4),
    (Fault::Restart, 1),
    (Fault::Halt, 1),
    (Fault::Cut, 1),
    (Fault::Reset, 2),
    (Fault::HalfClose, 2),
    (Fault::Stall, 1),
    (Fault::Delay, 1),
    (Fault::Refuse, 1),
    (Fault::ServerRestart, 1),
    (Fault::ServerKill, 2),
    (Fault::Resync, 2),
];

/// Where the daemon dies, and at most after how many passes.
const FAILPOINTS: [(&str, u64); 10] = [
    ("after-read", 4_000),
    ("before-journal-commit", 60),
    ("after-journal-commit", 60),
    ("before-confirm", 40),
    ("after-chunk", 8),
    ("after-chunk-commit", 8),
    ("before-outbox-commit", 40),
    ("after-outbox-commit", 40),
    ("before-store-commit", 40),
    ("after-store-commit", 40),
];

/// One fault after the other until the stage is over.
pub(crate) async fn run(stage: &Stage, seed: u64, pause_ms: std::ops::Range<u64>) {
    let mut rng = StdRng::seed_from_u64(seed.wrapping_add(7));
    let mut deck: Vec<Fault> = Vec::new();
    loop {
        let pause = Duration::from_millis(rng.random_range(pause_ms.clone()));
        tokio::time::sleep(pause).await;
        if stage.is_over() {
            return;
        }
        if deck.is_empty() {
            deck.extend(DECK.iter().flat_map(|(fault, times)| std::iter::repeat_n(*fault, *times)));
            deck.shuffle(&mut rng);
        }
        let Some(fault) = deck.pop() else { return };
        stage.daemon.has_died();
        inflict(stage, fault, &mut rng).await;
    }
}

/// Lets one fault happen, to a source that chance chooses, and waits for its end.
pub(crate) async fn inflict(stage: &Stage, fault: Fault, rng: &mut StdRng) {
    let source = &stage.sources[rng.random_range(0..stage.sources.len())];
    let (proxy, daemon) = (&source.proxy, &stage.daemon);
    let mut some = |least: u64, most: u64| Duration::from_millis(rng.random_range(least..most));
    match fault {
        Fault::Kill => {
            tokio::task::block_in_place(|| daemon.kill());
            tokio::time::sleep(some(0, 1_500)).await;
            daemon.start(None);
        }
        Fault::Failpoint => die_at_failpoint(stage, rng).await,
        Fault::Restart => tokio::task::block_in_place(|| {
            daemon.stop();
            daemon.start(None);
        }),
        Fault::Halt => {
            daemon.halt(true);
            let least = (WAL_SENDER_TIMEOUT_SECS + 1) * 1_000;
            tokio::time::sleep(some(least, least + 2_500)).await;
            daemon.halt(false);
        }
        Fault::Cut => proxy.cut(),
        Fault::Reset => proxy.reset(),
        Fault::HalfClose => {
            proxy.half_close(if rng.random() { Towards::Server } else { Towards::Client });
        }
        Fault::Stall => {
            proxy.delay(Duration::MAX);
            tokio::time::sleep(some(1_000, 7_000)).await;
            proxy.restore();
        }
        Fault::Delay => {
            proxy.delay(some(20, 250));
            tokio::time::sleep(some(2_000, 6_000)).await;
            proxy.restore();
        }
        Fault::Refuse => {
            proxy.refuse();
            tokio::time::sleep(some(500, 4_000)).await;
            proxy.restore();
        }
        Fault::ServerRestart => tokio::task::block_in_place(|| source.engine.restart()),
        Fault::ServerKill => {
            tokio::task::block_in_place(|| source.engine.kill());
            tokio::time::sleep(some(0, 1_000)).await;
            tokio::task::block_in_place(|| source.engine.start_again());
            count(&source.world.counts.server_kills, 1);
        }
        Fault::Resync => resync(stage, source, rng).await,
    }
}

async fn die_at_failpoint(stage: &Stage, rng: &mut StdRng) {
    let (name, passes) = FAILPOINTS[rng.random_range(0..FAILPOINTS.len())];
    let armed = format!("{name}:{}", rng.random_range(1..=passes));
    tokio::task::block_in_place(|| stage.daemon.kill());
    stage.daemon.start(Some(&armed));
    let patience = Duration::from_millis(rng.random_range(4_000..9_000));
    let until = std::time::Instant::now() + patience;
    while !stage.daemon.has_died() && std::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::task::block_in_place(|| stage.daemon.kill());
    stage.daemon.start(None);
}

/// Begins a resync of a table; whoever waits for its end may be disappointed by the next fault.
async fn resync(stage: &Stage, source: &Source, rng: &mut StdRng) {
    let name = source.engine.source();
    let table = format!("{name}.{}", source.world.any(rng).name);
    let installation = std::sync::Arc::clone(&stage.daemon.installation);
    let run = move || installation.output(&["resync", &table, "--json"]);
    let output = tokio::task::spawn_blocking(run);
    let output = tokio::time::timeout(Duration::from_secs(8), output).await;
    // Begun is begun: what is not done by then goes on.
    if output.map_or(true, |output| output.is_ok_and(|output| output.status.success())) {
        count(&source.world.counts.resyncs, 1);
    }
}
