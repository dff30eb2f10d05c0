//! The view of all Leases that the watch has shown.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::name::LeaseName;
use crate::time::Monotonic;

/// A state of a Lease, and when this process saw it first.
#[derive(Clone, Debug)]
pub struct ShownLease {
    /// The Lease.
    pub lease: Arc<Lease>,
    /// When this process saw this state first. It tells how long a holder has been silent, no matter how rarely the view is read.
    pub shown_at: Monotonic,
}

impl Deref for ShownLease {
    type Target = Lease;

    fn deref(&self) -> &Lease {
        &self.lease
    }
}

/// Leases by name.
pub(super) type Shown = RwLock<BTreeMap<LeaseName, ShownLease>>;

/// All Leases of the operator, in the state that the watch has shown last. It may be out of date, so base only decisions on it that the API server checks.
#[derive(Clone, Debug)]
pub struct LeaseView {
    pub(super) leases: Arc<Shown>,
    /// Leases that candidates of this process have read and that the watch cannot show, because they lack the election label.
    pub(super) unlabelled: Arc<Shown>,
    /// Counts changes; 0 until the first list is complete.
    pub(super) changes: watch::Receiver<u64>,
}

impl LeaseView {
    /// All Leases with the operator's election label, and the last read state of Leases without it for which this process
    /// contends.
    pub fn snapshot(&self) -> Vec<ShownLease> {
        let leases = self.leases.read();
        let unlabelled = self.unlabelled.read();
        let others =
            unlabelled.iter().filter(|(name, _)| !leases.contains_key(*name)).map(|(_, lease)| lease);
        leases.values().chain(others).cloned().collect()
    }

    /// The Lease with this name, if there is one.
    pub fn get(&self, name: &LeaseName) -> Option<ShownLease> {
        let labelled = self.leases.read().get(name).cloned();
        labelled.or_else(|| self.unlabelled.read().get(name).cloned())
    }

    /// Resolves when a Lease has changed since this view was created, or since this last resolved. A renewal that changes nothing but its time does not
    /// count, because with many Leases there is always one. The next [`snapshot`](Self::snapshot) contains it, with the instant at which it
    /// was seen.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            // The watch has ended with the elections of the process, so there will be no further change.
            std::future::pending::<()>().await;
        }
    }

    /// Resolves when the first list is complete.
    pub async fn synced(&mut self) {
        if self.changes.wait_for(|changes| *changes > 0).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether the states differ only in the time of renewal and in the metadata that the API server changes with each write.
pub(super) fn is_renewal(former: &Lease, later: &Lease) -> bool {
    let (one, other) = (&former.metadata, &later.metadata);
    one.uid == other.uid
        && one.labels == other.labels
        && one.annotations == other.annotations
        && one.owner_references == other.owner_references
        && one.finalizers == other.finalizers
        && one.deletion_timestamp == other.deletion_timestamp
        && same_but_for_its_time(former.spec.as_ref(), later.spec.as_ref())
}

fn same_but_for_its_time(former: Option<&LeaseSpec>, later: Option<&LeaseSpec>) -> bool {
    let (Some(former), Some(later)) = (former, later) else { return former.is_none() && later.is_none() };
    // Field by field, so that one that is new to Kubernetes is not forgotten.
    let LeaseSpec {
        acquire_time,
        holder_identity,
        lease_duration_seconds,
        lease_transitions,
        preferred_holder,
        renew_time: _,
        strategy,
    } = former;
    *acquire_time == later.acquire_time
        && *holder_identity == later.holder_identity
        && *lease_duration_seconds == later.lease_duration_seconds
        && *lease_transitions == later.lease_transitions
        && *preferred_holder == later.preferred_holder
        && *strategy == later.strategy
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn lease(change: impl FnOnce(&mut Lease)) -> Lease {
        let mut lease = Lease::default();
        lease.metadata.uid = Some("u".into());
        lease.metadata.annotations = Some([("plan".to_owned(), "one".to_owned())].into());
        let spec = lease.spec.get_or_insert_default();
        spec.holder_identity = Some("a".into());
        spec.lease_duration_seconds = Some(15);
        spec.lease_transitions = Some(3);
        change(&mut lease);
        lease
    }

    #[test]
    fn a_renewal_changes_its_time_and_its_version() {
        let renewed = lease(|lease| {
            lease.metadata.resource_version = Some("7".into());
            lease.metadata.managed_fields = Some(Vec::new());
            lease.spec.get_or_insert_default().renew_time = Some(MicroTime(Timestamp::UNIX_EPOCH));
        });
        assert!(is_renewal(&lease(|_| {}), &renewed));
    }

    #[test]
    fn whatever_else_changes_is_no_renewal() {
        let changes: [fn(&mut Lease); 9] = [
            |lease| lease.metadata.uid = Some("v".into()),
            |lease| lease.metadata.annotations = None,
            |lease| lease.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into()),
            |lease| lease.metadata.owner_references = Some(Vec::new()),
            |lease| lease.spec.get_or_insert_default().holder_identity = Some("b".into()),
            |lease| lease.spec.get_or_insert_default().lease_duration_seconds = Some(16),
            |lease| lease.spec.get_or_insert_default().lease_transitions = Some(4),
            |lease| {
                lease.spec.get_or_insert_default().acquire_time = Some(MicroTime(Timestamp::UNIX_EPOCH));
            },
            |lease| lease.spec = None,
        ];
        for (nth, change) in changes.into_iter().enumerate() {
            assert!(!is_renewal(&lease(|_| {}), &lease(change)), "change {nth}");
        }
    }
}
