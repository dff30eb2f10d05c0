//! The schemas of built-in kinds.
//!
//! `builtin.json` holds the definitions of kube-apiserver 1.37's `/openapi/v3` that the kinds served here need, without
//! their descriptions; `x-go-zero` adds what the Go types in k8s.io/api say about zero values. `cargo xtask schemas` writes
//! it, and the conformance suite compares it with the documents of a running server.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::Schema;
use super::parse::parse;

static DEFINITIONS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("builtin.json")).expect("builtin.json is a map of definitions")
});

static OBJECT_META: LazyLock<Arc<Schema>> = LazyLock::new(|| resolve("meta.v1.ObjectMeta"));

/// The schema of a kind by its definition's name, `apps.v1.StatefulSet` for instance.
pub(crate) fn builtin(definition: &str) -> Arc<Schema> {
    resolve(definition)
}

/// The schema of every object's `metadata`.
pub(crate) fn object_meta() -> Arc<Schema> {
    Arc::clone(&OBJECT_META)
}

/// The schema of `CustomResourceDefinition`, as far as ownership asks: its versions are owned as one, so that what is in
/// them does not matter.
pub(crate) fn definition() -> Arc<Schema> {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text, "x-kubernetes-list-type": "atomic"});
    let names = json!({"type": "object", "properties": {
        "categories": texts, "kind": text, "listKind": text, "plural": text, "shortNames": texts, "singular": text,
    }});
    let any = json!({});
    let spec = json!({"type": "object", "properties": {
        "conversion": {"type": "object", "properties": {"strategy": text, "webhook": any}},
        "group": text, "names": names, "preserveUnknownFields": {"type": "boolean"}, "scope": text,
        "versions": {"type": "array", "items": any, "x-kubernetes-list-type": "atomic"},
    }});
    let conditions = json!({
        "type": "array", "items": any, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"],
    });
    let status = json!({"type": "object", "properties": {
        "acceptedNames": names, "conditions": conditions, "observedGeneration": {"type": "integer"}, "storedVersions": texts,
    }});
    let root = json!({"type": "object", "properties": {
        "apiVersion": text, "kind": text, "metadata": {"$ref": "meta.v1.ObjectMeta"}, "spec": spec, "status": status,
    }});
    parse(&root, &resolve)
}

/// Each definition is parsed once, however many refer to it.
fn resolve(definition: &str) -> Arc<Schema> {
    static PARSED: Mutex<BTreeMap<String, Arc<Schema>>> = Mutex::new(BTreeMap::new());
    let parsed = || PARSED.lock();
    if let Some(schema) = parsed().get(definition) {
        return Arc::clone(schema);
    }
    let node = DEFINITIONS.get(definition).expect("every definition that is referred to is in builtin.json");
    // Not under the lock: a definition refers to others.
    let schema = parse(node, &resolve);
    parsed().insert(definition.to_owned(), Arc::clone(&schema));
    schema
}

#[cfg(test)]
mod tests {
    use super::super::{Relation, Shape};
    use super::*;

    #[test]
    fn lists_know_how_their_items_are_told_apart() {
        let set = builtin("apps.v1.StatefulSet");
        let containers = ["spec", "template", "spec", "containers"]
            .iter()
            .fold(set, |schema, field| Arc::clone(schema.field(field).expect("a field")));
        let Shape::List(list) = &containers.shape else { panic!("a list") };
        assert_eq!(list.relation, Relation::Map(vec!["name".into()]));
    }
}
