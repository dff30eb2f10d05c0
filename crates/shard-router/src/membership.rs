//! Membership: which replicas are alive, as far as this one can see from their member Leases. Pure; Leases and time are
//! arguments.

pub(crate) mod acknowledgement;
pub(crate) mod cluster_view;
pub(crate) mod committed;
pub(crate) mod incumbent;
pub(crate) mod known_layout;
pub(crate) mod predecessor;
pub(crate) mod watched_namespaces;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use lease_core::{
    Identity, Installation, LastChange, Monotonic, ObservedLease, Revision, ShownLease, observed,
};

use self::{incumbent::installation_of, watched_namespaces::WatchedNamespaces};
use crate::{names::Names, routing::plan::Member, rules};

/// One member Lease as the watch shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberLease {
    lease: ObservedLease,
    shown_at: Monotonic,
    draining: bool,
    /// It could not work on the shards that it held.
    unable: bool,
    installation: Option<Installation>,
    /// Older versions do not say what they watch.
    watches: Option<WatchedNamespaces>,
}

impl MemberLease {
    /// Reads a member Lease; `None` if it is not one, or is invalid.
    pub(crate) fn read(names: &Names, lease: &ShownLease) -> Option<(String, Self)> {
        let name = lease.metadata.name.as_ref().filter(|name| names.is_member(name))?;
        let observed = observed(lease).ok()?;
        let annotations = lease.metadata.annotations.as_ref();
        let says = |annotation| annotations.is_some_and(|all| all.contains_key(&annotation));
        let (draining, unable) = (says(names.draining_annotation()), says(names.unable_annotation()));
        let installation = installation_of(names, lease);
        let watches = annotations.and_then(|all| all.get(&names.watched_namespaces_annotation()));
        let watches = watches.map(|written| WatchedNamespaces::read(written));
        let shown_at = lease.shown_at;
        Some((name.clone(), Self { lease: observed, shown_at, draining, unable, installation, watches }))
    }
}

/// Tracks which members are alive. A member is alive for the duration that its record states, by this replica's monotonic clock, from the moment at which the watch last
/// showed a change of the record. A replica that has just started considers all members alive at first.
#[derive(Debug, Clone)]
pub(crate) struct Membership {
    own: Option<Installation>,
    lease_duration: Duration,
    seen: BTreeMap<String, ObservedMember>,
    members: Vec<Member>,
    /// Of the living, by identity.
    watched: BTreeMap<Identity, WatchedNamespaces>,
    unchanged_since: Monotonic,
}

#[derive(Debug, Clone)]
struct ObservedMember {
    member: MemberLease,
    change: LastChange,
}

impl Membership {
    /// The installation. Replicas of other installations are not members: they will refuse to work, so the plan must not include them.
    pub(crate) fn of(own: Option<Installation>, lease_duration: Duration) -> Self {
        let unchanged_since = Monotonic::ORIGIN;
        let (seen, watched) = (BTreeMap::new(), BTreeMap::new());
        Self { own, lease_duration, seen, members: Vec::new(), watched, unchanged_since }
    }

    /// Updates the members from the Leases that the watch shows now.
    pub(crate) fn observe(
        &mut self,
        now: Monotonic,
        leases: impl IntoIterator<Item = (String, MemberLease)>,
    ) {
        let before = std::mem::take(&mut self.seen);
        let seen = leases.into_iter().map(|(name, member)| {
            let known = before.get(&name).map(|seen| &seen.change);
            let change = LastChange::of(&member.lease, known, member.shown_at, self.lease_duration);
            (name, ObservedMember { member, change })
        });
        self.seen = seen.collect();
        let alive = |seen: &&ObservedMember| now < seen.change.expires_at() && !self.is_foreign(&seen.member);
        let alive: Vec<&MemberLease> = self.seen.values().filter(alive).map(|seen| &seen.member).collect();
        // If no member is able, the shards must have holders nevertheless.
        let anybody = alive.iter().any(|member| !member.draining && !member.unable);
        let as_member = |member: &&MemberLease| {
            let eligible = rules::is_eligible(member.draining, member.unable, anybody);
            Some(Member { identity: member.lease.record.holder.clone()?, eligible })
        };
        let mut members: Vec<_> = alive.iter().filter_map(as_member).collect();
        members.sort();
        let watches =
            |member: &&MemberLease| Some((member.lease.record.holder.clone()?, member.watches.clone()?));
        self.watched = alive.iter().filter_map(watches).collect();
        if members != self.members {
            self.members = members;
            self.unchanged_since = now;
        }
    }

    fn is_foreign(&self, lease: &MemberLease) -> bool {
        self.own.is_some() && lease.installation.is_some() && lease.installation != self.own
    }

    /// The members that are alive, as of the last observation.
    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Which namespaces the living members watch; without those that do not say so.
    pub(crate) fn watched_namespaces(&self) -> impl Iterator<Item = (&Identity, &WatchedNamespaces)> {
        self.watched.iter()
    }

    /// The members that are alive as of the last observation, without those that have not renewed their Leases for longer than `limit`. These may come back, but
    /// nothing should wait for them. If `me` is late as well, the view itself may be old and tells nothing about the others.
    pub(crate) fn punctual(&self, me: &Identity, now: Monotonic, limit: Duration) -> Vec<Member> {
        let is_late = |seen: &&ObservedMember| now.duration_since(seen.change.seen_at()) > limit;
        let late = self.seen.values().filter(is_late);
        let late: BTreeSet<&Identity> =
            late.filter_map(|seen| seen.member.lease.record.holder.as_ref()).collect();
        let is_waited_for = |member: &&Member| late.contains(me) || !late.contains(&member.identity);
        self.members.iter().filter(is_waited_for).cloned().collect()
    }

    /// Whether another member than this one could take shards.
    pub(crate) fn another_is_able(&self, me: &Identity) -> bool {
        self.members.iter().any(|member| member.identity != *me && member.eligible)
    }

    /// How long the set of members has been unchanged.
    pub(crate) fn stable_for(&self, now: Monotonic) -> Duration {
        now.duration_since(self.unchanged_since)
    }

    /// When the next member will be considered dead if it does not renew. Observe again then.
    pub(crate) fn next_expiry(&self, now: Monotonic) -> Option<Monotonic> {
        self.next_silent_for(now, Duration::ZERO)
    }

    /// When the next Lease will not have changed for `grace` beyond its own duration, unless it is renewed; see
    /// [`long_dead`](Self::long_dead).
    pub(crate) fn next_silent_for(&self, now: Monotonic, grace: Duration) -> Option<Monotonic> {
        let ends = self.seen.values().map(|seen| seen.change.expires_at() + grace);
        ends.filter(|end| now < *end).min()
    }

    /// Leases that have not changed for `grace` beyond their own duration, or that nobody holds.
    pub(crate) fn long_dead(&self, now: Monotonic, grace: Duration) -> Vec<(String, Revision)> {
        let dead = self.seen.iter().filter(|(_, seen)| now >= seen.change.expires_at() + grace);
        dead.map(|(name, seen)| (name.clone(), seen.change.revision().clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use lease_core::{LeaseName, LeaseRecord, ResourceVersion, Uid};

    use super::*;
    use crate::testing::{LEASE_DURATION, at};

    const SECOND: Duration = Duration::from_secs(1);

    fn lease(name: &str, version: u64, draining: bool) -> (String, MemberLease) {
        let revision = Revision { uid: Uid(name.into()), version: ResourceVersion(version) };
        let holder = Identity::new(format!("{name}_x")).ok();
        let record = LeaseRecord { holder, lease_duration: Some(5 * SECOND), ..LeaseRecord::default() };
        let lease = ObservedLease { name: LeaseName::from_server(name), revision, record, successor: None };
        let shown_at = Monotonic::ORIGIN;
        (
            name.into(),
            MemberLease { lease, shown_at, draining, unable: false, installation: None, watches: None },
        )
    }

    /// Shows these Leases now.
    fn observe(
        membership: &mut Membership,
        now: Monotonic,
        leases: impl IntoIterator<Item = (String, MemberLease)>,
    ) {
        let shown = leases.into_iter().map(|(name, member)| (name, MemberLease { shown_at: now, ..member }));
        membership.observe(now, shown);
    }

    #[test]
    fn a_member_lives_for_its_own_duration_after_its_last_change_as_seen_here() {
        let mut membership = Membership::of(None, LEASE_DURATION);
        observe(&mut membership, at(1), [lease("a", 1, false), lease("b", 2, false)]);
        assert_eq!(membership.members().len(), 2);
        assert_eq!(membership.next_expiry(at(1)), Some(at(6)));
        observe(&mut membership, at(4), [lease("a", 3, false), lease("b", 2, false)]);
        observe(&mut membership, at(6), [lease("a", 3, false), lease("b", 2, false)]);
        let alive: Vec<_> = membership.members().iter().map(|member| member.identity.pod()).collect();
        assert_eq!(alive, ["a"]);
        assert_eq!(membership.stable_for(at(8)), 2 * SECOND);
        assert!(membership.long_dead(at(10), 10 * SECOND).is_empty());
        assert_eq!(membership.long_dead(at(16), 10 * SECOND)[0].0, "b");
    }

    #[test]
    fn another_installations_replicas_are_no_members_but_their_remains_are_collected() {
        let installation = |name| Installation::new(name).ok();
        let mut membership = Membership::of(installation("ns/a"), LEASE_DURATION);
        let mut members = [lease("a", 1, false), lease("b", 2, false), lease("old", 3, false)];
        members[0].1.installation = installation("ns/a");
        members[1].1.installation = installation("ns/b");
        observe(&mut membership, at(1), members);
        let alive: Vec<_> = membership.members().iter().map(|member| member.identity.pod()).collect();
        assert_eq!(alive, ["a", "old"]);
        assert_eq!(membership.long_dead(at(16), 10 * SECOND).len(), 3);
    }

    #[test]
    fn who_is_not_able_keeps_nothing_while_somebody_else_is() {
        let mut membership = Membership::of(None, LEASE_DURATION);
        let mut members = [lease("a", 1, false), lease("b", 2, false)];
        members[0].1.unable = true;
        observe(&mut membership, at(1), members.clone());
        let eligible = |membership: &Membership| {
            membership.members().iter().map(|member| member.eligible).collect::<Vec<_>>()
        };
        assert_eq!(eligible(&membership), [false, true]);
        let me = |name| Identity::new(format!("{name}_x")).unwrap();
        assert!(membership.another_is_able(&me("a")) && !membership.another_is_able(&me("b")));
        members[1].1.unable = true;
        observe(&mut membership, at(1), members);
        assert_eq!(eligible(&membership), [true, true]);
    }

    #[test]
    fn a_member_that_is_looked_at_late_has_been_silent_since_its_last_renewal_was_shown() {
        let mut membership = Membership::of(None, LEASE_DURATION);
        observe(&mut membership, at(1), [lease("a", 1, false)]);
        let (name, member) = lease("a", 2, false);
        let renewed = [(name, MemberLease { shown_at: at(3), ..member })];
        membership.observe(at(6), renewed.clone());
        assert_eq!(membership.members().len(), 1);
        assert_eq!(membership.next_expiry(at(6)), Some(at(8)));
        membership.observe(at(8), renewed);
        assert!(membership.members().is_empty());
    }

    /// Two members, of which "b" has not renewed since the first second. Who is waited for then, in the view of `me`.
    fn punctual(me: &str, now: u64) -> Vec<String> {
        let mut membership = Membership::of(None, LEASE_DURATION);
        observe(&mut membership, at(1), [lease("a", 1, false), lease("b", 2, false)]);
        observe(&mut membership, at(3), [lease("a", 3, false), lease("b", 2, false)]);
        assert_eq!(membership.members().len(), 2);
        let me = Identity::new(format!("{me}_x")).unwrap();
        let punctual = membership.punctual(&me, at(now), 3 * SECOND);
        punctual.iter().map(|member| member.identity.pod().to_owned()).collect()
    }

    #[test]
    fn who_is_late_with_a_renewal_is_a_member_and_not_waited_for() {
        assert_eq!(punctual("a", 4), ["a", "b"]);
        assert_eq!(punctual("a", 5), ["a"]);
    }

    #[test]
    fn whose_own_renewals_are_not_shown_cannot_tell_who_is_late() {
        assert_eq!(punctual("b", 5), ["a", "b"]);
    }

    #[test]
    fn renewals_do_not_disturb_stability_and_draining_does() {
        let mut membership = Membership::of(None, LEASE_DURATION);
        observe(&mut membership, at(1), [lease("a", 1, false)]);
        observe(&mut membership, at(3), [lease("a", 2, false)]);
        assert_eq!(membership.stable_for(at(4)), 3 * SECOND);
        observe(&mut membership, at(5), [lease("a", 3, true)]);
        assert_eq!(membership.stable_for(at(5)), Duration::ZERO);
        assert!(!membership.members()[0].eligible);
    }
}
