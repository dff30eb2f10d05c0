//! The custom resource `Memcached` (`cache.example.com/v1alpha1`).
//!
//! As much as possible is validated by the API server: limits and patterns in the schema, and CEL rules with
//! messages that say what to change. [`crate::reconcile::validate`] checks the rest.

mod definition;
mod print;
mod schema;
#[allow(unreachable_pub, reason = "KubeSchema repeats the struct, with its visibility, inside a function")]
mod spec;
#[allow(unreachable_pub, reason = "as above")]
mod status;

pub use definition::definition;
pub use print::to_yaml;
pub use spec::{Memcached, MemcachedSpec};
pub use status::MemcachedStatus;

/// The domain that prefixes every label and annotation of this operator, which is also the API group.
pub const DOMAIN: &str = "cache.example.com";

/// The version that runs where a spec names neither an image nor a version.
pub const DEFAULT_VERSION: &str = "1.6.39";

/// Where an image comes from when only its version is given.
pub const DEFAULT_REPOSITORY: &str = "docker.io/library/memcached";

/// The most replicas that one resource may ask for. Clients hash keys over every replica and hold a connection to
/// each, so larger numbers are a mistake rather than a plan.
pub const MAX_REPLICAS: i32 = 100;
