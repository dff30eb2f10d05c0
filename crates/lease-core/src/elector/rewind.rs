//! History runs backwards: etcd was restored from a backup, under this process.
//!
//! Everything here rests on resourceVersions that only grow: what is older than what is known is old news, a watch that
//! shows it lags, a write on top of what is known conflicts where it is out of date. After a restore none of that holds. Each
//! state is older than what is known, so it is dropped as old news, and each write conflicts, for ever.
//!
//! What proves it is a consistent read alone. A watch may bring a state late, and a list may come from a cache of the API server
//! that survived the restore. No request is needed for it beyond those that are sent anyway: a write that conflicts is followed by a
//! read, and so is a quiet time of two RetryPeriods ([`schedule_poll`](Elector::schedule_poll)). A term's writes conflict within
//! RetryPeriod, and a state older than what is known does not count as a sign of life that puts the next look off.

use super::{Elector, State};
use crate::effect::{Effect, EndReason};
use crate::event::Context;
use crate::mutants::{Mutant, active};
use crate::record::ObservedLease;
use crate::revision::Revision;

impl Elector {
    /// A read that was sent when `known` had been seen has returned `read`.
    pub(super) fn look_for_a_rewind(
        &mut self,
        known: Option<&Revision>,
        read: Option<&ObservedLease>,
        cx: &Context,
    ) {
        let (Some(known), Some(read)) = (known, read) else { return };
        if read.revision.proves_rewind_after(known) && !active(Mutant::OldNewsAfterRewind) {
            self.effects.push_back(Effect::Rewound { known: known.clone(), read: read.revision.clone() });
            self.void(cx);
        }
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
        self.retry_at = cx.now.monotonic + self.config.timings.jittered_retry(cx.roll);
        if active(Mutant::TermsSurviveRewind) && self.holding.is_some() {
            return;
        }
        self.vacated();
        self.lose(EndReason::Rewound);
        self.state = State::Starting;
    }
}
