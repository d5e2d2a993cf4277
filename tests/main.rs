//! All integration tests in one binary: linked once, and sharing the servers they need.

mod mariadb_source;
mod servers;
mod support;
mod support_works;
mod tidy;
