//! The states of the Leases, each Lease on its own.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::observations::{LeaseSpec, LeaseState, UNSHARDED};
use crate::time::TrueTime;

/// The states of each Lease in order, by name.
pub(super) struct Histories<'a>(BTreeMap<&'a str, Vec<&'a LeaseState>>);

/// What a Lease is for, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Coordinator,
    Shard(u32),
    Member,
}

impl Role {
    pub(super) fn of(name: &str) -> Self {
        if let Some((_, number)) = name.rsplit_once("-shard-")
            && let Ok(number) = number.parse()
        {
            Self::Shard(number)
        } else if name.contains("-member-") {
            Self::Member
        } else {
            Self::Coordinator
        }
    }
}

impl<'a> Histories<'a> {
    pub(super) fn of(states: &'a [LeaseState]) -> Self {
        let mut histories: BTreeMap<&str, Vec<&LeaseState>> = BTreeMap::new();
        for state in states {
            histories.entry(&state.name).or_default().push(state);
        }
        Self(histories)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'a str, &[&'a LeaseState])> {
        self.0.iter().map(|(name, states)| (*name, states.as_slice()))
    }

    /// The states of the Lease with this role, if it ever was.
    pub(super) fn with(&self, role: Role) -> &[&'a LeaseState] {
        self.all().find(|(name, _)| Role::of(name) == role).map_or(&[], |(_, states)| states)
    }
}

/// The state at an instant; `None` where there was no Lease.
pub(super) fn state_at<'a>(states: &[&'a LeaseState], at: TrueTime) -> Option<&'a LeaseState> {
    let next = states.partition_point(|state| state.at <= at);
    states[..next].last().copied().filter(|state| state.spec.is_some())
}

/// A layout as it is committed on the coordinator Lease, read here once more by its format. Stories leave fields out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Committed {
    #[serde(default)]
    pub(super) generation: u64,
    pub(super) shards: Option<u16>,
    #[serde(default = "settled")]
    pub(super) settled: bool,
}

fn settled() -> bool {
    true
}

/// The layout on a coordinator Lease in this state. What stands there while an operator that does not shard holds the Lease does not count.
pub(super) fn layout_of(state: &LeaseState) -> Option<Committed> {
    let spec = state.spec.as_ref().filter(|spec| spec.held_by() != Some(UNSHARDED));
    let (_, json) = spec.and(state.annotations.iter().find(|(key, _)| key.ends_with("/layout")))?;
    serde_json::from_str(json).ok()
}

/// Whether it is a coordinator Lease on which a layout of so many shards is committed: without one nobody who is set to that number
/// contends for a shard.
pub(super) fn has_layout(state: &LeaseState, shards: u16) -> bool {
    layout_of(state).is_some_and(|layout| layout.shards.is_none_or(|count| count == shards))
}

/// Whether it is a coordinator Lease on which a layout is committed that has this shard.
pub(super) fn has_shard(state: &LeaseState, shard: u32) -> bool {
    layout_of(state).is_some_and(|layout| layout.shards.is_none_or(|count| shard < u32::from(count)))
}

/// Whether an operator that does not shard holds the Lease.
pub(super) fn is_unsharded(state: &LeaseState) -> bool {
    state.spec.as_ref().is_some_and(|spec| spec.held_by() == Some(UNSHARDED))
}

/// leaseDurationSeconds of a released Lease, as client-go writes it.
const RELEASED: std::time::Duration = std::time::Duration::from_secs(1);

impl LeaseSpec {
    /// Whether this is what a release writes, and not a holder that somebody blanked.
    pub(super) fn is_released(&self) -> bool {
        self.holder.is_empty() && self.duration == RELEASED
    }

    /// Whether it waits in nobody's name. Its leaseTransitions is then that of the holder to come.
    pub(super) fn is_reserved(&self) -> bool {
        self.holder == lease_core::NOBODY
    }

    /// The replica that holds it.
    pub(super) fn held_by(&self) -> Option<&str> {
        Some(self.holder.as_str()).filter(|holder| !holder.is_empty() && !self.is_reserved())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_told_by_name() {
        assert_eq!(Role::of("op.example.com"), Role::Coordinator);
        assert_eq!(Role::of("op.example.com-shard-12"), Role::Shard(12));
        assert_eq!(Role::of("op.example.com-member-0011aabbccdd"), Role::Member);
    }
}
