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

/// The version that is used if a spec has neither an image nor a version.
pub const DEFAULT_VERSION: &str = "1.6.39";

/// The repository that is used if a spec has only a version.
pub const DEFAULT_REPOSITORY: &str = "docker.io/library/memcached";

/// The maximum number of replicas of a resource. Clients hash keys over all replicas and hold a connection to
/// each, so a larger number is probably a mistake.
pub const MAX_REPLICAS: i32 = 100;
