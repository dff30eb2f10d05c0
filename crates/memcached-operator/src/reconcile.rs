//! One reconcile, as a pipeline: fetch → validate → build → apply → status.
//!
//! `validate` and `build` are pure functions and take no client. The raw spec stops at `validate`.

pub mod apply;
pub mod build;
mod delay;
mod differences;
pub mod dispute;
mod error;
mod events;
pub mod fetch;
pub mod finding;
pub mod mending;
mod ownership;
mod pods;
mod precondition;
mod quantity;
mod run;
mod sharded;
pub mod status;
#[cfg(test)]
mod testing;
pub mod validate;

pub use error::ReconcileError;
pub use run::MemcachedReconciler;
pub use sharded::operator;

/// The one field manager of everything that this operator applies.
pub const FIELD_MANAGER: &str = "memcached-operator";
