//! Mappings end to end, without servers: every way in which a naive engine misses a row, refused
//! constructs, owners, parking, and the fuzz over all of it. The entities and packs are the tests'
//! own; what is expected is written by hand.

mod bench;

mod owners;

mod packs;

mod refusals;

mod runs;

mod traps;
