//! The listeners of the daemon. So far one: HTTP.

pub mod http;
