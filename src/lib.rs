//! Trueup keeps ERP, HR and project-accounting systems true to each other: sync plus proof.

pub mod app;
pub mod canon;
pub mod capture;
pub mod change;
pub mod cli;
pub mod config;
pub mod conform;
pub mod deliver;
pub mod demo;
pub mod error;
pub mod failpoint;
pub mod finding;
pub mod ledger;
pub mod logging;
pub mod metrics;
pub mod serve;
pub mod source;
pub mod state;
pub mod status;
pub mod store;
pub mod table;
pub mod target;
pub mod tls;
