//! Whether a new shard Lease may be created released: only if it is certain that nobody can hold a shard. Otherwise it is created with a
//! placeholder as its holder, which has to expire like any other holder.
//!
//! # Why a placeholder
//!
//! If someone deletes a shard Lease, its holder goes on until its validity ends, RenewDeadline after its last write was sent. If others
//! could take a new Lease at once, two replicas would work. The placeholder makes everyone wait, counted from the creation, for the
//! longest LeaseDuration that was seen on any shard Lease, and at least for this replica's own. That is longer than any validity.
//!
//! The Lease that was held before may have had *another name*. If somebody deletes the coordinator Lease and all shard Leases, a
//! replica with another number of shards may commit its own layout. A bucket of the new shard 6 then belonged to shard 2 a moment ago
//! and may still be worked on there. So if any shard Lease may have existed, *every* new one has to wait.
//!
//! # When no placeholder is needed
//!
//! *Claim.* Shard Leases may be created released at instant T, under one layout, if no shard Lease of the election existed at any
//! instant from T − LeaseDuration to T, but for those that the same term created under the same layout.
//! *Proof.* To hold a shard is to have had a write accepted, sent no longer than RenewDeadline ago, by which its Lease existed.
//! A write accepted before T − LeaseDuration was sent before it, so the validity it gave ended before
//! T − LeaseDuration + RenewDeadline < T; and after it, none was accepted. So nobody holds a shard of another layout at T, nor this
//! one. Shards of the same layout have no bucket in common, so those that this term has created do not matter.
//!
//! That none existed at such an instant is seen from three things together:
//!
//! 1. a consistent list, received at or before T − LeaseDuration, contains none ([`LeaseHistory::from_list`], taken when the
//!    replica starts);
//! 2. a watch from that list's resourceVersion, read up to the write by which this replica acquired the coordinator Lease
//!    (Leases share one sequence of versions, so our own write proves that everything before it was shown), brings no event
//!    of any;
//! 3. from then on only the holder of the coordinator Lease, that is this process, creates shard Leases, and it remembers what
//!    it created in this term. (A predecessor's creation that is still in the network at our acquisition would have to be held up for
//!    longer than LeaseDuration − RenewDeadline: the assumption that the whole promise rests on.)
//!
//! On a first install all three hold once LeaseDuration has passed since the start, and that is how long the coordinator
//! Lease itself takes to be created; so the first shards need not wait a second time. If the first coordinator fails in the middle of
//! creating them, its successor's wait.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, ResourceExt,
    api::{ListParams, WatchEvent, WatchParams},
};
use lease_core::{Clock, FencingToken, LeaseName, Monotonic, Term, released_lease, reserved_lease};
use parking_lot::{Mutex, MutexGuard};

use crate::{
    layout_change::{ShardLeases, leases::NOTHING},
    names::Names,
    observability::sentence,
    routing::bucket::{BUCKETS, ShardId},
    rules,
};

/// A Lease can state any number of seconds, and people write odd ones by hand. Nobody elects a leader for longer than this.
const LONGEST_CREDIBLE: Duration = Duration::from_secs(3_600);

/// Which shard Leases have existed, as far as this replica knows.
pub(crate) struct LeaseHistory {
    api: Api<Lease>,
    names: Names,
    clock: Arc<dyn Clock>,
    lease_duration: Duration,
    known: Mutex<Known>,
}

/// What is known of the shard Leases of the election. Pure.
#[derive(Default)]
struct Known {
    /// When the list was received, and its resourceVersion; `None` if there is no list.
    list: Option<(Monotonic, u64)>,
    /// Shards whose Leases may have had a holder before this term, or were created by others during it.
    earlier: BTreeSet<ShardId>,
    /// The term that `created` belongs to.
    term: Option<FencingToken>,
    /// Shards whose Leases this term has created, or may have created.
    created: BTreeSet<ShardId>,
    /// The longest LeaseDuration seen on any of them.
    longest: Duration,
    /// When each was seen last.
    seen: BTreeMap<ShardId, Monotonic>,
}

impl Known {
    fn begin_term(&mut self, term: FencingToken) {
        if self.term.replace(term) != Some(term) {
            let created = std::mem::take(&mut self.created);
            self.earlier.extend(created);
        }
    }

    fn observe(&mut self, shard: ShardId, lease: &Lease) {
        if !self.created.contains(&shard) {
            self.earlier.insert(shard);
        }
        let stated = lease.spec.as_ref().and_then(|spec| spec.lease_duration_seconds).unwrap_or_default();
        let stated = Duration::from_secs(u64::try_from(stated).unwrap_or_default());
        self.longest = self.longest.max(stated.min(LONGEST_CREDIBLE));
    }

    fn nobody_holds_any_of(&self, shard: ShardId) -> bool {
        rules::nobody_holds_any_of(shard, &self.earlier, &self.created)
    }
}

impl LeaseHistory {
    /// Lists the Leases. If that fails, a first install takes one LeaseDuration longer; nothing else follows.
    pub(crate) async fn from_list(
        api: Api<Lease>,
        names: Names,
        clock: Arc<dyn Clock>,
        lease_duration: Duration,
    ) -> Self {
        let history = Self { api, names, clock, lease_duration, known: Mutex::default() };
        let everything = ListParams::default();
        let listing = history.api.list(&everything);
        let listed = tokio::select! {
            listed = listing => listed.map_err(|error| sentence::of_request(&error)),
            () = history.clock.sleep(lease_duration) => Err("no answer within LeaseDuration".to_owned()),
        };
        match listed {
            Ok(list) => {
                let version = list.metadata.resource_version.as_deref().and_then(|text| text.parse().ok());
                let now = history.clock.now().monotonic;
                history.lock().list = version.map(|version| (now, version));
                history.observe(now, &list.items);
            }
            Err(error) => tracing::warn!("the Leases could not be listed at the start: {error}"),
        }
        history
    }

    /// Notes Leases that exist, or did a moment ago. Those of no shard are ignored.
    pub(crate) fn observe<'a>(&self, now: Monotonic, leases: impl IntoIterator<Item = &'a Lease>) {
        let mut known = self.lock();
        for lease in leases {
            if let Some(shard) = lease.metadata.name.as_deref().and_then(|name| self.names.shard_of(name)) {
                known.observe(shard, lease);
                known.seen.insert(shard, now);
            }
        }
        let longest = known.longest.max(self.lease_duration);
        known.seen.retain(|_, seen| now.duration_since(*seen) <= longest);
    }

    /// The shards whose Leases have existed within the longest LeaseDuration, as far as this process has seen. What they have acknowledged is not known.
    pub(super) fn seen_lately(&self, now: Monotonic) -> ShardLeases {
        let known = self.lock();
        let longest = known.longest.max(self.lease_duration);
        let lately = known.seen.iter().filter(|(_, seen)| now.duration_since(**seen) <= longest);
        lately.map(|(shard, _)| (*shard, NOTHING)).filter(|(shard, _)| shard.0 < BUCKETS).collect()
    }

    /// How much longer the Leases have to be watched until all that have existed within the longest LeaseDuration have been seen.
    pub(super) fn unobserved(&self, now: Monotonic) -> Duration {
        let wait = self.reservation();
        let since = self.lock().list.map(|(received, _)| received);
        since.map_or(wait, |since| wait.saturating_sub(now.duration_since(since)))
    }

    /// Notes that this term is about to create the Lease of this shard. Once the request is sent, the Lease may exist, be taken and be
    /// deleted again by hand.
    pub(crate) fn creating(&self, shard: ShardId) {
        self.lock().created.insert(shard);
    }

    /// Notes that a Lease of this shard existed although it had not been seen.
    pub(crate) fn existed(&self, shard: ShardId) {
        self.lock().earlier.insert(shard);
    }

    /// To be called when etcd was restored: the list and its watch say nothing about what happened since. From now on this process creates
    /// no Lease released.
    pub(crate) fn invalidate(&self) {
        self.lock().list = None;
    }

    /// The LeaseDuration of a placeholder.
    pub(crate) fn reservation(&self) -> Duration {
        self.lock().longest.max(self.lease_duration)
    }

    /// Whether the holder of this coordinator term may now create the Lease of this shard released.
    pub(crate) async fn may_create_released(&self, shard: ShardId, term: &Term) -> bool {
        let wait = self.reservation();
        let (received, version) = {
            let mut known = self.lock();
            known.begin_term(term.token());
            let Some(list) = known.list else { return false };
            if !known.nobody_holds_any_of(shard) {
                return false;
            }
            list
        };
        if self.clock.now().monotonic.duration_since(received) < wait {
            return false;
        }
        if version >= term.token().0 {
            return true;
        }
        let events = self.events_between(version, term.token().0);
        let events = tokio::select! {
            events = events => events,
            () = self.clock.sleep(self.lease_duration) => None,
        };
        let Some(seen) = events else {
            self.lock().list = None;
            return false;
        };
        self.observe(self.clock.now().monotonic, &seen);
        let mut known = self.lock();
        known.list = Some((received, term.token().0));
        known.nobody_holds_any_of(shard)
    }

    /// The Leases in all events after `from`, up to and including `to`; `None` if the API server no longer has them, or does not
    /// answer.
    async fn events_between(&self, from: u64, to: u64) -> Option<Vec<Lease>> {
        let params = WatchParams::default();
        let mut events = self.api.watch(&params, &from.to_string()).await.ok()?.boxed();
        let mut seen = Vec::new();
        while let Ok(Some(event)) = events.try_next().await {
            let lease = match event {
                WatchEvent::Added(lease) | WatchEvent::Modified(lease) | WatchEvent::Deleted(lease) => lease,
                WatchEvent::Bookmark(_) => continue,
                WatchEvent::Error(_) => return None,
            };
            let version = lease.resource_version()?.parse::<u64>().ok()?;
            if self.names.shard_of(&lease.name_any()).is_some() {
                seen.push(lease);
            }
            if version >= to {
                return Some(seen);
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock()
    }
}

/// A new shard Lease.
pub(super) fn new_lease(name: &LeaseName, released: bool, wait: Duration, at: Timestamp) -> Lease {
    if released { released_lease(name, at) } else { reserved_lease(name, wait, at) }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::LeaseSpec;
    use lease_core::{NOBODY, observed};

    use super::*;

    fn record_of_new(released: bool) -> lease_core::LeaseRecord {
        let name = LeaseName::from_server("op-shard-0");
        let mut lease = new_lease(&name, released, Duration::from_secs(15), Timestamp::UNIX_EPOCH);
        lease.metadata.uid = Some("u".into());
        lease.metadata.resource_version = Some("1".into());
        observed(&lease).unwrap().record
    }

    fn lease(seconds: i32) -> Lease {
        let spec = LeaseSpec { lease_duration_seconds: Some(seconds), ..LeaseSpec::default() };
        Lease { spec: Some(spec), ..Lease::default() }
    }

    #[test]
    fn on_a_first_install_all_shards_of_the_layout_are_created_released() {
        let mut known = Known::default();
        known.begin_term(FencingToken(7));
        for shard in [0, 1, 2].map(ShardId) {
            assert!(known.nobody_holds_any_of(shard), "{shard}");
            known.created.insert(shard);
            known.observe(shard, &lease(15));
        }
        assert!(!known.nobody_holds_any_of(ShardId(1)), "somebody deleted it, and it may have had a holder");
    }

    #[test]
    fn one_lease_of_whatever_number_makes_all_new_ones_wait() {
        let mut known = Known::default();
        known.begin_term(FencingToken(7));
        known.observe(ShardId(0), &lease(15));
        assert!(!known.nobody_holds_any_of(ShardId(6)), "its buckets may have been shard 0's");
    }

    #[test]
    fn what_an_earlier_term_created_may_have_been_held_under_another_layout_since() {
        let mut known = Known::default();
        known.begin_term(FencingToken(7));
        known.created.insert(ShardId(0));
        known.begin_term(FencingToken(7));
        assert!(known.nobody_holds_any_of(ShardId(1)), "the same term goes on");
        known.begin_term(FencingToken(9));
        assert!(!known.nobody_holds_any_of(ShardId(1)));
    }

    #[test]
    fn the_longest_lease_duration_counts_unless_it_is_absurd() {
        let mut known = Known::default();
        for seconds in [15, 60, 5, -1] {
            known.observe(ShardId(0), &lease(seconds));
        }
        assert_eq!(known.longest, Duration::from_secs(60));
        known.observe(ShardId(0), &lease(i32::MAX));
        assert_eq!(known.longest, LONGEST_CREDIBLE);
    }

    #[test]
    fn a_placeholder_has_to_expire_and_a_released_lease_has_not() {
        assert!(record_of_new(true).is_released());
        let record = record_of_new(false);
        assert!(!record.is_released());
        assert_eq!(record.lease_duration, Some(Duration::from_secs(15)));
        assert_eq!(record.holder.unwrap().as_str(), NOBODY);
    }
}
