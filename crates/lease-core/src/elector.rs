//! The state machine of one candidate for one Lease.
//!
//! Events change what the machine knows. After each event, `advance` decides from all that is known what to do next, by
//! one table of what is due (`due.rs`). So a decision depends on what is known, never on the order in which it became known.
//!
//! ```text
//!            ┌──────────────────────────────────────────────┐
//!  Starting ─┴→ Standby ──→ Expired ──→ Acquiring ──→ Leader ──→ Releasing
//!                  ↑           │            │            │           │
//!                  └───────────┴────────────┴────────────┴───────────┘
//! ```

mod acquire;
mod answers;
mod attempts;
mod due;
#[cfg(feature = "mutants")]
mod faults;
mod hold;
mod release;
mod rewind;
mod view;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::ElectorConfig;
use crate::effect::{Effect, EndReason, Write};
use crate::event::{Context, Event};
use crate::identity::Identity;
use crate::invariant;
use crate::record::ObservedLease;
use crate::revision::Revision;
use crate::time::Monotonic;
use crate::validity::Validity;

use attempts::{Asked, Attempts};
use hold::{ActiveTerm, Work};
use release::Vacating;
use rewind::Rewinds;
use view::View;

/// The state of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not seen the Lease yet.
    Starting,
    /// Another process holds the Lease, or may hold it.
    Standby,
    /// The Lease is free: it was released, or not renewed for the LeaseDuration that its holder stated.
    Expired,
    /// It has sent a request to acquire the Lease.
    Acquiring,
    /// It holds the Lease.
    Leader,
    /// It is giving up the Lease: first the work ends, then the Lease is released.
    Releasing,
}

/// One candidate for one Lease.
///
/// [`handle`](Self::handle) takes an event, [`poll_effect`](Self::poll_effect) returns what the caller has to do, and
/// [`next_timeout`](Self::next_timeout) returns when to call again if nothing happens. Call them in this order:
///
/// 1. Call [`handle`](Self::handle) with an event and a fresh reading of the clocks.
/// 2. Call [`poll_effect`](Self::poll_effect) until it returns `None`, and execute each effect. A request is answered later, by an event.
/// 3. Call [`next_timeout`](Self::next_timeout), and wait for that instant or for the next event, whichever is first.
///
/// [`validity`](Self::validity) may be called at any time.
///
/// # Example
///
/// The complete `examples/elector.rs`, which prints which candidate is the leader, and when:
///
/// ```
#[doc = include_str!("../examples/elector.rs")]
/// ```
#[derive(Debug)]
pub struct Elector {
    config: ElectorConfig,
    state: State,
    view: View,
    attempts: Attempts,
    term: Option<ActiveTerm>,
    work: Work,
    vacating: Option<Vacating>,
    successor: Option<Identity>,
    /// The state of the Lease at which this process stopped trying to release it.
    abandoned: Option<Revision>,
    /// A read has to precede the next write, because what is known may be out of date.
    must_read: bool,
    /// A write has failed. The read that follows may not show the cause.
    write_failed: bool,
    /// After a failure: no request is sent before this instant.
    retry_at: Monotonic,
    /// After its own release, this candidate leaves the Lease to others until then, or until one of them has held it.
    yield_until: Monotonic,
    /// When to read the Lease if the watch shows no change until then, in case an event was missed.
    poll_at: Monotonic,
    /// Until then a write of the work may still be applied, so the Lease is not released.
    quiet_at: Monotonic,
    watch_healthy: bool,
    rewinds: Rewinds,
    effects: VecDeque<Effect>,
}

impl Elector {
    /// A candidate that has not seen the Lease yet. Call [`handle`](Self::handle) with [`Event::Timeout`] to start it.
    pub fn new(config: ElectorConfig) -> Self {
        Self {
            config,
            state: State::Starting,
            view: View::default(),
            attempts: Attempts::default(),
            term: None,
            work: Work::Idle,
            vacating: None,
            successor: None,
            abandoned: None,
            must_read: true,
            write_failed: false,
            retry_at: Monotonic::ORIGIN,
            yield_until: Monotonic::ORIGIN,
            poll_at: Monotonic::ORIGIN,
            quiet_at: Monotonic::ORIGIN,
            watch_healthy: true,
            rewinds: Rewinds::default(),
            effects: VecDeque::new(),
        }
    }

    /// The current state.
    pub fn state(&self) -> State {
        self.state
    }

    /// The validity of the current term, if there is one. Check it against a fresh clock reading.
    pub fn validity(&self) -> Option<Validity> {
        self.term.as_ref().map(|term| term.validity)
    }

    /// The Lease as last seen.
    pub fn lease(&self) -> Option<&ObservedLease> {
        self.view.lease()
    }

    /// The holder that this candidate waits for, and its LeaseDuration: how long the Lease is left to it after its last renewal. `None` if this
    /// candidate does not contend, is the leader, or may take the Lease.
    pub fn waits_for(&self) -> Option<(&Identity, Duration)> {
        let lease = self.view.lease().filter(|_| self.config.contend && self.state == State::Standby)?;
        let is_another =
            |holder: &&Identity| **holder != self.config.identity && !self.config.ended.contains(holder);
        let holder = lease.record.holder.as_ref().filter(is_another)?;
        Some((holder, lease.record.lease_duration.unwrap_or(self.config.timings.lease_duration())))
    }

    /// Whether it is idle: no term, no work, no request, and no Lease left to release.
    pub fn is_at_rest(&self) -> bool {
        self.term.is_none()
            && self.work == Work::Idle
            && self.vacating.is_none()
            && !self.attempts.outstanding()
            && self.state != State::Acquiring
    }

    /// Whether the work runs, or has been aborted and not joined yet.
    pub fn has_work(&self) -> bool {
        self.work != Work::Idle
    }

    /// Processes an event. Call [`poll_effect`](Self::poll_effect) afterwards.
    pub fn handle(&mut self, event: Event, cx: &Context) {
        // An answer that arrives after the end of the validity cannot restore it.
        self.end_if_lapsed(cx);
        match event {
            Event::Timeout => {}
            Event::Watched(lease) => self.observe(lease, cx),
            Event::Vanished(uid) => self.vanished(&uid),
            Event::Read(lease) => self.read_landed(lease, cx),
            Event::ReadFailed { retry_after } => self.read_failed(retry_after, cx),
            Event::WriteLanded(attempt, lease) => self.write_landed(attempt, lease, cx),
            Event::WriteRefused(attempt, refusal) => self.write_refused(attempt, refusal, cx),
            Event::WriteUnknown(attempt) => self.write_unknown(attempt, cx),
            Event::Unanswered { given_up } => self.left_unanswered(given_up),
            Event::WorkEnded => self.work_ended(),
            Event::StepDown { successor } => self.step_down(successor, cx),
            Event::Abandon => self.lose(EndReason::Abandoned),
            Event::Contend(contend) => self.config.contend = contend,
            Event::AcquireDelay(acquire_delay) => self.config.acquire_delay = acquire_delay,
            Event::Successors(successors) => self.config.successors = successors,
            Event::RenewSoon => self.renew_soon(cx),
            Event::Rewound => self.void(cx),
            Event::WatchHealthy(healthy) => {
                // Only a change counts: repeated events must not postpone the next poll.
                if std::mem::replace(&mut self.watch_healthy, healthy) != healthy {
                    self.schedule_poll(cx);
                }
            }
        }
        self.advance(cx);
        if let Some(term) = &mut self.term {
            term.foresee_the_end(cx.now);
        }
        self.check_invariants(cx);
    }

    /// The invariants that hold between two events.
    fn check_invariants(&self, cx: &Context) {
        let valid = self.term.as_ref().is_some_and(|term| term.validity.holds_at(cx.now));
        invariant!(valid || self.term.is_none(), "a term is kept beyond its validity: {self:?}");
        invariant!(valid || self.state != State::Leader, "it leads without a valid term: {self:?}");
        invariant!(
            valid || !matches!(self.work, Work::Running | Work::Draining { .. }),
            "work runs without a valid term: {self:?}"
        );
        invariant!(
            self.vacating.is_none() || self.work == Work::Idle,
            "it gives up the Lease beside its work: {self:?}"
        );
    }

    /// The next effect that the caller has to execute; `None` if there is none.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// When to call [`handle`](Self::handle) with [`Event::Timeout`] if there is no other event before, on `CLOCK_MONOTONIC`.
    pub fn next_timeout(&self) -> Option<Monotonic> {
        let validity = self.term.as_ref().map(|term| term.lapses_at);
        [self.next_step_at(), validity, self.work.deadline()].into_iter().flatten().min()
    }

    /// Requests a read of the Lease.
    fn read(&mut self) {
        let asked = Asked { about: self.view.uid().cloned(), latest: self.view.latest().cloned() };
        self.attempts.begin_read(asked);
        self.effects.push_back(Effect::Read);
    }

    fn send(&mut self, write: Write, cx: &Context) {
        self.view.wrote(write.record.renew_time);
        self.attempts.begin_write(&write, self.view.latest().cloned(), cx.now);
        self.effects.push_back(Effect::Write(write));
    }

    /// A renewTime that has not been written before.
    fn next_renew_time(&self, cx: &Context) -> Timestamp {
        self.view.next_renew_time(cx.wall, self.config.time_precision)
    }

    /// Ends the term. Running work must be aborted and joined before the Lease may be taken again.
    fn lose(&mut self, reason: EndReason) {
        let Some(term) = self.term.take() else { return };
        self.state = State::Standby;
        self.effects.push_back(Effect::Ended(reason.clone()));
        self.abort_work(term.join_by(&self.config.timings), reason);
    }
}
