//! The object that carries the record, as it is sent and received.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use kube::core::DynamicResourceScope;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::driver::resource_lock::ResourceLock;

/// A Lease, a ConfigMap or Endpoints, decoded without `managedFields`: these are half of a Lease, and no candidate needs them. An update without them leaves them as they
/// are, because the API server takes a client that sends none for one that does not know of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::driver) struct LockObject {
    #[serde(skip_deserializing)]
    api_version: &'static str,
    #[serde(skip_deserializing)]
    kind: &'static str,
    #[serde(default, deserialize_with = "without_managed_fields")]
    pub(in crate::driver) metadata: ObjectMeta,
    /// Of a Lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<LeaseSpec>,
    /// Of a ConfigMap, as the next two.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    immutable: Option<bool>,
    /// Of Endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    subsets: Option<Value>,
}

/// What a ConfigMap or Endpoints contain besides metadata. It belongs to others, and an update sends it back.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Contents {
    data: Option<Value>,
    binary_data: Option<Value>,
    immutable: Option<bool>,
    subsets: Option<Value>,
}

impl LockObject {
    pub(super) fn of_lease(Lease { metadata, spec }: Lease) -> Self {
        Self { metadata, spec, ..Self::new(ResourceLock::Leases) }
    }

    pub(super) fn into_lease(self) -> Lease {
        Lease { metadata: self.metadata, spec: self.spec }
    }

    /// A ConfigMap or Endpoints.
    pub(super) fn of_parts(lock: ResourceLock, metadata: ObjectMeta, contents: Contents) -> Self {
        let Contents { data, binary_data, immutable, subsets } = contents;
        Self { metadata, data, binary_data, immutable, subsets, ..Self::new(lock) }
    }

    pub(super) fn into_parts(self) -> (ObjectMeta, Contents) {
        let Self { metadata, data, binary_data, immutable, subsets, .. } = self;
        (metadata, Contents { data, binary_data, immutable, subsets })
    }

    fn new(lock: ResourceLock) -> Self {
        Self { api_version: lock.api_version(), kind: lock.kind(), ..Self::default() }
    }
}

impl Resource for LockObject {
    type DynamicType = ResourceLock;
    type Scope = DynamicResourceScope;

    fn kind(lock: &ResourceLock) -> Cow<'_, str> {
        lock.kind().into()
    }

    fn group(lock: &ResourceLock) -> Cow<'_, str> {
        lock.group().into()
    }

    fn version(_: &ResourceLock) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural(lock: &ResourceLock) -> Cow<'_, str> {
        lock.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

fn without_managed_fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    Metadata::deserialize(deserializer).map(ObjectMeta::from)
}

/// All that [`ObjectMeta`] has but `managedFields`: an update sends back what it was read from.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    annotations: Option<BTreeMap<String, String>>,
    creation_timestamp: Option<Time>,
    deletion_grace_period_seconds: Option<i64>,
    deletion_timestamp: Option<Time>,
    finalizers: Option<Vec<String>>,
    generate_name: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    name: Option<String>,
    namespace: Option<String>,
    owner_references: Option<Vec<OwnerReference>>,
    resource_version: Option<String>,
    self_link: Option<String>,
    uid: Option<String>,
}

impl From<Metadata> for ObjectMeta {
    fn from(metadata: Metadata) -> Self {
        // Field by field, so that one that is new to Kubernetes is not forgotten.
        Self {
            annotations: metadata.annotations,
            creation_timestamp: metadata.creation_timestamp,
            deletion_grace_period_seconds: metadata.deletion_grace_period_seconds,
            deletion_timestamp: metadata.deletion_timestamp,
            finalizers: metadata.finalizers,
            generate_name: metadata.generate_name,
            generation: metadata.generation,
            labels: metadata.labels,
            managed_fields: None,
            name: metadata.name,
            namespace: metadata.namespace,
            owner_references: metadata.owner_references,
            resource_version: metadata.resource_version,
            self_link: metadata.self_link,
            uid: metadata.uid,
        }
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ConfigMap, Endpoints};
    use serde_json::json;

    use super::*;

    fn metadata() -> Value {
        json!({
            "annotations": {"a": "b"}, "creationTimestamp": "2026-01-02T03:04:05Z", "deletionGracePeriodSeconds": 1,
            "deletionTimestamp": "2026-01-02T03:04:06Z", "finalizers": ["f"], "generateName": "g-", "generation": 2,
            "labels": {"l": "m"}, "name": "n", "namespace": "ns", "resourceVersion": "7", "selfLink": "/s", "uid": "u",
            "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "v", "controller": true}],
            "managedFields": [{"manager": "m", "operation": "Update", "fieldsV1": {"f:spec": {}}}],
        })
    }

    fn without_managed_fields(mut object: Value) -> Value {
        object["metadata"].as_object_mut().expect("an object").remove("managedFields");
        object
    }

    /// With every field that there is.
    #[test]
    fn nothing_of_a_lease_but_managed_fields_is_left_out() {
        let object = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata(),
            "spec": {
                "acquireTime": "2026-01-02T03:04:05.000006Z", "holderIdentity": "pod_1", "leaseDurationSeconds": 15,
                "leaseTransitions": 3, "preferredHolder": "pod_2", "renewTime": "2026-01-02T03:04:05.000007Z", "strategy": "s",
            },
        });
        let lean: LockObject = serde_json::from_value(object.clone()).expect("a Lease");
        let written = LockObject::of_lease(lean.into_lease());
        assert_eq!(serde_json::to_value(&written).expect("plain data"), without_managed_fields(object));
    }

    /// With every field that the two kinds have: the conversions to their types fail to compile, or lose something, otherwise.
    #[test]
    fn nothing_of_a_config_map_or_of_endpoints_but_managed_fields_is_left_out() {
        let config_map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(),
            "data": {"k": "v"}, "binaryData": {"b": "AAE="}, "immutable": true,
        });
        let typed: ConfigMap = serde_json::from_value(config_map.clone()).expect("a ConfigMap");
        let ConfigMap { binary_data: Some(_), data: Some(_), immutable: Some(_), metadata: _ } = typed else {
            panic!("a field is missing above");
        };
        let endpoints = json!({
            "apiVersion": "v1", "kind": "Endpoints", "metadata": metadata(),
            "subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": [{"port": 80}]}],
        });
        let typed: Endpoints = serde_json::from_value(endpoints.clone()).expect("Endpoints");
        let Endpoints { subsets: Some(_), metadata: _ } = typed else { panic!("a field is missing above") };
        for (lock, object) in [(ResourceLock::ConfigMaps, config_map), (ResourceLock::Endpoints, endpoints)] {
            let lean: LockObject = serde_json::from_value(object.clone()).expect("an object");
            let (metadata, contents) = lean.into_parts();
            let written = LockObject::of_parts(lock, metadata, contents);
            assert_eq!(serde_json::to_value(&written).expect("plain data"), without_managed_fields(object));
        }
    }

    #[test]
    fn each_is_asked_for_where_it_is() {
        let path = |lock: ResourceLock| LockObject::url_path(&lock, Some("ns"));
        assert_eq!(path(ResourceLock::Leases), Lease::url_path(&(), Some("ns")));
        assert_eq!(path(ResourceLock::ConfigMaps), ConfigMap::url_path(&(), Some("ns")));
        assert_eq!(path(ResourceLock::Endpoints), Endpoints::url_path(&(), Some("ns")));
    }
}
