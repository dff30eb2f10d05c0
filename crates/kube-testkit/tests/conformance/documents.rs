//! The schemas of built-in kinds that the embedded server carries, compared with the documents of the real one.

use std::collections::BTreeMap;

use kube::Client;
use serde_json::{Map, Value, json};

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

/// Every definition that differs.
pub(crate) async fn differences(client: &Client) -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/embedded/schema/builtin.json");
    let text = std::fs::read_to_string(path).expect("builtin.json is committed");
    let carried: BTreeMap<String, Value> = serde_json::from_str(&text).expect("builtin.json is JSON");
    let mut real = BTreeMap::new();
    for version in ["api/v1", "apis/apps/v1", "apis/policy/v1", "apis/coordination.k8s.io/v1"] {
        let request =
            http::Request::get(format!("/openapi/v3/{version}")).body(Vec::new()).expect("a request");
        let document: Value = client.request(request).await.expect("the document");
        let schemas = document["components"]["schemas"].as_object().cloned().unwrap_or_default();
        real.extend(schemas.into_iter().map(|(name, schema)| (short(&name), schema)));
    }
    let differing = carried.into_iter().filter_map(|(name, carried)| {
        let carried = without_ours(&carried);
        let real = real.get(&name).map(reduced);
        (real.as_ref() != Some(&carried))
            .then(|| format!("{name}: {carried} instead of {}", real.unwrap_or_default()))
    });
    differing.collect()
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

/// Without what the documents do not say: Go's zero values, and that `FieldsV1` is free.
fn without_ours(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| {
                !["x-go-zero", "x-kubernetes-preserve-unknown-fields"].contains(&name.as_str())
            })
            .map(|(name, field)| (name.clone(), without_ours(field)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_ours).collect(),
        other => other.clone(),
    }
}
