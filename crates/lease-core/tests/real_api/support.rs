//! What these tests have in common.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Config};
use kube_testkit::{RealEnv, TestUser};
use lease_core::{Elections, ElectionsOptions, Identity, LeaderElectionId, Term, Timings};

/// Longer than anything that these tests wait for may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The LeaderElectionID of all these tests; each has a namespace of its own.
pub(crate) const ID: &str = "test.example.com";

pub(crate) fn id() -> LeaderElectionId {
    LeaderElectionId::new(ID).expect("a valid ID")
}

pub(crate) fn options(env: &RealEnv, name: &str) -> ElectionsOptions {
    let identity = Identity::of_pod(name, "1").expect("not empty");
    let mut options = ElectionsOptions::new(id(), env.namespace(), identity);
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

/// Work that does nothing until it is asked to stop.
pub(crate) async fn idle(term: Term) {
    term.draining().await;
}
