//! How a shard Lease comes into the world: released, if it provably never had a holder, else with a placeholder for
//! a holder, which has to expire like any other.
//!
//! # Why a placeholder
//!
//! If someone deletes a shard Lease, its holder may go on believing in it until its validity ends, RenewDeadline after
//! its last write was sent. A new Lease that anyone may take at once would let two replicas work. A placeholder
//! makes everyone wait one LeaseDuration from the creation, which is longer.
//!
//! # Why, and when, not
//!
//! *Claim.* A Lease may be created released at instant T if it existed at no instant from T − LeaseDuration to T.
//! *Proof.* To hold it is to have had a write accepted, sent no longer than RenewDeadline ago, by which the Lease existed.
//! A write accepted before T − LeaseDuration was sent before it, so the validity it gave ended before
//! T − LeaseDuration + RenewDeadline < T; and after it, none was accepted. So nobody holds the Lease at T.
//!
//! That it existed at no such instant is seen from three things together:
//!
//! 1. a consistent list, received at or before T − LeaseDuration, does not contain it ([`Births::witness`], taken when the
//!    replica starts);
//! 2. a watch from that list's resourceVersion, read up to the write by which this replica acquired the coordinator Lease
//!    (Leases share one sequence of versions, so our own write tells that everything before it was shown), brings no event
//!    of it;
//! 3. from then on only the holder of the coordinator Lease, that is this process, creates shard Leases, and it remembers what
//!    it created. (A predecessor's creation that is still in the network at our acquisition would have to be held up for
//!    longer than LeaseDuration − RenewDeadline: the assumption that the whole promise rests on.)
//!
//! On a first install all three hold once LeaseDuration has passed since the start, and that is how long the coordinator
//! Lease itself takes to be created; so the first shards need not wait a second time.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, ResourceExt,
    api::{ListParams, WatchEvent, WatchParams},
    core::ObjectMeta,
};
use lease_core::{Clock, LeaseName, Term, identity::NOBODY, released_lease};

use crate::{bucket::ShardId, names::Names};

/// What this replica knows about which shard Leases ever existed.
pub(crate) struct Births {
    api: Api<Lease>,
    names: Names,
    clock: Arc<dyn Clock>,
    lease_duration: Duration,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// When the list was received, and its resourceVersion; `None` if there is no list to go by.
    list: Option<(Duration, u64)>,
    existed: BTreeSet<ShardId>,
}

impl Births {
    /// Takes the list. A list that fails costs a LeaseDuration on a first install, and nothing else.
    pub(crate) async fn witness(
        api: Api<Lease>,
        names: Names,
        clock: Arc<dyn Clock>,
        lease_duration: Duration,
    ) -> Self {
        let births = Self { api, names, clock, lease_duration, known: Mutex::default() };
        let everything = ListParams::default();
        let listing = births.api.list(&everything);
        let listed = tokio::select! {
            listed = listing => listed.map_err(|error| error.to_string()),
            () = births.clock.sleep(lease_duration) => Err("no answer within LeaseDuration".to_owned()),
        };
        match listed {
            Ok(list) => {
                let version = list.metadata.resource_version.as_deref().and_then(|text| text.parse().ok());
                let mut known = births.lock();
                known.list = version.map(|version| (births.clock.now().monotonic, version));
                known.existed =
                    list.iter().filter_map(|lease| births.names.shard_of(&lease.name_any())).collect();
            }
            Err(error) => tracing::warn!(%error, "the Leases could not be listed at the start"),
        }
        births
    }

    /// These exist, or may have from now on.
    pub(crate) fn existed(&self, shards: impl IntoIterator<Item = ShardId>) {
        self.lock().existed.extend(shards);
    }

    /// Whether a Lease for this shard may be created released, now, by the holder of this coordinator term.
    pub(crate) async fn may_be_released(&self, shard: ShardId, term: &Term) -> bool {
        let (received, version, existed) = {
            let known = self.lock();
            let Some((received, version)) = known.list else { return false };
            (received, version, known.existed.contains(&shard))
        };
        if existed || self.clock.now().monotonic.saturating_sub(received) < self.lease_duration {
            return false;
        }
        if version >= term.token().0 {
            return true;
        }
        let history = self.history(version, term.token().0);
        let history = tokio::select! {
            history = history => history,
            () = self.clock.sleep(self.lease_duration) => None,
        };
        let mut known = self.lock();
        if let Some(seen) = history {
            known.list = Some((received, term.token().0));
            known.existed.extend(seen);
            !known.existed.contains(&shard)
        } else {
            known.list = None;
            false
        }
    }

    /// The shards whose Leases had any event after `from`, up to and including `to`; `None` if the API server no longer
    /// remembers, or does not say.
    async fn history(&self, from: u64, to: u64) -> Option<BTreeSet<ShardId>> {
        let params = WatchParams::default();
        let mut events = self.api.watch(&params, &from.to_string()).await.ok()?.boxed();
        let mut seen = BTreeSet::new();
        while let Ok(Some(event)) = events.try_next().await {
            let lease = match event {
                WatchEvent::Added(lease) | WatchEvent::Modified(lease) | WatchEvent::Deleted(lease) => lease,
                WatchEvent::Bookmark(_) => continue,
                WatchEvent::Error(_) => return None,
            };
            seen.extend(self.names.shard_of(&lease.name_any()));
            if lease.resource_version()?.parse::<u64>().ok()? >= to {
                return Some(seen);
            }
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new shard Lease.
pub(super) fn newborn(name: &LeaseName, released: bool, lease_duration: Duration, at: Timestamp) -> Lease {
    if released {
        return released_lease(name, at);
    }
    Lease {
        metadata: ObjectMeta { name: Some(name.as_str().to_owned()), ..ObjectMeta::default() },
        spec: Some(LeaseSpec {
            holder_identity: Some(NOBODY.to_owned()),
            lease_duration_seconds: Some(i32::try_from(lease_duration.as_secs()).unwrap_or(i32::MAX)),
            acquire_time: Some(MicroTime(at)),
            renew_time: Some(MicroTime(at)),
            lease_transitions: Some(0),
            ..LeaseSpec::default()
        }),
    }
}

#[cfg(test)]
mod tests {
    use lease_core::observed;

    use super::*;

    fn born(released: bool) -> lease_core::LeaseRecord {
        let name = LeaseName::from_server("op-shard-0");
        let mut lease = newborn(&name, released, Duration::from_secs(15), Timestamp::UNIX_EPOCH);
        lease.metadata.uid = Some("u".into());
        lease.metadata.resource_version = Some("1".into());
        observed(&lease, "").unwrap().record
    }

    #[test]
    fn a_placeholder_has_to_expire_and_a_released_lease_has_not() {
        assert!(born(true).is_released());
        let record = born(false);
        assert!(!record.is_released());
        assert_eq!(record.lease_duration, Some(Duration::from_secs(15)));
        assert_eq!(record.holder.unwrap().as_str(), NOBODY);
    }
}
