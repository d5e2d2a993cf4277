//! Delivery: outbox → target → settle, one loop per target.

pub mod plan;
pub mod retry;
