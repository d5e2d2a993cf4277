//! Fuzzes the decoder of PostgreSQL's COPY text, cut anywhere: see `trueup::fuzzing::copy_text`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::copy_text(data);
});
