//! Fuzzes the decoder of entries of MySQL's log: see `trueup::fuzzing::binlog_mysql`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::binlog_mysql(data);
});
