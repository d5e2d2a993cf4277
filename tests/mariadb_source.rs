//! MariaDB as a source, against a real server: copy, log and the server's own words agree.

mod charsets;
mod dumps;
pub(crate) mod harness;
mod keys;
mod log;
mod reconnect;
mod setup;
mod snapshots;
mod statements;
mod transport;
pub(crate) mod types;
mod witness;
