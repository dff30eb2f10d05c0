//! The orderly shutdown of a replica: announce it, hand over the shards, release the Leases.

use std::time::Duration;

use super::{Replica, intent::longest_silence};
use crate::{
    observability::readiness::Readiness,
    routing::plan::{Member, Plan},
};

impl Replica {
    /// First the member Lease is marked as draining, so that the plan gives this replica nothing more. Then all shards are drained and released,
    /// and the coordinator Lease with them. The member Lease is released last.
    ///
    /// All of it takes no longer than the drain timeout and one request timeout, whether or not the API server answers. A Pod that is killed
    /// while it reconciles is worse than Leases that expire.
    pub(super) async fn shut_down(self) {
        let clock = self.setup.clock.clone();
        let end = clock.now().monotonic + self.setup.options.shutdown_limit();
        let left = || end.duration_since(clock.now().monotonic);
        self.setup.metrics.ready(false);
        let because = "the replica is shutting down".to_owned();
        self.readiness.set(Readiness::NotReady { because }, clock.now().monotonic);
        self.announce_drain().await;
        let next = self.next_plan();
        // At the same time, so that the coordinator's tasks have the whole drain timeout too. Another coordinator continues with the plan.
        futures::join!(
            self.shard_candidates.shut_down(next, left()),
            self.coordinator.shutdown_within(left())
        );
        self.member.shutdown_within(left()).await;
        drop(self.watchers);
        self.elections.shutdown_within(left()).await;
    }

    /// Does not wait long: the announcement only saves time.
    async fn announce_drain(&self) {
        let drain = [(self.setup.names.draining_annotation(), Some("true".to_owned()))].into();
        let limit: Duration = self.elections.options().timings.request_timeout() / 2;
        tokio::select! {
            _ = self.member.annotate(drain) => {}
            () = self.setup.clock.sleep(limit) => {}
        }
    }

    /// The plan without this replica.
    fn next_plan(&self) -> Option<Plan> {
        let now = self.setup.clock.now().monotonic;
        let view = self.view.observe(now, &self.elections.leases().snapshot());
        let me = self.elections.identity();
        let longest_silence = longest_silence(self.elections.options().timings);
        let members = view.membership.punctual(me, now, longest_silence);
        let others: Vec<Member> = members.into_iter().filter(|member| member.identity != *me).collect();
        let (plan, shards) = (view.current_plan()?, view.planned_shards()?);
        Some(plan.next(plan.layout, shards, &others, &view.holders))
    }
}
