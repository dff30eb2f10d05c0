//! What is due, and when: the one table that both [`next_timeout`](Elector::next_timeout) and `advance` use.

use super::hold::Work;
use super::{Elector, State};
use crate::event::Context;
use crate::rules;
use crate::time::Monotonic;

/// What the machine does by itself at a certain instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Read the Lease.
    Read,
    /// Find that the Lease is free.
    Expire,
    /// Try to acquire the Lease.
    Acquire,
    /// Renew the Lease.
    Renew,
    /// Begin to release a Lease that this process holds without being, or contending to be, the leader.
    Vacate,
    /// Write the release.
    Release,
    /// Stop trying to release the Lease, and let it expire.
    LeaveToExpire,
}

impl Elector {
    /// The possible steps of the current state, in order of priority.
    fn due(&self) -> [Option<(Monotonic, Step)>; 3] {
        let read = self.must_read.then_some((self.retry_at, Step::Read));
        match self.state {
            State::Starting => [read, None, None],
            State::Acquiring => [None; 3],
            State::Standby => {
                let vacate = self.vacate_from().map(|at| (at, Step::Vacate));
                if read.is_some() {
                    return [vacate, read, None];
                }
                let expire = self.free_at().map(|at| (at, Step::Expire));
                // In case the watch hangs, or the holder has crashed.
                let poll = (self.poll_at.max(self.retry_at), Step::Read);
                [vacate, expire, Some(poll)]
            }
            State::Expired => {
                let vacate = self.vacate_from().map(|at| (at, Step::Vacate));
                let acquire = || self.attempt_at().map(|at| (at, Step::Acquire));
                [vacate, self.may_try().then(|| read.or_else(acquire)).flatten(), None]
            }
            State::Leader => [self.due_of_leader(), None, None],
            State::Releasing => match &self.vacating {
                // The Lease is renewed until the work has ended: a drain must not last longer than the Lease.
                None => [self.due_of_leader(), None, None],
                Some(vacating) => {
                    let release = (rules::release_at(self.retry_at, self.quiet_at), Step::Release);
                    let look = !vacating.confirmed || self.must_read;
                    let next = if look { (self.retry_at, Step::Read) } else { release };
                    [Some((vacating.give_up_at, Step::LeaveToExpire)), Some(next), None]
                }
            },
        }
    }

    fn due_of_leader(&self) -> Option<(Monotonic, Step)> {
        let renew = || self.renew_at().map(|at| (at, Step::Renew));
        if self.must_read { Some((self.retry_at, Step::Read)) } else { renew() }
    }

    /// When the next step is due; `None` if there is none, or if a request is in progress.
    pub(super) fn next_step_at(&self) -> Option<Monotonic> {
        if self.attempts.outstanding() {
            return None;
        }
        self.due().into_iter().flatten().map(|(at, _)| at).min()
    }

    /// Takes the steps that are due at this instant.
    pub(super) fn advance(&mut self, cx: &Context) {
        self.end_if_lapsed(cx);
        self.press_the_work(cx);
        // Each iteration either starts a request or changes the state, so there are only a few.
        while !self.attempts.outstanding() {
            let before = self.state;
            self.follow_what_is_known(cx);
            let due = self.due().into_iter().flatten().find(|(at, _)| *at <= cx.now.monotonic);
            if let Some((_, step)) = due {
                self.take(step, cx);
            }
            if self.state == before {
                break;
            }
        }
    }

    /// Changes to the state that follows from what is known.
    fn follow_what_is_known(&mut self, cx: &Context) {
        let is_free = || self.free_at().is_some_and(|free_at| free_at <= cx.now.monotonic);
        match self.state {
            State::Starting if self.view.is_known() => self.state = State::Standby,
            // The request has ended without making this process the leader.
            State::Acquiring => self.state = State::Standby,
            State::Expired if !is_free() => self.state = State::Standby,
            State::Releasing if self.work == Work::Idle => self.go_on_releasing(cx),
            _ => {}
        }
    }

    fn take(&mut self, step: Step, cx: &Context) {
        match step {
            Step::Read => self.read(),
            Step::Expire => self.state = State::Expired,
            Step::Acquire => self.acquire(cx),
            Step::Renew => self.renew(cx),
            Step::Vacate => self.begin_vacating(cx),
            Step::Release => self.release(cx),
            Step::LeaveToExpire => self.stop_vacating(),
        }
    }
}
