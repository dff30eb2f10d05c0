//! A sharded, highly available operator for Memcached.
//!
//! [`crd`] is what users write, [`reconcile`] turns it into children. [`app`] wires that to the shard router, with
//! [`cli`], [`telemetry`], [`admin`] and [`signals`] around it.

pub mod admin;
pub mod app;
pub mod cli;
pub mod crd;
pub mod reconcile;
pub mod signals;
pub mod telemetry;
