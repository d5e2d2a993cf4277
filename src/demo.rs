//! What `trueup demo` is made of.
//!
//! Nothing here is used by the daemon itself: `trueup run` works without this module.

pub mod generator;
pub mod run;
pub mod servers;
