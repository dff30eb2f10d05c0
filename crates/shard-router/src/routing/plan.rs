//! The plan: which member should hold which shard.
//!
//! The coordinator publishes it; everyone else only follows. It is a preference and never a permission: what a
//! replica may do follows from the Lease it holds, and a shard that nobody holds is open to all.

use std::{cmp::Reverse, collections::BTreeMap, time::Duration};

use lease_core::Identity;
use serde::{Deserialize, Serialize};

use crate::routing::{
    bucket::{ShardCount, ShardId},
    hash::score,
};

/// Who should hold what, as published in the annotation `<domain>/plan` of the coordinator Lease.
///
/// On the wire the members are listed once and the shards refer to them by number, so that 256 shards with long Pod
/// names stay far below the 256 KiB that an object's annotations may have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Grows by one with each plan published.
    pub generation: u64,
    /// The layout generation it was made for.
    pub layout: u64,
    members: Vec<String>,
    shards: Vec<Option<u16>>,
}

/// A member as the plan sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// Who.
    pub identity: Identity,
    /// Whether it keeps and receives shards: not while it terminates, nor while it is unable to work and others are able.
    pub eligible: bool,
}

impl Plan {
    /// The member that should hold the shard; `None` where there was no member to plan for.
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
    /// keeps what it has, up to that; what is left over (shards of members that are gone or not eligible, and surplus)
    /// goes to the member with the best rendezvous score that still has room. So a member that comes takes only its
    /// own share from the others, and of a member that goes only its shards move.
    ///
    /// `holders` says who holds each shard in fact. It counts where the plan has nobody: whoever has taken over a shard of
    /// a dead member keeps it, as far as there is room, instead of handing it on at once.
    ///
    /// Deterministic in its arguments; the order of the members does not matter.
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
                Some((shard, eligible[kept]))
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

/// How many of the other members suit the shard better: 0 is the favourite. Every replica that sees the same members
/// computes the same order, so that without a word the next in line is the same for all.
pub fn rank<'a>(shard: ShardId, me: &Identity, members: impl IntoIterator<Item = &'a Identity>) -> usize {
    let key = |identity: &'a Identity| (score(shard.0, identity.as_str()), identity.as_str());
    let mine = (score(shard.0, me.as_str()), me.as_str());
    members.into_iter().filter(|member| key(member) > mine).count()
}

/// How long a member of this rank leaves a free shard to those before it: evenly spaced, the favourite at once and
/// the last still before half a RetryPeriod has gone, so that a dead favourite costs little. Deterministic.
pub fn takeover_delay(rank: usize, members: usize, retry_period: Duration) -> Duration {
    let last = u32::try_from(members.max(1)).unwrap_or(u32::MAX);
    let rank = u32::try_from(rank).unwrap_or(u32::MAX).min(last - 1);
    retry_period / 2 * rank / last
}

fn number_of(members: &[&str], member: &str) -> Option<u16> {
    u16::try_from(members.binary_search(&member).ok()?).ok()
}

/// How many shards each member gets. The larger share goes to those that hold the most already, so that nothing
/// moves for the sake of it; among equals the score of "no shard" decides.
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

/// Takes from members that hold more than their quota the shards that suit them least; leaves in `room` what each
/// can still take.
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
