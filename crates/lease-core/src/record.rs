//! The contents of a Lease: the fields of its `spec`, with the names of client-go's LeaderElectionRecord.

use std::time::Duration;

use jiff::Timestamp;

use crate::identity::{Identity, NOBODY};
use crate::name::LeaseName;
use crate::revision::Revision;

/// leaseDurationSeconds of a released Lease, as client-go's `release()` writes it.
///
/// It distinguishes a release from a holder that somebody blanked by hand. The latter is not a release, because the holder may not know.
pub const RELEASED_LEASE_DURATION: Duration = Duration::from_secs(1);

/// The election fields of one Lease.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseRecord {
    /// holderIdentity; `None` if absent or empty.
    pub holder: Option<Identity>,
    /// leaseDurationSeconds: how long other candidates have to wait after the last change of the record. `None` if absent
    /// or not positive.
    pub lease_duration: Option<Duration>,
    /// acquireTime, for information only. Never compared with a local clock.
    pub acquire_time: Option<Timestamp>,
    /// renewTime, for information, and to recognise this process' own writes. Never compared with a local clock.
    pub renew_time: Option<Timestamp>,
    /// leaseTransitions: how often the holder has changed.
    pub transitions: u32,
}

impl LeaseRecord {
    /// The record that a release writes: no holder, and [`RELEASED_LEASE_DURATION`].
    pub fn released(at: Timestamp, transitions: u32) -> Self {
        Self {
            holder: None,
            lease_duration: Some(RELEASED_LEASE_DURATION),
            acquire_time: Some(at),
            renew_time: Some(at),
            transitions,
        }
    }

    /// Whether the last holder released the Lease.
    pub fn is_released(&self) -> bool {
        self.holder.is_none() && self.lease_duration == Some(RELEASED_LEASE_DURATION)
    }

    /// The record of a new Lease with a placeholder as holder ([`NOBODY`]), which has to expire before anyone may take it.
    pub fn reserved(at: Timestamp, lease_duration: Duration, transitions: u32) -> Self {
        Self {
            holder: Some(Identity::nobody()),
            lease_duration: Some(lease_duration),
            acquire_time: Some(at),
            renew_time: Some(at),
            transitions,
        }
    }

    /// Whether the holder is the placeholder [`NOBODY`]. Then leaseTransitions is already that of the next
    /// holder.
    pub fn is_reserved(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| holder.as_str() == NOBODY)
    }

    /// Whether `identity` is the holder.
    pub fn is_held_by(&self, identity: &Identity) -> bool {
        self.holder.as_ref() == Some(identity)
    }
}

/// How precise the times are that a record keeps. A time that is read back must equal the one that was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimePrecision {
    /// Microseconds, as in a Lease.
    #[default]
    Microseconds,
    /// Whole seconds, as in the record that client-go keeps in an annotation of a ConfigMap or of Endpoints.
    Seconds,
}

impl TimePrecision {
    /// The difference of two successive times.
    pub(crate) fn step(self) -> Duration {
        match self {
            Self::Microseconds => Duration::from_micros(1),
            Self::Seconds => Duration::from_secs(1),
        }
    }
}

/// The state of a Lease, from a read, a watch or the answer to a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedLease {
    /// The name of the Lease.
    pub name: LeaseName,
    /// The version of this state.
    pub revision: Revision,
    /// The contents.
    pub record: LeaseRecord,
    /// The successor that the last holder named when it released the Lease, from an annotation.
    pub successor: Option<Identity>,
}
