//! Trueup keeps ERP, HR and project-accounting systems true to each other: sync plus proof.

pub mod canon;
pub mod change;
pub mod config;
pub mod error;
pub mod source;
pub mod store;
pub mod target;
