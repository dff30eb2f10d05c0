//! Which installation a LeaderElectionID belongs to, if two were given the same one. Pure.
//!
//! Each Lease names its holder's installation. A replica that finds the ID in use by another installation contends for nothing. Refusing is
//! always safe; it must only never happen that everybody refuses.
//!
//! *Rule.* Take the Leases that are held and alive in the order coordinator Lease, shard 0, shard 1, …. The first one that names an
//! installation determines the incumbent. A Lease is alive if a standby would not take it: it has changed within its own stated duration,
//! as seen by this replica. Leases of older versions name no installation and do not count.
//!
//! *The incumbent keeps working.* While its coordinator lives, the newcomer refuses before it has written a single Lease. If that
//! coordinator dies, the shard Leases of its installation still determine the incumbent until another of its replicas has taken over.
//!
//! *Nobody is locked out.* The rule is a function of the Leases, so two replicas that see the same Leases agree on the incumbent, and the
//! incumbent does not refuse. One LeaseDuration after its last process has died or released, none of its Leases is alive, and everyone may
//! contend. If two installations start at the same time, both contend until one of them holds the coordinator Lease; the other then gives up
//! what it has taken. Member Leases do not count: each replica creates its own, so two newcomers could refuse because of each other for ever.
//!
//! *An operator of another API group* has annotations under another domain. To a replica that reads only its own, the coordinator of such an
//! operator would look like a predecessor that does not shard, for which it waits. The difference is that it names itself on the coordinator
//! Lease, under another domain. That Lease has one holder, so here too the incumbent does not refuse.

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use lease_core::{
    Identity, Installation, LastChange, Monotonic, NOBODY, ObservedLease, ShownLease, observed,
};

use crate::{names::Names, routing::bucket::ShardId};

/// Which installation owns the LeaderElectionID, as far as this replica can see from the Leases.
#[derive(Debug, Clone)]
pub(crate) struct Incumbency {
    lease_duration: Duration,
    seen: BTreeMap<LeaseRole, LastChange>,
    incumbent: Option<Incumbent>,
    /// The domain and the coordinator of an operator for another API group that holds the coordinator Lease.
    foreign_operator: Option<(String, Identity)>,
}

/// Who was found to be there first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incumbent {
    pub(crate) installation: Installation,
    lease: String,
    holder: Identity,
}

/// A Lease that counts, in the order in which it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LeaseRole {
    Coordinator,
    Shard(ShardId),
}

impl Incumbency {
    /// As a replica sees it whose own LeaseDuration is this.
    pub(crate) fn new(lease_duration: Duration) -> Self {
        Self { lease_duration, seen: BTreeMap::new(), incumbent: None, foreign_operator: None }
    }

    /// Takes in what the watch shows now.
    pub(crate) fn observe<'a>(
        &mut self,
        names: &Names,
        now: Monotonic,
        leases: impl IntoIterator<Item = &'a ShownLease>,
    ) {
        let before = std::mem::take(&mut self.seen);
        let mut alive = BTreeMap::new();
        for lease in leases {
            let name = lease.metadata.name.as_deref();
            let Some(role) = name.and_then(|name| role(names, name)) else { continue };
            let Ok(read) = observed(lease) else { continue };
            let change = LastChange::of(&read, before.get(&role), lease.shown_at, self.lease_duration);
            if now < change.expires_at() {
                alive.insert(role, (lease, read));
            }
            self.seen.insert(role, change);
        }
        let coordinator = alive.get(&LeaseRole::Coordinator);
        self.foreign_operator = coordinator.and_then(|(lease, read)| foreign_operator(names, lease, read));
        self.incumbent = alive.into_values().find_map(|(lease, read)| claim(names, lease, &read));
    }

    /// In one sentence, why a replica of this installation must not contend; `None` if it may.
    pub(crate) fn refusal(&self, names: &Names, own: Option<&Installation>) -> Option<String> {
        if let Some((domain, holder)) = &self.foreign_operator {
            return Some(format!(
                "the LeaderElectionID {} is in use by another operator, whose labels and annotations begin with {domain}/ ({holder} \
                 coordinates it); give one of the operators a LeaderElectionID of its own",
                names.coordinator(),
            ));
        }
        // A replica without an installation cannot distinguish itself from others.
        let own = own?;
        let incumbent = self.incumbent.as_ref().filter(|incumbent| incumbent.installation != *own)?;
        Some(format!(
            "the LeaderElectionID {} is in use by the installation {}, which holds lease {} ({}), and this replica belongs to \
             {own}; if both look after the same resources, stop one of them, else give one a LeaderElectionID of its own",
            names.coordinator(),
            incumbent.installation,
            incumbent.lease,
            incumbent.holder,
        ))
    }
}

/// Whose replica holds or made a Lease, where that is written on it.
pub(crate) fn installation_of(names: &Names, lease: &Lease) -> Option<Installation> {
    let name = lease.metadata.annotations.as_ref()?.get(&names.installation_annotation())?;
    Installation::new(name.clone()).ok()
}

fn role(names: &Names, lease: &str) -> Option<LeaseRole> {
    if names.is_coordinator(lease) {
        return Some(LeaseRole::Coordinator);
    }
    names.shard_of(lease).map(LeaseRole::Shard)
}

/// A placeholder is not a holder.
fn claim(names: &Names, lease: &Lease, read: &ObservedLease) -> Option<Incumbent> {
    let holder = read.record.holder.clone().filter(|holder| holder.as_str() != NOBODY)?;
    let installation = installation_of(names, lease)?;
    Some(Incumbent { installation, lease: read.name.as_str().to_owned(), holder })
}

/// A holder of the coordinator Lease that names itself there under another domain.
fn foreign_operator(names: &Names, lease: &Lease, read: &ObservedLease) -> Option<(String, Identity)> {
    let holder = read.record.holder.as_ref()?;
    let own = names.coordinator_annotation();
    let (_, suffix) = own.rsplit_once('/')?;
    let annotations = lease.metadata.annotations.as_ref()?;
    let names_itself = |key: &str| annotations.get(key).is_some_and(|writer| writer == holder.as_str());
    if names_itself(&own) {
        return None;
    }
    let others = annotations.keys().filter_map(|key| Some((key, key.rsplit_once('/')?)));
    let (_, (domain, _)) = others.into_iter().find(|(key, (_, end))| *end == suffix && names_itself(key))?;
    Some((domain.to_owned(), holder.clone()))
}

#[cfg(test)]
mod tests;
