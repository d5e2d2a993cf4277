//! The PostgreSQL target against a real server: nothing lost, nothing twice, no row in the way of
//! another.

mod crashes;
mod findings;
mod protocol;
mod rig;
mod rows;
mod security;
