//! The store: everything people look at, in DuckDB. The only module that knows DuckDB.

pub mod evaluate;
pub mod expr;
pub mod mapping_test;
