//! All integration tests in one binary: linked once, and sharing the servers they need.

mod agreement;
mod cli;
mod columns;
mod delivery;
mod demo;
mod demo_generator;
mod docs;
mod employees;
mod gaps;
mod mapping;
mod mariadb_source;
mod mariadb_spine;
mod mariadb_xa;
mod orangehrm;
mod postgres_source;
mod postgres_target;
mod prometheus;
mod reconcile;
mod servers;
mod spine;
mod sql;
mod support;
mod support_works;
mod tidy;
mod tryton;
mod types;
