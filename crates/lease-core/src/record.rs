//! What a Lease says: the fields of its `spec`, under the names that client-go's LeaderElectionRecord gave them.

use std::time::Duration;

use jiff::Timestamp;

use crate::identity::{Identity, NOBODY};
use crate::name::LeaseName;
use crate::revision::Revision;

/// leaseDurationSeconds of a released Lease, as client-go's `release()` writes it.
///
/// It tells a release from a holder that someone blanked by hand, which is no release: the holder may not know.
pub const RELEASED_LEASE_DURATION: Duration = Duration::from_secs(1);

/// The election fields of one Lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseRecord {
    /// holderIdentity; `None` where absent or empty.
    pub holder: Option<Identity>,
    /// leaseDurationSeconds: how long everyone else has to wait after the record last changed. `None` where absent
    /// or not positive.
    pub lease_duration: Option<Duration>,
    /// acquireTime, for people. Never compared with a local clock.
    pub acquire_time: Option<Timestamp>,
    /// renewTime, for people, and to recognise one's own write. Never compared with a local clock.
    pub renew_time: Option<Timestamp>,
    /// leaseTransitions: how often the Lease went to another holder.
    pub transitions: u32,
}

impl LeaseRecord {
    /// The record of a Lease that nobody holds, in the form that a release writes.
    pub fn released(at: Timestamp, transitions: u32) -> Self {
        Self {
            holder: None,
            lease_duration: Some(RELEASED_LEASE_DURATION),
            acquire_time: Some(at),
            renew_time: Some(at),
            transitions,
        }
    }

    /// Whether the last holder gave the Lease up in good order.
    pub fn is_released(&self) -> bool {
        self.holder.is_none() && self.lease_duration == Some(RELEASED_LEASE_DURATION)
    }

    /// The record of a new Lease that nobody holds, but that has to expire before anyone may.
    pub fn reserved(at: Timestamp, lease_duration: Duration, transitions: u32) -> Self {
        Self {
            holder: Some(Identity::nobody()),
            lease_duration: Some(lease_duration),
            acquire_time: Some(at),
            renew_time: Some(at),
            transitions,
        }
    }

    /// Whether [`NOBODY`] holds the Lease. Its leaseTransitions is then that of the holder
    /// to come.
    pub fn is_reserved(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.as_str() == NOBODY)
    }

    /// Whether this is the holder.
    pub fn is_held_by(&self, identity: &Identity) -> bool {
        self.holder.as_ref() == Some(identity)
    }
}

/// One Lease as a read, a watch or the answer to a write showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedLease {
    /// Its name.
    pub name: LeaseName,
    /// Which state of which object this is.
    pub revision: Revision,
    /// What it says.
    pub record: LeaseRecord,
    /// Whom the last holder named as its successor when it released, from an annotation.
    pub successor: Option<Identity>,
}
