//! Objects of other types that reconciles depend on and that carry no bucket label: a Secret, a ConfigMap.
//!
//! There is one watch and one cache for each type and configuration on a replica, for all shards and kinds that declare it. It runs as long as a
//! shard that depends on it is held. Each change is mapped to resources by each shard, with the store of that shard.
//!
//! The cache is older than most acquisitions, so the takeover barrier needs a proof: see [`barrier`].

mod barrier;
mod declared;
mod objects;
mod registry;
mod shared;

pub(crate) use self::{
    barrier::ReadMark,
    declared::{Dependency, Opened, Triggers, WatchedType},
    registry::Registry,
    shared::{Cache, SharedWatch},
};

/// Why an object of a watched type cannot be read from the cache.
#[derive(Debug, thiserror::Error)]
pub enum WatchedError {
    /// The type was not declared with `watches`.
    #[error(
        "{kind} is not watched by this controller, so it is not cached; declare it with `Controller::watches`"
    )]
    NotDeclared {
        /// The kind.
        kind: String,
    },
    /// The operator does not watch this namespace, so nobody knows what is there.
    #[error(
        "{kind} {namespace}/{name} is unknown: this operator does not watch the namespace {namespace}; add it to the watched namespaces"
    )]
    NamespaceNotWatched {
        /// The kind.
        kind: String,
        /// The namespace of the object.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The objects in this namespace have not been listed since the shard was acquired. The list fails or is not complete yet.
    #[error(
        "{kind} {namespace}/{name} is unknown: the objects in namespace {namespace} have not been listed since this shard was \
         acquired; the log and the readiness of the replica say why if it lasts"
    )]
    NotListed {
        /// The kind.
        kind: String,
        /// The namespace of the object.
        namespace: String,
        /// Its name.
        name: String,
    },
    /// The object exists but does not decode.
    #[error("{kind} {namespace}/{name} does not decode: {error}")]
    Undecodable {
        /// The kind.
        kind: String,
        /// The namespace of the object.
        namespace: String,
        /// Its name.
        name: String,
        /// Where decoding fails, and why.
        error: String,
    },
}
