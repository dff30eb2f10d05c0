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
    members: Vec<Member>,
    holders: BTreeMap<ShardId, Option<Identity>>,
    next: Plan,
}

impl PlanCache {
    /// The plan that follows the current one; `None` if there is no current plan.
    pub(super) fn of(&mut self, view: &ClusterView, shards: ShardCount) -> Option<&Plan> {
        let plan = view.current_plan();
        self.0 = self.0.take().filter(|cached| cached.is_for(plan, view)).or_else(|| {
            let (plan, members, holders) = (plan?, view.membership.members(), &view.holders);
            let next = plan.next(plan.layout, shards, members, holders);
            Some(CachedPlan { plan: plan.clone(), members: members.to_vec(), holders: holders.clone(), next })
        });
        self.0.as_ref().map(|cached| &cached.next)
    }
}

impl CachedPlan {
    fn is_for(&self, plan: Option<&Plan>, view: &ClusterView) -> bool {
        plan == Some(&self.plan) && self.members == view.membership.members() && self.holders == view.holders
    }
}
