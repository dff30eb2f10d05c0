//! Rewound history: etcd was restored from a backup while this process was running.
//!
//! The protocol relies on resourceVersions that only grow. A state with an older version than the known one is ignored, and a write on top of an outdated
//! state conflicts. After a restore this no longer works: every state is older than what is known, so it would be ignored, and every write would conflict,
//! forever.
//!
//! A restore is proven by a consistent read, or by an accepted write, that returns an older version of the Lease than had been seen when
//! it was sent. Watches and lists prove nothing: a watch may be late, and a list may come from a cache of the API server that survived the restore. The
//! proof by a write is needed if the backup does not contain the Lease: then reads find nothing, which has no version, until the Lease is recreated. Only versions of
//! the same Lease are compared, so nothing is assumed about other objects, which may be in another etcd.
//!
//! This needs no additional requests. A write that conflicts is followed by a read, and so are two RetryPeriods without a change ([`schedule_poll`](Elector::schedule_poll)). The writes of a term conflict within
//! RetryPeriod, and a state that is older than the known one does not postpone the next read.

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

/// Repeated rewinds. They happen if API servers alternately answer from different states, for example because not all of them were restarted.
///
/// Each rewind ends all terms of the process and restarts all watches and caches, so the pause before the next read, which may prove another one, grows each time.
#[derive(Debug, Default)]
pub(super) struct Rewinds {
    last: Option<Monotonic>,
    in_a_row: u32,
}

/// The longest pause, in LeaseDurations.
const LONGEST: u32 = 4;

impl Rewinds {
    /// How long no request is sent after a rewind: a jittered RetryPeriod, which doubles with each rewind that follows within twice the longest pause. The longest
    /// pause is four LeaseDurations.
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
    /// A read has returned `read`; `known` had been seen when it was sent.
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

    /// A write of this process was accepted as `landed`. Returns whether that proves a rewind.
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

    /// Starts over: forgets what was seen, ends the term, because its token is void, and does not take the Lease
    /// for LeaseDuration, whatever it says: another process may hold it according to the history before the restore.
    pub(super) fn void(&mut self, cx: &Context) {
        self.attempts.void();
        self.view.void(cx.now.monotonic, &self.config.timings);
        self.must_read = true;
        self.write_failed = false;
        self.abandoned = None;
        // The initial list of the restarted watch shows all Leases at once. A read of each is needed only if it does not.
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
