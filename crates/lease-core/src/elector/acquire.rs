//! Standby, Expired, Acquiring: waiting for the Lease and taking it.

use std::time::Duration;

use super::hold::{ActiveTerm, Work};
use super::{Elector, State};
use crate::config::Creation;
use crate::effect::{Effect, Write, WriteKind};
use crate::event::Context;
use crate::record::{LeaseRecord, ObservedLease};
use crate::revision::FencingToken;
use crate::time::{Monotonic, Now};
use crate::{invariant, rules};

impl Elector {
    /// Whether this candidate contends, and no work of an earlier term still runs in this process.
    pub(super) fn may_try(&self) -> bool {
        self.config.contend && rules::may_acquire(self.has_work())
    }

    /// When to try to acquire the Lease: when it is free, the delays in favour of other candidates have passed, and the pause after a failure is over.
    pub(super) fn attempt_at(&self) -> Option<Monotonic> {
        Some((self.free_at()? + self.effective_delay()).max(self.retry_at).max(self.yield_until))
    }

    fn effective_delay(&self) -> Duration {
        let successor = self.view.lease().filter(|lease| lease.record.is_released());
        match successor.and_then(|lease| lease.successor.as_ref()) {
            Some(successor) if *successor == self.config.identity => Duration::ZERO,
            Some(successor) if self.config.successors.expect(successor) => {
                self.config.acquire_delay.max(self.config.timings.retry_period())
            }
            _ => self.config.acquire_delay,
        }
    }

    /// Updates the observed state without a read before: if that state is stale, the answer is a conflict.
    pub(super) fn acquire(&mut self, cx: &Context) {
        self.state = State::Acquiring;
        let others_use_its_name = self.config.creation == Creation::AfterWaiting;
        if self.view.lease().is_none() && rules::new_lease_has_to_expire(others_use_its_name) {
            self.reserve(cx);
            return;
        }
        let renew_time = self.next_renew_time(cx);
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

    /// Creates the Lease without taking it. An existing Lease has a version, which proves that nothing has happened in between. So
    /// instead of waiting for the holder of a deleted Lease, this candidate waits for the expiry of the new one.
    fn reserve(&mut self, cx: &Context) {
        let renew_time = self.next_renew_time(cx);
        let wait = self.view.wait_for_the_unknown(&self.config.timings);
        let record = LeaseRecord::reserved(renew_time, wait, self.view.next_transitions());
        let attempt = self.attempts.next_id();
        self.send(Write { attempt, kind: WriteKind::Reserve, base: None, record, successor: None }, cx);
    }

    /// The acquisition has succeeded. The term counts from its sending. If that is too long ago, or if the candidate no longer
    /// contends, this process holds the Lease without being the leader, and will release it.
    pub(super) fn acquired(&mut self, lease: &ObservedLease, sent: Now, cx: &Context) {
        let term = ActiveTerm::new(lease.revision.uid.clone(), sent, cx.now, &self.config);
        if !self.may_try() || !term.validity.holds_at(cx.now) {
            self.state = State::Standby;
            return;
        }
        invariant!(self.term.is_none(), "two terms of one Lease: {self:?}");
        invariant!(!self.has_work(), "a Lease is acquired beside work of an earlier term: {self:?}");
        self.term = Some(term);
        self.work = Work::Running;
        self.state = State::Leader;
        self.successor = None;
        self.effects.push_back(Effect::StartWork(FencingToken::from(lease.revision.version)));
    }
}
