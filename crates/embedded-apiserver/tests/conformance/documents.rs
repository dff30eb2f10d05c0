//! The schemas of built-in kinds that the embedded server carries, made of the documents of the real one.

use std::collections::BTreeMap;

use kube::Client;
use serde_json::{Map, Value, json};

use crate::zeros::Zeros;

/// What is kept of a schema.
const KEPT: [&str; 11] = [
    "type",
    "format",
    "required",
    "default",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-patch-merge-key",
    "x-kubernetes-patch-strategy",
    "x-kubernetes-int-or-string",
    "x-kubernetes-unions",
];

/// The kinds that are served; the definitions that they refer to come along.
const ROOTS: [&str; 21] = [
    "apps.v1.DaemonSet",
    "apps.v1.Deployment",
    "apps.v1.ReplicaSet",
    "apps.v1.StatefulSet",
    "batch.v1.CronJob",
    "batch.v1.Job",
    "coordination.v1.Lease",
    "core.v1.ConfigMap",
    "core.v1.Event",
    "core.v1.Namespace",
    "core.v1.Pod",
    "core.v1.Secret",
    "core.v1.Service",
    "core.v1.ServiceAccount",
    "networking.v1.Ingress",
    "networking.v1.NetworkPolicy",
    "policy.v1.PodDisruptionBudget",
    "rbac.v1.ClusterRole",
    "rbac.v1.ClusterRoleBinding",
    "rbac.v1.Role",
    "rbac.v1.RoleBinding",
];

/// Where they are documented.
const DOCUMENTS: [&str; 7] = [
    "api/v1",
    "apis/apps/v1",
    "apis/batch/v1",
    "apis/coordination.k8s.io/v1",
    "apis/networking.k8s.io/v1",
    "apis/policy/v1",
    "apis/rbac.authorization.k8s.io/v1",
];

/// `builtin.json` as this server has it, one definition a line.
pub(crate) async fn builtin(client: &Client, zeros: &Zeros) -> String {
    let mut known = BTreeMap::new();
    for version in DOCUMENTS {
        let request =
            http::Request::get(format!("/openapi/v3/{version}")).body(Vec::new()).expect("a request");
        let document: Value = client.request(request).await.expect("the document");
        let schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
        known.extend(schemas.into_iter().map(|(name, schema)| (short(&name), reduced(&schema))));
    }
    let mut needed = BTreeMap::new();
    let mut open: Vec<String> = ROOTS.map(str::to_owned).to_vec();
    while let Some(name) = open.pop() {
        if needed.contains_key(&name) {
            continue;
        }
        let mut schema = known.get(&name).expect("a definition that is referred to is there").clone();
        references(&schema, &mut open);
        complete(&name, &mut schema, zeros);
        needed.insert(name, schema);
    }
    let lines: Vec<String> = needed.iter().map(|(name, schema)| format!("{name:?}:{schema}")).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// The zero values as the committed file has them.
pub(crate) fn committed_zeros(path: &str) -> Zeros {
    let text = std::fs::read_to_string(path).expect("builtin.json is committed");
    let carried: BTreeMap<String, Value> = serde_json::from_str(&text).expect("builtin.json is JSON");
    let zeros = carried.into_iter().map(|(name, schema)| {
        let fields = schema["properties"].as_object().cloned().unwrap_or_default();
        let fields = fields
            .into_iter()
            .filter_map(|(name, field)| Some((name, field["x-go-zero"].as_str()?.to_owned())));
        (name, fields.collect())
    });
    zeros.collect()
}

/// Adds what the documents do not say: Go's zero values, and that `FieldsV1` is free.
fn complete(name: &str, schema: &mut Value, zeros: &Zeros) {
    if name == "meta.v1.FieldsV1" {
        schema["x-kubernetes-preserve-unknown-fields"] = json!(true);
    }
    for (field, zero) in zeros.get(name).into_iter().flatten() {
        if schema["properties"].get(field).is_some() {
            schema["properties"][field]["x-go-zero"] = json!(zero);
        }
    }
}

fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn short(name: &str) -> String {
    let prefixes = ["io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s.apimachinery.pkg."];
    prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name).to_owned()
}

fn reduced(schema: &Value) -> Value {
    let mut out = Map::new();
    let reference = schema["$ref"].as_str().or(schema["allOf"][0]["$ref"].as_str());
    if let Some(name) = reference.and_then(|reference| reference.rsplit('/').next()) {
        out.insert("$ref".into(), json!(short(name)));
    }
    for word in KEPT {
        if let Some(value) = schema.get(word) {
            out.insert(word.into(), value.clone());
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        let fields: Map<_, _> =
            properties.iter().map(|(name, field)| (name.clone(), reduced(field))).collect();
        out.insert("properties".into(), Value::Object(fields));
    }
    for word in ["items", "additionalProperties"] {
        if let Some(child) = schema.get(word).filter(|child| child.is_object()) {
            out.insert(word.into(), reduced(child));
        }
    }
    if schema.get("oneOf").is_some() {
        out.insert("x-kubernetes-int-or-string".into(), json!(true));
    }
    Value::Object(out)
}
