//! What the integration tests share: servers, the built binary as a child process, faults,
//! patience, and chance that can be repeated.
//!
//! No test lies here; `support_works.rs` tests these helpers themselves.

pub(crate) mod process;
pub(crate) mod prometheus;
pub(crate) mod proxy;
pub(crate) mod random;
pub(crate) mod require;
pub(crate) mod servers;
pub(crate) mod small_disk;
pub(crate) mod versions;
pub(crate) mod wait;
