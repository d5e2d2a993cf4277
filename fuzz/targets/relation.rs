//! Fuzzes the decoder of PostgreSQL's Relation messages: see `trueup::fuzzing::relation`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::relation(data);
});
