//! Fuzzes the decoder of rows as bytes: see `trueup::fuzzing::tuple`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::tuple(data);
});
