//! What these tests have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Config};
use kube_testkit::{RealEnv, TestUser};
use lease_core::{Clock, Elections, ElectionsOptions, Identity, LeaderElectionId, SystemClock, Timings};
use serde_json::json;

/// Longer than anything that these tests wait for may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The LeaderElectionID of all these tests; each has a namespace of its own.
pub(crate) const ID: &str = "test.example.com";

pub(crate) fn id() -> LeaderElectionId {
    LeaderElectionId::new(ID).expect("a valid ID")
}

pub(crate) fn options(env: &RealEnv, name: &str) -> ElectionsOptions {
    options_in(env.namespace(), name)
}

pub(crate) fn options_in(namespace: &str, name: &str) -> ElectionsOptions {
    let identity = Identity::of_pod(name, "1").expect("not empty");
    let mut options = ElectionsOptions::new(id(), namespace, identity);
    options.timings = Timings::fast();
    options
}

pub(crate) async fn replica(env: &RealEnv, name: &str) -> Elections {
    replica_at(env.config(&TestUser::admin()), options(env, name)).await
}

pub(crate) async fn replica_at(config: Config, options: ElectionsOptions) -> Elections {
    Elections::start(config, options).await.expect("a thread and a client are to be had")
}

pub(crate) fn leases(env: &RealEnv) -> Api<Lease> {
    Api::namespaced(env.admin(), env.namespace())
}

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

/// The spec of a Lease as it stands now.
pub(crate) async fn spec(api: &Api<Lease>, name: &str) -> LeaseSpec {
    let lease = api.get(name).await.expect("an administrator may read Leases");
    lease.spec.expect("a Lease that was written has a spec")
}

/// What a foreign hand does: a merge patch without any precondition.
pub(crate) async fn scribble(api: &Api<Lease>, name: &str, spec: serde_json::Value) {
    let patch = json!({ "spec": spec });
    api.patch(name, &PatchParams::default(), &Patch::Merge(&patch))
        .await
        .expect("a foreign hand may do that");
}

pub(crate) fn now() -> Duration {
    SystemClock.now().monotonic
}

/// How long ago that was.
pub(crate) fn since(instant: Duration) -> Duration {
    now().saturating_sub(instant)
}
