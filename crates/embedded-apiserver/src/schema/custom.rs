//! The schemas of custom resources.

use std::sync::Arc;

use serde_json::Value;

use super::builtin::object_meta;
use super::parse::parse_node;
use super::{Scalar, Schema, Shape};

/// The schema of a custom resource, or what in it the embedded server cannot do.
pub(crate) fn parse_custom(open_api: &Value) -> Result<Schema, String> {
    supported(open_api, "openAPIV3Schema")?;
    let mut schema =
        parse_node(open_api, &|name| unreachable!("a structural schema has no reference {name}"));
    if let Shape::Object(root) = &mut schema.shape {
        // Whatever the definition says of them, these are the API server's.
        root.properties.insert("metadata".into(), object_meta());
        for name in ["apiVersion", "kind"] {
            root.properties.insert(name.into(), Arc::new(scalar(Scalar::String)));
        }
    }
    Ok(schema)
}

fn scalar(scalar: Scalar) -> Schema {
    Schema { shape: Shape::Scalar(scalar), ..Schema::default() }
}

/// Refuses what would be understood wrongly.
fn supported(node: &Value, path: &str) -> Result<(), String> {
    const UNKNOWN: [&str; 8] = [
        "oneOf",
        "anyOf",
        "allOf",
        "not",
        "multipleOf",
        "uniqueItems",
        "exclusiveMinimum",
        "exclusiveMaximum",
    ];
    let Some(map) = node.as_object() else { return Ok(()) };
    for word in UNKNOWN {
        let harmless = map.get(word).is_none_or(|value| value.is_null() || *value == Value::Bool(false))
            || (map.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) && word == "anyOf");
        if !harmless {
            return Err(format!("{word} in the schema of a custom resource (at {path})"));
        }
    }
    for (name, child) in map.get("properties").and_then(Value::as_object).into_iter().flatten() {
        supported(child, &format!("{path}.{name}"))?;
    }
    for word in ["items", "additionalProperties"] {
        if let Some(child) = map.get(word) {
            supported(child, &format!("{path}.{word}"))?;
        }
    }
    Ok(())
}
