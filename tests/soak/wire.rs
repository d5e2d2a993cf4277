//! One fault at a time, under writers: source and mirror are the same afterwards, row by row.

use std::time::Duration;

use super::postgres::WAL_SENDER_TIMEOUT_SECS;
use super::stage::Stage;
use super::statements;
use super::world::seen;
use super::writing::Load;
use crate::support::proxy::Towards;
use crate::support::random;
use crate::support::require::require;

/// How long is written before and after a fault.
const CALM: Duration = Duration::from_secs(2);

/// Lets something happen while rows are written, and waits for the verdict.
async fn agrees_after(what: impl AsyncFn(&Stage)) {
    if !require("postgres") || !require("mariadb") {
        return;
    }
    let seed = random::seed();
    eprintln!("repeat with TRUEUP_SEED={seed}");
    let load = Load {
        rate: 400.0,
        large: 3_000..9_000,
        large_pause_secs: 1..4,
        ddl_pause_ms: 0,
        gap_pause_secs: 0,
        prepares: true,
    };
    let stage = Stage::begin().await;
    let writers = stage.write(&load, seed);
    tokio::time::sleep(CALM).await;
    what(&stage).await;
    tokio::time::sleep(CALM).await;
    let verdict = stage.verdict(writers).await;
    eprintln!("{}", stage.counts());
    assert!(verdict.is_ok(), "{verdict:?}");
    for source in &stage.sources {
        assert!(seen(&source.world.counts.changes) > 500, "too little was written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wire_that_is_slow_for_a_while_loses_nothing() {
    agrees_after(async |stage| {
        for source in &stage.sources {
            source.proxy.delay(Duration::from_millis(150));
        }
        tokio::time::sleep(Duration::from_secs(4)).await;
        for source in &stage.sources {
            source.proxy.restore();
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wire_that_is_cut_or_reset_loses_nothing() {
    agrees_after(async |stage| {
        for round in 0..6 {
            for source in &stage.sources {
                if round % 2 == 0 { source.proxy.cut() } else { source.proxy.reset() }
            }
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wire_that_ends_in_one_direction_loses_nothing() {
    agrees_after(async |stage| {
        for towards in [Towards::Server, Towards::Client, Towards::Server, Towards::Client] {
            for source in &stage.sources {
                source.proxy.half_close(towards);
            }
            tokio::time::sleep(Duration::from_millis(1_500)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_midst_of_transactions_loses_nothing() {
    agrees_after(async |stage| {
        for source in &stage.sources {
            // GIVEN a transaction of many rows that has no end
            let engine = source.engine.as_ref();
            let mut session = engine.connect().await.unwrap();
            session.run("BEGIN").await.unwrap();
            let shapes = source.world.shapes();
            let shape = shapes.iter().find(|shape| shape.name == "plain").unwrap();
            for statement in statements::put(engine, shape, 100_000, 20_000, 1) {
                session.run(&statement).await.unwrap();
            }
            tokio::task::block_in_place(|| {
                engine.kill();
                engine.start_again();
            });
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_stands_still_longer_than_servers_wait_loses_nothing() {
    agrees_after(async |stage| {
        stage.daemon.halt(true);
        tokio::time::sleep(Duration::from_secs(WAL_SENDER_TIMEOUT_SECS + 3)).await;
        stage.daemon.halt(false);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_that_is_slow_for_long_loses_nothing() {
    agrees_after(async |stage| {
        // (64 KiB at most in each 100 ms, longer than the server waits for a sign of life.)
        for source in &stage.sources {
            source.proxy.delay(Duration::from_millis(100));
        }
        tokio::time::sleep(Duration::from_secs(3 * WAL_SENDER_TIMEOUT_SECS)).await;
        for source in &stage.sources {
            source.proxy.restore();
        }
    })
    .await;
}
