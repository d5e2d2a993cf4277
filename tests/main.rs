//! All integration tests in one binary: linked once, and sharing the servers they need.

mod cli;
mod docs;
mod servers;
mod support;
mod support_works;
mod tidy;
