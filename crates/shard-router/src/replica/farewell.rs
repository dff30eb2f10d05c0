//! The end of a replica in good order: say so, hand everything over, release, go.

use std::{sync::Arc, time::Duration};

use lease_core::{Candidate, State};

use super::Replica;
use crate::{
    plan::{Candidacy, Plan},
    readiness::Readiness,
    reconciler::Reconciler,
    sharded::Sharded,
    world::World,
};

impl<K: Sharded, R: Reconciler<K>> Replica<K, R> {
    /// First the member Lease says that this replica drains, so that nothing is planned for it any more; then all
    /// shards drain and are released; then the coordinator Lease, which until then has kept the plan up to date; and
    /// last the member Lease goes.
    pub(super) async fn leave(self) {
        self.readiness.set(Readiness::NotReady { because: "the replica is shutting down".to_owned() });
        self.announce_drain().await;
        let next = self.next_plan();
        self.seats.leave(next).await;
        retire(self.coordinator).await;
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
        let mut world = World::new(self.setup.names.clone());
        world.observe(self.setup.clock.now().monotonic, &self.elections.leases().snapshot());
        let me = self.elections.identity();
        let others: Vec<Candidacy> =
            world.membership.members().iter().filter(|member| member.identity != *me).cloned().collect();
        let layout = &self.setup.layout;
        world.current_plan().map(|plan| plan.next(plan.layout, layout.shards, &others, &world.holders))
    }
}

/// Gives the coordinator Lease up. The work may have the handle in use for a moment, so it has to end first.
async fn retire(candidate: Arc<Candidate>) {
    candidate.stand(false);
    candidate.step_down(None);
    let mut status = candidate.status();
    let out = |status: &lease_core::CandidateStatus| {
        status.term.is_none() && !matches!(status.state, State::Leader | State::Releasing)
    };
    // An error says that the task has ended, which is as good.
    drop(status.wait_for(out).await.map(drop));
    if let Some(candidate) = Arc::into_inner(candidate) {
        candidate.shutdown().await;
    }
}
