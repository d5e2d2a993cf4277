//! Chance that can be repeated: the seed is printed with a failure and taken from `TRUEUP_SEED`.

use rand::SeedableRng;
use rand::rngs::StdRng;

/// A generator for one test. Its seed is `TRUEUP_SEED` if that is set, else a new one, and is
/// shown when the test fails.
pub(crate) fn seeded() -> StdRng {
    let seed = seed();
    eprintln!("repeat with TRUEUP_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// The seed itself, for a test that says it in its own way.
pub(crate) fn seed() -> u64 {
    match std::env::var("TRUEUP_SEED") {
        Ok(text) => text.parse().expect("TRUEUP_SEED is not a whole number below 2^64"),
        Err(_) => rand::random(),
    }
}
