use proptest::prelude::*;

use super::*;

fn member(name: &str) -> Member {
    Member { identity: Identity::new(name).unwrap(), eligible: true }
}

fn draining(name: &str) -> Member {
    Member { eligible: false, ..member(name) }
}

fn members(count: usize) -> Vec<Member> {
    (0..count).map(|n| member(&format!("operator-7d9f-{n}_{n:08x}"))).collect()
}

fn nobody() -> BTreeMap<ShardId, Option<Identity>> {
    BTreeMap::new()
}

fn count(shards: u16) -> ShardCount {
    shards.try_into().unwrap()
}

/// The shares of the members that hold something, largest first.
fn shares(plan: &Plan, members: &[Member]) -> Vec<usize> {
    let mut shares: Vec<_> = members.iter().map(|member| plan.share(&member.identity)).collect();
    shares.sort_unstable_by_key(|share| Reverse(*share));
    shares
}

fn moved(shards: ShardCount, before: &Plan, after: &Plan) -> usize {
    shards.shards().filter(|shard| before.name(*shard) != after.name(*shard)).count()
}

#[test]
fn eight_shards_on_three_members_are_three_three_two() {
    let plan = Plan::default().next(1, count(8), &members(3), &nobody());
    assert_eq!(shares(&plan, &members(3)), [3, 3, 2]);
    assert_eq!((plan.generation, plan.layout), (1, 1));
}

#[test]
fn a_draining_member_keeps_nothing() {
    let before = Plan::default().next(1, count(8), &members(3), &nobody());
    let mut leaving = members(3);
    leaving[1].eligible = false;
    let after = before.next(1, count(8), &leaving, &nobody());
    assert_eq!(after.share(&leaving[1].identity), 0);
    assert_eq!(shares(&after, &leaving), [4, 4, 0]);
}

/// After a takeover the plan follows, as far as the shares permit, whoever has taken over.
#[test]
fn who_took_over_from_the_dead_keeps_it_within_its_share() {
    let (shards, before) = (count(9), Plan::default().next(1, count(9), &members(3), &nobody()));
    let left = &members(3)[..2];
    let orphans: Vec<_> = shards
        .shards()
        .filter(|shard| before.member(*shard).as_ref() == Some(&members(3)[2].identity))
        .collect();
    let heir = &left[1].identity;
    let holders = orphans.iter().map(|shard| (*shard, Some(heir.clone()))).collect();
    let after = before.next(1, shards, left, &holders);
    let kept = orphans.iter().filter(|shard| after.gives(**shard, heir)).count();
    assert_eq!((kept, shares(&after, left)), (2, vec![5, 4]));
}

#[test]
fn nobody_is_planned_where_nobody_is() {
    let before = Plan::default().next(1, count(2), &members(1), &nobody());
    let after = before.next(1, count(2), &[draining("operator-7d9f-0_00000000")], &nobody());
    assert_eq!(after.member(ShardId(0)), None);
    assert_eq!(after.member(ShardId(7)), None, "a shard beyond the plan has no member");
}

/// Each Pod is replaced by a new one, the new one coming before the old one goes (maxSurge 1), as a Deployment does
/// by default. A restart of all must not move more than each leaving member's shards and each newcomer's share.
#[test]
fn a_rolling_restart_moves_little() {
    let shards = count(64);
    let mut fleet = members(4);
    let mut plan = Plan::default().next(1, shards, &fleet, &nobody());
    let mut total = 0;
    for pod in 0..4 {
        fleet.push(member(&format!("operator-new-{pod}_{pod:08x}")));
        let surged = plan.next(1, shards, &fleet, &nobody());
        total += moved(shards, &plan, &surged);
        fleet.remove(0);
        plan = surged.next(1, shards, &fleet, &nobody());
        total += moved(shards, &surged, &plan);
    }
    // Four times: a fifth of 64 to the newcomer, and a fifth of 64 from the one that leaves.
    assert!(total <= 4 * 2 * 13, "{total} moves for 64 shards");
}

#[test]
fn the_wire_form_lists_members_once() {
    let plan = Plan::default().next(1, count(2), &[member("a_1"), member("b_2")], &nobody());
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["members"], serde_json::json!(["a_1", "b_2"]));
    assert_eq!(json["shards"].as_array().map(Vec::len), Some(2));
    assert_eq!(serde_json::from_value::<Plan>(json).unwrap(), plan);
}

#[test]
fn ranks_are_a_permutation_that_differs_between_shards() {
    let fleet: Vec<_> = members(5).into_iter().map(|member| member.identity).collect();
    let order = |shard| -> Vec<_> { fleet.iter().map(|me| rank(ShardId(shard), me, &fleet)).collect() };
    for shard in 0..32 {
        let mut ranks = order(shard);
        ranks.sort_unstable();
        assert_eq!(ranks, [0, 1, 2, 3, 4]);
    }
    assert!((1..32).any(|shard| order(shard) != order(0)));
}

#[test]
fn the_takeover_delay_grows_with_the_rank_and_ends_before_half_a_retry_period() {
    let retry = Duration::from_secs(2);
    let waits: Vec<_> = (0..4).map(|rank| takeover_delay(rank, 4, retry)).collect();
    assert_eq!(waits[0], Duration::ZERO);
    assert!(waits.is_sorted() && waits[3] < retry / 2, "{waits:?}");
    assert!(takeover_delay(99, 4, retry) < retry / 2 && takeover_delay(0, 0, retry).is_zero());
}

proptest! {
    /// Any history of members coming, going and draining: balance, capacity, determinism and minimal movement.
    #[test]
    fn every_step_is_balanced_and_minimal(
        shards in 1_u16..=256,
        steps in proptest::collection::vec(
            proptest::collection::btree_map(0_u8..12, proptest::bool::weighted(0.2), 0..9), 1..6),
    ) {
        let shards = count(shards);
        let mut plan = Plan::default();
        for step in steps {
            let fleet: Vec<_> = step.iter().map(|(n, gone)| {
                Member { eligible: !*gone, ..member(&format!("pod-{n}_0")) }
            }).collect();
            let next = plan.next(1, shards, &fleet, &nobody());
            let reversed: Vec<_> = fleet.iter().rev().cloned().collect();
            prop_assert_eq!(&next, &plan.next(1, shards, &reversed, &nobody()));
            let live: Vec<_> = fleet.iter().filter(|member| member.eligible).collect();
            if live.is_empty() {
                prop_assert!(shards.shards().all(|shard| next.member(shard).is_none()));
                plan = next;
                continue;
            }
            let total = usize::from(shards.get());
            let (low, larger) = (total / live.len(), total % live.len());
            let got: Vec<_> = live.iter().map(|member| next.share(&member.identity)).collect();
            prop_assert_eq!(got.iter().filter(|share| **share == low + 1).count(), larger);
            prop_assert!(got.iter().all(|share| *share == low || *share == low + 1));

            // The fewest moves: every shard without a member moves, and the surplus over the best quotas does.
            let mut held: Vec<_> = live.iter().map(|member| plan.share(&member.identity)).collect();
            held.sort_unstable_by_key(|held| Reverse(*held));
            let kept: usize = held.iter().enumerate()
                .map(|(n, held)| (*held).min(low + usize::from(n < larger))).sum();
            prop_assert_eq!(moved(shards, &plan, &next), total - kept);
            prop_assert!(next.next(1, shards, &fleet, &nobody()).same_assignments(&next), "a settled plan stays");
            plan = next;
        }
    }
}
