//! Fuzzes the decoder of MySQL's binary JSON, and partial updates of it: see `trueup::fuzzing::json`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::json(data);
});
