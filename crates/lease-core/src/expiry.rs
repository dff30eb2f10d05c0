//! Until when the holder of a Lease is honoured, for processes that only watch the Lease.

use std::time::Duration;

use crate::record::ObservedLease;
use crate::revision::Revision;
use crate::rules;
use crate::time::Monotonic;

/// When this process last saw a Lease change.
///
/// It uses the same rules as [`Elector`](crate::Elector): a holder is honoured for the LeaseDuration that it states, from the instant at
/// which *this* process saw the record change. So a process that has just started honours every holder at first. An expired holder does
/// not give the right to take the Lease: that also depends on who held it before.
///
/// ```
/// # use std::time::Duration;
/// # use lease_core::*;
/// # let lease = ObservedLease {
/// #     name: LeaseName::from_server("op-member-1"),
/// #     revision: Revision { uid: Uid("u".into()), version: ResourceVersion(1) },
/// #     record: LeaseRecord { lease_duration: Some(Duration::from_secs(5)), ..LeaseRecord::default() },
/// #     successor: None,
/// # };
/// let own = Duration::from_secs(15);
/// let at = |seconds| Monotonic::from_origin(Duration::from_secs(seconds));
/// let first = LastChange::of(&lease, None, at(1), own);
/// let again = LastChange::of(&lease, Some(&first), at(4), own);
/// assert_eq!(again.expires_at(), at(6));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastChange {
    revision: Revision,
    seen_at: Monotonic,
    honoured_for: Duration,
}

impl LastChange {
    /// From the state of a Lease that was seen at `now`; `before` is the result for the state that was seen previously. `own` is the LeaseDuration of
    /// the observer, which is used for a Lease that states none.
    #[must_use]
    pub fn of(lease: &ObservedLease, before: Option<&Self>, now: Monotonic, own: Duration) -> Self {
        let unchanged = before.filter(|before| before.revision == lease.revision);
        Self {
            revision: lease.revision.clone(),
            seen_at: unchanged.map_or(now, |before| before.seen_at),
            honoured_for: rules::honoured_for(lease.record.lease_duration, own),
        }
    }

    /// When the holder is no longer honoured, unless the Lease changes before.
    #[must_use]
    pub fn expires_at(&self) -> Monotonic {
        rules::honoured_until(Monotonic::ORIGIN, self.seen_at, self.honoured_for)
    }

    /// When the last change was seen.
    pub fn seen_at(&self) -> Monotonic {
        self.seen_at
    }

    /// The state of the Lease that this refers to.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }
}
