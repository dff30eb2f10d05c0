//! The end of a replica in good order: say so, hand everything over, release, go.

use std::time::Duration;

use super::Replica;
use crate::{
    observability::readiness::Readiness,
    reconciler::Reconciler,
    routing::plan::{Candidacy, Plan},
    sharded::Sharded,
};

impl<K: Sharded, R: Reconciler<K>> Replica<K, R> {
    /// First the member Lease says that this replica drains, so that nothing is planned for it any more; then all
    /// shards drain and are released, and the coordinator Lease with them; and last the member Lease goes.
    ///
    /// All of it shares one limit, the drain timeout and one request timeout, whether the API server answers or not: a Pod that is
    /// killed in the middle of its reconciles is worse than Leases that expire.
    pub(super) async fn leave(self) {
        let clock = self.setup.clock.clone();
        let end = clock.now().monotonic + self.setup.options.shutdown_limit();
        let left = || end.duration_since(clock.now().monotonic);
        self.setup.metrics.ready(false);
        let because = "the replica is shutting down".to_owned();
        self.readiness.set(Readiness::NotReady { because }, clock.now().monotonic);
        self.announce_drain().await;
        let next = self.next_plan();
        // At once, so that the coordinator's tasks have the whole drain timeout too. Another coordinator goes on with the plan.
        futures::join!(self.seats.leave(next, left()), self.coordinator.shutdown_within(left()));
        self.member.shutdown_within(left()).await;
        drop(self.watchers);
        self.elections.shutdown_within(left()).await;
    }

    /// Does not wait for long: the announcement saves time and is needed for nothing.
    async fn announce_drain(&self) {
        let drain = [(self.setup.names.draining_annotation(), Some("true".to_owned()))].into();
        let patience: Duration = self.elections.options().timings.request_timeout() / 2;
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
