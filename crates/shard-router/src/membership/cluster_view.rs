//! What one replica knows about the others from the Leases. Pure.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use lease_core::{Identity, Installation, Monotonic, ShownLease};
use parking_lot::Mutex;

use crate::{
    membership::{
        MemberLease, Membership,
        incumbent::Incumbency,
        predecessor::{holder, is_member, predecessor},
    },
    names::Names,
    routing::{bucket::ShardId, layout::Layout, plan::Plan},
    rules,
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
    /// What the coordinator Lease says; nothing, while a predecessor holds it.
    pub(crate) committed: Committed,
    /// Who holds the coordinator Lease and does not shard.
    predecessor: Option<Identity>,
    /// The coordinator Lease that these were read from.
    read: Option<Arc<Lease>>,
}

/// What the coordinator Lease says about the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Committed {
    /// Nothing: there is no Lease, or it carries no layout. An unsharded predecessor holds one like that.
    Nothing,
    /// A layout.
    Layout(Layout),
    /// Something that this version cannot read.
    Unreadable(String),
}

/// What a replica may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Contend for shards.
    Work,
    /// Contend for coordination only; no shard starts before a layout is committed.
    Wait,
    /// Contend for coordination only, and end the shards that are held at once: an operator that does not shard holds the coordinator
    /// Lease, and reconciles everything.
    Yield(String),
    /// Contend for nothing, for this reason.
    Refuse(String),
}

impl Committed {
    /// Reads the annotation of the coordinator Lease.
    pub(crate) fn read(names: &Names, coordinator: Option<&Lease>) -> Self {
        let annotations = coordinator.and_then(|lease| lease.metadata.annotations.as_ref());
        match annotations.and_then(|all| all.get(&names.layout_annotation())) {
            None => Self::Nothing,
            Some(json) => serde_json::from_str(json).map_or_else(
                |error| {
                    Self::Unreadable(format!(
                        "the annotation {} of lease {} cannot be read ({error}); run the version that wrote it, or \
                         restore the annotation",
                        names.layout_annotation(),
                        names.coordinator()
                    ))
                },
                Self::Layout,
            ),
        }
    }

    /// What follows from it for a replica with this configured layout.
    pub(crate) fn verdict(&self, configured: &Layout) -> Verdict {
        match self {
            Self::Nothing => Verdict::Wait,
            Self::Layout(committed) => match rules::may_work_by(committed, configured) {
                Ok(()) => Verdict::Work,
                Err(sentence) => Verdict::Refuse(sentence),
            },
            Self::Unreadable(sentence) => Verdict::Refuse(sentence.clone()),
        }
    }
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

    /// What a replica with this configured layout may do.
    pub(crate) fn verdict(&self, configured: &Layout) -> Verdict {
        if let Some(sentence) = self.foreign() {
            return Verdict::Refuse(sentence);
        }
        match self.yields_to() {
            Some(sentence) => Verdict::Yield(sentence),
            None => self.committed.verdict(configured),
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

    /// The plan, if it was made for the committed layout.
    pub(crate) fn current_plan(&self) -> Option<&Plan> {
        let Committed::Layout(layout) = &self.committed else { return None };
        self.plan.as_ref().filter(|plan| plan.layout == layout.generation)
    }
}

/// Whether both are the same object, or neither is there.
fn same(one: Option<&Arc<Lease>>, other: Option<&Arc<Lease>>) -> bool {
    one.map(Arc::as_ptr) == other.map(Arc::as_ptr)
}

#[cfg(test)]
mod tests {
    use lease_core::LeaderElectionId;

    use super::*;
    use crate::testing::{LEASE_DURATION, at};

    fn names() -> Names {
        Names::new(LeaderElectionId::new("op.example.com").unwrap(), "example.com")
    }

    fn lease(name: &str, holder: &str, annotations: &[(&str, String)]) -> ShownLease {
        let mut lease = Lease::default();
        lease.metadata.name = Some(name.into());
        lease.metadata.annotations =
            Some(annotations.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect());
        lease.spec.get_or_insert_default().holder_identity = Some(holder.into());
        ShownLease { lease: Arc::new(lease), shown_at: Monotonic::ORIGIN }
    }

    #[test]
    fn an_unsharded_predecessor_keeps_the_shards_closed() {
        let mut view = ClusterView::new(names(), None, LEASE_DURATION);
        view.observe(Monotonic::ORIGIN, &[lease("op.example.com", "old_1", &[])]);
        let layout = Layout::first(8.try_into().unwrap(), None);
        assert!(matches!(view.verdict(&layout), Verdict::Yield(why) if why.contains("old_1")));
    }

    #[test]
    fn the_layout_that_a_predecessor_keeps_on_its_lease_does_not_count() {
        let layout = Layout::first(8.try_into().unwrap(), None);
        let annotations = [
            ("example.com/layout", serde_json::to_string(&layout).unwrap()),
            ("example.com/coordinator", "a_1".to_owned()),
        ];
        let mut view = ClusterView::new(names(), None, LEASE_DURATION);
        let verdict = |view: &mut ClusterView, holder| {
            view.observe(Monotonic::ORIGIN, &[lease("op.example.com", holder, &annotations)]);
            view.verdict(&layout)
        };
        assert_eq!(verdict(&mut view, "a_1"), Verdict::Work);
        assert!(matches!(verdict(&mut view, "old_1"), Verdict::Yield(_)));
        assert_eq!(verdict(&mut view, ""), Verdict::Work, "it has released the Lease");
    }

    #[test]
    fn a_member_lease_that_comes_late_tells_that_its_holder_shards() {
        let layout = Layout::first(8.try_into().unwrap(), None);
        let annotations = [("example.com/layout", serde_json::to_string(&layout).unwrap())];
        let coordinator = lease("op.example.com", "a_1", &annotations);
        let mut view = ClusterView::new(names(), None, LEASE_DURATION);
        view.observe(Monotonic::ORIGIN, std::slice::from_ref(&coordinator));
        assert!(matches!(view.verdict(&layout), Verdict::Yield(_)));
        view.observe(Monotonic::ORIGIN, &[coordinator, lease("op.example.com-member-1", "a_1", &[])]);
        assert_eq!(view.verdict(&layout), Verdict::Work);
    }

    #[test]
    fn a_layout_that_differs_or_cannot_be_read_is_refused_with_a_reason() {
        let mut view = ClusterView::new(names(), None, LEASE_DURATION);
        let committed = Layout::first(8.try_into().unwrap(), None);
        let json = serde_json::to_string(&committed).unwrap();
        view.observe(Monotonic::ORIGIN, &[lease("op.example.com", "", &[("example.com/layout", json)])]);
        assert_eq!(view.verdict(&committed), Verdict::Work);
        let other = Layout::first(4.try_into().unwrap(), None);
        assert!(matches!(view.verdict(&other), Verdict::Refuse(why) if why.contains("set to 4 shards")));
        view.observe(
            Monotonic::ORIGIN,
            &[lease("op.example.com", "", &[("example.com/layout", "{".into())])],
        );
        assert!(matches!(view.verdict(&committed), Verdict::Refuse(why) if why.contains("cannot be read")));
    }

    #[test]
    fn another_installations_id_is_refused_whatever_the_layout() {
        let layout = Layout::first(8.try_into().unwrap(), None);
        let annotations = [
            ("example.com/layout", serde_json::to_string(&layout).unwrap()),
            ("example.com/installation", "ns/a".to_owned()),
            ("example.com/coordinator", "a_1".to_owned()),
        ];
        let mut held = Lease::clone(&lease("op.example.com", "a_1", &annotations));
        held.metadata.uid = Some("u".into());
        held.metadata.resource_version = Some("7".into());
        held.spec.get_or_insert_default().lease_duration_seconds = Some(5);
        let verdict_of = |own| {
            let mut view = ClusterView::new(names(), Installation::new(own).ok(), LEASE_DURATION);
            view.observe(
                Monotonic::ORIGIN,
                &[ShownLease { lease: Arc::new(held.clone()), shown_at: Monotonic::ORIGIN }],
            );
            view.verdict(&layout)
        };
        assert_eq!(verdict_of("ns/a"), Verdict::Work);
        assert!(matches!(verdict_of("ns/b"), Verdict::Refuse(why) if why.contains("installation ns/a")));
    }

    #[test]
    fn who_was_seen_to_be_silent_is_dead_to_every_part_of_the_replica() {
        let view = SharedClusterView::new(names(), None, LEASE_DURATION);
        let mut member = Lease::clone(&lease("op.example.com-member-1", "dead_1", &[]));
        member.metadata.uid = Some("u".into());
        member.metadata.resource_version = Some("7".into());
        member.spec.get_or_insert_default().lease_duration_seconds = Some(5);
        let leases = [ShownLease { lease: Arc::new(member), shown_at: at(1) }];
        let at_first = view.observe(at(1), &leases);
        assert_eq!(at_first.membership.members().len(), 1);
        let elsewhere = view.clone().observe(at(7), &leases);
        assert!(elsewhere.membership.members().is_empty());
    }

    #[test]
    fn holders_and_plan_are_read_off() {
        let mut view = ClusterView::new(names(), None, LEASE_DURATION);
        let plan = Plan::default().next(1, 1.try_into().unwrap(), &[], &BTreeMap::new());
        let layout = serde_json::to_string(&Layout::first(1.try_into().unwrap(), None)).unwrap();
        let annotations = [
            ("example.com/layout", layout),
            ("example.com/plan", serde_json::to_string(&plan).unwrap()),
            ("example.com/coordinator", "a_1".to_owned()),
        ];
        view.observe(
            Monotonic::ORIGIN,
            &[lease("op.example.com", "a_1", &annotations), lease("op.example.com-shard-0", "b_1", &[])],
        );
        assert_eq!(view.current_plan(), Some(&plan));
        assert_eq!(view.holders[&ShardId(0)].as_ref().unwrap().pod(), "b");
    }
}
