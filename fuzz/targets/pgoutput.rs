//! Fuzzes the decoder of entries of PostgreSQL's log: see `trueup::fuzzing::pgoutput`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::pgoutput(data);
});
