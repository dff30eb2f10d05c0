//! The settings of the production code in a process.

use std::sync::Arc;
use std::time::Duration;

use lease_core::{ElectionsOptions, Identity, LeaderElectionId, LeaseRuntime, Timings};
use memcached_operator::crd::Memcached;
use memcached_operator::reconcile::MemcachedReconciler;
use shard_router::{Backoff, Options};

use crate::clock::MachineClock;
use crate::schedule::Schedule;
use crate::world::names::{LEADER_ELECTION_ID, NAMESPACE, TENANT};

/// How long running reconciles may take to end when a shard is handed over.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest wait between attempts at a resource that keeps failing.
const RETRY_CAP: Duration = Duration::from_secs(10);

/// Those of a replica.
pub(super) fn options(
    schedule: &Schedule,
    identity: &Identity,
    clock: &Arc<MachineClock>,
    seed: u64,
) -> Options {
    let id = LeaderElectionId::new(LEADER_ELECTION_ID).expect("it is a sound name");
    let timings = schedule.timings;
    let mut elections = ElectionsOptions::new(id, NAMESPACE, identity.clone());
    elections.timings = Timings::new(timings.lease_duration, timings.renew_deadline, timings.retry_period)
        .expect("schedules have sound timings");
    elections.runtime = LeaseRuntime::Current;
    elections.clock = clock.clone();
    elections.seed = seed;
    Options::for_crd::<Memcached>(elections)
        .with_product("memcached-operator/simulated")
        .with_key_label(schedule.key_label.then(|| TENANT.to_owned()))
        .with_drain_timeout(DRAIN_TIMEOUT)
        .with_backoff(Backoff::default().with_cap(RETRY_CAP))
        .with_pod(None)
        .with_seed(seed)
}

/// With reconciles that take as long as the schedule says: only the feature `mutants` can make them.
#[cfg(feature = "mutants")]
pub(super) fn slowed(reconciler: MemcachedReconciler, schedule: &Schedule, seed: u64) -> MemcachedReconciler {
    reconciler.with_delay(schedule.reconcile.min, schedule.reconcile.max, seed)
}

#[cfg(not(feature = "mutants"))]
pub(super) fn slowed(reconciler: MemcachedReconciler, _: &Schedule, _: u64) -> MemcachedReconciler {
    reconciler
}
