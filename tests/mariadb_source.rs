//! MariaDB as a source, against a real server: copy, log and the server's own words agree.

mod harness;
mod snapshots;
mod types;
