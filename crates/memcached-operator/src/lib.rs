//! A sharded, highly available operator for Memcached.
//!
//! [`crd`] is what users write, [`reconcile`] turns it into children, and [`operator`] wires the two to the shard router.
//! [`app`] makes a process of it, with [`cli`], [`telemetry`], [`admin`] and [`signals`] around it.

pub mod admin;
pub mod app;
pub mod cli;
pub mod crd;
pub mod fencing;
pub mod reconcile;
pub mod signals;
pub mod status;
pub mod telemetry;

pub use reconcile::operator;
