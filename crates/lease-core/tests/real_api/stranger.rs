//! What others do to a Lease.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use crate::support::ID;

/// A Lease that someone else holds, labelled so that the operator's watch shows it.
pub(crate) fn held_by(holder: &str, name: &str, duration: Duration, transitions: i32) -> Lease {
    let now = Some(MicroTime(Timestamp::now()));
    Lease {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(BTreeMap::from([("lease-core.dev/election".to_owned(), ID.to_owned())])),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(i32::try_from(duration.as_secs()).expect("short")),
            acquire_time: now.clone(),
            renew_time: now,
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }),
    }
}

pub(crate) async fn create(api: &Api<Lease>, lease: &Lease) {
    api.create(&PostParams::default(), lease).await.expect("an administrator may create Leases");
}

/// What a manual edit does: a merge patch without any precondition.
pub(crate) async fn scribble(api: &Api<Lease>, name: &str, spec: serde_json::Value) {
    let patch = json!({ "spec": spec });
    api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await.expect("a user may do that");
}
