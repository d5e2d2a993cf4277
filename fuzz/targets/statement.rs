//! Fuzzes the decoder of statements in MySQL's and MariaDB's logs: see `trueup::fuzzing::statement`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::statement(data);
});
