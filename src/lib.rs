//! Trueup keeps ERP, HR and project-accounting systems true to each other: sync plus proof.
//!
//! It is one binary next to the databases a firm already runs. It reads their replication logs,
//! turns row changes into canonical business rows and events, delivers the events to the systems
//! that need them exactly once, and keeps everything in an embedded DuckDB store.
//!
//! # The way of a change
//!
//! ```text
//!  legacy ERP (PostgreSQL) ─┐                                            ┌─► PostgreSQL tables
//!  legacy HR  (MariaDB) ────┤                                            │
//!                     ┌─ capture ─┐    ┌─ conform ──┐    ┌─ deliver ─┐   │
//!                     │ raw frames│    │ decode,    │    │ plan,     │───┘
//!                     │ → journal │    │ mirror,    │    │ render,   │
//!                     │ → confirm │    │ map, diff  │    │ apply     │
//!                     └─────┬─────┘    └──┬──────┬──┘    └─────▲─────┘
//!                           ▼             │      │ events      │
//!                    LEDGER (SQLite): journal segments, batches, outbox blocks, parked events
//!                                         ▼
//!                    STORE (DuckDB): mirror, changes, contrib, canon, history, ops
//! ```
//!
//! A source is acknowledged when the *journal* has its transaction, never before; the store is
//! derived and may be behind; the target's own account says what it has. Three promises follow,
//! each with its tests: nothing lost, nothing twice, order per canonical key.
//!
//! # The rooms, in the order of the data
//!
//! | module | what it is responsible for |
//! |---|---|
//! | [`change`] | the row-change model: values, positions, schemas, visibility; pure |
//! | [`digest`] | row digests that come out the same on every engine; pure |
//! | [`source`] | PostgreSQL, MariaDB and MySQL: connect, stream, copy, examine (I/O); decode (pure) |
//! | [`ledger`] | what must not be lost; the only module that knows SQLite |
//! | [`capture`] | source → journal → confirm, and the copy beside it |
//! | [`store`] | what people look at; the only module that knows DuckDB |
//! | [`canon`] | entities, mappings, owners, events; pure |
//! | [`conform`] | journal → mirror → canonical → events, and the commit protocol |
//! | [`target`] | the systems that receive; each keeps its own account |
//! | [`deliver`] | outbox → target → settle |
//! | [`reconcile`] | whether source, store and targets agree, row by row, while all of them live |
//! | [`archive`] | events, history and rows, sealed as Parquet with digests in the ledger |
//! | [`kpi`] | business key figures: SELECTs on a schedule, as gauges |
//! | [`serve`], [`status`], [`metrics`] | what the operator sees |
//! | [`config`], [`cli`], [`app`] | what the operator says, and the wiring: `app` alone sees all |
//! | [`memory`] | how little of what is free the process keeps |
//! | [`demo`] | private servers, legacy schemas, a generator, and the comparison of all sides |
//!
//! Start with [`conform`] for the consistency protocol, [`store::overlay`] for why a copy's chunk
//! lies under the log, and [`deliver::plan`] for what is applied when. `docs/decisions.md` says
//! why things are as they are; `tests/tidy.rs` holds the walls between the rooms.

pub mod app;
pub mod archive;
pub mod canon;
pub mod capture;
pub mod change;
pub mod cli;
pub mod config;
pub mod conform;
pub mod deliver;
pub mod demo;
pub mod digest;
pub mod error;
pub mod failpoint;
pub mod finding;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod kpi;
pub mod ledger;
pub mod logging;
pub mod memory;
pub mod metrics;
pub mod reconcile;
pub mod serve;
pub mod source;
pub mod state;
pub mod status;
pub mod store;
pub mod table;
pub mod target;
pub mod tls;
