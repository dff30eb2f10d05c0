//! What the API server does for single built-in kinds: defaults, fields that it sets, and the rules that the project meets.

mod definition;
mod event;
mod job;
mod lease;
mod networking;
mod pod;
mod pod_template;
mod role_binding;
mod secret;
mod service;
mod stateful_set;
mod workload;

use std::borrow::Cow;

use serde_json::{Value, json};

use super::fault::Fault;
use super::resource::ResourceType;

pub(crate) use definition::{established, unaccepted};
pub(crate) use event::shown_schema as event_schema;

/// From what was sent to the form in which objects are kept. Events of the newer group are kept as those of the core.
pub(crate) fn to_internal(kind: &ResourceType, object: Value) -> Value {
    if kind.group == "events.k8s.io" { event::to_core(object) } else { object }
}

/// The reverse.
pub(crate) fn from_internal<'a>(kind: &ResourceType, object: &'a Value) -> Cow<'a, Value> {
    if is_shown_as_kept(kind, object) {
        return Cow::Borrowed(object);
    }
    Cow::Owned(into_shown(kind, object.clone()))
}

/// The reverse, of an object that is needed no more.
pub(crate) fn into_shown(kind: &ResourceType, mut object: Value) -> Value {
    if kind.group == "events.k8s.io" {
        object = event::from_core(object);
    }
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.kind);
    object
}

/// Whether an object is shown just as it is kept. All are, but for events, which have two forms.
pub(crate) fn is_shown_as_kept(kind: &ResourceType, object: &Value) -> bool {
    kind.group != "events.k8s.io"
        && object["kind"] == *kind.kind
        && object["apiVersion"].as_str().is_some_and(|version| kind.is_version(version))
}

/// Fills in what a user may leave out.
pub(crate) fn set_defaults(kind: &ResourceType, object: &mut Value) {
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("apps", "daemonsets") => workload::set_daemon_set_defaults(object),
        ("apps", "deployments") => workload::set_deployment_defaults(object),
        ("apps", "replicasets") => workload::set_replica_set_defaults(object),
        ("apps", "statefulsets") => stateful_set::set_defaults(object),
        ("batch", "cronjobs") => job::set_cron_defaults(object),
        ("batch", "jobs") => job::set_defaults(object),
        ("networking.k8s.io", "networkpolicies") => networking::set_policy_defaults(object),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            role_binding::set_defaults(object);
        }
        ("", "secrets") => secret::set_defaults(object),
        ("", "services") => service::set_defaults(object),
        ("", "pods") => pod::set_defaults(object),
        ("apiextensions.k8s.io", _) => definition::set_defaults(object),
        ("", "namespaces") => {
            let name = object["metadata"]["name"].clone();
            if name.is_string() {
                object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            }
        }
        _ => {}
    }
}

/// Gives a new object what only the server can give. `bits` are random.
pub(crate) fn prepare_new(kind: &ResourceType, object: &mut Value, bits: u128) {
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "services") => service::allocate(object, bits),
        ("", "pods") => pod::prepare_new(object),
        ("", "namespaces") => {
            object["spec"]["finalizers"] = json!(["kubernetes"]);
            object["status"] = json!({"phase": "Active"});
        }
        ("apps", "daemonsets") => workload::prepare_new_daemon_set(object),
        ("apps", "replicasets") => object["status"] = json!({"replicas": 0}),
        ("apps", "statefulsets") => object["status"] = json!({"replicas": 0, "availableReplicas": 0}),
        ("batch", "jobs") => job::prepare_new(object),
        ("networking.k8s.io", "ingresses") => networking::prepare_new_ingress(object),
        ("coordination.k8s.io", "leases") => lease::drop_disabled(object),
        _ => {}
    }
}

/// Keeps what a change may not touch.
pub(crate) fn prepare_changed(kind: &ResourceType, old: &Value, object: &mut Value) {
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("", "services") => service::keep_addresses(old, object),
        ("apps", "daemonsets") => workload::prepare_changed_daemon_set(old, object),
        ("coordination.k8s.io", "leases") => lease::drop_disabled(object),
        // Only the subresource `finalize` changes these.
        ("", "namespaces") => object["spec"]["finalizers"] = old["spec"]["finalizers"].clone(),
        _ => {}
    }
}

/// The faults of a built-in object. Far from all that kube-apiserver finds: those that the project's requests can have.
pub(crate) fn validate(kind: &ResourceType, object: &Value, old: Option<&Value>) -> Vec<Fault> {
    match (kind.group.as_str(), kind.plural.as_str()) {
        ("coordination.k8s.io", "leases") => lease::validate(object),
        ("apps", "daemonsets" | "deployments" | "replicasets") => workload::validate(object, old),
        ("apps", "statefulsets") => stateful_set::validate(object, old),
        ("batch", "cronjobs") => job::validate_cron(object),
        ("batch", "jobs") => job::validate(object, old),
        ("networking.k8s.io", "ingresses") => networking::validate_ingress(object),
        ("rbac.authorization.k8s.io", "rolebindings" | "clusterrolebindings") => {
            role_binding::validate(object, old)
        }
        ("", "secrets") => secret::validate(object, old),
        ("", "services") => service::validate(object, old),
        ("" | "events.k8s.io", "events") => event::validate(kind, object, old),
        _ => Vec::new(),
    }
}

/// Sets a field that is not there.
fn default(object: &mut Value, field: &str, value: Value) {
    let missing = object.get(field).is_none_or(Value::is_null);
    if missing && (object.is_object() || object.is_null()) {
        object[field] = value;
    }
}
