//! Failpoints (placeholder until the infra branch lands).

/// Crashes here when asked to.
pub fn reach(_name: &str) {}
