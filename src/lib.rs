//! Trueup keeps ERP, HR and project-accounting systems true to each other: sync plus proof.

pub mod canon;
pub mod change;
pub mod config;
pub mod deliver;
pub mod demo;
pub mod error;
pub mod failpoint;
pub mod source;
pub mod target;
pub mod tls;
