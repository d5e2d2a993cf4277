//! Fuzzes the decoder of parameters of prepared statements: see `trueup::fuzzing::sql_parameter`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::sql_parameter(data);
});
