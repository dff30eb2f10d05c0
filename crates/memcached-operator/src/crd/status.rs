//! What the operator reports.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// What the operator last saw of a `Memcached`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = schema::status_before_the_first_look()))]
pub struct MemcachedStatus {
    /// The newest `metadata.generation` that the operator has acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_integer")]
    pub observed_generation: Option<i64>,

    /// How many pods exist.
    #[serde(default)]
    pub replicas: i32,

    /// How many of them are ready.
    #[serde(default)]
    pub ready_replicas: i32,

    /// Ready of desired, as `kubectl get` shows it: `2/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_string")]
    pub ready: Option<String>,

    /// The label selector of the pods, for the `scale` subresource and whatever scales through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_string")]
    pub selector: Option<String>,

    /// The image that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_string")]
    pub image: Option<String>,

    /// The bucket that decides which shard reconciles this resource. Written once, by the shard router; the
    /// operator's own writes leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bucket")]
    pub bucket: Option<u8>,

    /// `Ready`, `Reconciling` and `Stalled`, as kstatus reads them, and `Available` and `Degraded`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
