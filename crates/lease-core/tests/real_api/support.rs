//! What these tests have in common.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::{Api, Config};
use kube_testkit::{RealEnv, TestUser};
use lease_core::{Clock, Elections, ElectionsOptions, Identity, LeaderElectionId, SystemClock, Timings};

/// Longer than anything that these tests wait for may take on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

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
    options.resource_lock = crate::lock::LOCK;
    options
}

pub(crate) async fn replica(env: &RealEnv, name: &str) -> Elections {
    replica_at(env.config(&TestUser::admin()), options(env, name)).await
}

pub(crate) async fn replica_at(config: Config, options: ElectionsOptions) -> Elections {
    Elections::start(config, options).await.expect("a thread and a client are to be had")
}

pub(crate) fn leases(env: &RealEnv) -> Api<Lease> {
    Api::namespaced(crate::lock::client(env), env.namespace())
}

/// The spec of a Lease as it stands now.
pub(crate) async fn spec(api: &Api<Lease>, name: &str) -> LeaseSpec {
    let lease = api.get(name).await.expect("an administrator may read Leases");
    lease.spec.expect("a Lease that was written has a spec")
}

pub(crate) fn now() -> Duration {
    SystemClock.now().monotonic.since_origin()
}

/// How long ago that was.
pub(crate) fn since(instant: Duration) -> Duration {
    now().saturating_sub(instant)
}
