//! The status: what the operator reports.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// The state of a `Memcached` that the operator has observed last.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = schema::status_before_the_first_look()))]
pub struct MemcachedStatus {
    /// The newest `metadata.generation` that the operator has acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_integer")]
    pub observed_generation: Option<i64>,

    /// Number of pods.
    #[serde(default)]
    pub replicas: i32,

    /// Number of ready pods.
    #[serde(default)]
    pub ready_replicas: i32,

    /// Ready and desired pods, as shown by `kubectl get`: `2/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_string")]
    pub ready: Option<String>,

    /// Label selector of the pods, for the `scale` subresource and autoscalers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_string")]
    pub selector: Option<String>,

    /// Image of the servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::optional_string")]
    pub image: Option<String>,

    /// Bucket that decides which shard reconciles this resource. The shard router writes it once; nothing else
    /// writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::bucket")]
    pub bucket: Option<u8>,

    /// `Ready`, `Reconciling` and `Stalled`, as kstatus reads them, and `Available` and `Degraded`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
