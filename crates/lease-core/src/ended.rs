//! Processes that are proven to have ended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::identity::Identity;
use crate::rules;
use crate::time::Monotonic;

/// Processes that are proven to have ended, by their identities.
///
/// A Lease that names one of them as holder is taken as soon as nothing that this process has sent can be on its way any more, instead of after
/// the LeaseDuration that it states. The driver makes the proof with a lock, see `ElectionsOptions::state_dir`.
///
/// ```
/// use std::time::Duration;
///
/// use lease_core::{EndedProcesses, Identity, Monotonic};
///
/// # fn main() -> Result<(), lease_core::EmptyIdentity> {
/// let earlier = Identity::new("pod-0_5f1c")?;
/// let gained = Monotonic::from_origin(Duration::from_secs(7));
/// let ended = EndedProcesses::proven_by_lock(true, gained, [(earlier.clone(), Duration::from_secs(5))]);
/// assert_eq!(ended.identities().collect::<Vec<_>>(), [&earlier]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndedProcesses(Arc<BTreeMap<Identity, Proof>>);

/// What is known of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Proof {
    /// When this process found that it had ended.
    proven_at: Monotonic,
    /// How long a request that it sent may be on its way.
    longest_transit: Duration,
}

impl EndedProcesses {
    /// The processes that have held a lock for their whole lives, if this process has gained it: `is_held` says so, and `at` is an instant after
    /// that. If another process holds the lock, nothing is proven of any of them.
    ///
    /// With each identity comes how long a request of that process may be on its way after its end: its LeaseDuration − RenewDeadline.
    #[must_use]
    pub fn proven_by_lock(
        is_held: bool,
        at: Monotonic,
        processes: impl IntoIterator<Item = (Identity, Duration)>,
    ) -> Self {
        if !rules::lock_proves_the_end(is_held) {
            return Self::default();
        }
        let proof = |longest_transit| Proof { proven_at: at, longest_transit };
        Self(Arc::new(processes.into_iter().map(|(identity, transit)| (identity, proof(transit))).collect()))
    }

    /// These and others.
    #[must_use]
    pub fn and(&self, others: &Self) -> Self {
        if others.0.is_empty() {
            return self.clone();
        }
        Self(Arc::new(
            others
                .0
                .iter()
                .chain(self.0.iter())
                .map(|(identity, proof)| (identity.clone(), *proof))
                .collect(),
        ))
    }

    /// Their identities.
    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.0.keys()
    }

    /// Until when others may honour one of them as the holder of a Lease: its last renewal may have arrived as late as possible, and others do not know that it
    /// has ended. `lease_duration` is the longest that a Lease of theirs may state. `None` if there are none.
    pub fn honoured_by_others_until(&self, lease_duration: Duration) -> Option<Monotonic> {
        self.0.values().map(|proof| proof.proven_at + proof.longest_transit + lease_duration).max()
    }

    /// When the holder of a Lease is gone, if it is one of these.
    pub(crate) fn gone_at(&self, holder: Option<&Identity>) -> Option<Monotonic> {
        let (_, proof) =
            self.0.iter().find(|(ended, _)| holder.is_some_and(|holder| rules::has_ended(holder, ended)))?;
        Some(rules::gone_at(proof.proven_at, proof.longest_transit))
    }

    pub(crate) fn contains(&self, identity: &Identity) -> bool {
        self.0.contains_key(identity)
    }
}
