//! What a write of a child depends on.
//!
//! | what was seen | what is sent | when something else is there by then |
//! | --- | --- | --- |
//! | an object | its uid and resourceVersion | refused with 409, or 422 for another uid |
//! | nothing | a resourceVersion that no object can have | refused with 409 |
//!
//! So a write that comes late never undoes what somebody wrote meanwhile.
//!
//! A POST would be create-only as well, but the API server books its fields as `Update` in `managedFields`
//! (kubernetes/kubernetes#99003): a field that a later apply drops would stay. An apply of a missing object ignores its
//! resourceVersion, and creates the object with its fields booked as `Apply`. `conditional.http` of the conformance suite
//! compares both halves with kube-apiserver.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::rules::{Precondition, still_absent, unchanged_since};

/// Makes a write of `desired` depend on what was seen.
pub(super) fn require(desired: &mut ObjectMeta, seen: Option<&ObjectMeta>) {
    let Precondition { uid, resource_version } = seen.map_or_else(still_absent, unchanged_since);
    desired.uid = uid;
    desired.resource_version = resource_version;
}
