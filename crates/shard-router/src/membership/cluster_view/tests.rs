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
    assert!(matches!(view.verdict(&layout, false), Verdict::Yield(why) if why.contains("old_1")));
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
        view.verdict(&layout, false)
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
    assert!(matches!(view.verdict(&layout, false), Verdict::Yield(_)));
    view.observe(Monotonic::ORIGIN, &[coordinator, lease("op.example.com-member-1", "a_1", &[])]);
    assert_eq!(view.verdict(&layout, false), Verdict::Work);
}

#[test]
fn a_layout_that_differs_or_cannot_be_read_is_refused_with_a_reason() {
    let mut view = ClusterView::new(names(), None, LEASE_DURATION);
    let committed = Layout::first(8.try_into().unwrap(), None);
    let json = serde_json::to_string(&committed).unwrap();
    view.observe(Monotonic::ORIGIN, &[lease("op.example.com", "", &[("example.com/layout", json)])]);
    assert_eq!(view.verdict(&committed, false), Verdict::Work);
    let fewer = Layout::first(4.try_into().unwrap(), None);
    assert_eq!(view.verdict(&fewer, false), Verdict::Work);
    let other = Layout::first(8.try_into().unwrap(), Some("tenant".to_owned()));
    assert!(
        matches!(view.verdict(&other, false), Verdict::Refuse(why) if why.contains("the shard key label tenant"))
    );
    assert!(matches!(view.verdict(&other, true), Verdict::Replace(why) if why.contains("tenant")));
    view.observe(Monotonic::ORIGIN, &[lease("op.example.com", "", &[("example.com/layout", "{".into())])]);
    assert!(
        matches!(view.verdict(&committed, false), Verdict::Refuse(why) if why.contains("cannot be read"))
    );
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
        view.verdict(&layout, false)
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
