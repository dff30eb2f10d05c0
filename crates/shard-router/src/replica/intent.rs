//! What a replica wants of each shard, by plan and membership. Pure, but for the one consistent read that every
//! shard waits for.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use lease_core::{Backoff, Elections, Identity, Successors, Timings};

use crate::{
    membership::{
        committed::{Committed, Verdict},
        predecessor::{is_member, predecessor},
    },
    names::Names,
    routing::{
        bucket::ShardId,
        plan::{Member, Plan, rank, takeover_delay},
    },
    rules,
    setup::Setup,
};

/// How long to leave a free shard to others: not at all for the planned member, by rank for everyone else. Where no plan
/// names a living member, the ranks alone decide.
pub(super) fn takeover_delay_for(
    shard: ShardId,
    me: &Identity,
    plan: Option<&Plan>,
    members: &[Member],
    timings: Timings,
) -> Duration {
    let able: Vec<&Identity> =
        members.iter().filter(|member| member.eligible).map(|member| &member.identity).collect();
    let planned = plan.and_then(|plan| plan.member(shard)).filter(|planned| able.contains(&planned));
    if planned.as_ref() == Some(me) {
        return Duration::ZERO;
    }
    let behind_the_planned = usize::from(planned.is_some());
    let rank = rank(shard, me, able.iter().copied().filter(|member| Some(*member) != planned.as_ref()));
    takeover_delay(rank + behind_the_planned, able.len() + 1, timings.retry_period())
}

/// Which successors to wait for when a release names one. A release may name a member that is itself draining, if several shut down at the same time.
pub(super) fn staying(members: &[Member]) -> Successors {
    let staying = members.iter().filter(|member| member.eligible).map(|member| member.identity.clone());
    Successors::Among(Arc::new(staying.collect()))
}

/// How long after its last renewal a member is neither named as a successor nor waited for any more. A renewal is due each RetryPeriod; the rest is
/// for a slow answer. A member that is only slow loses nothing but its turn: it may still take the shard.
pub(super) fn longest_silence(timings: Timings) -> Duration {
    timings.retry_period() * 3 / 2
}

/// The next shard to hand over, and to whom: one that this replica holds and the plan gives to another member that is
/// alive and staying.
pub(super) fn next_handover(
    held: &[ShardId],
    me: &Identity,
    plan: &Plan,
    members: &[Member],
) -> Option<(ShardId, Identity)> {
    held.iter().find_map(|shard| {
        let planned = plan.member(*shard).filter(|planned| rules::hands_over(planned != me))?;
        let alive = members.iter().any(|member| member.identity == planned && member.eligible);
        alive.then_some((*shard, planned))
    })
}

/// The shards that are held, those after `last` first: if a successor does not take a shard, the others are handed over
/// before it is tried again.
pub(super) fn in_turn(mut held: Vec<ShardId>, last: Option<ShardId>) -> Vec<ShardId> {
    held.sort_unstable();
    let next = held.partition_point(|shard| Some(*shard) <= last);
    held.rotate_left(next);
    held
}

/// After acquiring a shard, reads the coordinator Lease before anything starts: this replica may have contended because of an old
/// view. `false` if the shard must be released.
pub(super) async fn confirm_layout(setup: Arc<Setup>, elections: Elections) -> bool {
    if is_committed(&setup, &elections).await {
        return true;
    }
    tracing::warn!(
        "acquired a shard, but the committed layout differs from this replica's settings; releasing it"
    );
    // The watch will show it too. Without this pause, the replica would take the shard again at once and without effect.
    setup.clock.sleep(elections.options().timings.hurried_retry()).await;
    false
}

/// Whether this replica may work by the committed layout, by a consistent read. Asks until it is answered.
pub(super) async fn is_committed(setup: &Setup, elections: &Elections) -> bool {
    if !rules::layout_is_confirmed_first() {
        return true;
    }
    let mut backoff = Backoff::new(elections.options().timings);
    loop {
        match elections.client().get(&setup.names.coordinator()).await {
            Ok(lease) => {
                let committed = confirmed(&setup.names, lease.as_ref(), elections);
                if let (Committed::Layout(layout), Some(lease)) = (&committed, &lease) {
                    setup.learn_layout(lease, layout);
                }
                return committed.verdict(&setup.layout, false) == Verdict::Work;
            }
            Err(error) => {
                tracing::warn!(%error, "the layout could not be confirmed; what depends on it waits");
                setup.clock.sleep(backoff.after_failure(setup.clock.now().monotonic)).await;
            }
        }
    }
}

/// What the coordinator Lease says, as just read.
fn confirmed(names: &Names, coordinator: Option<&Lease>, elections: &Elections) -> Committed {
    let members = elections.leases().snapshot();
    let is_member =
        |identity: &Identity| is_member(names, members.iter().map(|shown| &*shown.lease), identity);
    match coordinator.and_then(|lease| predecessor(names, lease, is_member)) {
        Some(_) => Committed::Nothing,
        None => Committed::read(names, coordinator),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn identity(name: &str) -> Identity {
        Identity::new(name).unwrap()
    }

    fn fleet(names: &[&str]) -> Vec<Member> {
        names.iter().map(|name| Member { identity: identity(name), eligible: true }).collect()
    }

    #[test]
    fn a_shard_whose_successor_does_not_come_lets_the_others_go_first() {
        let held = |shards: &[u16]| shards.iter().copied().map(ShardId).collect::<Vec<_>>();
        assert_eq!(in_turn(held(&[5, 2, 3]), None), held(&[2, 3, 5]));
        assert_eq!(in_turn(held(&[2, 3, 5]), Some(ShardId(2))), held(&[3, 5, 2]));
        assert_eq!(in_turn(held(&[2, 3]), Some(ShardId(5))), held(&[2, 3]));
        assert_eq!(in_turn(Vec::new(), Some(ShardId(5))), held(&[]));
    }

    #[test]
    fn the_planned_member_does_not_wait_and_the_others_wait_in_turn() {
        let members = fleet(&["a", "b", "c"]);
        let plan = Plan::default().next(1, 4.try_into().unwrap(), &members, &BTreeMap::new());
        for shard in (0..4).map(ShardId) {
            let mut waits: Vec<_> = members
                .iter()
                .map(|me| takeover_delay_for(shard, &me.identity, Some(&plan), &members, Timings::standard()))
                .collect();
            let planned = plan.member(shard).unwrap();
            let mine = takeover_delay_for(shard, &planned, Some(&plan), &members, Timings::standard());
            assert_eq!(mine, Duration::ZERO);
            waits.sort_unstable();
            waits.dedup();
            assert_eq!(waits.len(), 3, "no two wait equally long: {waits:?}");
            assert!(waits[2] < Timings::standard().retry_period() / 2);
        }
    }

    #[test]
    fn nobody_waits_for_a_successor_that_is_leaving() {
        let mut members = fleet(&["a", "b"]);
        members[0].eligible = false;
        assert_eq!(staying(&members), Successors::Among(Arc::new([identity("b")].into())));
    }

    #[test]
    fn a_planned_member_that_is_gone_holds_nobody_up() {
        let plan = Plan::default().next(1, 1.try_into().unwrap(), &fleet(&["dead"]), &BTreeMap::new());
        let left = fleet(&["a"]);
        let wait = takeover_delay_for(ShardId(0), &identity("a"), Some(&plan), &left, Timings::standard());
        assert_eq!(wait, Duration::ZERO);
    }

    #[test]
    fn shards_go_only_where_the_plan_says_and_only_to_the_living() {
        let members = fleet(&["a", "b"]);
        let plan = Plan::default().next(1, 2.try_into().unwrap(), &members, &BTreeMap::new());
        let both = [ShardId(0), ShardId(1)];
        let (shard, to) = next_handover(&both, &identity("a"), &plan, &members).unwrap();
        assert_eq!((plan.member(shard), to.as_str()), (Some(to.clone()), "b"));
        assert_eq!(next_handover(&both, &identity("a"), &plan, &fleet(&["a"])), None);
        let mut leaving = members;
        leaving[1].eligible = false;
        assert_eq!(next_handover(&both, &identity("a"), &plan, &leaving), None);
    }
}
