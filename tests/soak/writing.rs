//! Who writes to one source: several at once, one that writes much at a time, one that prepares and
//! finishes later, and one that changes tables.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;

use super::engine::{Engine, Session};
use super::reshaping;
use super::statements::{self, Planned};
use super::world::{World, count};

/// Writers of small transactions.
const WRITERS: u64 = 3;
/// The table of large transactions.
pub(crate) const BULK: &str = "bulk";
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// How much is written.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// Row changes a second of each writer, while the server is well.
    pub(crate) rate: f64,
    /// Rows of a large transaction, and seconds between two of them; none if there are no seconds.
    pub(crate) large: std::ops::Range<i64>,
    pub(crate) large_pause_secs: std::ops::Range<u64>,
    /// Milliseconds between two changes of tables, on average; never if 0.
    pub(crate) ddl_pause_ms: u64,
    /// Seconds between two of those that make a gap; never if 0.
    pub(crate) gap_pause_secs: u64,
    /// Whether transactions are prepared.
    pub(crate) prepares: bool,
}

/// Starts all writers of a source; they end once the world is stopped.
pub(crate) fn start(
    engine: &Arc<dyn Engine>,
    world: &Arc<World>,
    load: &Load,
    seed: u64,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let rng = |number: u64| StdRng::seed_from_u64(seed.wrapping_mul(31).wrapping_add(number));
    for number in 0..WRITERS {
        let (engine, world, rate) = (Arc::clone(engine), Arc::clone(world), load.rate);
        tasks.spawn(small(engine, world, rng(number), rate, number == 0));
    }
    if !load.large_pause_secs.is_empty() {
        tasks.spawn(large(Arc::clone(engine), Arc::clone(world), rng(100), load.clone()));
    }
    if load.prepares {
        tasks.spawn(prepared(Arc::clone(engine), Arc::clone(world), rng(101)));
    }
    if load.ddl_pause_ms > 0 {
        let (engine, world) = (Arc::clone(engine), Arc::clone(world));
        tasks.spawn(reshaping::run(engine, world, rng(102), load.clone()));
    }
    tasks
}

/// A session, however long the server is away; `None` once the world is stopped.
pub(crate) async fn session(engine: &dyn Engine, world: &World) -> Option<Box<dyn Session>> {
    while !world.is_stopped() {
        if let Ok(session) = engine.connect().await {
            return Some(session);
        }
        tokio::time::sleep(RETRY_PAUSE).await;
    }
    None
}

async fn small(
    engine: Arc<dyn Engine>,
    world: Arc<World>,
    mut rng: StdRng,
    rate: f64,
    is_lax: bool,
) {
    while let Some(mut session) = session(engine.as_ref(), &world).await {
        if is_lax {
            // A crash takes its last commits back; the log must not have told of them. (In MariaDB this is
            // an error and changes nothing.)
            session.run("SET synchronous_commit = off").await.ok();
        }
        while !world.is_stopped() {
            let began = Instant::now();
            let planned = match rng.random_ratio(1, 4) {
                true => {
                    Planned { statements: engine.own(&mut rng), commits: rng.random_ratio(9, 10) }
                }
                false => {
                    let shape = world.any(&mut rng);
                    let name = if shape.name == BULK { world.any(&mut rng) } else { shape };
                    statements::transaction(engine.as_ref(), &name, &mut rng)
                }
            };
            let Ok(rows) = transact(session.as_mut(), &world, planned, &mut rng).await else {
                break;
            };
            let pause = Duration::from_secs_f64((rows.max(4) as f64 / rate).min(1.0));
            tokio::time::sleep(pause.saturating_sub(began.elapsed())).await;
        }
    }
}

async fn large(engine: Arc<dyn Engine>, world: Arc<World>, mut rng: StdRng, load: Load) {
    loop {
        pause(&world, Duration::from_secs(rng.random_range(load.large_pause_secs.clone()))).await;
        let Some(mut session) = session(engine.as_ref(), &world).await else { return };
        let rows = rng.random_range(load.large.clone());
        let Some(shape) = world.shapes().into_iter().find(|shape| shape.name == BULK) else {
            continue;
        };
        let planned = statements::large(engine.as_ref(), &shape, rows, &mut rng);
        if transact(session.as_mut(), &world, planned, &mut rng).await.is_ok_and(|rows| rows > 0) {
            count(&world.counts.large, 1);
        }
    }
}

/// One transaction; how many rows were changed and committed. What fails (a key is taken, a deadlock, a
/// column that is gone) is rolled back; `Err` if the session is broken.
async fn transact(
    session: &mut dyn Session,
    world: &World,
    planned: Planned,
    rng: &mut StdRng,
) -> Result<u64, ()> {
    session.run("BEGIN").await.map_err(drop)?;
    let mut rows = 0;
    for statement in &planned.statements {
        let Ok(changed) = session.run(statement).await else {
            count(&world.counts.failed, 1);
            return session.run("ROLLBACK").await.map(|_| 0).map_err(drop);
        };
        rows += changed;
        if rng.random_ratio(1, 20) {
            tokio::time::sleep(Duration::from_millis(rng.random_range(1..60))).await;
        } else if rng.random_ratio(1, 600) {
            // Somebody went for a coffee.
            tokio::time::sleep(Duration::from_millis(rng.random_range(1_500..4_000))).await;
        }
    }
    if !planned.commits {
        count(&world.counts.rolled_back, 1);
        return session.run("ROLLBACK").await.map(|_| 0).map_err(drop);
    }
    session.run("COMMIT").await.map_err(drop)?;
    count(&world.counts.transactions, 1);
    count(&world.counts.changes, rows);
    Ok(rows)
}

/// Prepares a transaction, lets it lie, and ends it in another session.
async fn prepared(engine: Arc<dyn Engine>, world: Arc<World>, mut rng: StdRng) {
    let mut number = 0;
    loop {
        pause(&world, Duration::from_millis(rng.random_range(300..2_500))).await;
        let Some(mut session) = session(engine.as_ref(), &world).await else { return };
        if world.is_gap() {
            continue;
        }
        number += 1;
        let (name, shape) = (format!("soak-{number}"), world.any(&mut rng));
        // Rows of its own: nobody is to wait for long.
        let first = shape.keys * 2 + rng.random_range(0..500);
        let mut writes =
            statements::put(engine.as_ref(), &shape, first, 20, statements::salt(&mut rng));
        writes.push(format!("DELETE FROM {} WHERE id = {}", shape.name, first + 3));
        let held_ms = if rng.random_ratio(1, 8) { 12_000 } else { rng.random_range(50..4_000) };
        let commits = rng.random_ratio(7, 10);
        let mut rows = 0;
        let mut is_prepared = true;
        for statement in engine.prepare(&name, writes) {
            match session.run(&statement).await {
                Ok(changed) => rows += changed,
                Err(_) => is_prepared = false,
            }
            if !is_prepared {
                break;
            }
        }
        drop(session);
        if !is_prepared {
            // A server that died may have prepared it all the same.
            finish(engine.as_ref(), &name, false).await;
            continue;
        }
        let until = Instant::now() + Duration::from_millis(held_ms);
        while Instant::now() < until && !world.is_gap() && !world.is_stopped() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if finish(engine.as_ref(), &name, commits).await && commits {
            count(&world.counts.prepared, 1);
            count(&world.counts.changes, rows);
        }
    }
}

/// Ends what was prepared, however long the server is away. False if there is nothing of this name any more.
pub(crate) async fn finish(engine: &dyn Engine, name: &str, commits: bool) -> bool {
    loop {
        if let Ok(mut session) = engine.connect().await
            && session.run(&engine.finish(name, commits)).await.is_ok()
        {
            return true;
        }
        match engine.prepared().await {
            Ok(left) if !left.iter().any(|left| left == name) => return false,
            _ => tokio::time::sleep(RETRY_PAUSE).await,
        }
    }
}

/// Waits, but no longer than there is something to do.
pub(crate) async fn pause(world: &World, length: Duration) {
    let until = Instant::now() + length;
    while Instant::now() < until && !world.is_stopped() {
        tokio::time::sleep(Duration::from_millis(50).min(length)).await;
    }
}
