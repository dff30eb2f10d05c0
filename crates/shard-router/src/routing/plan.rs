//! The plan: which member should hold which shard.
//!
//! The coordinator publishes the plan, and all replicas follow it. It is a preference and never a permission: what a
//! replica may do depends on the Leases that it holds, and any replica may take a shard that has no holder.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use lease_core::{Identity, broken};
use serde::{Deserialize, Serialize};

use crate::routing::{
    bucket::{ShardCount, ShardId},
    hash::score,
};

/// Which member should hold which shard, as published in the annotation `<domain>/plan` of the coordinator Lease.
///
/// In JSON, the members are listed once and the shards refer to them by number, so that 256 shards with long Pod
/// names stay far below the limit of 256 KiB for annotations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Grows by one with each published plan.
    pub generation: u64,
    /// The layout generation it was made for.
    pub layout: u64,
    members: Vec<String>,
    shards: Vec<Option<u16>>,
}

/// A member, as input of the plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The identity of the member.
    pub identity: Identity,
    /// Whether it keeps and receives shards. It does not while it shuts down, or while it is unable to work and others are able.
    pub eligible: bool,
}

impl Plan {
    /// The member that should hold the shard; `None` if there was no eligible member.
    pub fn member(&self, shard: ShardId) -> Option<Identity> {
        Identity::new(self.name(shard)?).ok()
    }

    /// Whether the plan gives the shard to this member.
    pub fn gives(&self, shard: ShardId, identity: &Identity) -> bool {
        self.name(shard) == Some(identity.as_str())
    }

    /// How many shards the plan gives to this member.
    pub fn share(&self, identity: &Identity) -> usize {
        let number = self.members.iter().position(|member| member == identity.as_str());
        number.map_or(0, |number| {
            self.shards.iter().filter(|owner| owner.map(usize::from) == Some(number)).count()
        })
    }

    /// Whether two plans give every shard to the same member, whatever their generations.
    pub fn same_assignments(&self, other: &Plan) -> bool {
        self.shards.len() == other.shards.len()
            && (0_u16..)
                .map(ShardId)
                .take(self.shards.len())
                .all(|shard| self.name(shard) == other.name(shard))
    }

    /// The plan that should follow this one.
    ///
    /// Of N eligible members, exactly S mod N get ⌈S/N⌉ shards and the others ⌊S/N⌋. Every member
    /// keeps its shards, up to that number. The remaining shards (those of members that have left or are not eligible, and the surplus)
    /// go to the member with the best rendezvous score that still has room. So a new member takes only its
    /// own share from the others, and if a member leaves, only its shards move.
    ///
    /// `holders` says who actually holds each shard. It is used for shards that the plan gives to no eligible member: a member that has taken over a shard of
    /// a dead member keeps it, if it has room, instead of handing it over at once.
    ///
    /// The result is deterministic and does not depend on the order of the members.
    #[must_use]
    pub fn next(
        &self,
        layout: u64,
        shards: ShardCount,
        members: &[Member],
        holders: &BTreeMap<ShardId, Option<Identity>>,
    ) -> Plan {
        let mut eligible: Vec<&str> =
            members.iter().filter(|member| member.eligible).map(|member| member.identity.as_str()).collect();
        eligible.sort_unstable();
        eligible.dedup();
        let mut owners: BTreeMap<ShardId, &str> = shards
            .shards()
            .filter_map(|shard| {
                let number = |name: &str| eligible.binary_search(&name).ok();
                let holder = || number(holders.get(&shard)?.as_ref()?.as_str());
                let kept = self.name(shard).and_then(number).or_else(holder)?;
                is_sticky().then_some((shard, eligible[kept]))
            })
            .collect();
        if !eligible.is_empty() {
            let mut room = quotas(shards, &eligible, &owners);
            give_up_surplus(&mut owners, &mut room);
            place_the_rest(shards, &mut owners, &mut room);
            debug_assert!(room.values().all(|left| *left == 0), "a member got less than its share: {room:?}");
        }
        Plan {
            generation: self.generation + 1,
            layout,
            shards: shards.shards().map(|shard| number_of(&eligible, owners.get(&shard)?)).collect(),
            members: eligible.into_iter().map(str::to_owned).collect(),
        }
    }

    fn name(&self, shard: ShardId) -> Option<&str> {
        let number = (*self.shards.get(usize::from(shard.0))?)?;
        self.members.get(usize::from(number)).map(String::as_str)
    }
}

/// How many of the other members have a better score for the shard; 0 is the best. All replicas that see the same members
/// compute the same order, so they agree on the next one without communication.
pub fn rank<'a>(shard: ShardId, me: &Identity, members: impl IntoIterator<Item = &'a Identity>) -> usize {
    let key = |identity: &'a Identity| (score(shard.0, identity.as_str()), identity.as_str());
    let mine = (score(shard.0, me.as_str()), me.as_str());
    members.into_iter().filter(|member| key(member) > mine).count()
}

/// How long a member of this rank leaves a free shard to the members before it. The delays are evenly spaced from zero for the first to
/// less than half a RetryPeriod for the last, so that little time is lost if the first is dead. Deterministic.
pub fn takeover_delay(rank: usize, members: usize, retry_period: Duration) -> Duration {
    let last = u32::try_from(members.max(1)).unwrap_or(u32::MAX);
    let rank = u32::try_from(rank).unwrap_or(u32::MAX).min(last - 1);
    retry_period / 2 * rank / last
}

/// Whether an eligible member keeps a shard that the last plan gave to it, or that it holds, as long as that is no more than its share.
fn is_sticky() -> bool {
    broken!(PlansFromScratch => false);
    true
}

fn number_of(members: &[&str], member: &str) -> Option<u16> {
    u16::try_from(members.binary_search(&member).ok()?).ok()
}

/// How many shards each member gets. Members that hold the most get the larger share, so that no shard
/// moves unnecessarily. Among equals, the score for `u16::MAX`, which is no shard, decides.
fn quotas<'a>(
    shards: ShardCount,
    eligible: &[&'a str],
    owners: &BTreeMap<ShardId, &'a str>,
) -> BTreeMap<&'a str, usize> {
    let shards = usize::from(shards.get());
    let (share, larger) = (shards / eligible.len(), shards % eligible.len());
    let mut order = eligible.to_vec();
    order.sort_by_key(|member| {
        let held = owners.values().filter(|owner| *owner == member).count();
        (Reverse(held), score(u16::MAX, member), *member)
    });
    order.into_iter().enumerate().map(|(n, member)| (member, share + usize::from(n < larger))).collect()
}

/// Takes the shards with the worst scores from members that hold more than their quota. Afterwards `room` says how many more each
/// member can take.
fn give_up_surplus<'a>(owners: &mut BTreeMap<ShardId, &'a str>, room: &mut BTreeMap<&'a str, usize>) {
    for (member, left) in room.iter_mut() {
        let mut held: Vec<ShardId> =
            owners.iter().filter(|(_, owner)| *owner == member).map(|(shard, _)| *shard).collect();
        held.sort_by_key(|shard| (Reverse(score(shard.0, member)), *shard));
        for surplus in held.iter().skip(*left) {
            owners.remove(surplus);
        }
        *left -= held.len().min(*left);
    }
}

fn place_the_rest<'a>(
    shards: ShardCount,
    owners: &mut BTreeMap<ShardId, &'a str>,
    room: &mut BTreeMap<&'a str, usize>,
) {
    for shard in shards.shards() {
        if owners.contains_key(&shard) {
            continue;
        }
        let best = room
            .iter_mut()
            .filter(|(_, left)| **left > 0)
            .max_by_key(|(member, _)| (score(shard.0, member), **member));
        let (member, left) = best.expect("the quotas add up to the number of shards");
        *left -= 1;
        owners.insert(shard, *member);
    }
}

#[cfg(test)]
mod tests;
