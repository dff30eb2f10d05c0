//! What the machine has seen of the Lease, and until when it honours the holder.

use std::time::Duration;

use jiff::Timestamp;

use super::Elector;
use crate::config::Creation;
use crate::effect::EndReason;
use crate::event::Context;
use crate::record::{LeaseRecord, ObservedLease, TimePrecision};
use crate::revision::{ResourceVersion, Revision, Uid};
use crate::rules;
use crate::time::Monotonic;
use crate::timings::Timings;

/// The last seen state of the Lease.
#[derive(Debug, Default)]
pub(super) struct View {
    seen: HolderSeen,
    /// The latest state of the Lease that was seen since history was last rewound, even if the Lease was deleted.
    latest: Option<Revision>,
    /// Until this instant of the local monotonic clock another process may hold the Lease.
    pub(super) honour_until: Monotonic,
    /// The part of it that is due to overwritten holders, who may not know. A release by the current holder does not end it.
    written_over_until: Monotonic,
    /// The same after history was rewound, whatever the record says: it is unknown who held the Lease before the restore.
    unknown_until: Monotonic,
    /// The last LeaseDuration that a record stated.
    pub(super) stated: Option<Duration>,
    latest_renewal: Option<Timestamp>,
    most_transitions: Option<u32>,
}

#[derive(Debug, Default)]
enum HolderSeen {
    #[default]
    Nothing,
    Missing,
    Lease(Box<ObservedLease>),
}

impl View {
    pub(super) fn is_known(&self) -> bool {
        !matches!(self.seen, HolderSeen::Nothing)
    }

    pub(super) fn lease(&self) -> Option<&ObservedLease> {
        match &self.seen {
            HolderSeen::Lease(lease) => Some(lease),
            HolderSeen::Nothing | HolderSeen::Missing => None,
        }
    }

    /// The latest state that was seen since history was last rewound, of any object with this name.
    pub(super) fn latest(&self) -> Option<&Revision> {
        self.latest.as_ref()
    }

    /// The uid of the object that was seen last; `None` if there is none.
    pub(super) fn uid(&self) -> Option<&Uid> {
        self.lease().map(|lease| &lease.revision.uid)
    }

    /// The version that was seen last; `None` if there is none.
    pub(super) fn version(&self) -> Option<ResourceVersion> {
        self.lease().map(|lease| lease.revision.version)
    }

    /// A renewTime that has not been written before.
    pub(super) fn next_renew_time(&self, wall: Timestamp, precision: TimePrecision) -> Timestamp {
        rules::next_renew_time(self.latest_renewal, wall, precision)
    }

    /// leaseTransitions for a new holder.
    pub(super) fn next_transitions(&self) -> u32 {
        rules::next_transitions(self.most_transitions)
    }

    /// Stores a state that this process itself has written. No other holder is honoured because of it.
    pub(super) fn adopt(&mut self, lease: ObservedLease) {
        self.remember(&lease.record);
        self.show(lease);
    }

    fn show(&mut self, lease: ObservedLease) {
        if self.latest.as_ref().is_none_or(|latest| latest.version < lease.revision.version) {
            self.latest = Some(lease.revision.clone());
        }
        self.seen = HolderSeen::Lease(Box::new(lease));
    }

    fn remember(&mut self, record: &LeaseRecord) {
        self.count(record);
        if record.holder.is_some() {
            self.stated = record.lease_duration.or(self.stated);
        }
    }

    /// Keeps the largest values of the fields that only grow. States that are shown late count as well.
    pub(super) fn count(&mut self, record: &LeaseRecord) {
        self.latest_renewal = self.latest_renewal.max(record.renew_time);
        // A reserved Lease contains the number of the next holder.
        let used =
            if record.is_reserved() { record.transitions.checked_sub(1) } else { Some(record.transitions) };
        self.most_transitions = self.most_transitions.max(used);
    }

    /// This process sends a write. No later write may have the same renewTime, so that the two can be distinguished.
    pub(super) fn wrote(&mut self, renew_time: Option<Timestamp>) {
        self.latest_renewal = self.latest_renewal.max(renew_time);
    }

    /// How long the unknown holder of a deleted Lease may consider it valid: the LeaseDuration that was stated, or this process' own if it has not
    /// seen the Lease.
    pub(super) fn wait_for_the_unknown(&self, timings: &Timings) -> Duration {
        self.stated.unwrap_or_default().max(timings.lease_duration())
    }

    /// History was rewound at `now`. Everything that was seen is void, but the holder of the Lease may not know that yet.
    /// Fields that only grow (renewTime, leaseTransitions) continue from the largest value ever seen.
    pub(super) fn void(&mut self, now: Monotonic, timings: &Timings) {
        self.seen = HolderSeen::Nothing;
        self.latest = None;
        self.unknown_until = self.honour_until.max(now + self.wait_for_the_unknown(timings));
    }

    /// Until when a holder is honoured who may hold the Lease according to the history before a restore.
    pub(super) fn unknown_until(&self) -> Monotonic {
        self.unknown_until
    }

    /// Does not take the Lease before `until`.
    pub(super) fn honour(&mut self, until: Monotonic) {
        self.honour_until = self.honour_until.max(until);
    }

    /// Honours the holder of the Lease after a change was seen at `now`: until it expires, or until `gone_at` if that is earlier.
    fn honour_holder(
        &mut self,
        stated: Option<Duration>,
        own: Duration,
        gone_at: Option<Monotonic>,
        now: Monotonic,
    ) {
        let expires_in = rules::honoured_for(stated.or(self.stated), own);
        let gone_in = gone_at.map(|gone_at| gone_at.duration_since(now));
        let duration = gone_in.map_or(expires_in, |gone_in| gone_in.min(expires_in));
        self.honour_until = rules::honoured_until(self.honour_until, now, duration);
    }

    /// The Lease names another holder, or is another object. The holders that are honoured so far have not released it.
    fn note_change_of_holder(&mut self, lease: &ObservedLease) {
        let same = |known: &ObservedLease| {
            known.revision.uid == lease.revision.uid && known.record.holder == lease.record.holder
        };
        if !self.lease().is_some_and(same) {
            self.written_over_until = self.honour_until;
        }
    }

    /// The object was created after the latest state was seen. The holder of the earlier object, when it was deleted, may be a process that was never
    /// seen as holder, and a release in the new object does not end the wait for it.
    fn note_another_object(&mut self, uid: &Uid, now: Monotonic, timings: &Timings) {
        if self.latest.as_ref().is_some_and(|latest| latest.uid != *uid) {
            let wait = self.wait_for_the_unknown(timings);
            self.honour_until = rules::honoured_after_replacement(self.honour_until, now, wait);
            self.written_over_until = self.honour_until;
        }
    }

    /// A release was seen. If the last seen holder is not the one that released, the release does not end the wait for it. leaseTransitions distinguishes
    /// them, because it is different for each holder.
    fn note_release(&mut self, release: &ObservedLease, now: Monotonic) {
        let follows = |known: &ObservedLease| {
            known.revision.uid == release.revision.uid
                && known.record.transitions == release.record.transitions
                && known.record.holder.is_some()
                && !known.record.is_reserved()
        };
        let follows = self.lease().is_some_and(follows);
        self.honour_until =
            rules::honoured_after_release(follows, self.honour_until, self.written_over_until, now);
    }
}

impl Elector {
    /// A state of the Lease was seen, in a watch or in a read.
    pub(super) fn observe(&mut self, lease: ObservedLease, cx: &Context) {
        if let Some(known) = self.view.lease()
            && !rules::is_news(lease.revision.version, known.revision.version)
        {
            self.view.count(&lease.record);
            return;
        }
        self.schedule_poll(cx);
        self.must_read = false;
        self.write_failed = false;
        if let Some(attempt) = self.attempts.recognise(&lease.record) {
            if self.write_proves_a_rewind(&attempt, &lease, cx) {
                return;
            }
            self.landed(&attempt, Some(lease), cx);
            return;
        }
        self.note(lease, cx);
        let Some(term) = &self.term else { return };
        let Some(lease) = self.view.lease() else { return };
        if lease.revision.uid != term.uid {
            self.lose(EndReason::Vanished);
        } else if rules::ends_the_term_of(&self.config.identity, &lease.record) {
            let reason = EndReason::Taken(lease.record.holder.clone());
            self.lose(reason);
        }
    }

    /// The watch no longer shows an object: it was deleted, or has lost the label that the watch selects by. A read shows which.
    pub(super) fn vanished(&mut self, uid: &Uid) {
        if self.view.lease().is_none_or(|lease| lease.revision.uid == *uid) {
            self.must_read = true;
        }
    }

    /// A consistent read found no Lease.
    pub(super) fn note_missing(&mut self, cx: &Context) {
        self.schedule_poll(cx);
        // An update that was applied is gone with the Lease. Only a write that creates the Lease may still be found.
        self.attempts.forget(|attempt| attempt.creates);
        if matches!(self.view.seen, HolderSeen::Missing) {
            return;
        }
        self.view.seen = HolderSeen::Missing;
        self.lose(EndReason::Vanished);
    }

    pub(super) fn note(&mut self, lease: ObservedLease, cx: &Context) {
        let now = cx.now.monotonic;
        let record = &lease.record;
        self.view.note_another_object(&lease.revision.uid, now, &self.config.timings);
        if rules::is_release(record) {
            self.view.note_release(&lease, now);
        } else if !self.is_own_old_record(&lease) {
            self.view.note_change_of_holder(&lease);
            let gone_at = self.config.ended.gone_at(record.holder.as_ref());
            let own = self.config.timings.lease_duration();
            self.view.honour_holder(record.lease_duration, own, gone_at, now);
            #[cfg(feature = "mutants")]
            self.misjudge_expiry(record, cx);
        }
        if record.holder.as_ref().is_some_and(|holder| *holder != self.config.identity) {
            self.yield_until = Monotonic::ORIGIN;
        }
        self.view.remember(record);
        self.view.show(lease);
    }

    /// Whether this process itself wrote this record, possibly with other labels. Then there is nobody to wait for. It is not if another
    /// client wrote a record that names this process, or if it is another object.
    fn is_own_old_record(&self, lease: &ObservedLease) -> bool {
        let identity = &self.config.identity;
        let same = |known: &ObservedLease| {
            known.revision.uid == lease.revision.uid
                && known.record.is_held_by(identity)
                && (self.term.is_some() || known.record.renew_time == lease.record.renew_time)
        };
        lease.record.is_held_by(identity) && self.view.lease().is_some_and(same)
    }

    /// When the Lease may be taken; `None` if this process may not take it.
    pub(super) fn free_at(&self) -> Option<Monotonic> {
        match (&self.view.seen, self.config.creation) {
            (HolderSeen::Nothing, _) | (HolderSeen::Missing, Creation::Never) => None,
            (HolderSeen::Missing, Creation::AtOnce | Creation::AfterWaiting) => Some(self.view.unknown_until),
            (HolderSeen::Lease(_), _) => Some(self.view.honour_until.max(self.view.unknown_until)),
        }
    }

    /// Neither a watch that hangs nor a holder that has crashed causes events. In both cases a read is useful.
    pub(super) fn schedule_poll(&mut self, cx: &Context) {
        let period = self.config.timings.jittered_retry(cx.roll);
        self.poll_at = cx.now.monotonic + if self.watch_healthy { 2 * period } else { period };
    }
}
