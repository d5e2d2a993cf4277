//! All integration tests in one binary: linked once, and sharing the servers they need.

mod postgres_source;
mod servers;
