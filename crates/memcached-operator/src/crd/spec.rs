//! What a user asks for.

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
    /// How many memcached servers to run. 0 keeps the resource and runs nothing.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,

    /// The image to run, in full, for instance `registry.example.com/memcached:1.6.39`. Excludes `version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::image")]
    pub image: Option<String>,

    /// The memcached version to run from the official image, for instance `1.6.39` or `1.6.39-alpine`.
    /// Excludes `image`. Without either, the version this operator was tested with is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::version")]
    pub version: Option<String>,

    /// How much memory one server uses for items, in megabytes of 1024 × 1024 bytes (memcached's `-m`).
    /// Changing it restarts the servers one by one. Unless `resources` says otherwise, the container's memory
    /// request and limit follow from it, with room for connections and threads.
    #[serde(default = "default_memory_limit")]
    #[schemars(range(min = 8, max = 1_048_576))]
    pub memory_limit_megabytes: i32,

    /// How many clients may be connected to one server at once (memcached's `-c`).
    #[serde(default = "default_max_connections")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_connections: i32,

    /// How many threads one server uses (memcached's `-t`).
    #[serde(default = "default_threads")]
    #[schemars(range(min = 1, max = 64))]
    pub threads: i32,

    /// Further arguments for memcached, one element per word, for instance `["-I", "4m"]`. Those that the operator
    /// sets itself are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::extra_args")]
    pub extra_args: Vec<String>,

    /// CPU and memory of each server's container. What is left out of memory follows `memoryLimitMegabytes`.
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
