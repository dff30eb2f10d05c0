//! From OpenAPI to [`Schema`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Checks, List, Object, Relation, Scalar, Schema, Shape, Zero, object_meta};

/// The schema of a custom resource, or what in it the embedded server cannot do.
pub(crate) fn parse_custom(open_api: &Value) -> Result<Schema, String> {
    supported(open_api, "openAPIV3Schema")?;
    let mut schema = parse(open_api, &|name| unreachable!("a structural schema has no reference {name}"));
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

/// Parses one node; `resolve` gives the definition behind a `$ref`.
pub(super) fn parse(node: &Value, resolve: &dyn Fn(&str) -> Value) -> Schema {
    if let Some(name) = node["$ref"].as_str() {
        let mut definition = resolve(name);
        for (key, value) in node.as_object().into_iter().flatten().filter(|(key, _)| *key != "$ref") {
            definition[key] = value.clone();
        }
        return parse(&definition, resolve);
    }
    let word = |name: &str| node[format!("x-kubernetes-{name}")].as_str().map(str::to_owned);
    Schema {
        shape: shape(node, resolve),
        default: node.get("default").cloned(),
        nullable: node["nullable"] == true,
        zero: match node["x-go-zero"].as_str() {
            Some("omit") => Zero::Omitted,
            Some("null") => Zero::Null,
            _ => Zero::Kept,
        },
        checks: checks(node),
        patch_merge_key: word("patch-merge-key"),
        patch_merge: word("patch-strategy").is_some_and(|strategy| strategy.contains("merge")),
    }
}

fn shape(node: &Value, resolve: &dyn Fn(&str) -> Value) -> Shape {
    if node["x-kubernetes-int-or-string"] == true {
        return Shape::Scalar(Scalar::IntOrString);
    }
    match node["type"].as_str() {
        Some("string") => Shape::Scalar(Scalar::String),
        Some("integer") => Shape::Scalar(Scalar::Integer),
        Some("number") => Shape::Scalar(Scalar::Number),
        Some("boolean") => Shape::Scalar(Scalar::Boolean),
        Some("array") => {
            let relation = match node["x-kubernetes-list-type"].as_str() {
                Some("set") => Relation::Set,
                Some("map") => Relation::Map(strings(&node["x-kubernetes-list-map-keys"])),
                _ => Relation::Atomic,
            };
            Shape::List(List { items: Arc::new(parse(&node["items"], resolve)), relation })
        }
        Some("object") => object(node, resolve),
        _ => Shape::Any,
    }
}

fn object(node: &Value, resolve: &dyn Fn(&str) -> Value) -> Shape {
    let properties: BTreeMap<_, _> = node["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, child)| (name.clone(), Arc::new(parse(child, resolve))))
        .collect();
    let additional = node.get("additionalProperties").filter(|child| child.is_object());
    let additional = additional.map(|child| Arc::new(parse(child, resolve)));
    let preserve = node["x-kubernetes-preserve-unknown-fields"] == true;
    if properties.is_empty()
        && additional.is_none()
        && node.get("x-kubernetes-validations").is_none()
        && preserve
    {
        return Shape::Any;
    }
    Shape::Object(Object {
        properties,
        additional,
        preserve,
        atomic: node["x-kubernetes-map-type"] == "atomic",
        required: strings(&node["required"]),
    })
}

fn checks(node: &Value) -> Checks {
    Checks {
        minimum: node["minimum"].as_f64(),
        maximum: node["maximum"].as_f64(),
        min_length: node["minLength"].as_u64(),
        max_length: node["maxLength"].as_u64(),
        min_items: node["minItems"].as_u64(),
        max_items: node["maxItems"].as_u64(),
        pattern: node["pattern"]
            .as_str()
            .and_then(|pattern| Some((pattern.to_owned(), regex::Regex::new(pattern).ok()?))),
        allowed: node["enum"].as_array().cloned().unwrap_or_default(),
        format: node["format"].as_str().map(str::to_owned),
    }
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
}
