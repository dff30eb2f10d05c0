//! Leader: renewals, the end of the term, and the deadlines of the work.

use std::time::Duration;

use super::{Elector, State};
use crate::config::ElectorConfig;
use crate::effect::{Effect, EndReason, Write, WriteKind};
use crate::event::Context;
use crate::record::LeaseRecord;
use crate::revision::Uid;
use crate::time::{Monotonic, Now};
use crate::timings::Timings;
use crate::validity::Validity;
use crate::{invariant, rules};

/// The current term.
#[derive(Debug)]
pub(super) struct ActiveTerm {
    pub(super) uid: Uid,
    pub(super) validity: Validity,
    /// When the last successful write was sent.
    sent: Now,
    renew_at: Monotonic,
    /// When the validity ends on the monotonic clock, if the machine is not suspended any more.
    pub(super) lapses_at: Monotonic,
}

impl ActiveTerm {
    pub(super) fn new(uid: Uid, sent: Now, answered: Now, config: &ElectorConfig) -> Self {
        let mut term = Self {
            uid,
            validity: Validity::over(),
            sent,
            renew_at: Monotonic::ORIGIN,
            lapses_at: Monotonic::ORIGIN,
        };
        term.extend(sent, answered, config);
        term
    }

    /// A write that was sent at `sent` has succeeded.
    pub(super) fn extend(&mut self, sent: Now, answered: Now, config: &ElectorConfig) {
        let timings = &config.timings;
        self.sent = sent;
        self.validity = Validity::until(rules::valid_until(sent, answered, timings));
        let latest = sent.after(timings.renew_deadline());
        invariant!(
            self.validity.end() == latest,
            "a validity that ends at {:?}, not at {latest:?}",
            self.validity.end()
        );
        self.renew_at = rules::renew_at(sent.monotonic, timings.retry_period(), config.renewal_phase);
        invariant!(
            sent.monotonic < self.renew_at && self.renew_at <= sent.monotonic + timings.retry_period(),
            "a write of {sent:?} is followed by a renewal at {:?}",
            self.renew_at
        );
    }

    /// Updates when the validity ends on the monotonic clock, which timers use: after a suspend less of it is left than that clock shows.
    pub(super) fn foresee_the_end(&mut self, now: Now) {
        self.lapses_at = now.monotonic + self.validity.remaining(now).unwrap_or_default();
    }

    /// From this instant on another process may be the leader, so none of the work may run any more.
    pub(super) fn join_by(&self, timings: &Timings) -> Monotonic {
        self.sent.monotonic + timings.lease_duration()
    }
}

/// What runs under the Lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Nothing.
    Idle,
    /// The user's future.
    Running,
    /// The user's future, which was asked to finish by then.
    Draining { until: Monotonic },
    /// Aborted; it must have been joined by then.
    Aborting { join_by: Monotonic },
    /// Not joined in time; the process must end.
    Overdue,
}

impl Work {
    pub(super) fn deadline(self) -> Option<Monotonic> {
        match self {
            Self::Draining { until } => Some(until),
            Self::Aborting { join_by } => Some(join_by),
            Self::Idle | Self::Running | Self::Overdue => None,
        }
    }
}

impl Elector {
    /// Ends the term if its validity is over at the time of this event.
    pub(super) fn end_if_lapsed(&mut self, cx: &Context) {
        if self.term.as_ref().is_some_and(|term| !term.validity.holds_at(cx.now)) {
            self.lose(EndReason::Lapsed);
        }
    }

    pub(super) fn renew_at(&self) -> Option<Monotonic> {
        self.term.as_ref().map(|term| term.renew_at)
    }

    /// Something waits for the next renewal, so it is sent now.
    pub(super) fn renew_soon(&mut self, cx: &Context) {
        if let Some(term) = &mut self.term {
            term.renew_at = term.renew_at.min(cx.now.monotonic);
        }
    }

    /// Delays the next renewal after a failure. A leader has little time, so Retry-After is honoured only up to RetryPeriod.
    pub(super) fn postpone_renewal(&mut self, retry_after: Option<Duration>, cx: &Context) {
        let hurried = self.config.timings.hurried_retry();
        let pause =
            retry_after.map_or(hurried, |wish| wish.clamp(hurried, self.config.timings.retry_period()));
        if let Some(term) = &mut self.term {
            term.renew_at = cx.now.monotonic + pause;
        }
    }

    pub(super) fn renew(&mut self, cx: &Context) {
        if !rules::may_renew(cx.work_alive) {
            // If the work makes progress again in time, a later check will renew.
            self.postpone_renewal(None, cx);
            return;
        }
        let Some(lease) = self.view.lease() else { return };
        let record = LeaseRecord {
            holder: Some(self.config.identity.clone()),
            lease_duration: Some(self.config.timings.lease_duration()),
            acquire_time: lease.record.acquire_time,
            renew_time: Some(self.next_renew_time(cx)),
            transitions: lease.record.transitions,
        };
        let base = Some(lease.revision.clone());
        let attempt = self.attempts.next_id();
        self.send(Write { attempt, kind: WriteKind::Renew, base, record, successor: None }, cx);
    }

    /// Asks the work to finish within the drain timeout.
    pub(super) fn drain_work(&mut self, cx: &Context) {
        if self.work == Work::Running {
            self.work = Work::Draining { until: cx.now.monotonic + self.config.drain_timeout };
            self.effects.push_back(Effect::DrainWork);
        }
    }

    pub(super) fn abort_work(&mut self, join_by: Monotonic, reason: EndReason) {
        if matches!(self.work, Work::Running | Work::Draining { .. }) {
            self.effects.push_back(Effect::AbortWork(reason));
            self.work = Work::Aborting { join_by };
        } else if let Work::Aborting { join_by: earlier } = self.work {
            self.work = Work::Aborting { join_by: earlier.min(join_by) };
        }
    }

    /// Enforces the deadlines of the work.
    pub(super) fn press_the_work(&mut self, cx: &Context) {
        let now = cx.now.monotonic;
        match self.work {
            Work::Draining { until } if until <= now => {
                // There is no deadline for joining it as long as the Lease is renewed, because no other process may be the leader yet.
                self.abort_work(Monotonic::MAX, EndReason::DrainTimeout);
            }
            Work::Aborting { join_by } if join_by <= now => {
                self.work = Work::Overdue;
                self.effects.push_back(Effect::EndProcess);
            }
            _ => {}
        }
    }

    pub(super) fn work_ended(&mut self) {
        self.work = Work::Idle;
        if self.state == State::Leader {
            // The work has returned by itself, so the Lease is not needed any more.
            self.state = State::Releasing;
        }
    }
}
