//! Fuzzes the decoder of values as texts, to what is compared of them: see `trueup::fuzzing::digest`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::digest(data);
});
