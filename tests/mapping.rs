//! Mappings end to end, without servers: every way in which a naive engine misses a row, refused
//! constructs, owners, parking, and the fuzz over all of it. The entities and packs are the tests'
//! own; what is expected is written by hand.

#[path = "mapping/bench.rs"]
mod bench;
#[path = "mapping/owners.rs"]
mod owners;
#[path = "mapping/packs.rs"]
mod packs;
#[path = "mapping/refusals.rs"]
mod refusals;
#[path = "mapping/runs.rs"]
mod runs;
#[path = "mapping/traps.rs"]
mod traps;
