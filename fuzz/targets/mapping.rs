//! Fuzzes the decoder of files of mappings, entities and key figures: see `trueup::fuzzing::mapping`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::mapping(data);
});
