//! Fuzzes the decoder of positions, transaction ids, witnesses and snapshots as texts: see `trueup::fuzzing::position`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::position(data);
});
