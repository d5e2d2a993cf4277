//! All integration tests in one binary: linked once, and sharing the servers they need.

mod demo_generator;
mod postgres_source;
mod postgres_target;
mod servers;
mod support;
mod support_works;
mod tidy;
