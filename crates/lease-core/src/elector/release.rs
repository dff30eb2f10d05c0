//! Releasing: first the work ends, then the Lease is given up, and never the other way round.

use super::hold::Work;
use super::{Elector, State};
use crate::config::ReleaseStyle;
use crate::effect::{Effect, EndReason, Write, WriteKind};
use crate::event::Context;
use crate::identity::Identity;
use crate::mutants::{Mutant, active};
use crate::record::LeaseRecord;
use crate::revision::Uid;
use crate::time::Monotonic;

/// The term is over and the work has ended; what is left is to say so in the Lease.
#[derive(Debug)]
pub(super) struct Vacating {
    uid: Uid,
    /// Whether a read since then has shown that the Lease still names this process.
    confirmed: bool,
    /// From then on others take it anyway.
    pub(super) give_up_at: Monotonic,
}

impl Elector {
    pub(super) fn step_down(&mut self, successor: Option<Identity>, cx: &Context) {
        if self.state == State::Leader {
            self.state = State::Releasing;
            self.successor = successor;
            if active(Mutant::ReleaseBeforeDrain) {
                self.release(cx);
            } else {
                self.drain_work(cx);
            }
        }
    }

    pub(super) fn advance_releasing(&mut self, cx: &Context) {
        if self.work != Work::Idle {
            // Renewed until the last reconcile has ended: a drain must not outlive its Lease.
            self.advance_leader(cx);
        } else if self.vacating.is_none() {
            if let Some(holding) = self.holding.take() {
                self.effects.push_back(Effect::Ended(EndReason::Released));
                self.begin_vacating_object(holding.uid, cx);
            } else {
                self.state = State::Standby;
            }
        }
        if self.vacating.is_some() && !self.attempts.outstanding() {
            self.vacate(cx);
        }
    }

    /// An acquisition that nobody wants any more has landed, or the process stops after its term lapsed.
    pub(super) fn holds_without_wanting_to(&self, cx: &Context) -> bool {
        !self.config.standing
            && !self.view.is_rewound(cx.now.monotonic)
            && self.holding.is_none()
            && self.work == Work::Idle
            && self.config.release != ReleaseStyle::LetExpire
            && self.view.lease().is_some_and(|lease| {
                lease.record.is_held_by(&self.config.identity)
                    && self.abandoned.as_ref() != Some(&lease.revision)
            })
    }

    pub(super) fn begin_vacating(&mut self, cx: &Context) {
        if let Some(uid) = self.view.lease().map(|lease| lease.revision.uid.clone()) {
            self.state = State::Releasing;
            self.begin_vacating_object(uid, cx);
        }
    }

    fn begin_vacating_object(&mut self, uid: Uid, cx: &Context) {
        if self.config.release == ReleaseStyle::LetExpire {
            // Given up is given up: everyone else gets to see it expire first.
            self.view.honour(cx.now.monotonic + self.config.timings.takeover_bound());
            self.state = State::Standby;
            return;
        }
        let give_up_at = cx.now.monotonic + self.config.timings.lease_duration();
        self.vacating = Some(Vacating { uid, confirmed: active(Mutant::ReleaseUnseen), give_up_at });
        self.retry_at = cx.now.monotonic;
    }

    /// A read has come in while the Lease is being given up.
    pub(super) fn confirm_vacating(&mut self) {
        if let Some(vacating) = &mut self.vacating {
            vacating.confirmed = true;
        }
    }

    fn vacate(&mut self, cx: &Context) {
        let Some(vacating) = &self.vacating else { return };
        let ours = self.view.lease().is_some_and(|lease| {
            lease.revision.uid == vacating.uid && lease.record.is_held_by(&self.config.identity)
        });
        let too_late = cx.now.monotonic >= vacating.give_up_at;
        if too_late || (vacating.confirmed && !ours) {
            self.abandoned = self.view.lease().filter(|_| ours).map(|lease| lease.revision.clone());
            self.vacated();
        } else if self.must_read || !vacating.confirmed {
            self.read_if_due(cx);
        } else if cx.now.monotonic >= self.vacate_at() {
            self.release(cx);
        }
    }

    /// No release before.
    pub(super) fn vacate_at(&self) -> Monotonic {
        let reading = self.must_read || self.vacating.as_ref().is_some_and(|vacating| !vacating.confirmed);
        if reading || active(Mutant::ReleaseBesideUnanswered) {
            self.retry_at
        } else {
            self.retry_at.max(self.quiet_at)
        }
    }

    /// A write that nobody waits for any more may be on its way for as long as is assumed of any: LeaseDuration −
    /// RenewDeadline. A Lease that expires gives it that time; one that is released has to wait for it.
    pub(super) fn left_unanswered(&mut self, given_up: Monotonic) {
        let timings = &self.config.timings;
        let longest_transit = timings.lease_duration().saturating_sub(timings.renew_deadline());
        self.quiet_at = self.quiet_at.max(given_up + longest_transit);
    }

    fn release(&mut self, cx: &Context) {
        let Some(lease) = self.view.lease() else { return };
        let kind = match self.config.release {
            ReleaseStyle::Delete => WriteKind::Delete,
            ReleaseStyle::Vacate | ReleaseStyle::LetExpire => WriteKind::Release,
        };
        let at = self.view.next_renew_time(cx.wall);
        let record = LeaseRecord::released(at, lease.record.transitions);
        let base = Some(lease.revision.clone());
        let attempt = self.attempts.next_id();
        let successor = self.successor.clone();
        self.send(Write { attempt, kind, base, record, successor }, cx);
    }

    /// Done with it: released, taken by someone else, or not worth another try.
    pub(super) fn vacated(&mut self) {
        self.vacating = None;
        self.successor = None;
        self.state = State::Standby;
    }
}
