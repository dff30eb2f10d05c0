//! Leases without `managedFields`, which are half of the size of a Lease and which a candidate does not need.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use kube::core::NamespaceResourceScope;
use serde::{Deserialize, Deserializer, Serialize};

/// A Lease that is decoded without `managedFields`. An update without them leaves them as they are: the API server takes a
/// client that sends none for one that does not know of them.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(in crate::driver) struct LeanLease(pub(in crate::driver) Lease);

impl<'de> Deserialize<'de> for LeanLease {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Object { metadata, spec } = Object::deserialize(deserializer)?;
        Ok(Self(Lease { metadata: metadata.into(), spec }))
    }
}

impl Resource for LeanLease {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        Lease::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        Lease::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        Lease::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        Lease::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.0.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.0.metadata
    }
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    metadata: Metadata,
    spec: Option<LeaseSpec>,
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
    use serde_json::json;

    use super::*;

    /// With every field that there is.
    #[test]
    fn nothing_but_managed_fields_is_left_out() {
        let mut object = json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "annotations": {"a": "b"}, "creationTimestamp": "2026-01-02T03:04:05Z", "deletionGracePeriodSeconds": 1,
                "deletionTimestamp": "2026-01-02T03:04:06Z", "finalizers": ["f"], "generateName": "g-", "generation": 2,
                "labels": {"l": "m"}, "name": "n", "namespace": "ns", "resourceVersion": "7", "selfLink": "/s", "uid": "u",
                "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "v", "controller": true}],
                "managedFields": [{"manager": "m", "operation": "Update", "fieldsV1": {"f:spec": {}}}],
            },
            "spec": {
                "acquireTime": "2026-01-02T03:04:05.000006Z", "holderIdentity": "pod_1", "leaseDurationSeconds": 15,
                "leaseTransitions": 3, "preferredHolder": "pod_2", "renewTime": "2026-01-02T03:04:05.000007Z", "strategy": "s",
            },
        });
        let lean: LeanLease = serde_json::from_value(object.clone()).expect("a Lease");
        object["metadata"].as_object_mut().expect("an object").remove("managedFields");
        assert_eq!(serde_json::to_value(&lean).expect("plain data"), object);
    }

    #[test]
    fn it_is_asked_for_as_a_lease_is() {
        assert_eq!(LeanLease::url_path(&(), Some("ns")), Lease::url_path(&(), Some("ns")));
    }
}
