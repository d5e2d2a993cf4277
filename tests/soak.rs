//! The soak: everything at random, for long, against the built daemon and real servers behind wires that
//! break. At its end every row of the sources is held against the store.
//!
//! `make soak DURATION=600` runs it for ten minutes; `make test` for less than one. `TRUEUP_SEED` gives the
//! same choices again, at other moments. What it does to a source is in `statements.rs`, `reshaping.rs` and
//! the engine's file, what goes wrong in `faults.rs`, the verdict in `oracle.rs`.

mod daemon;
mod engine;
mod faults;
mod mariadb;
mod mysql;
mod oracle;
mod postgres;
mod reshaping;
mod stage;
mod statements;
mod wire;
mod world;
mod writing;

use std::time::{Duration, Instant};

use stage::Stage;
use world::seen;
use writing::Load;

use crate::support::random;
use crate::support::require::require;

/// Seconds of the soak within `make test`.
const SHORT_SECS: u64 = 40;
/// What ten minutes must have seen at least.
const KILLS_MIN: u64 = 20;
const DDL_MIN: u64 = 50;
const CHANGES_MIN: u64 = 100_000;
const FLOOR_SECS: u64 = 600;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whatever_happens_source_and_mirror_agree() {
    if !require("postgres") || !require("mariadb") || !require("mysql") {
        return;
    }
    let secs = std::env::var("TRUEUP_SOAK_SECS").ok();
    let secs = secs.map_or(SHORT_SECS, |secs| secs.parse().expect("TRUEUP_SOAK_SECS is a number"));
    let seed = random::seed();
    eprintln!("the soak of {secs} s begins; repeat with TRUEUP_SEED={seed}");
    let stage = Stage::begin().await;
    let verdict = soak(&stage, secs, seed).await;
    let counts = stage.counts();
    eprintln!("the daemon warned: {}", stage.daemon.warnings());
    match verdict {
        Ok(held) => eprintln!("agree: {held}; {counts}; TRUEUP_SEED={seed}"),
        Err(first) => {
            eprintln!("kept in {}\n{counts}", stage.daemon.keep().display());
            let verdict = format!("DISAGREE: {first}; TRUEUP_SEED={seed}");
            eprintln!("{verdict}");
            panic!("{verdict}");
        }
    }
}

async fn soak(stage: &Stage, secs: u64, seed: u64) -> Result<String, String> {
    let is_long = secs >= 300;
    let load = Load {
        rate: 300.0,
        large: if is_long { 20_000..100_000 } else { 4_000..12_000 },
        large_pause_secs: if is_long { 40..80 } else { 8..15 },
        ddl_pause_ms: if is_long { 4_500 } else { 2_000 },
        gap_pause_secs: if is_long { 130 } else { 25 },
        prepares: true,
    };
    let pause_ms = if is_long { 3_500..9_000 } else { 1_500..5_000 };
    let began = Instant::now();
    let writers = stage.write(&load, seed);
    let ((), (), ()) = tokio::join!(
        faults::run(stage, seed, pause_ms),
        async {
            while !stage.is_over() {
                stage.daemon.mend_gaps().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        },
        async {
            while began.elapsed() < Duration::from_secs(secs) {
                tokio::time::sleep(Duration::from_secs(10.min(secs))).await;
                eprintln!("{:4} s: {}", began.elapsed().as_secs(), stage.counts());
            }
            stage.end();
        }
    );
    let held = stage.verdict(writers).await?;
    floors(stage, secs).map(|()| held)
}

/// A soak that did too little proves nothing.
fn floors(stage: &Stage, secs: u64) -> Result<(), String> {
    let least = |of: u64| of * secs / FLOOR_SECS;
    let too_few = |what: &str, found: u64, of: u64| match found < least(of) {
        true => Err(format!("too little was done: {found} {what} of {}", least(of))),
        false => Ok(()),
    };
    too_few("kills", stage.daemon.killed(), KILLS_MIN)?;
    for source in &stage.sources {
        let (name, counts) = (source.engine.source(), &source.world.counts);
        too_few(&format!("DDL statements in {name}"), seen(&counts.ddl), DDL_MIN)?;
        too_few(&format!("row changes in {name}"), seen(&counts.changes), CHANGES_MIN)?;
    }
    Ok(())
}
