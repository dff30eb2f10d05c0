use lease_core::LeaderElectionId;

use super::*;
use crate::testing::{LEASE_DURATION, at};

fn names() -> Names {
    Names::new(LeaderElectionId::new("op.example.com").unwrap(), "example.com")
}

fn installation(name: &str) -> Installation {
    Installation::new(name).unwrap()
}

/// A Lease of five seconds.
fn lease(name: &str, version: u32, holder: &str, installation: &str) -> Lease {
    let mut lease = Lease::default();
    lease.metadata.name = Some(name.into());
    lease.metadata.uid = Some(name.into());
    lease.metadata.resource_version = Some(version.to_string());
    if !installation.is_empty() {
        lease.metadata.annotations = Some([("example.com/installation".into(), installation.into())].into());
    }
    let spec = lease.spec.get_or_insert_default();
    spec.holder_identity = Some(holder.into());
    spec.lease_duration_seconds = Some(5);
    lease
}

/// Shows these Leases now.
fn observe(incumbency: &mut Incumbency, now: Monotonic, leases: &[Lease]) {
    let shown = leases.iter().cloned().map(|lease| ShownLease { lease: lease.into(), shown_at: now });
    incumbency.observe(&names(), now, &shown.collect::<Vec<_>>());
}

fn refuses(incumbency: &Incumbency, own: &str) -> bool {
    incumbency.refusal(&names(), Some(&installation(own))).is_some()
}

#[test]
fn the_newcomer_refuses_and_says_whom_it_met_and_what_to_do() {
    let mut incumbency = Incumbency::new(LEASE_DURATION);
    observe(&mut incumbency, at(1), &[lease("op.example.com", 1, "pod-a_1", "ns/a")]);
    assert_eq!(
        incumbency.refusal(&names(), Some(&installation("ns/b"))).unwrap(),
        "the LeaderElectionID op.example.com is in use by the installation ns/a, which holds lease op.example.com \
         (pod-a_1), and this replica belongs to ns/b; if both look after the same resources, stop one of them, else give one a \
         LeaderElectionID of its own"
    );
    assert!(!refuses(&incumbency, "ns/a"));
    assert_eq!(incumbency.refusal(&names(), None), None, "who has no name refuses nobody");
}

#[test]
fn the_dead_and_the_released_lock_nobody_out() {
    let mut incumbency = Incumbency::new(LEASE_DURATION);
    let held = [lease("op.example.com", 1, "pod-a_1", "ns/a")];
    observe(&mut incumbency, at(1), &held);
    observe(&mut incumbency, at(5), &held);
    assert!(refuses(&incumbency, "ns/b"), "it may still be renewed");
    let renewed = [lease("op.example.com", 2, "pod-a_1", "ns/a")];
    observe(&mut incumbency, at(5), &renewed);
    observe(&mut incumbency, at(9), &renewed);
    assert!(refuses(&incumbency, "ns/b"), "it was");
    observe(&mut incumbency, at(10), &renewed);
    assert!(!refuses(&incumbency, "ns/b"), "dead for its own duration");

    observe(&mut incumbency, at(11), &[lease("op.example.com", 3, "pod-a_1", "ns/a")]);
    assert!(refuses(&incumbency, "ns/b"), "it was only slow");
    observe(&mut incumbency, at(12), &[lease("op.example.com", 4, "", "ns/a")]);
    assert!(!refuses(&incumbency, "ns/b"), "released");
    observe(&mut incumbency, at(13), &[lease("op.example.com", 5, NOBODY, "ns/a")]);
    assert!(!refuses(&incumbency, "ns/b"), "a placeholder holds nothing");
}

#[test]
fn an_older_version_says_nothing_of_itself_and_is_taken_for_ones_own() {
    let mut incumbency = Incumbency::new(LEASE_DURATION);
    observe(&mut incumbency, at(1), &[lease("op.example.com", 1, "old_1", "")]);
    assert!(!refuses(&incumbency, "ns/a"));
}

#[test]
fn shards_speak_for_an_installation_whose_coordinator_is_dead() {
    let mut incumbency = Incumbency::new(LEASE_DURATION);
    let shard = |version| lease("op.example.com-shard-3", version, "pod-a_2", "ns/a");
    observe(&mut incumbency, at(1), &[lease("op.example.com", 1, "pod-a_1", "ns/a"), shard(2)]);
    observe(&mut incumbency, at(7), &[lease("op.example.com", 1, "pod-a_1", "ns/a"), shard(3)]);
    assert!(refuses(&incumbency, "ns/b"));
    assert!(!refuses(&incumbency, "ns/a"));
}

#[test]
fn members_do_not_count() {
    let mut incumbency = Incumbency::new(LEASE_DURATION);
    observe(&mut incumbency, at(1), &[lease("op.example.com-member-1", 1, "pod-a_1", "ns/a")]);
    assert!(!refuses(&incumbency, "ns/b"));
}

/// Whatever Leases there are, and whichever of them are alive: of those that hold one, one does not refuse.
#[test]
fn never_does_everybody_refuse() {
    let roles = ["op.example.com", "op.example.com-shard-0", "op.example.com-shard-1"];
    let holders = [("", ""), ("pod-a_1", "ns/a"), ("pod-b_1", "ns/b"), ("old_1", "")];
    for choice in 0..holders.len().pow(3) {
        let chosen = |place: u32| holders[choice / holders.len().pow(place) % holders.len()];
        let leases: Vec<_> = (0..3_u32)
            .zip(roles)
            .map(|(place, role)| lease(role, 1, chosen(place).0, chosen(place).1))
            .collect();
        let mut incumbency = Incumbency::new(LEASE_DURATION);
        observe(&mut incumbency, at(1), &leases);
        let (a, b) = (refuses(&incumbency, "ns/a"), refuses(&incumbency, "ns/b"));
        let holds = |name| (0..3_u32).any(|place| chosen(place).1 == name);
        assert!(!(a && b), "both refuse: {leases:?}");
        assert!(!a || holds("ns/b"), "refused for the sake of nobody: {leases:?}");
        assert_eq!(a || b, holds("ns/a") || holds("ns/b"), "one of them is told: {leases:?}");
        let coordinator = chosen(0).1;
        assert!(coordinator.is_empty() || !refuses(&incumbency, coordinator), "the coordinator gives way");
    }
}

#[test]
fn an_operator_of_another_group_is_told_apart_from_a_predecessor_while_it_lives() {
    let of_another = |version: u32, holder: &str, coordinator: &str| {
        let mut lease = lease("op.example.com", version, holder, "");
        lease.metadata.annotations = Some(
            [
                ("example.com/coordinator".into(), "pod-b_1".into()),
                ("gadgets.io/coordinator".into(), coordinator.into()),
            ]
            .into(),
        );
        lease
    };
    let mut incumbency = Incumbency::new(LEASE_DURATION);
    observe(&mut incumbency, at(1), &[of_another(1, "pod-a_1", "pod-a_1")]);
    let sentence = incumbency.refusal(&names(), None).unwrap();
    assert!(sentence.contains("gadgets.io/ (pod-a_1 coordinates it)"), "{sentence}");
    observe(&mut incumbency, at(6), &[of_another(1, "pod-a_1", "pod-a_1")]);
    assert_eq!(incumbency.refusal(&names(), None), None, "dead for its own duration");
    observe(&mut incumbency, at(7), &[of_another(2, "pod-b_1", "pod-a_1")]);
    assert_eq!(incumbency.refusal(&names(), None), None, "ours has taken over");
    observe(&mut incumbency, at(8), &[of_another(3, "old_1", "pod-a_1")]);
    assert_eq!(
        incumbency.refusal(&names(), None),
        None,
        "that one is a predecessor, whoever kept the annotations"
    );
}
