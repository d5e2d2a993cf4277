//! Fuzzes the decoder of blocks of business events in the ledger: see `trueup::fuzzing::outbox`.
#![no_main]

use trueup_fuzz as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    trueup::fuzzing::outbox(data);
});
