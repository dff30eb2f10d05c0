//! Splits the custom resources of an operator into shards, one Lease per shard, and runs a kube-rs controller for each
//! shard that a replica holds.
//!
//! The promise: **no custom resource is ever reconciled by two replicas at once, and every shard has an owner again
//! within a stated bound.**
//!
//! - A custom resource falls into one of 256 [buckets](Bucket), stamped on it once, by a [hash] of its
//!   [key](ShardKey). A [`Layout`] says which shard a bucket belongs to.
//! - A shard belongs to whoever holds its Lease ([`lease_core`]). A [`Plan`] says who that should be.
//! - Whoever holds a shard runs a controller over its buckets and gives the user's [`Reconciler`] a [`Held`], whose
//!   client refuses to send once the hold is over.
//!
//! Begin with [`ShardedController`].
//!
//! What the promise rests on until the API server itself fences: see the crate [`lease_core`].

pub mod bucket;
mod clients;
mod controller;
mod coordinator;
pub mod hash;
mod held;
mod incumbent;
mod key;
mod layout;
mod lenient;
mod log_limit;
mod members;
mod metrics;
pub mod mutants;
mod names;
mod options;
mod plan;
mod predecessor;
mod progress;
mod readiness;
mod reconciler;
mod records;
mod replica;
mod requests;
mod rights;
mod scope;
mod setup;
mod shard;
mod sharded;
mod sole;
mod stamper;
mod task;
#[cfg(test)]
mod testing;
mod watch_backoff;
mod watching;
mod world;

pub use bucket::{Bucket, ShardCount, ShardCountError, ShardId};
pub use controller::{RunError, ShardedController};
pub use held::Held;
pub use key::ShardKey;
pub use kube::runtime::controller::Action;
pub use layout::{Layout, selector, unstamped_selector};
pub use lease_core::{Connection, GateClosed, PoolError, REQUEST_LIMIT};
pub use lenient::{Lenient, Undecodable};
pub use metrics::Metrics;
pub use names::Names;
pub use options::{Backoff, Options, Pod};
pub use plan::{Candidacy, Plan, patience, rank};
pub use readiness::{Readiness, ReadinessProbe};
pub use reconciler::{Failure, Reconciler};
pub use records::{FileSink, RecordSink, RecordTarget, StandardSink};
pub use sharded::{BUCKET_IMMUTABLE_RULE, Sharded};
pub use task::TaskContext;
