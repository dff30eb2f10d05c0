//! From OpenAPI to [`Schema`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Checks, List, Object, Relation, Scalar, Schema, Shape, Zero};

/// Parses one node; `resolve` gives the schema behind a `$ref`, which is shared by all who refer to it.
pub(super) fn parse(node: &Value, resolve: &dyn Fn(&str) -> Arc<Schema>) -> Arc<Schema> {
    match node["$ref"].as_str() {
        Some(name) => beside(resolve(name), node),
        None => Arc::new(parse_node(node, resolve)),
    }
}

/// What stands beside a reference (a default, for instance) counts more than what is in the definition.
fn beside(definition: Arc<Schema>, node: &Value) -> Arc<Schema> {
    let fields = node.as_object().into_iter().flatten();
    let words: Vec<&str> = fields.map(|(word, _)| word.as_str()).filter(|word| *word != "$ref").collect();
    if words.is_empty() {
        return definition;
    }
    let mut schema = Schema::clone(&definition);
    for word in words {
        match word {
            "default" => schema.default = node.get(word).cloned(),
            "x-go-zero" => schema.zero = zero(node),
            "x-kubernetes-patch-merge-key" => schema.patch_merge_key = extension(node, "patch-merge-key"),
            "x-kubernetes-patch-strategy" => schema.patch_merge = merges(node),
            _ => unreachable!("builtin.json has no {word} beside a reference"),
        }
    }
    Arc::new(schema)
}

pub(super) fn parse_node(node: &Value, resolve: &dyn Fn(&str) -> Arc<Schema>) -> Schema {
    Schema {
        shape: shape(node, resolve),
        default: node.get("default").cloned(),
        nullable: node["nullable"] == true,
        zero: zero(node),
        checks: checks(node),
        patch_merge_key: extension(node, "patch-merge-key"),
        patch_merge: merges(node),
    }
}

fn extension(node: &Value, name: &str) -> Option<String> {
    node[format!("x-kubernetes-{name}")].as_str().map(str::to_owned)
}

fn merges(node: &Value) -> bool {
    extension(node, "patch-strategy").is_some_and(|strategy| strategy.contains("merge"))
}

fn zero(node: &Value) -> Zero {
    match node["x-go-zero"].as_str() {
        Some("omit") => Zero::Omitted,
        Some("null") => Zero::Null,
        _ => Zero::Kept,
    }
}

fn shape(node: &Value, resolve: &dyn Fn(&str) -> Arc<Schema>) -> Shape {
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
            Shape::List(List { items: parse(&node["items"], resolve), relation })
        }
        Some("object") => object(node, resolve),
        _ => Shape::Any,
    }
}

fn object(node: &Value, resolve: &dyn Fn(&str) -> Arc<Schema>) -> Shape {
    let properties: BTreeMap<_, _> = node["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, child)| (name.clone(), parse(child, resolve)))
        .collect();
    let additional = node.get("additionalProperties").filter(|child| child.is_object());
    let additional = additional.map(|child| parse(child, resolve));
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
        min_properties: node["minProperties"].as_u64(),
        max_properties: node["maxProperties"].as_u64(),
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
