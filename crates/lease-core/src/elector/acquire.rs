//! Standby, Expired, Acquiring: waiting for the Lease and taking it.

use std::time::Duration;

use super::hold::{Holding, Work};
use super::{Elector, State};
use crate::config::Creation;
use crate::effect::{Effect, Write, WriteKind};
use crate::event::Context;
use crate::mutants::{Mutant, active};
use crate::record::{LeaseRecord, ObservedLease};
use crate::revision::FencingToken;
use crate::time::{Monotonic, Now};

impl Elector {
    pub(super) fn advance_standby(&mut self, cx: &Context) {
        if self.holds_without_wanting_to(cx) {
            self.begin_vacating(cx);
        } else if self.must_read {
            self.read_if_due(cx);
        } else if self.free_at().is_some_and(|free_at| free_at <= cx.now.monotonic) {
            self.state = State::Expired;
        } else if self.poll_at <= cx.now.monotonic {
            self.read_if_due(cx);
        }
    }

    pub(super) fn advance_expired(&mut self, cx: &Context) {
        if self.free_at().is_none_or(|free_at| free_at > cx.now.monotonic)
            || self.holds_without_wanting_to(cx)
        {
            self.state = State::Standby;
        } else if self.may_try() {
            if self.must_read {
                self.read_if_due(cx);
            } else if self.attempt_at().is_some_and(|at| at <= cx.now.monotonic) {
                self.acquire(cx);
            }
        }
    }

    /// A Lease is never taken while anything of an earlier term still runs in this process.
    pub(super) fn may_try(&self) -> bool {
        self.config.standing && (self.work == Work::Idle || active(Mutant::AcquireBeforeJoin))
    }

    /// When to try: once the Lease is free, those with a better claim have had their time, and a failure's pause is over.
    pub(super) fn attempt_at(&self) -> Option<Monotonic> {
        Some((self.free_at()? + self.effective_patience()).max(self.retry_at).max(self.yield_until))
    }

    fn effective_patience(&self) -> Duration {
        let successor = self.view.lease().filter(|lease| lease.record.is_released());
        match successor.and_then(|lease| lease.successor.as_ref()) {
            Some(successor) if *successor == self.config.identity => Duration::ZERO,
            Some(successor) if self.config.successors.expect(successor) => {
                self.config.patience.max(self.config.timings.retry_period())
            }
            _ => self.config.patience,
        }
    }

    /// An update of the observed state with no read before it: if that state is stale, the answer is a conflict.
    fn acquire(&mut self, cx: &Context) {
        self.state = State::Acquiring;
        let waits = self.config.creation == Creation::AfterWaiting && !active(Mutant::VanishedIsFree);
        if waits && self.view.lease().is_none() {
            self.reserve(cx);
            return;
        }
        let renew_time = self.view.next_renew_time(cx.wall);
        let own = self.view.lease().filter(|lease| lease.record.is_held_by(&self.config.identity));
        let (acquire_time, transitions) = match own {
            Some(lease) => (lease.record.acquire_time.unwrap_or(renew_time), lease.record.transitions),
            None => (renew_time, self.view.next_transitions()),
        };
        let record = LeaseRecord {
            holder: Some(self.config.identity.clone()),
            lease_duration: Some(self.config.timings.lease_duration()),
            acquire_time: Some(acquire_time),
            renew_time: Some(renew_time),
            transitions,
        };
        let base = self.view.lease().map(|lease| lease.revision.clone());
        let attempt = self.attempts.next_id();
        self.send(Write { attempt, kind: WriteKind::Acquire, base, record, successor: None }, cx);
    }

    /// Creates the Lease without taking it. Only a state that has a version can prove that nothing came in between,
    /// so the wait for whoever held a vanished Lease is the wait for this one to expire.
    fn reserve(&mut self, cx: &Context) {
        let renew_time = self.view.next_renew_time(cx.wall);
        let wait = self.view.wait_for_the_unknown(&self.config.timings);
        let record = LeaseRecord::reserved(renew_time, wait, self.view.next_transitions());
        let attempt = self.attempts.next_id();
        self.send(Write { attempt, kind: WriteKind::Reserve, base: None, record, successor: None }, cx);
    }

    /// The acquisition landed. It counts from its sending; if that is too long ago, or the candidate has changed its
    /// mind, then the Lease is held by a process that does not lead, and is dealt with as such.
    pub(super) fn acquired(&mut self, lease: &ObservedLease, sent: Now, cx: &Context) {
        let holding = Holding::new(lease.revision.uid.clone(), sent, cx.now, &self.config.timings);
        if !self.may_try() || !holding.validity.holds_at(cx.now) {
            self.state = State::Standby;
            return;
        }
        self.holding = Some(holding);
        self.work = Work::Running;
        self.state = State::Leader;
        self.successor = None;
        self.effects.push_back(Effect::StartWork(FencingToken::from(lease.revision.version)));
    }
}
