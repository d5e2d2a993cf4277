//! Fuzzes the decoder of table maps with rows events, of both dialects: see `trueup::fuzzing::rows`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::rows(data);
});
