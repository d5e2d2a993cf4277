//! All integration tests in one binary: linked once, and sharing the servers they need.

mod postgres_target;
mod postgres_source;
mod demo_generator;
mod servers;
mod support;
mod support_works;
mod tidy;
