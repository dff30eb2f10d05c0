//! Deterministic simulation of a sharded operator: whole replicas, with their production code, under seeded fault
//! schedules in virtual time.

mod api;
pub mod checks;
mod clock;
mod draw;
mod host;
pub mod mutants;
mod network;
pub mod observations;
mod panics;
mod profile;
pub mod run;
pub mod run_report;
pub mod schedule;
pub mod seed;
pub mod shrink;
pub mod time;
pub mod timeline;
pub mod trace;
mod transport;
mod world;

pub use clock::EPOCH;
