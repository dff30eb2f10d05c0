//! The end of a replica in good order: say so, hand everything over, release, go.

use std::time::Duration;

use super::Replica;
use crate::{
    plan::{Candidacy, Plan},
    readiness::Readiness,
    reconciler::Reconciler,
    sharded::Sharded,
};

impl<K: Sharded, R: Reconciler<K>> Replica<K, R> {
    /// First the member Lease says that this replica drains, so that nothing is planned for it any more; then all
    /// shards drain and are released; then the coordinator Lease, which until then has kept the plan up to date; and
    /// last the member Lease goes.
    pub(super) async fn leave(self) {
        self.setup.metrics.ready(false);
        self.readiness.set(Readiness::NotReady { because: "the replica is shutting down".to_owned() });
        self.announce_drain().await;
        let next = self.next_plan();
        self.seats.leave(next).await;
        self.coordinator.shutdown().await;
        self.member.shutdown().await;
        drop(self.watchers);
        self.elections.shutdown().await;
    }

    /// Goes on after RetryPeriod in any case: the announcement saves time and is needed for nothing.
    async fn announce_drain(&self) {
        let drain = [(self.setup.names.draining_annotation(), Some("true".to_owned()))].into();
        let patience: Duration = self.elections.options().timings.retry_period();
        tokio::select! {
            _ = self.member.annotate(drain) => {}
            () = self.setup.clock.sleep(patience) => {}
        }
    }

    /// The plan without this replica.
    fn next_plan(&self) -> Option<Plan> {
        let now = self.setup.clock.now().monotonic;
        let world = self.world.observe(now, &self.elections.leases().snapshot());
        let me = self.elections.identity();
        let others: Vec<Candidacy> =
            world.membership.members().iter().filter(|member| member.identity != *me).cloned().collect();
        let layout = &self.setup.layout;
        world.current_plan().map(|plan| plan.next(plan.layout, layout.shards, &others, &world.holders))
    }
}
