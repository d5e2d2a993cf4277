//! Fuzzes the decoder of entries of MariaDB's log: see `trueup::fuzzing::binlog_mariadb`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::binlog_mariadb(data);
});
