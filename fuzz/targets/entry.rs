//! Fuzzes the decoder of journal entries of our own: chunks of a copy, and words: see `trueup::fuzzing::entry`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::entry(data);
});
