//! OpenAPI v3, as little as `kubectl apply` needs: that the server validates fields itself.

use http::{HeaderMap, header};
use serde_json::{Map, Value, json};

use crate::catalogue::Catalogue;
use crate::refusal::Refusal;

/// The form in which kubectl asks for OpenAPI v2.
pub(super) const V2_MEDIA: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// A document that says only of which version it is. kubectl asks for it before it applies a `List`, and what is not described
/// there it leaves to the server to validate.
pub(super) const V2: &[u8] = b"\x0a\x032.0";

pub(super) fn v2_is_wanted_as_protobuf(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("proto-openapi.spec.v2"))
}

/// The index, or the document of one API version.
pub(super) fn answer(catalogue: &Catalogue, rest: &[&str]) -> Result<Value, Refusal> {
    match rest {
        [] => {
            let mut paths = Map::new();
            for kind in catalogue.all() {
                let path = path_of(&kind.group, &kind.version);
                let url = format!("/openapi/v3/{path}?hash={}", kind.api_version());
                paths.insert(path, json!({"serverRelativeURL": url}));
            }
            Ok(json!({"paths": paths}))
        }
        ["api", version] => document(catalogue, "", version),
        ["apis", group, version] => document(catalogue, group, version),
        _ => Err(Refusal::no_such_path()),
    }
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

fn document(catalogue: &Catalogue, group: &str, version: &str) -> Result<Value, Refusal> {
    if !catalogue.has_version(group, version) {
        return Err(Refusal::no_such_path());
    }
    let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation"]
        .iter()
        .map(|name| json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}}))
        .collect();
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for kind in catalogue.all().filter(|kind| kind.group == group && kind.version == version) {
        let of_kind = json!({"group": group, "version": version, "kind": kind.kind});
        let namespace = if kind.namespaced { "namespaces/{namespace}/" } else { "" };
        let path = format!("/{}/{namespace}{}/{{name}}", path_of(group, version), kind.plural);
        let mut operation = Map::new();
        for (verb, action) in [("patch", "patch"), ("put", "put")] {
            operation.insert(
                verb.into(),
                json!({
                    "parameters": parameters, "x-kubernetes-action": action, "x-kubernetes-group-version-kind": of_kind,
                    "responses": {"200": {"description": "OK"}},
                }),
            );
        }
        paths.insert(path, Value::Object(operation));
        let name = format!("embedded.{}.{}", kind.version, kind.kind);
        schemas.insert(
            name,
            json!({
                "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                "x-kubernetes-group-version-kind": [of_kind],
            }),
        );
    }
    Ok(json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": super::VERSION},
        "paths": paths, "components": {"schemas": schemas},
    }))
}
