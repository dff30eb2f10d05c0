//! The spec: what a user requests.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{MemcachedStatus, schema};

/// A fleet of memcached servers that clients reach by the stable DNS names of its pods.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "cache.example.com",
    version = "v1alpha1",
    kind = "Memcached",
    plural = "memcacheds",
    shortname = "mc",
    category = "caches",
    namespaced,
    status = "MemcachedStatus",
    derive = "PartialEq",
    doc = "A fleet of memcached servers that clients reach by the stable DNS names of its pods.",
    scale(
        spec_replicas_path = ".spec.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.ready",
        description = "Ready replicas of desired replicas"
    ),
    printcolumn(
        name = "Replicas",
        type_ = "integer",
        json_path = ".spec.replicas",
        description = "Desired replicas"
    ),
    printcolumn(
        name = "Available",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Available\")].status",
        description = "Whether enough replicas answer"
    ),
    printcolumn(
        name = "Image",
        type_ = "string",
        json_path = ".status.image",
        description = "The image that runs",
        priority = 1
    ),
    printcolumn(
        name = "Bucket",
        type_ = "string",
        json_path = ".metadata.labels.cache\\.example\\.com/bucket",
        description = "The bucket that decides which shard reconciles this resource",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new(shard_router::BUCKET_IMMUTABLE_RULE)
        .message("status.bucket is set once and never changes: it decides which replica reconciles this resource"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]{0,50}[a-z0-9])?$')").message(
        "metadata.name names a Service and a StatefulSet as well: use at most 52 lower case letters, digits and '-', \
         starting with a letter and ending with a letter or digit"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.image) && has(self.version))")
        .message("set either image or version, not both: version picks a tag of the official image")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new(schema::MEMORY_FITS)
        .message(
            "memoryLimitMegabytes must be smaller than resources.limits.memory: raise the container's limit or lower \
             the cache's, leaving room for connections and threads"
        ),
)]
pub struct MemcachedSpec {
    /// Number of memcached servers. With 0 the resource is kept, but no server runs.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,

    /// Full name of the image to run, for instance `registry.example.com/memcached:1.6.39`. Cannot be combined with `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::image")]
    pub image: Option<String>,

    /// Version of memcached to run from the official image, for instance `1.6.39` or `1.6.39-alpine`.
    /// Cannot be combined with `image`. If neither is set, the version that this operator was tested with is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::version")]
    pub version: Option<String>,

    /// Memory that each server uses for items, in megabytes of 1024 × 1024 bytes (memcached's `-m`).
    /// A change restarts the servers one by one. Unless `resources` sets them, the container's memory
    /// request and limit are computed from it, with room for connections and threads.
    #[serde(default = "default_memory_limit")]
    #[schemars(range(min = 8, max = 1_048_576))]
    pub memory_limit_megabytes: i32,

    /// Maximum number of simultaneous client connections per server (memcached's `-c`).
    #[serde(default = "default_max_connections")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: i32,

    /// Number of threads per server (memcached's `-t`).
    #[serde(default = "default_threads")]
    #[schemars(range(min = 1, max = 64))]
    pub threads: i32,

    /// Additional arguments for memcached, one element per word, for instance `["-I", "4m"]`. Arguments that the operator
    /// sets itself are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::extra_args")]
    pub extra_args: Vec<String>,

    /// CPU and memory of each server's container. If the memory request or limit is not set, it is computed from `memoryLimitMegabytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::resources")]
    pub resources: Option<ResourceRequirements>,
}

fn default_replicas() -> i32 {
    1
}

/// memcached's own default.
fn default_memory_limit() -> i32 {
    64
}

/// memcached's own default.
fn default_max_connections() -> i32 {
    1024
}

/// memcached's own default.
fn default_threads() -> i32 {
    4
}
