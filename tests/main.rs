//! All integration tests in one binary: linked once, and sharing the servers they need.

mod servers;
mod support;
mod support_works;
mod tidy;
