//! Splits the custom resources of an operator into shards, with one Lease per shard, and runs a kube-runtime controller for each
//! shard that a replica holds.
//!
//! The promise: **no custom resource is ever reconciled by two replicas at once, and every shard has an owner again
//! within a stated bound.**
//!
//! - Each custom resource belongs to one of 256 [buckets](Bucket), by a [hash] of its [key](ShardKey). The bucket is stamped on the
//!   resource once, as a label. A [`Layout`] says which shard a bucket belongs to.
//! - A shard belongs to the replica that holds its Lease ([`lease_core`]). A [`Plan`] says which replica that should be.
//! - The replica that holds a shard runs a controller for its buckets. It gives the user's [`Reconciler`] a [`Held`], whose
//!   client refuses to send once the term is over.
//!
//! Start with [`ShardedApp`].
//!
//! The API server does not fence, so the promise depends on assumptions; see the crate [`lease_core`].

mod app;
mod authority;
mod caches;
mod children;
mod coordinator;
mod error;
mod external;
pub mod fencing;
mod kind_type;
mod kinds;
#[doc(hidden)]
pub mod layout_change;
mod membership;
#[cfg(feature = "mutants")]
pub mod mutants;
mod names;
mod news;
mod observability;
mod options;
mod owned_resource;
mod ownership;
mod reconciler;
mod replica;
mod rng;
mod routing;
mod rules;
mod setup;
mod shard;
mod sharded;
mod stamper;
pub mod status;
mod task;
#[cfg(test)]
mod testing;
mod turns;
mod wanted_shards;
mod watch;
mod watched;

pub use app::{Controller, RequiredRights, ShardedApp};
pub use authority::{apply_owned::ApplyOwned, error::HeldError, held::Held};
pub use caches::{OwnedError, UnlabelledChild};
pub use children::{
    Applied, Applier, ApplyError, Change, Dispute, DisputeState, Owner, is_conflict, thousandths,
};
pub use error::{CannotFence, LegacyLock, RunError};
pub use kind_type::{KindScope, TypeInformation};
pub use kube::runtime::controller::Action;
pub use lease_core::{Connection, GateClosed, PoolError, REQUEST_LIMIT, Tls};
pub use names::Names;
pub use observability::metrics::Metrics;
pub use observability::readiness::{Readiness, ReadinessProbe};
pub use observability::records::{FileSink, RecordSink, RecordTarget, StandardSink};
pub use options::{Backoff, Options, Pod};
pub use owned_resource::{ChildObject, OwnedResource};
/// The crate of the registry that [`Metrics::register`] takes. A program that uses it by this name cannot have another version of it.
pub use prometheus_client;
pub use reconciler::{Failure, Reconciler};
pub use routing::bucket::{BUCKETS, Bucket, ShardCount, ShardCountError, ShardId};
pub use routing::hash;
pub use routing::key::ShardKey;
pub use routing::kind_set::{KindMode, KindSet, KindSetError};
pub use routing::layout::{Layout, selector, unstamped_selector};
pub use routing::plan::{Member, Plan, rank, takeover_delay};
pub use sharded::{BUCKET_IMMUTABLE_RULE, Sharded, ShardedObject};
pub use task::TaskContext;
pub use wanted_shards::ShardsConfigMap;
pub use watch::lenient::{Lenient, Undecodable};
pub use watched::WatchedError;
