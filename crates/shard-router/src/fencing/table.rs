//! The ownership table, a custom resource.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResource, CustomResourceExt as _};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::rules::TOKEN_RULES;

/// The rows for 256 buckets, for stamping and for the coordinator's work.
const MAX_ROWS: u32 = 258;

/// Which Pod owns which bucket.
///
/// All rows are in one object, because an admission policy is evaluated once for each object that it is bound to: 64 objects made each write take 10.5 ms instead of
/// 2.4 ms. With 256 rows, the object has about 40 KB. A merge patch of some rows sends only these.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "shard-router.dev",
    version = "v1alpha1",
    kind = "OwnershipTable",
    namespaced,
    derive = "Default",
    derive = "PartialEq",
    doc = "Which Pod owns which bucket. The replicas of an operator write it; the API server refuses writes of other Pods.",
    printcolumn = r#"{"name": "Owners", "type": "string", "jsonPath": ".spec.owners"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct OwnershipTableSpec {
    /// The rows: by bucket number, `stamping` and `coordinator`. A row is never removed. It is replaced only by a row with a larger token.
    #[serde(default)]
    #[schemars(schema_with = "rows")]
    pub rows: BTreeMap<String, Row>,
    /// The rows as one line for people, such as `pod-a: shards 0-3, stamping; pod-b: shards 4-7`. It has no effect.
    #[serde(default)]
    #[schemars(length(max = 32768))]
    pub owners: String,
}

/// Who owns something, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct Row {
    /// The name of the Pod.
    #[schemars(length(min = 1, max = 253))]
    pub pod: String,
    /// The uid of the Pod. A later Pod may have the same name.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
    /// The shard that the bucket belongs to; absent for `stamping` and `coordinator`.
    // Not nullable: a merge patch takes a null for the removal of the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "shard")]
    pub shard: Option<u16>,
    /// The fencing token: the version of the write to the Lease from which on the Pod owns it.
    #[schemars(schema_with = "token")]
    pub token: u64,
}

impl OwnershipTable {
    /// The definition of the resource. It contains the rules about tokens, which the API server checks within the write itself, without an informer.
    pub fn definition() -> CustomResourceDefinition {
        Self::crd()
    }
}

fn rows(generator: &mut SchemaGenerator) -> Schema {
    let rules: Vec<_> = TOKEN_RULES
        .iter()
        .map(|(rule, message)| serde_json::json!({"rule": rule, "message": message}))
        .collect();
    json_schema!({
        "type": "object",
        "default": {},
        "maxProperties": MAX_ROWS,
        "additionalProperties": generator.subschema_for::<Row>(),
        "x-kubernetes-validations": rules,
    })
}

fn shard(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "minimum": 0, "maximum": 255})
}

fn token(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64", "minimum": 1})
}
