//! What is due, and when: the one table that both [`next_timeout`](Elector::next_timeout) and `advance` go by.

use super::hold::Work;
use super::{Elector, State};
use crate::event::Context;
use crate::rules;
use crate::time::Monotonic;

/// What the machine does by itself once an instant has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Look at the Lease.
    Read,
    /// Find that the Lease is free.
    Expire,
    /// Ask for the Lease.
    Acquire,
    /// Keep the Lease.
    Renew,
    /// Begin to give up a Lease that it holds without leading, or wanting to.
    Vacate,
    /// Say in the Lease that it is given up.
    Release,
    /// Leave a Lease that could not be released to expire.
    LeaveToExpire,
}

impl Elector {
    /// The steps of the present state, the ones that go first before those that only follow if these are not due.
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
                // To be sure that the watch, or the holder, has not died.
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
                // Renewed until the last reconcile has ended: a drain must not outlive its Lease.
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

    /// When the next step is due; `None` if none is, or one has been taken that is not over yet.
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
        // Each turn either asks for something or moves to another state; a handful of turns is the longest chain.
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

    /// Moves to the state that follows from what is known, whatever the time.
    fn follow_what_is_known(&mut self, cx: &Context) {
        let is_free = || self.free_at().is_some_and(|free_at| free_at <= cx.now.monotonic);
        match self.state {
            State::Starting if self.view.is_known() => self.state = State::Standby,
            // The request is over, and has not made this process the leader.
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
