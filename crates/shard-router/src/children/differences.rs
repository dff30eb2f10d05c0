//! Where an object differs from what is applied to it, and who else has a say there.
//!
//! Only fields that are applied count. What defaulting, mutating admission or others add is no difference.

use std::collections::BTreeSet;

use k8s_openapi::{
    apimachinery::pkg::api::resource::Quantity, apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry,
};
use serde::Serialize;
use serde_json::Value;

use super::quantity::thousandths;

/// The fields that distinguish the elements of lists which are merged by a key. A list whose elements have none of them is applied as one.
const KEYS: [&str; 7] = ["name", "uid", "containerPort", "port", "mountPath", "devicePath", "topologyKey"];

/// Maps and lists of objects that are applied as one: what somebody adds there is a difference, and the next apply removes it.
/// (`x-kubernetes-map-type` and `x-kubernetes-list-type` in the API server's OpenAPI documents.) Fields of a custom resource that are missing here count as
/// granular: what others add there is not noticed until something else differs.
const ATOMIC: [&str; 8] = [
    "selector",
    "labelSelector",
    "namespaceSelector",
    "podSelector",
    "nodeSelector",
    "preferredDuringSchedulingIgnoredDuringExecution",
    "roleRef",
    "subjects",
];

/// The fields that contain quantities: `1000m` is `1` there.
const QUANTITIES: [&str; 8] =
    ["resources", "limits", "requests", "hard", "capacity", "sizeLimit", "averageValue", "overhead"];

/// One step to a field.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(String),
    /// An element of a list, as it is applied.
    Element(Value),
}

/// A field that is applied and has another value, or none.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    steps: Vec<Step>,
    /// What is there instead.
    seen: Option<Value>,
}

impl Difference {
    fn new(steps: &[Step], seen: Option<&Value>) -> Self {
        Self { steps: steps.to_vec(), seen: seen.cloned() }
    }

    /// Whether both are about the same field, whatever is there.
    pub(super) fn is_at(&self, other: &Self) -> bool {
        self.steps == other.steps
    }

    /// As people write it: `spec.template.spec.containers[memcached].image`.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.steps {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => path.extend([".", name]),
                Step::Element(element) => {
                    let key = KEYS.iter().find_map(|key| element.get(*key)).map(Value::to_string);
                    path.extend(["[", key.unwrap_or_default().trim_matches('"'), "]"]);
                }
            }
        }
        path
    }
}

/// Where `seen` differs from `desired`.
pub(super) fn differences<K: Serialize>(desired: &K, seen: &K) -> Vec<Difference> {
    let value = |object: &K| serde_json::to_value(object).unwrap_or_default();
    let mut desired = value(desired);
    if let Some(meta) = desired.get_mut("metadata").and_then(Value::as_object_mut) {
        // Preconditions of the write, if it has been tried before.
        meta.remove("uid");
        meta.remove("resourceVersion");
    }
    let mut found = Vec::new();
    compare(&desired, Some(&value(seen)), &mut Vec::new(), false, &mut found);
    found
}

/// `is_whole` is whether something around this is applied as one, so that a list in it has no elements of others.
fn compare(
    desired: &Value,
    seen: Option<&Value>,
    path: &mut Vec<Step>,
    is_whole: bool,
    found: &mut Vec<Difference>,
) {
    let is_atomic = is_atomic(path);
    match (desired, seen) {
        (Value::Object(desired), Some(Value::Object(seen))) if !is_atomic || has_defaults(path) => {
            for (name, desired) in desired {
                path.push(Step::Field(name.clone()));
                compare(desired, seen.get(name), path, is_whole || is_atomic, found);
                path.pop();
            }
        }
        (Value::Array(desired), Some(whole @ Value::Array(seen)))
            if desired.iter().all(Value::is_object) && !desired.is_empty() =>
        {
            let is_keyed = desired.iter().all(|element| key(element).is_some());
            let is_whole = is_whole || is_atomic || !is_keyed;
            if is_whole && desired.len() != seen.len() {
                found.push(Difference::new(path, Some(whole)));
                return;
            }
            for desired in desired {
                let Some(key) = key(desired).filter(|_| is_keyed) else {
                    // Without a key, it is there or not.
                    let is_there = |seen: &Value| {
                        let mut found = Vec::new();
                        compare(desired, Some(seen), &mut path.clone(), true, &mut found);
                        found.is_empty()
                    };
                    if !seen.iter().any(is_there) {
                        found.push(Difference::new(path, Some(whole)));
                    }
                    continue;
                };
                let seen = seen.iter().find(|seen| seen.get(key) == desired.get(key));
                path.push(Step::Element(desired.clone()));
                compare(desired, seen, path, is_whole, found);
                path.pop();
            }
        }
        // The API server leaves out what is empty.
        (Value::Object(desired), None) if desired.is_empty() => {}
        (Value::Array(desired), None) if desired.is_empty() => {}
        (Value::Null, None) => {}
        (desired, Some(seen)) if desired == seen || is_same_quantity(desired, seen, path) => {}
        _ => found.push(Difference::new(path, seen)),
    }
}

/// The field that distinguishes this element of a list from the others.
fn key(element: &Value) -> Option<&'static str> {
    KEYS.into_iter().find(|key| element.get(*key).is_some())
}

fn is_atomic(path: &[Step]) -> bool {
    is_one_of(path, &ATOMIC)
}

/// A reference, which is applied as one and gets defaults.
fn has_defaults(path: &[Step]) -> bool {
    is_one_of(path, &["roleRef"])
}

fn is_one_of(path: &[Step], names: &[&str]) -> bool {
    matches!(path.last(), Some(Step::Field(name)) if names.contains(&name.as_str()))
}

/// `1000m` and `1` of a resource.
fn is_same_quantity(desired: &Value, seen: &Value, path: &[Step]) -> bool {
    let is_quantity =
        path.iter().any(|step| matches!(step, Step::Field(name) if QUANTITIES.contains(&name.as_str())));
    let amount = |value: &Value| match value {
        Value::String(text) => thousandths(&Quantity(text.clone())),
        Value::Number(number) => thousandths(&Quantity(number.to_string())),
        _ => None,
    };
    is_quantity && amount(desired).is_some_and(|desired| amount(seen) == Some(desired))
}

/// The fields, and who else owns them if that is known, as a phrase: `spec.ports, also written by kubectl-edit`.
pub(super) fn described(differences: &[Difference], entries: &[ManagedFieldsEntry], ours: &str) -> String {
    const MOST: usize = 5;
    let fields = listed(differences.iter().map(Difference::path).collect(), MOST);
    match managers(differences, entries, ours) {
        managers if managers.is_empty() => fields,
        managers => format!("{fields}, also written by {}", listed(managers, MOST)),
    }
}

fn listed(mut all: Vec<String>, most: usize) -> String {
    if let Some(more) = all.len().checked_sub(most).filter(|more| *more > 0) {
        all.truncate(most);
        all.push(format!("{more} more"));
    }
    all.join(", ")
}

/// The other field managers that own one of these fields, in alphabetical order.
fn managers(differences: &[Difference], entries: &[ManagedFieldsEntry], ours: &str) -> Vec<String> {
    let mut managers = BTreeSet::new();
    for entry in entries {
        let (Some(manager), Some(fields)) = (&entry.manager, &entry.fields_v1) else { continue };
        if manager != ours && differences.iter().any(|difference| owns(&fields.0, &difference.steps)) {
            managers.insert(manager.clone());
        }
    }
    managers.into_iter().collect()
}

/// Whether these fields, in the form of `managedFields`, have this one among them, something inside it, or all around it.
fn owns(fields: &Value, path: &[Step]) -> bool {
    let Some((step, rest)) = path.split_first() else { return true };
    let Some(members) = fields.as_object() else { return false };
    match step {
        Step::Field(name) => {
            members.get(&format!("f:{name}")).is_some_and(|inner| is_whole(inner) || owns(inner, rest))
        }
        Step::Element(element) => members.iter().any(|(name, inner)| {
            let key = name.strip_prefix("k:").and_then(|key| serde_json::from_str::<Value>(key).ok());
            let key = key.as_ref().and_then(Value::as_object);
            key.is_some_and(|key| key.iter().all(|(name, value)| element.get(name) == Some(value)))
                && owns(inner, rest)
        }),
    }
}

/// A field that is owned as one, with all that is in it.
fn is_whole(fields: &Value) -> bool {
    fields.as_object().is_some_and(serde_json::Map::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn paths(desired: &Value, seen: &Value) -> Vec<String> {
        differences(desired, seen).iter().map(Difference::path).collect()
    }

    #[test]
    fn what_others_add_is_no_difference() {
        let desired = json!({
            "metadata": {"name": "a", "uid": "u", "resourceVersion": "1", "labels": {"ours": "1"}},
            "spec": {"containers": [{"name": "m", "args": ["-m"], "resources": {"limits": {"cpu": "1000m"}}}], "none": {}},
        });
        let seen = json!({
            "metadata": {"name": "a", "uid": "u", "resourceVersion": "2", "labels": {"ours": "1", "theirs": "2"},
                         "annotations": {"webhook": "now"}},
            "spec": {"containers": [{"name": "sidecar"}, {"name": "m", "args": ["-m"], "image": "x",
                                     "resources": {"limits": {"cpu": "1"}}}]},
        });
        assert_eq!(paths(&desired, &seen), [""; 0]);
    }

    #[test]
    fn what_is_applied_and_differs_is_named() {
        let desired = json!({
            "metadata": {"labels": {"version": "1.0"}},
            "spec": {"replicas": 3, "list": [1, 2], "terms": [{"weight": 1}, {"weight": 2}], "containers": [{"name": "m", "args": ["-m"]}]},
        });
        let seen = json!({
            "metadata": {"labels": {"version": "1"}},
            "spec": {"list": [2, 1], "terms": [{"weight": 2, "default": 1}], "containers": [{"name": "m", "args": ["-v"]}]},
        });
        let expected = [
            "metadata.labels.version",
            "spec.containers[m].args",
            "spec.list",
            "spec.replicas",
            "spec.terms",
        ];
        assert_eq!(paths(&desired, &seen), expected);
    }

    #[test]
    fn what_is_added_to_what_is_applied_as_one_is_a_difference() {
        let term = json!({"weight": 1});
        let terms = |terms: &[&Value]| json!({"preferredDuringSchedulingIgnoredDuringExecution": terms});
        let added = json!({"weight": 2});
        let found = paths(&terms(&[&term]), &terms(&[&term, &added]));
        assert_eq!(found, ["preferredDuringSchedulingIgnoredDuringExecution"]);
        let desired = json!({"spec": {"selector": {"a": "b"}, "template": {"labels": {"a": "b"}}}});
        let seen =
            json!({"spec": {"selector": {"a": "b", "c": "d"}, "template": {"labels": {"a": "b", "c": "d"}}}});
        assert_eq!(paths(&desired, &seen), ["spec.selector"]);
    }

    #[test]
    fn a_list_without_keys_is_applied_as_one() {
        let rules = |verbs: &[&str]| {
            let rule = |verb: &&str| json!({"apiGroups": [""], "resources": ["pods"], "verbs": [verb]});
            json!({"rules": verbs.iter().map(rule).collect::<Vec<_>>()})
        };
        assert_eq!(paths(&rules(&["get"]), &rules(&["get"])), [""; 0]);
        assert_eq!(paths(&rules(&["get"]), &rules(&["get", "delete"])), ["rules"], "a right was added");
        let peers = |ports: &[i32]| json!({"ingress": [{"ports": ports.iter().map(|port| json!({"port": port})).collect::<Vec<_>>()}]});
        assert_eq!(paths(&peers(&[1]), &peers(&[1, 2])), ["ingress"], "a port was added inside of a rule");
        let subjects = |names: &[&str]| json!({"subjects": names.iter().map(|name| json!({"kind": "User", "name": name})).collect::<Vec<_>>()});
        assert_eq!(paths(&subjects(&["a"]), &subjects(&["a", "b"])), ["subjects"]);
        let seen =
            json!({"subjects": [{"kind": "User", "name": "a", "apiGroup": "rbac.authorization.k8s.io"}]});
        assert_eq!(paths(&subjects(&["a"]), &seen), [""; 0], "a default is no difference");
    }

    #[test]
    fn the_owner_of_a_field_is_named_and_others_are_not() {
        let desired = json!({"spec": {"replicas": 3, "containers": [{"name": "m", "args": ["-m"]}], "selector": {"a": "b"}}});
        let seen =
            json!({"spec": {"replicas": 1, "containers": [{"name": "m", "args": ["-v"]}], "selector": {}}});
        let managed: Vec<ManagedFieldsEntry> = serde_json::from_value(json!([
            {"manager": "ours", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "scaler", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "editor", "fieldsV1": {"f:spec": {"f:containers": {"k:{\"name\":\"m\"}": {".": {}, "f:args": {}}}}}},
            {"manager": "atomic", "fieldsV1": {"f:spec": {"f:selector": {}}}},
            {"manager": "beside", "fieldsV1": {"f:spec": {"f:containers": {"k:{\"name\":\"n\"}": {"f:args": {}}}}}},
            {"manager": "kube-controller-manager", "fieldsV1": {"f:status": {"f:replicas": {}}}},
        ]))
        .expect("managed fields");
        assert_eq!(managers(&differences(&desired, &seen), &managed, "ours"), ["atomic", "editor", "scaler"]);
    }
}
