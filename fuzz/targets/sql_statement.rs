//! Fuzzes the decoder of statements that clients of the SQL listener send: see `trueup::fuzzing::sql_statement`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::sql_statement(data);
});
