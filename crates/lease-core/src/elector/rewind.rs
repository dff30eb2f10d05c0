//! History runs backwards: etcd was restored from a backup, under this process.
//!
//! Everything here rests on resourceVersions that only grow: what is older than what is known is old news, a watch that
//! shows it lags, a write on top of what is known conflicts where it is out of date. After a restore none of that holds. Each
//! state is older than what is known, so it is dropped as old news, and each write conflicts, for ever.
//!
//! What proves it is a consistent read, or a write that was accepted, with a version below one that had been seen of the Lease when
//! it was sent. A watch may bring a state late, and a list may come from a cache of the API server that survived the restore. The write
//! counts where the backup has no such Lease: reads find nothing then, which has no version, until somebody makes it anew. Only versions of
//! one Lease are compared, so nothing is assumed of other objects, or of another etcd that these may be in.
//!
//! No request is needed for it beyond those that are sent anyway: a write that conflicts is followed by a read, and so is a quiet time of two RetryPeriods ([`schedule_poll`](Elector::schedule_poll)). A term's writes conflict within
//! RetryPeriod, and a state older than what is known does not count as a sign of life that puts the next look off.

use std::time::Duration;

use super::attempts::Attempt;
use super::{Elector, State};
use crate::effect::{Effect, EndReason};
use crate::event::Context;
use crate::record::ObservedLease;
use crate::revision::Revision;
use crate::rules;
use crate::time::Monotonic;
use crate::timings::Timings;

/// Rewinds that follow each other: API servers that answer by turns from different states, as where not all of them were restarted.
///
/// Each ends all terms of the process and begins all watches and caches anew, so the next look, which may prove another, comes later each time.
#[derive(Debug, Default)]
pub(super) struct Rewinds {
    last: Option<Monotonic>,
    in_a_row: u32,
}

/// The longest pause, in LeaseDurations.
const LONGEST: u32 = 4;

impl Rewinds {
    /// How long after a rewind no request is sent: a jittered RetryPeriod, doubled with each that follows within twice the longest pause, which
    /// is four LeaseDurations.
    fn pause(&mut self, cx: &Context, timings: &Timings) -> Duration {
        let now = cx.now.monotonic;
        let longest = timings.lease_duration() * LONGEST;
        let again = self.last.is_some_and(|last| now.duration_since(last) <= 2 * longest);
        self.in_a_row = if again { self.in_a_row.saturating_add(1) } else { 0 };
        self.last = Some(now);
        let factor = 2_u32.saturating_pow(self.in_a_row);
        timings.jittered_retry(cx.roll).saturating_mul(factor).min(longest)
    }
}

impl Elector {
    /// A read that was sent when `known` had been seen has returned `read`.
    pub(super) fn look_for_a_rewind(
        &mut self,
        known: Option<&Revision>,
        read: Option<&ObservedLease>,
        cx: &Context,
    ) {
        let (Some(known), Some(read)) = (known, read) else { return };
        if rules::read_proves_rewind(known, &read.revision) {
            self.effects.push_back(Effect::Rewound { known: known.clone(), read: read.revision.clone() });
            self.void(cx);
        }
    }

    /// A write of our own was accepted as `landed`. Whether that proves a rewind.
    pub(super) fn write_proves_a_rewind(
        &mut self,
        attempt: &Attempt,
        landed: &ObservedLease,
        cx: &Context,
    ) -> bool {
        let known = attempt.known.as_ref();
        let Some(known) = known.filter(|known| rules::write_proves_rewind(known, &landed.revision)) else {
            return false;
        };
        self.effects.push_back(Effect::Rewound { known: known.clone(), read: landed.revision.clone() });
        self.void(cx);
        true
    }

    /// Begins anew: what was seen does not stand, the token of the term is void and so the term ends, and the Lease is left alone
    /// for LeaseDuration, whatever it says. By the history that is gone somebody else may hold it.
    pub(super) fn void(&mut self, cx: &Context) {
        self.attempts.void();
        self.view.void(cx.now.monotonic, &self.config.timings);
        self.must_read = true;
        self.write_failed = false;
        self.abandoned = None;
        // The list that a new watch begins with shows all Leases at once; a read of each is needed only where it does not.
        let pause = self.rewinds.pause(cx, &self.config.timings);
        self.retry_at = cx.now.monotonic + pause;
        if self.term.is_some() && !rules::rewind_ends_terms() {
            return;
        }
        self.vacated();
        self.lose(EndReason::Rewound);
        self.state = State::Starting;
    }
}
