//! Where an object differs from what is applied to it, and who else has a say there.
//!
//! Only fields that are applied count. What defaulting, mutating admission or others add is no difference.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde::Serialize;
use serde_json::Value;

use super::FIELD_MANAGER;
use super::quantity::thousandths;

/// The fields by which elements of lists are told apart, as far as this operator's children have such lists.
const KEYS: [&str; 4] = ["name", "uid", "containerPort", "port"];

/// Maps and lists of objects that are applied as one, as far as this operator's children have such: what somebody adds there is a
/// difference, and the next apply removes it. (`x-kubernetes-map-type` and `x-kubernetes-list-type` in the API server's OpenAPI
/// documents.)
const ATOMIC: [&str; 3] = ["selector", "labelSelector", "preferredDuringSchedulingIgnoredDuringExecution"];

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
    compare(&desired, Some(&value(seen)), &mut Vec::new(), &mut found);
    found
}

fn compare(desired: &Value, seen: Option<&Value>, path: &mut Vec<Step>, found: &mut Vec<Difference>) {
    match (desired, seen) {
        (Value::Object(desired), Some(Value::Object(seen))) if !is_atomic(path) => {
            for (name, desired) in desired {
                path.push(Step::Field(name.clone()));
                compare(desired, seen.get(name), path, found);
                path.pop();
            }
        }
        (Value::Array(desired), Some(whole @ Value::Array(seen))) if desired.iter().all(Value::is_object) => {
            if is_atomic(path) && desired.len() != seen.len() {
                found.push(Difference::new(path, Some(whole)));
                return;
            }
            for desired in desired {
                let Some(key) = KEYS.iter().find(|key| desired.get(**key).is_some()) else {
                    // Without a key, it is there or not.
                    let is_there = |seen: &Value| {
                        let mut found = Vec::new();
                        compare(desired, Some(seen), &mut path.clone(), &mut found);
                        found.is_empty()
                    };
                    if !seen.iter().any(is_there) {
                        found.push(Difference::new(path, Some(whole)));
                    }
                    continue;
                };
                let seen = seen.iter().find(|seen| seen.get(*key) == desired.get(*key));
                path.push(Step::Element(desired.clone()));
                compare(desired, seen, path, found);
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

fn is_atomic(path: &[Step]) -> bool {
    matches!(path.last(), Some(Step::Field(name)) if ATOMIC.contains(&name.as_str()))
}

/// `1000m` and `1` of a resource.
fn is_same_quantity(desired: &Value, seen: &Value, path: &[Step]) -> bool {
    let is_resource = path.iter().any(|step| *step == Step::Field("resources".into()));
    let amount = |value: &Value| value.as_str().and_then(|text| thousandths(&Quantity(text.into())));
    is_resource && amount(desired).is_some_and(|desired| amount(seen) == Some(desired))
}

/// The fields, and who else owns them if that is known, as a phrase: `spec.ports, also written by kubectl-edit`.
pub(super) fn described(differences: &[Difference], entries: &[ManagedFieldsEntry]) -> String {
    const MOST: usize = 5;
    let fields = listed(differences.iter().map(Difference::path).collect(), MOST);
    match managers(differences, entries) {
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
fn managers(differences: &[Difference], entries: &[ManagedFieldsEntry]) -> Vec<String> {
    let mut managers = BTreeSet::new();
    for entry in entries {
        let (Some(manager), Some(fields)) = (&entry.manager, &entry.fields_v1) else { continue };
        if manager != FIELD_MANAGER && differences.iter().any(|difference| owns(&fields.0, &difference.steps))
        {
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
    fn the_owner_of_a_field_is_named_and_others_are_not() {
        let desired = json!({"spec": {"replicas": 3, "containers": [{"name": "m", "args": ["-m"]}], "selector": {"a": "b"}}});
        let seen =
            json!({"spec": {"replicas": 1, "containers": [{"name": "m", "args": ["-v"]}], "selector": {}}});
        let managed: Vec<ManagedFieldsEntry> = serde_json::from_value(json!([
            {"manager": FIELD_MANAGER, "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "scaler", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
            {"manager": "editor", "fieldsV1": {"f:spec": {"f:containers": {"k:{\"name\":\"m\"}": {".": {}, "f:args": {}}}}}},
            {"manager": "atomic", "fieldsV1": {"f:spec": {"f:selector": {}}}},
            {"manager": "beside", "fieldsV1": {"f:spec": {"f:containers": {"k:{\"name\":\"n\"}": {"f:args": {}}}}}},
            {"manager": "kube-controller-manager", "fieldsV1": {"f:status": {"f:replicas": {}}}},
        ]))
        .expect("managed fields");
        assert_eq!(managers(&differences(&desired, &seen), &managed), ["atomic", "editor", "scaler"]);
    }
}
