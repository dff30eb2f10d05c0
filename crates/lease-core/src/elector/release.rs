//! Releasing: first the work ends, then the Lease is released, never the other way round.

use super::{Elector, State};
use crate::config::ReleaseStyle;
use crate::effect::{Effect, EndReason, Write, WriteKind};
use crate::event::Context;
use crate::identity::Identity;
use crate::record::{LeaseRecord, ObservedLease};
use crate::revision::Uid;
use crate::time::Monotonic;
use crate::{invariant, rules};

/// The term is over and the work has ended, but the release has not been written yet.
#[derive(Debug)]
pub(super) struct Vacating {
    uid: Uid,
    /// Whether a read since then has shown that the Lease still names this process.
    pub(super) confirmed: bool,
    /// When the Lease has expired anyway, so that a release is no longer useful.
    pub(super) give_up_at: Monotonic,
}

impl Elector {
    pub(super) fn step_down(&mut self, successor: Option<Identity>, cx: &Context) {
        if self.state == State::Leader {
            self.state = State::Releasing;
            self.successor = successor;
            #[cfg(feature = "mutants")]
            if self.release_before_drain(cx) {
                return;
            }
            self.drain_work(cx);
        }
    }

    /// The work has ended, so the Lease can be released.
    pub(super) fn go_on_releasing(&mut self, cx: &Context) {
        match &self.vacating {
            Some(vacating) if vacating.confirmed && !self.holds(&vacating.uid) => self.stop_vacating(),
            Some(_) => {}
            None => match self.term.take() {
                Some(term) => {
                    self.effects.push_back(Effect::Ended(EndReason::Released));
                    self.begin_vacating_object(term.uid, cx);
                }
                None => self.state = State::Standby,
            },
        }
    }

    /// Whether the Lease in its last seen state is this object, and names this process as holder.
    fn holds(&self, uid: &Uid) -> bool {
        let names_this = |lease: &&ObservedLease| {
            lease.revision.uid == *uid && lease.record.is_held_by(&self.config.identity)
        };
        self.view.lease().is_some_and(|lease| names_this(&lease))
    }

    /// When to release a Lease that names this process as holder although it neither is the leader nor contends: an acquisition has succeeded that is
    /// not wanted any more, or the process stops after its term has lapsed.
    pub(super) fn vacate_from(&self) -> Option<Monotonic> {
        let wanted = self.config.contend || self.term.is_some() || self.has_work();
        if wanted || self.config.release == ReleaseStyle::LetExpire {
            return None;
        }
        let lease = self.view.lease()?;
        let given_up_on = self.abandoned.as_ref() == Some(&lease.revision);
        (self.holds(&lease.revision.uid) && !given_up_on).then(|| self.view.unknown_until())
    }

    pub(super) fn begin_vacating(&mut self, cx: &Context) {
        if let Some(uid) = self.view.lease().map(|lease| lease.revision.uid.clone()) {
            self.state = State::Releasing;
            self.begin_vacating_object(uid, cx);
        }
    }

    fn begin_vacating_object(&mut self, uid: Uid, cx: &Context) {
        if self.config.release == ReleaseStyle::LetExpire {
            // This process does not try again to release it. It waits until the Lease has expired.
            self.view.honour(cx.now.monotonic + self.config.timings.takeover_bound());
            self.state = State::Standby;
            return;
        }
        let give_up_at = cx.now.monotonic + self.config.timings.lease_duration();
        self.vacating = Some(Vacating { uid, confirmed: !rules::release_needs_a_read(), give_up_at });
        self.retry_at = cx.now.monotonic;
    }

    /// A read was answered while the Lease is being released.
    pub(super) fn confirm_vacating(&mut self) {
        if let Some(vacating) = &mut self.vacating {
            vacating.confirmed = true;
        }
    }

    /// Stops releasing: it is done, or another attempt is not useful, because another process has taken the Lease or it has expired.
    pub(super) fn stop_vacating(&mut self) {
        let ours = self.vacating.as_ref().is_some_and(|vacating| self.holds(&vacating.uid));
        self.abandoned = self.view.lease().filter(|_| ours).map(|lease| lease.revision.clone());
        self.vacated();
    }

    /// A write that was given up may stay in the network for LeaseDuration − RenewDeadline, which is the assumption for all
    /// requests. The expiry of a Lease allows for that time; a release has to wait for it.
    pub(super) fn left_unanswered(&mut self, given_up: Monotonic) {
        self.quiet_at = self.quiet_at.max(given_up + self.config.timings.longest_transit());
    }

    pub(super) fn release(&mut self, cx: &Context) {
        invariant!(!self.has_work(), "a release beside work: {self:?}");
        invariant!(
            cx.now.monotonic >= self.quiet_at,
            "a release beside a write that may still land: {self:?}"
        );
        let Some(lease) = self.view.lease() else { return };
        let kind = match self.config.release {
            ReleaseStyle::Delete => WriteKind::Delete,
            ReleaseStyle::Vacate | ReleaseStyle::LetExpire => WriteKind::Release,
        };
        let at = self.next_renew_time(cx);
        let record = LeaseRecord::released(at, lease.record.transitions);
        let base = Some(lease.revision.clone());
        let attempt = self.attempts.next_id();
        let successor = self.successor.clone();
        self.send(Write { attempt, kind, base, record, successor }, cx);
    }

    /// The release is over: it succeeded, another process has taken the Lease, or another attempt is not useful.
    pub(super) fn vacated(&mut self) {
        self.vacating = None;
        self.successor = None;
        self.state = State::Standby;
    }
}
