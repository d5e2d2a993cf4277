//! Canonical entities and what is said about them: entities, mappings, owners, events.
//!
//! Pure: it parses and compiles; the store evaluates.

pub mod effect;
pub mod entity;
pub mod event;
pub mod mapping;
pub mod owner;

pub use effect::Effect;
pub use entity::Entity;
pub use event::{Event, EventOp};
pub use mapping::MappingSet;
