//! What one replica knows about the others from the Leases. Pure.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use lease_core::{Identity, Installation, Monotonic, ShownLease};
use parking_lot::Mutex;

use crate::{
    layout_change::ShardLeases,
    membership::{
        MemberLease, Membership,
        acknowledgement::{acknowledged, recorded},
        committed::{Committed, Verdict},
        incumbent::Incumbency,
        predecessor::{holder, is_member, predecessor},
    },
    names::Names,
    routing::{
        bucket::{BUCKETS, ShardCount, ShardId},
        layout::Layout,
        plan::Plan,
    },
};

/// Changes of Leases are handled together: with many shards, some Lease is renewed all the time.
pub(crate) const DEBOUNCE: Duration = Duration::from_millis(20);

/// The view that all parts of a replica share: how long a member has been silent is known only to an observer that has
/// watched all the time.
#[derive(Debug, Clone)]
pub(crate) struct SharedClusterView(Arc<Mutex<ClusterView>>);

impl SharedClusterView {
    pub(crate) fn new(names: Names, installation: Option<Installation>, lease_duration: Duration) -> Self {
        Self(Arc::new(Mutex::new(ClusterView::new(names, installation, lease_duration))))
    }

    /// Takes in the current Leases and returns the view.
    pub(crate) fn observe(&self, now: Monotonic, leases: &[ShownLease]) -> ClusterView {
        let mut view = self.0.lock();
        view.observe(now, leases);
        view.clone()
    }
}

/// What the Leases of an operator say.
#[derive(Debug, Clone)]
pub(crate) struct ClusterView {
    names: Names,
    installation: Option<Installation>,
    incumbency: Incumbency,
    pub(crate) membership: Membership,
    /// Who holds the coordinator Lease.
    pub(crate) coordinator: Option<Identity>,
    /// The plan as last published.
    pub(crate) plan: Option<Plan>,
    /// Who holds each shard, for every shard Lease that exists.
    pub(crate) holders: BTreeMap<ShardId, Option<Identity>>,
    /// What each shard Lease has acknowledged.
    pub(crate) shard_leases: ShardLeases,
    /// What the coordinator Lease says; nothing, while a predecessor holds it.
    pub(crate) committed: Committed,
    /// Who holds the coordinator Lease and does not shard.
    predecessor: Option<Identity>,
    /// The coordinator Lease that these were read from.
    read: Option<Arc<Lease>>,
}

impl ClusterView {
    pub(crate) fn new(names: Names, installation: Option<Installation>, lease_duration: Duration) -> Self {
        Self {
            names,
            incumbency: Incumbency::new(lease_duration),
            membership: Membership::of(installation.clone(), lease_duration),
            installation,
            coordinator: None,
            plan: None,
            holders: BTreeMap::new(),
            shard_leases: ShardLeases::new(),
            committed: Committed::Nothing,
            predecessor: None,
            read: None,
        }
    }

    /// Takes in the current Leases.
    pub(crate) fn observe(&mut self, now: Monotonic, leases: &[ShownLease]) {
        let names = &self.names;
        let members = leases.iter().filter_map(|lease| MemberLease::read(names, lease));
        self.membership.observe(now, members);
        self.incumbency.observe(names, now, leases);
        let shard = |lease: &Lease| names.shard_of(lease.metadata.name.as_deref()?);
        self.holders = leases.iter().filter_map(|lease| Some((shard(lease)?, holder(lease)))).collect();
        self.shard_leases = shard_leases(names, leases.iter().map(|shown| &*shown.lease));
        let is_coordinator =
            |lease: &Lease| lease.metadata.name.as_deref().is_some_and(|name| names.is_coordinator(name));
        let coordinator = leases.iter().find(|lease| is_coordinator(lease)).map(|shown| &shown.lease);
        // Most changes are of other Leases; layout and plan are not parsed again for those.
        if !same(self.read.as_ref(), coordinator) {
            self.read = coordinator.cloned();
            self.read_coordinator();
        }
        // A member Lease may come later than the coordinator's.
        let found = self.read.as_deref().and_then(|coordinator| {
            predecessor(&self.names, coordinator, |identity| {
                is_member(&self.names, leases.iter().map(|shown| &*shown.lease), identity)
            })
        });
        if found.is_some() {
            self.committed = Committed::Nothing;
        } else if self.predecessor.is_some() {
            self.read_coordinator();
        }
        self.predecessor = found;
    }

    /// Takes in what the coordinator Lease says.
    fn read_coordinator(&mut self) {
        let coordinator = self.read.as_deref();
        self.coordinator = coordinator.and_then(holder);
        self.committed = Committed::read(&self.names, coordinator);
        self.plan = coordinator.and_then(|lease| {
            let json = lease.metadata.annotations.as_ref()?.get(&self.names.plan_annotation())?;
            serde_json::from_str(json).ok()
        });
    }

    /// What a replica with this configured layout may do, which may replace another one or not.
    pub(crate) fn verdict(&self, configured: &Layout, may_replace: bool) -> Verdict {
        if let Some(sentence) = self.foreign() {
            return Verdict::Refuse(sentence);
        }
        match self.yields_to() {
            Some(sentence) => Verdict::Yield(sentence),
            None => self.committed.verdict(configured, may_replace),
        }
    }

    /// In one sentence, which operator that does not shard holds the coordinator Lease; `None` if none does.
    pub(crate) fn yields_to(&self) -> Option<String> {
        let holder = self.predecessor.as_ref()?;
        Some(format!(
            "lease {} is held by {holder}, an operator of a version that does not shard; it reconciles everything, so no shard \
             is worked on until it releases the Lease: finish the upgrade or the rollback, so that only one version is left",
            self.names.coordinator()
        ))
    }

    /// In one sentence, which other installation has this LeaderElectionID; `None` if none has.
    pub(crate) fn foreign(&self) -> Option<String> {
        self.incumbency.refusal(&self.names, self.installation.as_ref())
    }

    /// How many shards a plan for the committed layout has to place: until a change is settled, those of both layouts.
    pub(crate) fn planned_shards(&self) -> Option<ShardCount> {
        let Committed::Layout(layout) = &self.committed else { return None };
        layout.planned_shards()
    }

    /// The coordinator Lease that the committed layout was read from.
    pub(crate) fn coordinator_lease(&self) -> Option<&Lease> {
        self.read.as_deref()
    }

    /// The plan, if it was made for the committed layout.
    pub(crate) fn current_plan(&self) -> Option<&Plan> {
        let Committed::Layout(layout) = &self.committed else { return None };
        self.plan.as_ref().filter(|plan| plan.layout == layout.generation)
    }
}

/// What each of the shard Leases among these has acknowledged. Numbers that no shard can have are left out.
pub(crate) fn shard_leases<'a>(names: &Names, leases: impl IntoIterator<Item = &'a Lease>) -> ShardLeases {
    let of = |lease: &Lease| {
        let shard = names.shard_of(lease.metadata.name.as_deref()?).filter(|shard| shard.0 < BUCKETS)?;
        let layout = lease.metadata.annotations.as_ref().and_then(|all| recorded(names, all));
        Some((shard, acknowledged(layout.as_ref())))
    };
    leases.into_iter().filter_map(of).collect()
}

/// The resourceVersion of a Lease.
pub(crate) fn version(lease: &Lease) -> Option<u64> {
    lease.metadata.resource_version.as_deref()?.parse().ok()
}

/// Whether both are the same object, or neither is there.
fn same(one: Option<&Arc<Lease>>, other: Option<&Arc<Lease>>) -> bool {
    one.map(Arc::as_ptr) == other.map(Arc::as_ptr)
}

#[cfg(test)]
mod tests;
