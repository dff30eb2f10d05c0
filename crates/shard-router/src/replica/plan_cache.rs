//! The plan that the coordinator would publish now.

use std::collections::BTreeMap;

use lease_core::Identity;

use crate::{
    membership::cluster_view::ClusterView,
    routing::{
        bucket::{ShardCount, ShardId},
        plan::{Member, Plan},
    },
};

/// Computes the next plan only when its inputs have changed: most changes of Leases are renewals.
#[derive(Debug, Default)]
pub(super) struct PlanCache(Option<CachedPlan>);

#[derive(Debug)]
struct CachedPlan {
    plan: Plan,
    shards: ShardCount,
    members: Vec<Member>,
    holders: BTreeMap<ShardId, Option<Identity>>,
    next: Plan,
}

impl PlanCache {
    /// The plan that follows the current one; `None` if there is no current plan.
    pub(super) fn of(&mut self, view: &ClusterView) -> Option<&Plan> {
        let (plan, shards) = (view.current_plan(), view.planned_shards());
        self.0 = self.0.take().filter(|cached| cached.is_for(plan, shards, view)).or_else(|| {
            let (plan, shards) = (plan?, shards?);
            let (members, holders) = (view.membership.members(), &view.holders);
            let next = plan.next(plan.layout, shards, members, holders);
            let (plan, members) = (plan.clone(), members.to_vec());
            Some(CachedPlan { plan, shards, members, holders: holders.clone(), next })
        });
        self.0.as_ref().map(|cached| &cached.next)
    }
}

impl CachedPlan {
    fn is_for(&self, plan: Option<&Plan>, shards: Option<ShardCount>, view: &ClusterView) -> bool {
        plan == Some(&self.plan)
            && shards == Some(self.shards)
            && self.members == view.membership.members()
            && self.holders == view.holders
    }
}
