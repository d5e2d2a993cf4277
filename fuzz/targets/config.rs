//! Fuzzes the decoder of configuration files: see `trueup::fuzzing::config`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::config(data);
});
