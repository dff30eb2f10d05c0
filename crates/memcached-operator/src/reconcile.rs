//! One reconcile, as a pipeline: fetch → validate → build → apply → status.
//!
//! `validate` and `build` are pure functions and take no client. The raw spec stops at `validate`.

pub mod apply;
pub mod build;
mod delay;
mod error;
mod events;
pub mod fetch;
pub mod finding;
mod pods;
mod run;
mod sharded;
pub mod status;
#[cfg(test)]
mod testing;
pub mod validate;

use shard_router::Applier;

use crate::crd::DOMAIN;

pub use error::ReconcileError;
pub use run::MemcachedReconciler;
pub use sharded::operator;

/// The one field manager of everything that this operator applies.
pub const FIELD_MANAGER: &str = "memcached-operator";

/// Who applies the children.
pub fn applier() -> Applier {
    Applier::new(FIELD_MANAGER, DOMAIN)
}
