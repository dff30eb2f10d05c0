//! Whom the coordinator would name if it looked now.

use std::collections::BTreeMap;

use lease_core::Identity;

use crate::{
    membership::world::World,
    routing::{
        bucket::{ShardCount, ShardId},
        plan::{Candidacy, Plan},
    },
};

/// The plan that follows from what is known, made once for the same: most news are renewals, which make no other plan.
#[derive(Debug, Default)]
pub(super) struct Forecast(Option<Made>);

#[derive(Debug)]
struct Made {
    plan: Plan,
    members: Vec<Candidacy>,
    holders: BTreeMap<ShardId, Option<Identity>>,
    next: Plan,
}

impl Forecast {
    /// The next plan after the present one; `None` without one.
    pub(super) fn of(&mut self, world: &World, shards: ShardCount) -> Option<&Plan> {
        let plan = world.current_plan();
        self.0 = self.0.take().filter(|made| made.is_for(plan, world)).or_else(|| {
            let (plan, members, holders) = (plan?, world.membership.members(), &world.holders);
            let next = plan.next(plan.layout, shards, members, holders);
            Some(Made { plan: plan.clone(), members: members.to_vec(), holders: holders.clone(), next })
        });
        self.0.as_ref().map(|made| &made.next)
    }
}

impl Made {
    fn is_for(&self, plan: Option<&Plan>, world: &World) -> bool {
        plan == Some(&self.plan)
            && self.members == world.membership.members()
            && self.holders == world.holders
    }
}
