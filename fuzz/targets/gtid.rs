//! Fuzzes the decoder of binlog events that number the log, and statements as events: see `trueup::fuzzing::gtid`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::gtid(data);
});
