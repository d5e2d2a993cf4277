//! The store: everything people look at, derived from the journal. The only module that knows
//! DuckDB.
//!
//! One writer: [`Store`] lives on the conform thread and does everything of a batch in one
//! DuckDB transaction, its [`Mark`] included. Readers ([`reader`]) have connections of their own.
//! Only DELETE + INSERT and appends; no keys, no indexes, no persistent DDL in a batch
//! (`reference/duckdb.md` §0 says what else happens).

mod changes;
pub mod collapse;
pub mod evaluate;
pub mod expr;
pub mod mapping_test;
