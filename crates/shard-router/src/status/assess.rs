//! The status that Leases and counts amount to. Pure.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use lease_core::{NOBODY, Takeover};

use super::{
    counts::KindCounts,
    report::{
        Hold, HoldState, KindStatus, LayoutStatus, MemberState, MemberStatus, SCHEMA_VERSION, ShardStatus,
        Status, TakeoverStatus,
    },
};
use crate::{
    membership::{
        committed::Committed,
        predecessor::{is_member, predecessor},
    },
    names::Names,
    routing::{bucket::ShardId, kind_set::KindMode, layout::Layout, plan::Plan},
};

/// The resources of each kind, or in a sentence why they could not be counted.
pub(super) type Counts = BTreeMap<String, Result<KindCounts, String>>;

/// The Leases of one operator.
pub(super) struct Leases<'a> {
    names: &'a Names,
    now: Timestamp,
    coordinator: Option<&'a Lease>,
    shards: BTreeMap<ShardId, &'a Lease>,
    members: Vec<&'a Lease>,
}

impl<'a> Leases<'a> {
    /// Those of all Leases in the namespace that belong to the operator, at this time of the API server.
    pub(super) fn of(names: &'a Names, all: &'a [Lease], now: Timestamp) -> Self {
        let name = |lease: &'a Lease| lease.metadata.name.as_deref().unwrap_or_default();
        let shard = |lease: &'a Lease| Some((names.shard_of(name(lease))?, lease));
        Self {
            names,
            now,
            coordinator: all.iter().find(|lease| names.is_coordinator(name(lease))),
            shards: all.iter().filter_map(shard).collect(),
            members: all.iter().filter(|lease| names.is_member(name(lease))).collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.coordinator.is_none() && self.shards.is_empty() && self.members.is_empty()
    }

    /// Which namespaces the living members watch, as each says it.
    pub(super) fn watched_namespaces(&self) -> impl Iterator<Item = &'a str> {
        let key = self.names.watched_namespaces_annotation();
        let alive = self.members.iter().filter(|lease| self.hold(Some(lease)).state == HoldState::Held);
        alive.filter_map(move |lease| annotation(lease, &key))
    }

    /// All of it.
    pub(super) fn status(&self, namespace: &str, counts: &Counts) -> Status {
        let (layout, mut problems) = self.layout();
        let plan = layout.as_ref().and_then(|layout| self.plan(layout));
        let shards = self.shards(layout.as_ref(), plan.as_ref(), counts);
        problems.extend(counts.values().filter_map(|counted| counted.as_ref().err().cloned()));
        let holders: Vec<&str> = shards.iter().filter_map(|shard| shard.hold.holder.as_deref()).collect();
        let coordinator = self.hold(self.coordinator);
        let installation =
            self.coordinator.and_then(|lease| annotation(lease, &self.names.installation_annotation()));
        Status {
            schema_version: SCHEMA_VERSION,
            observed_at: self.now,
            leader_election_id: self.names.id().to_string(),
            namespace: namespace.to_owned(),
            installation: installation.map(str::to_owned),
            members: self.members(&holders, coordinator.holder.as_deref()),
            kinds: kinds(layout.as_ref(), counts),
            layout: layout.map(|layout| self.layout_status(&layout)),
            coordinator,
            shards,
            problems,
        }
    }

    /// The committed layout, and what is wrong with it.
    fn layout(&self) -> (Option<Layout>, Vec<String>) {
        let (names, id) = (self.names, self.names.coordinator());
        let members = || self.members.iter().copied();
        let former = self
            .coordinator
            .and_then(|lease| predecessor(names, lease, |holder| is_member(names, members(), holder)));
        if let Some(holder) = former {
            let sentence = format!(
                "lease {id} is held by {holder}, an operator of a version that does not shard; no shard is worked on until it releases the Lease: finish the \
                 upgrade or the rollback, so that only one version is left"
            );
            return (None, vec![sentence]);
        }
        match Committed::read(names, self.coordinator) {
            Committed::Layout(layout) => (Some(layout), Vec::new()),
            Committed::Unreadable(sentence) => (None, vec![sentence]),
            Committed::Nothing => {
                let what = if self.coordinator.is_some() { "records no layout" } else { "does not exist" };
                let sentence = format!(
                    "lease {id} {what}, so it is not known how many shards there are; a replica commits the layout when it holds that Lease: if this lasts, ask \
                     the replicas at /readyz what keeps them from it"
                );
                (None, vec![sentence])
            }
        }
    }

    fn plan(&self, layout: &Layout) -> Option<Plan> {
        let plan: Plan =
            serde_json::from_str(annotation(self.coordinator?, &self.names.plan_annotation())?).ok()?;
        (plan.layout == layout.generation).then_some(plan)
    }

    fn layout_status(&self, layout: &Layout) -> LayoutStatus {
        let waits = |shard: &ShardId| {
            let acknowledged = self.shards.get(shard).and_then(|lease| self.acknowledged(lease));
            acknowledged.unwrap_or_default() < layout.generation
        };
        let expected = (0..layout.generation().width()).map(ShardId);
        LayoutStatus {
            generation: layout.generation,
            shards: layout.shards.get(),
            key_label: layout.key_label.clone(),
            hash_version: layout.hash_version,
            previous_shards: layout.previous.map(Into::into),
            settled: layout.settled,
            waits_for: expected
                .filter(|shard| !layout.settled && waits(shard))
                .map(|shard| shard.0)
                .collect(),
        }
    }

    /// Those of the layout, and all others whose Leases exist.
    fn shards(&self, layout: Option<&Layout>, plan: Option<&Plan>, counts: &Counts) -> Vec<ShardStatus> {
        let expected = (0..layout.map_or(0, |layout| layout.generation().width())).map(ShardId);
        let mut holds: BTreeMap<ShardId, Option<&Lease>> = expected.map(|shard| (shard, None)).collect();
        holds.extend(self.shards.iter().map(|(shard, lease)| (*shard, Some(*lease))));
        let counted: Vec<(&String, BTreeMap<ShardId, u64>)> = counts
            .iter()
            .filter(|(kind, _)| mode(layout, kind) == KindMode::Sharded)
            .filter_map(|(kind, counts)| Some((kind, counts.as_ref().ok()?.by_shard(layout?))))
            .collect();
        let status = |(shard, lease): (ShardId, Option<&Lease>)| {
            let hold = self.hold(lease);
            let planned = plan.and_then(|plan| plan.member(shard)).map(|member| member.to_string());
            let resources = counted
                .iter()
                .map(|(kind, by_shard)| ((*kind).clone(), by_shard.get(&shard).copied().unwrap_or_default()));
            ShardStatus {
                shard: shard.0,
                planned_holder: planned.filter(|planned| hold.holder.as_ref() != Some(planned)),
                acknowledged_generation: lease.and_then(|lease| self.acknowledged(lease)),
                resources: resources.collect(),
                hold,
            }
        };
        holds.into_iter().map(status).collect()
    }

    /// The generation of the layout that the holder of a shard Lease works by.
    fn acknowledged(&self, lease: &Lease) -> Option<u64> {
        let layout: Layout =
            serde_json::from_str(annotation(lease, &self.names.layout_annotation())?).ok()?;
        Some(layout.generation)
    }

    fn members(&self, holders: &[&str], coordinator: Option<&str>) -> Vec<MemberStatus> {
        let status = |lease: &&Lease| {
            let (names, hold) = (self.names, self.hold(Some(lease)));
            let identity = hold.holder?;
            let says = |key: String| annotation(lease, &key).map(str::to_owned);
            let state = match hold.state {
                HoldState::Held if says(names.draining_annotation()).is_some() => MemberState::Draining,
                HoldState::Held if says(names.unable_annotation()).is_some() => MemberState::Unable,
                HoldState::Held => MemberState::Alive,
                _ => MemberState::Expired,
            };
            let shards = holders.iter().filter(|holder| **holder == identity).count();
            Some(MemberStatus {
                state,
                version: says(names.version_annotation()),
                watched_namespaces: says(names.watched_namespaces_annotation()),
                renew_time: hold.renew_time,
                shards: u16::try_from(shards).unwrap_or(u16::MAX),
                coordinator: coordinator == Some(identity.as_str()),
                identity,
            })
        };
        let mut members: Vec<_> = self.members.iter().filter_map(status).collect();
        members.sort_by(|one, other| one.identity.cmp(&other.identity));
        members
    }

    fn hold(&self, lease: Option<&Lease>) -> Hold {
        let spec = lease.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let holder = spec.holder_identity.filter(|holder| !holder.is_empty());
        let renew_time = spec.renew_time.map(|time| time.0);
        let lasts = spec.lease_duration_seconds.map(|seconds| SignedDuration::from_secs(seconds.into()));
        let ends = renew_time.zip(lasts).and_then(|(renewed, lasts)| renewed.checked_add(lasts).ok());
        let state = match holder.as_deref() {
            _ if lease.is_none() => HoldState::Missing,
            None => HoldState::Free,
            Some(NOBODY) => HoldState::Reserved,
            Some(_) if ends.is_some_and(|ends| self.now < ends) => HoldState::Held,
            Some(_) => HoldState::Expired,
        };
        let takeover = lease.and_then(|lease| Takeover::read(self.names.domain(), lease));
        Hold {
            state,
            holder: holder.filter(|holder| holder != NOBODY),
            acquire_time: spec.acquire_time.map(|time| time.0),
            renew_time,
            lease_duration_seconds: spec.lease_duration_seconds,
            transitions: spec.lease_transitions.unwrap_or_default(),
            takeover: takeover
                .map(|takeover| TakeoverStatus { reason: takeover.reason.to_string(), from: takeover.from }),
        }
    }
}

/// Each kind that the layout names; without a layout, each that was counted.
fn kinds(layout: Option<&Layout>, counts: &Counts) -> Vec<KindStatus> {
    let committed = layout.and_then(|layout| layout.kinds.as_ref());
    let names: Vec<&str> = match committed {
        Some(kinds) => kinds.iter().map(|(kind, _)| kind).collect(),
        None => counts.keys().map(String::as_str).collect(),
    };
    let status = |kind: &str| {
        let (sharded, counted) = (mode(layout, kind) == KindMode::Sharded, counts.get(kind));
        let counted = counted.and_then(|counted| counted.as_ref().ok());
        KindStatus {
            kind: kind.to_owned(),
            sharded,
            total: counted.map(KindCounts::total),
            unstamped: counted.filter(|_| sharded).map(|counted| counted.unstamped),
        }
    };
    names.into_iter().map(status).collect()
}

/// Older versions do not say; they shard every kind.
fn mode(layout: Option<&Layout>, kind: &str) -> KindMode {
    let kinds = layout.and_then(|layout| layout.kinds.as_ref());
    kinds.and_then(|kinds| kinds.mode(kind)).unwrap_or(KindMode::Sharded)
}

fn annotation<'a>(lease: &'a Lease, key: &str) -> Option<&'a str> {
    lease.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}
